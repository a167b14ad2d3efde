//! Who gives up is let go: each long computation looks, and says that it was canceled.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use risk_core::RiskError;
use risk_core::backtest::{ForecastMethod, rolling_forecast};
use risk_core::covariance::{Covariance, SampleCovariance};
use risk_core::matrix::MatrixRef;
use risk_core::pricing::{Bsm, Exercise, OptionKind, TreeOption, leisen_reimer};
use risk_core::progress::Progress;
use risk_core::quantile::QuantileRule;
use risk_core::units::Confidence;

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
    ends(|progress| rolling_forecast(&[0.01, -0.02, 0.03], 2, level, method, progress));
}
