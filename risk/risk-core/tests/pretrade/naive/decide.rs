//! Every check, from scratch.

use risk_core::pretrade::{Decimal, NewOrder, OrdRejReason, OrdType, RiskLimit, Side, TradingState};

use super::{Key, Naive, Open, covers};

/// One position with its orders, as money at the mark.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marked {
    pub long: i128,
    pub short: i128,
    pub value: i128,
    pub filled: i128,
    pub open: i128,
}

#[derive(Clone, Debug)]
pub struct CellSums {
    instrument_id: String,
    /// None: no mark or no rate where one is needed.
    pub marked: Option<Marked>,
    open_orders: i128,
    /// Open and traded, as money and as 10^-18 units.
    rated: Option<[i128; 4]>,
}

const QUANTILE_99: f64 = 2.326_347_874_040_841;

pub fn attos(limit: Decimal) -> i128 {
    limit.mantissa() * 10i128.pow(18 - limit.scale())
}

impl Naive {
    /// The positions that a scope counts: of accounts, or of strategies when it names one.
    pub fn totals_cells(&self, scope: &Key) -> Vec<CellSums> {
        let of_strategy = !scope.1.is_empty();
        let all = self.net.keys().chain(self.traded.keys()).cloned().chain(self.open.iter().map(|it| it.cell.clone()));
        let cells: std::collections::BTreeSet<Key> = all
            .filter(|cell| covers(scope, cell))
            .map(|cell| if of_strategy { cell } else { (cell.0, String::new(), cell.2) })
            .collect();
        cells.iter().map(|cell| self.cell_sums(scope, cell, of_strategy)).collect()
    }

    fn cell_sums(&self, scope: &Key, cell: &Key, of_strategy: bool) -> CellSums {
        let (net, open) = (self.net_of(cell, of_strategy), self.open_sums(cell, of_strategy));
        let base = self.base(scope);
        let is_in = |it: &Key| it.0 == cell.0 && it.2 == cell.2 && (!of_strategy || it.1 == cell.1);
        let traded =
            self.traded.iter().filter(|(it, _)| is_in(it)).fold((0, 0), |sum, (_, it)| (sum.0 + it.0, sum.1 + it.1));
        let at_mark = |qty: i128| self.worth(qty * i128::from(self.marks.get(&cell.2)?.0), &cell.2, base);
        let marked = if net == 0 && open.buy == 0 && open.sell == 0 {
            Some(Marked::default())
        } else {
            (|| {
                Some(Marked {
                    long: at_mark(net + open.buy)?,
                    short: at_mark(open.sell - net)?,
                    value: at_mark(net)?,
                    filled: at_mark(net + open.buy - open.sell)?,
                    open: at_mark(open.buy + open.sell)?,
                })
            })()
        };
        let fine = 10i128.pow(18 - self.terms(&cell.2).qty_scale);
        let rated = if open.qty == 0 && traded.0 == 0 {
            Some([0; 4])
        } else {
            (|| {
                let (open_notional, traded_notional) =
                    (self.worth(open.turnover, &cell.2, base)?, self.worth(traded.1, &cell.2, base)?);
                Some([open_notional, traded_notional, open.qty * fine, traded.0 * fine])
            })()
        };
        CellSums { instrument_id: cell.2.clone(), marked, open_orders: open.orders, rated }
    }

    /// The price that an order counts at.
    pub fn counted(&self, order: &NewOrder) -> Option<i128> {
        let mark = self.marks.get(&order.instrument_id).map(|(px, _)| i128::from(*px));
        let is_buy = order.side == Ok(Side::Buy);
        let raised = |px: i128| if is_buy { (px * (10_000 + i128::from(self.band_bps)) + 9_999) / 10_000 } else { px };
        match order.ord_type.expect("a type") {
            OrdType::Limit | OrdType::StopLimit => order.price.map(i128::from),
            OrdType::Stop => order.stop_px.map(|px| raised(px.into())),
            OrdType::Market => mark.map(raised),
            OrdType::TrailingStop => {
                mark.map(|px| raised(if is_buy { px + i128::from(order.trailing_amount) } else { px }))
            }
        }
    }

    /// All reasons to refuse `after`, which is this order as it would be open; `before`: as it is open already.
    pub fn reasons(&self, order: &NewOrder, after: &Open, before: Option<&Open>, crossed: bool) -> Vec<OrdRejReason> {
        use OrdRejReason as R;
        let cell = &after.cell;
        let mut then = self.clone();
        match before {
            Some(_) => then.change(after.clone()),
            None => then.insert(after.clone()),
        }
        let added = |of_strategy: bool| {
            let (was, is) = (self.open_sums(cell, of_strategy), then.open_sums(cell, of_strategy));
            is.buy + is.sell - was.buy - was.sell
        };
        let mut reduces = [false, true].map(|of| added(of) <= 0 || then.worst(cell, of, after.side) <= 0);
        let scopes: Vec<(Key, RiskLimit)> =
            self.scopes().into_iter().filter(|(scope, _)| covers(scope, cell)).collect();
        let vars: Vec<_> =
            scopes.iter().map(|(scope, limit)| limit.max_var.map(|_| self.var_after(scope, &then, after))).collect();
        if vars.iter().flatten().flatten().any(|(_, falls)| !falls) {
            reduces = [false, false];
        }
        let mut reasons = self.switched_off(cell, reduces);
        let adds = {
            let (was, is) = (self.open_sums(cell, false), then.open_sums(cell, false));
            is.qty > was.qty || is.turnover > was.turnover || is.orders > was.orders
        };
        let mark = self.marks.get(&cell.2);
        let qty = |scaled: i128| Decimal::new(scaled, self.terms(&cell.2).qty_scale).expect("a quantity");
        let price = |scaled: i128| Decimal::new(scaled, self.terms(&cell.2).price_scale).expect("a price");
        let terms = self.terms(&cell.2);
        if order.order_qty % terms.qty_increment != 0 {
            reasons.push(R::InvalidQty);
        }
        if mark.is_none() && matches!(order.ord_type, Ok(OrdType::Market | OrdType::TrailingStop)) {
            reasons.push(R::RefPriceStale);
        }
        let notional = self.counted(order).map(|px| {
            let scale = terms.price_scale + terms.qty_scale + terms.multiplier.scale();
            Decimal::new((px * i128::from(order.order_qty)).abs() * terms.multiplier.mantissa(), scale)
                .expect("a notional")
        });
        let above = |value: Option<Decimal>, limit: Option<Decimal>| {
            value.zip(limit).is_some_and(|(value, limit)| value > limit)
        };
        for ((scope, limit), var) in scopes.iter().zip(vars) {
            let of_strategy = !scope.1.is_empty();
            let reduces = reduces[usize::from(of_strategy)];
            let habits = self.habits.get(scope).cloned().unwrap_or_default();
            let mut refuse = |is_failing: bool, reason: R| reasons.extend(is_failing.then_some(reason));
            refuse(limit.restricted && !reduces, R::Restricted);
            refuse(above(Some(qty(order.order_qty.into())), limit.max_order_qty), R::MaxOrderQty);
            refuse(above(notional, limit.max_order_notional), R::MaxOrderNotional);
            refuse(above(notional, limit.max_batch_notional), R::BatchValue);
            if let Some(bps) = limit.max_adv_share_bps {
                let adv = limit.adv_qty.map_or(0, attos);
                refuse(attos(qty(order.order_qty.into())) * 10_000 > adv * i128::from(bps), R::Concentration);
            }
            let outside = |px: i64, reference: i128, bps: u32| {
                (attos(price(px.into())) - reference).abs() * 10_000 > reference.abs() * i128::from(bps)
            };
            if let Some(bps) = limit.static_collar_bps {
                let reference = limit.static_reference_px.map(attos);
                let is_out = |px: i64| reference.is_none_or(|reference| outside(px, reference, bps));
                refuse(order.price.into_iter().chain(order.stop_px).any(is_out), R::PriceCollarStatic);
            }
            let limits_marks = limit.price_collar_bps.is_some()
                || limit.max_aggressive_ticks.is_some()
                || limit.max_mark_age_ms.is_some()
                || limit.max_gross_notional.is_some()
                || limit.max_net_notional.is_some()
                || limit.max_leverage.is_some()
                || limit.initial_margin_ratio.is_some()
                || limit.max_var.is_some();
            refuse(mark.is_none() && limits_marks && !reduces, R::RefPriceStale);
            if let (Some((px, at)), true) = (mark, order.ord_type.is_ok()) {
                let age = limit.max_mark_age_ms.map(|age| i64::from(age) * 1_000_000);
                refuse(age.is_some_and(|age| self.now - at > age), R::RefPriceStale);
                if let (Ok(OrdType::Limit), Some(limit_px)) = (order.ord_type, order.price) {
                    let collar = limit.price_collar_bps;
                    refuse(
                        collar.is_some_and(|bps| outside(limit_px, attos(price((*px).into())), bps)),
                        R::PriceCollar,
                    );
                    let through = if after.side == Side::Buy { limit_px - px } else { px - limit_px };
                    let ticks = limit.max_aggressive_ticks.map(|ticks| i64::from(ticks) * terms.price_increment);
                    refuse(ticks.is_some_and(|ticks| through > ticks), R::AggressivePrice);
                }
            }
            refuse(!habits.has_token(limit, self.now), R::RateLimit);
            if let (Some(count), None) = (limit.duplicate_count, before) {
                refuse(habits.alike(&like(order), limit, self.now) + 1 >= count, R::DuplicateFlood);
            }
            refuse(limit.prevent_self_trade && crossed, R::Stp);
            refuse(habits.storm, R::RejectStorm);
            refuse(habits.too_active, R::OtrLimit);
            let worst = then.worst(cell, of_strategy, after.side);
            let of_side = if after.side == Side::Buy { limit.max_long_qty } else { limit.max_short_qty };
            let over = [limit.max_position_qty, of_side].into_iter().flatten().any(|limit| qty(worst) > limit);
            refuse(over && !reduces, R::PositionLimit);
            refuse(limit.no_short && after.side == Side::Sell && worst > 0 && !reduces, R::ShortNotAllowed);
            let equity = self.equity(scope);
            match habits.loss {
                Some(TradingState::Halted) => refuse(true, R::LossLimit),
                Some(_) => refuse(!reduces, R::LossLimit),
                None => {
                    let losses = equity.map(|equity| habits.losses(limit, equity)).unwrap_or_default();
                    refuse(losses.iter().any(|(limit, loss)| loss > limit) && !reduces, R::LossLimit);
                }
            }
            let loses = limit.max_daily_loss.is_some() || limit.max_drawdown.is_some();
            refuse(loses && equity.is_none() && !reduces, R::ModelStale);
            reasons.extend(self.sums(scope, limit, &then, reduces, adds, mark.is_some()));
            if let (Some(limit), Some(var), false) = (limit.max_var, var, reduces) {
                match var {
                    Some((worst, _)) => reasons.extend((worst > attos(limit) as f64 * 1e-18).then_some(R::VarLimit)),
                    None => reasons.push(R::ModelStale),
                }
            }
        }
        if self.latched.contains(&(cell.0.clone(), cell.1.clone())) {
            reasons.push(R::StrategyLatched);
        }
        Self::sorted(reasons)
    }

    fn switched_off(&self, cell: &Key, reduces: [bool; 2]) -> Vec<OrdRejReason> {
        let binds = |scope: &risk_core::pretrade::TradingScope| {
            let key = (scope.account.clone(), scope.strategy_id.clone(), scope.instrument_id.clone());
            covers(&key, cell) && (scope.venue.is_empty() || cell.2.ends_with(&format!(".{}", scope.venue)))
        };
        let mut reasons = Vec::new();
        if self.kills.iter().any(binds) {
            reasons.push(OrdRejReason::KillSwitch);
        }
        let binding: Vec<_> = self.states.iter().filter(|(scope, _)| binds(scope)).collect();
        let strictest = binding.iter().map(|(_, state)| **state).max();
        // Of equally strict ones the first counts, as to whether it looks at a strategy.
        let first = binding.iter().find(|(_, state)| Some(**state) == strictest);
        reasons.extend(first.and_then(|(scope, state)| match state {
            TradingState::Active => None,
            TradingState::Reducing => {
                (!reduces[usize::from(!scope.strategy_id.is_empty())]).then_some(OrdRejReason::StateReducing)
            }
            TradingState::CancelOnly => Some(OrdRejReason::StateCancelOnly),
            TradingState::Halted => Some(OrdRejReason::StateHalted),
        }));
        reasons
    }

    /// Sums of the scope with the order in it.
    fn sums(
        &self,
        scope: &Key,
        limit: &RiskLimit,
        then: &Self,
        reduces: bool,
        adds: bool,
        is_marked: bool,
    ) -> Vec<OrdRejReason> {
        use OrdRejReason as R;
        let (was, is) = (self.totals_cells(scope), then.totals_cells(scope));
        let equity = self.equity(&(scope.0.clone(), String::new(), String::new()));
        let orders = |sums: &[CellSums]| sums.iter().map(|it| it.open_orders).sum::<i128>();
        let rated = |sums: &[CellSums], of: fn(&[i128; 4]) -> i128| {
            sums.iter().map(|it| it.rated.as_ref().map(of)).sum::<Option<i128>>()
        };
        let marked = |of: fn(&Marked) -> i128| is.iter().map(|it| it.marked.as_ref().map(of)).sum::<Option<i128>>();
        let gross = marked(|it| it.long.max(it.short));
        let net = marked(|it| it.long).zip(marked(|it| it.short)).map(|(long, short)| long.max(short));
        let mut reasons = Vec::new();
        let mut exposure = |limit: Option<i128>, value: Option<i128>, reason: R| {
            let Some(limit) = limit.filter(|_| !reduces) else { return };
            match value {
                None => reasons.extend(is_marked.then_some(R::ModelStale)),
                Some(value) => reasons.extend((value > limit).then_some(reason)),
            }
        };
        exposure(limit.max_gross_notional.map(attos), gross, R::MaxExposure);
        exposure(limit.max_net_notional.map(attos), net, R::MaxExposure);
        let day = |of: fn(&[i128; 4]) -> i128| rated(&is, of);
        exposure(limit.max_daily_notional.map(attos), day(|it| it[0] + it[1]), R::DailyValue);
        exposure(limit.max_daily_qty.map(attos), day(|it| it[2] + it[3]), R::DailyValue);
        let both = gross.zip(equity);
        let over = |ratio: Decimal, is_over: fn(i128, i128, i128, i128) -> bool| {
            both.map(|(gross, equity)| i128::from(is_over(gross, equity, ratio.mantissa(), 10i128.pow(ratio.scale()))))
        };
        // The ratios of the test are small, so that the products fit.
        let leverage = limit.max_leverage.map(|it| over(it, |gross, equity, num, den| gross * den > equity * num));
        exposure(leverage.map(|_| 0), leverage.flatten(), R::MaxExposure);
        let margin =
            limit.initial_margin_ratio.map(|it| over(it, |gross, equity, num, den| gross * num > equity * den));
        exposure(margin.map(|_| 0), margin.flatten(), R::InsufficientMargin);
        let mut volume = |limit: Option<i128>, was: Option<i128>, is: Option<i128>, reason: R| {
            let Some(limit) = limit.filter(|_| adds && (is.is_none() || is > was)) else { return };
            match is {
                None => reasons.extend(is_marked.then_some(R::ModelStale)),
                Some(value) => reasons.extend((value > limit).then_some(reason)),
            }
        };
        volume(limit.max_open_orders.map(i128::from), Some(orders(&was)), Some(orders(&is)), R::MaxOpenOrders);
        let open = |sums: &[CellSums]| rated(sums, |it| it[0]);
        volume(limit.max_open_notional.map(attos), open(&was), open(&is), R::MaxOpenNotional);
        reasons
    }

    /// VaR at the worst case with the order filled, and whether it falls with and without the other orders. None: there is
    /// no model of everything.
    fn var_after(&self, scope: &Key, then: &Self, after: &Open) -> Option<(f64, bool)> {
        let (factors, covariance) = self.model.as_ref()?;
        let sums = |of: &Self, value: fn(&Marked) -> i128| -> Option<Vec<f64>> {
            let mut exposures = vec![0.0; factors.len()];
            for cell in of.totals_cells(scope) {
                let marked = cell.marked?;
                let is_held = marked.value != 0 || marked.open != 0;
                match factors.iter().position(|it| *it == cell.instrument_id) {
                    Some(factor) => exposures[factor] += value(&marked) as f64 * 1e-18,
                    None if is_held => return None,
                    None => {}
                }
            }
            Some(exposures)
        };
        let factor = factors.iter().position(|it| *it == after.cell.2)?;
        let (held, filled, open) = (sums(self, |it| it.value)?, sums(self, |it| it.filled)?, sums(self, |it| it.open)?);
        let of_strategy = !scope.1.is_empty();
        let (was, is) = (self.open_sums(&after.cell, of_strategy), then.open_sums(&after.cell, of_strategy));
        let added = (is.buy - was.buy) - (is.sell - was.sell);
        let mark = i128::from(self.marks.get(&after.cell.2)?.0);
        let change = self.worth(added * mark, &after.cell.2, self.base(scope))? as f64 * 1e-18;
        let k = factors.len();
        let variance = |x: &[f64]| -> f64 {
            (0..k).flat_map(|i| (0..k).map(move |j| (i, j))).map(|(i, j)| x[i] * x[j] * covariance[i * k + j]).sum()
        };
        let moved = |x: &[f64]| {
            let mut x = x.to_vec();
            x[factor] += change;
            x
        };
        let others: f64 = (0..k).map(|i| open[i] * covariance[i * k + i].sqrt()).sum();
        let worst = QUANTILE_99 * (variance(&moved(&held)).max(0.0).sqrt() + others);
        let falls = |x: &[f64]| added == 0 || variance(&moved(x)) <= variance(x) * (1.0 + 1e-9);
        Some((worst, falls(&held) && falls(&filled)))
    }
}

pub fn like(order: &NewOrder) -> super::habits::Like {
    let (side, ord_type) = (order.side.expect("a side"), order.ord_type.expect("a type"));
    (super::key(order), side, order.order_qty, order.price, order.stop_px, ord_type)
}
