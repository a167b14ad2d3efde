//! The scan of sixteen scenarios.

use crate::check::{finite, non_negative, positive, representable};
use crate::error::{Result, require_finite};
use crate::pricing::{Black76, black76};

const COMPUTATION: &str = "scan_margin";

/// A contract on the underlying of the scan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Contract {
    /// A future: it moves with the price, one for one.
    Future,
    /// A European option on the future.
    Option(Black76),
}

/// A number of contracts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScanPosition {
    /// Contracts, short negative.
    pub qty: f64,
    /// Money per 1.00 of price a contract, positive.
    pub multiplier: f64,
    /// What they are.
    pub contract: Contract,
}

/// How far the scan moves, and what it charges beyond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScanParameters {
    /// Price move of the outermost ordinary scenarios, price units.
    pub price_scan_range: f64,
    /// Volatility move, absolute, a year.
    pub vol_scan_range: f64,
    /// Ranges that the price moves in the two extreme scenarios.
    pub extreme_multiple: f64,
    /// Share of their loss that is charged.
    pub extreme_cover: f64,
    /// Charge for a short option contract, money.
    pub short_option_minimum: f64,
}

/// Result of a scan. Money, losses positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScanMargin {
    /// Loss of each scenario.
    pub risk_array: [f64; 16],
    /// The largest, at least 0.
    pub scan_risk: f64,
    /// Number, from 1, of the scenario that loses most; the lowest on ties.
    pub worst_scenario: u8,
    /// Charge for all short option contracts.
    pub short_option_minimum: f64,
    /// Value of the options held less that of those owed.
    pub net_option_value: f64,
    /// `max(scan risk, short option minimum)`.
    pub requirement: f64,
}

/// One scenario of the array.
#[derive(Debug, Clone, Copy)]
struct Move {
    price: f64,
    vol: f64,
    cover: f64,
}

/// Margin of a book of futures and options on one underlying by a scan of 16 scenarios.
///
/// Formula: prices move by 0, ±1/3, ±2/3, ±1 of their range, up before down, with volatility up, then down by its
/// range; then by ± `extreme_multiple` ranges with volatility unchanged and the loss times `extreme_cover`. Options
/// by Black-76, forward and volatility floored at 0, time unchanged.
/// Units: money, losses positive.
/// Errors: `InvalidInput` for negative ranges, a multiplier not positive, what [`black76`] refuses, NaN, infinity.
/// Source: CME Group, *Standard Portfolio Analysis of Risk*.
pub fn scan_margin(book: &[ScanPosition], parameters: &ScanParameters) -> Result<ScanMargin> {
    parameters.check()?;
    for (i, position) in book.iter().enumerate() {
        position.check().map_err(|error| error.of(format_args!("position {i}")))?;
    }
    let risk_array = parameters.moves().map(|m| m.cover * book.iter().map(|p| p.loss(m)).sum::<f64>());
    require_finite(COMPUTATION, "risk_array", &risk_array)?;
    let (worst_scenario, scan_risk) = largest(&risk_array);
    let short_contracts: f64 = book.iter().map(ScanPosition::short_option_contracts).sum();
    let short_option_minimum = parameters.short_option_minimum * short_contracts;
    let net_option_value = book.iter().map(ScanPosition::option_value).sum();
    Ok(ScanMargin {
        risk_array,
        scan_risk,
        worst_scenario,
        short_option_minimum: representable(COMPUTATION, "short_option_minimum", short_option_minimum)?,
        net_option_value: representable(COMPUTATION, "net_option_value", net_option_value)?,
        requirement: scan_risk.max(short_option_minimum),
    })
}

impl ScanParameters {
    fn check(&self) -> Result<()> {
        non_negative(COMPUTATION, "price_scan_range", self.price_scan_range)?;
        non_negative(COMPUTATION, "volatility_scan_range", self.vol_scan_range)?;
        non_negative(COMPUTATION, "extreme_multiple", self.extreme_multiple)?;
        non_negative(COMPUTATION, "extreme_cover", self.extreme_cover)?;
        non_negative(COMPUTATION, "short_option_minimum", self.short_option_minimum)?;
        Ok(())
    }

    /// The scenarios in their order.
    fn moves(&self) -> [Move; 16] {
        let (range, vol, extreme) = (self.price_scan_range, self.vol_scan_range, self.extreme_multiple);
        std::array::from_fn(|i| match i {
            14 => Move { price: extreme * range, vol: 0.0, cover: self.extreme_cover },
            15 => Move { price: -extreme * range, vol: 0.0, cover: self.extreme_cover },
            _ => {
                // Pairs of one price: 0, then up and down by one, two, three thirds.
                let (pair, vol) = (i / 2, if i % 2 == 0 { vol } else { -vol });
                let thirds = pair.div_ceil(2) as f64 / 3.0;
                Move { price: if pair % 2 == 1 { thirds * range } else { -thirds * range }, vol, cover: 1.0 }
            }
        })
    }
}

impl ScanPosition {
    fn check(&self) -> Result<()> {
        finite(COMPUTATION, "qty", self.qty)?;
        positive(COMPUTATION, "multiplier", self.multiplier)?;
        match &self.contract {
            Contract::Future => Ok(()),
            Contract::Option(option) => black76(option).map(|_| ()),
        }
    }

    fn loss(&self, m: Move) -> f64 {
        let change = match &self.contract {
            Contract::Future => m.price,
            Contract::Option(option) => {
                let moved = Black76 {
                    forward: (option.forward + m.price).max(0.0),
                    vol: (option.vol + m.vol).max(0.0),
                    ..*option
                };
                moved.price() - option.price()
            }
        };
        // 0 - x, so that no loss is a plain zero.
        0.0 - self.qty * self.multiplier * change
    }

    fn option_value(&self) -> f64 {
        match &self.contract {
            Contract::Future => 0.0,
            Contract::Option(option) => self.qty * self.multiplier * option.price(),
        }
    }

    fn short_option_contracts(&self) -> f64 {
        match self.contract {
            Contract::Option(_) if self.qty < 0.0 => -self.qty,
            _ => 0.0,
        }
    }
}

/// Number, from 1, of the largest loss, and the loss floored at 0.
fn largest(risk_array: &[f64; 16]) -> (u8, f64) {
    let mut worst = (1, f64::NEG_INFINITY);
    for (number, loss) in (1..).zip(risk_array) {
        if *loss > worst.1 {
            worst = (number, *loss);
        }
    }
    (worst.0, worst.1.max(0.0))
}
