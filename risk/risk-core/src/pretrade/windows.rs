//! What is counted over time: a token bucket, orders that are alike, orders and fills.

use std::collections::{HashMap, VecDeque};

use super::{OrdType, Side};

/// Ns in a millisecond.
pub(super) const MILLI_NS: i64 = 1_000_000;

/// A token bucket in 1e-9 tokens.
///
/// Formula: `min(burst, tokens + dt_ns * rate_per_s) >= 1`, in whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) tokens_e9: i128,
    pub(super) filled_at_ns: i64,
}

impl Bucket {
    const TOKEN: i128 = 1_000_000_000;

    pub(super) fn full(burst: u32, now_ns: i64) -> Self {
        Self { tokens_e9: i128::from(burst) * Self::TOKEN, filled_at_ns: now_ns }
    }

    #[must_use]
    pub(super) fn refilled(self, now_ns: i64, rate_per_s: u32, burst: u32) -> Self {
        let passed = (i128::from(now_ns) - i128::from(self.filled_at_ns)).max(0);
        let tokens_e9 = self.tokens_e9 + passed * i128::from(rate_per_s);
        Self { tokens_e9: tokens_e9.min(i128::from(burst) * Self::TOKEN), filled_at_ns: self.filled_at_ns.max(now_ns) }
    }

    pub(super) fn has_token(self) -> bool {
        self.tokens_e9 >= Self::TOKEN
    }

    /// Without one when there is one to take.
    #[must_use]
    pub(super) fn taken(self) -> Self {
        let taken = if self.has_token() { Self::TOKEN } else { 0 };
        Self { tokens_e9: self.tokens_e9 - taken, ..self }
    }
}

/// In what two orders are alike: cell, side and quantity, and either both prices or the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Likeness {
    pub(super) cell: usize,
    pub(super) side: Side,
    pub(super) qty: i64,
    pub(super) price: Option<i64>,
    pub(super) stop_px: Option<i64>,
    pub(super) ord_type: OrdType,
}

/// The orders of the last while, and how many of them are alike.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    seen: VecDeque<(i64, Likeness)>,
    counts: HashMap<Likeness, u32>,
}

impl Window {
    /// How many like this one came less than a window ago.
    pub(super) fn count(&self, likeness: &Likeness, now_ns: i64, window_ms: u32) -> u32 {
        let all = self.counts.get(likeness).copied().unwrap_or_default();
        let is_old = |at: i64| is_over(at, now_ns, window_ms);
        let old = self.seen.iter().take_while(|(at, _)| is_old(*at)).filter(|(_, seen)| seen == likeness).count();
        all - u32::try_from(old).unwrap_or(all).min(all)
    }

    /// Counts one, and forgets those that are a window old.
    pub(super) fn push(&mut self, likeness: Likeness, now_ns: i64, window_ms: u32) {
        while let Some((at, seen)) = self.seen.front().copied().filter(|(at, _)| is_over(*at, now_ns, window_ms)) {
            debug_assert!(at <= now_ns);
            self.seen.pop_front();
            if let Some(count) = self.counts.get_mut(&seen) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&seen);
                }
            }
        }
        self.remember(now_ns, likeness);
    }

    pub(super) fn remember(&mut self, at_ns: i64, likeness: Likeness) {
        self.seen.push_back((at_ns, likeness));
        *self.counts.entry(likeness).or_default() += 1;
    }

    /// Oldest first.
    pub(super) fn seen(&self) -> impl ExactSizeIterator<Item = &(i64, Likeness)> {
        self.seen.iter()
    }
}

fn is_over(at_ns: i64, now_ns: i64, window_ms: u32) -> bool {
    i128::from(now_ns) - i128::from(at_ns) >= i128::from(window_ms) * i128::from(MILLI_NS)
}

/// Orders and fills over a window, counted in 64ths of it, so that a storm of them takes no memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Activity {
    /// Number of the slice since the epoch, orders, fills; oldest first.
    slices: VecDeque<(i64, u64, u64)>,
}

impl Activity {
    const SLICES: i64 = 64;

    /// Adds to the slice of now, and forgets the slices that a window has passed.
    pub(super) fn add(&mut self, orders: u64, fills: u64, now_ns: i64, window_ms: u32) {
        let slice_ns = (i64::from(window_ms) * MILLI_NS / Self::SLICES).max(1);
        let now = now_ns.div_euclid(slice_ns);
        while self.slices.front().is_some_and(|(slice, _, _)| *slice <= now - Self::SLICES) {
            self.slices.pop_front();
        }
        match self.slices.back_mut() {
            Some((slice, in_slice, filled)) if *slice >= now => {
                (*in_slice, *filled) = (*in_slice + orders, *filled + fills)
            }
            _ => self.slices.push_back((now, orders, fills)),
        }
    }

    /// Orders and fills of all slices.
    pub(super) fn totals(&self) -> (u64, u64) {
        self.slices.iter().fold((0, 0), |(orders, fills), slice| (orders + slice.1, fills + slice.2))
    }

    pub(super) fn slices(&self) -> impl ExactSizeIterator<Item = &(i64, u64, u64)> {
        self.slices.iter()
    }

    pub(super) fn remember(&mut self, slice: (i64, u64, u64)) {
        self.slices.push_back(slice);
    }
}
