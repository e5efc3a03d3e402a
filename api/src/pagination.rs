//! Page tokens: opaque to callers, bound to the account, the operation and its filters, signed so that an altered or
//! borrowed one is refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::error::ApiError;

const CURSOR_BYTES: usize = 8;

/// Signs and verifies page tokens; the key lives in the store, so tokens survive a restart.
#[derive(Clone)]
pub struct PageKey([u8; 32]);

impl std::fmt::Debug for PageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PageKey(..)")
    }
}

/// One page's worth of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageRequest {
    /// Only entries with a greater sequence number.
    pub after: i64,
    /// At most this many.
    pub limit: u32,
}

/// A page and whether more remains.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// The sequence number of the last entry, when more remain after it.
    pub more_after: Option<i64>,
}

impl<T> Page<T> {
    /// Cuts `items`, of which one more than `limit` was asked for, down to the page.
    pub fn cut(mut items: Vec<T>, limit: u32, seq: impl Fn(&T) -> i64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let more_after = if more { items.last().map(seq) } else { None };
        Self { items, more_after }
    }

    /// The same page with its entries rendered.
    pub fn map<U>(self, render: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(render).collect(),
            more_after: self.more_after,
        }
    }
}

impl PageKey {
    /// Wraps the key.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// A token that continues after `cursor`. `scope` is everything the next request must repeat.
    pub fn seal(&self, scope: &[&str], cursor: i64) -> String {
        let cursor = cursor.to_be_bytes();
        let mut token = cursor.to_vec();
        token.extend_from_slice(&self.mac(scope, &cursor).finalize().into_bytes());
        URL_SAFE.encode(token)
    }

    /// The cursor inside a token of the same scope.
    pub fn open(&self, scope: &[&str], token: &str) -> Result<i64, ApiError> {
        let refused = || {
            ApiError::validation(
                "`nextToken`: not a token that this list returned with these filters",
            )
        };
        let bytes = URL_SAFE.decode(token).map_err(|_| refused())?;
        let (cursor, mac) = bytes
            .split_first_chunk::<CURSOR_BYTES>()
            .ok_or_else(refused)?;
        self.mac(scope, cursor)
            .verify_slice(mac)
            .map_err(|_| refused())?;
        Ok(i64::from_be_bytes(*cursor))
    }

    fn mac(&self, scope: &[&str], cursor: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes any key length");
        for part in scope {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.update(cursor);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> PageKey {
        PageKey::new([7; 32])
    }

    #[test]
    fn a_token_opens_only_where_it_was_made() {
        let token = key().seal(&["123456789012", "ListStages"], 42);
        assert_eq!(
            key().open(&["123456789012", "ListStages"], &token).unwrap(),
            42
        );
        assert!(
            key()
                .open(&["123456789012", "ListCompositions"], &token)
                .is_err()
        );
        assert!(key().open(&["999999999999", "ListStages"], &token).is_err());
        assert!(key().open(&["123456789012L", "istStages"], &token).is_err());
        assert!(
            PageKey::new([8; 32])
                .open(&["123456789012", "ListStages"], &token)
                .is_err()
        );
    }

    #[test]
    fn every_altered_bit_is_noticed() {
        let scope = ["a", "b"];
        let token = key().seal(&scope, 1);
        let bytes = URL_SAFE.decode(&token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(
                key().open(&scope, &URL_SAFE.encode(altered)).is_err(),
                "bit {bit}"
            );
        }
        assert!(key().open(&scope, "").is_err());
        assert!(key().open(&scope, "!!").is_err());
        assert!(key().open(&scope, &URL_SAFE.encode(&bytes[..20])).is_err());
    }

    #[test]
    fn the_last_page_has_no_successor() {
        let full = Page::cut(vec![1, 2, 3], 2, |n| *n);
        assert_eq!(
            full,
            Page {
                items: vec![1, 2],
                more_after: Some(2)
            }
        );
        assert_eq!(Page::cut(vec![1, 2], 2, |n| *n).more_after, None);
    }
}
