//! How events move the state, and the ones that are refused.

use risk_core::pretrade::{
    Adjust, Event, EventError, Fill, Hold, Instrument, InstrumentTerms, Machine, Mark, RiskLimit, RiskLimits, Side,
    Snapshot, Stamp,
};

use crate::fixture::{
    ACCOUNT, INSTRUMENT, account, answers, apply, check, decimal, fill, fine_units, hold, instrument, limit_order,
    limits, machine, mark, position, snapshot, whole_units,
};

fn unlimited() -> Snapshot {
    snapshot(whole_units(), limits(vec![], 0))
}

fn exposure(machine: &Machine) -> (i128, i128, i128) {
    let exposure = machine.exposure(ACCOUNT, INSTRUMENT);
    (exposure.net_qty, exposure.open_buy_qty, exposure.open_sell_qty)
}

fn refused(machine: &mut Machine, event: Event) -> String {
    answers(machine, 0, event).expect_err("an event that cannot be true").to_string()
}

#[test]
fn a_hold_ends_by_fills_and_releases() {
    let mut machine = machine(unlimited());
    assert!(check(&mut machine, 1, limit_order(Side::Buy, 10, 5)).approved());
    assert!(check(&mut machine, 2, limit_order(Side::Sell, 4, 5)).approved());
    assert_eq!(exposure(&machine), (0, 10, 4));
    apply(&mut machine, Event::Fill(fill(1, Side::Buy, 3)));
    assert_eq!(exposure(&machine), (3, 7, 4));
    apply(&mut machine, Event::Fill(fill(2, Side::Sell, 4)));
    assert_eq!(exposure(&machine), (-1, 7, 0));
    apply(&mut machine, Event::Release { order_id: 1 });
    apply(&mut machine, Event::Release { order_id: 1 });
    apply(&mut machine, Event::Release { order_id: 99 });
    assert_eq!(exposure(&machine), (-1, 0, 0));
    assert_eq!(machine.holds().count(), 0);
}

#[test]
fn late_and_too_large_fills_move_the_position() {
    let mut machine = machine(unlimited());
    assert!(check(&mut machine, 1, limit_order(Side::Buy, 10, 5)).approved());
    apply(&mut machine, Event::Fill(fill(1, Side::Buy, 12)));
    assert_eq!(exposure(&machine), (12, 0, 0));
    apply(&mut machine, Event::Fill(fill(1, Side::Buy, 2)));
    assert_eq!(exposure(&machine), (14, 0, 0));
}

#[test]
fn a_refused_order_holds_nothing() {
    let mut machine = machine(unlimited());
    assert!(!check(&mut machine, 1, limit_order(Side::Buy, 0, 5)).approved());
    assert_eq!(exposure(&machine), (0, 0, 0));
}

#[test]
fn adjusts_marks_limits_and_accounts_take_effect() {
    let mut machine = machine(unlimited());
    apply(&mut machine, adjust(ACCOUNT, INSTRUMENT, -9));
    assert_eq!(exposure(&machine), (-9, 0, 0));
    apply(&mut machine, Event::AccountOpened(account("B2")));
    apply(&mut machine, adjust("B2", INSTRUMENT, 5));
    assert_eq!(machine.exposure("B2", INSTRUMENT).net_qty, 5);
    let firm = RiskLimit { max_order_qty: Some(decimal(1, 0)), ..RiskLimit::default() };
    let tighter = RiskLimits::new(2, vec![firm], 0).expect("limits");
    apply(&mut machine, Event::RiskLimits(tighter));
    assert!(!check(&mut machine, 1, limit_order(Side::Buy, 2, 5)).approved());
}

#[test]
fn a_new_definition_keeps_the_mark_and_a_snapshot_replaces_everything() {
    let mut machine = machine(Snapshot { marks: vec![(mark(5), 0)], ..unlimited() });
    let lots = InstrumentTerms { qty_increment: 10, ..whole_units() };
    apply(&mut machine, Event::Instrument(instrument(lots)));
    assert!(!check(&mut machine, 1, crate::fixture::market_order(Side::Buy, 5)).approved());
    assert!(check(&mut machine, 2, crate::fixture::market_order(Side::Buy, 10)).approved());
    let snapshot = Snapshot { positions: vec![position(-3)], holds: vec![(8, hold(Side::Sell, 2))], ..unlimited() };
    apply(&mut machine, Event::Snapshot(Box::new(snapshot)));
    assert_eq!(exposure(&machine), (-3, 0, 2));
    assert!(!check(&mut machine, 3, crate::fixture::market_order(Side::Buy, 10)).approved());
}

#[test]
fn events_that_cannot_be_true_are_named() {
    let mut machine = machine(Snapshot { holds: vec![(1, hold(Side::Buy, 10))], ..unlimited() });
    let mut check = |event, expected: &str| assert_eq!(refused(&mut machine, event), expected);
    let wrong = |fill| Event::Fill(fill);
    check(wrong(fill(9, Side::Buy, 0)), "fill of order 9: last_qty must be positive, got 0");
    check(wrong(fill(1, Side::Sell, 1)), "fill of order 1: side must be that of its order, got Sell");
    let other_account = Fill { account: "B2".into(), ..fill(1, Side::Buy, 1) };
    check(wrong(other_account.clone()), "fill of order 1: account must be that of its order, got B2");
    let unheld = Fill { order_id: 9, ..other_account };
    check(wrong(unheld), "fill of order 9: account must be opened, got B2");
    let other_instrument = Fill { instrument_id: "X.Y".into(), ..fill(9, Side::Buy, 1) };
    check(wrong(other_instrument), "fill of order 9: instrument_id must be defined, got X.Y");
    check(adjust("B2", INSTRUMENT, 1), "adjust: account must be opened, got B2");
    check(adjust(ACCOUNT, "X.Y", 1), "adjust: instrument_id must be defined, got X.Y");
    let unknown = Mark { instrument_id: "X.Y".into(), mark_px: 1 };
    check(Event::Mark(unknown), "mark: instrument_id must be defined, got X.Y");
    check(Event::Mark(mark(0)), "mark of AAPL.XNAS: mark_px must be positive, got 0");
    let same_version = Event::RiskLimits(limits(vec![], 0));
    check(same_version, "risk_limits: version must grow with each change, got 1");
    let rescaled = Event::Instrument(instrument(fine_units()));
    let expected = "instrument AAPL.XNAS: price_scale must not change outside a snapshot, got 2";
    check(rescaled, expected);
    let nameless = Event::AccountOpened(account(""));
    check(nameless, "account_opened: account must be named, got nothing");
}

#[test]
fn a_snapshot_that_contradicts_itself_is_refused() {
    let check = |snapshot: Snapshot, expected: &str| {
        let error = Machine::new(Stamp::default(), snapshot).map(|_| ()).expect_err("a contradiction");
        assert_eq!(error.to_string(), expected);
    };
    let twice = vec![(1, hold(Side::Buy, 1)), (1, hold(Side::Buy, 1))];
    let expected = "hold of order 1: order_id must be positive and stand once, got 1";
    check(Snapshot { holds: twice, ..unlimited() }, expected);
    let flat = vec![(1, hold(Side::Buy, 0))];
    let expected = "hold of order 1: leaves_qty must be positive, got 0";
    check(Snapshot { holds: flat, ..unlimited() }, expected);
    let stranger = Hold { account: "B2".into(), ..hold(Side::Buy, 1) };
    let expected = "hold of order 1: account must be opened, got B2";
    check(Snapshot { holds: vec![(1, stranger)], ..unlimited() }, expected);
}

#[test]
fn definitions_and_limits_are_checked_when_made() {
    let check = |change: fn(&mut InstrumentTerms), expected: &str| {
        let mut terms = whole_units();
        change(&mut terms);
        let error = Instrument::new(terms).map(|_| ()).expect_err("a bad definition");
        assert_eq!(error.to_string(), format!("instrument AAPL.XNAS: {expected}"));
    };
    check(|it| it.price_increment = 0, "price_increment must be positive, got 0");
    check(|it| it.qty_increment = -1, "qty_increment must be positive, got -1");
    check(|it| it.min_qty = -1, "min_qty must not be negative, got -1");
    check(|it| it.max_qty = -1, "max_qty must not be negative, got -1");
    let rule = "price_scale + qty_scale must be at most 18, got 19";
    check(|it| (it.price_scale, it.qty_scale) = (9, 10), rule);
    let rule = "price_scale + qty_scale must be at most 18, got 4294967304";
    check(|it| (it.price_scale, it.qty_scale) = (u32::MAX, 9), rule);
    let rule = "multiplier must be positive with at most 18 decimal places, got 0";
    check(|it| it.multiplier = decimal(0, 0), rule);

    let limit = |qty| RiskLimit { max_order_qty: Some(decimal(qty, 1)), ..RiskLimit::default() };
    let error = |limits| -> EventError { RiskLimits::new(1, limits, 0).expect_err("bad limits") };
    let negative = error(vec![limit(-5)]).to_string();
    assert_eq!(negative, "risk_limits of firm: max_order_qty must not be negative, got -0.5");
    let twice = error(vec![limit(1), limit(2)]).to_string();
    assert_eq!(twice, "risk_limits: limits must name each scope at most once, got firm");
}

fn adjust(account: &str, instrument_id: &str, qty: i64) -> Event {
    Event::Adjust(Adjust { account: account.into(), instrument_id: instrument_id.into(), ..position(qty) })
}
