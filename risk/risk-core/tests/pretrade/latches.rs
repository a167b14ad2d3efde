//! Latches as who watches sees them, and a state that is not the one that was saved.

use risk_core::pretrade::{
    Answers, Cash, Event, Latch, Machine, Money, OrdRejReason, RiskLimit, Side, Snapshot, Stamp, TradingScope,
    TradingState,
};

use super::fixture::{ACCOUNT, decimal, fill, limits, machine, mark, market_order, one, snapshot, whole_units};

fn limited() -> Snapshot {
    let firm = RiskLimit {
        repeat_count: Some(2),
        repeat_window_ms: Some(1_000),
        max_consecutive_rejects: Some(2),
        ..RiskLimit::default()
    };
    let lossy = RiskLimit { account: ACCOUNT.into(), max_drawdown: Some(decimal(10, 0)), ..RiskLimit::default() };
    let marks = vec![(mark(100), 0)];
    Snapshot { marks, ..snapshot(whole_units(), limits(vec![firm, lossy], 0)) }
}

fn at(machine: &mut Machine, sequence: u64, event: Event) -> Answers {
    let mut answers = Answers::default();
    machine.apply(Stamp { sequence, transact_time_ns: 0 }, event, &mut answers).expect("an event that can be true");
    answers
}

fn latch(scope: &TradingScope, reason: OrdRejReason, sequence: u64, limit: &str, value: &str) -> Latch {
    Latch {
        scope: scope.clone(),
        ord_rej_reason: reason,
        sequence,
        risk_limit: limit.into(),
        value: value.into(),
        trading_state: TradingState::Halted,
    }
}

#[test]
fn every_latch_is_shown_with_since_when_and_until_its_scope_is_active() {
    let mut machine = machine(limited());
    assert_eq!(machine.latches(), []);
    for sequence in [10, 20] {
        at(&mut machine, sequence, one(sequence, market_order(Side::Buy, 1)));
        at(&mut machine, sequence + 1, Event::Fill(fill(sequence, Side::Buy, 1)));
    }
    at(&mut machine, 23, Event::Mark(mark(80)));
    for sequence in [24, 25] {
        at(&mut machine, sequence, one(sequence, market_order(Side::Buy, 1)));
    }
    let (firm, account) =
        (TradingScope::default(), TradingScope { account: ACCOUNT.into(), ..TradingScope::default() });
    let storm = latch(&firm, OrdRejReason::RejectStorm, 25, "2", "2 in a row");
    let loss = latch(&account, OrdRejReason::LossLimit, 23, "10", "40");
    let repeated = latch(&account, OrdRejReason::StrategyLatched, 21, "2", "2 alike");
    assert_eq!(machine.latches(), [storm.clone(), loss, repeated]);

    at(&mut machine, 30, Event::TradingState(account.clone(), TradingState::Active));
    // The loss is still beyond its limit: it latches again at once.
    let again = latch(&account, OrdRejReason::LossLimit, 30, "10", "40");
    assert_eq!(machine.latches(), [storm, again.clone()]);
    at(&mut machine, 31, Event::TradingState(firm, TradingState::Active));
    assert_eq!(machine.latches(), [again]);
}

#[test]
fn a_state_that_is_not_the_saved_one_is_refused() {
    let mut machine = machine(limited());
    for order_id in 1..=2 {
        at(&mut machine, order_id, one(order_id, market_order(Side::Buy, 1)));
        at(&mut machine, order_id, Event::Fill(fill(order_id, Side::Buy, 1)));
    }
    let memory = at(&mut machine, 2, Event::Save).memories.remove(0);
    let (bytes, hash) = (memory.bytes, memory.state_hash.to_vec());
    let restored = |state_hash: &[u8], mark_px| {
        let position = super::fixture::position(2);
        let paid = Money { currency: "USD".into(), attos: -2_000_000_000_000_000_000 };
        let cash = vec![Cash { account: ACCOUNT.into(), cash: paid }];
        let marks = vec![(mark(mark_px), 0)];
        let told = Snapshot { positions: vec![position], cash, marks, ..limited() };
        let told = Snapshot { memory: Some(bytes.clone()), state_hash: state_hash.to_vec(), ..told };
        Machine::new(Stamp { sequence: 2, transact_time_ns: 0 }, told).map_err(|error| error.to_string())
    };
    assert_eq!(restored(&hash, 100).expect("the state that was saved").latches(), machine.latches());
    let error = restored(&hash, 101).err().unwrap_or_default();
    assert!(error.starts_with("snapshot: state_hash must be that of the state it is restored to, got "), "{error}");
    assert!(restored(&[], 101).is_ok(), "without a hash nothing is compared");
}
