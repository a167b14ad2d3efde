//! A running service, a gate's stream, and short words for what goes over it.

use risk_service::config::Config;
use risk_service::proto::pretrade_event::Event;
use risk_service::proto::pretrade_service_client::PretradeServiceClient;
use risk_service::proto::{
    AccountOpened, CheckRequest, CheckResponse, Decimal, Instrument, InstrumentClass, NewOrder, OrdType, PretradeCheck,
    PretradeEvent, PretradeSnapshot, RiskLimit, RiskLimits, Side, TimeInForce,
};
use risk_service::server::{ServeError, Server};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Uri};
use tonic::{Status, Streaming};

/// A service on a free port, stopped when dropped.
pub struct Running {
    pub channel: Channel,
    pub origin: Uri,
    stop: CancellationToken,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    /// Starts one with these lines of `.env`.
    pub async fn start(dotenv: &str) -> Self {
        let config = Config::parse([], &format!("AETHERION_RISK_LISTEN=127.0.0.1:0\n{dotenv}")).unwrap();
        let server = Server::bind(&config).await.unwrap();
        let origin: Uri = format!("http://{}", server.address().unwrap()).parse().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(server.run(stop.clone().cancelled_owned()));
        let channel = Channel::builder(origin.clone()).connect().await.unwrap();
        Self { channel, origin, stop, task }
    }

    /// Tells it to stop, and waits until it has.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// The gate's end of one stream.
pub struct Gate {
    requests: mpsc::Sender<CheckRequest>,
    responses: Streaming<CheckResponse>,
}

impl Gate {
    pub async fn open(channel: &Channel) -> Self {
        let (requests, receiver) = mpsc::channel(16);
        let mut client = PretradeServiceClient::new(channel.clone());
        let responses = client.check(ReceiverStream::new(receiver)).await.unwrap().into_inner();
        Self { requests, responses }
    }

    /// A stream whose state is `snapshot`, at sequence 1 of epoch 1.
    pub async fn with(channel: &Channel, snapshot: PretradeSnapshot) -> Self {
        let gate = Self::open(channel).await;
        gate.send(1, vec![event(1, Event::Snapshot(snapshot))]).await;
        gate
    }

    pub async fn send(&self, epoch: u64, events: Vec<PretradeEvent>) {
        self.send_all(CheckRequest { epoch, events, ..Default::default() }).await;
    }

    pub async fn send_all(&self, request: CheckRequest) {
        self.requests.send(request).await.unwrap();
    }

    pub async fn response(&mut self) -> Result<CheckResponse, Status> {
        Ok(self.responses.message().await?.expect("an answer before the end"))
    }

    /// The status that one event of epoch 1 ends the stream with.
    pub async fn refusal(mut self, event: PretradeEvent) -> Status {
        self.send(1, vec![event]).await;
        self.response().await.expect_err("an event that is refused")
    }

    /// Ends our half; true when the service then ends its own without an error.
    pub async fn close(self) -> bool {
        let Self { requests, mut responses } = self;
        drop(requests);
        responses.message().await.unwrap().is_none()
    }
}

pub fn event(sequence: u64, event: Event) -> PretradeEvent {
    PretradeEvent { sequence, transact_time_ns: 0, event: Some(event), ..PretradeEvent::default() }
}

/// Asks about an order whose id is its sequence.
pub fn check(sequence: u64, new_order: NewOrder) -> PretradeEvent {
    event(
        sequence,
        Event::Check(PretradeCheck { order_id: sequence, new_order: Some(new_order), ..PretradeCheck::default() }),
    )
}

pub fn buy(order_qty: i64) -> NewOrder {
    NewOrder {
        cl_ord_id: "o-1".into(),
        account: "A1".into(),
        strategy_id: String::new(),
        instrument_id: "AAPL.XNAS".into(),
        side: Side::Buy.into(),
        ord_type: OrdType::Limit.into(),
        time_in_force: TimeInForce::Day.into(),
        order_qty,
        price: Some(15_000),
        ..NewOrder::default()
    }
}

pub fn market_buy(order_qty: i64) -> NewOrder {
    NewOrder { ord_type: OrdType::Market.into(), price: None, ..buy(order_qty) }
}

pub fn decimal(mantissa: i64, scale: u32) -> Decimal {
    Decimal { mantissa, scale }
}

/// One account, one share priced in cents, positions of at most `max_position_qty`.
pub fn snapshot(max_position_qty: i64) -> PretradeSnapshot {
    let limit = RiskLimit { max_position_qty: Some(decimal(max_position_qty, 0)), ..RiskLimit::default() };
    PretradeSnapshot {
        instruments: vec![Instrument {
            instrument_id: "AAPL.XNAS".into(),
            version: 1,
            instrument_class: InstrumentClass::Equity.into(),
            base_currency: "AAPL".into(),
            quote_currency: "USD".into(),
            price_scale: 2,
            price_increment: 1,
            qty_increment: 1,
            multiplier: Some(decimal(1, 0)),
            ..Instrument::default()
        }],
        accounts: vec![AccountOpened { account: "A1".into(), base_currency: "USD".into() }],
        risk_limits: Some(RiskLimits { version: 1, limits: vec![limit], market_order_band_bps: 500 }),
        ..PretradeSnapshot::default()
    }
}
