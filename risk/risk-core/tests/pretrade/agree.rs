//! The machine agrees with the naive one on every order of long random streams, and goes on from any save as if nothing had
//! happened. `PRETRADE_EVENTS` asks for more events than the 200,000 of every run.

use risk_core::pretrade::{
    Adjust, Answers, Cash, Check, Contingency, Correction, Decided, Decision, Event, FxRate, Hold, Instrument, Machine,
    Mark, Memory, Model, Money, NewOrder, OrdRejReason, OrdType, Replace, RiskLimit, RiskLimits, Side, Snapshot, Stamp,
    TradingScope, TradingState,
};

use crate::fixture::{asked, decimal, limit_order, whole_units};
use crate::naive::{DAY_NS, Key, Naive, Open, covers, key};

const EUR_STOCK: &str = "SAP.XETR";
const USD_STOCK: &str = "AAPL.XNAS";
const FUTURE: &str = "ES.XCME";
const INSTRUMENTS: [&str; 3] = [USD_STOCK, EUR_STOCK, FUTURE];
const ACCOUNTS: [&str; 2] = ["A", "B"];
const STRATEGIES: [&str; 3] = ["", "s", "t"];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to below `high`.
    fn within(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low) as u64) as i64
    }

    fn one_in(&mut self, n: i64) -> bool {
        self.within(0, n) == 0
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.within(0, all.len() as i64) as usize]
    }

    fn side(&mut self) -> Side {
        if self.one_in(2) { Side::Buy } else { Side::Sell }
    }
}

struct Run {
    stream: u64,
    random: Random,
    machine: Machine,
    naive: Naive,
    sequence: u64,
    version: u64,
    /// A state that was saved, and what has happened since.
    saved: Option<(Stamp, Snapshot)>,
    since: Vec<(Stamp, Event)>,
    approvals: usize,
    refusals: std::collections::BTreeMap<OrdRejReason, usize>,
    alarms: usize,
    restored: usize,
}

impl Run {
    fn new(seed: u64) -> Self {
        let terms =
            |id: &str, quote: &str, multiplier, price_scale, qty_scale, lot| risk_core::pretrade::InstrumentTerms {
                instrument_id: id.into(),
                quote_currency: quote.into(),
                multiplier: decimal(multiplier, 0),
                price_scale,
                qty_scale,
                qty_increment: lot,
                ..whole_units()
            };
        let account =
            |name: &str, base: &str| risk_core::pretrade::Account { account: name.into(), base_currency: base.into() };
        let naive = Naive {
            accounts: vec![account("A", "USD"), account("B", "EUR")],
            instruments: vec![
                terms(USD_STOCK, "USD", 1, 2, 0, 1),
                terms(EUR_STOCK, "EUR", 1, 1, 0, 1),
                terms(FUTURE, "USD", 5, 0, 1, 5),
            ],
            band_bps: 200,
            ..Naive::default()
        };
        let machine = Machine::new(Stamp::default(), told(&naive, 0, None)).expect("a snapshot");
        let mut run = Self {
            stream: seed,
            random: Random(seed),
            machine,
            naive,
            sequence: 0,
            version: 0,
            saved: None,
            since: Vec::new(),
            approvals: 0,
            refusals: Default::default(),
            alarms: 0,
            restored: 0,
        };
        run.naive_follows();
        run
    }

    fn apply(&mut self, event: Event) -> Answers {
        self.sequence += 1;
        let stamp = Stamp { sequence: self.sequence, transact_time_ns: self.naive.now };
        let mut answers = Answers::default();
        self.machine.apply(stamp, event.clone(), &mut answers).expect("an event that can be true");
        self.since.push((stamp, decided(event, &answers.decisions)));
        self.alarms += answers.alarms.len();
        answers
    }

    fn naive_follows(&mut self) {
        for (scope, limit) in self.naive.scopes() {
            let equity = self.naive.equity(&scope);
            let habits = self.naive.habits.entry(scope).or_default();
            if let Some(equity) = equity {
                habits.follow(&limit, equity);
            }
        }
    }

    fn step(&mut self) {
        let passed = match self.random.within(0, 400) {
            0 => DAY_NS / 3,
            1..200 => 0,
            _ => self.random.within(0, 20_000_000),
        };
        self.naive.pass(self.naive.now + passed);
        match self.random.within(0, 1_000) {
            0..340 => self.new_order(),
            340..400 => self.list(),
            400..460 => self.replace(),
            460..680 => self.fill(),
            680..780 => self.close(),
            780..810 => self.restate(),
            810..905 => self.mark(),
            905..935 => self.move_without_fill(),
            935..938 => self.set_limits(),
            938..960 => self.set_state(),
            960..966 => self.set_kill(),
            966..980 => self.set_rate_or_model(),
            980..990 => self.save(),
            _ => self.restore(),
        }
    }

    // Orders.

    fn order(&mut self) -> NewOrder {
        let random = &mut self.random;
        let instrument_id = random.of(&INSTRUMENTS);
        let terms = self.naive.terms(instrument_id);
        let mark = self.naive.marks.get(instrument_id).map_or(1_000, |(px, _)| *px);
        let lots = if random.one_in(20) { random.within(1, 200) } else { random.within(1, 8) };
        let off_lot = i64::from(random.one_in(60));
        let price = (mark + random.within(-30, 31)).max(1);
        let ord_type = match random.within(0, 12) {
            0..2 => OrdType::Market,
            2 => OrdType::Stop,
            3 => OrdType::StopLimit,
            4 => OrdType::TrailingStop,
            _ => OrdType::Limit,
        };
        let has_price = matches!(ord_type, OrdType::Limit | OrdType::StopLimit);
        let has_stop_px = matches!(ord_type, OrdType::Stop | OrdType::StopLimit);
        NewOrder {
            account: random.of(&ACCOUNTS).into(),
            strategy_id: random.of(&STRATEGIES).into(),
            instrument_id: instrument_id.into(),
            ord_type: Ok(ord_type),
            price: has_price.then_some(price),
            stop_px: has_stop_px.then_some(price),
            trailing_amount: if ord_type == OrdType::TrailingStop { random.within(1, 20) } else { 0 },
            prevents_self_trade: random.one_in(3),
            ..limit_order(random.side(), lots * terms.qty_increment + off_lot, 0)
        }
    }

    fn open(&self, order_id: u64, order: &NewOrder, list: Option<(u64, Contingency)>) -> Open {
        Open {
            order_id,
            cell: key(order),
            side: order.side.expect("a side"),
            leaves: order.order_qty.into(),
            price: self.naive.counted(order).unwrap_or_default(),
            limit_px: order.price.filter(|_| order.ord_type == Ok(OrdType::Limit)),
            order_qty: order.order_qty,
            ord_type: order.ord_type.expect("a type"),
            list,
        }
    }

    fn crosses(&self, order: &NewOrder) -> bool {
        let is_asked = order.prevents_self_trade || !matches!(order.ord_type, Ok(OrdType::Market | OrdType::Limit));
        let Some(price) = self.naive.counted(order).filter(|_| !is_asked) else { return false };
        let others = self.naive.open.iter().filter(|it| it.cell.0 == order.account && it.cell.2 == order.instrument_id);
        let mut others = others.filter(|it| Ok(it.side) != order.side).filter_map(|it| it.limit_px);
        match order.side {
            Ok(Side::Buy) => others.any(|offer| i128::from(offer) <= price),
            _ => others.any(|bid| i128::from(bid) >= price),
        }
    }

    fn new_order(&mut self) {
        let order = self.order();
        self.check(None, vec![order]);
    }

    fn list(&mut self) {
        let first = self.order();
        let contingency = match self.random.within(0, 4) {
            0 => Contingency::Oco,
            1 => Contingency::Ouo,
            2 => Contingency::Oto,
            _ => Contingency::Bracket,
        };
        let mut orders = vec![first.clone()];
        for _ in 0..self.random.within(1, 3) {
            let mut other = NewOrder { account: first.account.clone(), ..self.order() };
            if contingency != Contingency::Oto {
                other.instrument_id = first.instrument_id.clone();
                other.order_qty = first.order_qty;
                other.side = match (contingency, first.side) {
                    (Contingency::Bracket, Ok(Side::Buy)) => Ok(Side::Sell),
                    (Contingency::Bracket, _) => Ok(Side::Buy),
                    (_, side) => side,
                };
            }
            orders.push(other);
        }
        self.check(Some(contingency), orders);
    }

    fn check(&mut self, contingency: Option<Contingency>, orders: Vec<NewOrder>) {
        let first = (self.sequence + 1) << 8;
        let list = contingency.map(|contingency| (first, contingency));
        let ids = first..first + orders.len() as u64;
        let crossed: Vec<bool> = orders.iter().map(|order| self.crosses(order)).collect();
        let before = self.naive.clone();
        let mut expected = Vec::new();
        for ((order_id, order), crossed) in ids.clone().zip(&orders).zip(crossed) {
            let open = self.open(order_id, order, list);
            let reasons = self.naive.reasons(order, &open, None, crossed);
            self.came(order, true);
            if reasons.is_empty() {
                self.naive.insert(open);
            }
            expected.push(reasons);
        }
        if expected.iter().any(|reasons| !reasons.is_empty()) {
            (self.naive.open, self.naive.budgets) = (before.open, before.budgets);
            expected
                .iter_mut()
                .filter(|reasons| reasons.is_empty())
                .for_each(|reasons| reasons.push(OrdRejReason::List));
        }
        let preview = self.random.one_in(10);
        let asked: Vec<_> = ids.zip(&orders).map(|(order_id, order)| asked(order_id, order.clone())).collect();
        let check = Check { contingency, orders: asked, decided: vec![], preview: true };
        if preview {
            let previewed = self.apply(Event::Check(check.clone())).decisions;
            self.since.pop();
            self.agree(&previewed, &expected);
        }
        let decisions = self.apply(Event::Check(Check { preview: false, ..check })).decisions;
        self.agree(&decisions, &expected);
        for (order, reasons) in orders.iter().zip(&expected) {
            self.counted(order, reasons);
        }
    }

    fn agree(&self, decisions: &[Decision], expected: &[Vec<OrdRejReason>]) {
        let got = decisions.iter().map(|decision| {
            let reasons = decision.check_failures.iter().map(|failure| failure.ord_rej_reason);
            assert!(decision.check_failures.is_sorted_by_key(|failure| failure.ord_rej_reason), "{decision:?}");
            Naive::sorted(reasons)
        });
        let got: Vec<_> = got.collect();
        assert_eq!(got, expected, "stream {}, sequence {}: {decisions:?}", self.stream, self.sequence);
    }

    fn came(&mut self, order: &NewOrder, is_new: bool) {
        let like = is_new.then(|| crate::naive::like(order));
        let now = self.naive.now;
        for (scope, limit) in self.naive.scopes().into_iter().filter(|(scope, _)| covers(scope, &key(order))) {
            self.naive.habits.entry(scope).or_default().came(&limit, like.clone(), now);
        }
    }

    fn counted(&mut self, order: &NewOrder, reasons: &[OrdRejReason]) {
        reasons.iter().for_each(|reason| *self.refusals.entry(*reason).or_default() += 1);
        self.approvals += usize::from(reasons.is_empty());
        let is_blocked =
            reasons.first().is_some_and(|it| *it <= OrdRejReason::StateReducing || *it == OrdRejReason::List);
        let now = self.naive.now;
        for (scope, limit) in self.naive.scopes().into_iter().filter(|(scope, _)| covers(scope, &key(order))) {
            let habits = self.naive.habits.entry(scope).or_default();
            match reasons {
                [] => habits.approved(&limit, now),
                _ if is_blocked => {}
                _ => habits.refused(&limit, false),
            }
        }
    }

    fn any_open(&mut self) -> Option<Open> {
        let count = self.naive.open.len() as i64;
        (count > 0).then(|| self.naive.open[self.random.within(0, count) as usize].clone())
    }

    fn replace(&mut self) {
        let Some(known) = self.any_open() else { return };
        let mut order = NewOrder {
            account: known.cell.0.clone(),
            strategy_id: known.cell.1.clone(),
            instrument_id: known.cell.2.clone(),
            side: Ok(known.side),
            ..self.order()
        };
        let lot = self.naive.terms(&known.cell.2).qty_increment;
        order.order_qty = self.random.within(1, 15) * lot;
        let cum_qty = self.random.within(0, order.order_qty);
        let price = self.naive.counted(&order).unwrap_or(known.price);
        let aggressive =
            |before: i64, after: i64| if known.side == Side::Buy { before.max(after) } else { before.min(after) };
        let limit_px =
            known.limit_px.zip(order.price).map(|(before, after)| aggressive(before, after)).or(known.limit_px);
        let after = Open {
            leaves: known.leaves.max(i128::from(order.order_qty - cum_qty)),
            price: if price.abs() > known.price.abs() { price } else { known.price },
            limit_px,
            order_qty: order.order_qty,
            ..known.clone()
        };
        let expected = self.naive.reasons(&order, &after, Some(&known), self.crosses(&order));
        self.came(&order, false);
        if expected.is_empty() {
            self.naive.change(after);
        }
        let replace = Replace { asked: asked(known.order_id, order), cum_qty, decided: None };
        let decisions = self.apply(Event::Replace(replace)).decisions;
        self.agree(&decisions, &[expected]);
    }

    // What follows of them.

    fn fill(&mut self) {
        let Some(open) = self.any_open() else { return };
        let lot = self.naive.terms(&open.cell.2).qty_increment;
        let qty = if self.random.one_in(3) { open.leaves as i64 } else { self.random.within(1, 8) * lot };
        let mark = self.naive.marks.get(&open.cell.2).map_or(1_000, |(px, _)| *px);
        let last_px = (mark + self.random.within(-20, 21)).max(1);
        // Now and then a fill of an order that is none any more.
        let order_id = if self.random.one_in(25) { u64::MAX } else { open.order_id };
        let (account, strategy_id, instrument_id) = open.cell.clone();
        let fill = risk_core::pretrade::Fill {
            order_id,
            account,
            strategy_id,
            instrument_id,
            side: open.side,
            last_qty: qty,
            last_px,
            cash: None,
        };
        self.apply(Event::Fill(fill));
        let done = self.naive.fill(&open.cell, order_id, open.side, qty.into(), last_px);
        let now = self.naive.now;
        let scopes: Vec<(Key, RiskLimit)> =
            self.naive.scopes().into_iter().filter(|(scope, _)| covers(scope, &open.cell)).collect();
        for (scope, limit) in scopes {
            let habits = self.naive.habits.entry(scope).or_default();
            habits.filled(&limit, now);
            if let Some(done) = &done {
                let like = (done.cell.clone(), done.side, done.order_qty, None, None, done.ord_type);
                if habits.repeated(&limit, like, now) {
                    self.naive.latched.insert((done.cell.0.clone(), done.cell.1.clone()));
                }
            }
        }
        self.naive_follows();
    }

    fn close(&mut self) {
        // The more are open the more are closed, so that there are never very many.
        for _ in 0..1 + self.naive.open.len() / 16 {
            self.close_one();
        }
    }

    fn close_one(&mut self) {
        let Some(Open { order_id, cell, .. }) = self.any_open() else { return };
        self.naive.remove(order_id);
        if self.random.one_in(3) {
            self.apply(Event::VenueReject { order_id });
            for (scope, limit) in self.naive.scopes().into_iter().filter(|(scope, _)| covers(scope, &cell)) {
                self.naive.habits.entry(scope).or_default().refused(&limit, true);
            }
        } else {
            self.apply(Event::Release { order_id });
        }
        self.naive_follows();
    }

    fn restate(&mut self) {
        let Some(mut open) = self.any_open() else { return };
        let lot = self.naive.terms(&open.cell.2).qty_increment;
        open.leaves = i128::from(self.random.within(0, 10) * lot);
        open.price = self.random.within(900, 1_100).into();
        open.limit_px = open.limit_px.and(i64::try_from(open.price).ok());
        self.apply(Event::Restated(open.order_id, hold(&open)));
        if open.leaves == 0 {
            self.naive.remove(open.order_id);
        } else {
            self.naive.change(open);
        }
        self.naive_follows();
    }

    // What happens without an order.

    fn mark(&mut self) {
        let instrument_id = self.random.of(&INSTRUMENTS);
        let before = self.naive.marks.get(instrument_id).map_or(1_000, |(px, _)| *px);
        let mark_px = (before + self.random.within(-25, 26)).clamp(600, 1_600);
        self.apply(Event::Mark(Mark { instrument_id: instrument_id.into(), mark_px }));
        self.naive.marks.insert(instrument_id.into(), (mark_px, self.naive.now));
        self.naive_follows();
    }

    fn move_without_fill(&mut self) {
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

    fn set_limits(&mut self) {
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

    fn set_state(&mut self) {
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

    fn set_kill(&mut self) {
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

    fn set_rate_or_model(&mut self) {
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

    // A save, and a start from it.

    fn save(&mut self) {
        let memories = self.apply(Event::Save).memories;
        let stamp = Stamp { sequence: self.sequence, transact_time_ns: self.naive.now };
        let [memory] = memories.try_into().expect("one memory");
        assert_eq!(memory.state_hash, self.machine.state_hash());
        self.saved = Some((stamp, told(&self.naive, self.version, Some(memory))));
        self.since.clear();
    }

    fn restore(&mut self) {
        let Some((stamp, snapshot)) = self.saved.take() else { return };
        let mut machine = Machine::new(stamp, snapshot).expect("a snapshot that was saved");
        for (stamp, event) in self.since.drain(..) {
            let mut answers = Answers::default();
            machine.apply(stamp, event, &mut answers).expect("an event that happened");
            assert_eq!(answers.decisions, [], "what was decided is taken over");
        }
        assert_eq!(machine.state_hash(), self.machine.state_hash(), "sequence {}", self.sequence);
        self.machine = machine;
        self.restored += 1;
    }
}

/// An event as it is told again, with what was decided.
fn decided(event: Event, decisions: &[Decision]) -> Event {
    let of = |decision: &Decision| {
        let first = decision.check_failures.first().map(|failure| failure.ord_rej_reason);
        let blocked = first.is_some_and(|it| it <= OrdRejReason::StateReducing || it == OrdRejReason::List);
        Decided { approved: decision.approved(), blocked }
    };
    match event {
        Event::Check(check) => Event::Check(Check { decided: decisions.iter().map(of).collect(), ..check }),
        Event::Replace(replace) => Event::Replace(Replace { decided: decisions.first().map(of), ..replace }),
        other => other,
    }
}

fn hold(open: &Open) -> Hold {
    let (account, strategy_id, instrument_id) = open.cell.clone();
    Hold {
        account,
        strategy_id,
        instrument_id,
        side: open.side,
        leaves_qty: i64::try_from(open.leaves).expect("64 bits"),
        price: i64::try_from(open.price).expect("64 bits"),
        is_limit: open.limit_px.is_some(),
        list: open.list,
    }
}

fn rate(hundredths: i128) -> FxRate {
    FxRate { currency: "EUR".into(), quote_currency: "USD".into(), rate: decimal(hundredths, 2) }
}

/// Volatilities of one to a few per cent, correlated by a half.
fn covariance(factors: Vec<String>, percent: f64) -> (Vec<String>, Vec<f64>) {
    let k = factors.len();
    let sigma = |i: usize| percent * 0.01 * (1.0 + i as f64);
    let entry = |(i, j): (usize, usize)| sigma(i) * sigma(j) * if i == j { 1.0 } else { 0.5 };
    let covariance = (0..k * k).map(|place| entry((place / k, place % k))).collect();
    (factors, covariance)
}

fn model((factors, covariance): &(Vec<String>, Vec<f64>)) -> Model {
    Model {
        version: 1,
        instrument_ids: factors.clone(),
        covariance: covariance.clone(),
        confidence_bp: 9_900,
        horizon_days: 1,
        degrees_of_freedom: 0.0,
    }
}

/// The state as an engine would tell it.
fn told(naive: &Naive, version: u64, memory: Option<Memory>) -> Snapshot {
    let position = |((account, strategy_id, instrument_id), qty): (&Key, &i128)| Adjust {
        account: account.clone(),
        strategy_id: strategy_id.clone(),
        instrument_id: instrument_id.clone(),
        qty: i64::try_from(*qty).expect("64 bits"),
    };
    let mark = |(instrument_id, (mark_px, at)): (&String, &(i64, i64))| {
        (Mark { instrument_id: instrument_id.clone(), mark_px: *mark_px }, *at)
    };
    let cash = |((cell, currency), attos): (&(Key, String), &i128)| Cash {
        account: cell.0.clone(),
        cash: Money { currency: currency.clone(), attos: *attos },
    };
    Snapshot {
        instruments: naive.instruments.iter().map(|terms| Instrument::new(terms.clone()).expect("terms")).collect(),
        accounts: naive.accounts.clone(),
        risk_limits: RiskLimits::new(version, naive.limits.clone(), naive.band_bps).expect("limits"),
        positions: naive.net.iter().map(position).collect(),
        holds: naive.open.iter().map(|open| (open.order_id, hold(open))).collect(),
        marks: naive.marks.iter().map(mark).collect(),
        trading_states: naive.states.iter().map(|(scope, state)| (scope.clone(), *state)).collect(),
        kill_switches: naive.kills.iter().cloned().collect(),
        fx_rates: naive.rate.iter().map(|(num, den)| rate(num * 100 / den)).collect(),
        model: naive.model.as_ref().map(model),
        cash: naive.cash.iter().map(cash).collect(),
        memory: memory.map(|memory| memory.bytes),
    }
}

#[test]
fn every_decision_is_that_of_a_naive_machine_and_every_restart_goes_on() {
    let events = std::env::var("PRETRADE_EVENTS").ok().and_then(|it| it.parse().ok()).unwrap_or(200_000);
    let streams = 40;
    let mut refusals = std::collections::BTreeMap::<OrdRejReason, usize>::new();
    let (mut approvals, mut alarms, mut restored) = (0, 0, 0);
    for seed in 1..=streams {
        let mut run = Run::new(seed);
        for _ in 0..events / streams {
            run.step();
        }
        run.refusals.iter().for_each(|(reason, count)| *refusals.entry(*reason).or_default() += count);
        (approvals, alarms, restored) = (approvals + run.approvals, alarms + run.alarms, restored + run.restored);
    }
    println!("{events} events: {approvals} approvals, {alarms} alarms, {restored} restarts, refusals {refusals:?}");
    let not_asked = [
        OrdRejReason::InstrumentClosed,
        OrdRejReason::InvalidField,
        OrdRejReason::UnknownAccount,
        OrdRejReason::UnknownInstrument,
        OrdRejReason::InvalidPrice,
        OrdRejReason::BatchSize,
    ];
    assert_eq!(refusals.len() + not_asked.len(), 37, "every other check refuses: {refusals:?}");
}
