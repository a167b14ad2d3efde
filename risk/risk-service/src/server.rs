//! Listens, serves, and stops when told to.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server as Transport;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tracing::field::display;

use crate::calculate::Calculate;
use crate::compute::{Pool, note_deadline};
use crate::config::{self, Config};
use crate::pretrade::Pretrade;
use crate::proto::pretrade_service_server::{self, PretradeServiceServer};
use crate::proto::risk_service_server::{self, RiskServiceServer};
use crate::watch::Boards;

/// Each simulation session of the Trading Service has its own stream, on one connection.
const MAX_CONCURRENT_STREAMS: u32 = 1024;
const MAX_HEADER_BYTES: u32 = 8 * 1024;
/// A peer that vanished without a word is noticed within the sum of the two.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Large requests arrive in fewer round trips than with HTTP/2's 64 KiB.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// How long calls may take to end once the service is told to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("{setting}: cannot listen on {address}: {reason}")]
    Listen {
        /// The setting that names the address.
        setting: &'static str,
        /// The address.
        address: String,
        /// Why not.
        reason: String,
    },
    /// The threads that calculate do not start.
    #[error("cannot start the threads that calculate: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// A listener broke.
    #[error("serving failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// A service that listens already and is ready to run.
pub struct Server {
    tcp: Option<(TcpIncoming, SocketAddr)>,
    unix: Option<(UnixListenerStream, SocketFile)>,
    routes: Routes,
    health: HealthReporter,
    shutdown: CancellationToken,
}

impl Server {
    /// Takes the addresses, so that what is wrong with them shows before anything runs.
    pub async fn bind(config: &Config) -> Result<Self, ServeError> {
        let tcp = config.listen.map(bind_tcp).transpose()?;
        let unix = config.unix_socket.as_deref().map(bind_unix).transpose()?;
        let shutdown = CancellationToken::new();
        let (health, health_service) = tonic_health::server::health_reporter();
        report(&health, ServingStatus::Serving).await;
        let routes = routes(config, &shutdown)?.add_service(health_service);
        Ok(Self { tcp, unix, routes, health, shutdown })
    }

    /// The TCP address, with its real port.
    pub fn address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().map(|(_, address)| *address)
    }

    /// Serves until `stop` ends, then lets calls end for a moment. Streams that would not end by themselves are ended.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { tcp, unix, routes, health, shutdown } = self;
        let (tcp, address) = tcp.unzip();
        let (unix, socket_file) = unix.unzip();
        let over_tcp = async {
            let Some(incoming) = tcp else { return Ok(()) };
            transport().add_routes(routes.clone()).serve_with_incoming_shutdown(incoming, shutdown.cancelled()).await
        };
        let over_unix = async {
            let Some(incoming) = unix else { return Ok(()) };
            transport().add_routes(routes.clone()).serve_with_incoming_shutdown(incoming, shutdown.cancelled()).await
        };
        let address = address.map(display);
        let unix_socket = socket_file.as_ref().map(|file| display(file.0.display()));
        tracing::info!(address, unix_socket, "listening");
        let serve = async { tokio::try_join!(over_tcp, over_unix) };
        let drained = async {
            stop.await;
            tracing::info!("stopping");
            report(&health, ServingStatus::NotServing).await;
            shutdown.cancel();
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            served = serve => served.map(|_| ())?,
            () = drained => tracing::warn!("calls were still open after {} s; they are cut", DRAIN.as_secs()),
        }
        tracing::info!("stopped");
        Ok(())
    }
}

fn routes(config: &Config, shutdown: &CancellationToken) -> Result<Routes, ServeError> {
    let (limit, boards) = (config.max_message_bytes, Boards::default());
    let pretrade = PretradeServiceServer::new(Pretrade::new(shutdown.clone(), boards.clone()))
        .max_decoding_message_size(limit)
        .max_encoding_message_size(limit);
    let pool = Pool::new(config.threads, config.max_queue)?;
    let calculate = RiskServiceServer::new(Calculate::new(pool, boards, config.max_watchers))
        .max_decoding_message_size(limit)
        .max_encoding_message_size(limit);
    Ok(Routes::new(pretrade).add_service(InterceptedService::new(calculate, note_deadline)))
}

/// Tells the health service of the whole process and of each service in it.
async fn report(health: &HealthReporter, status: ServingStatus) {
    for service in ["", pretrade_service_server::SERVICE_NAME, risk_service_server::SERVICE_NAME] {
        health.set_service_status(service, status).await;
    }
}

fn transport() -> Transport {
    Transport::builder()
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
}

fn bind_tcp(address: SocketAddr) -> Result<(TcpIncoming, SocketAddr), ServeError> {
    let refuse = |error| listen_error(config::LISTEN, address, error);
    let incoming = TcpIncoming::bind(address).map_err(refuse)?.with_nodelay(Some(true));
    let address = incoming.local_addr().map_err(refuse)?;
    Ok((incoming, address))
}

/// The file of a Unix socket that we made, removed at the end.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Takes a path, also one that a process left behind when it was killed.
fn bind_unix(path: &Path) -> Result<(UnixListenerStream, SocketFile), ServeError> {
    let refuse = |error| listen_error(config::UNIX_SOCKET, path.display(), error);
    let is_left_behind = std::fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket())
        && StdUnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if is_left_behind {
        std::fs::remove_file(path).map_err(refuse)?;
    }
    let listener = UnixListener::bind(path).map_err(refuse)?;
    Ok((UnixListenerStream::new(listener), SocketFile(path.to_path_buf())))
}

fn listen_error(setting: &'static str, address: impl ToString, error: io::Error) -> ServeError {
    ServeError::Listen { setting, address: address.to_string(), reason: error.to_string() }
}
