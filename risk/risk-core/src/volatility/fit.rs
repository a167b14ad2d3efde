//! Maximum-likelihood fit of GARCH(1,1).

use super::{Garch11, VolatilityModel, seed_variance};
use crate::check::representable;
use crate::error::{Result, RiskError, require_finite};

const COMPUTATION: &str = "garch_fit";
const MIN_OBSERVATIONS: usize = 20;
const MAX_EVALUATIONS: u32 = 2_000;
/// Largest derivative of the mean log-likelihood, in the free parameters, at which the fit has converged.
const TOLERANCE: f64 = 1e-7;

type Vec3 = [f64; 3];

/// A fitted model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GarchFit {
    /// The parameters; omega in squared units of the returns given.
    pub model: Garch11,
    /// The log-likelihood reached, in the units given: percent returns and ratios differ by `n ln 100`.
    pub log_likelihood: f64,
    /// Evaluations of the likelihood that it took.
    pub evaluations: u32,
}

/// Fits GARCH(1,1) with zero mean by maximum likelihood.
///
/// Method: returns are scaled to unit variance, so that the answer does not depend on their unit; BFGS with the
/// exact gradient on `ln omega`, `logit(alpha + beta)`, `logit(alpha / (alpha + beta))`, which keeps
/// `omega > 0`, `alpha, beta >= 0`, `alpha + beta < 1`; it starts at the best point of a grid with the sample's
/// variance as long-run variance.
/// Errors: `TooFewObservations` below 20 returns, `ZeroVariance` when all are 0, `DidNotConverge` when the
/// gradient is not small within 2,000 evaluations; never the last iterate in silence.
/// Source: Bollerslev 1986; Nocedal and Wright, *Numerical Optimization*, 2006, ch. 6.
pub fn fit_garch11(returns: &[f64]) -> Result<GarchFit> {
    let objective = Objective::new(returns)?;
    let (theta, evaluations) = objective.minimise()?;
    let [omega, alpha, beta] = parameters(theta);
    let model = Garch11::new(omega * objective.scale * objective.scale, alpha, beta)?;
    let path = VolatilityModel::Garch11(model).variance(returns)?;
    let log_likelihood = path.log_likelihood(returns)?;
    Ok(GarchFit { model, log_likelihood, evaluations })
}

/// Mean negative log-likelihood of scaled returns, without its constant.
struct Objective {
    /// Squared scaled returns.
    squares: Vec<f64>,
    seed: f64,
    scale: f64,
}

/// A point, the value there and its gradient.
#[derive(Debug, Clone, Copy)]
struct Point {
    theta: Vec3,
    value: f64,
    gradient: Vec3,
}

impl Objective {
    fn new(returns: &[f64]) -> Result<Self> {
        require_finite(COMPUTATION, "returns", returns)?;
        if returns.len() < MIN_OBSERVATIONS {
            let why = format!("at least {MIN_OBSERVATIONS} returns");
            return Err(RiskError::too_few(COMPUTATION, "needs", why, returns.len()));
        }
        let mean_square = returns.iter().map(|r| r * r).sum::<f64>() / returns.len() as f64;
        representable(COMPUTATION, "variance", mean_square)?;
        if !mean_square.is_normal() {
            return Err(RiskError::zero_variance(COMPUTATION, "variance of returns", "must be positive", mean_square));
        }
        let scale = mean_square.sqrt();
        let squares = returns.iter().map(|r| (r / scale).powi(2)).collect();
        let seed = seed_variance(COMPUTATION, returns)? / mean_square;
        Ok(Self { squares, seed, scale })
    }

    /// Value and gradient in the free parameters, the latter by the recursion of the derivatives of `s_i`.
    fn at(&self, theta: Vec3) -> Point {
        let [omega, alpha, beta] = parameters(theta);
        let mut s = omega + (alpha + beta) * self.seed;
        let mut ds = [1.0, self.seed, self.seed];
        let (mut value, mut gradient) = (0.0, [0.0; 3]);
        for square in &self.squares {
            let ratio = square / s;
            value += s.ln() + ratio;
            let slope = (1.0 - ratio) / s;
            for (sum, d) in gradient.iter_mut().zip(ds) {
                *sum += slope * d;
            }
            ds = [1.0 + beta * ds[0], square + beta * ds[1], s + beta * ds[2]];
            s = omega + alpha * square + beta * s;
        }
        let half_mean = 0.5 / self.squares.len() as f64;
        let gradient = chain_rule(theta, gradient.map(|g| g * half_mean));
        Point { theta, value: value * half_mean, gradient }
    }

    /// BFGS with backtracking.
    fn minimise(&self) -> Result<(Vec3, u32)> {
        let (mut point, mut evaluations) = self.best_of_grid();
        let mut inverse_hessian = IDENTITY;
        while evaluations < MAX_EVALUATIONS {
            if largest(point.gradient) < TOLERANCE {
                return Ok((point.theta, evaluations));
            }
            let mut direction = apply(&inverse_hessian, point.gradient).map(|d| -d);
            if dot(direction, point.gradient) >= 0.0 {
                inverse_hessian = IDENTITY;
                direction = point.gradient.map(|g| -g);
            }
            let Some(next) = self.line_search(&point, direction, &mut evaluations) else { break };
            let step = subtract(next.theta, point.theta);
            let change = subtract(next.gradient, point.gradient);
            update_inverse_hessian(&mut inverse_hessian, step, change);
            point = next;
        }
        // Rounding may forbid any further descent a hair above the tolerance.
        if largest(point.gradient) < 10.0 * TOLERANCE {
            return Ok((point.theta, evaluations));
        }
        let budget = format!("within {MAX_EVALUATIONS} evaluations");
        let got = format!("gradient {:.0e}", largest(point.gradient));
        Err(RiskError::did_not_converge(COMPUTATION, "did not converge", budget, got))
    }

    fn best_of_grid(&self) -> (Point, u32) {
        let mut best = self.at(free_parameters(0.05, 0.1, 0.85));
        let mut evaluations = 1;
        for persistence in [0.3, 0.8, 0.9, 0.96, 0.99] {
            for share in [0.03, 0.08, 0.2, 0.5] {
                let (alpha, beta) = (share * persistence, (1.0 - share) * persistence);
                let point = self.at(free_parameters(1.0 - persistence, alpha, beta));
                evaluations += 1;
                if point.value < best.value {
                    best = point;
                }
            }
        }
        (best, evaluations)
    }

    /// A point with sufficient descent along `direction`; none when not even tiny steps descend.
    fn line_search(&self, from: &Point, direction: Vec3, evaluations: &mut u32) -> Option<Point> {
        let slope = dot(direction, from.gradient);
        let mut length = (2.0 / largest(direction)).min(1.0);
        for _ in 0..50 {
            let theta = add(from.theta, direction.map(|d| length * d));
            let point = self.at(theta);
            *evaluations += 1;
            if point.value <= from.value + 1e-4 * length * slope && point.value.is_finite() {
                return Some(point);
            }
            length *= 0.5;
        }
        None
    }
}

/// omega, alpha, beta of the free parameters.
fn parameters([log_omega, persistence, share]: Vec3) -> Vec3 {
    let (persistence, share) = (logistic(persistence), logistic(share));
    [log_omega.exp(), persistence * share, persistence * (1.0 - share)]
}

fn free_parameters(omega: f64, alpha: f64, beta: f64) -> Vec3 {
    let logit = |p: f64| (p / (1.0 - p)).ln();
    [omega.ln(), logit(alpha + beta), logit(alpha / (alpha + beta))]
}

/// The gradient in the free parameters from that in omega, alpha, beta.
fn chain_rule(theta: Vec3, [by_omega, by_alpha, by_beta]: Vec3) -> Vec3 {
    let (persistence, share) = (logistic(theta[1]), logistic(theta[2]));
    let by_persistence = by_alpha * share + by_beta * (1.0 - share);
    let by_share = persistence * (by_alpha - by_beta);
    [by_omega * theta[0].exp(), by_persistence * persistence * (1.0 - persistence), by_share * share * (1.0 - share)]
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

const IDENTITY: [Vec3; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// The BFGS update; left out where curvature is not positive, which would spoil the matrix.
fn update_inverse_hessian(h: &mut [Vec3; 3], step: Vec3, change: Vec3) {
    let curvature = dot(step, change);
    if curvature <= 1e-14 * dot(change, change) {
        return;
    }
    let h_change = apply(h, change);
    let factor = (1.0 + dot(change, h_change) / curvature) / curvature;
    for (i, row) in h.iter_mut().enumerate() {
        for (j, entry) in row.iter_mut().enumerate() {
            *entry += factor * step[i] * step[j] - (step[i] * h_change[j] + h_change[i] * step[j]) / curvature;
        }
    }
}

fn apply(matrix: &[Vec3; 3], x: Vec3) -> Vec3 {
    matrix.map(|row| dot(row, x))
}

fn dot(a: Vec3, b: Vec3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn add(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

fn subtract(a: Vec3, b: Vec3) -> Vec3 {
    add(a, b.map(|x| -x))
}

fn largest(a: Vec3) -> f64 {
    a.iter().fold(0.0, |most: f64, x| most.max(x.abs()))
}
