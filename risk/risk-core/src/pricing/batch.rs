//! Many European options at once, as columns, at SIMD speed.

use super::lanes::{INV_SQRT_2PI, cdf, exp, ln};
use super::{Bsm, OptionKind, bsm};
use crate::error::{Result, RiskError, require_len};

const COMPUTATION: &str = "bsm_batch";
/// Rows a block: all its columns together stay in the first-level cache.
const BLOCK: usize = 64;

/// European options as columns of one length; units as in [`Bsm`].
#[derive(Debug, Clone, Copy)]
pub struct BsmColumns<'a> {
    /// Call or put.
    pub kind: &'a [OptionKind],
    /// Spot price.
    pub spot: &'a [f64],
    /// Strike price.
    pub strike: &'a [f64],
    /// Time to expiry, years.
    pub years: &'a [f64],
    /// Rate a year.
    pub rate: &'a [f64],
    /// Dividend yield a year.
    pub dividend_yield: &'a [f64],
    /// Volatility a year.
    pub vol: &'a [f64],
}

/// Prices and Greeks, row by row of the input; units as in [`super::Greeks`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BsmBatch {
    /// Present value.
    pub price: Vec<f64>,
    /// Per 1.00 of spot.
    pub delta: Vec<f64>,
    /// Of delta, per 1.00 of spot.
    pub gamma: Vec<f64>,
    /// Per 1.00 of volatility.
    pub vega: Vec<f64>,
    /// Per year.
    pub theta: Vec<f64>,
    /// Per 1.00 of the rate.
    pub rho: Vec<f64>,
    /// Per 1.00 of the dividend yield.
    pub rho_q: Vec<f64>,
    /// Of delta, per 1.00 of volatility.
    pub vanna: Vec<f64>,
    /// Of vega, per 1.00 of volatility.
    pub volga: Vec<f64>,
}

/// Prices and all Greeks of many European options.
///
/// Formula: that of [`bsm`], row by row, with the normal tails from the Mills ratio, so that one
/// exponential serves both `N(d1)` and `N(d2)`: `F n(d1) = K n(d2)`. Agrees with [`bsm`] to 1e-13 of
/// spot plus strike. A row does not depend on the rows beside it, nor on the instruction set of the machine.
///
/// Errors: those of [`bsm`] for the first bad row; `ShapeMismatch` when lengths differ.
pub fn bsm_batch(columns: &BsmColumns<'_>) -> Result<BsmBatch> {
    let mut out = BsmBatch::default();
    bsm_batch_into(columns, &mut out)?;
    Ok(out)
}

/// [`bsm_batch`] into columns that are used again: of a million options the memory costs more than the arithmetic.
/// What `out` held is replaced; after an error it holds the rows before the bad block.
pub fn bsm_batch_into(columns: &BsmColumns<'_>, out: &mut BsmBatch) -> Result<()> {
    columns.check_lengths()?;
    out.clear(columns.kind.len());
    let arch = pulp::Arch::new();
    let mut block = Block::default();
    for start in (0..columns.kind.len()).step_by(BLOCK) {
        let rows = columns.load(start, &mut block);
        arch.dispatch(PriceBlock(&mut block));
        if !block.is_ordinary(rows) {
            columns.revalue(start, rows, &mut block)?;
        }
        out.append(&block, rows);
    }
    Ok(())
}

/// Inputs and outputs of one block.
struct Block {
    sign: [f64; BLOCK],
    spot: [f64; BLOCK],
    strike: [f64; BLOCK],
    years: [f64; BLOCK],
    rate: [f64; BLOCK],
    dividend_yield: [f64; BLOCK],
    vol: [f64; BLOCK],
    price: [f64; BLOCK],
    delta: [f64; BLOCK],
    gamma: [f64; BLOCK],
    vega: [f64; BLOCK],
    theta: [f64; BLOCK],
    rho: [f64; BLOCK],
    rho_q: [f64; BLOCK],
    vanna: [f64; BLOCK],
    volga: [f64; BLOCK],
    /// 0 where the row was priced; otherwise it needs the plain formula, or is refused.
    odd: [f64; BLOCK],
}

/// The work of a block as `pulp` wants it, so that it is compiled once for each instruction set. A closure would not
/// do: it is a function of its own, which need not be inlined into the one that may use the wide registers.
struct PriceBlock<'a>(&'a mut Block);

impl pulp::WithSimd for PriceBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.0.price();
    }
}

impl Default for Block {
    fn default() -> Self {
        let zero = [0.0; BLOCK];
        Self {
            sign: zero,
            spot: zero,
            strike: zero,
            years: zero,
            rate: zero,
            dividend_yield: zero,
            vol: zero,
            price: zero,
            delta: zero,
            gamma: zero,
            vega: zero,
            theta: zero,
            rho: zero,
            rho_q: zero,
            vanna: zero,
            volga: zero,
            odd: zero,
        }
    }
}

impl Block {
    /// Prices all rows. Rows that `odd` marks hold no valid answer.
    #[inline(always)]
    fn price(&mut self) {
        for i in 0..BLOCK {
            let (w, spot, strike, years) = (self.sign[i], self.spot[i], self.strike[i], self.years[i]);
            let (rate, dividend_yield, vol) = (self.rate[i], self.dividend_yield[i], self.vol[i]);
            let root = years.sqrt();
            let v = vol * root;
            let ratio = spot / strike;
            let d1 = (ln(ratio) + (rate - dividend_yield) * years) / v + 0.5 * v;
            let d2 = d1 - v;
            let yield_discount = exp(-dividend_yield * years);
            let spot_now = spot * yield_discount;
            let strike_now = strike * exp(-rate * years);
            let pdf1 = INV_SQRT_2PI * exp(-0.5 * d1 * d1);
            let pdf2 = pdf1 * spot_now / strike_now;
            let cdf1 = cdf(w * d1, pdf1);
            let spot_leg = spot_now * cdf1;
            let strike_leg = strike_now * cdf(w * d2, pdf2);
            let value = w * (spot_leg - strike_leg);
            let vega = spot_now * pdf1 * root;
            let decay = 0.5 * vega * vol / years;
            self.price[i] = if value < 0.0 { 0.0 } else { value };
            self.delta[i] = w * yield_discount * cdf1;
            let slope = yield_discount * pdf1 / v;
            self.gamma[i] = slope / spot;
            self.vega[i] = vega;
            self.theta[i] = w * (dividend_yield * spot_leg - rate * strike_leg) - decay;
            self.rho[i] = w * years * strike_leg;
            let in_range = (spot > 0.0) & (v > 1e-100) & (v < 1e100) & (ratio > 1e-300) & (ratio < 1e300);
            self.rho_q[i] = -w * years * spot_leg;
            self.vanna[i] = -slope * d2 * root;
            self.volga[i] = spot * slope * d1 * d2 * years;
            let sum = self.price[i] + self.delta[i] + self.gamma[i] + vega + self.theta[i] + self.rho[i];
            let sum = sum + self.rho_q[i] + self.vanna[i] + self.volga[i];
            self.odd[i] = if in_range { sum * 0.0 } else { 1.0 };
        }
    }

    /// True when the first `rows` rows all hold valid answers. NaN and infinity are not.
    fn is_ordinary(&self, rows: usize) -> bool {
        self.odd.iter().take(rows).sum::<f64>() == 0.0
    }
}

impl BsmColumns<'_> {
    fn check_lengths(&self) -> Result<()> {
        let rows = self.kind.len();
        for (what, column) in [
            ("spot", self.spot),
            ("strike", self.strike),
            ("years", self.years),
            ("rate", self.rate),
            ("dividend_yield", self.dividend_yield),
            ("volatility", self.vol),
        ] {
            require_len(COMPUTATION, what, column, rows, "kind")?;
        }
        Ok(())
    }

    /// Copies the rows from `start` on into the block and says how many there were.
    fn load(&self, start: usize, block: &mut Block) -> usize {
        for (to, from) in [
            (&mut block.spot, self.spot),
            (&mut block.strike, self.strike),
            (&mut block.years, self.years),
            (&mut block.rate, self.rate),
            (&mut block.dividend_yield, self.dividend_yield),
            (&mut block.vol, self.vol),
        ] {
            to.iter_mut().zip(from.iter().skip(start)).for_each(|(to, from)| *to = *from);
        }
        let kinds = self.kind.iter().skip(start);
        block.sign.iter_mut().zip(kinds).map(|(to, kind)| *to = kind.sign()).count()
    }

    /// Prices the odd rows of a block by the plain formula, with its edge cases and errors.
    fn revalue(&self, start: usize, rows: usize, block: &mut Block) -> Result<()> {
        for i in 0..rows {
            if block.odd[i] == 0.0 {
                continue;
            }
            let kind = if block.sign[i] > 0.0 { OptionKind::Call } else { OptionKind::Put };
            let option = Bsm {
                kind,
                spot: block.spot[i],
                strike: block.strike[i],
                years: block.years[i],
                rate: block.rate[i],
                dividend_yield: block.dividend_yield[i],
                vol: block.vol[i],
            };
            let value = bsm(&option).map_err(|error| at_row(&error, start + i))?;
            block.price[i] = value.price;
            block.delta[i] = value.greeks.delta;
            block.gamma[i] = value.greeks.gamma;
            block.vega[i] = value.greeks.vega;
            block.theta[i] = value.greeks.theta;
            block.rho[i] = value.greeks.rho;
            block.rho_q[i] = value.greeks.rho_q;
            block.vanna[i] = value.greeks.vanna;
            block.volga[i] = value.greeks.volga;
        }
        Ok(())
    }
}

/// The error of one row, naming it.
fn at_row(error: &RiskError, row: usize) -> RiskError {
    let fault = error.fault();
    RiskError::invalid(fault.computation, format!("row {row}: {}", fault.what), fault.why.as_str(), &fault.got)
}

impl BsmBatch {
    fn columns(&mut self) -> [&mut Vec<f64>; 9] {
        let Self { price, delta, gamma, vega, theta, rho, rho_q, vanna, volga } = self;
        [price, delta, gamma, vega, theta, rho, rho_q, vanna, volga]
    }

    /// Empty, with room for so many rows.
    fn clear(&mut self, rows: usize) {
        for column in self.columns() {
            column.clear();
            column.reserve(rows);
        }
    }

    fn append(&mut self, block: &Block, rows: usize) {
        let Block { price, delta, gamma, vega, theta, rho, rho_q, vanna, volga, .. } = block;
        let blocks = [price, delta, gamma, vega, theta, rho, rho_q, vanna, volga];
        for (to, from) in self.columns().into_iter().zip(blocks) {
            to.extend(from.iter().take(rows));
        }
    }
}
