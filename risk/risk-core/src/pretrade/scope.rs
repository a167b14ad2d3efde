//! Whom a limit, a trading state or a kill switch binds, and the states and switches themselves.

use std::collections::{BTreeMap, BTreeSet};

/// A scope: whom something binds. An empty field is all; all of them empty are the firm.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TradingScope {
    /// One account.
    pub account: String,
    /// One strategy, of that account or of all.
    pub strategy_id: String,
    /// One instrument.
    pub instrument_id: String,
    /// One venue.
    pub venue: String,
}

impl TradingScope {
    /// Its name: `firm`, `account:A`, `account:A,strategy:S,instrument:I`, `venue:V`.
    pub fn name(&self) -> String {
        name(&[&self.account, &self.strategy_id, &self.instrument_id, &self.venue])
    }

    fn covers(&self, account: &str, strategy_id: &str, instrument_id: &str) -> bool {
        let all = |field: &str, value: &str| field.is_empty() || field == value;
        all(&self.account, account)
            && all(&self.strategy_id, strategy_id)
            && all(&self.instrument_id, instrument_id)
            && all(&self.venue, venue(instrument_id))
    }
}

/// The name of a scope from its account, strategy, instrument and venue.
pub(super) fn name(fields: &[&str]) -> String {
    let named = ["account", "strategy", "instrument", "venue"].iter().zip(fields);
    let named = named.filter(|(_, value)| !value.is_empty()).map(|(field, value)| format!("{field}:{value}"));
    let name = named.collect::<Vec<_>>().join(",");
    if name.is_empty() { "firm".to_owned() } else { name }
}

/// The part of an instrument's id after the last point.
fn venue(instrument_id: &str) -> &str {
    instrument_id.rsplit_once('.').map_or("", |(_, venue)| venue)
}

/// What may be traded, from everything to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TradingState {
    /// Everything.
    Active,
    /// Only what reduces a position.
    Reducing,
    /// Only cancels.
    CancelOnly,
    /// Nothing.
    Halted,
}

impl TradingState {
    /// Its name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Reducing => "REDUCING",
            Self::CancelOnly => "CANCEL_ONLY",
            Self::Halted => "HALTED",
        }
    }
}

/// The trading states and kill switches in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Switches {
    states: BTreeMap<TradingScope, TradingState>,
    kills: BTreeSet<TradingScope>,
}

impl Switches {
    pub(super) fn set_state(&mut self, scope: TradingScope, state: TradingState) {
        match state {
            TradingState::Active => self.states.remove(&scope),
            state => self.states.insert(scope, state),
        };
    }

    pub(super) fn set_kill(&mut self, scope: TradingScope, engaged: bool) {
        match engaged {
            true => self.kills.insert(scope),
            false => self.kills.remove(&scope),
        };
    }

    /// The widest engaged switch that binds the order.
    pub(super) fn kill(&self, account: &str, strategy_id: &str, instrument_id: &str) -> Option<&TradingScope> {
        self.kills.iter().find(|scope| scope.covers(account, strategy_id, instrument_id))
    }

    /// The strictest state that binds the order, and whose it is.
    pub(super) fn state(
        &self,
        account: &str,
        strategy_id: &str,
        instrument_id: &str,
    ) -> Option<(TradingState, &TradingScope)> {
        let binding = self.states.iter().filter(|(scope, _)| scope.covers(account, strategy_id, instrument_id));
        // Of equal ones the first, which is the widest.
        binding.rev().map(|(scope, state)| (*state, scope)).max_by_key(|(state, _)| *state)
    }

    pub(super) fn states(&self) -> impl Iterator<Item = (&TradingScope, TradingState)> {
        self.states.iter().map(|(scope, state)| (scope, *state))
    }

    pub(super) fn kills(&self) -> impl Iterator<Item = &TradingScope> {
        self.kills.iter()
    }
}
