//! Orders that may go, or not: asked, decided, held and counted.

use super::checks::{self, Facts, Placed, counted_price, failure, likeness, raises_var, reduces};
use super::exposure::Exposure;
use super::orders::Held;
use super::{
    Answers, Asked, Check, CheckFailure, Contingency, Decided, Decision, EventError, Machine, OrdRejReason, Replace,
    Side, Stamp,
};

/// What became of one order that was asked about.
struct Verdict {
    check_failures: Vec<CheckFailure>,
    /// Whose counters it counts in; None: nobody's.
    cell: Option<usize>,
    approved: bool,
    /// It was refused for no fault of its own.
    blocked: bool,
}

impl Machine {
    /// Decides on orders of which all go, or none.
    pub(super) fn check(&mut self, stamp: Stamp, check: Check, answers: &mut Answers) -> Result<(), EventError> {
        let Check { contingency, orders, decided, preview } = check;
        let list = contingency.and_then(|contingency| Some((orders.first()?.order_id, contingency)));
        // A preview counts like any other, up to its end.
        let remembered =
            preview.then(|| self.state.scopes.iter().map(|scope| scope.conduct.clone()).collect::<Vec<_>>());
        let mut verdicts = Vec::new();
        let mut decided_on = decided.iter().copied();
        for asked in &orders {
            verdicts.push(self.decide(stamp, asked, list, decided_on.next())?);
        }
        let all_go = verdicts.iter().all(|verdict| verdict.approved);
        for (asked, verdict) in orders.iter().zip(&mut verdicts) {
            if verdict.approved && (preview || !all_go) {
                self.changes.extend(self.state.orders.remove(asked.order_id));
                self.post()?;
            } else if verdict.approved {
                self.lay(asked.order_id);
            }
            if verdict.approved && !all_go {
                (verdict.approved, verdict.blocked) = (false, true);
                verdict.check_failures =
                    vec![failure(OrdRejReason::List, "list", "all of its orders", "another one fails")];
            }
            if !preview {
                self.count(stamp, verdict, answers);
            }
        }
        for (scope, conduct) in self.state.scopes.iter_mut().zip(remembered.into_iter().flatten()) {
            scope.conduct = conduct;
        }
        if decided.is_empty() {
            answers.decisions.extend(orders.iter().zip(verdicts).map(|(asked, verdict)| Decision {
                sequence: stamp.sequence,
                order_id: asked.order_id,
                check_failures: verdict.check_failures,
            }));
        }
        Ok(())
    }

    fn lay(&mut self, order_id: u64) {
        if let Some(held) = self.state.orders.get(order_id).cloned() {
            self.state.lay(&held, true);
        }
    }

    /// Decides on one order, and holds it when it may go.
    fn decide(
        &mut self,
        stamp: Stamp,
        asked: &Asked,
        list: Option<(u64, Contingency)>,
        decided: Option<Decided>,
    ) -> Result<Verdict, EventError> {
        let order = &asked.order;
        let (account, instrument) = (self.state.account(&order.account), self.state.instrument(&order.instrument_id));
        let cell = account
            .zip(instrument)
            .map(|(account, instrument)| self.state.cell(account, &order.strategy_id, instrument));
        let price = self.price(asked, instrument);
        let is_wrong_id = asked.order_id == 0 || self.state.orders.get(asked.order_id).is_some();
        let held = cell.filter(|_| !is_wrong_id).and_then(|cell| new_hold(asked, cell, price, list));
        let change = held.map(|held| (held.side, self.state.orders.insert(asked.order_id, held).1));
        let facts = Facts {
            state: &self.state,
            now_ns: stamp.transact_time_ns,
            asked,
            is_wrong_id,
            account,
            instrument,
            cell,
            placed: None,
            is_replace: false,
            price,
        };
        let check_failures = failures(facts, change, decided);
        self.came(stamp, asked, cell, true);
        let approved = check_failures.is_empty() && decided.is_none_or(|decided| decided.approved);
        match (approved, cell.zip(change)) {
            (true, Some((cell, (_, change)))) => self.state.shift(cell, &change)?,
            (true, None) => return Err(not_held(asked.order_id)),
            // It was not posted, so nothing but the order itself is taken back.
            (false, Some(_)) => drop(self.state.orders.remove(asked.order_id)),
            (false, None) => {}
        }
        let blocked = decided.map_or_else(|| is_blocked(&check_failures), |decided| decided.blocked);
        Ok(Verdict { check_failures, cell, approved, blocked })
    }

    fn price(&self, asked: &Asked, instrument: Option<usize>) -> Option<i128> {
        let mark = self.state.instruments.get(instrument?).mark;
        counted_price(&asked.order, mark.map(|(mark_px, _)| mark_px), self.state.risk_limits.market_order_band_bps())
    }

    /// Counts an order that came.
    fn came(&mut self, stamp: Stamp, asked: &Asked, cell: Option<usize>, is_new: bool) {
        let Some(cell) = cell else { return };
        let likeness = likeness(&asked.order, cell).filter(|_| is_new);
        for place in 0..self.state.cells[cell].scopes.len() {
            let scope = &mut self.state.scopes[self.state.cells[cell].scopes[place]];
            scope.conduct.came(&scope.limit, likeness, stamp.transact_time_ns);
        }
    }

    /// Counts what became of an order.
    fn count(&mut self, stamp: Stamp, verdict: &Verdict, answers: &mut Answers) {
        let Some(cell) = verdict.cell else { return };
        if !verdict.approved {
            if !verdict.blocked {
                self.count_refusal(stamp, cell, false, &mut answers.alarms);
            }
            return;
        }
        for place in 0..self.state.cells[cell].scopes.len() {
            let scope = &mut self.state.scopes[self.state.cells[cell].scopes[place]];
            if scope.conduct.approved(&scope.limit, stamp) {
                let (key, most) = (scope.key, scope.limit.max_order_to_trade_ratio.unwrap_or_default());
                answers.alarms.push(self.latch_alarm(stamp, OrdRejReason::OtrLimit, &key, most));
            }
        }
    }

    /// Decides on a change of an open order; approved, it holds the larger of both until it is restated.
    pub(super) fn replace(&mut self, stamp: Stamp, replace: Replace, answers: &mut Answers) -> Result<(), EventError> {
        let Replace { asked, cum_qty, decided } = replace;
        let order = &asked.order;
        let (account, instrument) = (self.state.account(&order.account), self.state.instrument(&order.instrument_id));
        let cell = account
            .zip(instrument)
            .map(|(account, instrument)| self.state.cell(account, &order.strategy_id, instrument));
        let price = self.price(&asked, instrument);
        let known = self.state.orders.get(asked.order_id).cloned();
        let known = known.filter(|known| Some(known.cell) == cell && Ok(known.side) == order.side);
        let budget = self.state.orders.budget(asked.order_id);
        let change = known.as_ref().and_then(|known| {
            let held = larger(known, &asked, cum_qty, price);
            Some((known.side, self.state.orders.change(asked.order_id, |it| *it = held)?.1))
        });
        let facts = Facts {
            state: &self.state,
            now_ns: stamp.transact_time_ns,
            asked: &asked,
            is_wrong_id: known.is_none(),
            account,
            instrument,
            cell,
            placed: None,
            is_replace: true,
            price,
        };
        let mut check_failures = failures(facts, change, decided);
        if decided.is_none() && order.order_qty > 0 && order.order_qty <= cum_qty {
            let rule = format!("more than {cum_qty} filled (scaled)");
            check_failures.push(failure(OrdRejReason::InvalidQty, "field:order_qty", rule, order.order_qty));
            check_failures.sort_by_key(|failure| failure.ord_rej_reason);
        }
        self.came(stamp, &asked, cell, false);
        let approved = check_failures.is_empty() && decided.is_none_or(|decided| decided.approved);
        match (approved, known, cell.zip(change)) {
            (true, Some(known), Some((cell, (_, change)))) => {
                self.state.shift(cell, &change)?;
                self.state.lay(&known, false);
                self.lay(asked.order_id);
            }
            (true, ..) => return Err(not_held(asked.order_id)),
            (false, Some(known), _) => {
                self.state.orders.change(asked.order_id, |it| *it = known);
                if let Some((place, budget)) = budget {
                    self.state.orders.restore_budget(place, budget);
                }
            }
            (false, None, _) => {}
        }
        if decided.is_none() {
            let (sequence, order_id) = (stamp.sequence, asked.order_id);
            answers.decisions.push(Decision { sequence, order_id, check_failures });
        }
        Ok(())
    }
}

/// Everything that the order fails, unless it was decided before.
fn failures(mut facts: Facts, change: Option<(Side, Exposure)>, decided: Option<Decided>) -> Vec<CheckFailure> {
    if decided.is_some() {
        return Vec::new();
    }
    let Some((cell, (side, change))) = facts.cell.zip(change) else { return checks::failures(&facts) };
    let cell = &facts.state.cells[cell];
    let (of_book, of_cell) = (facts.state.books[cell.book].exposure, cell.exposure);
    let mut placed = Placed {
        side,
        change,
        reduces_book: reduces(side, &of_book, &change),
        reduces_cell: reduces(side, &of_cell, &change),
    };
    if (placed.reduces_book || placed.reduces_cell) && raises_var(&facts, &placed) {
        (placed.reduces_book, placed.reduces_cell) = (false, false);
    }
    facts.placed = Some(placed);
    let mut failures = checks::failures(&facts);
    if failures.is_empty() && (of_book.plus(&change).is_none() || of_cell.plus(&change).is_none()) {
        failures.push(failure(OrdRejReason::InvalidField, "field:order_qty", i128::MAX, "overflow"));
    }
    failures
}

/// What a new order would hold; None: it has no size.
fn new_hold(asked: &Asked, cell: usize, price: Option<i128>, list: Option<(u64, Contingency)>) -> Option<Held> {
    let order = &asked.order;
    let (side, ord_type) = (order.side.ok()?, order.ord_type.ok()?);
    let is_limit = ord_type == super::OrdType::Limit;
    (order.order_qty > 0).then(|| Held {
        cell,
        side,
        leaves_qty: order.order_qty,
        price: price.unwrap_or_default(),
        limit_px: order.price.filter(|_| is_limit),
        order_qty: order.order_qty,
        ord_type,
        has_trigger: ord_type.has_trigger(),
        list,
    })
}

/// What a change of an order holds until it is confirmed: each time the worse of what it was and what it would be.
fn larger(known: &Held, asked: &Asked, cum_qty: i64, price: Option<i128>) -> Held {
    let order = &asked.order;
    let price = price.unwrap_or(known.price);
    let limit_px = known.limit_px.zip(order.price).map(|(before, after)| match known.side {
        Side::Buy => before.max(after),
        Side::Sell => before.min(after),
    });
    Held {
        leaves_qty: known.leaves_qty.max(order.order_qty.saturating_sub(cum_qty)),
        price: if price.abs() > known.price.abs() { price } else { known.price },
        limit_px: limit_px.or(known.limit_px),
        order_qty: order.order_qty,
        ..known.clone()
    }
}

fn is_blocked(failures: &[CheckFailure]) -> bool {
    failures.first().is_some_and(|first| first.ord_rej_reason <= OrdRejReason::StateReducing)
}

fn not_held(order_id: u64) -> EventError {
    EventError::new(format!("decision on order {order_id}"), "approved", "must be of an order that can be held", true)
}
