//! Exact decimal numbers that compare without rounding and without overflow.

use std::cmp::Ordering;
use std::fmt;

/// Most digits behind the point: a price, a quantity and a multiplier have 36 together.
pub const MAX_SCALE: u32 = 36;

/// An exact decimal number, `mantissa * 10^-scale`.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    mantissa: i128,
    scale: u32,
}

/// The scale is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scale must be at most {MAX_SCALE}, got {0}")]
pub struct DecimalError(u32);

impl Decimal {
    /// 0.
    pub(super) const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// A whole number.
    pub(super) fn whole(number: u64) -> Self {
        Self { mantissa: number.into(), scale: 0 }
    }

    /// So many basis points of a number of 64 bits.
    pub(super) fn basis_points(self, bps: i64) -> Self {
        Self::scaled(self.mantissa * i128::from(bps), self.scale + 4)
    }

    /// A number of 64 bits and so many basis points of its size.
    pub(super) fn moved(self, bps: i64) -> Self {
        Self::scaled(self.mantissa * 10_000 + self.mantissa.abs() * i128::from(bps), self.scale + 4)
    }

    /// The double nearest to it, for statistics.
    pub(super) fn to_f64(self) -> f64 {
        self.mantissa as f64 / power_of_ten(self.scale) as f64
    }

    /// Makes `mantissa * 10^-scale`.
    pub fn new(mantissa: i128, scale: u32) -> Result<Self, DecimalError> {
        if scale > MAX_SCALE {
            return Err(DecimalError(scale));
        }
        Ok(Self { mantissa, scale })
    }

    /// A price or a quantity of an instrument, whose scales were checked with its definition.
    pub(super) fn scaled(mantissa: i128, scale: u32) -> Self {
        debug_assert!(scale <= MAX_SCALE, "scale {scale}");
        Self { mantissa, scale }
    }

    /// The number without its point.
    pub fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// How many digits of the mantissa stand behind the point.
    pub fn scale(self) -> u32 {
        self.scale
    }
}

impl Ord for Decimal {
    /// Compares by dividing the finer number rather than multiplying the coarser one: the quotient
    /// always fits, the product may not.
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale < other.scale {
            return other.cmp(self).reverse();
        }
        let factor = power_of_ten(self.scale - other.scale);
        let whole = self.mantissa.div_euclid(factor);
        let rest = self.mantissa.rem_euclid(factor);
        whole.cmp(&other.mantissa).then(rest.cmp(&0))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factor = power_of_ten(self.scale).unsigned_abs();
        let magnitude = self.mantissa.unsigned_abs();
        let (whole, rest) = (magnitude / factor, magnitude % factor);
        let sign = if self.mantissa < 0 { "-" } else { "" };
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{rest:0width$}", width = self.scale as usize);
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// `10^exponent`; the exponent is a difference of scales, so at most [`MAX_SCALE`], and 10^36 fits.
fn power_of_ten(exponent: u32) -> i128 {
    10i128.pow(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(mantissa: i128, scale: u32) -> Decimal {
        Decimal::new(mantissa, scale).expect("scale of the test")
    }

    #[test]
    fn prints_without_trailing_zeros() {
        let check = |mantissa, scale, expected: &str| {
            assert_eq!(decimal(mantissa, scale).to_string(), expected);
        };
        check(0, 4, "0");
        check(1500, 3, "1.5");
        check(-5, 3, "-0.005");
        check(-1_000, 3, "-1");
        check(12, 0, "12");
        check(i128::MIN, 36, "-170.141183460469231731687303715884105728");
    }

    #[test]
    fn compares_values_not_digits() {
        assert_eq!(decimal(10, 1), decimal(1, 0));
        assert!(decimal(10, 1) < decimal(1_000_000_000_000_000_001, 18));
        assert!(decimal(-11, 1) < decimal(-1, 0));
        assert!(decimal(i128::MAX, 36) < decimal(i128::MAX, 0));
        assert!(decimal(i128::MIN, 0) < decimal(i128::MIN, 36));
    }

    #[test]
    fn refuses_a_scale_beyond_the_largest() {
        let error = Decimal::new(1, 37).expect_err("37 digits");
        assert_eq!(error.to_string(), "scale must be at most 36, got 37");
    }

    proptest! {
        #[test]
        fn agrees_with_multiplying_out(a: i32, b: i32, sa in 0u32..=18, sb in 0u32..=18) {
            let at_18 = |mantissa: i32, scale| i128::from(mantissa) * power_of_ten(18 - scale);
            prop_assert_eq!(
                decimal(a.into(), sa).cmp(&decimal(b.into(), sb)),
                at_18(a, sa).cmp(&at_18(b, sb))
            );
        }
    }
}
