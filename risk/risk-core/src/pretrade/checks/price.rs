//! Prices: the static collar, the age of the mark, the collar to the mark, aggressive prices.

use super::{CheckFailure, Facts, OrdRejReason, failure};
use crate::pretrade::book::{Listed, Scope};
use crate::pretrade::windows::MILLI_NS;
use crate::pretrade::{Decimal, Instrument, OrdType, Side};

pub(super) fn check(facts: &Facts, failures: &mut Vec<CheckFailure>) {
    let Some((listed, instrument)) = facts.listed() else { return };
    static_collar(facts, instrument, failures);
    failures.extend(stale(facts, listed));
    if let (Ok(OrdType::Limit), Some(price), Some((mark_px, _))) =
        (facts.order().ord_type, facts.order().price, listed.mark)
    {
        collar(facts, instrument, price, mark_px, failures);
        aggressive(facts, instrument, price, mark_px, failures);
    }
}

/// Limit and trigger prices around a reference that a person set.
fn static_collar(facts: &Facts, instrument: &Instrument, failures: &mut Vec<CheckFailure>) {
    let order = facts.order();
    for price in [order.price, order.stop_px].into_iter().flatten() {
        let price = instrument.price(price.into());
        let outside = facts.scopes().find_map(|(_, scope)| {
            let bps = i64::from(scope.limit.static_collar_bps?);
            let Some(reference) = scope.limit.static_reference_px else {
                return Some((scope, "a reference price".to_owned()));
            };
            beyond(price, reference, bps).map(|bound| (scope, bound.to_string()))
        });
        if let Some((scope, bound)) = outside {
            return failures.push(failure(OrdRejReason::PriceCollarStatic, facts.name(scope), bound, price));
        }
    }
}

/// The bound that a price is beyond.
fn beyond(price: Decimal, reference: Decimal, bps: i64) -> Option<Decimal> {
    let (lower, upper) = (reference.moved(-bps), reference.moved(bps));
    match price {
        price if price < lower => Some(lower),
        price if price > upper => Some(upper),
        _ => None,
    }
}

/// No mark where one is needed, or one that is too old.
fn stale(facts: &Facts, listed: &Listed) -> Option<CheckFailure> {
    let scope = || format!("instrument:{}", facts.order().instrument_id);
    let Some((_, marked_at)) = listed.mark else {
        let is_needed = matches!(facts.order().ord_type, Ok(OrdType::Market | OrdType::TrailingStop))
            || facts.scopes().any(|(_, scope)| needs_mark(scope) && !facts.reduces(scope));
        return is_needed.then(|| failure(OrdRejReason::RefPriceStale, scope(), "a mark", "none"));
    };
    let age_ns = i128::from(facts.now_ns) - i128::from(marked_at);
    let too_old = facts.scopes().filter_map(|(_, scope)| Some((scope.limit.max_mark_age_ms?, scope)));
    let (age_ms, scope) = too_old.min_by_key(|(age_ms, _)| *age_ms)?;
    let age = Decimal::scaled(age_ns, 6);
    (age_ns > i128::from(age_ms) * i128::from(MILLI_NS))
        .then(|| failure(OrdRejReason::RefPriceStale, facts.name(scope), format!("{age_ms} ms"), format!("{age} ms")))
}

fn needs_mark(scope: &Scope) -> bool {
    let limit = &scope.limit;
    let amounts = [limit.max_gross_notional, limit.max_net_notional, limit.max_leverage, limit.initial_margin_ratio];
    let counts = [limit.price_collar_bps, limit.max_aggressive_ticks, limit.max_mark_age_ms];
    amounts.iter().any(Option::is_some) || counts.iter().any(Option::is_some) || limit.max_var.is_some()
}

fn collar(facts: &Facts, instrument: &Instrument, price: i64, mark_px: i64, failures: &mut Vec<CheckFailure>) {
    let [price, mark] = [price, mark_px].map(|px| instrument.price(px.into()));
    let outside = facts.scopes().filter_map(|(_, scope)| {
        let bps = i64::from(scope.limit.price_collar_bps?);
        Some((bps, scope, beyond(price, mark, bps)?))
    });
    if let Some((_, scope, bound)) = outside.min_by_key(|(bps, ..)| *bps) {
        failures.push(failure(OrdRejReason::PriceCollar, facts.name(scope), bound, price));
    }
}

fn aggressive(facts: &Facts, instrument: &Instrument, price: i64, mark_px: i64, failures: &mut Vec<CheckFailure>) {
    let Ok(side) = facts.order().side else { return };
    let tightest = facts.scopes().filter_map(|(_, scope)| Some((scope.limit.max_aggressive_ticks?, scope)));
    let Some((ticks, scope)) = tightest.min_by_key(|(ticks, _)| *ticks) else { return };
    let room = i128::from(ticks) * i128::from(instrument.terms().price_increment);
    let (is_through, bound) = match side {
        Side::Buy => (i128::from(price) > i128::from(mark_px) + room, i128::from(mark_px) + room),
        Side::Sell => (i128::from(price) < i128::from(mark_px) - room, i128::from(mark_px) - room),
    };
    if is_through {
        let (bound, price) = (instrument.price(bound), instrument.price(price.into()));
        failures.push(failure(OrdRejReason::AggressivePrice, facts.name(scope), bound, price));
    }
}
