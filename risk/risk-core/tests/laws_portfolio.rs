//! A portfolio kept up to date change by change is the portfolio computed from scratch.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use risk_core::covariance::Covariance;
use risk_core::matrix::Matrix;
use risk_core::parametric::{Multipliers, parametric_risk};
use risk_core::portfolio::{FactorModel, Kind, LivePortfolio, OptionOn};
use risk_core::pricing::{Bsm, OptionKind, bsm};
use risk_core::progress::Progress;
use risk_core::stress::{Holding, Position, Scenario, Shock, stress};
use risk_core::units::{Confidence, DegreesOfFreedom, Distribution, HorizonDays};

const FACTORS: usize = 4;
const YEAR_NS: i64 = 365 * 86_400 * 1_000_000_000;

fn covariance() -> Matrix {
    Matrix::from_fn(FACTORS, FACTORS, |i, j| {
        let sigma = |i: usize| 0.01 + 0.005 * i as f64;
        sigma(i) * sigma(j) * if i == j { 1.0 } else { 0.4 }
    })
}

/// Each factor, then an option on each of the first three.
fn kinds() -> Vec<Kind> {
    let option = |factor: usize| OptionOn {
        factor,
        kind: if factor == 1 { OptionKind::Put } else { OptionKind::Call },
        strike: 100.0,
        expire_time_ns: YEAR_NS / 2,
        rate: 0.02,
        dividend_yield: 0.01,
        vol: 0.3,
    };
    (0..FACTORS).map(Kind::Factor).chain((0..3).map(|f| Kind::Option(option(f)))).collect()
}

fn scenarios() -> Vec<Vec<Shock>> {
    let shock = |spot, vol| Shock { spot, vol, ..Shock::default() };
    vec![vec![shock(-0.2, 0.1); FACTORS], (0..FACTORS).map(|f| shock(0.05 * f as f64, 0.0)).collect()]
}

#[derive(Debug, Clone)]
enum Change {
    Qty(usize, f64),
    Spot(usize, f64),
    NoSpot(usize),
    Time(i64),
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (0..7usize, -1e4..1e4f64).prop_map(|(i, qty)| Change::Qty(i, qty)),
        1 => (0..7usize).prop_map(|i| Change::Qty(i, 0.0)),
        3 => (0..FACTORS, 50.0..200.0f64).prop_map(|(f, spot)| Change::Spot(f, spot)),
        1 => (0..FACTORS).prop_map(Change::NoSpot),
        1 => (0..YEAR_NS / 50).prop_map(Change::Time),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn step_by_step_is_from_scratch(changes in prop::collection::vec(any_change(), 1..2_500), is_t: bool) {
        let values = covariance();
        let covariance = Covariance::new("t", FACTORS, values.as_ref()).unwrap();
        let distribution =
            if is_t { Distribution::StudentT(DegreesOfFreedom::new("t", 5.0).unwrap()) } else { Distribution::Normal };
        let levels = [9900, 9750].map(|bp| Confidence::from_bp("t", bp).unwrap());
        let mean = [1e-4, -2e-4, 0.0, 5e-5];
        let model = FactorModel { mean: &mean, covariance: &covariance, distribution };
        let mut live = LivePortfolio::new(model, &levels, kinds(), scenarios()).unwrap();
        let (mut qty, mut spots, mut is_marked, mut now) = ([0.0; 7], [100.0; FACTORS], [true; FACTORS], 0);
        for (factor, spot) in spots.iter().enumerate() {
            live.set_spot(factor, *spot).unwrap();
        }
        // The most that was ever held: what rounding left of it stays in a book that nets to nothing.
        let mut gross = 0.0_f64;
        for change in &changes {
            match *change {
                Change::Qty(i, q) => {
                    qty[i] = q;
                    live.set_qty(i, q).unwrap();
                }
                Change::Spot(f, spot) => {
                    (spots[f], is_marked[f]) = (spot, true);
                    live.set_spot(f, spot).unwrap();
                }
                Change::NoSpot(f) => {
                    is_marked[f] = false;
                    live.clear_spot(f).unwrap();
                }
                Change::Time(later) => {
                    now += later;
                    live.set_time(now);
                }
            }
            gross = gross.max(kinds().iter().zip(qty).map(|(kind, qty)| qty.abs() * spots[kind.factor()]).sum());
        }
        // What only time has moved is up to a second old.
        live.set_time(now + 2_000_000_000);
        live.age().unwrap();
        let now = now + 2_000_000_000;

        // What has no mark counts for nothing.
        let counted = |(kind, qty): (&Kind, f64)| if is_marked[kind.factor()] { qty } else { 0.0 };
        let qty: Vec<f64> = kinds().iter().zip(qty).map(counted).collect();
        let holdings: Vec<Holding> = kinds().iter().map(|kind| match kind {
            Kind::Factor(f) => Holding::Spot { spot: spots[*f] },
            Kind::Option(o) => Holding::Option(Bsm {
                kind: o.kind, spot: spots[o.factor], strike: o.strike,
                years: ((o.expire_time_ns - now) as f64 / YEAR_NS as f64).max(0.0),
                rate: o.rate, dividend_yield: o.dividend_yield, vol: o.vol,
            }),
        }).collect();
        let mut x = [0.0; FACTORS];
        for ((kind, holding), qty) in kinds().iter().zip(&holdings).zip(&qty) {
            let delta = match holding {
                Holding::Spot { .. } => 1.0,
                Holding::Option(option) => bsm(option).unwrap().greeks.delta,
            };
            x[kind.factor()] += qty * delta * spots[kind.factor()];
        }
        let scale: f64 = x.iter().map(|x| x.abs()).sum::<f64>().max(1.0);
        for (got, level) in live.levels().iter().zip(levels) {
            let multipliers = Multipliers::of(distribution, level.tail());
            let want = parametric_risk(&x, &mean, &covariance, multipliers, HorizonDays::ONE, &Progress::new()).unwrap();
            // Tolerance of the specification: 1e-10 of the squared risk without diversification, and a hair.
            let undiversified: f64 = x.iter().enumerate().map(|(i, x)| x.abs() * values.at(i, i).sqrt()).sum();
            let alone = undiversified + 1e-8 * gross;
            let (got_v, want_v) = (live.sigma_1d().powi(2), want.sigma_1d.powi(2));
            prop_assert!((got_v - want_v).abs() <= 1e-10 * alone * alone, "{got_v} {want_v}");
            let slack = 4.0 * multipliers.es * 1e-5 * alone + 1e-9;
            prop_assert!((got.var - want.var).abs() <= slack && (got.es - want.es).abs() <= slack, "{got:?} {want:?}");
        }
        let parts: f64 = live.component_var().iter().sum();
        prop_assert!((parts - live.levels()[0].var).abs() <= 1e-6 * scale * 0.03 + 1e-9, "{parts} {:?}", live.levels());
        for (s, shocks) in scenarios().iter().enumerate() {
            let book: Vec<Position> = kinds().iter().zip(&holdings).zip(&qty).map(|((kind, holding), &qty)| {
                Position { underlying: kind.factor().to_string(), qty, holding: *holding }
            }).collect();
            let scenario: Scenario = shocks.iter().enumerate().map(|(f, shock)| (f.to_string(), *shock)).collect();
            let want = stress(&book, &scenario).unwrap().total;
            let got: f64 = live.instruments().iter().map(|held| held.stress[s]).sum();
            prop_assert!((got - want).abs() <= 1e-6 * scale, "{got} {want}");
        }
    }
}
