//! `pretrade.json`: the cases whose checks are served.

use std::path::Path;

use risk_core::pretrade::{InstrumentTerms, OrdRejReason, RiskLimit, Side, Snapshot};
use serde_json::Value;

use crate::fixture;

/// The checks of the vectors that are not served yet; a case that fails nothing else is left out, one
/// that fails others too is compared on those.
const NOT_SERVED: [&str; 3] = ["KILL_SWITCH", "PRICE_COLLAR", "RATE_LIMIT"];

#[test]
fn cases_of_served_checks_are_decided_as_published() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/risk/pretrade.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("left out: the reference vectors are not there ({})", path.display());
        return;
    };
    let vectors: Value = serde_json::from_str(&text).expect("JSON");
    let cases = vectors["cases"].as_array().expect("a list of cases");
    let left_out = cases.iter().filter(|case| !decided_as_published(case)).count();
    println!("pretrade.json: {} cases equal, {left_out} left out", cases.len() - left_out);
    assert!(cases.len() - left_out >= 18, "served checks decide 18 cases");
}

/// False when the case is about a check that is not served.
fn decided_as_published(case: &Value) -> bool {
    let id = &case["id"];
    let published = case["expected"]["failures"].as_array().expect("failures");
    let published: Vec<&str> = published.iter().filter_map(Value::as_str).collect();
    let served: Vec<&str> = published.iter().copied().filter(|code| !NOT_SERVED.contains(code)).collect();
    if served.is_empty() && !published.is_empty() {
        println!("left out: {id} ({})", published.join(", "));
        return false;
    }
    let (limits, state, order) = (&case["limits"], &case["state"], &case["order"]);
    let side = if order["side"] == "buy" { Side::Buy } else { Side::Sell };
    let mut machine = fixture::machine(snapshot(limits, state, side));
    let qty = integer(&order["qty"]);
    let order = match order["type"].as_str() {
        Some("market") => fixture::market_order(side, qty),
        _ => fixture::limit_order(side, qty, integer(&order["price_ticks"])),
    };
    let decision = fixture::check(&mut machine, 100, order);
    let got: Vec<&str> = fixture::reasons(&decision).into_iter().map(code).collect();
    assert_eq!(got, served, "{id}");
    assert_eq!(decision.approved(), served.is_empty(), "{id}");
    true
}

fn snapshot(limits: &Value, state: &Value, side: Side) -> Snapshot {
    let max_position = if side == Side::Buy { "max_long" } else { "max_short" };
    let limit = |name: &str| Some(fixture::decimal(integer(&limits[name]).into(), 0));
    let risk_limit = RiskLimit {
        max_order_qty: limit("max_order_qty"),
        max_order_notional: limit("max_order_notional_minor"),
        max_position_qty: limit(max_position),
        ..RiskLimit::default()
    };
    let band_bps = u32::try_from(integer(&limits["band_bps"])).expect("a band");
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
        marks: vec![fixture::mark(integer(&state["ref_ticks"]))],
        ..fixture::snapshot(terms, fixture::limits(vec![risk_limit], band_bps))
    }
}

fn integer(value: &Value) -> i64 {
    value.as_i64().expect("an integer")
}

fn code(reason: OrdRejReason) -> &'static str {
    match reason {
        OrdRejReason::InvalidField => "INVALID_FIELD",
        OrdRejReason::UnknownAccount => "UNKNOWN_ACCOUNT",
        OrdRejReason::UnknownInstrument => "UNKNOWN_INSTRUMENT",
        OrdRejReason::InvalidQty => "INVALID_QTY",
        OrdRejReason::InvalidPrice => "INVALID_PRICE",
        OrdRejReason::MaxOrderQty => "MAX_ORDER_QTY",
        OrdRejReason::MaxOrderNotional => "MAX_ORDER_NOTIONAL",
        OrdRejReason::RefPriceStale => "REF_PRICE_STALE",
        OrdRejReason::PositionLimit => "POSITION_LIMIT",
    }
}
