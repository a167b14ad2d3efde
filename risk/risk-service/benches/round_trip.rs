//! Round trips of pre-trade checks through the whole service, as a gate makes them: one stream, batches of one and of
//! 256, over TCP loopback and over a Unix socket, idle and while simulations keep the pool busy; and what of it is the
//! decision itself, with three limits and with a whole table of them at four scopes.
//! `cargo bench -p risk-service`.
#![allow(clippy::expect_used, reason = "a benchmark stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use risk_core::pretrade;
use risk_service::config::Config;
use risk_service::proto::calculate_risk_request::Method;
use risk_service::proto::pretrade_event::Event;
use risk_service::proto::pretrade_service_client::PretradeServiceClient;
use risk_service::proto::return_model::{Distribution, Source};
use risk_service::proto::risk_service_client::RiskServiceClient;
use risk_service::proto::{
    AccountOpened, CalculateRiskRequest, CheckRequest, CheckResponse, Decimal, Instrument, InstrumentClass, Matrix,
    MonteCarloMethod, NewOrder, Normal, OrdType, PretradeCheck, PretradeEvent, PretradeSnapshot, ReturnModel,
    RiskLimit, RiskLimits, Side, TimeInForce,
};
use risk_service::server::Server;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};

const WARM_UP: usize = 2_000;
const ROUNDS: usize = 20_000;

#[tokio::main]
async fn main() {
    decide("three limits", vec![three_limits()]);
    decide("whole table", whole_table());
    let socket = std::env::temp_dir().join(format!("aetherion-round-trip-{}.sock", std::process::id()));
    let dotenv = format!("AETHERION_RISK_LISTEN=127.0.0.1:0\nAETHERION_RISK_UNIX_SOCKET={}", socket.display());
    let config = Config::parse([], &dotenv).expect("a configuration");
    let server = Server::bind(&config).await.expect("free addresses");
    let address = server.address().expect("a TCP address");
    let stop = CancellationToken::new();
    let running = tokio::spawn(server.run(stop.clone().cancelled_owned()));
    let tcp = Endpoint::from_shared(format!("http://{address}")).expect("an address").tcp_nodelay(true);
    let tcp = tcp.connect().await.expect("a connection");
    let unix = connect_unix(&socket).await;
    measure("tcp loopback", tcp.clone()).await;
    measure("unix socket", unix.clone()).await;
    let busy = tokio::spawn(simulate_for_ever(RiskServiceClient::new(tcp.clone())));
    measure("tcp, pool busy", tcp).await;
    measure("unix, pool busy", unix).await;
    busy.abort();
    stop.cancel();
    running.await.expect("a server that ends").expect("a clean end");
}

/// The machine alone: each check is timed, the release that ends its hold is not.
fn decide(name: &str, limits: Vec<pretrade::RiskLimit>) {
    let mut machine = pretrade::Machine::new(pretrade::Stamp::default(), state(limits)).expect("a snapshot");
    let mut times = Vec::with_capacity(ROUNDS * 10);
    let mut answers = pretrade::Answers::default();
    for sequence in 1..=(WARM_UP + ROUNDS * 10) as u64 {
        let stamp = pretrade::Stamp { sequence, transact_time_ns: sequence as i64 * 1_000_000 };
        let check = new_check(sequence);
        let start = Instant::now();
        machine.apply(stamp, check, &mut answers).expect("a check");
        times.push(start.elapsed());
        let decision = answers.decisions.pop().expect("a decision");
        assert!(decision.approved(), "{decision:?}");
        machine.apply(stamp, pretrade::Event::Release { order_id: sequence }, &mut answers).expect("a release");
    }
    times.drain(..WARM_UP);
    times.sort_unstable();
    let at = |per_mille: usize| times[times.len() * per_mille / 1000].as_nanos();
    println!("{name:<15} decision:  p50 {:>7} ns  p99 {:>7} ns  p99.9 {:>5} ns", at(500), at(990), at(999));
}

fn new_check(sequence: u64) -> pretrade::Event {
    let order = pretrade::NewOrder {
        cl_ord_id: format!("order-{sequence}"),
        account: "A1".into(),
        strategy_id: "bench".into(),
        instrument_id: "AAPL.XNAS".into(),
        side: Ok(if sequence.is_multiple_of(2) { pretrade::Side::Buy } else { pretrade::Side::Sell }),
        ord_type: Ok(pretrade::OrdType::Limit),
        time_in_force: Ok(pretrade::TimeInForce::Day),
        order_qty: 100,
        price: Some(15_000),
        stop_px: None,
        trailing_amount: 0,
        trailing_bps: 0,
        prevents_self_trade: false,
    };
    let asked = pretrade::Asked { order_id: sequence, order, batch_orders: 1, batch_notional: None };
    pretrade::Event::Check(pretrade::Check { contingency: None, orders: vec![asked], decided: vec![], preview: false })
}

fn state(limits: Vec<pretrade::RiskLimit>) -> pretrade::Snapshot {
    let instrument = pretrade::Instrument::new(pretrade::InstrumentTerms {
        instrument_id: "AAPL.XNAS".into(),
        price_scale: 2,
        qty_scale: 0,
        price_increment: 1,
        qty_increment: 1,
        min_qty: 0,
        max_qty: 0,
        multiplier: number(1),
        allow_negative_price: false,
        quote_currency: "USD".into(),
        expire_time_ns: 0,
        trading_sessions: vec![],
    });
    let model = pretrade::Model {
        version: 1,
        instrument_ids: vec!["AAPL.XNAS".into()],
        covariance: vec![4e-4],
        confidence_bp: 9_900,
        horizon_days: 1,
        degrees_of_freedom: 0.0,
    };
    let cash = pretrade::Money { currency: "USD".into(), attos: 10i128.pow(27) };
    pretrade::Snapshot {
        instruments: vec![instrument.expect("a definition")],
        accounts: vec![pretrade::Account { account: "A1".into(), base_currency: "USD".into() }],
        risk_limits: pretrade::RiskLimits::new(1, limits, 500).expect("limits"),
        marks: vec![(pretrade::Mark { instrument_id: "AAPL.XNAS".into(), mark_px: 15_000 }, 0)],
        cash: vec![pretrade::Cash { account: "A1".into(), cash }],
        model: Some(model),
        ..pretrade::Snapshot::default()
    }
}

fn number(mantissa: i128) -> pretrade::Decimal {
    pretrade::Decimal::new(mantissa, 0).expect("a scale of 0")
}

fn three_limits() -> pretrade::RiskLimit {
    pretrade::RiskLimit {
        max_order_qty: Some(number(1_000)),
        max_order_notional: Some(number(1_000_000)),
        max_position_qty: Some(number(1_000_000_000)),
        ..pretrade::RiskLimit::default()
    }
}

/// Every kind of limit but that of orders a fill, as nothing fills here: at the firm, the account, the strategy in it and the
/// instrument.
fn whole_table() -> Vec<pretrade::RiskLimit> {
    let most = Some(number(1_000_000_000_000));
    let all = pretrade::RiskLimit {
        max_long_qty: most,
        max_short_qty: most,
        static_collar_bps: Some(1_000),
        static_reference_px: Some(number(150)),
        price_collar_bps: Some(500),
        max_mark_age_ms: Some(u32::MAX),
        max_aggressive_ticks: Some(100),
        order_rate_per_s: Some(1_000_000),
        duplicate_count: Some(u32::MAX),
        duplicate_window_ms: Some(100),
        max_open_orders: Some(1_000),
        max_open_notional: most,
        max_gross_notional: most,
        max_net_notional: most,
        max_leverage: Some(number(100)),
        initial_margin_ratio: Some(number(1)),
        max_daily_notional: most,
        max_daily_qty: most,
        max_daily_loss: most,
        max_drawdown: most,
        max_var: most,
        max_adv_share_bps: Some(1_000),
        adv_qty: most,
        max_batch_notional: most,
        max_batch_orders: Some(1_000),
        max_consecutive_rejects: Some(10),
        prevent_self_trade: true,
        ..three_limits()
    };
    let at = |account: &str, strategy_id: &str, instrument_id: &str| pretrade::RiskLimit {
        account: account.into(),
        strategy_id: strategy_id.into(),
        instrument_id: instrument_id.into(),
        ..all.clone()
    };
    vec![all.clone(), at("A1", "", ""), at("A1", "bench", ""), at("", "", "AAPL.XNAS")]
}

async fn connect_unix(socket: &Path) -> Channel {
    let socket = PathBuf::from(socket);
    let connect = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    let endpoint = Endpoint::from_static("http://unix.socket");
    endpoint.connect_with_connector(connect).await.expect("a connection")
}

async fn simulate_for_ever(mut client: RiskServiceClient<Channel>) {
    let model = ReturnModel {
        mean: vec![],
        source: Some(Source::Covariance(Matrix { rows: 1, cols: 1, values: vec![4e-4] })),
        distribution: Some(Distribution::Normal(Normal {})),
    };
    let method = MonteCarloMethod { model: Some(model), n_scenarios: 10_000_000, seed: 1, ..Default::default() };
    let request = CalculateRiskRequest {
        exposures: vec![1e6],
        confidence_bp: vec![9900],
        horizon_days: 1,
        method: Some(Method::MonteCarlo(method)),
        ..Default::default()
    };
    loop {
        client.calculate_risk(request.clone()).await.expect("a simulation");
    }
}

async fn measure(transport: &str, channel: Channel) {
    for batch in [1, 256] {
        let rounds = ROUNDS / if batch > 1 { 10 } else { 1 };
        let mut gate = Gate::open(PretradeServiceClient::new(channel.clone())).await;
        for _ in 0..WARM_UP / batch {
            gate.round_trip(batch).await;
        }
        let mut times = Vec::with_capacity(rounds);
        let start = Instant::now();
        for _ in 0..rounds {
            times.push(gate.round_trip(batch).await);
        }
        let rate = (rounds * batch) as f64 / start.elapsed().as_secs_f64();
        times.sort_unstable();
        let at = |per_mille: usize| times[rounds * per_mille / 1000].as_secs_f64() * 1e6;
        let (p50, p99) = (at(500), at(990));
        println!("{transport:<15} batch {batch:>3}: p50 {p50:>7.1} us  p99 {p99:>7.1} us  {rate:>9.0} checks/s");
    }
}

struct Gate {
    requests: mpsc::Sender<CheckRequest>,
    responses: Streaming<CheckResponse>,
    sequence: u64,
}

impl Gate {
    async fn open(mut client: PretradeServiceClient<Channel>) -> Self {
        let (requests, receiver) = mpsc::channel(16);
        let responses = client.check(ReceiverStream::new(receiver)).await.expect("a stream").into_inner();
        let gate = Self { requests, responses, sequence: 1 };
        gate.send(vec![PretradeEvent {
            sequence: 1,
            transact_time_ns: 0,
            event: Some(Event::Snapshot(snapshot())),
            ..PretradeEvent::default()
        }])
        .await;
        gate
    }

    async fn send(&self, events: Vec<PretradeEvent>) {
        self.requests
            .send(CheckRequest { epoch: 1, events, ..Default::default() })
            .await
            .expect("a stream that is open");
    }

    async fn round_trip(&mut self, batch: usize) -> Duration {
        let events = (0..batch).map(|_| self.next_check()).collect();
        let start = Instant::now();
        self.send(events).await;
        let response = self.responses.message().await.expect("no error").expect("an answer");
        let elapsed = start.elapsed();
        assert_eq!(response.decisions.len(), batch);
        assert!(response.decisions.iter().all(|decision| decision.approved));
        elapsed
    }

    fn next_check(&mut self) -> PretradeEvent {
        self.sequence += 1;
        let new_order = NewOrder {
            cl_ord_id: format!("order-{}", self.sequence),
            account: "A1".into(),
            strategy_id: "bench".into(),
            instrument_id: "AAPL.XNAS".into(),
            side: if self.sequence.is_multiple_of(2) { Side::Buy } else { Side::Sell }.into(),
            ord_type: OrdType::Limit.into(),
            time_in_force: TimeInForce::Day.into(),
            order_qty: 100,
            price: Some(15_000),
            ..NewOrder::default()
        };
        let check = PretradeCheck { order_id: self.sequence, new_order: Some(new_order), ..PretradeCheck::default() };
        PretradeEvent {
            sequence: self.sequence,
            transact_time_ns: 0,
            event: Some(Event::Check(check)),
            ..PretradeEvent::default()
        }
    }
}

fn snapshot() -> PretradeSnapshot {
    let whole = |mantissa| Some(Decimal { mantissa, scale: 0 });
    let limit = RiskLimit {
        max_order_qty: whole(1_000),
        max_order_notional: whole(1_000_000),
        max_position_qty: whole(1_000_000_000),
        ..RiskLimit::default()
    };
    PretradeSnapshot {
        instruments: vec![Instrument {
            instrument_id: "AAPL.XNAS".into(),
            version: 1,
            instrument_class: InstrumentClass::Equity.into(),
            quote_currency: "USD".into(),
            price_scale: 2,
            price_increment: 1,
            qty_increment: 1,
            multiplier: whole(1),
            ..Instrument::default()
        }],
        accounts: vec![AccountOpened { account: "A1".into(), base_currency: "USD".into() }],
        risk_limits: Some(RiskLimits { version: 1, limits: vec![limit], market_order_band_bps: 500 }),
        ..PretradeSnapshot::default()
    }
}
