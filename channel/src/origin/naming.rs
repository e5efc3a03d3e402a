//! How playback URLs are called.

use compositor_core::id::ChannelId;

/// Where playback begins.
pub(crate) const PLAYBACK_PATH: &str = "/api/video/v1";

/// The parts of a playback name that are the same for all channels.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) public_url: String,
}

impl Naming {
    /// `<public>/api/video/v1/<region>.<account>.channel.<id>.m3u8`.
    pub(crate) fn playback_url(&self, channel: &ChannelId) -> String {
        let Self {
            region,
            account,
            public_url,
        } = self;
        format!("{public_url}{PLAYBACK_PATH}/{region}.{account}.channel.{channel}.m3u8")
    }

    /// The channel that a playback name means, if it is one of ours.
    pub(crate) fn channel_of(&self, file: &str) -> Option<ChannelId> {
        let id = file
            .strip_suffix(".m3u8")?
            .strip_prefix(&self.region)?
            .strip_prefix('.')?
            .strip_prefix(&self.account)?
            .strip_prefix(".channel.")?;
        (!id.is_empty()).then(|| ChannelId::new(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playback_name_leads_back_to_its_channel() {
        let naming = Naming {
            region: "us-east-1".into(),
            account: "123456789012".into(),
            public_url: "http://127.0.0.1:8080".into(),
        };
        let channel = ChannelId::new("abcdEFGH1234");
        let url = naming.playback_url(&channel);
        assert_eq!(
            url,
            "http://127.0.0.1:8080/api/video/v1/us-east-1.123456789012.channel.abcdEFGH1234.m3u8"
        );
        let file = url.rsplit('/').next().unwrap();
        assert_eq!(naming.channel_of(file), Some(channel));
        assert_eq!(
            naming.channel_of("us-east-1.123456789012.channel..m3u8"),
            None
        );
        assert_eq!(
            naming.channel_of("us-west-2.123456789012.channel.x.m3u8"),
            None
        );
    }
}
