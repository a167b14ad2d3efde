//! One account, one instrument, and short words for what happens to them.

use risk_core::pretrade::{
    Account, Adjust, Alarm, Answers, Asked, Check, CheckFailure, Decimal, Decision, Event, EventError, Fill, Hold,
    Instrument, InstrumentTerms, Machine, Mark, NewOrder, OrdRejReason, OrdType, RiskLimit, RiskLimits, Side, Snapshot,
    Stamp, TimeInForce,
};

pub const ACCOUNT: &str = "A1";
pub const INSTRUMENT: &str = "AAPL.XNAS";

pub fn decimal(mantissa: i128, scale: u32) -> Decimal {
    Decimal::new(mantissa, scale).expect("scale of a test")
}

/// Whole prices and quantities: a tick and a lot of one, no range.
pub fn whole_units() -> InstrumentTerms {
    InstrumentTerms {
        instrument_id: INSTRUMENT.into(),
        price_scale: 0,
        qty_scale: 0,
        price_increment: 1,
        qty_increment: 1,
        min_qty: 0,
        max_qty: 0,
        multiplier: decimal(1, 0),
        allow_negative_price: false,
        quote_currency: "USD".into(),
        expire_time_ns: 0,
        trading_sessions: vec![],
    }
}

/// Prices of two decimals, quantities of three in lots of 0.010 from 0.020 to 900, multiplier 10.
pub fn fine_units() -> InstrumentTerms {
    InstrumentTerms {
        price_scale: 2,
        qty_scale: 3,
        price_increment: 5,
        qty_increment: 10,
        min_qty: 20,
        max_qty: 900_000,
        multiplier: decimal(10, 0),
        ..whole_units()
    }
}

pub fn instrument(terms: InstrumentTerms) -> Instrument {
    Instrument::new(terms).expect("instrument of a test")
}

pub fn limits(limits: Vec<RiskLimit>, band_bps: u32) -> RiskLimits {
    RiskLimits::new(1, limits, band_bps).expect("limits of a test")
}

pub fn max_position(qty: i128) -> RiskLimits {
    let limit = RiskLimit { max_position_qty: Some(decimal(qty, 0)), ..RiskLimit::default() };
    limits(vec![limit], 0)
}

pub fn snapshot(terms: InstrumentTerms, risk_limits: RiskLimits) -> Snapshot {
    Snapshot {
        instruments: vec![instrument(terms)],
        accounts: vec![account(ACCOUNT)],
        risk_limits,
        ..Snapshot::default()
    }
}

pub fn account(account: &str) -> Account {
    Account { account: account.into(), base_currency: "USD".into() }
}

pub fn machine(snapshot: Snapshot) -> Machine {
    Machine::new(Stamp::default(), snapshot).expect("snapshot of a test")
}

pub fn position(qty: i64) -> Adjust {
    Adjust { account: ACCOUNT.into(), strategy_id: String::new(), instrument_id: INSTRUMENT.into(), qty }
}

pub fn hold(side: Side, leaves_qty: i64) -> Hold {
    Hold {
        account: ACCOUNT.into(),
        strategy_id: String::new(),
        instrument_id: INSTRUMENT.into(),
        side,
        leaves_qty,
        price: 1,
        is_limit: true,
        has_trigger: false,
        list: None,
    }
}

pub fn mark(mark_px: i64) -> Mark {
    Mark { instrument_id: INSTRUMENT.into(), mark_px }
}

pub fn fill(order_id: u64, side: Side, last_qty: i64) -> Fill {
    Fill {
        order_id,
        account: ACCOUNT.into(),
        strategy_id: String::new(),
        instrument_id: INSTRUMENT.into(),
        side,
        last_qty,
        last_px: 1,
        cash: None,
    }
}

pub fn limit_order(side: Side, order_qty: i64, price: i64) -> NewOrder {
    NewOrder {
        cl_ord_id: "o-1".into(),
        account: ACCOUNT.into(),
        strategy_id: String::new(),
        instrument_id: INSTRUMENT.into(),
        side: Ok(side),
        ord_type: Ok(OrdType::Limit),
        time_in_force: Ok(TimeInForce::Gtc),
        order_qty,
        price: Some(price),
        stop_px: None,
        trailing_amount: 0,
        trailing_bps: 0,
        prevents_self_trade: false,
    }
}

pub fn market_order(side: Side, order_qty: i64) -> NewOrder {
    let limit_order = limit_order(side, order_qty, 0);
    NewOrder { ord_type: Ok(OrdType::Market), price: None, ..limit_order }
}

pub fn stop_order(side: Side, order_qty: i64, stop_px: i64) -> NewOrder {
    NewOrder { ord_type: Ok(OrdType::Stop), stop_px: Some(stop_px), ..market_order(side, order_qty) }
}

pub fn asked(order_id: u64, order: NewOrder) -> Asked {
    Asked { order_id, order, batch_orders: 1, batch_notional: None }
}

pub fn one(order_id: u64, order: NewOrder) -> Event {
    Event::Check(Check { contingency: None, orders: vec![asked(order_id, order)], decided: vec![], preview: false })
}

/// What an event at a time is answered with.
pub fn answers(machine: &mut Machine, time_ns: i64, event: Event) -> Result<Answers, EventError> {
    let mut answers = Answers::default();
    machine.apply(Stamp { sequence: 1, transact_time_ns: time_ns }, event, &mut answers)?;
    Ok(answers)
}

/// Applies an event that says nothing.
pub fn apply(machine: &mut Machine, event: Event) {
    assert_eq!(alarms(machine, 0, event), []);
}

/// The alarms of an event that is not a check.
pub fn alarms(machine: &mut Machine, time_ns: i64, event: Event) -> Vec<Alarm> {
    let answers = answers(machine, time_ns, event).expect("an event that can be true");
    assert_eq!(answers.decisions, []);
    answers.alarms
}

pub fn check_at(machine: &mut Machine, time_ns: i64, order_id: u64, order: NewOrder) -> Decision {
    let answers = answers(machine, time_ns, one(order_id, order)).expect("a check is no error");
    answers.decisions.into_iter().next().expect("a check is answered")
}

pub fn check(machine: &mut Machine, order_id: u64, order: NewOrder) -> Decision {
    check_at(machine, 0, order_id, order)
}

pub fn reasons(decision: &Decision) -> Vec<OrdRejReason> {
    decision.check_failures.iter().map(|failure| failure.ord_rej_reason).collect()
}

pub fn failure(reason: OrdRejReason, scope: &str, limit: &str, value: &str) -> CheckFailure {
    CheckFailure { ord_rej_reason: reason, scope: scope.into(), risk_limit: limit.into(), value: value.into() }
}
