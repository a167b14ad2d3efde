//! Orders, lists and replaces, and what follows of them.

use super::*;

impl Run {
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
            has_trigger: !matches!(order.ord_type, Ok(OrdType::Market | OrdType::Limit)),
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

    pub(super) fn new_order(&mut self) {
        let order = self.order();
        self.check(None, vec![order]);
    }

    pub(super) fn list(&mut self) {
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

    pub(super) fn replace(&mut self) {
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

    pub(super) fn fill(&mut self) {
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

    pub(super) fn close(&mut self) {
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

    pub(super) fn restate(&mut self) {
        let Some(mut open) = self.any_open() else { return };
        let lot = self.naive.terms(&open.cell.2).qty_increment;
        open.leaves = i128::from(self.random.within(0, 10) * lot);
        open.price = self.random.within(900, 1_100).into();
        open.limit_px = open.limit_px.and(i64::try_from(open.price).ok());
        open.has_trigger &= self.sequence.is_multiple_of(2);
        self.apply(Event::Restated(open.order_id, hold(&open)));
        if open.leaves == 0 {
            self.naive.remove(open.order_id);
        } else {
            self.naive.change(open);
        }
        self.naive_follows();
    }
}
