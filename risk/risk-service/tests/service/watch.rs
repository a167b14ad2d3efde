//! `RiskService.StreamRisk`: the portfolio of a pre-trade session, as it changes.

use std::time::{Duration, Instant};

use risk_service::proto::pretrade_event::Event;
use risk_service::proto::risk_service_client::RiskServiceClient;
use risk_service::proto::{
    CheckRequest, CurrencyRate, FxRate, FxRates, Mark, OptionTerms, OptionType, PretradeAdjust, PretradeFill,
    PretradeSnapshot, Shock, Side, StreamRiskRequest, StreamRiskResponse, StressScenario,
};
use tonic::{Code, Request, Status, Streaming};

use crate::calculate::{calculate, matrix, normal, parametric, request};
use crate::fixture::{Gate, Running, buy, check, event, snapshot};

const YEAR_NS: i64 = 365 * 86_400 * 1_000_000_000;

/// Two shares and a call on the first of them.
fn market() -> PretradeSnapshot {
    let mut market = snapshot(1_000_000);
    for id in ["MSFT.XNAS", "AAPL260116C150.XNAS"] {
        let mut listed = market.instruments[0].clone();
        listed.instrument_id = id.into();
        market.instruments.push(listed);
    }
    market
}

fn watched() -> StreamRiskRequest {
    let shock = Shock { spot: -0.1, ..Shock::default() };
    StreamRiskRequest {
        session_id: "live".into(),
        account: String::new(),
        confidence_bp: vec![9900],
        min_interval_ms: 10,
        factors: vec!["AAPL.XNAS".into(), "MSFT.XNAS".into()],
        model: Some(normal(matrix(2, 2, &[4e-4, 1e-4, 1e-4, 9e-4]))),
        options: vec![OptionTerms {
            instrument_id: "AAPL260116C150.XNAS".into(),
            underlying: "AAPL.XNAS".into(),
            option_type: OptionType::Call.into(),
            strike: 150.0,
            expire_time_ns: YEAR_NS / 2,
            rate: 0.02,
            dividend_yield: 0.0,
            volatility: 0.3,
        }],
        base_currency: String::new(),
        currency_rates: Vec::new(),
        scenarios: vec![StressScenario { name: "crash".into(), shocks: vec![shock] }],
    }
}

async fn open(service: &Running, snapshot: PretradeSnapshot) -> Gate {
    let gate = Gate::open(&service.channel).await;
    let events = vec![event(1, Event::Snapshot(snapshot))];
    gate.send_all(CheckRequest { epoch: 1, events, session_id: "live".into() }).await;
    gate
}

async fn watch(service: &Running, request: StreamRiskRequest) -> Result<Streaming<StreamRiskResponse>, Status> {
    let started = Instant::now();
    loop {
        let mut client = RiskServiceClient::new(service.channel.clone());
        match client.stream_risk(request.clone()).await {
            Ok(stream) => return Ok(stream.into_inner()),
            // The snapshot is on its way.
            Err(status) if status.code() == Code::NotFound && started.elapsed() < Duration::from_secs(1) => {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Err(status) => return Err(status),
        }
    }
}

/// The first report after this sequence or later.
async fn report(reports: &mut Streaming<StreamRiskResponse>, sequence: u64) -> StreamRiskResponse {
    loop {
        let report = reports.message().await.unwrap().unwrap();
        if report.sequence >= sequence {
            return report;
        }
    }
}

fn mark(sequence: u64, id: &str, mark_px: i64) -> risk_service::proto::PretradeEvent {
    event(sequence, Event::Mark(Mark { instrument_id: id.into(), mark_px }))
}

fn fill(sequence: u64, id: &str, side: Side, last_qty: i64) -> risk_service::proto::PretradeEvent {
    event(
        sequence,
        Event::Fill(PretradeFill {
            order_id: sequence,
            account: "A1".into(),
            instrument_id: id.into(),
            side: side.into(),
            last_qty,
            last_px: 15_000,
            ..PretradeFill::default()
        }),
    )
}

#[tokio::test]
async fn the_figures_follow_the_portfolio() {
    let service = Running::start("").await;
    let gate = open(&service, market()).await;
    let mut reports = watch(&service, watched()).await.unwrap();
    let empty = report(&mut reports, 1).await;
    assert_eq!((empty.figures[0].var, empty.positions.len(), empty.sigma_1d), (0.0, 0, 0.0));

    gate.send(1, vec![mark(2, "AAPL.XNAS", 15_000), mark(3, "MSFT.XNAS", 30_000)]).await;
    gate.send(1, vec![fill(4, "AAPL.XNAS", Side::Buy, 100), fill(5, "MSFT.XNAS", Side::Sell, 40)]).await;
    let shares = report(&mut reports, 5).await;
    let asked = request(&[15_000.0, -12_000.0], parametric(normal(matrix(2, 2, &[4e-4, 1e-4, 1e-4, 9e-4]))));
    let expected = calculate(&service.channel, asked).await.unwrap().figures[0].clone();
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
    assert!(close(shares.figures[0].var, expected.var) && close(shares.figures[0].es, expected.es), "{shares:?}");
    assert_eq!((shares.gross_notional, shares.net_notional), (27_000.0, 3_000.0));
    for (position, component) in shares.positions.iter().zip(&expected.component_var) {
        assert!(close(position.component_var, *component), "{position:?} {component}");
    }
    assert!(close(shares.stress[0].pnl, -300.0), "{:?}", shares.stress);

    gate.send(1, vec![fill(6, "AAPL260116C150.XNAS", Side::Sell, 50)]).await;
    let with_call = report(&mut reports, 6).await;
    let call = with_call.positions.iter().find(|it| it.instrument_id == "AAPL260116C150.XNAS").unwrap();
    let greeks = call.greeks.unwrap();
    // 50 calls at the money for half a year: delta 0.55 or so, and a price of some 13.3.
    assert!((-32.0..-26.0).contains(&greeks.delta) && greeks.gamma < 0.0 && greeks.theta > 0.0, "{greeks:?}");
    assert!((12.0..15.0).contains(&call.price) && close(call.exposure, greeks.delta * 150.0), "{call:?}");
    assert!(with_call.figures[0].var < shares.figures[0].var, "a short call hedges");
    let parts: f64 = with_call.positions.iter().map(|it| it.component_var).sum();
    assert!(close(parts, with_call.figures[0].var));
}

#[tokio::test]
async fn what_the_model_does_not_know_is_named() {
    let service = Running::start("").await;
    let gate = open(&service, market()).await;
    let mut asked = watched();
    asked.factors.truncate(1);
    asked.model = Some(normal(matrix(1, 1, &[4e-4])));
    let mut reports = watch(&service, asked).await.unwrap();
    let adjust = |sequence, id: &str, qty| {
        event(
            sequence,
            Event::Adjust(PretradeAdjust {
                account: "A1".into(),
                instrument_id: id.into(),
                qty,
                ..PretradeAdjust::default()
            }),
        )
    };
    gate.send(1, vec![adjust(2, "MSFT.XNAS", 5), adjust(3, "AAPL.XNAS", 7)]).await;
    let unknown = report(&mut reports, 3).await;
    assert_eq!(unknown.left_out, ["AAPL.XNAS", "MSFT.XNAS"], "one without a mark, one without a factor");
    gate.send(1, vec![adjust(4, "MSFT.XNAS", -5), mark(5, "AAPL.XNAS", 10_000)]).await;
    let known = report(&mut reports, 5).await;
    assert!(known.left_out.is_empty() && known.net_notional == 700.0, "{known:?}");
}

#[tokio::test]
async fn accounts_are_watched_apart_or_together() {
    let service = Running::start("").await;
    let mut market = market();
    market.accounts.push(risk_service::proto::AccountOpened { account: "A2".into(), base_currency: "USD".into() });
    let gate = open(&service, market).await;
    let mut of_a1 = watch(&service, StreamRiskRequest { account: "A1".into(), ..watched() }).await.unwrap();
    let mut of_all = watch(&service, watched()).await.unwrap();
    let adjust = |sequence, account: &str, qty| {
        let adjust = PretradeAdjust {
            account: account.into(),
            instrument_id: "AAPL.XNAS".into(),
            qty,
            ..PretradeAdjust::default()
        };
        event(sequence, Event::Adjust(adjust))
    };
    gate.send(1, vec![mark(2, "AAPL.XNAS", 10_000), adjust(3, "A1", 10), adjust(4, "A2", -4)]).await;
    assert_eq!(report(&mut of_a1, 4).await.net_notional, 1_000.0);
    assert_eq!(report(&mut of_all, 4).await.net_notional, 600.0);
}

#[tokio::test]
async fn a_slow_reader_gets_the_newest_state_at_the_rate_it_asked_for() {
    let service = Running::start("").await;
    let gate = open(&service, market()).await;
    let asked = StreamRiskRequest { min_interval_ms: 50, ..watched() };
    let mut reports = watch(&service, asked).await.unwrap();
    report(&mut reports, 1).await;
    for sequence in 2..2_002 {
        gate.send(1, vec![mark(sequence, "AAPL.XNAS", 10_000 + sequence as i64)]).await;
    }
    let started = Instant::now();
    let mut count = 1;
    while report(&mut reports, 0).await.sequence < 2_001 {
        count += 1;
    }
    let most = 3 + started.elapsed().as_millis() / 50;
    assert!(count as u128 <= most, "{count} reports in {:?}", started.elapsed());
    // Checks change nothing that is shown.
    let mut gate = gate;
    gate.send(1, vec![check(3_000, buy(1))]).await;
    gate.response().await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(150), reports.message()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

#[tokio::test]
async fn a_watch_ends_with_its_session_and_with_its_deadline() {
    let service = Running::start("").await;
    let gate = open(&service, market()).await;
    let mut reports = watch(&service, watched()).await.unwrap();
    report(&mut reports, 1).await;
    assert!(gate.close().await);
    let end = reports.message().await.unwrap_err();
    assert_eq!((end.code(), end.message()), (Code::Unavailable, "stream_risk: the session has ended"));
    let mut client = RiskServiceClient::new(service.channel.clone());
    let gone = client.stream_risk(watched()).await.unwrap_err();
    let text = "stream_risk: session_id must name a session that goes on, got \"live\"";
    assert_eq!((gone.code(), gone.message()), (Code::NotFound, text));
}

#[tokio::test]
async fn what_is_wrong_with_a_watch_is_named() {
    let service = Running::start("").await;
    let _gate = open(&service, market()).await;
    watch(&service, watched()).await.unwrap();
    let expect = async |change: fn(&mut StreamRiskRequest), expected: &str| {
        let mut request = watched();
        change(&mut request);
        let mut client = RiskServiceClient::new(service.channel.clone());
        let status = client.stream_risk(Request::new(request)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, expected));
    };
    expect(|it| it.factors.clear(), "stream_risk: factors must be 1 to 4000, got 0").await;
    expect(|it| it.factors[1] = "AAPL.XNAS".into(), "stream_risk: factors must name each factor once, got AAPL.XNAS")
        .await;
    expect(|it| it.min_interval_ms = 5, "stream_risk: min_interval_ms must be 0 or at least 10, got 5").await;
    expect(|it| it.model = None, "stream_risk: model must be set, got nothing").await;
    let of = "of option \"AAPL260116C150.XNAS\"";
    let rule = format!("stream_risk: underlying {of} must be one of the factors, got \"IBM\"");
    expect(|it| it.options[0].underlying = "IBM".into(), &rule).await;
    expect(
        |it| it.options[0].strike = -1.0,
        "bsm: strike of option \"AAPL260116C150.XNAS\" must be finite and positive, got -1",
    )
    .await;
    let euro =
        |it: &mut StreamRiskRequest| it.currency_rates = vec![CurrencyRate { currency: "EUR".into(), rate: -1.0 }];
    expect(euro, "stream_risk: base_currency, which currency_rates are in, must be set, got nothing").await;
    expect(
        |it| {
            it.base_currency = "USD".into();
            it.currency_rates = vec![CurrencyRate { currency: "EUR".into(), rate: -1.0 }];
        },
        "stream_risk: rate of \"EUR\" must be positive, got -1",
    )
    .await;
    let rule = "stream_risk: underlying must be one of the factors, got \"IBM\"";
    expect(|it| it.scenarios[0].shocks[0].underlying = "IBM".into(), rule).await;
}

#[tokio::test]
async fn the_quantity_of_a_contract_is_not_multiplied() {
    let service = Running::start("").await;
    let mut market = market();
    market.instruments[0].multiplier = Some(crate::fixture::decimal(50, 0));
    let gate = open(&service, market).await;
    let mut reports = watch(&service, watched()).await.unwrap();
    gate.send(1, vec![mark(2, "AAPL.XNAS", 15_000), fill(3, "AAPL.XNAS", Side::Buy, 2)]).await;
    let held = report(&mut reports, 3).await.positions[0].clone();
    assert_eq!((held.qty, held.price, held.notional, held.exposure), (2.0, 150.0, 15_000.0, 15_000.0));
}

#[tokio::test]
async fn what_is_left_out_is_not_in_the_figures() {
    let service = Running::start("").await;
    let mut market = market();
    market.instruments.iter_mut().for_each(|it| it.allow_negative_price = true);
    let gate = open(&service, market).await;
    let mut reports = watch(&service, watched()).await.unwrap();
    let held = vec![mark(2, "AAPL.XNAS", 15_000), mark(3, "MSFT.XNAS", 30_000), fill(4, "AAPL.XNAS", Side::Buy, 10)];
    gate.send(1, held).await;
    report(&mut reports, 4).await;
    gate.send(1, vec![mark(5, "AAPL.XNAS", 0), mark(6, "MSFT.XNAS", -1)]).await;
    let fallen = report(&mut reports, 6).await;
    assert_eq!(fallen.left_out, ["AAPL.XNAS"], "MSFT is not held");
    assert_eq!((fallen.figures[0].var, fallen.gross_notional, fallen.positions.len()), (0.0, 0.0, 0), "{fallen:?}");
}

#[tokio::test]
async fn one_watcher_more_than_allowed_is_refused_and_a_place_comes_back() {
    let service = Running::start("AETHERION_RISK_MAX_WATCHERS=1").await;
    let gate = open(&service, market()).await;
    let mut first = watch(&service, watched()).await.unwrap();
    report(&mut first, 1).await;
    let refused = watch(&service, watched()).await.unwrap_err();
    let text =
        "stream_risk: 1 streams watch portfolios, which is the most allowed by AETHERION_RISK_MAX_WATCHERS; try again";
    assert_eq!((refused.code(), refused.message()), (Code::ResourceExhausted, text));
    drop(first);
    let started = Instant::now();
    loop {
        match watch(&service, watched()).await {
            Ok(_) => break,
            // The service is about to see that the reader is gone.
            Err(status) => assert_eq!(status.code(), Code::ResourceExhausted),
        }
        assert!(started.elapsed() < Duration::from_secs(5), "the place is not given back");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(gate);
}

/// MSFT is quoted in euros, and both are held: 15,000 dollars long and 12,000 euros short.
async fn two_currencies(service: &Running, fx_rates: Option<FxRates>) -> Gate {
    let mut market = PretradeSnapshot { fx_rates, ..market() };
    market.instruments[1].quote_currency = "EUR".into();
    let gate = open(service, market).await;
    gate.send(1, vec![mark(2, "AAPL.XNAS", 15_000), mark(3, "MSFT.XNAS", 30_000)]).await;
    gate.send(1, vec![fill(4, "AAPL.XNAS", Side::Buy, 100), fill(5, "MSFT.XNAS", Side::Sell, 40)]).await;
    gate
}

fn in_dollars() -> StreamRiskRequest {
    StreamRiskRequest { base_currency: "USD".into(), ..watched() }
}

#[tokio::test]
async fn figures_are_in_one_currency_at_the_rates_given() {
    let service = Running::start("").await;
    let _gate = two_currencies(&service, None).await;
    let rate = CurrencyRate { currency: "EUR".into(), rate: 1.25 };
    let asked = StreamRiskRequest { currency_rates: vec![rate], ..in_dollars() };
    let report = report(&mut watch(&service, asked).await.unwrap(), 5).await;
    assert_eq!((report.gross_notional, report.net_notional), (30_000.0, 0.0));
    let euros = report.positions.iter().find(|it| it.instrument_id == "MSFT.XNAS").unwrap();
    assert_eq!((euros.price, euros.notional, euros.exposure), (300.0, -15_000.0, -15_000.0));
    let parts: f64 = report.positions.iter().map(|it| it.component_var).sum();
    assert!((parts - report.figures[0].var).abs() < 1e-6, "{report:?}");
}

#[tokio::test]
async fn figures_are_in_one_currency_at_the_rates_of_the_session() {
    let service = Running::start("").await;
    let rate = Some(crate::fixture::decimal(125, 2));
    let euro = FxRate { currency: "EUR".into(), quote_currency: "USD".into(), rate };
    let _gate = two_currencies(&service, Some(FxRates { rates: vec![euro] })).await;
    let mut reports = watch(&service, in_dollars()).await.unwrap();
    assert_eq!(report(&mut reports, 5).await.net_notional, 0.0);
}

/// The status that a watch ends with instead of a report.
async fn refusal(service: &Running, asked: StreamRiskRequest) -> (Code, String) {
    let mut reports = watch(service, asked).await.unwrap();
    loop {
        match reports.message().await {
            Ok(report) => assert!(report.expect("a status").sequence < 5),
            Err(status) => return (status.code(), status.message().to_owned()),
        }
    }
}

#[tokio::test]
async fn several_currencies_are_not_added_up() {
    let service = Running::start("").await;
    let _gate = two_currencies(&service, None).await;
    let text = "stream_risk: base_currency must be set where instruments of several currencies are held, got EUR, USD";
    assert_eq!(refusal(&service, watched()).await, (Code::InvalidArgument, text.into()));
    let text = "stream_risk: rate of EUR in USD, which MSFT.XNAS is quoted in, must be in currency_rates or known to the \
                session, got none";
    assert_eq!(refusal(&service, in_dollars()).await, (Code::InvalidArgument, text.into()));
}

#[tokio::test]
async fn an_account_that_is_none_is_named() {
    let service = Running::start("").await;
    let _gate = open(&service, market()).await;
    let asked = StreamRiskRequest { account: "A9".into(), ..watched() };
    let text = "stream_risk: account must be one of the session's, or empty for all, got \"A9\"";
    assert_eq!(refusal(&service, asked).await, (Code::NotFound, text.into()));
}
