//! Numerical inversion of the moment generating function along a bent curve.

use super::quadratic::StandardLoss;

/// Step of the trapezoidal rule. The integrand is analytic in a strip about the curve, so the error falls like
/// `exp(-2 pi width / step)`: below 1e-14 here.
const STEP: f64 = 1.0 / 16.0;
/// The curve leaves the vertical by so many radians: less than the 45° at which a Gaussian stops to decay.
const BEND: f64 = std::f64::consts::PI / 12.0;
/// Terms below this share of the largest are rounding.
const NEGLIGIBLE: f64 = 1e-18;
/// A curve that has not decayed by here never will (only at the very edge of a bounded distribution).
const MAX_NODES: u32 = 4_000;
/// A curve on which the integrand rises by so much above its value at the saddle point is given up: what is added there
/// must cancel.
const TOO_LARGE: f64 = 1e3;
/// Below it a quadratic coefficient acts where the linear one has long ended the integrand.
const NEARLY_LINEAR: f64 = 1e-9;

/// What the inversion gives at a loss y.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tails {
    /// `P(L > y)`.
    pub probability: f64,
    /// Density at y.
    pub density: f64,
    /// `E(L - y)^+`.
    pub excess: f64,
}

/// The curve `s(t) = c + width (i sinh(t + i bend) + sin bend)`, which crosses the real axis at the saddle
/// point c of `M(s) e^(-sy) / s` and bends to the side where `M(s) e^(-sy)` decays.
#[derive(Debug)]
pub(super) struct Contour<'a> {
    loss: &'a StandardLoss,
    y: f64,
    center: f64,
    width: f64,
    bend: f64,
}

#[derive(Debug, Clone, Copy)]
struct Complex {
    re: f64,
    im: f64,
}

impl<'a> Contour<'a> {
    /// The curve for a loss y within the support.
    pub fn through_saddle_point(loss: &'a StandardLoss, y: f64) -> Self {
        let center = saddle_point(loss, y);
        let curvature = cumulant_function(loss, center).second + 1.0 / (center * center);
        // Far out M(s) grows like exp(s a), a the extreme of the curved part.
        let curved = loss.terms.iter().filter(|(_, l)| l.abs() > NEARLY_LINEAR);
        let extreme: f64 =
            loss.terms.iter().map(|(_, l)| l).sum::<f64>() + curved.map(|(b, l)| b * b / (4.0 * l)).sum::<f64>();
        let bend = if y > extreme { -BEND } else { BEND };
        Self { loss, y, center, width: 1.0 / curvature.sqrt(), bend }
    }

    /// All three integrals at once, from the side on which the integrand has decayed first.
    ///
    /// Where M(s) decays in the end does not say where it decays soon: a term that is nearly linear, but not quite, decides
    /// the end long after the others have decided all that counts, and on their wrong side the step is too long.
    pub fn integrate(&self) -> Tails {
        let (tails, nodes) = self.along(self.bend, MAX_NODES);
        let (other, other_nodes) = self.along(-self.bend, nodes);
        if other_nodes < nodes { other } else { tails }
    }

    /// The integrals, and how many nodes it took until the rest was negligible, at most as many as are allowed; the two
    /// halves of the curve are conjugate.
    fn along(&self, bend: f64, max_nodes: u32) -> (Tails, u32) {
        let (sin, cos) = bend.sin_cos();
        let mut sums = [0.0; 3];
        let (mut first, mut largest, mut nodes) = (0.0, 0.0_f64, max_nodes);
        for node in 0..max_nodes {
            let t = STEP * f64::from(node);
            let (sinh, cosh) = (t.sinh(), t.cosh());
            let s = Complex { re: self.center + self.width * sin * (1.0 - cosh), im: self.width * cos * sinh };
            let ds = Complex { re: -self.width * sin * sinh, im: self.width * cos * cosh };
            let density = self.integrand(s).times(ds);
            let probability = density.over(s);
            let excess = probability.over(s);
            let weight = if node == 0 { 0.5 } else { 1.0 };
            for (sum, term) in sums.iter_mut().zip([probability, density, excess]) {
                *sum += weight * term.im;
            }
            // The density decays slowest.
            let size = density.norm();
            largest = largest.max(size);
            if size <= NEGLIGIBLE * largest {
                nodes = node;
                break;
            }
            if node == 0 {
                first = size;
            }
            if size > TOO_LARGE * first {
                sums = [f64::NAN; 3];
                break;
            }
        }
        let [probability, density, excess] = sums.map(|sum| sum * STEP / std::f64::consts::PI);
        (Tails { probability, density, excess }, nodes)
    }

    /// `M(s) e^(-sy)`, by its logarithm.
    fn integrand(&self, s: Complex) -> Complex {
        let (mut re, mut im) = (-s.re * self.y, -s.im * self.y);
        for (b, l) in &self.loss.terms {
            // ln E exp(-s (b z + l (z² - 1))) = s l + s² b² / 2(1+2sl) - ln(1+2sl) / 2.
            let d = Complex { re: 1.0 + 2.0 * l * s.re, im: 2.0 * l * s.im };
            let norm = d.re * d.re + d.im * d.im;
            let square = Complex { re: (s.re - s.im) * (s.re + s.im), im: 2.0 * s.re * s.im };
            let factor = 0.5 * b * b / norm;
            re += l * s.re + factor * (square.re * d.re + square.im * d.im) - 0.25 * norm.ln();
            im += l * s.im + factor * (square.im * d.re - square.re * d.im) - 0.5 * d.im.atan2(d.re);
        }
        let size = re.exp();
        let (sin, cos) = im.sin_cos();
        Complex { re: size * cos, im: size * sin }
    }
}

impl Complex {
    fn times(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }

    fn over(self, other: Self) -> Self {
        let square = other.re * other.re + other.im * other.im;
        Self {
            re: (self.re * other.re + self.im * other.im) / square,
            im: (self.im * other.re - self.re * other.im) / square,
        }
    }

    fn norm(self) -> f64 {
        self.re.hypot(self.im)
    }
}

/// First two derivatives of `K(s) = ln E e^(sL)` at a real s.
struct Derivatives {
    first: f64,
    second: f64,
}

fn cumulant_function(loss: &StandardLoss, s: f64) -> Derivatives {
    let (mut first, mut second) = (0.0, 0.0);
    for (b, l) in &loss.terms {
        let inverse = 1.0 / (1.0 + 2.0 * s * l);
        let b2 = b * b * inverse;
        // l - l/(1+2sl) is 2 s l² / (1+2sl), without the cancellation.
        first += s * (b2 * inverse * (1.0 + s * l) + 2.0 * l * l * inverse);
        second += b2 * inverse * inverse + 2.0 * l * l * inverse * inverse;
    }
    Derivatives { first, second }
}

/// The root of `K'(s) - y - 1/s` in `(0, s_max)`, which rises from minus to plus infinity.
fn saddle_point(loss: &StandardLoss, y: f64) -> f64 {
    let lowest = loss.terms.iter().fold(0.0_f64, |low, (_, l)| low.min(*l));
    let (mut low, mut high) = (0.0, if lowest < 0.0 { -0.5 / lowest } else { f64::INFINITY });
    let mut s = if high.is_finite() { 0.5 * high.min(2.0) } else { 1.0 };
    for _ in 0..200 {
        let Derivatives { first, second } = cumulant_function(loss, s);
        let value = first - y - 1.0 / s;
        let step = -value / (second + 1.0 / (s * s));
        // The curve may cross anywhere near the saddle point; it need not be exact.
        if step.abs() <= 1e-6 * s {
            return s;
        }
        if value < 0.0 {
            low = s
        } else {
            high = s
        }
        let next = s + step;
        s = if next > low && next < high {
            next
        } else if high.is_finite() {
            0.5 * (low + high)
        } else {
            2.0 * s
        };
    }
    s
}
