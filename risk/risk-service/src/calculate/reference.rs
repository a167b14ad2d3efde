//! `EvaluateFunction` and `DrawNumbers`: what the figures are made of, for whoever checks an implementation of his own.

use risk_core::progress::Progress;
use risk_core::rng::{Philox4x64, Sobol};
use risk_core::special;
use risk_core::{Result, RiskError};

use super::model::not_set;
use crate::proto::draw_numbers_request::Generator;
use crate::proto::{
    DistributionFunction, DrawNumbersRequest, DrawNumbersResponse, EvaluateFunctionRequest, EvaluateFunctionResponse,
    PhiloxBlocks, SobolPoints,
};

const NAME: &str = "evaluate_function";
const DRAW: &str = "draw_numbers";
/// Values of a request: the slowest function takes some microseconds.
const MAX_VALUES: usize = 100_000;
/// Values between two looks at whether anybody still waits.
const CHUNK: usize = 1_024;
/// Beyond this a double skips whole numbers.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;
const MAX_COORDINATES: u64 = 4_000_000;
const MAX_BLOCKS: u32 = 1_000_000;

/// Values of one function, or what is wrong with the first row that has none.
pub(crate) fn evaluate_function(
    request: &EvaluateFunctionRequest,
    progress: &Progress,
) -> Result<EvaluateFunctionResponse> {
    let function = match DistributionFunction::try_from(request.function) {
        Ok(function) if function != DistributionFunction::Unspecified => function,
        _ => return Err(RiskError::invalid(NAME, "function", "must be one of the functions", request.function)),
    };
    let n = request.arguments.len();
    if !(1..=MAX_VALUES).contains(&n) {
        return Err(RiskError::invalid(NAME, "arguments", format!("must be 1 to {MAX_VALUES} values"), n));
    }
    let is_binomial = function == DistributionFunction::BinomCdf;
    let parameters = Column::new("parameters", &request.parameters, n, !is_normal(function))?;
    let probabilities = Column::new("probabilities", &request.probabilities, n, is_binomial)?;
    let mut values = Vec::with_capacity(n);
    for (row, &x) in request.arguments.iter().enumerate() {
        if row.is_multiple_of(CHUNK) {
            progress.check(NAME)?;
        }
        let given = Row { row, x, parameter: parameters.at(row), probability: probabilities.at(row) };
        values.push(given.value(function)?);
    }
    Ok(EvaluateFunctionResponse { values })
}

fn is_normal(function: DistributionFunction) -> bool {
    use DistributionFunction as F;
    matches!(function, F::NormCdf | F::NormPdf | F::NormPpf)
}

/// A column of one length, or of one value for all rows; empty where the function has no such argument.
struct Column<'a>(&'a [f64]);

impl<'a> Column<'a> {
    fn new(what: &'static str, sent: &'a [f64], n: usize, is_needed: bool) -> Result<Self> {
        let fits = if is_needed { sent.len() == 1 || sent.len() == n } else { sent.is_empty() };
        if fits {
            return Ok(Self(sent));
        }
        let why = if is_needed { format!("must have {n} or 1 values") } else { "must be empty here".to_owned() };
        Err(RiskError::shape(NAME, what, why, format!("{} values", sent.len())))
    }

    fn at(&self, row: usize) -> f64 {
        self.0.get(row).or(self.0.first()).copied().unwrap_or(0.0)
    }
}

/// The arguments of one row.
struct Row {
    row: usize,
    x: f64,
    parameter: f64,
    probability: f64,
}

impl Row {
    fn value(&self, function: DistributionFunction) -> Result<f64> {
        use DistributionFunction as F;
        let value = match function {
            F::NormCdf => special::norm_cdf(self.real()?),
            F::NormPdf => special::norm_pdf(self.real()?),
            F::NormPpf => special::norm_ppf(self.within("argument", self.x)?),
            F::TCdf => special::t_cdf(self.real()?, self.freedom()?),
            F::TPdf => special::t_pdf(self.real()?, self.freedom()?),
            F::TPpf => special::t_ppf(self.within("argument", self.x)?, self.freedom()?),
            F::Chi2Sf => special::chi2_sf(self.real()?, self.freedom()?),
            F::BinomCdf => special::binom_cdf(
                self.whole("argument", self.x)?,
                self.whole("parameter", self.parameter)?,
                self.within("probability", self.probability)?,
            ),
            F::Unspecified => {
                return Err(not_set(NAME, "function"));
            }
        };
        self.require(value.is_finite(), "value", "must be representable for these arguments", value)
    }

    fn real(&self) -> Result<f64> {
        self.require(self.x.is_finite(), "argument", "must be finite", self.x)
    }

    fn freedom(&self) -> Result<f64> {
        let nu = self.parameter;
        self.require(nu > 0.0 && nu.is_finite(), "parameter", "must be finite and positive", nu)
    }

    fn within(&self, what: &str, p: f64) -> Result<f64> {
        self.require(p > 0.0 && p < 1.0, what, "must be within (0, 1)", p)
    }

    fn whole(&self, what: &str, value: f64) -> Result<u64> {
        let holds = (0.0..=MAX_WHOLE).contains(&value) && value.fract() == 0.0;
        // Exact: whole, and within the range just checked.
        self.require(holds, what, "must be a whole number, at least 0", value).map(|value| value as u64)
    }

    fn require(&self, holds: bool, what: &str, why: &str, value: f64) -> Result<f64> {
        if holds { Ok(value) } else { Err(RiskError::invalid(NAME, format!("row {}: {what}", self.row), why, value)) }
    }
}

/// The numbers of a generator.
pub(crate) fn draw_numbers(request: &DrawNumbersRequest) -> Result<DrawNumbersResponse> {
    match request.generator.as_ref().ok_or_else(|| not_set(DRAW, "generator"))? {
        Generator::Sobol(sent) => sobol(sent),
        Generator::Philox(sent) => philox(sent),
    }
}

fn sobol(sent: &SobolPoints) -> Result<DrawNumbersResponse> {
    let coordinates = u64::from(sent.dimension) * u64::from(sent.n_points);
    if sent.n_points == 0 || coordinates > MAX_COORDINATES {
        let why = format!("must be positive, and at most {MAX_COORDINATES} times the dimension");
        return Err(RiskError::invalid(DRAW, "n_points", why, format!("{} of {}", sent.n_points, sent.dimension)));
    }
    let sequence = Sobol::new(sent.dimension as usize)?;
    let mut column = vec![0; sent.n_points as usize];
    let mut points = vec![0; coordinates as usize];
    for dimension in 0..sequence.dimension() {
        sequence.fill(dimension, sent.first_index, &mut column);
        let of_dimension = points.iter_mut().skip(dimension).step_by(sequence.dimension());
        of_dimension.zip(&column).for_each(|(slot, value)| *slot = *value);
    }
    Ok(DrawNumbersResponse { points, words: Vec::new() })
}

fn philox(sent: &PhiloxBlocks) -> Result<DrawNumbersResponse> {
    if !(1..=MAX_BLOCKS).contains(&sent.n_blocks) {
        return Err(RiskError::invalid(DRAW, "n_blocks", format!("must be within 1..={MAX_BLOCKS}"), sent.n_blocks));
    }
    let generator = Philox4x64::new(words("key", &sent.key)?);
    let mut counter = words("counter", &sent.counter)?;
    let mut words = Vec::with_capacity(4 * sent.n_blocks as usize);
    for _ in 0..sent.n_blocks {
        words.extend(generator.block(counter));
        count_up(&mut counter);
    }
    Ok(DrawNumbersResponse { points: Vec::new(), words })
}

fn words<const N: usize>(what: &'static str, sent: &[u64]) -> Result<[u64; N]> {
    sent.try_into().map_err(|_| RiskError::shape(DRAW, what, format!("must have {N} words"), sent.len()))
}

/// The next of 2^256 counters, the lowest word first.
fn count_up(counter: &mut [u64; 4]) {
    for word in counter {
        let (next, carries) = word.overflowing_add(1);
        *word = next;
        if !carries {
            return;
        }
    }
}
