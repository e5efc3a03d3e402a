//! Which keys the file system can hold without ambiguity, and none that leaves its bucket.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Linux' limit of one file name. The file system backend keeps an object's attributes in a file whose name holds bucket
/// and key in base64, so this bounds the key: about 165 bytes less the length of the bucket name.
const FILE_NAME_BYTES_MAX: usize = 255;
/// What an upload in parts adds to that name: `.upload-` and a UUID.
const UPLOAD_SUFFIX_BYTES: usize = 44;

/// Why a key cannot be stored or read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum KeyProblem {
    /// An empty, `.` or `..` part, a slash at the beginning or a control character.
    Unsafe,
    /// Longer than the file system can name.
    TooLong,
}

/// Checks `key` before it becomes a path.
pub(super) fn check_key(bucket: &str, key: &str, in_parts: bool) -> Result<(), KeyProblem> {
    let parts = key.strip_suffix('/').unwrap_or(key);
    let unsafe_part = |part: &str| matches!(part, "" | "." | "..");
    if parts.split('/').any(unsafe_part) || key.chars().any(char::is_control) {
        return Err(KeyProblem::Unsafe);
    }
    let suffix = if in_parts { UPLOAD_SUFFIX_BYTES } else { 0 };
    if attribute_file(bucket, key, "metadata").len() + suffix > FILE_NAME_BYTES_MAX {
        return Err(KeyProblem::TooLong);
    }
    Ok(())
}

/// The files beside the buckets in which the file system backend keeps an object's attributes.
pub(super) fn attribute_files(root: &Path, bucket: &str, key: &str) -> [PathBuf; 2] {
    ["internal", "metadata"].map(|kind| root.join(attribute_file(bucket, key, kind)))
}

fn attribute_file(bucket: &str, key: &str, kind: &str) -> String {
    let [bucket, key] = [bucket, key].map(|text| URL_SAFE_NO_PAD.encode(text));
    format!(".bucket-{bucket}.object-{key}.{kind}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_recordings_are_fine_even_in_the_longest_bucket_name() {
        let key = "StAgE0000001/CoMpOsItIoN1/DeStInAtIoN2/composite/media/hls/1080p60-abcdeABCDE12/playlist.m3u8";
        assert_eq!(check_key(&"b".repeat(63), key, false), Ok(()));
    }

    #[test]
    fn keys_that_could_leave_the_bucket_or_name_another_object_are_refused() {
        for key in [
            "../x", "a/../b", "a/..", "/a", "a//b", "./a", "a/.", "", "/", "a//", "a\0b", "a\nb",
        ] {
            assert_eq!(
                check_key("bucket", key, false),
                Err(KeyProblem::Unsafe),
                "{key:?}"
            );
        }
        for key in [
            "a",
            "a/b",
            "a/",
            "..a",
            "a..",
            "...",
            ".hidden/x",
            "ü/é",
            "a b+c%2F",
        ] {
            assert_eq!(check_key("bucket", key, false), Ok(()), "{key:?}");
        }
    }

    #[test]
    fn a_key_is_too_long_when_its_attribute_file_has_no_name() {
        assert_eq!(check_key("bucket", &"k".repeat(162), false), Ok(()));
        assert_eq!(
            check_key("bucket", &"k".repeat(163), false),
            Err(KeyProblem::TooLong)
        );
        assert_eq!(
            check_key("bucket", &"k".repeat(150), true),
            Err(KeyProblem::TooLong)
        );
    }
}
