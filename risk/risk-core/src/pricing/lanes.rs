//! Elementary functions without branches, so that a loop over them becomes SIMD code.
//!
//! Accurate to about 2 ulp on the domains stated. No fused multiply-add anywhere: it would change
//! the bits between machines that have it and machines that do not.

/// `1 / sqrt(2 pi)`.
pub(super) const INV_SQRT_2PI: f64 = 0.398_942_280_401_432_7;

/// `1.5 * 2^52`: adding it rounds to an integer, which then sits in the low bits.
const MAGIC: f64 = 6_755_399_441_055_744.0;
/// High part of `ln 2`: its product with a binary exponent is exact.
const LN2_HI: f64 = 0.693_147_180_369_123_8;
/// `ln 2 - LN2_HI`.
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;
/// Bits of 1.0, and of `sqrt(1/2)`, the lower end of the reduced mantissa.
const ONE_BITS: u64 = 0x3ff0_0000_0000_0000;
const SQRT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
const MANTISSA_BITS: u64 = 0x000f_ffff_ffff_ffff;

/// Chebyshev interpolant of `exp(r)`, `|r| <= ln 2 / 2`, as a polynomial; error below 1e-17.
const EXP: [f64; 12] = [
    1.0,
    1.0,
    0.5000000000000019,
    0.1666666666666668,
    0.0416666666664881,
    0.008333333333319601,
    0.0013888888952314775,
    0.00019841269890047113,
    2.4801485482328494e-05,
    2.755724091857897e-06,
    2.763263963904103e-07,
    2.5110037605963777e-08,
];

/// Minimax coefficients of `(ln((1+s)/(1-s)) - 2s) / s` in `s^2` (W. Kahan and K. C. Ng, fdlibm).
const LN: [f64; 7] = [
    0.6666666666666735,
    0.3999999999940942,
    0.2857142874366239,
    0.22222198432149784,
    0.1818357216161805,
    0.15313837699209373,
    0.14798198605116586,
];

/// Chebyshev interpolant of `(1+y) m(y)` in `t = (y-5)/(y+5)`, m the Mills ratio, as a polynomial;
/// error below 2e-17 for every `y >= 0` (Shepherd and Laframboise 1981 for the substitution).
const MILLS: [f64; 25] = [
    1.1568486282918946,
    -0.22948753825211318,
    0.07778159886873558,
    0.02507217930163978,
    -0.06617760077899582,
    0.0615050458401612,
    -0.038026592187718325,
    0.01634823128133151,
    -0.004201290311078325,
    1.9530636364811904e-05,
    0.00045704382051092355,
    -0.00013437427041637135,
    -2.4805466627841077e-05,
    2.2709591484577624e-05,
    -1.7721528156478865e-07,
    -3.277251348633614e-06,
    3.219415187371401e-07,
    4.919557795987509e-07,
    -6.735248865008514e-08,
    -7.755687648346484e-08,
    1.0062752926406774e-08,
    1.1020763280575522e-08,
    -1.0771039546874753e-09,
    -9.545202367093477e-10,
    6.16318480975999e-11,
];

/// Rational fit of `2 N(-y) e^(y²/2)`, weighted so that `2 N(-y)` is within 1.1e-14 for every `y >= 0`. All coefficients
/// are positive: nothing cancels.
const TAIL_ABOVE: [f64; 6] = [
    0.9999999999999897,
    0.8790844586596831,
    0.38888513471522285,
    0.09762581323903897,
    0.013796353437169163,
    0.0008743018034299347,
];
const TAIL_BELOW: [f64; 7] = [
    1.0,
    1.676969019460614,
    1.2269128243483924,
    0.5040376230363823,
    0.1235130132417055,
    0.017287375720256637,
    0.0010958893805344074,
];

/// Horner's rule on the even and the odd powers, two chains that the processor runs side by side. The length is
/// known, so the loop unrolls.
#[inline(always)]
fn horner<const N: usize>(coefficients: &[f64; N], x: f64) -> f64 {
    let square = x * x;
    let (mut even, mut odd) = (0.0, 0.0);
    for (i, c) in coefficients.iter().enumerate().rev() {
        let chain = if i % 2 == 0 { &mut even } else { &mut odd };
        *chain = *chain * square + c;
    }
    even + x * odd
}

/// `exp(x)` of x from -708 to 709.
#[inline(always)]
pub(super) fn exp_in_range(x: f64) -> f64 {
    let shifted = x * std::f64::consts::LOG2_E + MAGIC;
    let k = shifted - MAGIC;
    let r = (x - k * LN2_HI) - k * LN2_LO;
    f64::from_bits(horner(&EXP, r).to_bits().wrapping_add(shifted.to_bits() << 52))
}

/// `exp(x)`; 0 below -708, where the result would be subnormal, and infinite above 709.
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    let value = exp_in_range(x);
    let value = if x < -708.0 { 0.0 } else { value };
    if x > 709.0 { f64::INFINITY } else { value }
}

/// `ln(x)` of a positive normal number.
#[inline(always)]
pub(super) fn ln(x: f64) -> f64 {
    let biased = x.to_bits().wrapping_add(ONE_BITS - SQRT_HALF_BITS);
    let k = f64::from_bits((biased >> 52).wrapping_add(MAGIC.to_bits())) - (MAGIC + 1023.0);
    let m = f64::from_bits((biased & MANTISSA_BITS) + SQRT_HALF_BITS);
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let half_square = 0.5 * f * f;
    let z = s * s;
    let series = z * horner(&LN, z);
    k * LN2_HI - ((half_square - (s * (half_square + series) + k * LN2_LO)) - f)
}

/// Mills ratio `N(-y) / n(y)` of `y >= 0`.
#[inline(always)]
pub(super) fn mills(y: f64) -> f64 {
    let t = (y - 5.0) / (y + 5.0);
    horner(&MILLS, t) / (1.0 + y)
}

/// `N(x)` given `n(x)`.
#[inline(always)]
pub(super) fn cdf(x: f64, pdf: f64) -> f64 {
    let tail = pdf * mills(x.abs());
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// `2 N(-y) e^(y²/2)` of `y >= 0` as numerator and denominator, so that several may share one division.
#[inline(always)]
pub(super) fn scaled_tails(y: f64) -> (f64, f64) {
    (horner(&TAIL_ABOVE, y), horner(&TAIL_BELOW, y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::special::norm_cdf;

    fn check(got: f64, expected: f64, ulps: f64) {
        let bound = ulps * f64::EPSILON * expected.abs();
        assert!((got - expected).abs() <= bound, "got {got:e}, expected {expected:e}");
    }

    #[test]
    fn exp_and_ln_agree_with_the_standard_library() {
        for i in -7000..7000 {
            let x = f64::from(i) * 0.101;
            check(exp(x), x.exp(), 3.0);
            check(ln(x.exp()), x.exp().ln(), 2.0);
        }
        assert_eq!(exp(-800.0), 0.0);
        assert_eq!(exp(800.0), f64::INFINITY);
        assert!(exp(f64::NAN).is_nan());
    }

    #[test]
    fn mills_ratio_agrees_with_the_normal_cdf() {
        for i in 0..3700 {
            let y = f64::from(i) * 0.01;
            let pdf = INV_SQRT_2PI * (-0.5 * y * y).exp();
            check(mills(y) * pdf, norm_cdf(-y), 4.0 + y * y);
        }
        check(mills(1e9), 1e-9, 8.0);
    }

    #[test]
    fn scaled_tails_agree_with_the_normal_cdf() {
        for i in 0..37_000 {
            let y = f64::from(i) * 0.001;
            let (above, below) = scaled_tails(y);
            let error = above / below * (-0.5 * y * y).exp() - 2.0 * norm_cdf(-y);
            assert!(error.abs() <= 1.1e-14, "{y}: {error:e}");
        }
    }
}
