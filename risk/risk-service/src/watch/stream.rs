//! `StreamRisk`: one watcher of one board.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use risk_core::portfolio::{FactorModel, InstrumentRisk, Kind, LivePortfolio, OptionOn};
use risk_core::progress::Progress;
use risk_core::stress::Shock;
use risk_core::{Result, RiskError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::board::{Board, Boards, News, Seen};
use super::rates::Rates;
use crate::calculate::{
    Answers, Factors, Model, Waiting, confidences, interval, not_set, option_kind, refused, require_factors,
};
use crate::compute::{Pool, deadline};
use crate::config::MAX_WATCHERS;
use crate::proto::{
    CurrencyRate, Greeks, OptionTerms, PositionRisk, RiskFigures, StreamRiskRequest, StreamRiskResponse, StressResult,
    StressScenario,
};

const NAME: &str = "stream_risk";
/// Scenarios times instruments: a watcher keeps the value of each.
const MAX_STRESS_VALUES: usize = 1_000_000;

pub(crate) async fn stream_risk(
    pool: Arc<Pool>,
    boards: &Boards,
    watchers: &Watchers,
    request: Request<StreamRiskRequest>,
) -> std::result::Result<Response<Answers<StreamRiskResponse>>, Status> {
    let deadline = deadline(request.extensions());
    let request = request.into_inner();
    let board = boards.find(&request.session_id).ok_or_else(|| {
        Status::not_found(format!(
            "stream_risk: session_id must name a session that goes on, got {:?}",
            request.session_id
        ))
    })?;
    let place = watchers.admit()?;
    let (account, min_interval) = (request.account.clone(), interval(NAME, request.min_interval_ms).map_err(refused)?);
    let (waiting, progress) = Waiting::new();
    let watcher = pool.run(deadline, move || Watcher::new(&request, &progress)).await;
    drop(waiting);
    let watcher = watcher?.map_err(refused)?;
    let (send, receive) = mpsc::channel(1);
    tokio::spawn(async move {
        let _place = place;
        let watch = watch(&pool, &board, account, min_interval, watcher, &send);
        let end = tokio::select! {
            end = watch => end,
            () = send.closed() => return,
            () = until(deadline) => Status::deadline_exceeded("the deadline of the stream has passed"),
        };
        // The reader may be gone.
        let _ = send.send(Err(end)).await;
    });
    Ok(Response::new(Box::pin(ReceiverStream::new(receive))))
}

/// Who watches, and how many may: each holds a portfolio of its own.
pub(crate) struct Watchers {
    places: Arc<Semaphore>,
    max: usize,
}

impl Watchers {
    /// At most so many.
    pub(crate) fn new(max: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(max)), max }
    }

    /// A place, kept until it is dropped; refused when all are taken.
    fn admit(&self) -> std::result::Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let most = format!("{} streams watch portfolios, which is the most allowed by {MAX_WATCHERS}", self.max);
            Status::resource_exhausted(format!("stream_risk: {most}; try again"))
        })
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

type Reports = mpsc::Sender<std::result::Result<StreamRiskResponse, Status>>;

/// Reports what is new until the session ends, and says how it ended. While a reader is slow nothing is computed for it:
/// what it gets next is the state of then.
async fn watch(
    pool: &Pool,
    board: &Board,
    account: String,
    min_interval: Duration,
    mut watcher: Box<Watcher>,
    send: &Reports,
) -> Status {
    let mut changed = board.subscribe();
    let mut seen = None;
    loop {
        let Ok(room) = send.reserve().await else { return Status::cancelled("the reader is gone") };
        changed.mark_unchanged();
        let news = board.news(seen.unwrap_or(0), &account);
        if news.ended {
            return Status::unavailable("stream_risk: the session has ended");
        }
        if news.version > 0 && !news.is_known {
            let rule = "account must be one of the session's, or empty for all";
            return Status::not_found(format!("stream_risk: {rule}, got {account:?}"));
        }
        if seen.is_none_or(|version| version < news.version) {
            // A session that has not begun yet has nothing to tell.
            let first = seen.replace(news.version).is_none();
            if news.version > 0 || !first {
                let step = move || watcher.take(&news).map(|report| (watcher, report));
                match pool.run_part(None, step).await {
                    Ok(Ok((back, report))) => {
                        watcher = back;
                        room.send(Ok(report));
                        tokio::time::sleep(min_interval).await;
                    }
                    Ok(Err(error)) => return refused(error),
                    Err(status) => return status,
                }
                continue;
            }
        }
        drop(room);
        if changed.changed().await.is_err() {
            return Status::unavailable("stream_risk: the session has ended");
        }
    }
}

/// The portfolio as far as one watcher has seen it.
pub(super) struct Watcher {
    portfolio: LivePortfolio,
    /// Instrument ids in the order of the portfolio's kinds: the factors first.
    names: Vec<String>,
    /// Units held of each, short negative; the portfolio counts them times the multiplier, in the base currency.
    qty: Vec<f64>,
    /// What each is quoted in, once it was held.
    currencies: Vec<String>,
    conversion: Conversion,
    factors: usize,
    places: HashMap<String, usize>,
    scenario_names: Vec<String>,
    /// Held, and of no place in the model.
    strangers: BTreeSet<String>,
}

impl Watcher {
    pub(super) fn new(request: &StreamRiskRequest, progress: &Progress) -> Result<Box<Self>> {
        let factors = request.factors.len();
        require_factors(NAME, factors)?;
        require_stress_values(request.scenarios.len(), factors + request.options.len())?;
        let levels = confidences(NAME, &request.confidence_bp)?;
        let places = Factors::new(NAME, &request.factors)?;
        let model = Model::new(NAME, factors, request.model.as_ref(), progress)?;
        let covariance = model.covariance(NAME, factors, progress)?;
        let returns = FactorModel { mean: model.mean, covariance: &covariance, distribution: model.distribution };
        let mut kinds: Vec<Kind> = (0..factors).map(Kind::Factor).collect();
        let mut names = request.factors.clone();
        for terms in &request.options {
            let option =
                option(terms, &places).map_err(|error| error.of(format_args!("option {:?}", terms.instrument_id)));
            kinds.push(Kind::Option(option?));
            names.push(terms.instrument_id.clone());
        }
        let scenarios = request.scenarios.iter().map(|s| shocks(s, &places, factors)).collect::<Result<_>>()?;
        let places: HashMap<String, usize> = names.iter().cloned().zip(0..).collect();
        if places.len() < names.len() {
            return Err(RiskError::invalid(
                NAME,
                "options",
                "must be other instruments than the factors, each once",
                "one twice",
            ));
        }
        Ok(Box::new(Self {
            portfolio: LivePortfolio::new(returns, &levels, kinds, scenarios)?,
            qty: vec![0.0; names.len()],
            currencies: vec![String::new(); names.len()],
            conversion: Conversion::new(&request.base_currency, &request.currency_rates)?,
            names,
            factors,
            places,
            scenario_names: request.scenarios.iter().map(|s| s.name.clone()).collect(),
            strangers: BTreeSet::new(),
        }))
    }

    /// Takes what is new, and reports the whole.
    pub(super) fn take(&mut self, news: &News) -> Result<StreamRiskResponse> {
        self.portfolio.set_time(news.transact_time_ns);
        if news.from_scratch {
            self.strangers.clear();
            for instrument in 0..self.names.len() {
                self.qty[instrument] = 0.0;
                self.portfolio.set_qty(instrument, 0.0)?;
            }
        }
        news.seen.iter().try_for_each(|seen| self.take_one(seen, &news.rates))?;
        let held = self.currencies.iter().zip(&self.qty).filter(|(_, qty)| **qty != 0.0);
        self.conversion.require_one(held.map(|(currency, _)| currency.as_str()).collect())?;
        self.portfolio.age()?;
        let report = self.report(news);
        require_representable(&report)?;
        Ok(report)
    }

    fn take_one(&mut self, seen: &Seen, rates: &Rates) -> Result<()> {
        let Some(&place) = self.places.get(&seen.instrument_id) else {
            if seen.qty == 0.0 {
                self.strangers.remove(&seen.instrument_id);
            } else {
                self.strangers.insert(seen.instrument_id.clone());
            }
            return Ok(());
        };
        self.qty[place] = seen.qty;
        self.currencies[place].clone_from(&seen.currency);
        let rate = if seen.qty == 0.0 { 1.0 } else { self.conversion.rate(seen, rates)? };
        self.portfolio.set_qty(place, seen.qty * seen.multiplier * rate)?;
        if place >= self.factors {
            return Ok(());
        }
        match seen.mark {
            Some(mark) if mark > 0.0 => self.portfolio.set_spot(place, mark),
            // A price of zero or below has no return.
            Some(_) | None => self.portfolio.clear_spot(place),
        }
    }

    fn report(&self, news: &News) -> StreamRiskResponse {
        let held = || self.names.iter().zip(self.portfolio.instruments()).filter(|(_, held)| held.qty != 0.0);
        let components = self.portfolio.component_var();
        let all = self.names.iter().zip(&self.qty).zip(self.portfolio.instruments()).zip(components);
        let positions = all.filter(|((_, held), _)| held.qty != 0.0 && held.price.is_some());
        let no_mark = held().filter(|(_, held)| held.price.is_none()).map(|(name, _)| name.clone());
        let left_out: BTreeSet<String> = self.strangers.iter().cloned().chain(no_mark).collect();
        let notional = |(_, held): (&String, &InstrumentRisk)| held.price.map(|price| held.qty * price);
        StreamRiskResponse {
            sequence: news.sequence,
            transact_time_ns: news.transact_time_ns,
            figures: self.figures(),
            gross_notional: held().filter_map(notional).map(f64::abs).sum(),
            net_notional: held().filter_map(notional).sum(),
            greeks: Some(total(held().map(|(_, held)| &held.greeks))),
            stress: self.stress(),
            positions: positions.map(|(((name, qty), held), part)| position(name, *qty, held, part)).collect(),
            left_out: left_out.into_iter().collect(),
            sigma_1d: self.portfolio.sigma_1d(),
        }
    }

    fn figures(&self) -> Vec<RiskFigures> {
        let figures = |level: risk_core::portfolio::LevelRisk| RiskFigures {
            confidence_bp: level.confidence.bp().into(),
            var: level.var,
            es: level.es,
            ..RiskFigures::default()
        };
        self.portfolio.levels().into_iter().map(figures).collect()
    }

    fn stress(&self) -> Vec<StressResult> {
        let result = |(place, name): (usize, &String)| {
            let held = self.portfolio.instruments().iter().filter(|held| held.qty != 0.0);
            let pnl_by_position: Vec<f64> = held.filter(|h| h.price.is_some()).map(|h| h.stress[place]).collect();
            StressResult {
                name: name.clone(),
                pnl: pnl_by_position.iter().sum(),
                pnl_by_position,
                pnl_with_proposed: None,
            }
        };
        self.scenario_names.iter().enumerate().map(result).collect()
    }
}

/// The currency of the figures, and what others are worth in it.
struct Conversion {
    /// Empty: that of the instruments.
    base: String,
    /// As sent with the request; they go before those of the session.
    sent: HashMap<String, f64>,
}

impl Conversion {
    fn new(base: &str, sent: &[CurrencyRate]) -> Result<Self> {
        if base.is_empty() && !sent.is_empty() {
            return Err(not_set(NAME, "base_currency, which currency_rates are in,"));
        }
        let mut rates = HashMap::new();
        for CurrencyRate { currency, rate } in sent {
            if !(*rate > 0.0 && rate.is_finite()) {
                return Err(RiskError::invalid(NAME, format!("rate of {currency:?}"), "must be positive", rate));
            }
            if rates.insert(currency.clone(), *rate).is_some() {
                return Err(RiskError::invalid(NAME, "currency_rates", "must name a currency once", currency));
            }
        }
        Ok(Self { base: base.to_owned(), sent: rates })
    }

    /// What one unit of an instrument's currency is worth in the base currency.
    fn rate(&self, seen: &Seen, rates: &Rates) -> Result<f64> {
        let currency = seen.currency.as_str();
        if self.base.is_empty() || currency == self.base {
            return Ok(1.0);
        }
        let known = self.sent.get(currency).copied().or_else(|| rates.of(currency, &self.base));
        known.ok_or_else(|| {
            let what = format!("rate of {currency} in {}, which {} is quoted in,", self.base, seen.instrument_id);
            RiskError::invalid(NAME, what, "must be in currency_rates or known to the session", "none")
        })
    }

    /// Refuses figures that would add up several currencies.
    fn require_one(&self, held: BTreeSet<&str>) -> Result<()> {
        if !self.base.is_empty() || held.len() <= 1 {
            return Ok(());
        }
        let got: Vec<&str> = held.into_iter().collect();
        let why = "must be set where instruments of several currencies are held";
        Err(RiskError::invalid(NAME, "base_currency", why, got.join(", ")))
    }
}

fn option(terms: &OptionTerms, factors: &Factors<'_>) -> Result<OptionOn> {
    if terms.instrument_id.is_empty() {
        return Err(not_set(NAME, "instrument_id"));
    }
    let option = OptionOn {
        factor: factors.place(NAME, &terms.underlying)?,
        kind: option_kind(NAME, terms.option_type)?,
        strike: terms.strike,
        expire_time_ns: terms.expire_time_ns,
        rate: terms.rate,
        dividend_yield: terms.dividend_yield,
        vol: terms.volatility,
    };
    option.check().map(|()| option)
}

fn require_stress_values(scenarios: usize, instruments: usize) -> Result<()> {
    if scenarios.saturating_mul(instruments) <= MAX_STRESS_VALUES {
        return Ok(());
    }
    let why = format!("must be at most {MAX_STRESS_VALUES} in all");
    let got = format!("{scenarios} times {instruments}");
    Err(RiskError::invalid(NAME, "scenarios times factors and options", why, got))
}

/// One shock a factor; the parallel one where no other names it.
fn shocks(sent: &StressScenario, factors: &Factors<'_>, count: usize) -> Result<Vec<Shock>> {
    let value = |shock: &crate::proto::Shock| Shock {
        spot: shock.spot,
        vol: shock.volatility,
        rate: shock.rate,
        years: shock.years,
    };
    let parallel = sent.shocks.iter().find(|shock| shock.underlying.is_empty()).map(value).unwrap_or_default();
    let mut all = vec![parallel; count];
    let mut names = BTreeSet::new();
    if let Some(twice) = sent.shocks.iter().find(|shock| !names.insert(shock.underlying.as_str())) {
        let what = format!("underlying of scenario {:?}", sent.name);
        return Err(RiskError::invalid(NAME, what, "must be shocked once", format!("{:?} twice", twice.underlying)));
    }
    for shock in sent.shocks.iter().filter(|shock| !shock.underlying.is_empty()) {
        let place = factors.place(NAME, &shock.underlying)?;
        if let Some(slot) = all.get_mut(place) {
            *slot = value(shock);
        }
    }
    Ok(all)
}

/// Refuses sums that left the range of doubles, although everything in them is within it.
fn require_representable(report: &StreamRiskResponse) -> Result<()> {
    let figures = report.figures.iter().flat_map(|it| [it.var, it.es]);
    let parts = report.positions.iter().flat_map(|it| [it.notional, it.exposure, it.component_var]);
    let greeks = report.greeks.iter();
    let greeks = greeks.flat_map(|it| [it.delta, it.gamma, it.vega, it.theta, it.rho, it.rho_q, it.vanna, it.volga]);
    let totals = [report.gross_notional, report.net_notional, report.sigma_1d];
    let stress = report.stress.iter().map(|it| it.pnl);
    match figures.chain(parts).chain(greeks).chain(totals).chain(stress).find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(value) => Err(RiskError::invalid(NAME, "figures", "must be representable for these inputs", value)),
    }
}

fn position(name: &str, qty: f64, held: &InstrumentRisk, component_var: f64) -> PositionRisk {
    let price = held.price.unwrap_or(0.0);
    PositionRisk {
        instrument_id: name.to_owned(),
        qty,
        price,
        notional: held.qty * price,
        exposure: held.exposure,
        component_var,
        greeks: Some(total([&held.greeks])),
    }
}

fn total<'a>(greeks: impl IntoIterator<Item = &'a risk_core::pricing::Greeks>) -> Greeks {
    let mut sum = Greeks::default();
    for one in greeks {
        sum.delta += one.delta;
        sum.gamma += one.gamma;
        sum.vega += one.vega;
        sum.theta += one.theta;
        sum.rho += one.rho;
        sum.rho_q += one.rho_q;
        sum.vanna += one.vanna;
        sum.volga += one.volga;
    }
    sum
}
