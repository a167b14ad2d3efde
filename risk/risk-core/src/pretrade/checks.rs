//! The checks, in their one fixed published order (`docs/risk-controls.md`).

mod habit;
mod order;
mod price;
mod sums;

pub(super) use habit::likeness;
pub(super) use order::counted_price;
pub(super) use sums::{over_position, raises_var, readings};

use super::book::{Listed, Scope};
use super::exposure::Exposure;
use super::state::State;
use super::{Asked, Decimal, Instrument, NewOrder, Side, TradingState};

/// Why an order is refused. The order of the variants is the published order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrdRejReason {
    /// A kill switch is engaged.
    KillSwitch,
    /// The trading state is HALTED.
    StateHalted,
    /// The trading state is CANCEL_ONLY.
    StateCancelOnly,
    /// The trading state is REDUCING, and the order does not reduce.
    StateReducing,
    /// The account or the instrument is restricted to what reduces.
    Restricted,
    /// The instrument does not trade now.
    InstrumentClosed,
    /// A field is missing or unknown, or a number of the order does not fit into 128 bits.
    InvalidField,
    /// No such account.
    UnknownAccount,
    /// No such instrument.
    UnknownInstrument,
    /// The quantity is not positive, off the lot, or out of the instrument's range.
    InvalidQty,
    /// A price is off the tick, out of range, or set where it may not be.
    InvalidPrice,
    /// Larger than the largest order quantity allowed.
    MaxOrderQty,
    /// Worth more than the largest order notional allowed.
    MaxOrderNotional,
    /// More orders in one request than allowed.
    BatchSize,
    /// The orders of one request are worth more than allowed.
    BatchValue,
    /// Further from the static reference price than allowed.
    PriceCollarStatic,
    /// There is no mark to value or compare with, or it is too old.
    RefPriceStale,
    /// Further from the mark than allowed.
    PriceCollar,
    /// Through the mark by more ticks than allowed.
    AggressivePrice,
    /// More orders a second than allowed.
    RateLimit,
    /// The same order came too often within the window.
    DuplicateFlood,
    /// More open orders than allowed.
    MaxOpenOrders,
    /// More open notional than allowed.
    MaxOpenNotional,
    /// The position with all open orders of the side would pass the limit.
    PositionLimit,
    /// The position could get short, and may not.
    ShortNotAllowed,
    /// Gross or net notional, or leverage, would pass the limit at the worst case.
    MaxExposure,
    /// More traded today than allowed, with all open orders filled.
    DailyValue,
    /// Not enough equity for the worst case.
    InsufficientMargin,
    /// The loss of the day or the drawdown passed its limit.
    LossLimit,
    /// Too large a share of the average daily volume.
    Concentration,
    /// It would trade with an open order of its own account.
    Stp,
    /// The strategy repeated itself too often.
    StrategyLatched,
    /// Too many orders were refused in a row.
    RejectStorm,
    /// Too many orders for each fill.
    OtrLimit,
    /// Portfolio VaR after the trade would pass the limit.
    VarLimit,
    /// A limit needs a mark, a rate or a model that is missing.
    ModelStale,
    /// Another order of its list was refused.
    List,
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
    pub(super) state: &'a State,
    pub(super) now_ns: i64,
    pub(super) asked: &'a Asked,
    /// Whether the order id is none that an order of this kind may have.
    pub(super) is_wrong_id: bool,
    pub(super) account: Option<usize>,
    pub(super) instrument: Option<usize>,
    /// Of an account and instrument that exist.
    pub(super) cell: Option<usize>,
    /// None: its size is not known.
    pub(super) placed: Option<Placed>,
    /// A change of an open order.
    pub(super) is_replace: bool,
    pub(super) price: Option<i128>,
}

/// What an order would hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) side: Side,
    /// What it adds to what is open.
    pub(super) change: Exposure,
    /// Whether it reduces the position of the account, and that of the strategy in it.
    pub(super) reduces_book: bool,
    pub(super) reduces_cell: bool,
}

impl Placed {
    /// Whether it adds anything to what may be traded; a change of an order may not.
    fn adds(&self) -> bool {
        self.change.open_qty > 0 || self.change.open_turnover > 0 || self.change.open_orders > 0
    }
}

impl<'a> Facts<'a> {
    fn order(&self) -> &'a NewOrder {
        &self.asked.order
    }

    fn listed(&self) -> Option<(&'a Listed, &'a Instrument)> {
        let listed = self.state.instruments.get(self.instrument?);
        Some((listed, listed.instrument.as_ref()?))
    }

    /// The scopes that cover it, from the widest to the narrowest.
    fn scopes(&self) -> impl Iterator<Item = (usize, &'a Scope)> + use<'a> {
        let state = self.state;
        let numbers: &[usize] = self.cell.map_or(&[], |cell| &state.cells[cell].scopes);
        numbers.iter().map(|number| (*number, &state.scopes[*number]))
    }

    /// What there is in a scope's view: the account's position, or the strategy's own.
    fn exposure(&self, scope: &Scope) -> Exposure {
        let Some(cell) = self.cell else { return Exposure::default() };
        let cell = &self.state.cells[cell];
        if scope.key.strategy.is_some() { cell.exposure } else { self.state.books[cell.book].exposure }
    }

    /// An order reduces when its quantity is at most the position less the open quantity on its own side, or when it
    /// adds nothing to what is open.
    fn reduces(&self, scope: &Scope) -> bool {
        let of_strategy = scope.key.strategy.is_some();
        self.placed.is_some_and(|placed| if of_strategy { placed.reduces_cell } else { placed.reduces_book })
    }

    fn name(&self, scope: &Scope) -> String {
        self.state.scope_name(&scope.key)
    }

    /// The tightest of the limits that are passed; of equal ones the widest scope.
    fn tightest(
        &self,
        reason: OrdRejReason,
        passed: impl Iterator<Item = (Decimal, &'a Scope, Decimal)>,
        failures: &mut Vec<CheckFailure>,
    ) {
        if let Some((limit, scope, value)) = passed.min_by_key(|(limit, ..)| *limit) {
            failures.push(failure(reason, self.name(scope), limit, value));
        }
    }
}

/// All checks that the order fails, in their published order.
pub(super) fn failures(facts: &Facts) -> Vec<CheckFailure> {
    let mut failures = Vec::new();
    switched_off(facts, &mut failures);
    order::check(facts, &mut failures);
    price::check(facts, &mut failures);
    habit::check(facts, &mut failures);
    sums::check(facts, &mut failures);
    failures.sort_by_key(|failure| failure.ord_rej_reason);
    failures
}

/// Kill switches, trading states and restrictions.
fn switched_off(facts: &Facts, failures: &mut Vec<CheckFailure>) {
    let NewOrder { account, strategy_id, instrument_id, .. } = facts.order();
    let switches = &facts.state.switches;
    if let Some(scope) = switches.kill(account, strategy_id, instrument_id) {
        failures.push(failure(OrdRejReason::KillSwitch, scope.name(), "released", "engaged"));
    }
    if let Some((state, scope)) = switches.state(account, strategy_id, instrument_id) {
        let reduces = facts.placed.is_some_and(|placed| match scope.strategy_id.as_str() {
            "" => placed.reduces_book,
            _ => placed.reduces_cell,
        });
        let reason = match state {
            TradingState::Active => None,
            TradingState::Reducing => (!reduces).then_some(OrdRejReason::StateReducing),
            TradingState::CancelOnly => Some(OrdRejReason::StateCancelOnly),
            TradingState::Halted => Some(OrdRejReason::StateHalted),
        };
        failures.extend(reason.map(|reason| failure(reason, scope.name(), TradingState::Active.name(), state.name())));
    }
    let restricted = facts.scopes().find(|(_, scope)| scope.limit.restricted && !facts.reduces(scope));
    if let Some((_, scope)) = restricted {
        failures.push(failure(OrdRejReason::Restricted, facts.name(scope), "only what reduces", "more"));
    }
}

pub(super) fn failure(
    ord_rej_reason: OrdRejReason,
    scope: impl Into<String>,
    risk_limit: impl ToString,
    value: impl ToString,
) -> CheckFailure {
    CheckFailure { ord_rej_reason, scope: scope.into(), risk_limit: risk_limit.to_string(), value: value.to_string() }
}

/// Whether a change of what is open reduces a position.
pub(super) fn reduces(side: Side, before: &Exposure, change: &Exposure) -> bool {
    let added = change.open_buy_qty + change.open_sell_qty;
    added <= 0 || before.worst_case(side).saturating_add(added) <= 0
}
