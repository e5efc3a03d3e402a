//! What the gateway demands of SDP beyond its grammar, and the small changes that it makes to it. Pure text.

use crate::error::OfferError;
use crate::limits::OFFER_BYTES_MAX;

/// Media sections in one offer: one of each kind, and as many rejected ones as a renegotiating browser leaves behind.
const SECTIONS_MAX: usize = 16;

/// Where a browser's bandwidth estimate begins. It falls at once when the network has less.
const START_KBPS: u32 = 1_500;

/// Longest ICE user name fragment or password (RFC 8839 section 5.4).
const ICE_CREDENTIAL_CHARS_MAX: usize = 256;

/// What an offer is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// The offerer sends.
    Publish,
    /// The offerer receives.
    Subscribe,
}

/// An offer that was found acceptable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Offer {
    /// Its text without candidates: an ICE-lite agent learns addresses from checks, and calls nobody.
    pub(crate) sdp: String,
    /// Whether it has a usable audio section.
    pub(crate) audio: bool,
    /// Whether it has a usable video section.
    pub(crate) video: bool,
    /// The offerer's ICE credentials.
    pub(crate) ice: IceCredentials,
}

/// An ICE user name fragment and password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct IceCredentials {
    /// `a=ice-ufrag`.
    pub(crate) ufrag: String,
    /// `a=ice-pwd`.
    pub(crate) password: String,
}

#[derive(Debug)]
struct Section<'a> {
    kind: &'a str,
    rejected: bool,
    lines: Vec<&'a str>,
}

/// Checks an offer and takes its candidates off.
pub(crate) fn check_offer(sdp: &str, purpose: Purpose) -> Result<Offer, OfferError> {
    if sdp.len() > OFFER_BYTES_MAX {
        return Err(OfferError::TooLarge {
            bytes: sdp.len(),
            limit: OFFER_BYTES_MAX,
        });
    }
    if !sdp.starts_with("v=0") {
        return Err(malformed("it must begin with v=0"));
    }
    let (session, sections) = split(sdp);
    if sections.is_empty() || sections.len() > SECTIONS_MAX {
        let count = sections.len();
        return Err(malformed(format!(
            "{count} m= sections, 1 to {SECTIONS_MAX} are allowed"
        )));
    }
    let mut counts = [0_usize; 2];
    for section in sections.iter().filter(|section| !section.rejected) {
        let index = match section.kind {
            "audio" => 0,
            "video" => 1,
            other => {
                return Err(unacceptable(format!(
                    "m={other} is neither audio nor video"
                )));
            }
        };
        counts[index] += 1;
        check_section(&session, section, purpose)?;
    }
    if counts == [0, 0] || counts.iter().any(|count| *count > 1) {
        let rule = "at least one section and at most one each of audio and video is needed";
        return Err(unacceptable(rule));
    }
    let ice = ice_credentials(sdp).map_err(malformed)?;
    Ok(Offer {
        sdp: without_candidates(sdp),
        audio: counts[0] > 0,
        video: counts[1] > 0,
        ice,
    })
}

fn check_section(
    session: &[&str],
    section: &Section<'_>,
    purpose: Purpose,
) -> Result<(), OfferError> {
    let kind = section.kind;
    let has = |name: &str| {
        session.iter().chain(&section.lines).any(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(':'))
        })
    };
    for name in ["a=fingerprint", "a=setup", "a=ice-ufrag", "a=ice-pwd"] {
        if !has(name) {
            return Err(malformed(format!("m={kind} lacks {name}")));
        }
    }
    let direction = section.lines.iter().rev().find_map(|line| match *line {
        "a=sendrecv" | "a=sendonly" | "a=recvonly" | "a=inactive" => Some(*line),
        _ => None,
    });
    let fits = match purpose {
        Purpose::Publish => matches!(direction, None | Some("a=sendrecv" | "a=sendonly")),
        Purpose::Subscribe => matches!(direction, None | Some("a=sendrecv" | "a=recvonly")),
    };
    if !fits {
        let direction = direction.unwrap_or_default();
        return Err(unacceptable(format!(
            "m={kind} is {direction}, the wrong direction"
        )));
    }
    if !section.lines.iter().any(|line| is_supported(line)) {
        let (kind, supported) = if kind == "audio" {
            ("audio", "Opus")
        } else {
            ("video", "H.264, VP8 or VP9")
        };
        return Err(OfferError::UnsupportedCodec { kind, supported });
    }
    Ok(())
}

fn is_supported(line: &str) -> bool {
    let Some((_, codec)) = line
        .strip_prefix("a=rtpmap:")
        .and_then(|map| map.split_once(' '))
    else {
        return false;
    };
    let name = codec
        .split('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    matches!(name.as_str(), "opus" | "h264" | "vp8" | "vp9")
}

fn split(sdp: &str) -> (Vec<&str>, Vec<Section<'_>>) {
    let mut session = Vec::new();
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in sdp.lines().map(str::trim_end) {
        if let Some(media) = line.strip_prefix("m=") {
            let mut words = media.split(' ');
            let kind = words.next().unwrap_or_default();
            let rejected = words.next() == Some("0");
            sections.push(Section {
                kind,
                rejected,
                lines: Vec::new(),
            });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line);
        } else {
            session.push(line);
        }
    }
    (session, sections)
}

/// The first ICE credentials in an SDP or fragment; bundled sections share them.
pub(crate) fn ice_credentials(sdp: &str) -> Result<IceCredentials, String> {
    let ufrag = credential(sdp, "a=ice-ufrag:", 4)?;
    let password = credential(sdp, "a=ice-pwd:", 22)?;
    Ok(IceCredentials { ufrag, password })
}

fn credential(sdp: &str, name: &str, shortest: usize) -> Result<String, String> {
    let value = sdp
        .lines()
        .find_map(|line| line.trim_end().strip_prefix(name))
        .ok_or_else(|| format!("{name} is missing"))?;
    let chars_fit = value
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"+/-_=".contains(&b));
    if !chars_fit || !(shortest..=ICE_CREDENTIAL_CHARS_MAX).contains(&value.len()) {
        return Err(format!(
            "{name} must have {shortest} to {ICE_CREDENTIAL_CHARS_MAX} letters, digits, + or /"
        ));
    }
    Ok(value.to_owned())
}

fn is_candidate(line: &str) -> bool {
    line.starts_with("a=candidate:")
        || line.starts_with("a=end-of-candidates")
        || line.starts_with("a=remote-candidates")
}

fn without_candidates(sdp: &str) -> String {
    let mut out = String::with_capacity(sdp.len());
    for line in sdp
        .lines()
        .map(str::trim_end)
        .filter(|line| !is_candidate(line))
    {
        out.push_str(line);
        out.push_str("\r\n");
    }
    out
}

/// Our answer with the port's candidates in place of those of the library's placeholder sockets.
pub(crate) fn with_candidates(answer: &str, candidates: &[String]) -> String {
    let mut out = String::with_capacity(answer.len() + 128 * candidates.len());
    let mut section_takes_candidates = false;
    for line in answer
        .lines()
        .map(str::trim_end)
        .filter(|line| !is_candidate(line))
    {
        if let Some(media) = line.strip_prefix("m=") {
            close_section(&mut out, section_takes_candidates, candidates);
            section_takes_candidates = media.split(' ').nth(1) != Some("0");
        }
        out.push_str(line);
        out.push_str("\r\n");
    }
    close_section(&mut out, section_takes_candidates, candidates);
    out
}

/// Asks a browser of the libwebrtc family to begin with enough bitrate for 720p. From its usual 300 kb/s it begins with a
/// small picture and takes half a minute to grow, however much bandwidth it finds. Others are not told, since a strict
/// client may take the unknown parameter for another format.
pub(crate) fn with_start_bitrate(offer: &str, answer: &str) -> String {
    if !offer.contains("goog-remb") {
        return answer.to_owned();
    }
    let start = format!("x-google-start-bitrate={START_KBPS}");
    let mut out = String::with_capacity(answer.len() + 256);
    let (_, sections) = split(answer);
    let formatted: Vec<&str> = sections
        .iter()
        .filter(|section| section.kind == "video")
        .flat_map(|section| &section.lines)
        .filter_map(|line| line.strip_prefix("a=fmtp:")?.split(' ').next())
        .collect();
    let mut in_video = false;
    for line in answer.lines().map(str::trim_end) {
        if let Some(media) = line.strip_prefix("m=") {
            in_video = media.starts_with("video ");
        }
        out.push_str(line);
        if in_video && line.starts_with("a=fmtp:") {
            out.push(';');
            out.push_str(&start);
        }
        out.push_str("\r\n");
        let mapped = line
            .strip_prefix("a=rtpmap:")
            .and_then(|map| map.split(' ').next());
        if let Some(payload_type) = mapped
            && in_video
            && !formatted.contains(&payload_type)
        {
            out.push_str(&format!("a=fmtp:{payload_type} {start}\r\n"));
        }
    }
    out
}

fn close_section(out: &mut String, takes_candidates: bool, candidates: &[String]) {
    if !takes_candidates {
        return;
    }
    for candidate in candidates {
        out.push_str("a=");
        out.push_str(candidate);
        out.push_str("\r\n");
    }
    out.push_str("a=end-of-candidates\r\n");
}

/// The offer again with other ICE credentials: what a client's fragment means for an ICE restart.
pub(crate) fn with_credentials(offer: &str, ice: &IceCredentials) -> String {
    let mut out = String::with_capacity(offer.len());
    for line in offer.lines().map(str::trim_end) {
        if line.starts_with("a=ice-ufrag:") {
            out.push_str("a=ice-ufrag:");
            out.push_str(&ice.ufrag);
        } else if line.starts_with("a=ice-pwd:") {
            out.push_str("a=ice-pwd:");
            out.push_str(&ice.password);
        } else {
            out.push_str(line);
        }
        out.push_str("\r\n");
    }
    out
}

/// The fragment that tells our new credentials and candidates after an ICE restart (RFC 8840 section 4).
pub(crate) fn restart_fragment(
    answer: &str,
    ice: &IceCredentials,
    candidates: &[String],
) -> String {
    let mut out = format!(
        "a=ice-lite\r\na=ice-options:ice2\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n",
        ice.ufrag, ice.password
    );
    let (_, sections) = split(answer);
    let first = sections.iter().find(|section| !section.rejected);
    if let Some(section) = first {
        out.push_str(&format!("m={} 9 UDP/TLS/RTP/SAVPF 0\r\n", section.kind));
        if let Some(mid) = section.lines.iter().find(|line| line.starts_with("a=mid:")) {
            out.push_str(mid);
            out.push_str("\r\n");
        }
        close_section(&mut out, true, candidates);
    }
    out
}

/// Checks an SDP fragment; its ICE credentials when it has any.
pub(crate) fn check_fragment(fragment: &str) -> Result<Option<IceCredentials>, String> {
    if fragment.len() > OFFER_BYTES_MAX {
        return Err(format!(
            "{} bytes, at most {OFFER_BYTES_MAX} are allowed",
            fragment.len()
        ));
    }
    for line in fragment
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
    {
        let allowed = line.starts_with("a=") || line.starts_with("m=") || line.starts_with("c=");
        if !allowed || line.chars().any(char::is_control) {
            return Err("only a=, m= and c= lines are allowed".to_owned());
        }
        if line.starts_with("a=candidate:") && line.split(' ').count() < 8 {
            return Err("a=candidate needs at least eight fields".to_owned());
        }
    }
    let told = ["a=ice-ufrag:", "a=ice-pwd:"].map(|name| fragment.contains(name));
    match told {
        [false, false] => Ok(None),
        _ => ice_credentials(fragment).map(Some),
    }
}

fn malformed(rule: impl Into<String>) -> OfferError {
    OfferError::Malformed { rule: rule.into() }
}

fn unacceptable(rule: impl Into<String>) -> OfferError {
    OfferError::Unacceptable { rule: rule.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSPORT: &str = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
        a=fingerprint:sha-256 AA\r\na=setup:actpass\r\n";

    fn offer(video: &str, direction: &str) -> String {
        format!(
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
             m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n{TRANSPORT}a={direction}\r\n\
             a=rtpmap:111 opus/48000/2\r\na=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\n\
             m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n{TRANSPORT}a={direction}\r\n\
             a=rtpmap:96 {video}/90000\r\na=end-of-candidates\r\n"
        )
    }

    #[test]
    fn a_browser_offer_is_accepted_and_loses_its_candidates() {
        let checked = check_offer(&offer("VP8", "sendonly"), Purpose::Publish).unwrap();
        assert!(checked.audio && checked.video);
        assert_eq!(checked.ice.ufrag, "abcd");
        assert!(!checked.sdp.contains("candidate"));
        assert!(checked.sdp.contains("a=rtpmap:96 VP8/90000\r\n"));
    }

    #[test]
    fn the_direction_must_fit_the_purpose() {
        for (direction, purpose) in [
            ("recvonly", Purpose::Publish),
            ("sendonly", Purpose::Subscribe),
        ] {
            let refused = check_offer(&offer("VP8", direction), purpose);
            assert!(matches!(refused, Err(OfferError::Unacceptable { .. })));
        }
    }

    #[test]
    fn an_offer_of_av1_alone_is_refused() {
        let refused = check_offer(&offer("AV1", "sendonly"), Purpose::Publish);
        assert!(
            matches!(&refused, Err(OfferError::UnsupportedCodec { kind: "video", supported }) if supported.contains("H.264")),
            "{refused:?}"
        );
    }

    #[test]
    fn broken_offers_are_malformed() {
        let whole = offer("VP8", "sendonly");
        for broken in [
            String::new(),
            "hello".to_owned(),
            "v=0\r\n".to_owned(),
            whole.replace("a=fingerprint", "a=fingerprnt"),
            whole.replace("a=ice-pwd:0123456789012345678901", "a=ice-pwd:short"),
        ] {
            let refused = check_offer(&broken, Purpose::Publish);
            assert!(
                matches!(refused, Err(OfferError::Malformed { .. })),
                "{broken}"
            );
        }
        let long = format!("v=0\r\n{}", "a=x\r\n".repeat(OFFER_BYTES_MAX));
        let refused = check_offer(&long, Purpose::Publish);
        assert!(matches!(refused, Err(OfferError::TooLarge { .. })));
    }

    #[test]
    fn an_answer_gets_our_candidates_in_each_live_section() {
        let answer = "v=0\r\nm=audio 9 X 111\r\na=mid:0\r\na=candidate:9 2 udp 1 127.0.0.1 4 typ host\r\n\
                      m=video 0 X 0\r\na=mid:1\r\n";
        let told = with_candidates(
            answer,
            &["candidate:1 1 udp 7 127.0.0.1 8189 typ host".into()],
        );
        assert_eq!(
            told,
            "v=0\r\nm=audio 9 X 111\r\na=mid:0\r\na=candidate:1 1 udp 7 127.0.0.1 8189 typ host\r\n\
             a=end-of-candidates\r\nm=video 0 X 0\r\na=mid:1\r\n"
        );
    }

    #[test]
    fn only_browsers_are_told_where_to_begin() {
        let answer = "v=0\r\nm=audio 9 X 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 a=1\r\n\
                      m=video 9 X 96 102\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:102 H264/90000\r\n\
                      a=fmtp:102 packetization-mode=1\r\n";
        assert_eq!(with_start_bitrate("a=rtcp-fb:96 nack\r\n", answer), answer);
        assert_eq!(
            with_start_bitrate("a=rtcp-fb:96 goog-remb\r\n", answer),
            "v=0\r\nm=audio 9 X 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 a=1\r\n\
             m=video 9 X 96 102\r\na=rtpmap:96 VP8/90000\r\n\
             a=fmtp:96 x-google-start-bitrate=1500\r\na=rtpmap:102 H264/90000\r\n\
             a=fmtp:102 packetization-mode=1;x-google-start-bitrate=1500\r\n"
        );
    }

    #[test]
    fn a_fragment_tells_candidates_or_a_restart() {
        let trickle =
            "m=audio 9 X 0\r\na=mid:0\r\na=candidate:1 1 udp 7 127.0.0.1 8189 typ host\r\n";
        assert_eq!(check_fragment(trickle), Ok(None));
        let restart = format!("a=ice-ufrag:newu\r\na=ice-pwd:{}\r\n", "p".repeat(22));
        let ice = check_fragment(&restart).unwrap().unwrap();
        assert_eq!(ice.ufrag, "newu");
        assert!(check_fragment("a=ice-ufrag:newu\r\n").is_err());
        assert!(check_fragment("{\"candidate\": 1}").is_err());
        let offer = with_credentials(&offer("VP8", "sendonly"), &ice);
        assert_eq!(ice_credentials(&offer), Ok(ice));
    }
}
