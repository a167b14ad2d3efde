//! `PriceOptions` and `ImpliedVolatility`: columns in, columns out.

use std::borrow::Cow;

use rayon::prelude::*;
use risk_core::pricing::{
    Bachelier, Black76, Bsm, BsmBatch, BsmColumns, Exercise, Greeks, OptionKind, TreeOption, UndiscountedOption,
    Valuation, bachelier, black76, bsm_batch, implied_vol, leisen_reimer,
};
use risk_core::progress::Progress;
use risk_core::{Result, RiskError};

use super::portfolio::option_kind;
use crate::proto::{
    ImpliedVolatilityRequest, ImpliedVolatilityResponse, PriceOptionsRequest, PriceOptionsResponse, PricingModel,
    RowFailure,
};

const NAME: &str = "price_options";
const IMPLIED: &str = "implied_volatility";
const DEFAULT_STEPS: u32 = 501;
/// Rows of a request: nine columns of answers are 36 MB.
const MAX_ROWS: usize = 500_000;
/// Steps squared times rows of trees: some minutes of one core.
const MAX_NODES: u64 = 500_000_000_000;
/// Rows between two looks at whether anybody still waits.
const CHUNK: usize = 256;

/// Prices and Greeks of all rows, or what is wrong with the first bad one.
pub(crate) fn price_options(request: &PriceOptionsRequest, progress: &Progress) -> Result<PriceOptionsResponse> {
    let n = request.option_types.len();
    require_rows(NAME, n)?;
    let kinds: Vec<OptionKind> =
        request.option_types.iter().map(|&sent| option_kind(NAME, sent)).collect::<Result<_>>()?;
    let columns = Columns {
        kinds: &kinds,
        underlying: column("underlying_prices", &request.underlying_prices, n, false)?,
        strike: column("strikes", &request.strikes, n, false)?,
        years: column("years", &request.years, n, true)?,
        rate: column("rates", &request.rates, n, true)?,
        vol: column("volatilities", &request.volatilities, n, true)?,
    };
    let model = PricingModel::try_from(request.pricing_model).unwrap_or(PricingModel::Unspecified);
    let has_yield = !matches!(model, PricingModel::Black76 | PricingModel::Bachelier);
    if !has_yield && !request.dividend_yields.is_empty() {
        let why = "must be empty in a forward model";
        return Err(RiskError::invalid(
            NAME,
            "dividend_yields",
            why,
            format!("{} values", request.dividend_yields.len()),
        ));
    }
    let is_tree = matches!(model, PricingModel::LeisenReimer | PricingModel::LeisenReimerEuropean);
    if !is_tree && request.steps != 0 {
        return Err(RiskError::invalid(NAME, "steps", "must be 0 but for leisen_reimer", request.steps));
    }
    let no_yield = [0.0];
    let sent_yields = if request.dividend_yields.is_empty() { &no_yield[..] } else { &request.dividend_yields };
    let yields = column("dividend_yields", sent_yields, n, true)?;
    match model {
        PricingModel::BlackScholesMerton => columns.black_scholes_merton(&yields),
        PricingModel::Black76 => greeks(n, progress, |i| black76(&columns.black76(i))),
        PricingModel::Bachelier => greeks(n, progress, |i| bachelier(&columns.bachelier(i))),
        PricingModel::LeisenReimer | PricingModel::LeisenReimerEuropean => {
            let steps = if request.steps == 0 { DEFAULT_STEPS } else { request.steps };
            let is_american = model == PricingModel::LeisenReimer;
            let exercise = if is_american { Exercise::American } else { Exercise::European };
            trees(n, steps, progress, |i| TreeOption { option: columns.spot_option(i, &yields), exercise, steps })
        }
        PricingModel::Unspecified => {
            Err(RiskError::invalid(NAME, "pricing_model", "must be one of the models", request.pricing_model))
        }
    }
}

struct Columns<'a> {
    kinds: &'a [OptionKind],
    underlying: Cow<'a, [f64]>,
    strike: Cow<'a, [f64]>,
    years: Cow<'a, [f64]>,
    rate: Cow<'a, [f64]>,
    vol: Cow<'a, [f64]>,
}

impl Columns<'_> {
    /// All rows at once: the most that a request may have take some milliseconds, too few to share or to cancel.
    fn black_scholes_merton(&self, yields: &[f64]) -> Result<PriceOptionsResponse> {
        let BsmBatch { price, delta, gamma, vega, theta, rho, rho_q, vanna, volga } = bsm_batch(&BsmColumns {
            kind: self.kinds,
            spot: &self.underlying,
            strike: &self.strike,
            years: &self.years,
            rate: &self.rate,
            dividend_yield: yields,
            vol: &self.vol,
        })?;
        Ok(PriceOptionsResponse {
            prices: price,
            deltas: delta,
            gammas: gamma,
            vegas: vega,
            thetas: theta,
            rhos: rho,
            rho_qs: rho_q,
            vannas: vanna,
            volgas: volga,
        })
    }

    fn spot_option(&self, i: usize, yields: &[f64]) -> Bsm {
        Bsm {
            kind: self.kinds[i],
            spot: self.underlying[i],
            strike: self.strike[i],
            years: self.years[i],
            rate: self.rate[i],
            dividend_yield: yields[i],
            vol: self.vol[i],
        }
    }

    fn black76(&self, i: usize) -> Black76 {
        let (kind, forward, strike) = (self.kinds[i], self.underlying[i], self.strike[i]);
        Black76 { kind, forward, strike, years: self.years[i], rate: self.rate[i], vol: self.vol[i] }
    }

    fn bachelier(&self, i: usize) -> Bachelier {
        let (kind, forward, strike) = (self.kinds[i], self.underlying[i], self.strike[i]);
        Bachelier { kind, forward, strike, years: self.years[i], rate: self.rate[i], vol: self.vol[i] }
    }
}

/// A column of n values; where `may_repeat`, one value holds for all rows.
fn column<'a>(what: &'static str, sent: &'a [f64], n: usize, may_repeat: bool) -> Result<Cow<'a, [f64]>> {
    match sent {
        [value] if may_repeat && n != 1 => Ok(Cow::Owned(vec![*value; n])),
        values if values.len() == n => Ok(Cow::Borrowed(values)),
        values => {
            let one = if may_repeat { " or 1" } else { "" };
            let why = format!("must have {n}{one} values to match option_types");
            Err(RiskError::shape(NAME, what, why, values.len()))
        }
    }
}

fn require_rows(name: &'static str, n: usize) -> Result<()> {
    if (1..=MAX_ROWS).contains(&n) {
        return Ok(());
    }
    Err(RiskError::invalid(name, "option_types", format!("must be 1 to {MAX_ROWS} rows"), n))
}

/// All rows on the pool, in order; the first error names its row.
fn rows<T: Send>(
    name: &'static str,
    n: usize,
    progress: &Progress,
    value: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let chunk = |start: usize| -> Result<Vec<T>> {
        progress.check(name)?;
        (start..(start + CHUNK).min(n)).map(|i| value(i).map_err(|error| of_row(error, i))).collect()
    };
    let starts: Vec<usize> = (0..n).step_by(CHUNK).collect();
    let chunks: Vec<Result<Vec<T>>> = starts.into_par_iter().map(chunk).collect();
    let mut all = Vec::with_capacity(n);
    for chunk in chunks {
        all.append(&mut chunk?);
    }
    Ok(all)
}

/// The same error, with its row; but whoever gave up did not because of a row.
fn of_row(error: RiskError, row: usize) -> RiskError {
    if matches!(error, RiskError::Canceled(_)) {
        return error;
    }
    let fault = error.fault().clone();
    RiskError::invalid(fault.computation, format!("row {row}: {}", fault.what), fault.why, fault.got)
}

/// Options on a forward: no dividend yield, no Greek of it.
fn greeks(
    n: usize,
    progress: &Progress,
    value: impl Fn(usize) -> Result<Valuation> + Sync,
) -> Result<PriceOptionsResponse> {
    let values = rows(NAME, n, progress, value)?;
    let column = |get: fn(&Greeks) -> f64| values.iter().map(|v| get(&v.greeks)).collect();
    Ok(PriceOptionsResponse {
        prices: values.iter().map(|v| v.price).collect(),
        deltas: column(|g| g.delta),
        gammas: column(|g| g.gamma),
        vegas: column(|g| g.vega),
        thetas: column(|g| g.theta),
        rhos: column(|g| g.rho),
        rho_qs: Vec::new(),
        vannas: column(|g| g.vanna),
        volgas: column(|g| g.volga),
    })
}

fn trees(
    n: usize,
    steps: u32,
    progress: &Progress,
    option: impl Fn(usize) -> TreeOption + Sync,
) -> Result<PriceOptionsResponse> {
    let nodes = u64::from(steps).saturating_mul(u64::from(steps)).saturating_mul(n as u64);
    if nodes > MAX_NODES {
        let why = format!("must be at most {MAX_NODES} for steps squared times rows");
        return Err(RiskError::invalid(NAME, "steps", why, format!("{steps} steps of {n} rows")));
    }
    let values = rows(NAME, n, progress, |i| leisen_reimer(&option(i), progress))?;
    Ok(PriceOptionsResponse {
        prices: values.iter().map(|v| v.price).collect(),
        deltas: values.iter().map(|v| v.delta_lattice).collect(),
        ..Default::default()
    })
}

/// Volatilities of all rows; a price that no volatility gives is a failure of its row.
pub(crate) fn implied_volatility(
    request: &ImpliedVolatilityRequest,
    progress: &Progress,
) -> Result<ImpliedVolatilityResponse> {
    let n = request.option_types.len();
    require_rows(IMPLIED, n)?;
    for (what, values) in [
        ("prices", &request.prices),
        ("forwards", &request.forwards),
        ("strikes", &request.strikes),
        ("years", &request.years),
    ] {
        if values.len() != n {
            let why = format!("must have {n} values to match option_types");
            return Err(RiskError::shape(IMPLIED, what, why, values.len()));
        }
    }
    let value = |i: usize| {
        Ok(option_kind(IMPLIED, request.option_types[i]).and_then(|kind| {
            implied_vol(&UndiscountedOption {
                kind,
                forward: request.forwards[i],
                strike: request.strikes[i],
                years: request.years[i],
                price: request.prices[i],
            })
        }))
    };
    let mut response = ImpliedVolatilityResponse::default();
    for (row, value) in rows(IMPLIED, n, progress, value)?.into_iter().enumerate() {
        match value {
            Ok(volatility) => response.volatilities.push(volatility),
            Err(error) => {
                response.volatilities.push(0.0);
                response.failures.push(RowFailure { row: row as u32, text: error.to_string() });
            }
        }
    }
    Ok(response)
}
