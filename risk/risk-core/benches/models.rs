//! Speed of option pricing, of the tree, of implied volatility and of the exact delta-gamma figures.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use risk_core::backtest::{ForecastMethod, rolling_forecast};
use risk_core::delta_gamma::QuadraticForm;
use risk_core::pricing::{
    Black76, Bsm, BsmBatch, BsmColumns, Exercise, OptionKind, TreeOption, UndiscountedOption, black76, bsm_batch,
    bsm_batch_into, implied_vol, leisen_reimer,
};
use risk_core::progress::Progress;
use risk_core::quantile::QuantileRule;
use risk_core::units::{Confidence, Tail};
use risk_core::volatility::fit_garch11;

const OPTIONS: usize = 1_000_000;

/// Numbers evenly spread over a range, by the golden ratio.
fn spread(n: usize, low: f64, high: f64) -> Vec<f64> {
    (1..=n).map(|i| low + (high - low) * (i as f64 * 0.618_033_988_749_894_8).fract()).collect()
}

fn european_batch(c: &mut Criterion) {
    let (spot, strike) = (vec![100.0; OPTIONS], spread(OPTIONS, 60.0, 140.0));
    let (years, vol) = (spread(OPTIONS, 0.05, 2.0), spread(OPTIONS, 0.1, 0.6));
    let (rate, dividend_yield) = (vec![0.03; OPTIONS], vec![0.01; OPTIONS]);
    let kind: Vec<OptionKind> =
        (0..OPTIONS).map(|i| if i % 2 == 0 { OptionKind::Call } else { OptionKind::Put }).collect();
    let columns = BsmColumns {
        kind: &kind,
        spot: &spot,
        strike: &strike,
        years: &years,
        rate: &rate,
        dividend_yield: &dividend_yield,
        vol: &vol,
    };
    let mut group = c.benchmark_group("european");
    group.sample_size(20).throughput(Throughput::Elements(OPTIONS as u64));
    group.bench_function("price_and_five_greeks_1m", |b| b.iter(|| bsm_batch(black_box(&columns)).unwrap()));
    let mut out = BsmBatch::default();
    group.bench_function("price_and_five_greeks_1m_into", |b| {
        b.iter(|| bsm_batch_into(black_box(&columns), &mut out).unwrap());
    });
    group.finish();
}

fn american_tree(c: &mut Criterion) {
    let option = Bsm {
        kind: OptionKind::Put,
        spot: 100.0,
        strike: 105.0,
        years: 1.0,
        rate: 0.05,
        dividend_yield: 0.02,
        vol: 0.25,
    };
    let request = TreeOption { option, exercise: Exercise::American, steps: 501 };
    c.bench_function("american/leisen_reimer_501", |b| {
        b.iter(|| leisen_reimer(black_box(&request), &Progress::new()).unwrap())
    });
}

fn implied(c: &mut Criterion) {
    let (kind, forward, strike, years) = (OptionKind::Call, 100.0, 120.0, 0.5);
    let price = black76(&Black76 { kind, forward, strike, years, rate: 0.0, vol: 0.3 }).unwrap().price;
    let option = UndiscountedOption { kind, forward, strike, years, price };
    c.bench_function("implied_vol", |b| b.iter(|| implied_vol(black_box(&option)).unwrap()));
}

fn exact_delta_gamma(c: &mut Criterion) {
    for factors in [5, 50, 100] {
        let form = QuadraticForm::new(10.0, spread(factors, -900.0, 1_000.0), spread(factors, -400.0, 200.0)).unwrap();
        let tail = Tail::new("bench", 0.01).unwrap();
        c.bench_function(&format!("delta_gamma/exact_{factors}"), |b| {
            b.iter(|| black_box(&form).var_es(tail).unwrap());
        });
    }
}

fn series(c: &mut Criterion) {
    let returns = spread(8_000, -0.03, 0.03);
    let mut group = c.benchmark_group("series_8000");
    group.sample_size(10);
    let confidence = Confidence::from_bp("bench", 9_900).unwrap();
    let method = ForecastMethod::Historical(QuantileRule::InvertedCdf);
    group.bench_function("rolling_historical_500", |b| {
        b.iter(|| rolling_forecast(black_box(&returns), 500, confidence, method, &Progress::new()).unwrap());
    });
    let returns: Vec<f64> =
        returns.iter().enumerate().map(|(i, r)| r * (1.0 + (i as f64 / 300.0).sin() * 0.5)).collect();
    group.bench_function("garch_fit", |b| b.iter(|| fit_garch11(black_box(&returns)).unwrap()));
    group.finish();
}

criterion_group!(benches, european_batch, american_tree, implied, exact_delta_gamma, series);
criterion_main!(benches);
