//! What currencies are worth in each other, for figures of one currency.

use std::collections::{BTreeMap, BTreeSet};

use crate::proto::{Decimal, FxRates};

/// Rates by pair: units of the second currency for one of the first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rates(BTreeMap<(String, String), f64>);

impl Rates {
    /// Takes rates, which replace those of the same pairs; one that is no positive number is left out.
    pub(crate) fn take(&mut self, sent: FxRates) {
        for rate in sent.rates {
            let value = rate.rate.map_or(0.0, |Decimal { mantissa, scale }| mantissa as f64 / 10f64.powi(scale as i32));
            if value > 0.0 && value.is_finite() {
                self.0.insert((rate.currency, rate.quote_currency), value);
            }
        }
    }

    /// What one unit is worth: by the rate of the pair, by the inverse of the other's, or over the first currency by name
    /// that has one, either way, with both.
    pub(crate) fn of(&self, currency: &str, base: &str) -> Option<f64> {
        if currency == base {
            return Some(1.0);
        }
        let names: BTreeSet<&str> = self.0.keys().flat_map(|(from, to)| [from.as_str(), to.as_str()]).collect();
        let over = |middle: &&str| Some(self.pair(currency, middle)? * self.pair(middle, base)?);
        self.pair(currency, base).or_else(|| names.iter().find_map(over))
    }

    fn pair(&self, from: &str, to: &str) -> Option<f64> {
        let rate = |from: &str, to: &str| self.0.get(&(from.to_owned(), to.to_owned())).copied();
        rate(from, to).or_else(|| rate(to, from).map(f64::recip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::FxRate;

    #[test]
    fn a_rate_is_direct_inverse_or_over_another_currency() {
        let mut rates = Rates::default();
        let rate = |currency: &str, quote_currency: &str, mantissa| FxRate {
            currency: currency.into(),
            quote_currency: quote_currency.into(),
            rate: Some(Decimal { mantissa, scale: 2 }),
        };
        rates.take(FxRates { rates: vec![rate("EUR", "USD", 125), rate("GBP", "USD", 200), rate("JPY", "USD", 0)] });
        assert_eq!(rates.of("USD", "USD"), Some(1.0));
        assert_eq!(rates.of("EUR", "USD"), Some(1.25));
        assert_eq!(rates.of("USD", "EUR"), Some(0.8));
        assert_eq!(rates.of("GBP", "EUR"), Some(1.6));
        assert_eq!(rates.of("JPY", "USD"), None);
        rates.take(FxRates { rates: vec![rate("EUR", "USD", 100)] });
        assert_eq!(rates.of("EUR", "USD"), Some(1.0));
    }
}
