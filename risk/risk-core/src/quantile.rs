//! Empirical quantiles and expected shortfall of a sample of losses.
//!
//! Losses in ascending order are `L₍₁₎ <= … <= L₍N₎`. Ranks come from integer arithmetic on basis points.
//! Sources: McNeil, Frey & Embrechts, *Quantitative Risk Management*, 2015, §2.2-2.3; Hyndman & Fan 1996;
//! Acerbi & Tasche 2002; Harrell & Davis 1982; Boudoukh, Richardson & Whitelaw 1998.

mod largest;
mod ordered;
mod weighted;

pub use ordered::{Interval, OrderedLosses, RankInterval, rank_interval};
pub use weighted::{age_weights, weighted_var_es};

/// Which value of an ordered sample is its quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QuantileRule {
    /// `L₍ₖ₎`, `k = ⌈N c⌉`: one of the inputs, bit for bit.
    #[default]
    InvertedCdf,
    /// `L₍min(⌊N c⌋ + 1, N)₎`.
    Upper,
    /// Linear interpolation at the 0-based place `(N-1) c`; numpy's default.
    Linear7,
    /// Linear interpolation at the 1-based place `(N+1/3) c + 1/3`, clamped to [1, N].
    MedianUnbiased8,
    /// `Σ L₍ᵢ₎ (I_{i/N} - I_{(i-1)/N})` of Beta((N+1)c, (N+1)p).
    HarrellDavis,
}

/// VaR and ES of one confidence level, losses positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VarEs {
    /// Value at risk.
    pub var: f64,
    /// Expected shortfall.
    pub es: f64,
}
