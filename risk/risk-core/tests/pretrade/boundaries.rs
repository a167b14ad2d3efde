//! Each check exactly at its limit and one unit beyond it, and what a refusal says.

use risk_core::pretrade::{
    Decision, InstrumentTerms, NewOrder, OrdRejReason, OrdType, RiskLimit, Side, Snapshot, Unknown,
};

use crate::fixture::{
    ACCOUNT, INSTRUMENT, check, decimal, failure, fine_units, hold, limit_order, limits, machine, mark, market_order,
    max_position, position, reasons, snapshot, whole_units,
};

fn decide(snapshot: Snapshot, order: NewOrder) -> Decision {
    check(&mut machine(snapshot), 7, order)
}

fn unlimited(terms: InstrumentTerms) -> Snapshot {
    snapshot(terms, limits(vec![], 0))
}

#[test]
fn quantity_is_positive_on_the_lot_and_in_range() {
    let check = |qty, expected: Option<(&str, &str)>| {
        let decision = decide(unlimited(fine_units()), limit_order(Side::Buy, qty, 100));
        let expected =
            expected.map(|(limit, value)| failure(OrdRejReason::InvalidQty, "instrument:AAPL.XNAS", limit, value));
        assert_eq!(decision.check_failures, Vec::from_iter(expected), "qty {qty}");
    };
    check(20, None);
    check(900_000, None);
    check(10, Some(("0.02", "0.01")));
    check(900_010, Some(("900", "900.01")));
    check(25, Some(("0.01", "0.025")));
    check(0, Some(("0", "0")));
    check(-20, Some(("0", "-0.02")));
    check(i64::MIN, Some(("0", "-9223372036854775.808")));
}

#[test]
fn price_is_positive_and_on_the_tick() {
    let check = |price, allow_negative_price, expected: Option<(&str, &str)>| {
        let terms = InstrumentTerms { allow_negative_price, ..fine_units() };
        let decision = decide(unlimited(terms), limit_order(Side::Sell, 20, price));
        let expected =
            expected.map(|(limit, value)| failure(OrdRejReason::InvalidPrice, "instrument:AAPL.XNAS", limit, value));
        assert_eq!(decision.check_failures, Vec::from_iter(expected), "price {price}");
    };
    check(105, false, None);
    check(106, false, Some(("0.05", "1.06")));
    check(0, false, Some(("0", "0")));
    check(-105, false, Some(("0", "-1.05")));
    check(0, true, None);
    check(-105, true, None);
    check(-106, true, Some(("0.05", "-1.06")));
}

#[test]
fn a_market_order_has_no_price_and_a_limit_order_has_one() {
    let with_price = NewOrder { price: Some(100), ..market_order(Side::Buy, 20) };
    let marked = Snapshot { marks: vec![(mark(100), 0)], ..unlimited(fine_units()) };
    let expected = failure(OrdRejReason::InvalidPrice, "field:price", "none for this order type", "1");
    assert_eq!(decide(marked, with_price).check_failures, [expected]);

    let without = NewOrder { price: None, ..limit_order(Side::Buy, 20, 0) };
    let expected = failure(OrdRejReason::InvalidField, "field:price", "set for a limit order", "none");
    assert_eq!(decide(unlimited(fine_units()), without).check_failures, [expected]);
}

#[test]
fn every_wrong_field_is_listed() {
    let order = NewOrder {
        cl_ord_id: "caf\u{e9}".into(),
        side: Err(Unknown(0)),
        ord_type: Err(Unknown(9)),
        time_in_force: Err(Unknown(-1)),
        account: "nobody".into(),
        instrument_id: "NONE.XNAS".into(),
        ..limit_order(Side::Buy, 20, 100)
    };
    let mut machine = machine(unlimited(fine_units()));
    let field = |name: &str, rule: &str, value: &str| {
        failure(OrdRejReason::InvalidField, &format!("field:{name}"), rule, value)
    };
    let expected = [
        field("order_id", "new and positive", "0"),
        field("cl_ord_id", "1 to 64 printable ASCII characters", "caf\u{e9}"),
        field("side", "BUY or SELL", "0"),
        field("ord_type", "MARKET, LIMIT, STOP, STOP_LIMIT or TRAILING_STOP", "9"),
        field("time_in_force", "DAY, GTC, IOC, FOK or GTD", "-1"),
        failure(OrdRejReason::UnknownAccount, "field:account", "an account", "nobody"),
        failure(OrdRejReason::UnknownInstrument, "field:instrument_id", "an instrument", "NONE.XNAS"),
    ];
    assert_eq!(check(&mut machine, 0, order).check_failures, expected);
}

#[test]
fn cl_ord_id_has_1_to_64_characters() {
    let check = |length: usize, approved| {
        let order = NewOrder { cl_ord_id: "x".repeat(length), ..limit_order(Side::Buy, 20, 100) };
        assert_eq!(decide(unlimited(fine_units()), order).approved(), approved, "{length}");
    };
    check(0, false);
    check(1, true);
    check(64, true);
    check(65, false);
}

#[test]
fn an_order_id_is_decided_once() {
    let mut machine = machine(unlimited(fine_units()));
    assert!(check(&mut machine, 7, limit_order(Side::Buy, 20, 100)).approved());
    let again = check(&mut machine, 7, limit_order(Side::Buy, 20, 100));
    assert_eq!(reasons(&again), [OrdRejReason::InvalidField]);
    assert_eq!(machine.exposure(ACCOUNT, INSTRUMENT).open_buy_qty, 20);
}

#[test]
fn limits_in_decimals_meet_scaled_quantities_exactly() {
    let firm = RiskLimit {
        max_order_qty: Some(decimal(1_000_000_000_000_000_001, 18)),
        max_order_notional: Some(decimal(105_000_000, 7)),
        max_position_qty: Some(decimal(15, 1)),
        ..RiskLimit::default()
    };
    let check = |qty, price, expected: &[(OrdRejReason, &str, &str)]| {
        let snapshot = snapshot(fine_units(), limits(vec![firm.clone()], 0));
        let expected: Vec<_> =
            expected.iter().map(|(reason, limit, value)| failure(*reason, "firm", limit, value)).collect();
        let decision = decide(snapshot, limit_order(Side::Buy, qty, price));
        assert_eq!(decision.check_failures, expected, "{qty} at {price}");
    };
    let max_qty = "1.000000000000000001";
    check(1_000, 105, &[]);
    check(1_010, 5, &[(OrdRejReason::MaxOrderQty, max_qty, "1.01")]);
    check(1_000, 110, &[(OrdRejReason::MaxOrderNotional, "10.5", "11")]);
    check(
        1_510,
        110,
        &[
            (OrdRejReason::MaxOrderQty, max_qty, "1.51"),
            (OrdRejReason::MaxOrderNotional, "10.5", "16.61"),
            (OrdRejReason::PositionLimit, "1.5", "1.51"),
        ],
    );
}

#[test]
fn the_tightest_scope_binds_and_of_equal_ones_the_widest() {
    let scope = |account: &str, instrument_id: &str, qty| RiskLimit {
        account: account.into(),
        instrument_id: instrument_id.into(),
        max_order_qty: Some(decimal(qty, 0)),
        ..RiskLimit::default()
    };
    let check = |quantities: [i128; 4], expected: &str| {
        let [firm, account, instrument, both] = quantities;
        let limits = limits(
            vec![
                scope("", "", firm),
                scope(ACCOUNT, "", account),
                scope("", INSTRUMENT, instrument),
                scope(ACCOUNT, INSTRUMENT, both),
                scope("other", "", 1),
                scope("", "OTHER.XNAS", 1),
                scope(ACCOUNT, "OTHER.XNAS", 1),
            ],
            0,
        );
        let decision = decide(snapshot(whole_units(), limits), limit_order(Side::Buy, 11, 1));
        let expected = failure(OrdRejReason::MaxOrderQty, expected, "10", "11");
        assert_eq!(decision.check_failures, [expected]);
    };
    check([10, 20, 20, 20], "firm");
    check([20, 10, 20, 20], "account:A1");
    check([20, 20, 10, 20], "instrument:AAPL.XNAS");
    check([20, 20, 20, 10], "account:A1,instrument:AAPL.XNAS");
    check([10, 10, 10, 10], "firm");
    check([20, 10, 10, 10], "account:A1");
}

#[test]
fn a_market_order_is_valued_at_the_mark_raised_for_a_buy() {
    let check = |side, limit, mark_px, band_bps, expected: Option<&str>| {
        let firm = RiskLimit { max_order_notional: Some(decimal(limit, 0)), ..RiskLimit::default() };
        let terms = InstrumentTerms { allow_negative_price: true, ..whole_units() };
        let limits = limits(vec![firm], band_bps);
        let snapshot = Snapshot { marks: vec![(mark(mark_px), 0)], ..snapshot(terms, limits) };
        let expected = expected.map(|value| failure(OrdRejReason::MaxOrderNotional, "firm", &limit.to_string(), value));
        let decision = decide(snapshot, market_order(side, 10));
        assert_eq!(decision.check_failures, Vec::from_iter(expected), "{side:?} {mark_px}");
    };
    check(Side::Buy, 1_050, 100, 500, None);
    check(Side::Buy, 1_049, 100, 500, Some("1050"));
    check(Side::Buy, 1_050, 100, 501, Some("1060"));
    check(Side::Sell, 1_000, 100, 500, None);
    check(Side::Sell, 999, 100, 500, Some("1000"));
    check(Side::Buy, 1_049, -100, 500, Some("1050"));
    check(Side::Sell, 999, -100, 500, Some("1000"));
}

#[test]
fn a_market_order_without_a_mark_is_refused() {
    let decision = decide(unlimited(whole_units()), market_order(Side::Buy, 10));
    let expected = failure(OrdRejReason::RefPriceStale, "instrument:AAPL.XNAS", "a mark", "none");
    assert_eq!(decision.check_failures, [expected]);
}

#[test]
fn a_notional_beyond_128_bits_is_refused_not_wrapped() {
    let check = |multiplier, expected: &[OrdRejReason]| {
        let terms = InstrumentTerms { multiplier: decimal(multiplier, 0), ..whole_units() };
        let firm = RiskLimit { max_order_notional: Some(decimal(1, 0)), ..RiskLimit::default() };
        let snapshot = snapshot(terms, limits(vec![firm], 0));
        let decision = decide(snapshot, limit_order(Side::Buy, i64::MAX, i64::MAX));
        assert_eq!(reasons(&decision), expected, "multiplier {multiplier}");
    };
    check(1, &[OrdRejReason::MaxOrderNotional]);
    check(2, &[OrdRejReason::MaxOrderNotional]);
    check(3, &[OrdRejReason::InvalidField]);
    check(i64::MAX.into(), &[OrdRejReason::InvalidField]);
}

#[test]
fn position_counts_all_open_orders_of_the_side() {
    let check = |side, qty, expected: Option<&str>| {
        let snapshot = Snapshot {
            positions: vec![position(50)],
            holds: vec![(1, hold(Side::Buy, 30)), (2, hold(Side::Sell, 40))],
            ..snapshot(whole_units(), max_position(100))
        };
        let expected = expected.map(|value| failure(OrdRejReason::PositionLimit, "firm", "100", value));
        let decision = decide(snapshot, limit_order(side, qty, 1));
        assert_eq!(decision.check_failures, Vec::from_iter(expected), "{side:?} {qty}");
    };
    check(Side::Buy, 20, None);
    check(Side::Buy, 21, Some("101"));
    check(Side::Sell, 110, None);
    check(Side::Sell, 111, Some("101"));
}

#[test]
fn a_reducing_order_passes_beyond_the_limit() {
    let check = |net_qty, held, side, qty, approved| {
        let snapshot = Snapshot {
            positions: vec![position(net_qty)],
            holds: vec![(1, hold(side, held))],
            ..snapshot(whole_units(), max_position(0))
        };
        let decision = decide(snapshot, limit_order(side, qty, 1));
        assert_eq!(decision.approved(), approved, "{net_qty} {held} {side:?} {qty}");
    };
    check(500, 200, Side::Sell, 300, true);
    check(500, 200, Side::Sell, 301, false);
    check(-500, 200, Side::Buy, 300, true);
    check(-500, 200, Side::Buy, 301, false);
    check(500, 200, Side::Buy, 1, false);
    check(-500, 200, Side::Sell, 1, false);
}

#[test]
fn an_unknown_side_leaves_only_what_does_not_need_it() {
    let order = NewOrder { side: Err(Unknown(3)), ord_type: Ok(OrdType::Limit), ..limit_order(Side::Buy, 11, 1) };
    let firm = RiskLimit {
        max_order_qty: Some(decimal(10, 0)),
        max_position_qty: Some(decimal(10, 0)),
        ..RiskLimit::default()
    };
    let decision = decide(snapshot(whole_units(), limits(vec![firm], 0)), order);
    assert_eq!(reasons(&decision), [OrdRejReason::InvalidField, OrdRejReason::MaxOrderQty]);
}
