//! Implied volatility to the last digits that a price carries.

use super::OptionKind;
use super::lanes::mills;
use super::terms::log_ratio;
use crate::check::{non_negative, positive, representable};
use crate::error::{Result, RiskError};

const COMPUTATION: &str = "implied_vol";
/// Newton's method needs about ten; the budget is for bisection in a corner that nobody has seen.
const MAX_ITERATIONS: u32 = 100;
/// `ln sqrt(2 pi)` and `sqrt(2 pi)`.
const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;
const SQRT_2PI: f64 = 2.506_628_274_631_000_7;

/// A European option and its price before discounting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UndiscountedOption {
    /// Call or put.
    pub kind: OptionKind,
    /// Forward price, positive.
    pub forward: f64,
    /// Strike price, positive.
    pub strike: f64,
    /// Time to expiry, years (Actual/365), positive.
    pub years: f64,
    /// Price divided by the discount factor, at least 0.
    pub price: f64,
}

/// Black volatility at which a European option has the price given.
///
/// Method: the price is made an out-of-the-money one, normalised by `sqrt(FK)` and written with Mills
/// ratios, `b = n(d1) e^(x/2) [M(-d1) - M(-d2)]`, whose two terms keep their digits in any tail. Newton's
/// method on `1 / ln b` below half of the largest price, on `ln(b_max - b)` above, kept in a bracket.
/// Accurate to a few ulps times the condition number of the problem.
/// Units: a year, 0.2 is 20 %. A price equal to the intrinsic value gives 0.
/// Errors: `BelowIntrinsic`, `AboveMaximum` (F for a call, K for a put), `InvalidInput`.
/// Source: the transformations of Jäckel, *Let's Be Rational*, Wilmott, 2015.
pub fn implied_vol(option: &UndiscountedOption) -> Result<f64> {
    option.check()?;
    let intrinsic = option.kind.payoff(option.forward, option.strike);
    let maximum = match option.kind {
        OptionKind::Call => option.forward,
        OptionKind::Put => option.strike,
    };
    let price = option.price;
    if price < intrinsic {
        return Err(RiskError::below_intrinsic(
            COMPUTATION,
            "price",
            format!("must be at least the intrinsic value {intrinsic}"),
            price,
        ));
    }
    if price >= maximum {
        return Err(RiskError::above_maximum(COMPUTATION, "price", format!("must be below {maximum}"), price));
    }
    if price == intrinsic {
        return Ok(0.0);
    }
    let scale = option.forward.sqrt() * option.strike.sqrt();
    let target = Target {
        distance: log_ratio(option.forward, option.strike).abs(),
        ln_value: ((price - intrinsic) / scale).ln(),
        ln_gap: ((maximum - price) / scale).ln(),
    };
    let no_volatility = || {
        let why = format!("must lead to a volatility within {MAX_ITERATIONS} iterations");
        RiskError::did_not_converge(COMPUTATION, "price", why, format_args!("{price:e}"))
    };
    let vol = target.solve().ok_or_else(no_volatility)? / option.years.sqrt();
    representable(COMPUTATION, "volatility", vol)
}

impl UndiscountedOption {
    fn check(&self) -> Result<()> {
        positive(COMPUTATION, "forward", self.forward)?;
        positive(COMPUTATION, "strike", self.strike)?;
        positive(COMPUTATION, "years", self.years)?;
        non_negative(COMPUTATION, "price", self.price)?;
        Ok(())
    }
}

/// The normalised problem: find `s = vol sqrt(T)`.
#[derive(Debug, Clone, Copy)]
struct Target {
    /// `|ln(F/K)|`.
    distance: f64,
    /// `ln b`, b the time value over `sqrt(FK)`.
    ln_value: f64,
    /// `ln(b_max - b)`.
    ln_gap: f64,
}

impl Target {
    /// Newton's method within a bracket that only shrinks.
    fn solve(&self) -> Option<f64> {
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut s = self.first_guess();
        let mut last_step = f64::INFINITY;
        for _ in 0..MAX_ITERATIONS {
            let step = self.newton_step(s);
            // Rounding decides the last step; it is taken, and the one before was as small.
            if step.abs() <= f64::EPSILON * s || (step.abs() < 1e-9 * s && step.abs() >= 0.5 * last_step) {
                return Some(s + step);
            }
            if step > 0.0 {
                low = s
            } else {
                high = s
            }
            let next = s + step;
            last_step = step.abs();
            s = if next > low && next < high {
                next
            } else if high.is_finite() {
                0.5 * (low + high)
            } else {
                2.0 * s
            };
        }
        None
    }

    /// The inflection point of the price as a function of s; at the money the tangent at 0.
    fn first_guess(&self) -> f64 {
        let inflection = (2.0 * self.distance).sqrt();
        let tangent = SQRT_2PI * self.ln_value.exp();
        inflection.max(tangent).max(f64::MIN_POSITIVE)
    }

    /// Newton's step towards the root, positive when the root is above s.
    fn newton_step(&self, s: f64) -> f64 {
        let (a, t) = (self.distance / s, 0.5 * s);
        // ln of vega in s.
        let ln_slope = -0.5 * (a * a + t * t) - LN_SQRT_2PI;
        if self.ln_value < self.ln_gap {
            let bracket = mills_signed(a - t) - mills(a + t);
            let ln_price = ln_slope + bracket.ln();
            (self.ln_value - ln_price) * (ln_price / self.ln_value) * bracket
        } else {
            let bracket = mills_signed(t - a) + mills(t + a);
            (ln_slope + bracket.ln() - self.ln_gap) * bracket
        }
    }
}

/// Mills ratio `N(-y)/n(y)` of any y.
fn mills_signed(y: f64) -> f64 {
    if y < 0.0 { SQRT_2PI * (0.5 * y * y).exp() - mills(-y) } else { mills(y) }
}
