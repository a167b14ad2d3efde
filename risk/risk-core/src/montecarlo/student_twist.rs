//! The exponential twist for Student's t.
//!
//! `L > x` exactly when `Q_x = Y (L - x) > 0`, `Y = W/(ν-2)`, and `Q_x` has a moment generating function, which L has not:
//! `E exp(t Q_x) = (1 - 2α/(ν-2))^(-ν/2) Π (1 - 2 t μ_j)^(-1/2)`, `α(t) = (c - x) t + ½ Σ t² β_j²/(1 - 2 t μ_j)`.
//! Source: Glasserman, Heidelberger & Shahabuddin, *Portfolio value-at-risk with heavy-tailed risk factors*, Mathematical
//! Finance 12, 2002.

use super::draws::Draws;
use super::importance::{LossForm, Twist, saddle_point_probability, solve};
use super::mixing::MixingTable;
use crate::units::{DegreesOfFreedom, Tail};

/// `ψ(t) = ln E exp(t Q_x)` of a loss.
pub(super) struct StudentTwist<'a> {
    loss: &'a LossForm,
    nu: f64,
    x: f64,
}

/// How twisted scenarios are drawn, and the weights that undo it.
pub(super) struct StudentSampling<'a> {
    x: f64,
    pub twist: Twist,
    stretch: f64,
    mixing: &'a MixingTable,
}

impl StudentSampling<'_> {
    /// The scale of each scenario of a block.
    pub fn draw_scale(&self, draws: &mut Draws<'_>, scale: &mut [f64]) {
        self.mixing.draw(0, draws, scale);
        scale.iter_mut().for_each(|s| *s *= self.stretch);
    }

    /// What a scenario counts for.
    pub fn weight(&self, loss: f64, scale: f64) -> f64 {
        self.twist.weight((loss - self.x) / (scale * scale))
    }
}

/// α with its first two derivatives, and the same of `-½ Σ ln(1 - 2 t μ_j)`.
struct Parts {
    alpha: [f64; 3],
    spread: [f64; 3],
}

impl<'a> StudentTwist<'a> {
    /// Aimed at the loss that is exceeded with the probability of the tail, nearly: any aim gives an unbiased answer.
    pub fn aimed(loss: &'a LossForm, nu: DegreesOfFreedom, tail: Tail) -> Self {
        let at = |x: f64| Self { loss, nu: nu.get(), x };
        let (mean, sigma) = loss.moments();
        let mut distance = sigma;
        for _ in 0..60 {
            if at(mean + distance).probability() < tail.get() {
                break;
            }
            distance *= 2.0;
        }
        let (mut low, mut high) = (0.0, distance);
        for _ in 0..12 {
            let middle = 0.5 * (low + high);
            if at(mean + middle).probability() > tail.get() { low = middle } else { high = middle }
        }
        at(mean + 0.5 * (low + high))
    }

    /// Scenarios under the twist under which the mean of `Q_x` is 0.
    pub fn sampling(&self, mixing: &'a MixingTable) -> StudentSampling<'a> {
        let t = self.saddle_point(100);
        let twist = Twist { parameter: t, log_moment: self.log_moment(t), normals: self.loss.normals(t) };
        // W is divided by this, so the scale √((ν-2)/W) is multiplied by the root.
        let stretch = self.mixing(self.parts(t).alpha[0]).sqrt();
        StudentSampling { x: self.x, twist, stretch, mixing }
    }

    /// `P(L > x)` by the saddle point, for x above the mean.
    fn probability(&self) -> f64 {
        let t = self.saddle_point(40);
        saddle_point_probability(-self.log_moment(t), t * self.curvature(t).sqrt())
    }

    /// ψ is convex with ψ(0) = 0: its lowest point is where the slope changes sign.
    fn saddle_point(&self, bisections: u32) -> f64 {
        let below = |t: f64| {
            let Parts { alpha, spread } = self.parts(t);
            let mixing = self.mixing(alpha[0]);
            mixing > 0.0 && alpha[1] * self.nu / (self.nu - 2.0) / mixing + spread[1] < 0.0
        };
        solve(self.loss.reach(), bisections, below)
    }

    fn log_moment(&self, t: f64) -> f64 {
        let Parts { alpha, spread } = self.parts(t);
        spread[0] - 0.5 * self.nu * self.mixing(alpha[0]).ln()
    }

    fn curvature(&self, t: f64) -> f64 {
        let Parts { alpha, spread } = self.parts(t);
        let (mixing, degrees) = (self.mixing(alpha[0]), self.nu - 2.0);
        self.nu / degrees * (alpha[2] + 2.0 * alpha[1] * alpha[1] / (degrees * mixing)) / mixing + spread[2]
    }

    fn mixing(&self, alpha: f64) -> f64 {
        1.0 - 2.0 * alpha / (self.nu - 2.0)
    }

    fn parts(&self, t: f64) -> Parts {
        let offset = self.loss.constant - self.x;
        let mut parts = Parts { alpha: [offset * t, offset, 0.0], spread: [0.0; 3] };
        for &(b, m) in &self.loss.terms {
            let d = 1.0 - 2.0 * t * m;
            let (b2, ratio) = (b * b / d, m / d);
            parts.alpha[0] += 0.5 * t * t * b2;
            parts.alpha[1] += t * b2 * (1.0 - t * m) / d;
            parts.alpha[2] += b2 / (d * d);
            parts.spread[0] -= 0.5 * d.ln();
            parts.spread[1] += ratio;
            parts.spread[2] += 2.0 * ratio * ratio;
        }
        parts
    }
}
