//! Stress tests: scenarios by full revaluation, historical windows, reverse stress, Basel's stressed ES.

mod basel;
mod reverse;
mod scenario;
mod window;

pub use basel::{LIQUIDITY_HORIZONS_DAYS, liquidity_horizon_es, stressed_es};
pub use reverse::{ReverseStress, reverse_stress};
pub use scenario::{Holding, Position, Scenario, Shock, StressPnl, WhatIf, factor_shock, stress, what_if};
pub use window::{Window, worst_portfolio_windows, worst_windows};
