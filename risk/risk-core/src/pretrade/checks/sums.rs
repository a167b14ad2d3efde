//! Sums over positions and open orders: position, notional, leverage, margin, the day's trading, VaR.

use super::{CheckFailure, Facts, OrdRejReason, Placed, failure};
use crate::pretrade::book::Scope;
use crate::pretrade::exposure::{Exposure, Totals};
use crate::pretrade::money::{ATTOS_SCALE, Attos, Round, attos, mul_div};
use crate::pretrade::{Decimal, Instrument, Side};

pub(super) fn check(facts: &Facts, failures: &mut Vec<CheckFailure>) {
    let (Some((_, instrument)), Some(placed)) = (facts.listed(), &facts.placed) else { return };
    positions(facts, instrument, placed, failures);
    let mut stale = None;
    totals(facts, placed, &mut stale, failures);
    var(facts, placed, &mut stale, failures);
    failures.extend(stale);
}

/// Position limits on the worst case of the order's own side. An order that reduces passes by construction: its worst
/// case keeps the position's sign or reaches 0, and the side that it adds to is not the side that is limited.
fn positions(facts: &Facts, instrument: &Instrument, placed: &Placed, failures: &mut Vec<CheckFailure>) {
    let worst = |scope: &Scope| {
        let after = facts.exposure(scope).plus(&placed.change)?;
        Some(after.worst_case(placed.side)).filter(|_| !facts.reduces(scope))
    };
    let passed = facts.scopes().filter_map(|(_, scope)| {
        let value = instrument.qty(worst(scope)?);
        let limit = position_limit(scope, placed.side)?;
        (value > limit).then_some((limit, scope, value))
    });
    facts.tightest(OrdRejReason::PositionLimit, passed, failures);
    if placed.side == Side::Sell {
        let short = facts.scopes().find_map(|(_, scope)| {
            let worst = worst(scope).filter(|worst| scope.limit.no_short && *worst > 0)?;
            Some((scope, worst))
        });
        if let Some((scope, worst)) = short {
            let value = instrument.qty(-worst);
            failures.push(failure(OrdRejReason::ShortNotAllowed, facts.name(scope), 0, value));
        }
    }
}

/// The tightest limit of a scope on the position in the direction of a side.
fn position_limit(scope: &Scope, side: Side) -> Option<Decimal> {
    let limit = &scope.limit;
    let of_side = if side == Side::Buy { limit.max_long_qty } else { limit.max_short_qty };
    [limit.max_position_qty, of_side].into_iter().flatten().min()
}

/// The position limit of a scope that an exposure is beyond at its worst, and its value.
pub(in crate::pretrade) fn over_position(
    scope: &Scope,
    instrument: &Instrument,
    exposure: &Exposure,
) -> Option<(OrdRejReason, Decimal, Decimal)> {
    let [long, short] = [Side::Buy, Side::Sell].map(|side| {
        let value = instrument.qty(exposure.worst_case(side));
        let limit = position_limit(scope, side).filter(|limit| value > *limit)?;
        Some((OrdRejReason::PositionLimit, limit, value))
    });
    let worst = exposure.worst_case(Side::Sell);
    let no_short = scope.limit.no_short && worst > 0;
    let no_short = no_short.then(|| (OrdRejReason::ShortNotAllowed, Decimal::ZERO, instrument.qty(-worst)));
    long.or(short).or(no_short)
}

/// One sum of a scope with its limit.
#[derive(Clone, Copy)]
pub(in crate::pretrade) struct Reading {
    pub(in crate::pretrade) reason: OrdRejReason,
    limit: Option<Attos>,
    value: Option<Attos>,
    scale: u32,
    /// A reducing order does not raise it.
    is_exposure: bool,
}

impl Reading {
    /// Known, and beyond its limit.
    pub(in crate::pretrade) fn is_passed(&self) -> bool {
        self.limit.zip(self.value).is_some_and(|(limit, value)| value > limit)
    }

    /// Limit and value for a reader.
    pub(in crate::pretrade) fn shown(&self) -> (Decimal, Decimal) {
        let shown = |amount: Option<Attos>| Decimal::scaled(amount.unwrap_or_default(), self.scale);
        (shown(self.limit), shown(self.value))
    }
}

/// What of a scope is limited, as far as it has limits. None as a value: not known.
pub(in crate::pretrade) fn readings(
    scope: &Scope,
    totals: &Totals,
    equity: Option<Attos>,
) -> impl Iterator<Item = (usize, Reading)> + use<> {
    let limit = &scope.limit;
    let marked = |value: Attos| (totals.unmarked == 0).then_some(value);
    let rated = |value: Attos| (totals.unrated == 0).then_some(value);
    let reading = |reason, limit: Option<Attos>, value: Option<Attos>, scale, is_exposure| {
        limit.map(|limit| Reading { reason, limit: Some(limit), value, scale, is_exposure })
    };
    let money = |reason, limit: Option<Decimal>, value, is_exposure| {
        reading(reason, limit.map(attos), value, ATTOS_SCALE, is_exposure)
    };
    // The limits of leverage and margin are made of the equity, and unknown with it.
    let of_equity = |reason, ratio: Option<Decimal>, compare: &dyn Fn(i128, i128) -> (Option<Attos>, Option<Attos>)| {
        let ratio = ratio?;
        let (limit, value) = compare(ratio.mantissa(), 10i128.pow(ratio.scale()));
        Some(Reading { reason, limit, value: limit.and(value), scale: ATTOS_SCALE, is_exposure: true })
    };
    let gross = marked(totals.gross);
    [
        reading(
            OrdRejReason::MaxOpenOrders,
            limit.max_open_orders.map(Attos::from),
            Some(totals.open_orders),
            0,
            false,
        ),
        money(OrdRejReason::MaxOpenNotional, limit.max_open_notional, rated(totals.open_notional), false),
        money(OrdRejReason::MaxExposure, limit.max_gross_notional, gross, true),
        money(OrdRejReason::MaxExposure, limit.max_net_notional, marked(totals.net()), true),
        of_equity(OrdRejReason::MaxExposure, limit.max_leverage, &|num, den| {
            (equity.and_then(|equity| mul_div(equity, num, den, Round::Down)), gross)
        }),
        money(
            OrdRejReason::DailyValue,
            limit.max_daily_notional,
            rated(totals.traded_notional + totals.open_notional),
            true,
        ),
        money(OrdRejReason::DailyValue, limit.max_daily_qty, rated(totals.traded_qty + totals.open_qty), true),
        of_equity(OrdRejReason::InsufficientMargin, limit.initial_margin_ratio, &|num, den| {
            (equity, gross.and_then(|gross| mul_div(gross, num, den, Round::Up)))
        }),
    ]
    .into_iter()
    .enumerate()
    .filter_map(|(place, reading)| Some((place, reading?)))
}

/// Every sum with the order in it. A reducing order passes those of exposure; what no order makes larger passes all.
fn totals(facts: &Facts, placed: &Placed, stale: &mut Option<CheckFailure>, failures: &mut Vec<CheckFailure>) {
    let first = failures.len();
    let is_marked = facts.listed().is_some_and(|(listed, _)| listed.mark.is_some());
    for (_, scope) in facts.scopes() {
        let equity = facts.state.scopes[scope.purse].equity();
        let Some(after) = totals_after(facts, scope, placed) else { return };
        let before = readings(scope, &scope.totals, equity);
        for ((_, before), (_, after)) in before.zip(readings(scope, &after, equity)) {
            let is_no_more = !placed.adds() || (after.value.is_some() && after.value <= before.value);
            match after.value {
                _ if if after.is_exposure { facts.reduces(scope) } else { is_no_more } => {}
                // Without a mark of its own it is refused for that.
                None if !is_marked => {}
                None => {
                    stale.get_or_insert_with(|| not_known(facts.name(scope), "marks and rates of everything"));
                }
                Some(_)
                    if after.is_passed() && !failures[first..].iter().any(|it| it.ord_rej_reason == after.reason) =>
                {
                    let (limit, value) = after.shown();
                    failures.push(failure(after.reason, facts.name(scope), limit, value));
                }
                Some(_) => {}
            }
        }
        let is_lost =
            (scope.limit.max_daily_loss.is_some() || scope.limit.max_drawdown.is_some()) && scope.equity().is_none();
        if is_lost && !facts.reduces(scope) {
            stale.get_or_insert_with(|| not_known(facts.name(scope), "equity"));
        }
    }
}

fn totals_after(facts: &Facts, scope: &Scope, placed: &Placed) -> Option<Totals> {
    let (listed, _) = facts.listed()?;
    let units = facts.state.units(listed, scope);
    let exposure = facts.exposure(scope);
    let mut totals = scope.totals;
    totals -= Totals::of(&exposure, &units);
    totals += Totals::of(&exposure.plus(&placed.change)?, &units);
    Some(totals)
}

/// Portfolio VaR with the order filled and every other one at its worst.
fn var(facts: &Facts, placed: &Placed, stale: &mut Option<CheckFailure>, failures: &mut Vec<CheckFailure>) {
    for (_, scope) in facts.scopes() {
        let Some(limit) = scope.limit.max_var else { continue };
        if facts.reduces(scope) {
            continue;
        }
        match var_after(facts, scope, placed) {
            None => {
                stale.get_or_insert_with(|| not_known(facts.name(scope), "a VaR model of everything"));
            }
            Some(after) if after.worst_case > limit.to_f64() => {
                let value = format!("{:.2}", after.worst_case);
                return failures.push(failure(OrdRejReason::VarLimit, facts.name(scope), limit, value));
            }
            Some(_) => {}
        }
    }
}

fn var_after(facts: &Facts, scope: &Scope, placed: &Placed) -> Option<crate::pretrade::var::VarAfter> {
    let (listed, _) = facts.listed()?;
    let var = scope.var.as_ref().filter(|var| var.unmodelled == 0 && scope.totals.unmarked == 0)?;
    let unit = facts.state.units(listed, scope).of_qty?;
    let qty = placed.change.open_buy_qty - placed.change.open_sell_qty;
    var.after(listed.factor?, qty.checked_mul(unit)?).ok()
}

/// Whether VaR rises with the order, or would with all others filled, where it is limited: what makes a position smaller
/// may take a hedge away.
pub(in crate::pretrade) fn raises_var(facts: &Facts, placed: &Placed) -> bool {
    let rises = |scope: &Scope| var_after(facts, scope, placed).is_some_and(|after| !after.falls);
    facts.scopes().any(|(_, scope)| scope.limit.max_var.is_some() && rises(scope))
}

fn not_known(scope: String, what: &str) -> CheckFailure {
    failure(OrdRejReason::ModelStale, scope, what, "not known")
}
