//! Margin of an account of shares, in exact money.

use crate::error::{Result, RiskError};

const COMPUTATION: &str = "account_margin";
/// Digits of the currency after the point.
const MONEY_SCALE: u8 = 18;
/// Shares at less than so many units of currency are penny stocks.
const PENNY_STOCK_BELOW: i128 = 5;

/// Money in 10⁻¹⁸ of the currency.
pub type Attos = i128;

/// A position in one share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharePosition {
    /// Quantity in 10^-qty_scale, short negative.
    pub qty: i64,
    /// Price in 10^-price_scale, at least 0.
    pub price: i64,
    /// Decimal places of the quantity; with those of the price at most 18.
    pub qty_scale: u8,
    /// Decimal places of the price.
    pub price_scale: u8,
}

/// Margin of an account, all in 10⁻¹⁸ of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountMargin {
    /// Market value of what is held.
    pub long_mv: Attos,
    /// Market value of what is owed, positive.
    pub short_mv: Attos,
    /// Cash + long - short.
    pub equity: Attos,
    /// Needed to open: half of both values.
    pub initial: Attos,
    /// Needed to keep.
    pub maintenance: Attos,
    /// Equity - initial; may be negative.
    pub excess_initial: Attos,
    /// Equity - maintenance; may be negative.
    pub excess_maintenance: Attos,
    /// `max(0, maintenance - equity)`.
    pub margin_call: Attos,
}

/// Initial and maintenance margin of an account of shares.
///
/// Formula: initial 50 % of both values; maintenance 25 % of a long value; of a short one `max(2.5 shares, value)`
/// below a price of 5, else `max(5 shares, 30 % of the value)`. Exact; a ratio rounds half-even to 10⁻¹⁸ once.
/// Errors: `InvalidInput` for a negative price, scales that add up to more than 18, money beyond 128 bits.
/// Source: Regulation T, 12 CFR 220; FINRA 4210(c).
pub fn account_margin(cash: Attos, positions: &[SharePosition]) -> Result<AccountMargin> {
    let (mut long_mv, mut short_mv, mut maintenance) = (0, 0, 0);
    for position in positions {
        let value = position.value()?;
        if position.qty >= 0 {
            long_mv = add(long_mv, value)?;
            maintenance = add(maintenance, share(value, 1, 4)?)?;
        } else {
            short_mv = add(short_mv, value)?;
            maintenance = add(maintenance, position.short_maintenance(value)?)?;
        }
    }
    let equity = subtract(add(cash, long_mv)?, short_mv)?;
    let initial = share(add(long_mv, short_mv)?, 1, 2)?;
    Ok(AccountMargin {
        long_mv,
        short_mv,
        equity,
        initial,
        maintenance,
        excess_initial: subtract(equity, initial)?,
        excess_maintenance: subtract(equity, maintenance)?,
        margin_call: subtract(maintenance, equity)?.max(0),
    })
}

impl SharePosition {
    /// Market value, positive for long and short.
    fn value(&self) -> Result<Attos> {
        if self.price < 0 {
            return Err(RiskError::invalid(COMPUTATION, "price", "must be at least 0", self.price));
        }
        let digits = self.digits()?;
        // Two 64-bit factors fit 128 bits; the scale may not.
        let product = i128::from(self.qty).abs() * i128::from(self.price);
        product.checked_mul(power_of_ten(digits)).ok_or_else(overflow)
    }

    fn short_maintenance(&self, value: Attos) -> Result<Attos> {
        let shares = i128::from(self.qty)
            .abs()
            .checked_mul(power_of_ten(MONEY_SCALE.saturating_sub(self.qty_scale)))
            .ok_or_else(overflow)?;
        if i128::from(self.price) < PENNY_STOCK_BELOW * power_of_ten(self.price_scale) {
            return Ok(share(shares, 5, 2)?.max(value));
        }
        Ok(share(shares, 5, 1)?.max(share(value, 3, 10)?))
    }

    /// Digits that the product of quantity and price lacks to 18.
    fn digits(&self) -> Result<u8> {
        let scales = u16::from(self.qty_scale) + u16::from(self.price_scale);
        match u8::try_from(scales).ok().and_then(|scales| MONEY_SCALE.checked_sub(scales)) {
            Some(digits) => Ok(digits),
            None => Err(RiskError::invalid(COMPUTATION, "qty_scale + price_scale", "must be at most 18", scales)),
        }
    }
}

/// `10^digits`; digits are at most 18 here.
fn power_of_ten(digits: u8) -> i128 {
    10_i128.pow(u32::from(digits.min(MONEY_SCALE)))
}

/// `amount numerator / denominator` of a non-negative amount, rounded half-even.
fn share(amount: Attos, numerator: i128, denominator: i128) -> Result<Attos> {
    let product = amount.checked_mul(numerator).ok_or_else(overflow)?;
    let (quotient, twice) = (product / denominator, 2 * (product % denominator));
    let up = twice > denominator || (twice == denominator && quotient % 2 != 0);
    Ok(quotient + i128::from(up))
}

fn add(a: Attos, b: Attos) -> Result<Attos> {
    a.checked_add(b).ok_or_else(overflow)
}

fn subtract(a: Attos, b: Attos) -> Result<Attos> {
    a.checked_sub(b).ok_or_else(overflow)
}

fn overflow() -> RiskError {
    RiskError::invalid(COMPUTATION, "money", "must fit 128 bits of 10^-18 of the currency", "more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_round_half_even() {
        let check = |amount, expected| assert_eq!(share(amount, 1, 4).unwrap(), expected, "{amount}");
        check(2, 0); // 0.5
        check(6, 2); // 1.5
        check(5, 1); // 1.25
        check(7, 2); // 1.75
    }

    #[test]
    fn money_beyond_its_range_is_refused() {
        let position = SharePosition { qty: i64::MIN, price: i64::MAX, qty_scale: 0, price_scale: 0 };
        let error = account_margin(0, &[position]).unwrap_err();
        assert!(error.to_string().starts_with("account_margin: money must fit 128 bits"), "{error}");
        assert!(
            account_margin(i128::MIN, &[SharePosition { qty: -1, price: 5, qty_scale: 0, price_scale: 0 }]).is_err()
        );
        let scales = SharePosition { qty: 1, price: 1, qty_scale: 10, price_scale: 9 };
        let error = account_margin(0, &[scales]).unwrap_err();
        assert_eq!(error.to_string(), "account_margin: qty_scale + price_scale must be at most 18, got 19");
        let negative = SharePosition { qty: 1, price: -1, qty_scale: 0, price_scale: 2 };
        assert_eq!(
            account_margin(0, &[negative]).unwrap_err().to_string(),
            "account_margin: price must be at least 0, got -1"
        );
    }
}
