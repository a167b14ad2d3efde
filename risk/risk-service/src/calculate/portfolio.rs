//! Portfolios, from the contract's form into the core's.

use std::collections::HashMap;

use risk_core::covariance::Covariance;
use risk_core::delta_gamma::{DeltaGamma, QuadraticForm};
use risk_core::montecarlo::BookPosition;
use risk_core::pricing::{Bsm, OptionKind};
use risk_core::stress::{Holding, Position};
use risk_core::{Result, RiskError};

use super::model::{matrix, not_set};
use crate::proto;
use crate::proto::book_position::Holding as SentHolding;

/// Most positions of a request: their revaluation alone is 10 ns each and scenario.
pub(super) const MAX_POSITIONS: usize = 1_000_000;

/// The portfolio of a request.
pub(super) enum Portfolio<'a> {
    Linear(&'a [f64]),
    DeltaGamma(&'a proto::DeltaGammaBook),
    Book(&'a proto::Book),
}

impl<'a> Portfolio<'a> {
    /// Exactly one of the three is set.
    pub(super) fn of(name: &'static str, request: &'a proto::CalculateRiskRequest) -> Result<Self> {
        let linear = (!request.exposures.is_empty()).then_some(Self::Linear(&request.exposures));
        let delta_gamma = request.delta_gamma_book.as_ref().map(Self::DeltaGamma);
        let mut set = linear.into_iter().chain(delta_gamma).chain(request.book.as_ref().map(Self::Book));
        match (set.next(), set.next()) {
            (Some(portfolio), None) => Ok(portfolio),
            (None, _) => Err(RiskError::invalid(name, "exposures", "must have at least one value", 0)),
            (Some(one), Some(other)) => {
                let why = "must be exposures, delta_gamma_book or book, one of them";
                let got = format!("{} and {}", one.field(), other.field());
                Err(RiskError::invalid(name, "portfolio", why, got))
            }
        }
    }

    /// The exposures of a method that takes no other portfolio.
    pub(super) fn linear(name: &'static str, request: &'a proto::CalculateRiskRequest) -> Result<&'a [f64]> {
        match Self::of(name, request)? {
            Self::Linear(exposures) => Ok(exposures),
            other => Err(RiskError::invalid(name, "portfolio", "must be exposures for this method", other.field())),
        }
    }

    /// What the contract calls it.
    pub(super) const fn field(&self) -> &'static str {
        match self {
            Self::Linear(_) => "exposures",
            Self::DeltaGamma(_) => "delta_gamma_book",
            Self::Book(_) => "book",
        }
    }

    /// Number of factors.
    pub(super) fn dimension(&self) -> usize {
        match self {
            Self::Linear(exposures) => exposures.len(),
            Self::DeltaGamma(book) => book.delta.len(),
            Self::Book(book) => book.factors.len(),
        }
    }
}

/// Call or put.
pub(crate) fn option_kind(name: &'static str, sent: i32) -> Result<OptionKind> {
    match proto::OptionType::try_from(sent) {
        Ok(proto::OptionType::Call) => Ok(OptionKind::Call),
        Ok(proto::OptionType::Put) => Ok(OptionKind::Put),
        Ok(proto::OptionType::Unspecified) | Err(_) => {
            Err(RiskError::invalid(name, "option_type", "must be call or put", sent))
        }
    }
}

/// What a position holds, and that it can be held.
fn holding(name: &'static str, sent: &proto::BookPosition) -> Result<Holding> {
    if !sent.qty.is_finite() {
        return Err(RiskError::invalid(name, "qty", "must be finite", sent.qty));
    }
    let holding = match &sent.holding {
        Some(SentHolding::Spot(spot)) => Holding::Spot { spot: *spot },
        Some(SentHolding::Option(option)) => Holding::Option(Bsm {
            kind: option_kind(name, option.option_type)?,
            spot: option.spot,
            strike: option.strike,
            years: option.years,
            rate: option.rate,
            dividend_yield: option.dividend_yield,
            vol: option.volatility,
        }),
        None => return Err(not_set(name, "spot or option")),
    };
    holding.check(name).map(|()| holding)
}

/// Where a position stands in the request, for errors: by its number, from 0, and its underlying.
fn place(i: usize, sent: &proto::BookPosition) -> String {
    format!("position {i} {:?}", sent.underlying)
}

/// A book whose positions are named by their underlying, for scenarios.
pub(super) fn positions(name: &'static str, sent: &[proto::BookPosition]) -> Result<Vec<Position>> {
    require_count(name, sent.len())?;
    sent.iter().enumerate().map(|(i, p)| position(name, p).map_err(|error| error.of(place(i, p)))).collect()
}

/// A position named by its underlying.
pub(super) fn position(name: &'static str, sent: &proto::BookPosition) -> Result<Position> {
    if sent.underlying.is_empty() {
        return Err(not_set(name, "underlying"));
    }
    Ok(Position { underlying: sent.underlying.clone(), qty: sent.qty, holding: holding(name, sent)? })
}

/// The factors of a book, by name.
pub(crate) struct Factors<'a>(HashMap<&'a str, usize>);

impl<'a> Factors<'a> {
    /// Each name once.
    pub(crate) fn new(name: &'static str, names: &'a [String]) -> Result<Self> {
        let mut places = HashMap::with_capacity(names.len());
        for (place, factor) in names.iter().enumerate() {
            if factor.is_empty() {
                return Err(not_set(name, "factor name"));
            }
            if places.insert(factor.as_str(), place).is_some() {
                return Err(RiskError::invalid(name, "factors", "must name each factor once", factor));
            }
        }
        Ok(Self(places))
    }

    /// Where a factor stands.
    pub(crate) fn place(&self, name: &'static str, factor: &str) -> Result<usize> {
        let place = self.0.get(factor).copied();
        place.ok_or_else(|| RiskError::invalid(name, "underlying", "must be one of the factors", format!("{factor:?}")))
    }

    /// Positions whose underlyings are among the factors; the first is number `from` of the book.
    pub(super) fn book(
        &self,
        name: &'static str,
        sent: &[proto::BookPosition],
        from: usize,
    ) -> Result<Vec<BookPosition>> {
        require_count(name, sent.len())?;
        let position = |p: &proto::BookPosition| -> Result<BookPosition> {
            Ok(BookPosition { factor: self.place(name, &p.underlying)?, qty: p.qty, holding: holding(name, p)? })
        };
        (from..).zip(sent).map(|(i, p)| position(p).map_err(|error| error.of(place(i, p)))).collect()
    }
}

fn require_count(name: &'static str, count: usize) -> Result<()> {
    if (1..=MAX_POSITIONS).contains(&count) {
        return Ok(());
    }
    Err(RiskError::invalid(name, "positions", format!("must be 1 to {MAX_POSITIONS}"), count))
}

/// A delta-gamma book in independent normals.
pub(super) fn quadratic_form(
    name: &'static str,
    sent: &proto::DeltaGammaBook,
    covariance: &Covariance<'_>,
) -> Result<QuadraticForm> {
    delta_gamma(name, sent)?.diagonalise(covariance)
}

/// A delta-gamma book as it is.
pub(super) fn delta_gamma<'a>(name: &'static str, sent: &'a proto::DeltaGammaBook) -> Result<DeltaGamma<'a>> {
    let gamma = matrix(name, "gamma", sent.gamma.as_ref())?;
    Ok(DeltaGamma { theta: sent.theta, delta: &sent.delta, gamma })
}
