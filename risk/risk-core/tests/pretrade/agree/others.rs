//! What happens without an order: marks, movements, limits, states, rates.

use super::*;

impl Run {
    pub(super) fn mark(&mut self) {
        let instrument_id = self.random.of(&INSTRUMENTS);
        let before = self.naive.marks.get(instrument_id).map_or(1_000, |(px, _)| *px);
        let mark_px = (before + self.random.within(-25, 26)).clamp(600, 1_600);
        self.apply(Event::Mark(Mark { instrument_id: instrument_id.into(), mark_px }));
        self.naive.marks.insert(instrument_id.into(), (mark_px, self.naive.now));
        self.naive_follows();
    }

    pub(super) fn move_without_fill(&mut self) {
        let (account, strategy_id) = (self.random.of(&ACCOUNTS).to_owned(), self.random.of(&STRATEGIES).to_owned());
        let instrument_id = self.random.of(&INSTRUMENTS).to_owned();
        let currency = self.random.of(&["USD", "EUR"]).to_owned();
        let attos = i128::from(self.random.within(-300, 1_000)) * 10i128.pow(19);
        let qty = self.random.within(-10, 11);
        let adjust = Adjust { account: account.clone(), strategy_id, instrument_id, qty };
        let cell = (adjust.account.clone(), adjust.strategy_id.clone(), adjust.instrument_id.clone());
        match self.random.within(0, 3) {
            0 => {
                self.apply(Event::Adjust(adjust.clone()));
                self.naive.adjust(&adjust);
            }
            1 => {
                let cash = Some(Money { currency: currency.clone(), attos });
                self.apply(Event::Correction(Correction { adjust, cash }));
                *self.naive.net.entry(cell.clone()).or_default() += i128::from(qty);
                self.naive.pay_cell(&cell, &currency, attos);
            }
            _ => {
                let cash = Money { currency: currency.clone(), attos };
                self.apply(Event::Cash(Cash { account: account.clone(), cash }));
                self.naive.pay(&account, &currency, attos);
            }
        }
        self.naive_follows();
    }

    pub(super) fn set_limits(&mut self) {
        let mut limits: Vec<RiskLimit> = Vec::new();
        for _ in 0..self.random.within(0, 6) {
            let limit = self.limit();
            let is_new = |it: &RiskLimit| it.scope() != limit.scope();
            if limits.iter().all(is_new) {
                limits.push(limit);
            }
        }
        self.version += 1;
        let event = RiskLimits::new(self.version, limits.clone(), 200).expect("limits");
        self.apply(Event::RiskLimits(event));
        self.naive.limits = limits;
        let scopes = self.naive.scopes();
        self.naive.habits.retain(|scope, _| scopes.iter().any(|(it, _)| it == scope));
        self.naive_follows();
    }

    fn limit(&mut self) -> RiskLimit {
        let mut some = |low, high, scale| {
            let limit = decimal(self.random.within(low, high).into(), scale);
            self.random.one_in(5).then_some(limit)
        };
        let money = |thousands: i64, some: &mut dyn FnMut(i64, i64, u32) -> Option<risk_core::pretrade::Decimal>| {
            some(thousands * 300, thousands * 1_000, 0)
        };
        let mut limit = RiskLimit {
            max_order_qty: some(50, 150, 0),
            max_order_notional: money(40, &mut some),
            max_batch_notional: money(60, &mut some),
            max_position_qty: some(20, 120, 0),
            max_long_qty: some(20, 120, 0),
            max_short_qty: some(0, 120, 0),
            max_open_notional: money(80, &mut some),
            max_gross_notional: money(100, &mut some),
            max_net_notional: money(60, &mut some),
            max_leverage: some(5, 60, 1),
            initial_margin_ratio: some(1, 15, 1),
            max_daily_notional: money(300, &mut some),
            max_daily_qty: some(200, 900, 0),
            max_daily_loss: money(3, &mut some),
            max_drawdown: money(5, &mut some),
            max_var: money(10, &mut some),
            adv_qty: some(100, 3_000, 0),
            static_reference_px: some(80, 110, 1),
            ..RiskLimit::default()
        };
        let random = &mut self.random;
        let mut count = |low, high, often| random.one_in(often).then(|| random.within(low, high) as u32);
        limit.max_adv_share_bps = count(300, 3_000, 8);
        limit.static_collar_bps = count(2_000, 9_000, 10);
        limit.price_collar_bps = count(200, 1_500, 5);
        limit.max_mark_age_ms = count(100, 3_000, 6);
        limit.max_aggressive_ticks = count(5, 40, 6);
        limit.order_rate_per_s = count(20, 200, 6);
        limit.order_burst = limit.order_rate_per_s.and(count(1, 20, 2));
        limit.duplicate_count = count(2, 4, 4);
        limit.duplicate_window_ms = limit.duplicate_count.map(|_| 400);
        limit.max_open_orders = count(3, 30, 5);
        limit.repeat_count = count(2, 4, 6);
        limit.repeat_window_ms = limit.repeat_count.map(|_| 5_000);
        limit.max_consecutive_rejects = count(10, 40, 8);
        limit.max_order_to_trade_ratio = count(1, 2, 3);
        limit.otr_window_ms = limit.max_order_to_trade_ratio.map(|_| 64_000);
        limit.prevent_self_trade = random.one_in(4);
        limit.no_short = random.one_in(12);
        limit.restricted = random.one_in(20);
        let name = |named: bool, name: &str| if named { name.to_owned() } else { String::new() };
        limit.account = name(random.one_in(2), random.of(&ACCOUNTS));
        limit.strategy_id = name(random.one_in(3), random.of(&STRATEGIES));
        limit.instrument_id = name(random.one_in(3), random.of(&INSTRUMENTS));
        limit
    }

    fn scope(&mut self) -> TradingScope {
        let random = &mut self.random;
        let mut name = |names: &[&str]| if random.one_in(2) { random.of(names).to_owned() } else { String::new() };
        let (account, strategy_id, instrument_id) = (name(&ACCOUNTS), name(&STRATEGIES), name(&INSTRUMENTS));
        let venue = if random.one_in(8) { "XNAS".to_owned() } else { String::new() };
        TradingScope { account, strategy_id, instrument_id, venue }
    }

    pub(super) fn set_state(&mut self) {
        // Mostly what is off is set on again.
        let off = self.naive.states.keys().next().cloned();
        let latched = self.naive.latched.iter().next().cloned();
        let armed: Vec<Key> = self
            .naive
            .habits
            .iter()
            .filter(|(_, it)| it.storm || it.too_active || it.loss.is_some())
            .map(|(scope, _)| scope.clone())
            .collect();
        let (scope, state) = match self.random.within(0, 6) {
            0 => (
                self.scope(),
                [TradingState::Reducing, TradingState::CancelOnly, TradingState::Halted]
                    [self.random.within(0, 3) as usize],
            ),
            1 | 2 if off.is_some() => (off.unwrap_or_default(), TradingState::Active),
            3 if latched.is_some() => {
                let (account, strategy_id) = latched.unwrap_or_default();
                (TradingScope { account, strategy_id, ..TradingScope::default() }, TradingState::Active)
            }
            _ if !armed.is_empty() => {
                let (account, strategy_id, instrument_id) =
                    armed[self.random.within(0, armed.len() as i64) as usize].clone();
                (TradingScope { account, strategy_id, instrument_id, venue: String::new() }, TradingState::Active)
            }
            _ => (self.scope(), TradingState::Active),
        };
        self.apply(Event::TradingState(scope.clone(), state));
        if state == TradingState::Active {
            self.naive.states.remove(&scope);
            if scope.venue.is_empty() {
                let key = (scope.account.clone(), scope.strategy_id.clone(), scope.instrument_id.clone());
                if let Some(habits) = self.naive.habits.get_mut(&key) {
                    habits.arm();
                }
                if scope.instrument_id.is_empty() {
                    self.naive.latched.remove(&(scope.account, scope.strategy_id));
                }
            }
        } else {
            self.naive.states.insert(scope, state);
        }
        self.naive_follows();
    }

    pub(super) fn set_kill(&mut self) {
        let engaged = self.naive.kills.first().cloned();
        let (scope, engage) = match engaged {
            Some(scope) => (scope, false),
            None if self.random.one_in(4) => (self.scope(), true),
            None => return,
        };
        self.apply(Event::KillSwitch(scope.clone(), engage));
        if engage {
            self.naive.kills.insert(scope);
        } else {
            self.naive.kills.remove(&scope);
        }
    }

    pub(super) fn set_rate_or_model(&mut self) {
        if self.random.one_in(2) {
            let tenths = self.random.of(&[&(5, 4, 125), &(8, 5, 160), &(4, 5, 80), &(2, 1, 200), &(1, 1, 100)]);
            self.apply(Event::FxRates(vec![rate(tenths.2)]));
            self.naive.rate = Some((tenths.0, tenths.1));
        } else {
            let factors = INSTRUMENTS[..self.random.within(1, 4) as usize].iter().map(|it| (*it).to_owned()).collect();
            self.naive.model = Some(covariance(factors, self.random.within(1, 5) as f64));
            self.apply(Event::Model(model(self.naive.model.as_ref().expect("a model"))));
        }
        self.naive_follows();
    }
}
