//! `aetherion-risk`: reads its configuration, serves, stops on SIGINT or SIGTERM.

use std::io::IsTerminal;
use std::process::ExitCode;

use risk_service::config::Config;
use risk_service::server::{ServeError, Server};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

const BAD_CONFIGURATION: u8 = 2;

fn main() -> ExitCode {
    let config = match Config::load() {
        Ok(config) => config,
        Err(error) => return fail(BAD_CONFIGURATION, error),
    };
    log_to_stderr(config.log_level);
    match serve(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, error),
    }
}

#[tokio::main]
async fn serve(config: &Config) -> Result<(), Box<dyn std::error::Error>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let server = Server::bind(config).await?;
    server.run(either(&mut interrupt, &mut terminate)).await.map_err(ServeError::into)
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

fn fail(code: u8, error: impl std::fmt::Display) -> ExitCode {
    eprintln!("aetherion-risk: {error}");
    ExitCode::from(code)
}

/// Our own events from `level` up, of the libraries below us only warnings. A panic is an event too.
fn log_to_stderr(level: LevelFilter) {
    let ours = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("risk_service", level);
    let to_stderr =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    tracing_subscriber::registry().with(to_stderr).with(ours).init();
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(target: "risk_service", location, "panic: {}", panic.payload_as_str().unwrap_or("no text"));
    }));
}
