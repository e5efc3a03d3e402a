//! The binary `proscenium`.

use std::process::ExitCode;

use api::cli::{Cli, Command, ServeArgs, SlateArgs};
use api::clock::Clock;
use api::config::{Config, LogFormat};
use api::offline::{self, OfflineArgs};
use api::{doctor, open_files, publish, recover, serve, telemetry};
use clap::Parser;
use compositor::slate::{self, SlateSpec};
use compositor::worker::WorkerError;
use compositor_core::time::FrameRate;

/// The exit status for settings that cannot be used, as for a wrong command line.
const USAGE_ERROR: u8 = 2;

type AnyError = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let clock = Clock::start();
    match Cli::parse().command {
        Command::Compose(OfflineArgs {
            journal: Some(journal),
            job: Some(job),
            out: Some(out),
        }) => {
            telemetry::start_logging("warn", LogFormat::Text);
            finished(offline::run(&journal, &job, &out, clock).map_err(Into::into))
        }
        Command::Compose(_) => worked(compositor::worker::run()),
        Command::Thumbnail => worked(compositor::thumbnail::run()),
        Command::Slate(args) => {
            let SlateArgs {
                width,
                height,
                fps_num: num,
                fps_den: den,
            } = args;
            let fps = FrameRate { num, den };
            let spec = SlateSpec { width, height, fps };
            match slate::write_pictures(spec, &mut std::io::stdout().lock()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(&error),
            }
        }
        Command::Publish(args) => {
            telemetry::start_logging("warn", LogFormat::Text);
            finished(run_async(async { Ok(publish::run(args).await?) }))
        }
        Command::Serve(args) => with_settings(args, |config| {
            open_files::raise_limit();
            run_async(async { Ok(serve::serve(config, clock).await?) })
        }),
        Command::Recover(args) => with_settings(args, |config| {
            run_async(async { Ok(recover::run(&config).await?) })
        }),
        Command::Doctor(args) => with_settings(args.settings, |config| {
            run_async(async {
                let fine = doctor::run(&config, args.bucket.as_deref()).await;
                if fine {
                    Ok(())
                } else {
                    Err("not everything is fine".into())
                }
            })
        }),
    }
}

fn with_settings(args: ServeArgs, run: impl FnOnce(Config) -> Result<(), AnyError>) -> ExitCode {
    match args.settings() {
        Ok(config) => {
            telemetry::start_logging(&config.log, config.log_format);
            finished(run(config))
        }
        Err(error) => {
            failed(&error);
            ExitCode::from(USAGE_ERROR)
        }
    }
}

fn run_async(work: impl Future<Output = Result<(), AnyError>>) -> Result<(), AnyError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

fn worked(outcome: Result<(), WorkerError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn finished(outcome: Result<(), AnyError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    eprintln!("proscenium: {}", telemetry::chain(error));
    ExitCode::FAILURE
}
