//! Monte Carlo of `CalculateRisk`: which simulation, of which portfolio.

use risk_core::covariance::Covariance;
use risk_core::montecarlo::{
    BookSampling, DeltaGammaSampling, LinearBook, LinearForm, MonteCarloLevel, MonteCarloSettings, Revaluation,
    Sampler, Shock, delta_gamma_monte_carlo, full_revaluation_monte_carlo, linear_monte_carlo,
};
use risk_core::progress::Progress;
use risk_core::units::{Confidence, Distribution, HorizonDays};
use risk_core::{Result, RiskError};

use super::figures::{figures, interval, warnings};
use super::model::{Model, horizon, levels};
use super::portfolio::{Factors, Portfolio, quadratic_form};
use crate::proto::{
    self, CalculateRiskRequest, CalculateRiskResponse, HorizonMethod, MonteCarloMethod, RiskFigures, SpotShock,
};

const NAME: &str = "monte_carlo_var";
const DEFAULT_REPLICATIONS: u32 = 16;

pub(super) fn monte_carlo(
    request: &CalculateRiskRequest,
    method: &MonteCarloMethod,
    progress: &Progress,
) -> Result<CalculateRiskResponse> {
    let portfolio = Portfolio::of(NAME, request)?;
    let levels = levels(NAME, request)?;
    check_applicable(&portfolio, request, method)?;
    let model = Model::new(NAME, portfolio.dimension(), method.model.as_ref(), progress)?;
    let horizon = Horizon::of(request, method)?;
    let covariance = model.covariance(NAME, portfolio.dimension(), progress)?;
    let job = Job { method, settings: settings(method)?, levels: &levels, horizon, progress };
    match portfolio {
        Portfolio::Linear(exposures) => job.linear(exposures, &model, &covariance),
        Portfolio::DeltaGamma(book) => {
            model.require_no_mean(NAME)?;
            job.delta_gamma(book, model.distribution, &covariance)
        }
        Portfolio::Book(book) => {
            model.require_no_mean(NAME)?;
            job.book(book, request.horizon_years, model.distribution, &covariance)
        }
    }
}

/// A field that the portfolio has no use for is an error: whoever set it expects something.
fn check_applicable(
    portfolio: &Portfolio<'_>,
    request: &CalculateRiskRequest,
    method: &MonteCarloMethod,
) -> Result<()> {
    let (linear, book) = (matches!(portfolio, Portfolio::Linear(_)), matches!(portfolio, Portfolio::Book(_)));
    let delta_gamma = matches!(portfolio, Portfolio::DeltaGamma(_));
    let sobol = method.sampler() == proto::Sampler::Sobol;
    let strata = method.importance_sampling.as_ref().map(|it| format!("{} strata", it.strata));
    let number = |is_set: bool, value: &dyn ToString| is_set.then(|| value.to_string());
    for (set, applies, what, why) in [
        (strata, !linear, "importance_sampling", "must be unset for linear exposures"),
        (
            number(method.single_precision_normals, &true),
            delta_gamma,
            "single_precision_normals",
            "must be false but for delta-gamma",
        ),
        (number(method.spot_shock != 0, &method.spot_shock), book, "spot_shock", "must be unset but for a book"),
        (number(method.simulate_factors, &true), linear, "simulate_factors", "must be false but for linear exposures"),
        (
            number(request.horizon_years != 0.0, &request.horizon_years),
            book,
            "horizon_years",
            "must be 0 but for a book",
        ),
        (number(method.replications != 0, &method.replications), sobol, "replications", "must be 0 without sobol"),
    ] {
        if let (Some(got), false) = (set, applies) {
            return Err(RiskError::invalid(NAME, what, why, got));
        }
    }
    if method.single_precision_normals && method.importance_sampling.is_some() {
        return Err(RiskError::invalid(
            NAME,
            "single_precision_normals",
            "must be false with importance_sampling",
            true,
        ));
    }
    Ok(())
}

fn settings(method: &MonteCarloMethod) -> Result<MonteCarloSettings> {
    let sampler = match proto::Sampler::try_from(method.sampler) {
        Ok(proto::Sampler::Unspecified | proto::Sampler::Pseudo) => Sampler::Pseudo,
        Ok(proto::Sampler::Sobol) if method.replications == 0 => Sampler::Sobol { replications: DEFAULT_REPLICATIONS },
        Ok(proto::Sampler::Sobol) => Sampler::Sobol { replications: method.replications },
        Err(_) => return Err(RiskError::invalid(NAME, "sampler", "must be pseudo or sobol", method.sampler)),
    };
    Ok(MonteCarloSettings { n_scenarios: method.n_scenarios, seed: method.seed, sampler })
}

/// The horizon, and how the figures reach it.
#[derive(Clone, Copy)]
struct Horizon {
    days: HorizonDays,
    method: HorizonMethod,
}

impl Horizon {
    fn of(request: &CalculateRiskRequest, method: &MonteCarloMethod) -> Result<Self> {
        let days = horizon(NAME, request)?;
        let method = match HorizonMethod::try_from(method.horizon_method) {
            Ok(HorizonMethod::Unspecified) => HorizonMethod::Paths,
            Ok(method) => method,
            Err(_) => {
                let why = "must be paths or square_root_of_time";
                return Err(RiskError::invalid(NAME, "horizon_method", why, method.horizon_method));
            }
        };
        Ok(Self { days, method })
    }

    fn scales(self) -> bool {
        self.method == HorizonMethod::SquareRootOfTime
    }

    /// What one-day figures are multiplied by.
    fn factor(self) -> f64 {
        if self.scales() { self.days.days().sqrt() } else { 1.0 }
    }

    /// What is told: nothing of a single day.
    fn told(self) -> i32 {
        if self.days == HorizonDays::ONE { HorizonMethod::Unspecified.into() } else { self.method.into() }
    }
}

struct Job<'a> {
    method: &'a MonteCarloMethod,
    settings: MonteCarloSettings,
    levels: &'a [Confidence],
    horizon: Horizon,
    progress: &'a Progress,
}

impl Job<'_> {
    fn linear(&self, exposures: &[f64], model: &Model<'_>, cov: &Covariance<'_>) -> Result<CalculateRiskResponse> {
        let form = if self.method.simulate_factors { LinearForm::AllFactors } else { LinearForm::OneDimensional };
        let horizon = if self.horizon.scales() { HorizonDays::ONE } else { self.horizon.days };
        let book = LinearBook { exposures, mean: model.mean, form, horizon };
        let risk = linear_monte_carlo(book, cov, model.distribution, self.settings, self.levels, self.progress)?;
        let sigma = Some(risk.sigma_1d);
        Ok(self.response(risk.levels, sigma, risk.replications, form == LinearForm::OneDimensional))
    }

    fn delta_gamma(
        &self,
        book: &proto::DeltaGammaBook,
        distribution: Distribution,
        cov: &Covariance<'_>,
    ) -> Result<CalculateRiskResponse> {
        self.require_one_day()?;
        let sampling = match &self.method.importance_sampling {
            Some(sampling) => DeltaGammaSampling::ImportanceSampling { strata: sampling.strata },
            None if self.method.single_precision_normals => DeltaGammaSampling::PlainSinglePrecision,
            None => DeltaGammaSampling::Plain,
        };
        let form = quadratic_form(NAME, book, cov)?;
        let risk = delta_gamma_monte_carlo(&form, distribution, sampling, self.settings, self.levels, self.progress)?;
        // Of Student's t the fourth moment, and with it the variance of the square, need not exist.
        let sigma = match distribution {
            Distribution::Normal => Some(form.cumulants()?.k2.sqrt()),
            Distribution::StudentT(_) => None,
        };
        Ok(self.response(risk, sigma, self.replications(), false))
    }

    fn book(
        &self,
        book: &proto::Book,
        years: f64,
        distribution: Distribution,
        cov: &Covariance<'_>,
    ) -> Result<CalculateRiskResponse> {
        self.require_one_day()?;
        let shock = spot_shock(NAME, self.method.spot_shock)?;
        let sampling = match &self.method.importance_sampling {
            Some(sampling) => BookSampling::ImportanceSampling { strata: sampling.strata },
            None => BookSampling::Plain,
        };
        let positions = Factors::new(NAME, &book.factors)?.book(NAME, &book.positions, 0)?;
        let how = (Revaluation { shock, years }, sampling);
        let (settings, progress) = (self.settings, self.progress);
        let risk = full_revaluation_monte_carlo(&positions, cov, distribution, how, settings, self.levels, progress)?;
        Ok(self.response(risk.levels, Some(risk.sigma_1d), risk.replications, false))
    }

    /// Sensitivities and books are taken at a horizon that the caller has put into the covariance.
    fn require_one_day(&self) -> Result<()> {
        if self.horizon.days == HorizonDays::ONE || self.horizon.scales() {
            return Ok(());
        }
        let why = "must be 1 with paths but for linear exposures: give the covariance of the horizon";
        Err(RiskError::invalid(NAME, "horizon_days", why, self.horizon.days.days()))
    }

    fn replications(&self) -> u32 {
        match self.settings.sampler {
            Sampler::Pseudo => 1,
            Sampler::Sobol { replications } => replications,
        }
    }

    fn response(
        &self,
        levels: Vec<MonteCarloLevel>,
        sigma_1d: Option<f64>,
        replications: u32,
        one_dimensional: bool,
    ) -> CalculateRiskResponse {
        let sampler = match self.settings.sampler {
            Sampler::Pseudo => proto::Sampler::Pseudo,
            Sampler::Sobol { .. } => proto::Sampler::Sobol,
        };
        CalculateRiskResponse {
            figures: levels.into_iter().map(|level| simulated(level, self.horizon.factor())).collect(),
            sigma_1d,
            n_scenarios: self.settings.n_scenarios,
            seed: Some(self.settings.seed),
            sampler: sampler.into(),
            replications,
            horizon_method: self.horizon.told(),
            one_dimensional,
            ..Default::default()
        }
    }
}

/// How a return moves a spot.
pub(super) fn spot_shock(name: &'static str, sent: i32) -> Result<Shock> {
    match SpotShock::try_from(sent) {
        Ok(SpotShock::Log) => Ok(Shock::Log),
        Ok(SpotShock::Simple) => Ok(Shock::Simple),
        Ok(SpotShock::Unspecified) | Err(_) => {
            Err(RiskError::invalid(name, "spot_shock", "must be log or simple for a book", sent))
        }
    }
}

fn simulated(risk: MonteCarloLevel, factor: f64) -> RiskFigures {
    RiskFigures {
        var_se: Some(risk.var_se * factor),
        es_se: Some(risk.es_se * factor),
        var_ci95: Some(interval(risk.var_ci95, factor)),
        es_ci95: Some(interval(risk.es_ci95, factor)),
        warnings: warnings(risk.few_tail_scenarios),
        ..figures(risk.confidence, risk.var * factor, risk.es * factor)
    }
}
