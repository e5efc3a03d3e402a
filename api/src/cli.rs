//! The command line. Values of settings stay text here: they are parsed together with environment and file, so that all
//! problems are listed at once.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigProblems, Flags, Sources, config_file};
use crate::offline::OfflineArgs;
use crate::publish::PublishArgs;

/// A self-hosted stage compositor that speaks the Amazon IVS API.
#[derive(Debug, Parser)]
#[command(name = "proscenium", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(ServeArgs),
    /// Compose a kept journal into a folder; without options the worker that `serve` spawns, which speaks on the socket
    /// that is its standard input.
    Compose(OfflineArgs),
    /// Encode the failover slate of a channel: what `serve` spawns; it writes to its standard output.
    #[command(hide = true)]
    Slate(SlateArgs),
    /// Make one thumbnail: what `serve` spawns; it speaks on the socket that is its standard input.
    #[command(hide = true)]
    Thumbnail,
    /// Publish a file or a test pattern to a stage.
    Publish(PublishArgs),
    /// Upload what an outage left in the spools; with an external S3 also beside a running server, whose own recordings it
    /// leaves alone.
    Recover(ServeArgs),
    /// Check plugins, ports, disk and S3, and say what to do.
    Doctor(DoctorArgs),
}

/// Settings on the command line; each beats its environment variable, which beats the file.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Configuration file (TOML) [env: PROSCENIUM_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where everything is kept [env: PROSCENIUM_DATA_DIR] [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// API, WHIP, playback and page [env: PROSCENIUM_HTTP] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub http: Option<String>,
    /// RTMP ingest [env: PROSCENIUM_RTMP] [default: 127.0.0.1:1935]
    #[arg(long, value_name = "ADDR")]
    pub rtmp: Option<String>,
    /// Embedded S3 [env: PROSCENIUM_S3] [default: 127.0.0.1:9000]
    #[arg(long, value_name = "ADDR")]
    pub s3: Option<String>,
    /// WebRTC: one UDP port, and TCP on the same number [env: PROSCENIUM_WEBRTC] [default: 127.0.0.1:8189]
    #[arg(long, value_name = "ADDR")]
    pub webrtc: Option<String>,
    /// Base of all URLs handed out [env: PROSCENIUM_PUBLIC_URL] [default: the HTTP address]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
}

/// What a slate must look like.
#[derive(Args, Debug)]
pub struct SlateArgs {
    /// Pixels, even.
    pub width: u16,
    /// Pixels, even.
    pub height: u16,
    /// Frames in `fps_den` seconds.
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub fps_num: u32,
    /// Seconds.
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub fps_den: u32,
}

/// The settings to look at, and what to try with them.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// The settings that `serve` would get.
    #[command(flatten)]
    pub settings: ServeArgs,
    /// A bucket of an external S3 to write to and read from
    #[arg(long)]
    pub bucket: Option<String>,
}

/// Why there is no configuration to run with.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file that was named is not there or is no text.
    #[error("cannot read the configuration file {file}")]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Values that cannot be used.
    #[error(transparent)]
    Problems(#[from] ConfigProblems),
}

impl ServeArgs {
    /// Reads environment and file and resolves them with these flags.
    pub fn settings(self) -> Result<Config, SettingsError> {
        let env: Vec<_> = std::env::vars_os().collect();
        let file = match config_file(self.config, &env) {
            None => None,
            Some(file) => {
                let text = std::fs::read_to_string(&file);
                Some(text.map_err(|source| SettingsError::File { file, source })?)
            }
        };
        let flags = Flags {
            data_dir: self.data_dir,
            http: self.http,
            rtmp: self.rtmp,
            s3: self.s3,
            webrtc: self.webrtc,
            public_url: self.public_url,
        };
        Ok(Config::from_sources(&Sources { flags, env, file })?)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn compose_takes_a_journal_with_job_and_folder_or_nothing() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        parse("proscenium compose").unwrap();
        parse("proscenium compose --journal a --job b --out c").unwrap();
        parse("proscenium compose --journal a --job b").unwrap_err();
        parse("proscenium compose --out c").unwrap_err();
    }

    #[test]
    fn serve_takes_every_documented_flag() {
        let line = "proscenium serve --config a.toml --data-dir d --http a --rtmp b --s3 c --webrtc e --public-url u";
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::Serve(args) = cli.command else {
            panic!("serve")
        };
        assert_eq!(args.config, Some(PathBuf::from("a.toml")));
        assert_eq!(
            (args.http.as_deref(), args.public_url.as_deref()),
            (Some("a"), Some("u"))
        );
    }
}
