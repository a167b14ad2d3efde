//! The mixing variable of Student's t, `√((ν-2)/W)` with `W ~ χ²_ν`, by inversion.

use pulp::{Simd, WithSimd};

use super::draws::Draws;
use crate::special::{gamma_inc, gamma_log_density, norm_cdf, norm_pdf};
use crate::units::DegreesOfFreedom;

/// Largest normal score of the table: no draw of 53 bits lies beyond.
const REACH: f64 = 9.0;
/// Nodes a unit of the score.
const NODES_A_UNIT: f64 = 64.0;
/// Intervals between nodes.
const INTERVALS: usize = (2.0 * REACH * NODES_A_UNIT) as usize;
/// Above this many degrees of freedom Wilson and Hilferty's cube is exact to 1e-8.
const NEARLY_NORMAL: f64 = 1e5;

/// `s(y) = √((ν-2)/W(y))`, W the chi-square quantile at `Φ(y)`: cubic Hermite between exact values and slopes.
///
/// Inversion, so that the scale takes one uniform: it works for Sobol points, and without rejection in lanes. Relative
/// error below 1e-6 everywhere and 1e-8 within six sigma, nothing beside a standard error of simulation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MixingTable {
    /// Value and slope (per node) at `-9, -9 + 1/64, …, 9`.
    nodes: Vec<[f64; 2]>,
}

impl MixingTable {
    pub fn new(nu: DegreesOfFreedom) -> Self {
        let nu = nu.get();
        let half = (REACH * NODES_A_UNIT) as i32;
        let score = |i: i32| f64::from(i) / NODES_A_UNIT;
        // Outwards from the median, each node a good first guess for the next.
        let walk = |steps: Vec<i32>| -> Vec<[f64; 2]> {
            let mut log_w = nu.ln() + 3.0 * (1.0 - 2.0 / (9.0 * nu)).max(0.05).ln();
            let mut slope = 0.0;
            let mut previous = 0.0;
            steps
                .into_iter()
                .map(|i| {
                    let y = score(i);
                    (log_w, slope) = log_chi2_quantile(y, nu, log_w + slope * (y - previous));
                    previous = y;
                    let scale = (0.5 * ((nu - 2.0).ln() - log_w)).exp();
                    [scale, -0.5 * scale * slope / NODES_A_UNIT]
                })
                .collect()
        };
        let mut nodes = walk((-half..=0).rev().collect());
        nodes.reverse();
        nodes.extend(walk((1..=half).collect()));
        Self { nodes }
    }

    /// The scale of each scenario of a block. It moves all factors at once: the first dimension of a day is its due.
    pub fn draw(&self, dimension: usize, draws: &mut Draws<'_>, scale: &mut [f64]) {
        draws.normals(dimension, scale);
        self.scale_in_place(scale);
    }

    /// Normal scores to scales, in place.
    fn scale_in_place(&self, scores: &mut [f64]) {
        // An array, whose length the compiler knows: a look-up within it needs no check.
        if let Some(nodes) = self.nodes.as_array() {
            pulp::Arch::new().dispatch(Interpolate { nodes, scores });
        }
    }
}

struct Interpolate<'a> {
    nodes: &'a [[f64; 2]; INTERVALS + 1],
    scores: &'a mut [f64],
}

impl WithSimd for Interpolate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for y in self.scores {
            let place = ((*y + REACH) * NODES_A_UNIT).clamp(0.0, INTERVALS as f64 - 1.0);
            let node = (place as usize).min(INTERVALS - 1);
            let t = place - node as f64;
            let ([a, da], [b, db]) = (self.nodes[node], self.nodes[node + 1]);
            let (c2, c3) = (3.0 * (b - a) - 2.0 * da - db, 2.0 * (a - b) + da + db);
            *y = c3.mul_add(t, c2).mul_add(t, da).mul_add(t, a);
        }
    }
}

/// `(ln W, d ln W / dy)` for `P(χ²_ν <= W) = Φ(y)`, by Newton's method on the logarithm of the smaller tail.
fn log_chi2_quantile(y: f64, nu: f64, guess: f64) -> (f64, f64) {
    if nu > NEARLY_NORMAL {
        let spread = (2.0 / (9.0 * nu)).sqrt();
        let root = 1.0 - spread * spread + y * spread;
        return (nu.ln() + 3.0 * root.ln(), 3.0 * spread / root);
    }
    let (a, tail) = (0.5 * nu, norm_cdf(-y.abs()));
    let density = |log_w: f64| gamma_log_density(a, 0.5 * log_w.exp());
    let mut log_w = guess;
    for _ in 0..30 {
        let (lower, upper) = gamma_inc(a, 0.5 * log_w.exp());
        let (reached, sign) = if y < 0.0 { (lower, 1.0) } else { (upper, -1.0) };
        let step = sign * (tail.ln() - reached.ln()) * reached / density(log_w);
        // Far off, the logarithm is still concave: half a unit at a time gets there.
        log_w += step.clamp(-0.5, 0.5);
        // The error that is left is of the order of the step's square.
        if step.abs() < 1e-7 {
            break;
        }
    }
    (log_w, norm_pdf(y) / density(log_w))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::special::chi2_sf;

    #[test]
    fn the_scale_is_the_quantile_of_chi_square() {
        for nu in [2.01, 2.5, 3.0, 4.0, 7.3, 30.0, 1e3, 9e4] {
            let table = MixingTable::new(DegreesOfFreedom::new("t", nu).unwrap());
            for i in -599..599 {
                let y = f64::from(i) / 100.0;
                let mut s = [y];
                table.scale_in_place(&mut s);
                let upper = chi2_sf((nu - 2.0) / (s[0] * s[0]), nu);
                let expected = norm_cdf(-y);
                let (error, density) = (upper - expected, norm_pdf(y).max(1e-300));
                assert!((error / density).abs() < 1e-5, "nu {nu} y {y}: {upper:e} {expected:e}");
            }
        }
    }

    #[test]
    fn many_degrees_of_freedom_leave_no_scale() {
        for nu in [1e6, 1e12, 1e300] {
            let table = MixingTable::new(DegreesOfFreedom::new("t", nu).unwrap());
            let mut s = [-3.0, 0.0, 3.0];
            table.scale_in_place(&mut s);
            assert!(s.iter().all(|s| (s - 1.0).abs() < 4e-3), "{nu}: {s:?}");
        }
    }
}
