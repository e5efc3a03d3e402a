//! Playback tokens: as they are, and as the claims of one that is signed as it should be.

use ::fuzz::fuzz;
use compositor_core::time::WallTime;

use super::claims::tests::{ARN, Pair};
use super::{PlaybackRequest, admit_by_token};

/// When the tokens of the corpus are good.
const NOW: WallTime = WallTime(1_800_000_000_000_000);

fn admit(pair: &Pair, input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut tokens = vec![text.to_string()];
    if let Ok(claims) = serde_json::from_slice(input) {
        tokens.push(pair.sign(&claims));
    }
    for token in &tokens {
        for origin in [None, Some("https://a.example"), Some("null")] {
            let request = PlaybackRequest {
                token: Some(token),
                origin,
                now: NOW,
            };
            let keys = [pair.public.clone()];
            if admit_by_token(&keys, ARN, request).is_ok() {
                assert_ne!(
                    token, &text,
                    "nobody but the owner of the key makes a token"
                );
            }
        }
    }
}

#[test]
fn playback_tokens_are_refused_or_good() {
    let pair = Pair::new(7);
    fuzz("corpus/token", 500, move |input| admit(&pair, input));
}
