//! What a browser needs to be told about an object, by its name.

const KNOWN: [(&str, &str); 8] = [
    (".m3u8", "application/vnd.apple.mpegurl"),
    (".ts", "video/mp2t"),
    (".m4s", "video/iso.segment"),
    (".mp4", "video/mp4"),
    (".json", "application/json"),
    (".jpg", "image/jpeg"),
    (".png", "image/png"),
    (".txt", "text/plain; charset=utf-8"),
];

/// The content type that was stored, unless it says nothing; then the one that belongs to the name.
pub(super) fn content_type(key: &str, stored: Option<String>) -> Option<String> {
    let says_nothing = |stored: &String| {
        matches!(
            stored.as_str(),
            "" | "application/octet-stream" | "binary/octet-stream"
        )
    };
    let stored = stored.filter(|stored| !says_nothing(stored));
    let by_name = || {
        let known = KNOWN.iter().find(|(ending, _)| key.ends_with(ending));
        Some(
            known
                .map_or("binary/octet-stream", |(_, content_type)| content_type)
                .to_owned(),
        )
    };
    stored.or_else(by_name)
}

/// Playlists change under their name; segments never do.
pub(super) fn cache_control(key: &str, stored: Option<String>) -> Option<String> {
    stored.or_else(|| key.ends_with(".m3u8").then(|| "no-cache".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn players_get_the_type_that_belongs_to_the_name() {
        let octets = || Some("application/octet-stream".to_owned());
        let check = |key, expected: &str| {
            assert_eq!(content_type(key, octets()).as_deref(), Some(expected))
        };
        check("a/multivariant.m3u8", "application/vnd.apple.mpegurl");
        check("a/0.ts", "video/mp2t");
        check("recording-started.json", "application/json");
        check("thumb.jpg", "image/jpeg");
        check("other", "binary/octet-stream");
    }

    #[test]
    fn a_stored_type_wins() {
        let stored = Some("text/html".to_owned());
        assert_eq!(content_type("a.ts", stored.clone()), stored);
        assert_eq!(
            cache_control("a.m3u8", Some("max-age=1".to_owned())).as_deref(),
            Some("max-age=1")
        );
        assert_eq!(cache_control("a.ts", None), None);
    }
}
