//! One European option at many spots, at SIMD speed.

use super::Bsm;
use super::lanes::{INV_SQRT_2PI, cdf, exp, ln};

/// Factors of the spot whose logarithm the kernel takes.
const GROWTH: std::ops::RangeInclusive<f64> = 1e-300..=1e300;

/// What an option's price needs beside the spot, computed once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SpotPricer {
    option: Bsm,
    sign: f64,
    /// `ln(F/K)` and `vol √T`.
    log_forward: f64,
    v: f64,
    /// `S e^(-qT)`, `K e^(-rT)`.
    spot_now: f64,
    strike_now: f64,
}

impl SpotPricer {
    /// Of an option that [`super::bsm`] accepts.
    pub fn new(option: Bsm) -> Self {
        Self {
            sign: option.kind.sign(),
            log_forward: option.log_forward(),
            v: option.vol * option.years.sqrt(),
            spot_now: option.discounted_spot(),
            strike_now: option.discounted_strike(),
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
        if option.spot > 0.0 { option.price() } else { (-self.sign * self.strike_now).max(0.0) }
    }

    /// Adds `qty (value(growth) - now)` to each sum. Agrees with [`SpotPricer::value`] to 1e-13 of spot plus strike; the
    /// result does not depend on the instruction set of the machine.
    pub fn add_gains(&self, (qty, now): (f64, f64), growth: &[f64], sums: &mut [f64]) {
        let ordinary = (1e-100..1e100).contains(&self.v) && self.log_forward.is_finite();
        if ordinary && growth.iter().all(|g| GROWTH.contains(g)) {
            return pulp::Arch::new().dispatch(AddGains { pricer: self, qty, now, growth, sums });
        }
        sums.iter_mut().zip(growth).for_each(|(sum, &g)| *sum += qty * (self.value(g) - now));
    }

    #[inline(always)]
    fn ordinary_value(&self, growth: f64) -> f64 {
        let d1 = (self.log_forward + ln(growth)) / self.v + 0.5 * self.v;
        let d2 = d1 - self.v;
        let spot = self.spot_now * growth;
        let pdf1 = INV_SQRT_2PI * exp(-0.5 * d1 * d1);
        // F n(d1) = K n(d2).
        let pdf2 = pdf1 * spot / self.strike_now;
        let value = self.sign * (spot * cdf(self.sign * d1, pdf1) - self.strike_now * cdf(self.sign * d2, pdf2));
        if value < 0.0 { 0.0 } else { value }
    }
}

struct AddGains<'a> {
    pricer: &'a SpotPricer,
    qty: f64,
    now: f64,
    growth: &'a [f64],
    sums: &'a mut [f64],
}

impl pulp::WithSimd for AddGains<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { pricer, qty, now, growth, sums } = self;
        // A copy cannot overlap the sums: its fields stay in registers.
        let pricer = *pricer;
        for (sum, &growth) in sums.iter_mut().zip(growth) {
            *sum += qty * (pricer.ordinary_value(growth) - now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::OptionKind;

    fn check(option: Bsm, growth: &[f64]) {
        let pricer = SpotPricer::new(option);
        let mut gains = vec![7.0; growth.len()];
        pricer.add_gains((-2.0, 3.0), growth, &mut gains);
        for (got, g) in gains.iter().zip(growth) {
            let expected = 7.0 - 2.0 * (pricer.value(*g) - 3.0);
            let bound = 1e-12 * (option.spot * g.max(1.0) + option.strike);
            assert!((got - expected).abs() <= bound, "{option:?} {g}: {got} {expected}");
        }
    }

    #[test]
    fn the_kernel_agrees_with_the_plain_formula() {
        let around: Vec<f64> = (0..1000).map(|i| (0.01 * f64::from(i - 500)).exp()).collect();
        for kind in [OptionKind::Call, OptionKind::Put] {
            for (years, vol) in [(0.5, 0.3), (1e-6, 0.3), (30.0, 1.5), (0.0, 0.3), (0.5, 0.0)] {
                let option = Bsm { kind, spot: 100.0, strike: 90.0, years, rate: 0.03, dividend_yield: 0.01, vol };
                check(option, &around);
                check(option, &[1.0, 1e-308, 1e-200, 1e200]);
            }
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
