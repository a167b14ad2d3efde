//! `SimulateScenarios`: an input of any size, in parts. Of each scenario only the P&L is kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use risk_core::matrix::dot;
use risk_core::montecarlo::{BookPosition, RepricedBook, Revaluation};
use risk_core::quantile::{OrderedLosses, QuantileRule};
use risk_core::units::Confidence;
use risk_core::{Result, RiskError};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::figures::{figures, interval, warnings};
use super::model::{confidences, not_set, quantile_rule, shortfall_rule};
use super::portfolio::{Factors, delta_gamma};
use super::simulation::spot_shock;
use super::{Answers, refused};
use crate::compute::{Pool, deadline};
use crate::proto::simulate_scenarios_request::Part;
use crate::proto::{
    Book, DeltaGammaBook, ShortfallRule, SimulateScenariosHeader, SimulateScenariosRequest, SimulateScenariosResponse,
};

const NAME: &str = "simulate_scenarios";
const MAX_FACTORS: u32 = 1_000_000;
const MAX_SCENARIOS: u64 = 10_000_000;
/// Values of P&L in one part of the answer.
const PNL_VALUES: usize = 131_072;
/// Scenarios for which there is room from the start.
const FIRST_SCENARIOS: usize = 131_072;
/// A job that nothing is heard of for so long gives up its room.
const SILENCE: Duration = Duration::from_secs(30);
/// How often a client hears of the progress.
const PROGRESS: Duration = Duration::from_millis(250);
const BUFFER: usize = 4;

type Parts = mpsc::Sender<std::result::Result<SimulateScenariosResponse, Status>>;

pub(super) fn simulate_scenarios(
    pool: Arc<Pool>,
    request: Request<Streaming<SimulateScenariosRequest>>,
) -> std::result::Result<Response<Answers<SimulateScenariosResponse>>, Status> {
    let deadline = deadline(request.extensions());
    let mut parts = request.into_inner();
    let room = pool.admit()?;
    let (send, receive) = mpsc::channel(BUFFER);
    tokio::spawn(async move {
        let _room = room;
        let run = async {
            let mut job = Box::new(Job::default());
            let mut told = Instant::now();
            while let Some(SimulateScenariosRequest { part }) = next(&mut parts).await? {
                // The next part is read when this one is reduced: the transport makes the sender wait.
                let step = move || job.take(part).map(|()| job);
                job = pool.run_part(deadline, step).await?.map_err(refused)?;
                if told.elapsed() >= PROGRESS {
                    told = Instant::now();
                    let n_scenarios = job.losses.len() as u64;
                    // A reader that is behind hears the next one.
                    let _ = send.try_send(Ok(SimulateScenariosResponse { n_scenarios, ..Default::default() }));
                }
            }
            pool.run_part(deadline, move || job.finish()).await?.map_err(refused)
        };
        let outcome = tokio::select! {
            outcome = run => outcome,
            () = send.closed() => return,
        };
        answer(&send, outcome).await;
    });
    Ok(Response::new(Box::pin(ReceiverStream::new(receive))))
}

/// The next part, unless the client falls silent.
async fn next(
    parts: &mut Streaming<SimulateScenariosRequest>,
) -> std::result::Result<Option<SimulateScenariosRequest>, Status> {
    tokio::time::timeout(SILENCE, parts.message()).await.unwrap_or_else(|_| {
        let text = format!("simulate_scenarios: the next part must come within {} s", SILENCE.as_secs());
        Err(Status::deadline_exceeded(text))
    })
}

/// Sends the figures, and the P&L in parts when it was asked for.
async fn answer(send: &Parts, outcome: std::result::Result<(SimulateScenariosResponse, Vec<f64>), Status>) {
    let (first, losses) = match outcome {
        Ok(found) => found,
        Err(status) => {
            // The reader may be gone.
            let _ = send.send(Err(status)).await;
            return;
        }
    };
    let n_scenarios = first.n_scenarios;
    if send.send(Ok(first)).await.is_err() {
        return;
    }
    for part in losses.chunks(PNL_VALUES) {
        let pnl = part.iter().flat_map(|loss| (-loss).to_le_bytes()).collect();
        let response = SimulateScenariosResponse { pnl, n_scenarios, ..Default::default() };
        if send.send(Ok(response)).await.is_err() {
            return;
        }
    }
}

/// A job as far as it has come.
#[derive(Default)]
pub(super) struct Job {
    header: Option<Header>,
    exposures: Vec<f64>,
    positions: Vec<BookPosition>,
    /// Names of the book's factors, from its first part.
    factors: Vec<String>,
    sensitivities: Option<DeltaGammaBook>,
    /// Set when the portfolio is whole.
    book: Option<RepricedBook>,
    losses: Vec<f64>,
}

struct Header {
    factors: usize,
    scenarios: usize,
    levels: Vec<Confidence>,
    rule: QuantileRule,
    shortfall: ShortfallRule,
    sent: SimulateScenariosHeader,
}

impl Header {
    fn new(sent: SimulateScenariosHeader) -> Result<Self> {
        if !(1..=MAX_FACTORS).contains(&sent.n_factors) {
            let why = format!("must be within 1..={MAX_FACTORS}");
            return Err(RiskError::invalid(NAME, "n_factors", why, sent.n_factors));
        }
        if !(1..=MAX_SCENARIOS).contains(&sent.n_scenarios) {
            let why = format!("must be within 1..={MAX_SCENARIOS}");
            return Err(RiskError::invalid(NAME, "n_scenarios", why, sent.n_scenarios));
        }
        Ok(Self {
            factors: sent.n_factors as usize,
            scenarios: sent.n_scenarios as usize,
            levels: confidences(NAME, &sent.confidence_bp)?,
            rule: quantile_rule(NAME, sent.quantile_rule)?,
            shortfall: shortfall_rule(NAME, sent.shortfall_rule)?,
            sent,
        })
    }
}

impl Job {
    /// Takes the next part, or says what is wrong with it.
    pub(super) fn take(&mut self, part: Option<Part>) -> Result<()> {
        match (part, &self.header) {
            (None, _) => Err(not_set(NAME, "part")),
            (Some(Part::Header(header)), None) => {
                self.header = Some(Header::new(header)?);
                Ok(())
            }
            (Some(Part::Header(_)), Some(_)) => Err(RiskError::invalid(NAME, "header", "must come once", "another")),
            (Some(_), None) => Err(RiskError::invalid(NAME, "header", "must come first", "another part")),
            (Some(Part::Exposures(bytes)), Some(_)) => self.take_exposures(&bytes),
            (Some(Part::Positions(book)), Some(_)) => self.take_positions(book),
            (Some(Part::Rows(bytes)), Some(_)) => self.take_rows(&bytes),
            (Some(Part::DeltaGammaBook(book)), Some(_)) => self.take_sensitivities(book),
        }
    }

    fn take_exposures(&mut self, bytes: &[u8]) -> Result<()> {
        self.require_before_rows("exposures")?;
        let values = doubles("exposures", bytes)?;
        let factors = self.header.as_ref().map_or(0, |header| header.factors);
        if self.exposures.len() + bytes.len() / 8 > factors {
            let got = self.exposures.len() + bytes.len() / 8;
            return Err(RiskError::shape(NAME, "exposures", format!("must have {factors} values, n_factors"), got));
        }
        self.exposures.extend(values);
        Ok(())
    }

    fn take_positions(&mut self, book: Book) -> Result<()> {
        self.require_before_rows("positions")?;
        if self.factors.is_empty() {
            self.factors = book.factors;
        } else if !book.factors.is_empty() {
            return Err(RiskError::invalid(NAME, "factors", "must come with the first positions only", "again"));
        }
        self.positions.extend(Factors::new(NAME, &self.factors)?.book(NAME, &book.positions, self.positions.len())?);
        Ok(())
    }

    fn take_sensitivities(&mut self, book: DeltaGammaBook) -> Result<()> {
        self.require_before_rows("delta_gamma_book")?;
        match self.sensitivities.replace(book) {
            None => Ok(()),
            Some(_) => Err(RiskError::invalid(NAME, "delta_gamma_book", "must come once", "another")),
        }
    }

    fn require_before_rows(&self, what: &'static str) -> Result<()> {
        if self.losses.is_empty() && self.book.is_none() {
            return Ok(());
        }
        Err(RiskError::invalid(NAME, what, "must come before the rows", "some after"))
    }

    fn take_rows(&mut self, bytes: &[u8]) -> Result<()> {
        if self.losses.is_empty() {
            self.start()?;
        }
        let Some(header) = &self.header else { return Err(not_set(NAME, "header")) };
        let values: Vec<f64> = doubles("rows", bytes)?.collect();
        if !values.len().is_multiple_of(header.factors) {
            let why = format!("must be whole rows of {} values", header.factors);
            return Err(RiskError::shape(NAME, "rows", why, format!("{} values", values.len())));
        }
        if self.losses.len() + values.len() / header.factors > header.scenarios {
            let got = self.losses.len() + values.len() / header.factors;
            return Err(RiskError::shape(
                NAME,
                "rows",
                format!("must be {} in all, n_scenarios", header.scenarios),
                got,
            ));
        }
        let sensitivities = self.sensitivities.as_ref().map(|book| delta_gamma(NAME, book)).transpose()?;
        for row in values.chunks_exact(header.factors) {
            let loss = match (&self.book, &sensitivities) {
                (Some(book), _) => book.loss(row),
                (None, Some(book)) => -book.pnl(row),
                (None, None) => -dot(&self.exposures, row),
            };
            // A loss that is not finite has a row that is not, or one too large.
            if !loss.is_finite() || row.iter().any(|r| !r.is_finite()) {
                let what = format!("row {}", self.losses.len());
                let bad = row.iter().find(|r| !r.is_finite()).copied().unwrap_or(loss);
                return Err(RiskError::invalid(NAME, what, "must be finite, and its P&L too", bad));
            }
            self.losses.push(loss);
        }
        Ok(())
    }

    /// Checks the portfolio, once it is whole.
    fn start(&mut self) -> Result<()> {
        let Some(header) = &self.header else { return Err(not_set(NAME, "header")) };
        // Memory follows what has come, not what was said to come.
        self.losses.reserve(header.scenarios.min(FIRST_SCENARIOS));
        let kinds = [!self.exposures.is_empty(), !self.positions.is_empty(), self.sensitivities.is_some()];
        if kinds.into_iter().filter(|is_set| *is_set).count() > 1 {
            let why = "must be exposures, positions or a delta_gamma_book, one of them";
            return Err(RiskError::invalid(NAME, "portfolio", why, "several"));
        }
        if self.positions.is_empty() {
            if header.sent.spot_shock != 0 || header.sent.years != 0.0 {
                return Err(RiskError::invalid(
                    NAME,
                    "spot_shock and years",
                    "must be unset but for a book",
                    format!("{} and {}", header.sent.spot_shock, header.sent.years),
                ));
            }
            if let Some(book) = &self.sensitivities {
                return delta_gamma(NAME, book)?.require_dimension(NAME, header.factors);
            }
            if self.exposures.len() != header.factors {
                let why = format!("must have {} values, n_factors", header.factors);
                return Err(RiskError::shape(NAME, "exposures", why, self.exposures.len()));
            }
            return risk_core::error::require_finite(NAME, "exposures", &self.exposures);
        }
        if self.factors.len() != header.factors {
            let why = format!("must have {} names, n_factors", header.factors);
            return Err(RiskError::shape(NAME, "factors", why, self.factors.len()));
        }
        let shock = spot_shock(NAME, header.sent.spot_shock)?;
        let how = Revaluation { shock, years: header.sent.years };
        self.book = Some(RepricedBook::new(NAME, &std::mem::take(&mut self.positions), header.factors, how)?);
        Ok(())
    }

    /// The figures of the whole sample, and its losses where the P&L was asked for.
    pub(super) fn finish(self: Box<Self>) -> Result<(SimulateScenariosResponse, Vec<f64>)> {
        let Some(header) = self.header else { return Err(not_set(NAME, "header")) };
        if self.losses.len() != header.scenarios {
            let why = format!("must be {} in all, n_scenarios", header.scenarios);
            return Err(RiskError::shape(NAME, "rows", why, self.losses.len()));
        }
        let told = if header.sent.return_pnl { self.losses.clone() } else { Vec::new() };
        let sample = OrderedLosses::sort(NAME, self.losses)?;
        let of_level = |&level: &Confidence| {
            let (var, es) = (sample.var_by(header.rule, level)?, shortfall(&sample, header.shortfall, level)?);
            Ok(crate::proto::RiskFigures {
                var_ci95: Some(interval(sample.var_interval(level), 1.0)),
                warnings: warnings(sample.has_few_tail_scenarios(level)),
                ..figures(level, var, es)
            })
        };
        let figures = header.levels.iter().map(of_level).collect::<Result<_>>()?;
        Ok((SimulateScenariosResponse { figures, n_scenarios: header.scenarios as u64, ..Default::default() }, told))
    }
}

fn shortfall(sample: &OrderedLosses, rule: ShortfallRule, level: Confidence) -> Result<f64> {
    match rule {
        ShortfallRule::Unspecified | ShortfallRule::TailMean => sample.tail_mean(level),
        ShortfallRule::MeanGeVar => sample.mean_ge_var(level),
        ShortfallRule::MeanGtUpper => sample.mean_gt_upper(level)?.ok_or_else(|| {
            let why = "needs a loss above the upper quantile for mean_gt_upper";
            RiskError::too_few(NAME, "shortfall_rule", why, format!("none at {} bp", level.bp()))
        }),
    }
}

fn doubles(what: &'static str, bytes: &[u8]) -> Result<impl Iterator<Item = f64>> {
    let (values, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(RiskError::shape(NAME, what, "must be whole doubles of 8 bytes", format!("{} bytes", bytes.len())));
    }
    Ok(values.iter().map(|value| f64::from_le_bytes(*value)))
}
