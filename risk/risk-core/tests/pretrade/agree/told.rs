//! The state as an engine would tell it.

use super::*;

pub(super) fn hold(open: &Open) -> Hold {
    let (account, strategy_id, instrument_id) = open.cell.clone();
    Hold {
        account,
        strategy_id,
        instrument_id,
        side: open.side,
        leaves_qty: i64::try_from(open.leaves).expect("64 bits"),
        price: i64::try_from(open.price).expect("64 bits"),
        is_limit: open.limit_px.is_some(),
        has_trigger: open.has_trigger,
        list: open.list,
    }
}

pub(super) fn rate(hundredths: i128) -> FxRate {
    FxRate { currency: "EUR".into(), quote_currency: "USD".into(), rate: decimal(hundredths, 2) }
}

/// Volatilities of one to a few per cent, correlated by a half.
pub(super) fn covariance(factors: Vec<String>, percent: f64) -> (Vec<String>, Vec<f64>) {
    let k = factors.len();
    let sigma = |i: usize| percent * 0.01 * (1.0 + i as f64);
    let entry = |(i, j): (usize, usize)| sigma(i) * sigma(j) * if i == j { 1.0 } else { 0.5 };
    let covariance = (0..k * k).map(|place| entry((place / k, place % k))).collect();
    (factors, covariance)
}

pub(super) fn model((factors, covariance): &(Vec<String>, Vec<f64>)) -> Model {
    Model {
        version: 1,
        instrument_ids: factors.clone(),
        covariance: covariance.clone(),
        confidence_bp: 9_900,
        horizon_days: 1,
        degrees_of_freedom: 0.0,
    }
}

/// The state as an engine would tell it.
pub(super) fn told(naive: &Naive, version: u64, memory: Option<Memory>) -> Snapshot {
    let position = |((account, strategy_id, instrument_id), qty): (&Key, &i128)| Adjust {
        account: account.clone(),
        strategy_id: strategy_id.clone(),
        instrument_id: instrument_id.clone(),
        qty: i64::try_from(*qty).expect("64 bits"),
    };
    let mark = |(instrument_id, (mark_px, at)): (&String, &(i64, i64))| {
        (Mark { instrument_id: instrument_id.clone(), mark_px: *mark_px }, *at)
    };
    let cash = |((cell, currency), attos): (&(Key, String), &i128)| Cash {
        account: cell.0.clone(),
        cash: Money { currency: currency.clone(), attos: *attos },
    };
    Snapshot {
        instruments: naive.instruments.iter().map(|terms| Instrument::new(terms.clone()).expect("terms")).collect(),
        accounts: naive.accounts.clone(),
        risk_limits: RiskLimits::new(version, naive.limits.clone(), naive.band_bps).expect("limits"),
        positions: naive.net.iter().map(position).collect(),
        holds: naive.open.iter().map(|open| (open.order_id, hold(open))).collect(),
        marks: naive.marks.iter().map(mark).collect(),
        trading_states: naive.states.iter().map(|(scope, state)| (scope.clone(), *state)).collect(),
        kill_switches: naive.kills.iter().cloned().collect(),
        fx_rates: naive.rate.iter().map(|(num, den)| rate(num * 100 / den)).collect(),
        model: naive.model.as_ref().map(model),
        cash: naive.cash.iter().map(cash).collect(),
        state_hash: memory.as_ref().map(|memory| memory.state_hash.to_vec()).unwrap_or_default(),
        memory: memory.map(|memory| memory.bytes),
    }
}
