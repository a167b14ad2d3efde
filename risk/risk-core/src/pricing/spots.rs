//! One European option at many spots, at SIMD speed.

use super::Bsm;
use super::lanes::{exp, exp_in_range, ln, scaled_tails};

/// `e^(-y²/2)` is nothing beside 1 from here on, and not yet subnormal.
const FAR: f64 = 37.0;

/// Scenarios of a spot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moves<'a> {
    /// `S₁/S₀`, at least 0.
    pub growth: &'a [f64],
    /// `ln(S₁/S₀)`, minus infinity where the spot falls to 0.
    pub log: &'a [f64],
}

impl<'a> Moves<'a> {
    /// Of logarithms.
    pub fn of_log(log: &'a [f64], growth: &'a mut [f64]) -> Self {
        pulp::Arch::new().dispatch(Each { function: exp, from: log, to: growth });
        Self { growth, log }
    }

    /// Of factors, none of them subnormal.
    pub fn of_growth(growth: &'a [f64], log: &'a mut [f64]) -> Self {
        pulp::Arch::new().dispatch(Each { function: ln_or_zero, from: growth, to: log });
        Self { growth, log }
    }
}

#[inline(always)]
fn ln_or_zero(growth: f64) -> f64 {
    if growth > 0.0 { ln(growth) } else { f64::NEG_INFINITY }
}

struct Each<'a, F> {
    function: F,
    from: &'a [f64],
    to: &'a mut [f64],
}

impl<F: Fn(f64) -> f64> pulp::WithSimd for Each<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.to.iter_mut().zip(self.from).for_each(|(to, &from)| *to = (self.function)(from));
    }
}

/// What an option's price needs beside the spot, computed once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SpotPricer {
    option: Bsm,
    sign: f64,
    /// `ln(F/K)`, `v = vol √T` and `1/v`.
    log_forward: f64,
    v: f64,
    inv_v: f64,
    /// `S e^(-qT) / 2`, `K e^(-rT) / 2`.
    half_spot: f64,
    half_strike: f64,
}

impl SpotPricer {
    /// Of an option that [`super::bsm`] accepts.
    pub fn new(option: Bsm) -> Self {
        let v = option.vol * option.years.sqrt();
        Self {
            sign: option.kind.sign(),
            log_forward: option.log_forward(),
            v,
            inv_v: 1.0 / v,
            half_spot: 0.5 * option.discounted_spot(),
            half_strike: 0.5 * option.discounted_strike(),
            option,
        }
    }

    /// The option itself.
    pub fn option(&self) -> &Bsm {
        &self.option
    }

    /// Value where the spot is multiplied by `growth`, at least 0; a spot of 0 stays there.
    pub fn value(&self, growth: f64) -> f64 {
        let option = Bsm { spot: self.option.spot * growth, ..self.option };
        if option.spot > 0.0 { option.price() } else { (-self.sign * option.discounted_strike()).max(0.0) }
    }

    /// Adds `qty (value(growth) - now)` to each sum. Agrees with [`SpotPricer::value`] to 1e-13 of spot plus strike; the
    /// result does not depend on the instruction set of the machine.
    pub fn add_gains(&self, (qty, now): (f64, f64), moves: Moves<'_>, sums: &mut [f64]) {
        if (1e-100..1e100).contains(&self.v) && self.log_forward.is_finite() {
            return pulp::Arch::new().dispatch(AddGains { pricer: self, qty, now, moves, sums });
        }
        sums.iter_mut().zip(moves.growth).for_each(|(sum, &g)| *sum += qty * (self.value(g) - now));
    }

    /// With `N(d) = (1 + s - s t)/2`, s the sign of d and `t = 2 N(-|d|)`: `F n(d1) = K n(d2)` leaves one exponential, the
    /// common denominator of both t one division.
    #[inline(always)]
    fn ordinary_value(&self, growth: f64, log: f64) -> f64 {
        let d1 = (self.log_forward + log) * self.inv_v + 0.5 * self.v;
        let d2 = d1 - self.v;
        let (y1, y2) = (up_to_far(d1.abs()), up_to_far(d2.abs()));
        let (s1, s2) = (1.0_f64.copysign(d1), 1.0_f64.copysign(d2));
        let ((above1, below1), (above2, below2)) = (scaled_tails(y1), scaled_tails(y2));
        let tails = (s1 * above1 * below2 - s2 * above2 * below1) / (below1 * below2);
        let half_spot = self.half_spot * growth;
        let intrinsic = half_spot * (self.sign + s1) - self.half_strike * (self.sign + s2);
        let value = intrinsic - half_spot * exp_in_range(-0.5 * y1 * y1) * tails;
        if value < 0.0 { 0.0 } else { value }
    }
}

#[inline(always)]
fn up_to_far(y: f64) -> f64 {
    if y < FAR { y } else { FAR }
}

struct AddGains<'a> {
    pricer: &'a SpotPricer,
    qty: f64,
    now: f64,
    moves: Moves<'a>,
    sums: &'a mut [f64],
}

impl pulp::WithSimd for AddGains<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { pricer, qty, now, moves, sums } = self;
        // A copy cannot overlap the sums: its fields stay in registers.
        let pricer = *pricer;
        for ((sum, &growth), &log) in sums.iter_mut().zip(moves.growth).zip(moves.log) {
            *sum += qty * (pricer.ordinary_value(growth, log) - now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::OptionKind;

    fn check(option: Bsm, growth: &[f64]) {
        let pricer = SpotPricer::new(option);
        let (mut log, mut back) = (vec![0.0; growth.len()], vec![0.0; growth.len()]);
        let of_growth = Moves::of_growth(growth, &mut log);
        for moves in [of_growth, Moves::of_log(of_growth.log, &mut back)] {
            let mut gains = vec![7.0; growth.len()];
            pricer.add_gains((-2.0, 3.0), moves, &mut gains);
            for (got, g) in gains.iter().zip(growth) {
                let expected = 7.0 - 2.0 * (pricer.value(*g) - 3.0);
                let bound = 2e-13 * (option.spot * g.max(1.0) + option.strike);
                assert!((got - expected).abs() <= bound, "{option:?} {g}: {got} {expected}");
            }
        }
    }

    #[test]
    fn the_kernel_agrees_with_the_plain_formula() {
        let around: Vec<f64> = (0..1000).map(|i| (0.01 * f64::from(i - 500)).exp()).collect();
        for kind in [OptionKind::Call, OptionKind::Put] {
            for (years, vol) in [(0.5, 0.3), (1e-6, 0.3), (30.0, 1.5), (0.0, 0.3), (0.5, 0.0)] {
                let option = Bsm { kind, spot: 100.0, strike: 90.0, years, rate: 0.03, dividend_yield: 0.01, vol };
                check(option, &around);
                check(option, &[1.0, 1e-307, 1e-200, 1e200]);
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let log: Vec<f64> = (0..1000).map(|i| 0.003 * f64::from(i - 500)).collect();
        let mut growth = vec![0.0; log.len()];
        let moves = Moves::of_log(&log, &mut growth);
        for kind in [OptionKind::Call, OptionKind::Put] {
            let (rate, dividend_yield) = (0.03, 0.01);
            let option = Bsm { kind, spot: 100.0, strike: 90.0, years: 0.5, rate, dividend_yield, vol: 0.3 };
            let pricer = SpotPricer::new(option);
            let (mut wide, mut scalar) = (vec![0.0; log.len()], vec![0.0; log.len()]);
            pricer.add_gains((1.0, 0.0), moves, &mut wide);
            let work = AddGains { pricer: &pricer, qty: 1.0, now: 0.0, moves, sums: &mut scalar };
            pulp::WithSimd::with_simd(work, pulp::Scalar::new());
            assert_eq!(wide, scalar);
        }
    }

    #[test]
    fn a_spot_of_zero_is_worth_the_strike_to_a_put() {
        let option =
            |kind| Bsm { kind, spot: 100.0, strike: 90.0, years: 1.0, rate: 0.0, dividend_yield: 0.0, vol: 0.2 };
        assert_eq!(SpotPricer::new(option(OptionKind::Put)).value(0.0), 90.0);
        assert_eq!(SpotPricer::new(option(OptionKind::Call)).value(0.0), 0.0);
        check(option(OptionKind::Put), &[0.0, 1.0]);
    }
}
