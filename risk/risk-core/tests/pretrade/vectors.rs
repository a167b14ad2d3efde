//! `pretrade.json`, all of it, through the public interface.

use std::path::Path;

use risk_core::pretrade::{Event, InstrumentTerms, Machine, OrdRejReason, RiskLimit, Side, Snapshot, TradingScope};
use serde_json::Value;

use crate::fixture;

#[test]
fn every_case_is_decided_as_published() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/risk/pretrade.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("left out: the reference vectors are not there ({})", path.display());
        return;
    };
    let vectors: Value = serde_json::from_str(&text).expect("JSON");
    let cases = vectors["cases"].as_array().expect("a list of cases");
    cases.iter().for_each(decided_as_published);
    assert_eq!(cases.len(), 22);
}

fn decided_as_published(case: &Value) {
    let id = &case["id"];
    let published = case["expected"]["failures"].as_array().expect("failures");
    let published: Vec<&str> = published.iter().filter_map(Value::as_str).collect();
    let (limits, state, order) = (&case["limits"], &case["state"], &case["order"]);
    let side = if order["side"] == "buy" { Side::Buy } else { Side::Sell };
    let mut machine = fixture::machine(snapshot(limits, state, side));
    drain(&mut machine, limits, state);
    if state["kill_switch"] == true {
        fixture::apply(&mut machine, Event::KillSwitch(TradingScope::default(), true));
    }
    let qty = integer(&order["qty"]);
    let price = integer(&order["price_ticks"]);
    let order = match order["type"].as_str() {
        Some("market") => (fixture::market_order(side, qty), &order["t_ns"]),
        _ => (fixture::limit_order(side, qty, price), &order["t_ns"]),
    };
    let decision = fixture::check_at(&mut machine, integer(order.1), 100, order.0);
    let got: Vec<&str> = fixture::reasons(&decision).into_iter().map(code).collect();
    assert_eq!(got, published, "{id}");
    assert_eq!(Value::from(decision.approved()), case["expected"]["accept"], "{id}");
}

/// Leaves in the bucket what the state says: an order takes a token, whatever becomes of it.
fn drain(machine: &mut Machine, limits: &Value, state: &Value) {
    let left = integer(&state["tokens_e9"]) / 1_000_000_000;
    for order_id in 1_000..1_000 + integer(&limits["burst"]) - left {
        let refused = fixture::limit_order(Side::Buy, -1, 1);
        let order_id = u64::try_from(order_id).expect("an id");
        assert!(!fixture::check_at(machine, integer(&state["last_t_ns"]), order_id, refused).approved());
    }
}

fn snapshot(limits: &Value, state: &Value, side: Side) -> Snapshot {
    let max_position = if side == Side::Buy { "max_long" } else { "max_short" };
    let limit = |name: &str| Some(fixture::decimal(integer(&limits[name]).into(), 0));
    let whole = |name: &str| Some(u32::try_from(integer(&limits[name])).expect("32 bits"));
    let risk_limit = RiskLimit {
        max_order_qty: limit("max_order_qty"),
        max_order_notional: limit("max_order_notional_minor"),
        max_position_qty: limit(max_position),
        price_collar_bps: whole("band_bps"),
        order_rate_per_s: whole("rate_per_s"),
        order_burst: whole("burst"),
        ..RiskLimit::default()
    };
    let terms = InstrumentTerms {
        qty_increment: integer(&limits["lot"]),
        multiplier: fixture::decimal(integer(&limits["tick_value_minor"]).into(), 0),
        ..fixture::whole_units()
    };
    Snapshot {
        positions: vec![fixture::position(integer(&state["position"]))],
        holds: vec![
            (1, fixture::hold(Side::Buy, integer(&state["open_buy_qty"]))),
            (2, fixture::hold(Side::Sell, integer(&state["open_sell_qty"]))),
        ],
        marks: vec![(fixture::mark(integer(&state["ref_ticks"])), 0)],
        ..fixture::snapshot(terms, fixture::limits(vec![risk_limit], whole("band_bps").expect("a band")))
    }
}

fn integer(value: &Value) -> i64 {
    value.as_i64().expect("an integer")
}

fn code(reason: OrdRejReason) -> &'static str {
    match reason {
        OrdRejReason::KillSwitch => "KILL_SWITCH",
        OrdRejReason::InvalidQty => "INVALID_QTY",
        OrdRejReason::MaxOrderQty => "MAX_ORDER_QTY",
        OrdRejReason::MaxOrderNotional => "MAX_ORDER_NOTIONAL",
        OrdRejReason::PriceCollar => "PRICE_COLLAR",
        OrdRejReason::RateLimit => "RATE_LIMIT",
        OrdRejReason::PositionLimit => "POSITION_LIMIT",
        other => panic!("a check that the vectors do not name: {other:?}"),
    }
}
