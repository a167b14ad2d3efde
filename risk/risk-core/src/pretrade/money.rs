//! Exact money: whole numbers of 10^-18 of a currency, and how a quantity at a price becomes one.

use std::collections::BTreeMap;

use super::{Decimal, FxRate, Instrument};

/// An amount in 10^-18 of a currency.
pub(super) type Attos = i128;

/// Decimal places of [`Attos`].
pub(super) const ATTOS_SCALE: u32 = 18;

/// What one position, order or balance may be worth at most: a hundred thousand of them add up within 128 bits. What
/// is worth more has no known worth.
const MOST: Attos = 10i128.pow(33);

/// An amount that can be added up.
pub(super) fn bounded(worth: Attos) -> Option<Attos> {
    (-MOST..=MOST).contains(&worth).then_some(worth)
}

/// A decimal in 10^-18, when it has at most 64 bits and 18 decimal places.
pub(super) fn attos(decimal: Decimal) -> Attos {
    decimal.mantissa() * 10i128.pow(ATTOS_SCALE - decimal.scale())
}

/// How a quotient becomes whole.
#[derive(Clone, Copy)]
pub(super) enum Round {
    Down,
    HalfEven,
    Up,
}

/// `quotient + rest / d` as a whole number, for `0 <= rest < d`.
fn rounded(quotient: i128, rest: i128, d: i128, round: Round) -> i128 {
    let up = match round {
        Round::Down => false,
        Round::Up => rest > 0,
        Round::HalfEven => {
            let half = rest.cmp(&(d - rest));
            half.is_gt() || (half.is_eq() && quotient % 2 != 0)
        }
    };
    quotient + i128::from(up)
}

/// `a * num / den` without loss between, for `num >= 0` and `den > 0`; None when it does not fit.
pub(super) fn mul_div(a: i128, num: i128, den: i128, round: Round) -> Option<i128> {
    if let Some(product) = a.checked_mul(num) {
        return Some(rounded(product.div_euclid(den), product.rem_euclid(den), den, round));
    }
    // Both are divided first, and only what is left of both is multiplied.
    let (whole, rest) = (a.div_euclid(den), a.rem_euclid(den));
    let (times, over) = (num / den, num % den);
    let left = rest.checked_mul(over)?;
    let quotient = whole.checked_mul(num)?.checked_add(rest.checked_mul(times)?)?.checked_add(left / den)?;
    Some(rounded(quotient, left % den, den, round))
}

/// A positive ratio of whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ratio {
    num: i128,
    den: i128,
}

impl Ratio {
    const ONE: Self = Self { num: 1, den: 1 };

    /// `num / den` in lowest terms.
    fn new(num: i128, den: i128) -> Self {
        let (mut a, mut b) = (num, den);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Self { num: num / a, den: den / a }
    }

    fn times(self, other: Self) -> Option<Self> {
        let (left, right) = (Self::new(self.num, other.den), Self::new(other.num, self.den));
        Some(Self { num: left.num.checked_mul(right.num)?, den: left.den.checked_mul(right.den)? })
    }

    fn inverse(self) -> Self {
        Self { num: self.den, den: self.num }
    }

    /// An amount converted, rounded half-even once.
    pub(super) fn of(self, amount: i128) -> Option<Attos> {
        bounded(mul_div(amount, self.num, self.den, Round::HalfEven)?)
    }
}

/// Exchange rates by pair.
#[derive(Clone, Debug, Default)]
pub(super) struct FxTable(BTreeMap<(String, String), Decimal>);

impl FxTable {
    pub(super) fn set(&mut self, FxRate { currency, quote_currency, rate }: FxRate) {
        self.0.insert((currency, quote_currency), rate);
    }

    /// One unit of `from` in `to`: by its rate; else by the inverse of the other's; else over the first currency by
    /// name that has a rate, either way, with both.
    pub(super) fn rate(&self, from: &str, to: &str) -> Option<Ratio> {
        if from == to {
            return Some(Ratio::ONE);
        }
        self.quoted(from, to).or_else(|| {
            let currencies: std::collections::BTreeSet<&str> =
                self.0.keys().flat_map(|(a, b)| [a.as_str(), b.as_str()]).collect();
            let over = |over: &str| Some((self.quoted(from, over)?, self.quoted(over, to)?));
            let (first, second) = currencies.into_iter().find_map(over)?;
            first.times(second)
        })
    }

    fn quoted(&self, from: &str, to: &str) -> Option<Ratio> {
        let direct = |from: &str, to: &str| {
            let rate = self.0.get(&(from.to_owned(), to.to_owned()))?;
            Some(Ratio::new(rate.mantissa(), 10i128.pow(rate.scale())))
        };
        direct(from, to).or_else(|| direct(to, from).map(Ratio::inverse))
    }

    pub(super) fn rates(&self) -> impl Iterator<Item = (&(String, String), &Decimal)> {
        self.0.iter()
    }
}

/// What one unit of price on one unit of quantity, both scaled, is worth in 10^-18 of a currency. None: it is not
/// known, or not a number of 128 bits.
pub(super) fn worth_of_unit(instrument: &Instrument, rate: Option<Ratio>) -> Option<Ratio> {
    let terms = instrument.terms();
    let scale = terms.price_scale + terms.qty_scale + terms.multiplier.scale();
    let multiplier = Ratio::new(terms.multiplier.mantissa(), 10i128.pow(scale));
    multiplier.times(Ratio { num: 10i128.pow(ATTOS_SCALE), den: 1 })?.times(rate?)
}

/// Balances by currency, none of them 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Purse(BTreeMap<String, Attos>);

impl Purse {
    /// None: the balance does not fit into 128 bits.
    pub(super) fn add(&mut self, currency: &str, attos: Attos) -> Option<()> {
        let balance = self.balance(currency).checked_add(attos)?;
        match balance {
            0 => self.0.remove(currency),
            balance => self.0.insert(currency.to_owned(), balance),
        };
        Some(())
    }

    pub(super) fn balance(&self, currency: &str) -> Attos {
        self.0.get(currency).copied().unwrap_or_default()
    }

    pub(super) fn balances(&self) -> impl Iterator<Item = (&str, Attos)> {
        self.0.iter().map(|(currency, balance)| (currency.as_str(), *balance))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(currency: &str, quote_currency: &str, mantissa: i128, scale: u32) -> FxRate {
        let rate = Decimal::new(mantissa, scale).expect("a rate");
        FxRate { currency: currency.into(), quote_currency: quote_currency.into(), rate }
    }

    #[test]
    fn a_currency_is_converted_directly_else_inversely_else_over_the_first_by_name() {
        let mut table = FxTable::default();
        table.set(rate("EUR", "USD", 125, 2));
        table.set(rate("GBP", "USD", 15, 1));
        table.set(rate("GBP", "CHF", 2, 0));
        table.set(rate("EUR", "CHF", 1, 0));
        let check = |from, to, expected| assert_eq!(table.rate(from, to).and_then(|r| r.of(1_000)), expected, "{from}");
        check("EUR", "USD", Some(1_250));
        check("USD", "EUR", Some(800));
        check("GBP", "EUR", Some(2_000)); // over CHF, before USD
        check("JPY", "EUR", None);
        check("JPY", "JPY", Some(1_000));
    }

    proptest! {
        #[test]
        fn large_products_are_divided_as_small_ones(a in -1i128 << 60..1 << 60, num in 0i128..1 << 60, den in 1i128..1 << 60) {
            let small = mul_div(a, num, den, Round::HalfEven);
            // The same quotient from numbers whose product does not fit: 2^66 is in both.
            let large = mul_div(a << 60, num << 6, den << 3, Round::HalfEven).map(|it| it >> 63);
            prop_assert!(small.is_some());
            if let (Some(large), Some(floor)) = (large, mul_div(a, num, den, Round::Down)) {
                prop_assert!((floor..=floor + 1).contains(&large), "{large} {floor}");
            }
        }

        #[test]
        fn rounding_is_half_even(n in -10_000i128..10_000, den in 1i128..50) {
            let exact = n as f64 / den as f64;
            prop_assert_eq!(mul_div(n, 1, den, Round::HalfEven), Some(exact.round_ties_even() as i128));
            prop_assert_eq!(mul_div(n, 1, den, Round::Up), Some(exact.ceil() as i128));
            prop_assert_eq!(mul_div(n, 1, den, Round::Down), Some(exact.floor() as i128));
        }
    }
}
