//! What is watched after every event: limits that something else than an order passed, and losses.

use super::book::ScopeKey;
use super::checks::{over_position, readings};
use super::money::ATTOS_SCALE;
use super::{Alarm, Decimal, Machine, OrdRejReason, Stamp, TradingState};

/// The bit of VaR among the readings of a scope.
const VAR: u32 = 31;

/// A position limit that is passed, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Over {
    scope: ScopeKey,
    reason: OrdRejReason,
    limit: Decimal,
    value: Decimal,
}

impl Machine {
    /// Follows the scopes whose sums changed: what is passed now, and was not before, is an alarm. After a check, which
    /// moves no equity and whose approval passes nothing, there is none to raise.
    pub(super) fn follow(&mut self, stamp: Stamp, mut alarms: Option<&mut Vec<Alarm>>) {
        let mut touched = std::mem::take(&mut self.state.touched);
        if touched.len() > 1 {
            touched.sort_unstable();
            touched.dedup();
        }
        for number in touched.drain(..) {
            let (before, now) = (self.state.scopes[number].breached, self.breached(number));
            self.state.scopes[number].breached = now;
            if let Some(alarms) = alarms.as_deref_mut() {
                self.alarm_readings(stamp, number, now & !before, alarms);
                self.follow_equity(stamp, number, alarms);
            }
        }
        self.state.touched = touched;
    }

    /// The readings of a scope that are beyond their limit, as bits.
    fn breached(&self, number: usize) -> u32 {
        let scope = &self.state.scopes[number];
        let equity = self.state.scopes[scope.purse].equity();
        let readings = readings(scope, &scope.totals, equity).filter(|(_, reading)| reading.is_passed());
        let bits = readings.fold(0, |bits, (place, _)| bits | 1 << place);
        let worst = scope.limit.max_var.zip(scope.var.as_ref().and_then(|var| var.worst_case()));
        bits | u32::from(worst.is_some_and(|(limit, worst)| worst > limit.to_f64())) << VAR
    }

    fn alarm_readings(&self, stamp: Stamp, number: usize, bits: u32, alarms: &mut Vec<Alarm>) {
        if bits == 0 {
            return;
        }
        let scope = &self.state.scopes[number];
        let equity = self.state.scopes[scope.purse].equity();
        for (place, reading) in readings(scope, &scope.totals, equity) {
            if bits & 1 << place != 0 {
                let (limit, value) = reading.shown();
                alarms.push(self.alarm(stamp, reading.reason, &scope.key, limit, value));
            }
        }
        if let (Some(limit), Some(worst), true) =
            (scope.limit.max_var, scope.var.as_ref().and_then(|var| var.worst_case()), bits & 1 << VAR != 0)
        {
            alarms.push(self.alarm(stamp, OrdRejReason::VarLimit, &scope.key, limit, format!("{worst:.2}")));
        }
    }

    fn follow_equity(&mut self, stamp: Stamp, number: usize, alarms: &mut Vec<Alarm>) {
        let scope = &mut self.state.scopes[number];
        let Some(equity) = scope.equity() else { return };
        if let Some(latch) = scope.conduct.follow(&scope.limit, equity, stamp.sequence) {
            let key = scope.key;
            let [limit, value] = [latch.limit, latch.value].map(|it| Decimal::scaled(it, ATTOS_SCALE));
            let alarm = self.alarm(stamp, OrdRejReason::LossLimit, &key, limit, value);
            alarms.push(Alarm { trading_state: latch.trading_state, ..alarm });
        }
    }

    /// The position limits that a cell and its book are beyond.
    pub(super) fn positions_over(&self, cell: usize) -> Vec<Over> {
        let cell = &self.state.cells[cell];
        let book = &self.state.books[cell.book];
        let Some(instrument) = &self.state.instruments.get(book.instrument).instrument else { return Vec::new() };
        let over = cell.scopes.iter().filter_map(|number| {
            let scope = &self.state.scopes[*number];
            let exposure = if scope.key.strategy.is_some() { &cell.exposure } else { &book.exposure };
            let (reason, limit, value) = over_position(scope, instrument, exposure)?;
            Some(Over { scope: scope.key, reason, limit, value })
        });
        over.collect()
    }

    /// Alarms for the position limits that are passed now and were not before.
    pub(super) fn alarm_positions(&self, stamp: Stamp, cell: usize, before: &[Over], alarms: &mut Vec<Alarm>) {
        for now in self.positions_over(cell) {
            if !before.iter().any(|before| before.scope == now.scope && before.reason == now.reason) {
                alarms.push(self.alarm(stamp, now.reason, &now.scope, now.limit, now.value));
            }
        }
    }

    fn alarm(
        &self,
        stamp: Stamp,
        ord_rej_reason: OrdRejReason,
        scope: &ScopeKey,
        risk_limit: impl ToString,
        value: impl ToString,
    ) -> Alarm {
        Alarm {
            sequence: stamp.sequence,
            ord_rej_reason,
            scope: self.state.scope_name(scope),
            risk_limit: risk_limit.to_string(),
            value: value.to_string(),
            trading_state: TradingState::Reducing,
        }
    }
}
