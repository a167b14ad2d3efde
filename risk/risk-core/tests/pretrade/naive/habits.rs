//! What a scope remembers, as lists that are counted afresh.

use risk_core::pretrade::{OrdType, RiskLimit, Side, TradingState};

use super::Key;

/// Cell, side, quantity, prices, type.
pub type Like = (Key, Side, i64, Option<i64>, Option<i64>, OrdType);

#[derive(Clone, Debug, Default)]
pub struct Habits {
    pub day_start: Option<i128>,
    pub peak: Option<i128>,
    pub loss: Option<TradingState>,
    pub tokens: Option<(i128, i64)>,
    pub came: Vec<(i64, Like)>,
    pub repeats: Vec<(i64, Like)>,
    pub refused: u32,
    pub venue_refused: u32,
    pub storm: bool,
    /// Slices of orders and of fills.
    pub orders: Vec<i64>,
    pub fills: Vec<i64>,
    pub too_active: bool,
}

/// Longer than any window of the test.
const LONGEST_NS: i64 = 6_000_000_000;
const TOKEN: i128 = 1_000_000_000;

impl Habits {
    pub fn pay(&mut self, amount: Option<i128>) {
        self.day_start = self.day_start.zip(amount).map(|(reference, amount)| reference + amount);
        self.peak = self.peak.zip(amount).map(|(reference, amount)| reference + amount);
    }

    pub fn losses(&self, limit: &RiskLimit, equity: i128) -> Vec<(i128, i128)> {
        let of = |limit: Option<risk_core::pretrade::Decimal>, reference: Option<i128>| {
            let limit = limit?;
            Some((limit.mantissa() * 10i128.pow(18 - limit.scale()), reference? - equity))
        };
        [of(limit.max_daily_loss, self.day_start), of(limit.max_drawdown, self.peak)].into_iter().flatten().collect()
    }

    pub fn follow(&mut self, limit: &RiskLimit, equity: i128) {
        self.day_start = self.day_start.or(Some(equity));
        self.peak = Some(self.peak.map_or(equity, |peak| peak.max(equity)));
        for (limit, loss) in self.losses(limit, equity) {
            if loss > 2 * limit {
                self.loss = Some(TradingState::Halted);
            } else if loss > limit {
                self.loss = self.loss.or(Some(TradingState::Reducing));
            }
        }
    }

    pub fn tokens_at(&self, limit: &RiskLimit, now: i64) -> Option<i128> {
        let rate = i128::from(limit.order_rate_per_s?);
        let most = limit.order_burst.map_or(rate, i128::from) * TOKEN;
        Some(self.tokens.map_or(most, |(tokens, at)| most.min(tokens + i128::from(now - at) * rate)))
    }

    pub fn has_token(&self, limit: &RiskLimit, now: i64) -> bool {
        self.tokens_at(limit, now).is_none_or(|tokens| tokens >= TOKEN)
    }

    pub fn alike(&self, like: &Like, limit: &RiskLimit, now: i64) -> u32 {
        let window = i64::from(limit.duplicate_window_ms.unwrap_or_default()) * 1_000_000;
        self.came.iter().filter(|(at, it)| it == like && now - at < window).count() as u32
    }

    pub fn came(&mut self, limit: &RiskLimit, like: Option<Like>, now: i64) {
        let tokens = self.tokens_at(limit, now);
        self.tokens = tokens.map(|tokens| (if tokens >= TOKEN { tokens - TOKEN } else { tokens }, now));
        self.came.retain(|(at, _)| now - at < LONGEST_NS);
        if limit.duplicate_count.is_some() {
            self.came.extend(like.map(|like| (now, like)));
        }
    }

    pub fn refused(&mut self, limit: &RiskLimit, by_venue: bool) {
        let count = if by_venue { &mut self.venue_refused } else { &mut self.refused };
        *count += 1;
        self.storm |= limit.max_consecutive_rejects.is_some_and(|most| *count >= most);
    }

    pub fn approved(&mut self, limit: &RiskLimit, now: i64) {
        self.refused = 0;
        self.active(limit, now, true);
    }

    pub fn filled(&mut self, limit: &RiskLimit, now: i64) {
        self.venue_refused = 0;
        self.active(limit, now, false);
    }

    fn active(&mut self, limit: &RiskLimit, now: i64, is_order: bool) {
        let (Some(ratio), Some(window)) = (limit.max_order_to_trade_ratio, limit.otr_window_ms) else { return };
        let slice = now / (i64::from(window) * 1_000_000 / 64);
        if is_order { &mut self.orders } else { &mut self.fills }.push(slice);
        self.orders.retain(|it| *it > slice - 64);
        self.fills.retain(|it| *it > slice - 64);
        self.too_active |= self.orders.len() >= 100 && self.orders.len() > self.fills.len() * ratio as usize;
    }

    /// True when it is one too many.
    pub fn repeated(&mut self, limit: &RiskLimit, like: Like, now: i64) -> bool {
        let (Some(count), Some(window)) = (limit.repeat_count, limit.repeat_window_ms) else { return false };
        self.repeats.retain(|(at, _)| now - at < LONGEST_NS);
        self.repeats.push((now, like.clone()));
        let window = i64::from(window) * 1_000_000;
        self.repeats.iter().filter(|(at, it)| *it == like && now - at < window).count() >= count as usize
    }

    pub fn arm(&mut self) {
        (self.loss, self.storm, self.too_active, self.refused, self.venue_refused) = (None, false, false, 0, 0);
        self.orders.clear();
        self.fills.clear();
    }
}
