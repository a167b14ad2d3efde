//! Books of options, whose simulated VaR is what variance reduction is judged by.

use risk_core::matrix::Matrix;
use risk_core::montecarlo::BookPosition;
use risk_core::pricing::{Bsm, OptionKind};
use risk_core::stress::Holding;

/// Horizon, years.
pub const TEN_DAYS: f64 = 10.0 / 252.0;

/// A book and the covariance of its underlyings' ten-day returns.
pub struct Book {
    /// What it is.
    #[allow(dead_code, reason = "not every program that shares this prints it")]
    pub name: &'static str,
    /// A call and a put at the money on every underlying.
    pub positions: Vec<BookPosition>,
    /// Shape (K, K).
    pub covariance: Matrix,
}

/// A call and a put at the money on every underlying, 30 % volatility, correlation 0.3.
pub fn book(name: &'static str, underlyings: usize, years: f64, qty: impl Fn(usize, OptionKind) -> f64) -> Book {
    let position = |factor: usize, kind: OptionKind| {
        let option = Bsm { kind, spot: 100.0, strike: 100.0, years, rate: 0.03, dividend_yield: 0.0, vol: 0.3 };
        BookPosition { factor, qty: qty(factor, kind), holding: Holding::Option(option) }
    };
    let positions =
        (0..underlyings).flat_map(|f| [position(f, OptionKind::Call), position(f, OptionKind::Put)]).collect();
    let variance = 0.3 * 0.3 * TEN_DAYS;
    let covariance = Matrix::from_fn(underlyings, underlyings, |i, j| if i == j { variance } else { 0.3 * variance });
    Book { name, positions, covariance }
}

/// The five books.
pub fn books() -> Vec<Book> {
    let short = |_: usize, _: OptionKind| -1.0;
    let mixed = |f: usize, kind: OptionKind| match (f % 3, kind) {
        (0, OptionKind::Call) => 1.5,
        (1, OptionKind::Put) => 0.5,
        _ => -1.0,
    };
    vec![
        book("short 0.5 y, 10", 10, 0.5, short),
        book("short 0.1 y, 10", 10, 0.1, short),
        book("mixed, 10", 10, 0.5, mixed),
        book("short 0.5 y, 50", 50, 0.5, short),
        book("mixed, 50", 50, 0.5, mixed),
    ]
}
