//! Risk numerics and pre-trade decisions: pure functions of their inputs.
//!
//! Conventions that hold everywhere: P&L is gain-positive, VaR and ES are losses and positive when money is lost, never
//! clipped at 0; returns are arithmetic, oldest row first; covariance is for one day. Bad input is refused with a
//! [`RiskError`]; NaN and infinity neither come in nor go out.

pub mod backtest;
mod check;
pub mod covariance;
pub mod delta_gamma;
pub mod error;
pub mod filtered;
pub mod historical;
pub mod margin;
pub mod matrix;
pub mod montecarlo;
pub mod parametric;
pub mod portfolio;
pub mod pretrade;
pub mod pretrade_var;
pub mod pricing;
pub mod progress;
pub mod quantile;
pub mod rng;
pub mod special;
pub mod stress;
pub mod units;
pub mod volatility;

pub use error::{Result, RiskError};
