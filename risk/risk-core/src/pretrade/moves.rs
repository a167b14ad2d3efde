//! How each event that is not a check moves the state.

use std::collections::btree_map::Entry;

use super::book::ScopeKey;
use super::exposure::Exposure;
use super::money::{Attos, worth_of_unit};
use super::orders::Held;
use super::state::Repeated;
use super::windows::Likeness;
use super::{
    Account, Adjust, Alarm, Correction, EventError, Fill, FxRate, Hold, Instrument, Machine, Mark, Model, OrdRejReason,
    OrdType, RiskLimits, Side, Stamp, TradingScope, TradingState,
};

impl Machine {
    pub(super) fn restore_holds(&mut self, holds: Vec<(u64, Hold)>) -> Result<(), EventError> {
        for (order_id, hold) in holds {
            let event = || format!("hold of order {order_id}");
            if order_id == 0 || self.state.orders.get(order_id).is_some() {
                return Err(EventError::new(event(), "order_id", "must be positive and stand once", order_id));
            }
            if hold.leaves_qty <= 0 {
                return Err(EventError::new(event(), "leaves_qty", "must be positive", hold.leaves_qty));
            }
            let held = self.held(event, &hold)?;
            self.open(order_id, held);
        }
        self.state.orders.infer_budgets(&mut self.changes);
        self.post()
    }

    /// An open order as a snapshot or a restatement tells it.
    pub(super) fn held(&mut self, event: impl Fn() -> String, hold: &Hold) -> Result<Held, EventError> {
        let cell = self.cell(event, &hold.account, &hold.strategy_id, &hold.instrument_id)?;
        Ok(Held {
            cell,
            side: hold.side,
            leaves_qty: hold.leaves_qty,
            price: hold.price.into(),
            limit_px: hold.is_limit.then_some(hold.price),
            order_qty: hold.leaves_qty,
            has_trigger: hold.has_trigger,
            ord_type: if hold.is_limit { OrdType::Limit } else { OrdType::Market },
            list: hold.list,
        })
    }

    pub(super) fn open(&mut self, order_id: u64, held: Held) {
        self.state.lay(&held, true);
        self.changes.push(self.state.orders.insert(order_id, held));
    }

    /// Gives the rest of a hold back.
    pub(super) fn close(&mut self, order_id: u64) -> Result<(), EventError> {
        if let Some(held) = self.state.orders.get(order_id).cloned() {
            self.state.lay(&held, false);
            self.changes.extend(self.state.orders.remove(order_id));
        }
        self.post()
    }

    pub(super) fn fill(&mut self, stamp: Stamp, fill: &Fill, alarms: &mut Vec<Alarm>) -> Result<(), EventError> {
        let event = || format!("fill of order {}", fill.order_id);
        if fill.last_qty <= 0 {
            return Err(EventError::new(event(), "last_qty", "must be positive", fill.last_qty));
        }
        let held = self.state.orders.get(fill.order_id).cloned();
        if let Some(held) = &held {
            require_same(event, fill, &self.state.hold(held))?;
        }
        let cell = match &held {
            Some(held) => held.cell,
            None => self.cell(event, &fill.account, &fill.strategy_id, &fill.instrument_id)?,
        };
        let before = self.positions_over(cell);
        self.changes.push((cell, Exposure::filled(fill.side, fill.last_qty, fill.last_px)));
        let is_done = self.state.orders.fill(fill.order_id, fill.last_qty, &mut self.changes);
        self.post()?;
        self.pay_for(cell, fill)?;
        if let (Some(true), Some(held)) = (is_done, &held) {
            self.state.lay(held, false);
            self.repeated(stamp, held, alarms);
        }
        for scope in self.state.cells[cell].scopes.clone() {
            let scope = &mut self.state.scopes[scope];
            if scope.conduct.filled(&scope.limit, stamp) {
                let (key, most) = (scope.key, scope.limit.max_order_to_trade_ratio.unwrap_or_default());
                alarms.push(self.latch_alarm(stamp, OrdRejReason::OtrLimit, &key, most));
            }
        }
        self.alarm_positions(stamp, cell, &before, alarms);
        Ok(())
    }

    fn pay_for(&mut self, cell: usize, fill: &Fill) -> Result<(), EventError> {
        if let Some(cash) = &fill.cash {
            return self.state.pay(cell, &cash.currency, cash.attos);
        }
        let Some(instrument) =
            &self.state.instruments.get(self.state.books[self.state.cells[cell].book].instrument).instrument
        else {
            return Ok(());
        };
        let currency = instrument.terms().quote_currency.clone();
        let paid = i128::from(fill.last_px) * i128::from(fill.last_qty) * if fill.side == Side::Buy { -1 } else { 1 };
        let unit = worth_of_unit(instrument, self.state.fx.rate(&currency, &currency));
        let Some(attos) = unit.and_then(|unit| unit.of(paid)) else {
            let event = format!("fill of order {}", fill.order_id);
            return Err(EventError::new(event, "last_px", "must make a notional of 128 bits", fill.last_px));
        };
        self.state.pay(cell, &currency, attos)
    }

    /// Counts an order that was filled in full; too many of its like latch its strategy.
    fn repeated(&mut self, stamp: Stamp, held: &Held, alarms: &mut Vec<Alarm>) {
        let likeness = Likeness {
            cell: held.cell,
            side: held.side,
            qty: held.order_qty,
            price: None,
            stop_px: None,
            ord_type: held.ord_type,
        };
        for scope in self.state.cells[held.cell].scopes.clone() {
            let scope = &mut self.state.scopes[scope];
            if !scope.conduct.repeated(&scope.limit, likeness, stamp.transact_time_ns) {
                continue;
            }
            let count = scope.limit.repeat_count.unwrap_or_default();
            let cell = &self.state.cells[held.cell];
            let account = self.state.books[cell.book].account;
            let strategy = cell.strategy;
            if let Entry::Vacant(armed) = self.state.latched.entry((account, strategy)) {
                armed.insert(Repeated { since: stamp.sequence, count });
                let strategy = (!self.state.strategies.name(strategy).is_empty()).then_some(strategy);
                let key = ScopeKey { account: Some(account), strategy, instrument: None };
                alarms.push(self.latch_alarm(stamp, OrdRejReason::StrategyLatched, &key, count));
            }
        }
    }

    pub(super) fn venue_reject(
        &mut self,
        stamp: Stamp,
        order_id: u64,
        alarms: &mut Vec<Alarm>,
    ) -> Result<(), EventError> {
        let Some(held) = self.state.orders.get(order_id).cloned() else { return Ok(()) };
        self.close(order_id)?;
        self.count_refusal(stamp, held.cell, true, alarms);
        Ok(())
    }

    /// Counts a refusal in every scope that covers the cell.
    pub(super) fn count_refusal(&mut self, stamp: Stamp, cell: usize, by_venue: bool, alarms: &mut Vec<Alarm>) {
        for number in self.state.cells[cell].scopes.clone() {
            let scope = &mut self.state.scopes[number];
            if scope.conduct.refused(&scope.limit, by_venue, stamp) {
                let (key, most) = (scope.key, scope.limit.max_consecutive_rejects.unwrap_or_default());
                alarms.push(self.latch_alarm(stamp, OrdRejReason::RejectStorm, &key, most));
            }
        }
    }

    pub(super) fn latch_alarm(&self, stamp: Stamp, reason: OrdRejReason, key: &ScopeKey, limit: u32) -> Alarm {
        Alarm {
            sequence: stamp.sequence,
            ord_rej_reason: reason,
            scope: self.state.scope_name(key),
            risk_limit: limit.to_string(),
            value: "latched".to_owned(),
            trading_state: TradingState::Halted,
        }
    }

    pub(super) fn restate(
        &mut self,
        stamp: Stamp,
        order_id: u64,
        hold: &Hold,
        alarms: &mut Vec<Alarm>,
    ) -> Result<(), EventError> {
        if hold.leaves_qty <= 0 {
            return self.close(order_id);
        }
        let mut held = self.held(|| format!("hold of order {order_id}"), hold)?;
        let before = self.positions_over(held.cell);
        match self.state.orders.get(order_id).cloned() {
            Some(known) if (known.cell, known.side, known.list) == (held.cell, held.side, held.list) => {
                (held.order_qty, held.ord_type) = (known.order_qty, known.ord_type);
                self.change(order_id, &known, held.clone());
            }
            Some(known) => {
                (held.order_qty, held.ord_type) = (known.order_qty, known.ord_type);
                self.close(order_id)?;
                self.open(order_id, held.clone());
            }
            None => self.open(order_id, held.clone()),
        }
        self.post()?;
        self.alarm_positions(stamp, held.cell, &before, alarms);
        Ok(())
    }

    /// An open order becomes another one of the same place.
    pub(super) fn change(&mut self, order_id: u64, known: &Held, held: Held) {
        self.state.lay(known, false);
        self.state.lay(&held, true);
        self.changes.extend(self.state.orders.change(order_id, |it| *it = held));
    }

    pub(super) fn adjusted(&mut self, stamp: Stamp, adjust: Adjust, alarms: &mut Vec<Alarm>) -> Result<(), EventError> {
        let cell = self.cell(|| "adjust".to_owned(), &adjust.account, &adjust.strategy_id, &adjust.instrument_id)?;
        let before = self.positions_over(cell);
        self.adjust(adjust, "adjust")?;
        self.alarm_positions(stamp, cell, &before, alarms);
        Ok(())
    }

    /// Moves a position; what it is worth is neither profit nor loss.
    pub(super) fn adjust(&mut self, adjust: Adjust, event: &str) -> Result<(), EventError> {
        let Adjust { account, strategy_id, instrument_id, qty } = adjust;
        let cell = self.cell(|| event.to_owned(), &account, &strategy_id, &instrument_id)?;
        self.state.shift(cell, &Exposure { net_qty: qty.into(), ..Exposure::default() })?;
        let listed = self.state.instruments.get(self.state.books[self.state.cells[cell].book].instrument).units.clone();
        for number in self.state.cells[cell].scopes.clone() {
            let scope = &mut self.state.scopes[number];
            let unit = scope.base.and_then(|base| listed.get(base)?.of_qty);
            scope.conduct.pay(unit.and_then(|unit| unit.checked_mul(qty.into())));
        }
        Ok(())
    }

    pub(super) fn correct(
        &mut self,
        stamp: Stamp,
        correction: Correction,
        alarms: &mut Vec<Alarm>,
    ) -> Result<(), EventError> {
        let Correction { adjust: Adjust { account, strategy_id, instrument_id, qty }, cash } = correction;
        let cell = self.cell(|| "correction".to_owned(), &account, &strategy_id, &instrument_id)?;
        let before = self.positions_over(cell);
        self.state.shift(cell, &Exposure { net_qty: qty.into(), ..Exposure::default() })?;
        if let Some(cash) = cash {
            self.state.pay(cell, &cash.currency, cash.attos)?;
        }
        self.alarm_positions(stamp, cell, &before, alarms);
        Ok(())
    }

    /// Moves cash of an account; what is paid in or out is neither profit nor loss.
    pub(super) fn pay(&mut self, account: &str, currency: &str, attos: Attos) -> Result<(), EventError> {
        let Some(account) = self.state.account(account) else {
            return Err(EventError::new("cash", "account", "must be opened", account));
        };
        self.state.pay_account(account, currency, attos)?;
        for number in self.state.whole_scopes(account) {
            let worth = self.state.worth_of_cash(&self.state.scopes[number], currency, attos);
            self.state.scopes[number].conduct.pay((worth.unpriced == 0).then_some(worth.cash));
        }
        Ok(())
    }

    pub(super) fn mark(&mut self, mark: Mark, time_ns: i64) -> Result<(), EventError> {
        let Some(listed) = self.state.instrument(&mark.instrument_id) else {
            return Err(EventError::new("mark", "instrument_id", "must be defined", mark.instrument_id));
        };
        let instrument = &self.state.instruments.get(listed).instrument;
        let is_signed = instrument.as_ref().is_some_and(|it| it.terms().allow_negative_price);
        if mark.mark_px <= 0 && !is_signed {
            let event = format!("mark of {}", mark.instrument_id);
            return Err(EventError::new(event, "mark_px", "must be positive", mark.mark_px));
        }
        self.state.set_mark(listed, (mark.mark_px, time_ns))
    }

    pub(super) fn limit(
        &mut self,
        stamp: Stamp,
        limits: RiskLimits,
        alarms: &mut Vec<Alarm>,
    ) -> Result<(), EventError> {
        if limits.version() <= self.state.risk_limits.version() {
            let rule = "must grow with each change";
            return Err(EventError::new("risk_limits", "version", rule, limits.version()));
        }
        let before: Vec<_> = (0..self.state.cells.len()).map(|cell| self.positions_over(cell)).collect();
        let breached: Vec<_> = self.state.scopes.iter().map(|scope| (scope.key, scope.breached)).collect();
        self.state.risk_limits = limits;
        self.state.derive()?;
        for (key, bits) in breached {
            if let Some(scope) = self.state.scope_index.get(&key) {
                self.state.scopes[*scope].breached = bits;
            }
        }
        for (cell, before) in before.iter().enumerate() {
            self.alarm_positions(stamp, cell, before, alarms);
        }
        Ok(())
    }

    pub(super) fn set_state(&mut self, scope: TradingScope, state: TradingState) {
        if state == TradingState::Active {
            self.arm(&scope);
        }
        self.state.switches.set_state(scope, state);
    }

    /// Arms again what latched at exactly this scope.
    fn arm(&mut self, scope: &TradingScope) {
        for number in 0..self.state.scopes.len() {
            let limit = &self.state.scopes[number].limit;
            let same = (&limit.account, &limit.strategy_id, &limit.instrument_id);
            if same == (&scope.account, &scope.strategy_id, &scope.instrument_id) && scope.venue.is_empty() {
                self.state.scopes[number].conduct.arm();
                // What is still beyond its limit latches again at once.
                self.state.touched.push(number);
            }
        }
        let strategy = self.state.accounts.find(&scope.account).zip(self.state.strategies.find(&scope.strategy_id));
        if let Some(strategy) = strategy.filter(|_| scope.instrument_id.is_empty() && scope.venue.is_empty()) {
            self.state.latched.remove(&strategy);
        }
    }

    pub(super) fn set_rates(&mut self, rates: Vec<FxRate>) -> Result<(), EventError> {
        for rate in rates {
            let mantissa = rate.rate.mantissa();
            if mantissa <= 0 || mantissa > i64::MAX.into() || rate.rate.scale() > 18 {
                let event = format!("fx_rates of {} in {}", rate.currency, rate.quote_currency);
                return Err(EventError::new(
                    event,
                    "rate",
                    "must be positive with at most 18 decimal places",
                    rate.rate,
                ));
            }
            self.state.fx.set(rate);
        }
        Ok(())
    }

    pub(super) fn set_model(&mut self, stamp: Stamp, model: Model, alarms: &mut Vec<Alarm>) -> Result<(), EventError> {
        if let Some(error) = self.state.set_model(model) {
            alarms.push(Alarm {
                sequence: stamp.sequence,
                ord_rej_reason: OrdRejReason::ModelStale,
                scope: "firm".to_owned(),
                risk_limit: "a model that VaR can be computed from".to_owned(),
                value: error.to_string(),
                trading_state: TradingState::Reducing,
            });
        }
        self.state.derive()
    }

    /// Everything held of an instrument is in its scales, so only a snapshot may change those.
    pub(super) fn define(&mut self, instrument: Instrument) -> Result<(), EventError> {
        let terms = instrument.terms();
        let number = self.state.instruments.find_or_add(&terms.instrument_id);
        if let Some(earlier) = self.state.instruments.get(number).instrument.as_ref().map(Instrument::terms) {
            let event = || format!("instrument {}", terms.instrument_id);
            let rule = "must not change outside a snapshot";
            if terms.price_scale != earlier.price_scale {
                return Err(EventError::new(event(), "price_scale", rule, terms.price_scale));
            }
            if terms.qty_scale != earlier.qty_scale {
                return Err(EventError::new(event(), "qty_scale", rule, terms.qty_scale));
            }
        }
        self.state.instruments.get_mut(number).instrument = Some(instrument);
        self.state.derive_instrument(number)
    }

    pub(super) fn open_account(&mut self, account: Account) -> Result<(), EventError> {
        if account.account.is_empty() {
            return Err(EventError::new("account_opened", "account", "must be named", "nothing"));
        }
        let number = self.state.accounts.find_or_add(&account.account);
        self.state.accounts.get_mut(number).base_currency = Some(account.base_currency);
        Ok(())
    }

    pub(super) fn cell(
        &mut self,
        event: impl FnOnce() -> String,
        account: &str,
        strategy_id: &str,
        instrument_id: &str,
    ) -> Result<usize, EventError> {
        let Some(instrument) = self.state.instrument(instrument_id) else {
            return Err(EventError::new(event(), "instrument_id", "must be defined", instrument_id));
        };
        let Some(account) = self.state.account(account) else {
            return Err(EventError::new(event(), "account", "must be opened", account));
        };
        Ok(self.state.cell(account, strategy_id, instrument))
    }
}

/// A fill that contradicts the hold of its order says that one of the two is wrong.
fn require_same(event: impl FnOnce() -> String, fill: &Fill, hold: &Hold) -> Result<(), EventError> {
    let (field, value) = if fill.account != hold.account {
        ("account", fill.account.clone())
    } else if fill.instrument_id != hold.instrument_id {
        ("instrument_id", fill.instrument_id.clone())
    } else if fill.side != hold.side {
        ("side", format!("{:?}", fill.side))
    } else {
        return Ok(());
    };
    Err(EventError::new(event(), field, "must be that of its order", value))
}
