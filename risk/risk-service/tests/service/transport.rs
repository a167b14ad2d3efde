//! Limits of messages, health, the Unix socket, and the end.

use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::PathBuf;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use risk_service::config::Config;
use risk_service::server::Server;
use tokio::net::UnixStream;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::fixture::{Gate, Running, buy, check, snapshot};

#[tokio::test]
async fn a_message_beyond_the_limit_is_refused_by_its_size() {
    let service = Running::start("AETHERION_RISK_MAX_MESSAGE_BYTES=65536").await;
    let mut order = buy(1);
    order.strategy_id = "s".repeat(65_536);
    let status = Gate::with(&service.channel, snapshot(100)).await.refusal(check(2, order)).await;
    assert_eq!(status.code(), Code::OutOfRange);
    assert!(status.message().contains("65536"), "{}", status.message());
}

#[tokio::test]
async fn every_service_is_healthy() {
    let service = Running::start("").await;
    let mut health = HealthClient::new(service.channel.clone());
    for name in ["", "aetherion.v1.PretradeService", "aetherion.v1.RiskService"] {
        let request = HealthCheckRequest { service: name.into() };
        assert_eq!(health.check(request).await.unwrap().into_inner().status, 1, "{name:?} is serving");
    }
    let request = HealthCheckRequest { service: "aetherion.v1.Nothing".into() };
    assert_eq!(health.check(request).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn stopping_ends_open_streams_and_the_service() {
    let service = Running::start("").await;
    let mut gate = Gate::with(&service.channel, snapshot(100)).await;
    gate.send(1, vec![check(2, buy(1))]).await;
    gate.response().await.unwrap();
    let (status, stopped) = tokio::join!(gate.response(), tokio::time::timeout(Duration::from_secs(3), service.stop()));
    assert!(stopped.is_ok(), "stopped before calls had to be cut");
    let status = status.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the Risk Service is shutting down"));
}

#[tokio::test]
async fn a_unix_socket_is_served_also_where_a_killed_process_left_its_file() {
    let path = std::env::temp_dir().join(format!("aetherion-risk-test-{}.sock", std::process::id()));
    drop(StdUnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a listener leaves its file behind");
    let service = Running::start(&format!("AETHERION_RISK_UNIX_SOCKET={}", path.display())).await;
    let mut gate = Gate::with(&connect(path.clone()).await, snapshot(100)).await;
    gate.send(1, vec![check(2, buy(1))]).await;
    assert!(gate.response().await.unwrap().decisions[0].approved);

    let config =
        Config::parse([], &format!("AETHERION_RISK_LISTEN=127.0.0.1:0\nAETHERION_RISK_UNIX_SOCKET={}", path.display()));
    let refused = Server::bind(&config.unwrap()).await.map(|_| ()).unwrap_err().to_string();
    assert!(refused.starts_with("AETHERION_RISK_UNIX_SOCKET: cannot listen on "), "{refused}");
    assert!(refused.contains("in use"), "a socket that is served is not taken: {refused}");
    drop(gate);
    service.stop().await;
    assert!(!path.exists(), "the file goes with the service");
}

async fn connect(path: PathBuf) -> Channel {
    let connect = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://unix.socket").connect_with_connector(connect).await.unwrap()
}
