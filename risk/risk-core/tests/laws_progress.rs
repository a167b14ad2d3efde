//! Who gives up is let go: each long computation looks, and says that it was canceled.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use risk_core::RiskError;
use risk_core::backtest::{ForecastMethod, rolling_forecast};
use risk_core::covariance::{
    Centering, Covariance, SampleCovariance, cholesky, ewma_covariance, ledoit_wolf, repair_correlation,
    repair_covariance,
};
use risk_core::matrix::MatrixRef;
use risk_core::montecarlo::{History, critical_z2};
use risk_core::pricing::{Bsm, Exercise, OptionKind, TreeOption, leisen_reimer};
use risk_core::progress::Progress;
use risk_core::quantile::QuantileRule;
use risk_core::units::{Confidence, Decay, Distribution};

fn ends<T: std::fmt::Debug>(computation: impl Fn(&Progress) -> risk_core::Result<T>) {
    let progress = Progress::new();
    computation(&progress).unwrap();
    progress.cancel();
    let error = computation(&progress).unwrap_err();
    assert!(matches!(error, RiskError::Canceled(_)), "{error}");
}

#[test]
fn a_canceled_computation_ends() {
    let values = [4e-4, 1e-4, 1e-4, 9e-4];
    let m = MatrixRef::new("t", "m", 2, 2, &values).unwrap();
    ends(|progress| SampleCovariance::of(m, progress));
    ends(|progress| Covariance::checked("t", 2, m, progress).map(|_| ()));
    ends(|progress| ewma_covariance(m, Decay::DAILY, progress));
    ends(|progress| ledoit_wolf(m, Centering::Sample, progress));
    ends(|progress| cholesky(m, progress));
    ends(|progress| repair_covariance(m, progress));
    let correlation = MatrixRef::new("t", "m", 2, 2, &[1.0, 0.5, 0.5, 1.0]).unwrap();
    ends(|progress| repair_correlation(correlation, progress));
    let option = Bsm {
        kind: OptionKind::Put,
        spot: 100.0,
        strike: 100.0,
        years: 1.0,
        rate: 0.05,
        dividend_yield: 0.0,
        vol: 0.2,
    };
    let tree = TreeOption { option, exercise: Exercise::American, steps: 101 };
    ends(|progress| leisen_reimer(&tree, progress));
    let (level, method) =
        (Confidence::from_bp("t", 9_900).unwrap(), ForecastMethod::Historical(QuantileRule::InvertedCdf));
    let history = History { days: 2, confidence: level, distribution: Distribution::Normal };
    ends(|progress| critical_z2(&history, 1_000, 1, &[level], progress));
    ends(|progress| rolling_forecast(&[0.01, -0.02, 0.03], 2, level, method, progress));
}
