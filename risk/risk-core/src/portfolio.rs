//! The risk of a portfolio that changes all the time: each change costs what it touches, not the whole.
//!
//! A change of one position moves one exposure, and with it `v = x' Σ x` in O(1) and `g = Σ x` in O(K), by the rules of
//! [`crate::pretrade_var`]. Greeks and scenarios are kept by instrument and computed again only for those that moved.

use crate::check::{finite, positive, representable};
use crate::covariance::Covariance;
use crate::error::{Result, RiskError, require_finite, require_len};
use crate::matrix::dot;
use crate::parametric::Multipliers;
use crate::pretrade_var::PortfolioVar;
use crate::pricing::{Bsm, Greeks, OptionKind, bsm};
use crate::stress::{Holding, Shock};
use crate::units::{Confidence, Distribution, HorizonDays};

const NAME: &str = "portfolio";
/// Nanoseconds of a year of 365 days.
const YEAR_NS: f64 = 365.0 * 86_400.0 * 1e9;
/// An option that nothing else moves is valued again after so long: a thirty-millionth of a year.
const STALE_NS: i64 = 1_000_000_000;

/// What an instrument is to the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// The factor itself.
    Factor(usize),
    /// A European option on a factor, at the factor's mark.
    Option(OptionOn),
}

/// A European option on a factor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionOn {
    /// The factor, from 0.
    pub factor: usize,
    /// Call or put.
    pub kind: OptionKind,
    /// Strike price, positive.
    pub strike: f64,
    /// When it expires, ns UTC.
    pub expire_time_ns: i64,
    /// Rate a year.
    pub rate: f64,
    /// Dividend yield a year.
    pub dividend_yield: f64,
    /// Volatility a year, at least 0.
    pub vol: f64,
}

/// Returns of the factors.
#[derive(Debug, Clone, Copy)]
pub struct FactorModel<'a> {
    /// Shape (K): mean one-day returns; empty is zero.
    pub mean: &'a [f64],
    /// Covariance of one-day returns.
    pub covariance: &'a Covariance<'a>,
    /// Their distribution.
    pub distribution: Distribution,
}

/// One instrument's part of the portfolio.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InstrumentRisk {
    /// Units held times the multiplier, short negative.
    pub qty: f64,
    /// Mark, or the model's price of an option; none without a mark.
    pub price: Option<f64>,
    /// Change of value per unit return of its factor, money.
    pub exposure: f64,
    /// Quantity times the Greeks of one.
    pub greeks: Greeks,
    /// P&L in each scenario.
    pub stress: Vec<f64>,
    valued_at: i64,
}

/// VaR and ES at one level. Money, losses positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevelRisk {
    /// The level.
    pub confidence: Confidence,
    /// Value at risk.
    pub var: f64,
    /// Expected shortfall.
    pub es: f64,
}

/// A portfolio as it stands, and its risk.
#[derive(Debug, Clone)]
pub struct LivePortfolio {
    state: PortfolioVar,
    mean: Vec<f64>,
    levels: Vec<(Confidence, Multipliers)>,
    kinds: Vec<Kind>,
    /// The instruments of each factor.
    of_factor: Vec<Vec<usize>>,
    spots: Vec<Option<f64>>,
    instruments: Vec<InstrumentRisk>,
    /// Shape (scenarios, K).
    scenarios: Vec<Vec<Shock>>,
    now_ns: i64,
}

impl LivePortfolio {
    /// An empty portfolio of `kinds`; `scenarios` hold one shock a factor.
    ///
    /// Errors: shapes, a factor that the model lacks, what [`bsm`] refuses, NaN and infinity.
    pub fn new(
        model: FactorModel<'_>,
        confidences: &[Confidence],
        kinds: Vec<Kind>,
        scenarios: Vec<Vec<Shock>>,
    ) -> Result<Self> {
        let k = model.covariance.dimension();
        if !model.mean.is_empty() {
            require_len(NAME, "mean", model.mean, k, "the factors")?;
            require_finite(NAME, "mean", model.mean)?;
        }
        let level = |c: &Confidence| (*c, Multipliers::of(model.distribution, c.tail()));
        let levels: Vec<_> = confidences.iter().map(level).collect();
        let Some(&first) = confidences.first() else {
            return Err(RiskError::invalid(NAME, "confidence_bp", "must have at least one level", 0));
        };
        let mut of_factor = vec![Vec::new(); k];
        for (i, kind) in kinds.iter().enumerate() {
            let factor = kind.factor();
            let Some(list) = of_factor.get_mut(factor) else {
                let why = format!("must be below {k}, the number of factors");
                return Err(RiskError::invalid(NAME, "factor", why, factor));
            };
            list.push(i);
            if let Kind::Option(option) = kind {
                option.check()?;
            }
        }
        for scenario in &scenarios {
            if scenario.len() != k {
                return Err(RiskError::shape(NAME, "scenario", format!("must have {k} shocks"), scenario.len()));
            }
            scenario.iter().try_for_each(|shock| shock.checked().map(|_| ()))?;
        }
        let state = PortfolioVar::new(&vec![0.0; k], model.covariance, model.distribution, first, HorizonDays::ONE)?;
        let empty = InstrumentRisk { stress: vec![0.0; scenarios.len()], ..InstrumentRisk::default() };
        Ok(Self {
            state,
            mean: model.mean.to_vec(),
            levels,
            instruments: vec![empty; kinds.len()],
            kinds,
            of_factor,
            spots: vec![None; k],
            scenarios,
            now_ns: 0,
        })
    }

    /// The time of what follows, ns UTC: options have so long to live.
    pub fn set_time(&mut self, now_ns: i64) {
        self.now_ns = self.now_ns.max(now_ns);
    }

    /// A new quantity of an instrument: units times the multiplier, short negative.
    pub fn set_qty(&mut self, instrument: usize, qty: f64) -> Result<()> {
        finite(NAME, "qty", qty)?;
        if let Some(held) = self.instruments.get_mut(instrument) {
            held.qty = qty;
        }
        self.revalue(instrument)
    }

    /// A new mark of a factor, which moves everything on it.
    pub fn set_spot(&mut self, factor: usize, spot: f64) -> Result<()> {
        positive(NAME, "mark", spot)?;
        let Some(slot) = self.spots.get_mut(factor) else { return Ok(()) };
        *slot = Some(spot);
        self.revalue_on(factor)
    }

    /// A factor has no mark any more: what is on it has no value, and is in no figure.
    pub fn clear_spot(&mut self, factor: usize) -> Result<()> {
        match self.spots.get_mut(factor).and_then(Option::take) {
            Some(_) => self.revalue_on(factor),
            None => Ok(()),
        }
    }

    fn revalue_on(&mut self, factor: usize) -> Result<()> {
        for place in 0..self.of_factor.get(factor).map_or(0, Vec::len) {
            self.revalue(self.of_factor[factor][place])?;
        }
        Ok(())
    }

    /// Values again the options that time has moved and nothing else.
    pub fn age(&mut self) -> Result<()> {
        for i in 0..self.kinds.len() {
            let is_held = self.instruments[i].qty != 0.0 && self.instruments[i].price.is_some();
            if is_held
                && matches!(self.kinds[i], Kind::Option(_))
                && self.now_ns - self.instruments[i].valued_at >= STALE_NS
            {
                self.revalue(i)?;
            }
        }
        Ok(())
    }

    fn revalue(&mut self, instrument: usize) -> Result<()> {
        let (Some(kind), Some(held)) = (self.kinds.get(instrument), self.instruments.get(instrument)) else {
            return Ok(());
        };
        let factor = kind.factor();
        let (qty, before) = (held.qty, held.exposure);
        let Some(spot) = self.spots.get(factor).copied().flatten() else {
            self.state.fill(factor, -before)?;
            let stress = vec![0.0; self.scenarios.len()];
            self.instruments[instrument] = InstrumentRisk { qty, stress, ..InstrumentRisk::default() };
            return Ok(());
        };
        let (price, one, holding) = kind.value(spot, self.now_ns)?;
        let exposure = representable(NAME, "exposure", qty * one.delta * spot)?;
        let stress = self.scenarios.iter().map(|shocks| match shocks.get(factor) {
            Some(shock) => representable(NAME, "stress", qty * holding.change(shock)?),
            None => Ok(0.0),
        });
        let stress = stress.collect::<Result<Vec<f64>>>()?;
        self.state.fill(factor, exposure - before)?;
        let greeks = one.times(qty);
        let valued_at = self.now_ns;
        if let Some(held) = self.instruments.get_mut(instrument) {
            *held = InstrumentRisk { qty, price: Some(price), exposure, greeks, stress, valued_at };
        }
        Ok(())
    }

    /// The instruments, in the order of their kinds.
    pub fn instruments(&self) -> &[InstrumentRisk] {
        &self.instruments
    }

    /// Standard deviation of the one-day P&L.
    pub fn sigma_1d(&self) -> f64 {
        self.state.variance().sqrt()
    }

    /// VaR and ES, one entry a level.
    ///
    /// Formula: `VaR = -x·μ + k s`, `ES = -x·μ + e s`, x the delta exposures.
    pub fn levels(&self) -> Vec<LevelRisk> {
        let expected = if self.mean.is_empty() { 0.0 } else { dot(self.state.exposures(), &self.mean) };
        let sigma = self.sigma_1d();
        let level = |&(confidence, Multipliers { var, es }): &(Confidence, Multipliers)| LevelRisk {
            confidence,
            var: var * sigma - expected,
            es: es * sigma - expected,
        };
        self.levels.iter().map(level).collect()
    }

    /// Parts of the VaR at the first level, one an instrument; they add up to it.
    ///
    /// Formula: `e_i (-μ_f + k g_f / s)`, e the instrument's exposure to its factor f.
    pub fn component_var(&self) -> Vec<f64> {
        let sigma = self.sigma_1d();
        let k = self.levels.first().map_or(0.0, |(_, multipliers)| multipliers.var);
        let part = |(kind, held): (&Kind, &InstrumentRisk)| {
            let factor = kind.factor();
            let slope =
                self.state.gradient().get(factor).map_or(0.0, |g| if sigma > 0.0 { k * g / sigma } else { 0.0 });
            held.exposure * (slope - self.mean.get(factor).copied().unwrap_or(0.0))
        };
        self.kinds.iter().zip(&self.instruments).map(part).collect()
    }
}

impl Kind {
    /// The factor that moves it.
    pub fn factor(&self) -> usize {
        match self {
            Self::Factor(factor) => *factor,
            Self::Option(option) => option.factor,
        }
    }

    /// Price and Greeks of one, and what scenarios shock.
    fn value(&self, spot: f64, now_ns: i64) -> Result<(f64, Greeks, Holding)> {
        match self {
            Self::Factor(_) => Ok((spot, Greeks { delta: 1.0, ..Greeks::default() }, Holding::Spot { spot })),
            Self::Option(option) => {
                let option = option.at(spot, now_ns);
                let valued = bsm(&option)?;
                Ok((valued.price, valued.greeks, Holding::Option(option)))
            }
        }
    }
}

impl OptionOn {
    /// Refuses terms that no option can have, at any spot.
    pub fn check(&self) -> Result<()> {
        bsm(&self.at(1.0, self.expire_time_ns)).map(|_| ())
    }

    fn at(&self, spot: f64, now_ns: i64) -> Bsm {
        let years = (self.expire_time_ns.saturating_sub(now_ns) as f64 / YEAR_NS).max(0.0);
        let Self { kind, strike, rate, dividend_yield, vol, .. } = *self;
        Bsm { kind, spot, strike, years, rate, dividend_yield, vol }
    }
}
