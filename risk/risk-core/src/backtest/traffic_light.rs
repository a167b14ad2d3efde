//! The supervisors' traffic light.

use super::{Exceptions, kupiec};
use crate::error::Result;

/// Colour of a number of exceptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Zone {
    /// `P(X <= x)` below 95 %: nothing speaks against the model.
    Green,
    /// Below 99.99 %.
    Yellow,
    /// The model is presumed wrong.
    Red,
}

/// Zone of a backtest, and the probability that decides it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrafficLight {
    /// `P(X <= x)` under Binomial(T, p).
    pub cum_prob: f64,
    /// Its zone.
    pub zone: Zone,
}

/// Zone of a number of exceptions.
///
/// Formula: green when `P(X <= x) < 95 %` under Binomial(T, p), yellow below 99.99 %, else red. On a few days
/// even 0 exceptions can be yellow: that is the rule.
/// Errors: those of [`kupiec`].
/// Source: Basel Committee, MAR32.
pub fn traffic_light(exceptions: Exceptions, p: f64) -> Result<TrafficLight> {
    let cum_prob = kupiec(exceptions, p)?.cum_prob;
    let zone = match cum_prob {
        c if c < 0.95 => Zone::Green,
        c if c < 0.9999 => Zone::Yellow,
        _ => Zone::Red,
    };
    Ok(TrafficLight { cum_prob, zone })
}

/// Capital multiplier for the exceptions of 250 days at 99 % (Basel MAR99, table 1).
pub fn basel_multiplier(exceptions: u64) -> f64 {
    match exceptions {
        0..=4 => 1.5,
        5 => 1.7,
        6 => 1.76,
        7 => 1.83,
        8 => 1.88,
        9 => 1.92,
        _ => 2.0,
    }
}

/// Plus factor on the multiplier 3 for the exceptions of 250 days at 99 % (Basel Committee, 1996).
pub fn basel_plus_factor(exceptions: u64) -> f64 {
    match exceptions {
        0..=4 => 0.0,
        5 => 0.4,
        6 => 0.5,
        7 => 0.65,
        8 => 0.75,
        9 => 0.85,
        _ => 1.0,
    }
}
