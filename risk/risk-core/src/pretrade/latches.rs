//! The latches that are engaged, for who watches over trading.

use super::book::Scope;
use super::money::ATTOS_SCALE;
use super::{Decimal, Machine, OrdRejReason, RiskLimit, TradingScope, TradingState};

/// Something that refuses orders of a scope until somebody sets exactly that scope ACTIVE.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Latch {
    /// Whom it binds.
    pub scope: TradingScope,
    /// What it refuses for.
    pub ord_rej_reason: OrdRejReason,
    /// Sequence of the event that engaged it; 0: not known.
    pub sequence: u64,
    /// The limit that was passed.
    pub risk_limit: String,
    /// What passed it.
    pub value: String,
    /// What may still be traded.
    pub trading_state: TradingState,
}

impl Machine {
    /// All latches that are engaged, by scope and reason.
    pub fn latches(&self) -> Vec<Latch> {
        let mut latches: Vec<Latch> = self.state.scopes.iter().flat_map(of_scope).collect();
        latches.extend(self.state.latched.iter().map(|((account, strategy), repeated)| Latch {
            scope: TradingScope {
                account: self.state.accounts.name(*account).to_owned(),
                strategy_id: self.state.strategies.name(*strategy).to_owned(),
                ..TradingScope::default()
            },
            ord_rej_reason: OrdRejReason::StrategyLatched,
            sequence: repeated.since,
            risk_limit: repeated.count.to_string(),
            value: format!("{} alike", repeated.count),
            trading_state: TradingState::Halted,
        }));
        latches.sort_unstable();
        latches
    }
}

fn of_scope(scope: &Scope) -> impl Iterator<Item = Latch> {
    let RiskLimit { account, strategy_id, instrument_id, .. } = &scope.limit;
    let bound = TradingScope {
        account: account.clone(),
        strategy_id: strategy_id.clone(),
        instrument_id: instrument_id.clone(),
        ..TradingScope::default()
    };
    let conduct = &scope.conduct;
    let loss = conduct.loss.map(|latch| {
        let [limit, value] = [latch.limit, latch.value].map(|it| Decimal::scaled(it, ATTOS_SCALE).to_string());
        (OrdRejReason::LossLimit, latch.since, limit, value, latch.trading_state)
    });
    let refused = conduct.refused.max(conduct.venue_refused);
    let (orders, fills) = conduct.activity.totals();
    let others = conduct.latched(&scope.limit).map(move |(reason, since, limit)| {
        let value = match reason {
            OrdRejReason::RejectStorm => format!("{refused} in a row"),
            _ => format!("{orders} orders, {fills} fills"),
        };
        (reason, since, limit.to_string(), value, TradingState::Halted)
    });
    loss.into_iter().chain(others).map(move |(ord_rej_reason, sequence, risk_limit, value, trading_state)| Latch {
        scope: bound.clone(),
        ord_rej_reason,
        sequence,
        risk_limit,
        value,
        trading_state,
    })
}
