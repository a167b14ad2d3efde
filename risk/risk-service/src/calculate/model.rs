//! The inputs that the methods share, from the contract's form into checked ones.

use risk_core::covariance::{Covariance, SampleCovariance};
use risk_core::matrix::MatrixRef;
use risk_core::parametric::Moments;
use risk_core::progress::Progress;
use risk_core::quantile::QuantileRule;
use risk_core::units::{Confidence, DegreesOfFreedom, Distribution, HorizonDays};
use risk_core::{Result, RiskError};

use crate::proto;
use crate::proto::return_model::{self, Source};

/// More levels than anybody asks for, and few enough that an answer stays within a message.
const MAX_LEVELS: usize = 100;
/// Factors of a covariance: it takes 128 MB, its eigenvalues seconds.
pub(crate) const MAX_FACTORS: usize = 4_000;

/// The levels that are asked for.
pub(super) fn levels(name: &'static str, request: &proto::CalculateRiskRequest) -> Result<Vec<Confidence>> {
    confidences(name, &request.confidence_bp)
}

/// Levels in basis points.
pub(crate) fn confidences(name: &'static str, sent: &[u32]) -> Result<Vec<Confidence>> {
    if sent.is_empty() || sent.len() > MAX_LEVELS {
        let why = format!("must be 1 to {MAX_LEVELS} levels");
        return Err(RiskError::invalid(name, "confidence_bp", why, sent.len()));
    }
    sent.iter().map(|&confidence_bp| Confidence::from_bp(name, confidence_bp)).collect()
}

pub(super) fn horizon(name: &'static str, request: &proto::CalculateRiskRequest) -> Result<HorizonDays> {
    HorizonDays::new(name, request.horizon_days)
}

/// Refuses another horizon than one day, which only a closed form can be scaled to.
pub(super) fn require_one_day(name: &'static str, request: &proto::CalculateRiskRequest) -> Result<()> {
    if request.horizon_days == 1 {
        return Ok(());
    }
    Err(RiskError::invalid(name, "horizon_days", "must be 1 for this method", request.horizon_days))
}

/// A matrix that must be there.
pub(super) fn matrix<'a>(
    name: &'static str,
    what: &'static str,
    sent: Option<&'a proto::Matrix>,
) -> Result<MatrixRef<'a>> {
    let sent = sent.ok_or_else(|| not_set(name, what))?;
    MatrixRef::new(name, what, sent.rows as usize, sent.cols as usize, &sent.values)
}

/// How VaR is read off a sample.
pub(super) fn quantile_rule(name: &'static str, sent: i32) -> Result<QuantileRule> {
    match proto::QuantileRule::try_from(sent) {
        Ok(proto::QuantileRule::InvertedCdf) => Ok(QuantileRule::InvertedCdf),
        Ok(proto::QuantileRule::Upper) => Ok(QuantileRule::Upper),
        Ok(proto::QuantileRule::Linear7) => Ok(QuantileRule::Linear7),
        Ok(proto::QuantileRule::MedianUnbiased8) => Ok(QuantileRule::MedianUnbiased8),
        Ok(proto::QuantileRule::HarrellDavis) => Ok(QuantileRule::HarrellDavis),
        Ok(proto::QuantileRule::Unspecified) | Err(_) => {
            Err(RiskError::invalid(name, "quantile_rule", "must be one of the rules", sent))
        }
    }
}

/// How ES is read off a sample.
pub(super) fn shortfall_rule(name: &'static str, sent: i32) -> Result<proto::ShortfallRule> {
    proto::ShortfallRule::try_from(sent)
        .map_err(|_| RiskError::invalid(name, "shortfall_rule", "must be one of the rules", sent))
}

pub(crate) fn not_set(name: &'static str, what: &'static str) -> RiskError {
    RiskError::invalid(name, what, "must be set", "nothing")
}

/// Mean, distribution, and covariance or past returns, as they were sent.
pub(super) struct SentModel<'a> {
    pub(super) mean: &'a [f64],
    pub(super) distribution: Distribution,
    source: SentSource<'a>,
}

enum SentSource<'a> {
    Covariance(MatrixRef<'a>),
    Returns(MatrixRef<'a>),
}

impl<'a> SentModel<'a> {
    /// Reads the model of a portfolio of `dimension` exposures. Past returns may be of any number of factors.
    pub(super) fn read(name: &'static str, dimension: usize, sent: Option<&'a proto::ReturnModel>) -> Result<Self> {
        let sent = sent.ok_or_else(|| not_set(name, "model"))?;
        let source = match sent.source.as_ref().ok_or_else(|| not_set(name, "covariance or returns"))? {
            Source::Covariance(covariance) => {
                require_factors(name, dimension)?;
                SentSource::Covariance(matrix(name, "covariance", Some(covariance))?)
            }
            Source::Returns(returns) => SentSource::Returns(returns_of(name, dimension, returns)?),
        };
        let distribution = match sent.distribution.as_ref().ok_or_else(|| not_set(name, "distribution"))? {
            return_model::Distribution::Normal(_) => Distribution::Normal,
            return_model::Distribution::StudentT(student_t) => {
                Distribution::StudentT(DegreesOfFreedom::new(name, student_t.nu)?)
            }
        };
        Ok(Self { mean: &sent.mean, distribution, source })
    }

    /// What closed forms are made from: a covariance that was checked, or past returns as they are.
    pub(super) fn moments(&self, name: &'static str, dimension: usize, progress: &Progress) -> Result<Moments<'a>> {
        match self.source {
            SentSource::Covariance(matrix) => {
                Covariance::checked(name, dimension, matrix, progress).map(Moments::Covariance)
            }
            SentSource::Returns(returns) => Ok(Moments::Returns(returns)),
        }
    }

    /// How many past returns there are; none where a covariance was given.
    pub(super) fn n_returns(&self) -> usize {
        match self.source {
            SentSource::Covariance(_) => 0,
            SentSource::Returns(returns) => returns.rows(),
        }
    }
}

/// Mean, covariance and distribution of one-day returns.
pub(crate) struct Model<'a> {
    pub(crate) mean: &'a [f64],
    pub(crate) distribution: Distribution,
    estimate: Estimate<'a>,
}

/// Where the covariance comes from.
enum Estimate<'a> {
    Given(MatrixRef<'a>),
    Sampled(SampleCovariance),
}

impl<'a> Model<'a> {
    /// Reads the model of a portfolio of `dimension` exposures; past returns become their sample covariance.
    pub(crate) fn new(
        name: &'static str,
        dimension: usize,
        sent: Option<&'a proto::ReturnModel>,
        progress: &Progress,
    ) -> Result<Self> {
        require_factors(name, dimension)?;
        let SentModel { mean, distribution, source } = SentModel::read(name, dimension, sent)?;
        let estimate = match source {
            SentSource::Covariance(covariance) => Estimate::Given(covariance),
            SentSource::Returns(returns) => Estimate::Sampled(SampleCovariance::of(returns, progress)?),
        };
        Ok(Self { mean, distribution, estimate })
    }

    /// The covariance, checked to be one of `dimension` factors.
    pub(crate) fn covariance(
        &self,
        name: &'static str,
        dimension: usize,
        progress: &Progress,
    ) -> Result<Covariance<'_>> {
        match &self.estimate {
            Estimate::Given(matrix) => Covariance::checked(name, dimension, *matrix, progress),
            Estimate::Sampled(sample) => Ok(sample.covariance()),
        }
    }

    /// Refuses a mean: second-order books are taken about returns of mean zero.
    pub(super) fn require_no_mean(&self, name: &'static str) -> Result<()> {
        if self.mean.is_empty() {
            return Ok(());
        }
        let got = format!("{} values", self.mean.len());
        Err(RiskError::invalid(name, "mean", "must be empty but for linear exposures", got))
    }
}

/// Refuses more factors than a covariance may have.
pub(crate) fn require_factors(name: &'static str, count: usize) -> Result<()> {
    if (1..=MAX_FACTORS).contains(&count) {
        return Ok(());
    }
    Err(RiskError::invalid(name, "factors", format!("must be 1 to {MAX_FACTORS}"), count))
}

fn returns_of<'a>(name: &'static str, dimension: usize, sent: &'a proto::Matrix) -> Result<MatrixRef<'a>> {
    let returns = matrix(name, "returns", Some(sent))?;
    if returns.cols() == dimension {
        return Ok(returns);
    }
    let why = format!("must have {dimension} columns to match the factors");
    Err(RiskError::shape(name, "returns", why, returns.cols()))
}
