//! How far a long computation is, and whether it is still wanted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Result, RiskError};

/// Shared between a computation and whoever waits for it. The answer does not depend on it.
///
/// The computation says how much there is to do and adds what is done; the other side reads it, and may cancel: the
/// computation then ends within one block, with [`RiskError::Canceled`].
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
    canceled: AtomicBool,
}

impl Progress {
    /// Nothing done, nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Scenarios done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Scenarios in all; 0 until known. A computation of several parts knows of all of them when it begins.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Ends the computation soon.
    pub fn cancel(&self) {
        self.canceled.store(true, Ordering::Relaxed);
    }

    /// So much more to do.
    pub fn begin(&self, scenarios: u64) {
        self.total.fetch_add(scenarios, Ordering::Relaxed);
    }

    /// So much of it done.
    pub fn add(&self, scenarios: u64) {
        self.done.fetch_add(scenarios, Ordering::Relaxed);
    }

    /// Whether nobody waits any more.
    pub fn is_canceled(&self) -> bool {
        self.canceled.load(Ordering::Relaxed)
    }

    /// Refuses to go on once canceled.
    pub fn check(&self, computation: &'static str) -> Result<()> {
        if !self.is_canceled() {
            return Ok(());
        }
        let after = format!("{} of {} scenarios", self.done(), self.total());
        Err(RiskError::canceled(computation, "calculation", "was canceled", after))
    }
}
