//! Lets a viewer in, or tells why not. Pure.

use compositor_core::time::WallTime;

use crate::playback::claims::{MaximumResolution, verify};
use crate::playback::origin_rule::AllowedOrigins;
use crate::playback::{Country, PlaybackKey, Refusal, RestrictionPolicy};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// What a request for the playback URL says about its sender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlaybackRequest<'a> {
    pub(crate) token: Option<&'a str>,
    /// The Origin header.
    pub(crate) origin: Option<&'a str>,
    pub(crate) now: WallTime,
}

/// What an admitted viewer may do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Pass {
    /// Which pages may read the multivariant playlist; with `strict` everything else too.
    pub(crate) origins: AllowedOrigins,
    pub(crate) strict_origin: bool,
    pub(crate) maximum: Option<MaximumResolution>,
    pub(crate) viewer: Option<Viewer>,
    /// The token ends with this use; with the time when it expires by itself.
    pub(crate) single_use: Option<(String, WallTime)>,
}

/// Who watches, as the application calls them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Viewer {
    pub(crate) id: String,
    pub(crate) version: i64,
}

/// For an authorized channel.
pub(crate) fn admit_by_token(
    keys: &[PlaybackKey],
    channel_arn: &str,
    request: PlaybackRequest<'_>,
) -> Result<Pass, Refusal> {
    let token = request.token.ok_or(Refusal::TokenMissing)?;
    let claims = verify(token, keys)?;
    if claims.channel_arn != channel_arn {
        return Err(Refusal::OtherChannel);
    }
    claims.check_times(request.now.0.div_euclid(MICROS_PER_SECOND))?;
    let until = WallTime(claims.expires_at.saturating_mul(MICROS_PER_SECOND));
    let viewer_version = claims.viewer_version;
    let pass = Pass {
        origins: claims.origins,
        strict_origin: claims.strict_origin,
        maximum: claims.maximum,
        viewer: claims.viewer_id.map(|id| Viewer {
            id,
            version: viewer_version,
        }),
        single_use: claims.single_use.map(|uuid| (uuid, until)),
    };
    pass.check_origin(request.origin)?;
    Ok(pass)
}

/// For a channel with a restriction policy.
pub(crate) fn admit_by_policy(
    policy: &RestrictionPolicy,
    country: Option<&Country>,
    request: PlaybackRequest<'_>,
) -> Result<Pass, Refusal> {
    let pass = Pass {
        origins: AllowedOrigins::new(policy.allowed_origins.iter().map(String::as_str)),
        strict_origin: policy.strict_origin_enforcement,
        ..Pass::default()
    };
    pass.check_origin(request.origin)?;
    let countries = &policy.allowed_countries;
    if let Some(country) = country
        && !countries.is_empty()
        && !countries
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(country.as_str()))
    {
        return Err(Refusal::CountryNotAllowed(country.as_str().to_owned()));
    }
    Ok(pass)
}

impl Pass {
    /// The rule of the multivariant playlist: a page that tells its origin must be allowed. Players that are not browsers
    /// tell none; only strict enforcement refuses them.
    pub(crate) fn check_origin(&self, origin: Option<&str>) -> Result<(), Refusal> {
        match origin {
            Some(origin) if self.origins.allow(origin) => Ok(()),
            Some(origin) => Err(Refusal::OriginNotAllowed(shortened(origin))),
            None if self.strict_origin && self.origins.is_restricted() => {
                Err(Refusal::OriginMissing)
            }
            None => Ok(()),
        }
    }

    /// The rule of media playlists and segments.
    pub(crate) fn check_later_origin(&self, origin: Option<&str>) -> Result<(), Refusal> {
        if self.strict_origin {
            self.check_origin(origin)
        } else {
            Ok(())
        }
    }

    /// Whether a rendition of `width` x `height` may be shown; upright video has its lines across.
    pub(crate) fn check_resolution(&self, (width, height): (u32, u32)) -> Result<(), Refusal> {
        let lines = width.min(height);
        match self.maximum {
            Some(maximum) if lines > maximum.lines() => Err(Refusal::Resolution {
                maximum: maximum.as_str(),
                allowed: maximum.lines(),
                lines,
            }),
            Some(_) | None => Ok(()),
        }
    }
}

/// Origins come from anybody, the answer stays short.
fn shortened(origin: &str) -> String {
    origin.chars().take(128).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::playback::claims::tests::{ARN, Pair};

    const NOW: WallTime = WallTime(1_000 * MICROS_PER_SECOND);

    fn request(origin: Option<&'static str>) -> PlaybackRequest<'static> {
        PlaybackRequest {
            token: None,
            origin,
            now: NOW,
        }
    }

    fn by_token(more: &serde_json::Value, origin: Option<&str>) -> Result<Pass, Refusal> {
        let pair = Pair::new(1);
        let mut claims = json!({"aws:channel-arn": ARN, "exp": 1_100});
        let more = more.as_object().unwrap().clone();
        claims.as_object_mut().unwrap().extend(more);
        let token = pair.sign(&claims);
        let request = PlaybackRequest {
            token: Some(&token),
            origin,
            now: NOW,
        };
        admit_by_token(&[pair.public], ARN, request)
    }

    fn policy(strict: bool) -> RestrictionPolicy {
        RestrictionPolicy {
            allowed_countries: vec!["SE".to_owned(), "at".to_owned()],
            allowed_origins: vec!["https://*.a.com".to_owned()],
            strict_origin_enforcement: strict,
        }
    }

    #[test]
    fn token_lets_in_for_its_channel_until_it_expires() {
        assert_eq!(by_token(&json!({}), None), Ok(Pass::default()));
        assert_eq!(
            by_token(&json!({"exp": 1_000}), None),
            Err(Refusal::Expired)
        );
        let other = json!({"aws:channel-arn": format!("{ARN}x")});
        assert_eq!(by_token(&other, None), Err(Refusal::OtherChannel));
        let keys = [Pair::new(1).public];
        let without = admit_by_token(&keys, ARN, request(None));
        assert_eq!(without, Err(Refusal::TokenMissing));
    }

    #[test]
    fn viewer_and_single_use_are_passed_on() {
        let pass = by_token(
            &json!({"aws:viewer-id": "v", "aws:single-use-uuid": "u"}),
            None,
        )
        .unwrap();
        let viewer = Viewer {
            id: "v".to_owned(),
            version: 0,
        };
        assert_eq!(pass.viewer, Some(viewer));
        let until = WallTime(1_100 * MICROS_PER_SECOND);
        assert_eq!(pass.single_use, Some(("u".to_owned(), until)));
        let version_alone = by_token(&json!({"aws:viewer-session-version": 3}), None).unwrap();
        assert_eq!(version_alone.viewer, None);
    }

    #[test]
    fn origin_of_a_token_is_checked_once_and_with_strict_enforcement_always() {
        let mut claims = json!({"aws:access-control-allow-origin": "https://a.com"});
        let bad = Some("https://b.com");
        assert!(by_token(&claims, Some("https://a.com")).is_ok());
        assert!(matches!(
            by_token(&claims, bad),
            Err(Refusal::OriginNotAllowed(_))
        ));
        let pass = by_token(&claims, None).unwrap();
        assert_eq!(pass.check_later_origin(bad), Ok(()));
        claims["aws:strict-origin-enforcement"] = json!(true);
        assert_eq!(by_token(&claims, None), Err(Refusal::OriginMissing));
        let pass = by_token(&claims, Some("https://a.com")).unwrap();
        assert!(pass.check_later_origin(bad).is_err());
        assert_eq!(pass.check_later_origin(None), Err(Refusal::OriginMissing));
        assert_eq!(pass.check_later_origin(Some("https://a.com")), Ok(()));
    }

    #[test]
    fn policy_refuses_countries_and_origins_that_it_does_not_name() {
        let sweden = Country::new("se");
        let china = Country::new("CN");
        let good = request(Some("https://x.a.com"));
        assert!(admit_by_policy(&policy(false), Some(&sweden), good).is_ok());
        assert!(admit_by_policy(&policy(false), Some(&Country::new("AT")), good).is_ok());
        assert!(
            admit_by_policy(&policy(false), None, good).is_ok(),
            "unknown location"
        );
        assert_eq!(
            admit_by_policy(&policy(false), Some(&china), good),
            Err(Refusal::CountryNotAllowed("CN".to_owned()))
        );
        let bad = request(Some("https://a.com"));
        assert!(admit_by_policy(&policy(false), None, bad).is_err());
        assert!(admit_by_policy(&policy(false), None, request(None)).is_ok());
        let strict = admit_by_policy(&policy(true), None, request(None));
        assert_eq!(strict, Err(Refusal::OriginMissing));
        let everything = RestrictionPolicy::default();
        assert!(admit_by_policy(&everything, Some(&china), bad).is_ok());
    }

    #[test]
    fn maximum_resolution_counts_lines_of_upright_video_across() {
        let pass = by_token(&json!({"aws:maximum-resolution": "HD"}), None).unwrap();
        assert_eq!(pass.check_resolution((1280, 720)), Ok(()));
        assert_eq!(pass.check_resolution((720, 1280)), Ok(()));
        let refused = pass.check_resolution((1920, 1080)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "claim aws:maximum-resolution: HD allows 720 lines, every rendition of the stream has more: 1080"
        );
        assert_eq!(Pass::default().check_resolution((4096, 2160)), Ok(()));
    }
}
