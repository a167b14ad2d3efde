//! What a scope remembers of how it has been traded, and what it latched for.

use super::money::{Attos, attos};
use super::windows::{Activity, Bucket, Likeness, Window};
use super::{OrdRejReason, RiskLimit, Stamp, TradingState};

/// What one scope remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct Conduct {
    /// Equity when the day began, moved by what was paid in or out since.
    pub(super) day_start: Option<Attos>,
    /// Highest equity, moved likewise.
    pub(super) peak: Option<Attos>,
    pub(super) loss: Option<LossLatch>,
    pub(super) bucket: Option<Bucket>,
    pub(super) duplicates: Window,
    pub(super) repeats: Window,
    /// Refusals in a row of risk, and of the venue.
    pub(super) refused: u32,
    pub(super) venue_refused: u32,
    /// Sequence of the event since which there are too many of them.
    pub(super) storm: Option<u64>,
    pub(super) activity: Activity,
    /// Sequence of the event since which there are too many orders for the fills.
    pub(super) too_active: Option<u64>,
}

/// A loss that passed its limit, until somebody sets the scope ACTIVE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LossLatch {
    /// Sequence of the event that did it.
    pub(super) since: u64,
    pub(super) trading_state: TradingState,
    pub(super) limit: Attos,
    pub(super) value: Attos,
}

impl Conduct {
    /// Losses with their limits, those that have one.
    pub(super) fn losses(&self, limit: &RiskLimit, equity: Attos) -> impl Iterator<Item = (Attos, Attos)> {
        let daily = limit.max_daily_loss.zip(self.day_start);
        let drawdown = limit.max_drawdown.zip(self.peak);
        [daily, drawdown]
            .into_iter()
            .flatten()
            .map(move |(limit, reference)| (attos(limit), reference.saturating_sub(equity)))
    }

    /// Follows the equity; says so when a loss latches, or latches harder.
    pub(super) fn follow(&mut self, limit: &RiskLimit, equity: Attos, since: u64) -> Option<LossLatch> {
        self.day_start.get_or_insert(equity);
        self.peak = self.peak.max(Some(equity));
        let passed = self.losses(limit, equity).filter(|(limit, value)| value > limit);
        let latches = passed.map(|(limit, value)| LossLatch {
            since,
            trading_state: if value > limit.saturating_mul(2) { TradingState::Halted } else { TradingState::Reducing },
            limit,
            value,
        });
        let worst = latches.max_by_key(|latch| latch.trading_state)?;
        let is_news = self.loss.is_none_or(|latched| latched.trading_state < worst.trading_state);
        if is_news {
            self.loss = Some(worst);
        }
        is_news.then_some(worst)
    }

    /// What is paid in or out is neither profit nor loss. None: not known how much, so that both begin again.
    pub(super) fn pay(&mut self, amount: Option<Attos>) {
        let moved = |reference: Option<Attos>| reference.zip(amount).and_then(|(of, by)| of.checked_add(by));
        (self.day_start, self.peak) = (moved(self.day_start), moved(self.peak));
    }

    /// The bucket as it is now, when the scope has one.
    pub(super) fn bucket_at(&self, limit: &RiskLimit, now_ns: i64) -> Option<Bucket> {
        let rate = limit.order_rate_per_s?;
        let burst = limit.order_burst.unwrap_or(rate);
        Some(match self.bucket {
            Some(bucket) => bucket.refilled(now_ns, rate, burst),
            None => Bucket::full(burst, now_ns),
        })
    }

    /// Counts an order that came, approved or not.
    pub(super) fn came(&mut self, limit: &RiskLimit, duplicate: Option<Likeness>, now_ns: i64) {
        self.bucket = self.bucket_at(limit, now_ns).map(Bucket::taken);
        if let (Some(duplicate), Some(_), Some(window_ms)) =
            (duplicate, limit.duplicate_count, limit.duplicate_window_ms)
        {
            self.duplicates.push(duplicate, now_ns, window_ms);
        }
    }

    /// Counts an approved order; true when that latches.
    pub(super) fn approved(&mut self, limit: &RiskLimit, stamp: Stamp) -> bool {
        self.refused = 0;
        self.active(limit, 1, 0, stamp)
    }

    /// Counts a fill; true when that latches.
    pub(super) fn filled(&mut self, limit: &RiskLimit, stamp: Stamp) -> bool {
        self.venue_refused = 0;
        self.active(limit, 0, 1, stamp)
    }

    fn active(&mut self, limit: &RiskLimit, orders: u64, fills: u64, stamp: Stamp) -> bool {
        const COUNTED_FROM: u64 = 100;
        let (Some(ratio), Some(window_ms)) = (limit.max_order_to_trade_ratio, limit.otr_window_ms) else {
            return false;
        };
        self.activity.add(orders, fills, stamp.transact_time_ns, window_ms);
        let (orders, fills) = self.activity.totals();
        let is_over = orders >= COUNTED_FROM && u128::from(orders) > u128::from(fills) * u128::from(ratio);
        is_over && latch(&mut self.too_active, stamp)
    }

    /// Counts a refusal of risk or of the venue; true when that latches.
    pub(super) fn refused(&mut self, limit: &RiskLimit, by_venue: bool, stamp: Stamp) -> bool {
        let counter = if by_venue { &mut self.venue_refused } else { &mut self.refused };
        *counter = counter.saturating_add(1);
        let is_storm = limit.max_consecutive_rejects.is_some_and(|most| *counter >= most);
        is_storm && latch(&mut self.storm, stamp)
    }

    /// Counts an order that was filled; true when it is one too many of its like.
    pub(super) fn repeated(&mut self, limit: &RiskLimit, likeness: Likeness, now_ns: i64) -> bool {
        let (Some(count), Some(window_ms)) = (limit.repeat_count, limit.repeat_window_ms) else { return false };
        self.repeats.push(likeness, now_ns, window_ms);
        self.repeats.count(&likeness, now_ns, window_ms) >= count
    }

    /// Somebody set the scope ACTIVE.
    pub(super) fn arm(&mut self) {
        (self.loss, self.storm, self.too_active) = (None, None, None);
        (self.refused, self.venue_refused, self.activity) = (0, 0, Activity::default());
    }

    /// The latches that refuse everything, since when, and the limits that were passed.
    pub(super) fn latched(&self, limit: &RiskLimit) -> impl Iterator<Item = (OrdRejReason, u64, u32)> {
        let rejects = limit.max_consecutive_rejects.unwrap_or_default();
        let storm = self.storm.map(|since| (OrdRejReason::RejectStorm, since, rejects));
        let ratio = limit.max_order_to_trade_ratio.unwrap_or_default();
        storm.into_iter().chain(self.too_active.map(|since| (OrdRejReason::OtrLimit, since, ratio)))
    }
}

/// True when it was not engaged before.
fn latch(since: &mut Option<u64>, stamp: Stamp) -> bool {
    let is_news = since.is_none();
    since.get_or_insert(stamp.sequence);
    is_news
}
