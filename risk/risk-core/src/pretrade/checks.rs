//! The checks, in their one fixed published order.

use super::limits::Binding;
use super::machine::Listed;
use super::{Decimal, Exposure, NewOrder, OrdType, RiskLimit, RiskLimits, Side};

/// Why an order is refused. The order of the variants is the published order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrdRejReason {
    /// A field is missing or unknown, or the order's notional does not fit into 128 bits.
    InvalidField,
    /// No such account.
    UnknownAccount,
    /// No such instrument.
    UnknownInstrument,
    /// The quantity is not positive, off the lot, or out of the instrument's range.
    InvalidQty,
    /// The price is off the tick, out of range, or set where it may not be.
    InvalidPrice,
    /// Larger than the largest order quantity allowed.
    MaxOrderQty,
    /// Worth more than the largest order notional allowed.
    MaxOrderNotional,
    /// There is no mark to value a market order at.
    RefPriceStale,
    /// The position with all open orders of the side would pass the limit.
    PositionLimit,
}

/// One check that an order fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFailure {
    /// The check.
    pub ord_rej_reason: OrdRejReason,
    /// Whose limit it is, or which field: `account:A`, `instrument:I`, `field:side`.
    pub scope: String,
    /// The limit, or the rule of the field.
    pub risk_limit: String,
    /// What the order is or would have made.
    pub value: String,
}

/// What the checks of one order look at.
pub(super) struct Facts<'a> {
    pub(super) order_id: u64,
    pub(super) order: &'a NewOrder,
    /// Whether this order id is held already.
    pub(super) is_held: bool,
    /// None: there is no such account.
    pub(super) exposure: Option<Exposure>,
    /// None: there is no such instrument.
    pub(super) listed: Option<&'a Listed>,
    pub(super) risk_limits: &'a RiskLimits,
}

/// All checks that the order fails, in their published order.
pub(super) fn failures(facts: &Facts) -> Vec<CheckFailure> {
    let mut failures = Vec::new();
    check_fields(facts, &mut failures);
    if facts.exposure.is_none() {
        let value = &facts.order.account;
        failures.push(failure(OrdRejReason::UnknownAccount, "field:account", "an account", value));
    }
    match facts.listed {
        Some(listed) => check_against(listed, facts, &mut failures),
        None => {
            let value = &facts.order.instrument_id;
            let reason = OrdRejReason::UnknownInstrument;
            failures.push(failure(reason, "field:instrument_id", "an instrument", value));
        }
    }
    failures.sort_by_key(|failure| failure.ord_rej_reason);
    failures
}

fn check_fields(facts: &Facts, failures: &mut Vec<CheckFailure>) {
    let order = facts.order;
    let mut invalid = |field: &str, rule, value: String| {
        let scope = format!("field:{field}");
        failures.push(failure(OrdRejReason::InvalidField, scope, rule, value));
    };
    if facts.order_id == 0 || facts.is_held {
        invalid("order_id", "new and positive", facts.order_id.to_string());
    }
    let is_printable = order.cl_ord_id.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !is_printable || !(1..=64).contains(&order.cl_ord_id.len()) {
        invalid("cl_ord_id", "1 to 64 printable ASCII characters", order.cl_ord_id.clone());
    }
    if let Err(unknown) = order.side {
        invalid("side", "BUY or SELL", unknown.0.to_string());
    }
    if let Err(unknown) = order.ord_type {
        invalid("ord_type", "MARKET or LIMIT", unknown.0.to_string());
    }
    if let Err(unknown) = order.time_in_force {
        invalid("time_in_force", "DAY, GTC, IOC or FOK", unknown.0.to_string());
    }
    if order.ord_type == Ok(OrdType::Limit) && order.price.is_none() {
        invalid("price", "set for a limit order", "none".to_owned());
    }
}

/// The checks that need the instrument's units.
fn check_against(listed: &Listed, facts: &Facts, failures: &mut Vec<CheckFailure>) {
    let order = facts.order;
    failures.extend(invalid_qty(listed, order));
    failures.extend(invalid_price(listed, order));
    if order.order_qty <= 0 {
        return; // Not a size that could pass or fit any limit.
    }
    let limits = facts.risk_limits.binding(&order.account, &order.instrument_id);
    failures.extend(max_order_qty(listed, order, &limits));
    failures.extend(max_order_notional(listed, facts, &limits));
    failures.extend(position_limit(listed, facts, &limits));
}

fn invalid_qty(listed: &Listed, order: &NewOrder) -> Option<CheckFailure> {
    let terms = listed.instrument.terms();
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
    let [limit, value] = [broken, qty].map(|qty| listed.instrument.qty(qty.into()));
    Some(failure(OrdRejReason::InvalidQty, scope, limit, value))
}

fn invalid_price(listed: &Listed, order: &NewOrder) -> Option<CheckFailure> {
    let terms = listed.instrument.terms();
    let price = order.price?;
    let value = listed.instrument.price(price);
    let scope = format!("instrument:{}", terms.instrument_id);
    if order.ord_type == Ok(OrdType::Market) {
        let rule = "none for a market order";
        return Some(failure(OrdRejReason::InvalidPrice, "field:price", rule, value));
    }
    if price <= 0 && !terms.allow_negative_price {
        return Some(failure(OrdRejReason::InvalidPrice, scope, 0, value));
    }
    let tick = listed.instrument.price(terms.price_increment);
    (price % terms.price_increment != 0).then(|| failure(OrdRejReason::InvalidPrice, scope, tick, value))
}

fn max_order_qty(listed: &Listed, order: &NewOrder, limits: &Binding) -> Option<CheckFailure> {
    let value = listed.instrument.qty(order.order_qty.into());
    above(limits.tightest(|limit| limit.max_order_qty), value, OrdRejReason::MaxOrderQty)
}

fn max_order_notional(listed: &Listed, facts: &Facts, limits: &Binding) -> Option<CheckFailure> {
    let order = facts.order;
    let price = match (order.ord_type.ok()?, order.side.ok()?) {
        (OrdType::Limit, _) => order.price?.into(),
        (OrdType::Market, side) => match listed.mark_px {
            Some(mark_px) => collar_price(mark_px, side, facts.risk_limits),
            None => return Some(ref_price_stale(order)),
        },
    };
    let Some(value) = listed.instrument.notional(price, order.order_qty) else {
        let reason = OrdRejReason::InvalidField;
        return Some(failure(reason, "field:notional", i128::MAX, "overflow"));
    };
    let limit = limits.tightest(|limit| limit.max_order_notional);
    above(limit, value, OrdRejReason::MaxOrderNotional)
}

/// The price that a market order is valued at, in 10^-`price_scale`.
///
/// Formula: a buy `ceil(mark * (1 + band))`, a sell `mark`.
/// Source: the note of `pretrade.json`.
fn collar_price(mark_px: i64, side: Side, risk_limits: &RiskLimits) -> i128 {
    const ONE_BPS: i128 = 10_000;
    match side {
        Side::Sell => mark_px.into(),
        Side::Buy => {
            let raised = i128::from(mark_px) * (ONE_BPS + i128::from(risk_limits.market_order_band_bps()));
            -(-raised).div_euclid(ONE_BPS)
        }
    }
}

fn ref_price_stale(order: &NewOrder) -> CheckFailure {
    let scope = format!("instrument:{}", order.instrument_id);
    failure(OrdRejReason::RefPriceStale, scope, "a mark", "none")
}

/// The position limit on the worst case of the order's own side.
///
/// An order that reduces (its quantity is at most the position less the open quantity on its own side)
/// passes by construction: its worst case keeps the position's sign or reaches 0, and the side that it
/// adds to is not the side that is limited. So it passes however far beyond the limit the position is.
fn position_limit(listed: &Listed, facts: &Facts, limits: &Binding) -> Option<CheckFailure> {
    let worst = facts.exposure?.worst_case(facts.order.side.ok()?, facts.order.order_qty);
    let value = listed.instrument.qty(worst);
    let limit = limits.tightest(|limit| limit.max_position_qty);
    above(limit, value, OrdRejReason::PositionLimit)
}

/// Equality passes, one unit more fails.
fn above(tightest: Option<(Decimal, &RiskLimit)>, value: Decimal, reason: OrdRejReason) -> Option<CheckFailure> {
    let (limit, scope) = tightest?;
    (value > limit).then(|| failure(reason, scope.scope(), limit, value))
}

fn failure(
    ord_rej_reason: OrdRejReason,
    scope: impl Into<String>,
    risk_limit: impl ToString,
    value: impl ToString,
) -> CheckFailure {
    CheckFailure { ord_rej_reason, scope: scope.into(), risk_limit: risk_limit.to_string(), value: value.to_string() }
}
