//! `PretradeService.Check`.

use risk_service::proto::pretrade_event::Event;
use risk_service::proto::{
    CheckFailure, CheckResponse, ContingencyType, KillSwitchChange, Mark, NewOrder, OrdRejReason, OrdType,
    PretradeAdjust, PretradeAlarm, PretradeCheck, PretradeDecision, PretradeEvent, PretradeFill, PretradeHold,
    PretradeListCheck, PretradePosition, PretradeRelease, PretradeReplaceCheck, PretradeSave, PretradeSnapshot,
    PretradeVenueReject, RiskLimit, RiskLimits, Side, TradingState, TradingStateChange,
};
use tonic::Code;

use crate::fixture::{Gate, Running, buy, check, decimal, event, market_buy, snapshot};

fn approved(sequence: u64) -> PretradeDecision {
    PretradeDecision { sequence, order_id: sequence, approved: true, check_failures: vec![] }
}

fn refused(sequence: u64, reason: OrdRejReason, scope: &str, risk_limit: &str, value: &str) -> PretradeDecision {
    let (scope, risk_limit, value) = (scope.into(), risk_limit.into(), value.into());
    let failure = CheckFailure { ord_rej_reason: reason.into(), scope, risk_limit, value };
    PretradeDecision { approved: false, check_failures: vec![failure], ..approved(sequence) }
}

#[tokio::test]
async fn a_batch_of_checks_is_answered_by_a_batch_of_decisions_in_order() {
    let service = Running::start("").await;
    let mut gate = Gate::with(&service.channel, snapshot(100)).await;
    gate.send(1, vec![check(2, buy(60)), check(3, buy(41)), check(4, buy(40)), check(5, buy(1))]).await;
    let response = gate.response().await.unwrap();
    assert_eq!(response.epoch, 1);
    let over = |sequence| refused(sequence, OrdRejReason::PositionLimit, "firm", "100", "101");
    assert_eq!(response.decisions, [approved(2), over(3), approved(4), over(5)]);
    assert!(gate.close().await);
}

#[tokio::test]
async fn events_without_checks_move_the_state_and_have_no_answer() {
    let service = Running::start("").await;
    let mut gate = Gate::with(&service.channel, snapshot(100)).await;
    let adjust = PretradeAdjust {
        account: "A1".into(),
        instrument_id: "AAPL.XNAS".into(),
        qty: 50,
        ..PretradeAdjust::default()
    };
    gate.send(1, vec![event(2, Event::Adjust(adjust))]).await;
    gate.send(1, vec![check(3, buy(50)), check(4, market_buy(1))]).await;
    let stale = refused(4, OrdRejReason::RefPriceStale, "instrument:AAPL.XNAS", "a mark", "none");
    let over = refused(4, OrdRejReason::PositionLimit, "firm", "100", "101");
    let both =
        PretradeDecision { check_failures: [&stale, &over].map(|it| it.check_failures[0].clone()).into(), ..stale };
    assert_eq!(gate.response().await.unwrap().decisions, [approved(3), both]);
    let mark = Mark { instrument_id: "AAPL.XNAS".into(), mark_px: 10_000 };
    let fill = PretradeFill {
        order_id: 3,
        account: "A1".into(),
        instrument_id: "AAPL.XNAS".into(),
        side: Side::Buy.into(),
        last_qty: 10,
        last_px: 15_000,
        ..PretradeFill::default()
    };
    let release = PretradeRelease { order_id: 3 };
    let events = vec![event(5, Event::Mark(mark)), event(6, Event::Fill(fill)), event(6, Event::Release(release))];
    gate.send(1, events).await;
    gate.send(1, vec![check(7, market_buy(40)), check(8, market_buy(1))]).await;
    let over = refused(8, OrdRejReason::PositionLimit, "firm", "100", "101");
    assert_eq!(gate.response().await.unwrap().decisions, [approved(7), over]);
}

#[tokio::test]
async fn a_snapshot_carries_everything_and_replaces_everything() {
    let service = Running::start("").await;
    let (account, instrument_id) = ("A1".to_owned(), "AAPL.XNAS".to_owned());
    let held = PretradeHold {
        order_id: 9,
        account: account.clone(),
        instrument_id: instrument_id.clone(),
        side: Side::Buy.into(),
        leaves_qty: 30,
        ..PretradeHold::default()
    };
    let full = PretradeSnapshot {
        positions: vec![PretradePosition {
            account,
            instrument_id: instrument_id.clone(),
            net_qty: 60,
            ..PretradePosition::default()
        }],
        holds: vec![held],
        marks: vec![Mark { instrument_id, mark_px: 10_000 }],
        ..snapshot(100)
    };
    let mut gate = Gate::with(&service.channel, full).await;
    gate.send(1, vec![check(10, market_buy(10)), check(11, market_buy(1))]).await;
    let decisions = gate.response().await.unwrap().decisions;
    assert_eq!(decisions, [approved(10), refused(11, OrdRejReason::PositionLimit, "firm", "100", "101")]);
    gate.send(1, vec![event(11, Event::Snapshot(snapshot(100))), check(12, buy(100))]).await;
    assert_eq!(gate.response().await.unwrap().decisions, [approved(12)]);
}

#[tokio::test]
async fn what_an_order_gets_wrong_is_a_decision_not_an_error() {
    let service = Running::start("").await;
    let mut gate = Gate::with(&service.channel, snapshot(100)).await;
    let wrong = |change: fn(&mut NewOrder)| {
        let mut order = buy(10);
        change(&mut order);
        order
    };
    let events = vec![
        check(2, wrong(|order| order.side = 0)),
        check(3, wrong(|order| order.ord_type = 77)),
        check(4, wrong(|order| order.time_in_force = -5)),
        check(5, wrong(|order| order.account = "B2".into())),
        check(6, wrong(|order| order.instrument_id = "X.Y".into())),
        check(7, wrong(|order| order.order_qty = i64::MIN)),
        check(8, wrong(|order| order.price = Some(0))),
    ];
    gate.send(1, events).await;
    let expected = [
        refused(2, OrdRejReason::InvalidField, "field:side", "BUY or SELL", "0"),
        refused(
            3,
            OrdRejReason::InvalidField,
            "field:ord_type",
            "MARKET, LIMIT, STOP, STOP_LIMIT or TRAILING_STOP",
            "77",
        ),
        refused(4, OrdRejReason::InvalidField, "field:time_in_force", "DAY, GTC, IOC, FOK or GTD", "-5"),
        refused(5, OrdRejReason::UnknownAccount, "field:account", "an account", "B2"),
        refused(6, OrdRejReason::UnknownInstrument, "field:instrument_id", "an instrument", "X.Y"),
        refused(7, OrdRejReason::InvalidQty, "instrument:AAPL.XNAS", "0", "-9223372036854775808"),
        refused(8, OrdRejReason::InvalidPrice, "instrument:AAPL.XNAS", "0", "0"),
    ];
    assert_eq!(gate.response().await.unwrap().decisions, expected);
}

#[tokio::test]
async fn limits_change_at_their_sequence() {
    let service = Running::start("").await;
    let mut gate = Gate::with(&service.channel, snapshot(100)).await;
    let limit = RiskLimit {
        account: "A1".into(),
        max_order_qty: Some(decimal(95, 1)),
        max_order_notional: Some(decimal(1_500_000_000, 6)),
        ..RiskLimit::default()
    };
    let limits = RiskLimits { version: 2, limits: vec![limit], market_order_band_bps: 0 };
    gate.send(1, vec![check(2, buy(11)), event(3, Event::RiskLimits(limits)), check(4, buy(11)), check(5, buy(9))])
        .await;
    let decisions = gate.response().await.unwrap().decisions;
    let mut too_large = refused(4, OrdRejReason::MaxOrderQty, "account:A1", "9.5", "11");
    let too_much = refused(4, OrdRejReason::MaxOrderNotional, "account:A1", "1500", "1650");
    too_large.check_failures.extend(too_much.check_failures);
    assert_eq!(decisions, [approved(2), too_large, approved(5)]);
}

#[tokio::test]
async fn a_stream_begins_with_a_snapshot() {
    let service = Running::start("").await;
    let status = Gate::open(&service.channel).await.refusal(check(5, buy(1))).await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.message(), "sequence 5: the first event of an epoch must be a snapshot");
}

#[tokio::test]
async fn events_that_cannot_be_true_end_the_stream_by_name() {
    let service = Running::start("").await;
    let expect = async |event: PretradeEvent, expected: &str| {
        let mut gate = Gate::with(&service.channel, snapshot(100)).await;
        gate.send(1, vec![check(2, buy(1))]).await;
        gate.response().await.unwrap();
        let status = gate.refusal(event).await;
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, expected));
    };
    let adjust = |instrument_id: &str| {
        Event::Adjust(PretradeAdjust {
            account: "A1".into(),
            instrument_id: instrument_id.into(),
            qty: 1,
            ..PretradeAdjust::default()
        })
    };
    expect(check(2, buy(1)), "sequence 2: must rise within a stream, got it after 2").await;
    expect(event(1, adjust("AAPL.XNAS")), "sequence 1: must rise within a stream, got it after 2").await;
    expect(event(3, adjust("X.Y")), "sequence 3: adjust: instrument_id must be defined, got X.Y").await;
    let nothing = PretradeEvent { sequence: 3, transact_time_ns: 0, event: None, ..PretradeEvent::default() };
    expect(nothing, "sequence 3: event: event must be set, got nothing").await;
    let no_order = risk_service::proto::PretradeCheck {
        order_id: 3,
        new_order: None,
        ..risk_service::proto::PretradeCheck::default()
    };
    expect(event(3, Event::Check(no_order)), "sequence 3: check: new_order must be set, got nothing").await;
    let fill =
        PretradeFill { order_id: 2, account: "A1".into(), instrument_id: "AAPL.XNAS".into(), ..Default::default() };
    expect(event(3, Event::Fill(fill)), "sequence 3: fill of order 2: side must be BUY or SELL, got 0").await;
    let unlimited = PretradeSnapshot { risk_limits: None, ..snapshot(1) };
    expect(event(3, Event::Snapshot(unlimited)), "sequence 3: snapshot: risk_limits must be set, got nothing").await;
    let mut unpriced = snapshot(1);
    unpriced.instruments[0].multiplier = None;
    let expected = "sequence 3: instrument AAPL.XNAS: multiplier must be set, got nothing";
    expect(event(3, Event::Snapshot(unpriced)), expected).await;
    let fine = RiskLimit { max_order_qty: Some(decimal(1, 19)), ..RiskLimit::default() };
    let limits = RiskLimits { version: 2, limits: vec![fine], market_order_band_bps: 0 };
    let expected = "sequence 3: risk_limits: max_order_qty must have a scale of at most 18, got 19";
    expect(event(3, Event::RiskLimits(limits)), expected).await;
}

#[tokio::test]
async fn earlier_epochs_are_dropped_and_a_later_one_begins_with_a_snapshot() {
    let service = Running::start("").await;
    let mut gate = Gate::open(&service.channel).await;
    gate.send(7, vec![event(50, Event::Snapshot(snapshot(100)))]).await;
    gate.send(6, vec![check(51, buy(100))]).await;
    gate.send(7, vec![check(52, buy(100))]).await;
    let response = gate.response().await.unwrap();
    assert_eq!((response.epoch, response.decisions), (7, vec![approved(52)]));
    gate.send(8, vec![event(1, Event::Snapshot(snapshot(100))), check(2, buy(100))]).await;
    let response = gate.response().await.unwrap();
    assert_eq!((response.epoch, response.decisions), (8, vec![approved(2)]));
    gate.send(9, vec![check(3, buy(1))]).await;
    assert_eq!(gate.response().await.unwrap_err().code(), Code::FailedPrecondition);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_streams_each_have_their_own_state_and_of_1000_orders_those_that_fit_pass() {
    let service = Running::start("").await;
    let streams: Vec<_> = (1..=20)
        .map(|fitting: u64| {
            let channel = service.channel.clone();
            tokio::spawn(async move {
                let limit = i64::try_from(fitting).unwrap() * 7 + 6;
                let mut gate = Gate::with(&channel, snapshot(limit)).await;
                let mut approvals = 0;
                for batch in 0..10 {
                    let checks = (0..100).map(|i| check(2 + batch * 100 + i, buy(7))).collect();
                    gate.send(1, checks).await;
                    let decisions = gate.response().await.unwrap().decisions;
                    assert_eq!(decisions.len(), 100);
                    approvals += decisions.iter().filter(|decision| decision.approved).count();
                }
                (approvals, usize::try_from(fitting).unwrap())
            })
        })
        .collect();
    for stream in streams {
        let (approvals, fitting) = stream.await.unwrap();
        assert_eq!(approvals, fitting);
    }
}

fn reasons(response: &CheckResponse) -> Vec<Vec<OrdRejReason>> {
    let of = |decision: &PretradeDecision| decision.check_failures.iter().map(|it| it.ord_rej_reason()).collect();
    response.decisions.iter().map(of).collect()
}

#[tokio::test]
async fn switches_lists_and_replaces_are_decided_on() {
    let service = Running::start("").await;
    let mut gate = Gate::with(&service.channel, snapshot(100)).await;
    let kill = |engaged| Event::KillSwitchChange(KillSwitchChange { engaged, ..KillSwitchChange::default() });
    let state = |state: TradingState| {
        Event::TradingStateChange(TradingStateChange { trading_state: state.into(), ..TradingStateChange::default() })
    };
    let leg = |order_id, order| PretradeCheck { order_id, new_order: Some(order), ..PretradeCheck::default() };
    let contingency_type = ContingencyType::Oco.into();
    let list = |first| {
        let stop = NewOrder { ord_type: OrdType::Stop.into(), price: None, stop_px: Some(15_100), ..buy(60) };
        let checks = vec![leg(first, buy(100)), leg(first | 1 << 56, stop)];
        Event::ListCheck(PretradeListCheck { contingency_type, checks })
    };
    let replace = PretradeReplaceCheck { order_id: 7, new_order: Some(buy(101)), cum_qty: 0 };
    let restated = PretradeHold {
        order_id: 7,
        account: "A1".into(),
        instrument_id: "AAPL.XNAS".into(),
        side: Side::Buy.into(),
        leaves_qty: 40,
        price: 15_000,
        is_limit: true,
        ..PretradeHold::default()
    };
    let events = vec![
        event(2, kill(true)),
        check(3, buy(1)),
        event(4, kill(false)),
        event(5, state(TradingState::Halted)),
        event(6, list(6)),
        event(6, state(TradingState::Active)),
        event(7, list(7)),
        event(8, Event::ReplaceCheck(replace)),
        event(9, Event::Restated(restated)),
        event(9, Event::VenueReject(PretradeVenueReject { order_id: 7 | 1 << 56 })),
        check(10, buy(61)),
        check(11, buy(60)),
    ];
    gate.send(1, events).await;
    let response = gate.response().await.unwrap();
    let halted = || vec![OrdRejReason::StateHalted];
    let expected = vec![
        vec![OrdRejReason::KillSwitch],
        halted(),
        halted(),
        vec![],
        vec![],
        vec![OrdRejReason::PositionLimit],
        vec![OrdRejReason::PositionLimit],
        vec![],
    ];
    assert_eq!(reasons(&response), expected);
    let ids: Vec<_> = response.decisions.iter().map(|decision| (decision.sequence, decision.order_id)).collect();
    assert_eq!(ids[3..6], [(7, 7), (7, 7 | 1 << 56), (8, 7)]);
}

#[tokio::test]
async fn a_preview_is_answered_and_forgotten() {
    let service = Running::start("").await;
    let mut gate = Gate::with(&service.channel, snapshot(100)).await;
    let preview = |sequence| {
        let new_order = Some(buy(100));
        event(sequence, Event::Check(PretradeCheck { order_id: 2, new_order, preview: true, ..Default::default() }))
    };
    gate.send(1, vec![preview(2), preview(2), check(2, buy(100)), preview(3)]).await;
    let approved: Vec<_> = gate.response().await.unwrap().decisions.iter().map(|it| it.approved).collect();
    assert_eq!(approved, [true, true, true, false]);
}

#[tokio::test]
async fn what_is_passed_without_an_order_is_told_in_the_answer() {
    let service = Running::start("").await;
    let mut gate = Gate::with(&service.channel, snapshot(100)).await;
    let mut adjust = PretradeAdjust { account: "A1".into(), instrument_id: "AAPL.XNAS".into(), ..Default::default() };
    adjust.qty = 101;
    gate.send(1, vec![event(2, Event::Adjust(adjust))]).await;
    let expected = PretradeAlarm {
        sequence: 2,
        ord_rej_reason: OrdRejReason::PositionLimit.into(),
        scope: "firm".into(),
        risk_limit: "100".into(),
        value: "101".into(),
        trading_state: TradingState::Reducing.into(),
    };
    let response = gate.response().await.unwrap();
    assert_eq!((response.decisions, response.alarms), (vec![], vec![expected]));
}

#[tokio::test]
async fn a_new_stream_goes_on_from_what_was_saved() {
    let service = Running::start("").await;
    let limit = RiskLimit { order_rate_per_s: Some(1), order_burst: Some(2), ..RiskLimit::default() };
    let risk_limits = Some(RiskLimits { version: 1, limits: vec![limit], ..RiskLimits::default() });
    let begun = PretradeSnapshot { risk_limits, ..snapshot(0) };
    let mut gate = Gate::with(&service.channel, begun.clone()).await;
    let save = |sequence| event(sequence, Event::Save(PretradeSave {}));
    // One token goes before the save, one after it.
    gate.send(1, vec![check(2, buy(5)), save(2), check(3, buy(6)), save(3)]).await;
    let response = gate.response().await.unwrap();
    assert_eq!(response.decisions, [approved(2), approved(3)]);
    let [memory, at_the_end] = response.memories.try_into().expect("two memories");
    let hold = PretradeHold {
        order_id: 2,
        account: "A1".into(),
        instrument_id: "AAPL.XNAS".into(),
        side: Side::Buy.into(),
        leaves_qty: 5,
        price: 15_000,
        is_limit: true,
        ..PretradeHold::default()
    };
    let saved = PretradeSnapshot { holds: vec![hold], memory: Some(memory.clone()), ..begun };
    let mut again = check(3, buy(6));
    again.decided = vec![approved(3)];
    let mut gate = Gate::open(&service.channel).await;
    gate.send(2, vec![event(2, Event::Snapshot(saved.clone())), again, save(3), check(4, buy(1))]).await;
    let response = gate.response().await.unwrap();
    assert_eq!(response.memories, [at_the_end], "the same memory and the same hash");
    assert_eq!(reasons(&response), [[OrdRejReason::RateLimit]], "what was taken over is not answered");

    let mut altered = memory;
    altered.memory[0] ^= 1;
    let altered = PretradeSnapshot { memory: Some(altered), ..saved };
    let status = Gate::open(&service.channel).await.refusal(event(2, Event::Snapshot(altered))).await;
    let expected = "sequence 2: memory: checksum must be that of its bytes, got another one";
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, expected));
}
