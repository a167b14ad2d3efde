//! What came before: order rate, duplicates, self-trades and latches.

use super::{CheckFailure, Facts, OrdRejReason, failure};
use crate::pretrade::money::ATTOS_SCALE;
use crate::pretrade::windows::Likeness;
use crate::pretrade::{Decimal, NewOrder, OrdType, TradingState};

pub(super) fn check(facts: &Facts, failures: &mut Vec<CheckFailure>) {
    let Some(cell) = facts.cell else { return };
    rate(facts, failures);
    if !facts.is_replace {
        duplicates(facts, cell, failures);
    }
    failures.extend(losses(facts));
    failures.extend(self_trade(facts, cell));
    latches(facts, cell, failures);
}

fn rate(facts: &Facts, failures: &mut Vec<CheckFailure>) {
    let empty = facts.scopes().find_map(|(_, scope)| {
        let bucket = scope.conduct.bucket_at(&scope.limit, facts.now_ns)?;
        (!bucket.has_token()).then_some((scope, bucket))
    });
    if let Some((scope, bucket)) = empty {
        let tokens = Decimal::scaled(bucket.tokens_e9, 9);
        failures.push(failure(OrdRejReason::RateLimit, facts.name(scope), "1 token", tokens));
    }
}

fn duplicates(facts: &Facts, cell: usize, failures: &mut Vec<CheckFailure>) {
    let Some(likeness) = likeness(facts.order(), cell) else { return };
    let flooded = facts.scopes().filter_map(|(_, scope)| {
        let (limit, window_ms) = (scope.limit.duplicate_count?, scope.limit.duplicate_window_ms?);
        let seen = scope.conduct.duplicates.count(&likeness, facts.now_ns, window_ms);
        let value = u64::from(seen) + 1;
        (value >= limit.into()).then_some((Decimal::whole(limit.into()), scope, Decimal::whole(value)))
    });
    facts.tightest(OrdRejReason::DuplicateFlood, flooded, failures);
}

/// In what an order is like another one that came; None: it is not an order yet.
pub(in crate::pretrade) fn likeness(order: &NewOrder, cell: usize) -> Option<Likeness> {
    Some(Likeness {
        cell,
        side: order.side.ok()?,
        qty: order.order_qty,
        price: order.price,
        stop_px: order.stop_px,
        ord_type: order.ord_type.ok()?,
    })
}

/// A loss that latched, or that is beyond its limit now.
fn losses(facts: &Facts) -> Option<CheckFailure> {
    facts.scopes().find_map(|(_, scope)| {
        let reduces = facts.reduces(scope);
        let latch = scope.conduct.loss.filter(|latch| !reduces || latch.trading_state == TradingState::Halted);
        let latched = latch.map(|latch| (latch.limit, latch.value));
        let now = || {
            let mut losses = scope.conduct.losses(&scope.limit, scope.equity()?);
            losses.find(|(limit, value)| value > limit && !reduces)
        };
        let (limit, value) = latched.or_else(now)?;
        let [limit, value] = [limit, value].map(|it| Decimal::scaled(it, ATTOS_SCALE));
        Some(failure(OrdRejReason::LossLimit, facts.name(scope), limit, value))
    })
}

/// Whether it would trade with an order of its own account. A market order trades as far as it is valued.
fn self_trade(facts: &Facts, cell: usize) -> Option<CheckFailure> {
    let order = facts.order();
    let (_, scope) = facts.scopes().find(|(_, scope)| scope.limit.prevent_self_trade)?;
    let (side, price) = (order.side.ok()?, facts.price?);
    if order.prevents_self_trade || !matches!(order.ord_type, Ok(OrdType::Market | OrdType::Limit)) {
        return None;
    }
    let state = facts.state;
    let crossed = state.books[state.cells[cell].book].ladder.crossed(side, price)?;
    let (_, instrument) = facts.listed()?;
    Some(failure(OrdRejReason::Stp, facts.name(scope), instrument.price(crossed.into()), instrument.price(price)))
}

fn latches(facts: &Facts, cell: usize, failures: &mut Vec<CheckFailure>) {
    let state = facts.state;
    let NewOrder { account, strategy_id, .. } = facts.order();
    if state.latched.contains_key(&(state.books[state.cells[cell].book].account, state.cells[cell].strategy)) {
        let scope = crate::pretrade::scope::name(&[account, strategy_id]);
        failures.push(failure(OrdRejReason::StrategyLatched, scope, "ACTIVE", "latched"));
    }
    for reason in [OrdRejReason::RejectStorm, OrdRejReason::OtrLimit] {
        let latched = facts.scopes().find_map(|(_, scope)| {
            let (.., limit) = scope.conduct.latched(&scope.limit).find(|(latched, ..)| *latched == reason)?;
            Some((scope, limit))
        });
        if let Some((scope, limit)) = latched {
            failures.push(failure(reason, facts.name(scope), limit, "latched"));
        }
    }
}
