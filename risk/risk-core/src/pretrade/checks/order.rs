//! The order on its own: its fields, its quantity, its prices, its worth.

use super::{CheckFailure, Facts, OrdRejReason, failure};
use crate::pretrade::{Decimal, Instrument, NewOrder, OrdType, RiskLimit, Side};

pub(super) fn check(facts: &Facts, failures: &mut Vec<CheckFailure>) {
    check_fields(facts, failures);
    let order = facts.order();
    if facts.account.is_none() {
        failures.push(failure(OrdRejReason::UnknownAccount, "field:account", "an account", &order.account));
    }
    let Some((_, instrument)) = facts.listed() else {
        let value = &order.instrument_id;
        return failures.push(failure(OrdRejReason::UnknownInstrument, "field:instrument_id", "an instrument", value));
    };
    if let Some(rule) = instrument.closed(facts.now_ns) {
        let scope = format!("instrument:{}", order.instrument_id);
        failures.push(failure(OrdRejReason::InstrumentClosed, scope, rule, facts.now_ns));
    }
    failures.extend(invalid_qty(instrument, order));
    failures.extend(invalid_prices(instrument, order));
    if order.order_qty > 0 {
        // Else it has no size that could pass or fit any limit.
        check_size(facts, instrument, failures);
        check_batch(facts, failures);
    }
}

fn check_fields(facts: &Facts, failures: &mut Vec<CheckFailure>) {
    let order = facts.order();
    let mut invalid = |field: &str, rule, value: String| {
        failures.push(failure(OrdRejReason::InvalidField, format!("field:{field}"), rule, value));
    };
    if facts.is_wrong_id {
        let rule = if facts.is_replace { "of an open order" } else { "new and positive" };
        invalid("order_id", rule, facts.asked.order_id.to_string());
    }
    let is_printable = order.cl_ord_id.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !is_printable || !(1..=64).contains(&order.cl_ord_id.len()) {
        invalid("cl_ord_id", "1 to 64 printable ASCII characters", order.cl_ord_id.clone());
    }
    if let Err(unknown) = order.side {
        invalid("side", "BUY or SELL", unknown.0.to_string());
    }
    if let Err(unknown) = order.ord_type {
        invalid("ord_type", "MARKET, LIMIT, STOP, STOP_LIMIT or TRAILING_STOP", unknown.0.to_string());
    }
    if let Err(unknown) = order.time_in_force {
        invalid("time_in_force", "DAY, GTC, IOC, FOK or GTD", unknown.0.to_string());
    }
    if matches!(order.ord_type, Ok(OrdType::Limit | OrdType::StopLimit)) && order.price.is_none() {
        invalid("price", "set for a limit order", "none".to_owned());
    }
    if matches!(order.ord_type, Ok(OrdType::Stop | OrdType::StopLimit)) && order.stop_px.is_none() {
        invalid("stop_px", "set for a stop order", "none".to_owned());
    }
    let trailing = (order.trailing_amount, order.trailing_bps);
    let is_trailing = order.ord_type == Ok(OrdType::TrailingStop);
    if is_trailing && !matches!(trailing, (1.., 0) | (0, 1..=9_999)) {
        let value = format!("{} and {}", trailing.0, trailing.1);
        invalid("trailing_amount", "positive, or trailing_bps 1 to 9999, not both", value);
    }
}

fn invalid_qty(instrument: &Instrument, order: &NewOrder) -> Option<CheckFailure> {
    let terms = instrument.terms();
    let qty = order.order_qty;
    let broken = if qty <= 0 {
        0
    } else if qty % terms.qty_increment != 0 {
        terms.qty_increment
    } else if qty < terms.min_qty {
        terms.min_qty
    } else if terms.max_qty != 0 && qty > terms.max_qty {
        terms.max_qty
    } else {
        return None;
    };
    let scope = format!("instrument:{}", terms.instrument_id);
    let [limit, value] = [broken, qty].map(|qty| instrument.qty(qty.into()));
    Some(failure(OrdRejReason::InvalidQty, scope, limit, value))
}

fn invalid_prices(instrument: &Instrument, order: &NewOrder) -> Option<CheckFailure> {
    let (has_price, has_stop_px) = match order.ord_type {
        Ok(OrdType::Market | OrdType::TrailingStop) => (false, false),
        Ok(OrdType::Limit) => (true, false),
        Ok(OrdType::Stop) => (false, true),
        Ok(OrdType::StopLimit) | Err(_) => (true, true),
    };
    invalid_price(instrument, "price", order.price, has_price)
        .or_else(|| invalid_price(instrument, "stop_px", order.stop_px, has_stop_px))
}

fn invalid_price(instrument: &Instrument, field: &str, price: Option<i64>, is_meant: bool) -> Option<CheckFailure> {
    let terms = instrument.terms();
    let price = price?;
    let value = instrument.price(price.into());
    if !is_meant {
        let rule = "none for this order type";
        return Some(failure(OrdRejReason::InvalidPrice, format!("field:{field}"), rule, value));
    }
    let scope = format!("instrument:{}", terms.instrument_id);
    if price <= 0 && !terms.allow_negative_price {
        return Some(failure(OrdRejReason::InvalidPrice, scope, 0, value));
    }
    let tick = instrument.price(terms.price_increment.into());
    (price % terms.price_increment != 0).then(|| failure(OrdRejReason::InvalidPrice, scope, tick, value))
}

/// Fat fingers: quantity, notional, share of the daily volume.
fn check_size(facts: &Facts, instrument: &Instrument, failures: &mut Vec<CheckFailure>) {
    let qty = instrument.qty(facts.order().order_qty.into());
    above(facts, OrdRejReason::MaxOrderQty, qty, |limit| limit.max_order_qty, failures);
    if let Some(price) = facts.price {
        match instrument.notional(price, facts.order().order_qty) {
            Some(value) => {
                above(facts, OrdRejReason::MaxOrderNotional, value, |limit| limit.max_order_notional, failures);
            }
            None => failures.push(failure(OrdRejReason::InvalidField, "field:notional", i128::MAX, "overflow")),
        }
    }
    let concentrated = facts.scopes().filter_map(|(_, scope)| {
        let bps = scope.limit.max_adv_share_bps?;
        // Without a volume nothing is a known share of it.
        let adv = scope.limit.adv_qty.unwrap_or(Decimal::ZERO);
        let limit = adv.basis_points(bps.into());
        (qty > limit).then_some((limit, scope, qty))
    });
    facts.tightest(OrdRejReason::Concentration, concentrated, failures);
}

fn check_batch(facts: &Facts, failures: &mut Vec<CheckFailure>) {
    let orders = facts.asked.batch_orders.max(1);
    let too_many = facts.scopes().filter_map(|(_, scope)| {
        let limit = scope.limit.max_batch_orders?;
        (orders > limit).then_some((Decimal::whole(limit.into()), scope, Decimal::whole(orders.into())))
    });
    facts.tightest(OrdRejReason::BatchSize, too_many, failures);
    let own =
        || facts.listed().zip(facts.price).and_then(|((_, it), price)| it.notional(price, facts.order().order_qty));
    if let Some(worth) = facts.asked.batch_notional.or_else(own) {
        above(facts, OrdRejReason::BatchValue, worth, |limit| limit.max_batch_notional, failures);
    }
}

/// Equality passes, one unit more fails.
fn above(
    facts: &Facts,
    reason: OrdRejReason,
    value: Decimal,
    of: impl Fn(&RiskLimit) -> Option<Decimal>,
    failures: &mut Vec<CheckFailure>,
) {
    let passed = facts.scopes().filter_map(|(_, scope)| Some((of(&scope.limit)?, scope, value)));
    facts.tightest(reason, passed.filter(|(limit, ..)| value > *limit), failures);
}

/// The price that an order counts at, in 10^-`price_scale`; None: it takes a mark, and there is none.
///
/// Formula: a limit order at its price; a stop at its trigger price, a trailing one at where that price is now and a
/// market order at the mark, a buy each time raised by the band: `ceil(px * (1 + band))`.
/// Source: the note of `pretrade.json`.
pub(in crate::pretrade) fn counted_price(order: &NewOrder, mark_px: Option<i64>, band_bps: u32) -> Option<i128> {
    let side = order.side.ok()?;
    let raised = |px: i128| match side {
        Side::Sell => px,
        Side::Buy => -(-px * (ONE_BPS + i128::from(band_bps))).div_euclid(ONE_BPS),
    };
    match order.ord_type.ok()? {
        OrdType::Limit | OrdType::StopLimit => order.price.map(i128::from),
        OrdType::Stop => order.stop_px.map(|px| raised(px.into())),
        OrdType::Market => mark_px.map(|px| raised(px.into())),
        OrdType::TrailingStop => {
            let mark_px = i128::from(mark_px?);
            let away = i128::from(order.trailing_amount) + (mark_px.abs() * i128::from(order.trailing_bps)) / ONE_BPS;
            Some(raised(if side == Side::Buy { mark_px + away } else { mark_px }))
        }
    }
}

const ONE_BPS: i128 = 10_000;
