//! How playback URLs are called.

use compositor_core::id::ChannelId;

/// Where playback begins.
pub(crate) const PLAYBACK_PATH: &str = "/api/video/v1";

/// The part of a playback name that is the same for all channels.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    pub(crate) region: String,
}

impl Naming {
    /// Account and channel of `<region>.<account>.channel.<id>.m3u8`, if it is such a name.
    pub(crate) fn channel_of<'a>(&self, file: &'a str) -> Option<(&'a str, ChannelId)> {
        let (account, id) = file
            .strip_suffix(".m3u8")?
            .strip_prefix(&self.region)?
            .strip_prefix('.')?
            .split_once(".channel.")?;
        (!account.is_empty() && !id.is_empty()).then(|| (account, ChannelId::new(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playback_name_leads_to_account_and_channel() {
        let naming = Naming {
            region: "us-east-1".into(),
        };
        let found = naming.channel_of("us-east-1.123456789012.channel.abcdEFGH1234.m3u8");
        assert_eq!(
            found,
            Some(("123456789012", ChannelId::new("abcdEFGH1234")))
        );
        for other in [
            "us-east-1.123456789012.channel..m3u8",
            "us-east-1..channel.x.m3u8",
            "us-west-2.123456789012.channel.x.m3u8",
            "us-east-1.123456789012.channel.x.ts",
        ] {
            assert_eq!(naming.channel_of(other), None, "{other}");
        }
    }
}
