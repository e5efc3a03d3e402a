//! The options of `proscenium publish`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use compositor::source::{LayerSpec, PatternSpec, Picture, SourceCodec, SourceSpec, VideoSpec};

/// Publishes a file, or a test pattern with a flash and a beep each second.
#[derive(Args, Debug)]
pub struct PublishArgs {
    /// The WHIP endpoint, as in `stage.endpoints.whip`; plain HTTP.
    #[arg(long, value_name = "URL")]
    pub whip: String,
    /// A participant token that allows publishing.
    #[arg(long, env = "PROSCENIUM_TOKEN", hide_env_values = true)]
    pub token: String,
    /// A media file instead of the test pattern; publishing ends where it ends.
    #[arg(long)]
    pub file: Option<PathBuf>,
    /// How the picture is coded.
    #[arg(long, value_enum, default_value_t = CodecArg::H264)]
    pub codec: CodecArg,
    /// Picture size.
    #[arg(long, default_value = "1280x720", value_name = "WxH")]
    pub size: String,
    /// Frames per second, 1 to 60.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub fps: u32,
    /// Bits per second of the full picture.
    #[arg(long, default_value_t = 1_500_000, value_parser = clap::value_parser!(u32).range(50_000..=8_500_000))]
    pub bitrate: u32,
    /// Send a quarter and a half size layer as well (rids q, h, f).
    #[arg(long)]
    pub simulcast: bool,
    /// Send sound only.
    #[arg(long)]
    pub no_video: bool,
    /// Send the picture only.
    #[arg(long)]
    pub no_audio: bool,
    /// The name burnt into the test pattern.
    #[arg(long, default_value = "Proscenium")]
    pub name: String,
    /// The test pattern's background.
    #[arg(long, default_value = "2a6fb0", value_name = "RRGGBB")]
    pub color: String,
    /// The test pattern's tone, Hz.
    #[arg(long, default_value_t = 440, value_parser = clap::value_parser!(u32).range(50..=8000))]
    pub tone: u32,
    /// Stop after this long.
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
}

/// Names of the codecs on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CodecArg {
    /// H.264, constrained baseline.
    H264,
    /// VP8.
    Vp8,
}

impl PublishArgs {
    /// The media that the options describe; the error names the option, its value and the rule.
    pub(super) fn source_spec(&self) -> Result<SourceSpec, String> {
        if self.no_video && self.no_audio {
            return Err("--no-video and --no-audio leave nothing to publish".to_owned());
        }
        let (width, height) = parse_size(&self.size)?;
        let color = parse_color(&self.color)?;
        let layer = |rid: &str, divisor: u16, bitrate| LayerSpec {
            rid: rid.to_owned(),
            width: (width / divisor) & !1,
            height: (height / divisor) & !1,
            bitrate,
        };
        let layers = if self.simulcast {
            vec![
                layer("q", 4, self.bitrate / 10),
                layer("h", 2, self.bitrate / 3),
                layer("f", 1, self.bitrate),
            ]
        } else {
            vec![layer("", 1, self.bitrate)]
        };
        let codec = match self.codec {
            CodecArg::H264 => SourceCodec::H264,
            CodecArg::Vp8 => SourceCodec::Vp8,
        };
        let picture = match &self.file {
            Some(file) => Picture::File(file.clone()),
            None => Picture::Pattern(PatternSpec {
                name: self.name.clone(),
                color,
                tone_hz: self.tone,
            }),
        };
        let video = (!self.no_video).then_some(VideoSpec {
            codec,
            fps: self.fps,
            layers,
        });
        Ok(SourceSpec {
            picture,
            video,
            audio: !self.no_audio,
        })
    }
}

fn parse_size(text: &str) -> Result<(u16, u16), String> {
    let rule = || format!("--size {text}: two even numbers from 64 to 1920 such as 1280x720");
    let (width, height) = text.split_once('x').ok_or_else(rule)?;
    let side = |side: &str| {
        side.parse()
            .ok()
            .filter(|s| (64..=1920).contains(s) && s % 2 == 0)
    };
    Ok((
        side(width).ok_or_else(rule)?,
        side(height).ok_or_else(rule)?,
    ))
}

fn parse_color(text: &str) -> Result<[u8; 3], String> {
    let rule = || format!("--color {text}: six hexadecimal digits such as 2a6fb0");
    let mut color = [0; 3];
    hex::decode_to_slice(text, &mut color).map_err(|_| rule())?;
    Ok(color)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_colors_name_their_rule() {
        assert_eq!(parse_size("640x360"), Ok((640, 360)));
        assert!(parse_size("641x360").unwrap_err().contains("641x360"));
        assert!(parse_size("640").is_err());
        assert_eq!(parse_color("ff8000"), Ok([255, 128, 0]));
        assert!(parse_color("red").unwrap_err().contains("red"));
    }
}
