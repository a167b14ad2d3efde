//! American and European options on the binomial tree of Leisen and Reimer.

use super::terms::log_ratio;
use super::{Bsm, OptionKind};
use crate::check::representable;
use crate::error::{Result, RiskError};
use crate::progress::Progress;

const COMPUTATION: &str = "leisen_reimer";
/// Work grows with the square of the steps; at this bound a price takes some tens of milliseconds.
const MAX_STEPS: u32 = 20_001;

/// When the holder may exercise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exercise {
    /// At expiry.
    European,
    /// At any time up to expiry.
    American,
}

/// An option, and how to price it on the tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TreeOption {
    /// The option and its market.
    pub option: Bsm,
    /// When the holder may exercise.
    pub exercise: Exercise,
    /// Number of time steps: odd, at most 20,001.
    pub steps: u32,
}

/// What the tree gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TreeValue {
    /// Present value.
    pub price: f64,
    /// Change of value per 1.00 of spot, from the two nodes after one step.
    pub delta_lattice: f64,
}

/// Price and delta of an American or European option by the Leisen-Reimer tree.
///
/// Formula: `p = h(d2)`, `p' = h(d1)`, `u = a p'/p`, `d = (a - pu)/(1-p)`, `a = e^((r-q) dt)`, with the
/// Peizer-Pratt inversion, method 2, `h(z) = 1/2 ± sqrt(1/4 - exp(-(z/(n+1/3+0.1/(n+1)))² (n+1/6))/4)`.
/// Exercise is tested at every node, the root too. At `T = 0` the payoff; at `vol = 0` the best
/// exercise along the one path.
/// Units: those of [`Bsm`].
/// Errors: `InvalidInput` for even steps, for what [`super::bsm`] refuses, and for a tree whose nodes
/// leave the range of doubles. `Canceled` within a level of the tree.
/// Source: Leisen and Reimer, *Applied Mathematical Finance* 3, 1996.
pub fn leisen_reimer(request: &TreeOption, progress: &Progress) -> Result<TreeValue> {
    request.check()?;
    let option = &request.option;
    let v = option.vol * option.years.sqrt();
    if v == 0.0 {
        return request.without_noise().check();
    }
    let tree = Tree::new(request, v)?;
    pulp::Arch::new().dispatch(RollBack { tree: &tree, exercise: request.exercise, progress })?.check()
}

impl TreeOption {
    fn check(&self) -> Result<()> {
        self.option.check(COMPUTATION)?;
        if self.steps % 2 == 1 && self.steps <= MAX_STEPS {
            return Ok(());
        }
        Err(RiskError::invalid(COMPUTATION, "steps", format!("must be odd and at most {MAX_STEPS}"), self.steps))
    }

    /// The value when spot can only drift: the best payoff of the dates at which exercise is allowed.
    fn without_noise(&self) -> TreeValue {
        let option = &self.option;
        let dates = match self.exercise {
            Exercise::European => self.steps..=self.steps,
            Exercise::American => 0..=self.steps,
        };
        let mut best = TreeValue { price: 0.0, delta_lattice: 0.0 };
        for date in dates {
            let t = option.years * f64::from(date) / f64::from(self.steps);
            let spot_leg = option.spot * (-option.dividend_yield * t).exp();
            let strike_leg = option.strike * (-option.rate * t).exp();
            let price = option.kind.payoff(spot_leg, strike_leg);
            if price > best.price {
                best = TreeValue { price, delta_lattice: option.kind.sign() * spot_leg / option.spot };
            }
        }
        best
    }
}

impl TreeValue {
    fn check(self) -> Result<Self> {
        representable(COMPUTATION, "price", self.price)?;
        representable(COMPUTATION, "delta_lattice", self.delta_lattice)?;
        Ok(self)
    }
}

/// The tree's constants.
#[derive(Debug)]
struct Tree {
    kind: OptionKind,
    strike: f64,
    /// Discounted probabilities of a step up and down.
    weight_up: f64,
    weight_down: f64,
    /// `S d^i`, the lowest node of level i, for i = 0..=n.
    lowest: Vec<f64>,
    /// `(u/d)^j`, node j over the lowest of its level, for j = 0..=n.
    ratio: Vec<f64>,
}

impl Tree {
    fn new(request: &TreeOption, v: f64) -> Result<Self> {
        let Bsm { kind, spot, strike, years, rate, dividend_yield, .. } = request.option;
        let dt = years / f64::from(request.steps);
        let d1 = (log_ratio(spot, strike) + (rate - dividend_yield) * years) / v + 0.5 * v;
        let (share_up, share_down) = peizer_pratt(d1, request.steps);
        let (p, q) = peizer_pratt(d1 - v, request.steps);
        let a = ((rate - dividend_yield) * dt).exp();
        // a - pu = a (1 - p'), without the cancellation.
        let (up, down) = (a * share_up / p, a * share_down / q);
        let discount = (-rate * dt).exp();
        let tree = Self {
            kind,
            strike,
            weight_up: discount * p,
            weight_down: discount * q,
            lowest: powers(spot, down, request.steps),
            ratio: powers(1.0, up / down, request.steps),
        };
        if tree.is_ordinary() {
            return Ok(tree);
        }
        let why = "must keep the tree's nodes within the range of doubles";
        Err(RiskError::invalid(COMPUTATION, "vol * sqrt(years)", why, v))
    }

    /// False when a node or a weight is no ordinary number: the induction would go wrong in silence.
    fn is_ordinary(&self) -> bool {
        let (Some(lowest), Some(ratio)) = (self.lowest.last(), self.ratio.last()) else {
            return false;
        };
        [*lowest, *ratio, lowest * ratio, self.weight_up, self.weight_down].iter().all(|x| x.is_normal())
    }

    /// Backward induction from expiry to the root.
    #[inline(always)]
    fn roll_back(&self, exercise: Exercise, progress: &Progress) -> Result<TreeValue> {
        let levels = self.lowest.len();
        let mut values = vec![0.0; levels];
        self.exercise(&mut values, self.lowest[levels - 1]);
        for level in (1..levels - 1).rev() {
            progress.check(COMPUTATION)?;
            self.step_back(&mut values[..level + 2]);
            if exercise == Exercise::American {
                self.exercise(&mut values[..=level], self.lowest[level]);
            }
        }
        let spread = self.lowest[1] * (self.ratio[1] - 1.0);
        let delta_lattice = (values[1] - values[0]) / spread;
        self.step_back(&mut values[..2]);
        if exercise == Exercise::American {
            self.exercise(&mut values[..1], self.lowest[0]);
        }
        Ok(TreeValue { price: values[0], delta_lattice })
    }

    /// Continuation values of one level from those of the next, in place; the last entry is spent.
    #[inline(always)]
    fn step_back(&self, values: &mut [f64]) {
        for j in 0..values.len() - 1 {
            values[j] = self.weight_up * values[j + 1] + self.weight_down * values[j];
        }
    }

    /// Raises each value to the payoff where that is more; `lowest` is the first node of the level.
    #[inline(always)]
    fn exercise(&self, values: &mut [f64], lowest: f64) {
        let w = self.kind.sign();
        for (value, ratio) in values.iter_mut().zip(&self.ratio) {
            let payoff = w * (lowest * ratio - self.strike);
            *value = if payoff > *value { payoff } else { *value };
        }
    }
}

/// The induction as `pulp` wants it, compiled once for each instruction set.
struct RollBack<'a> {
    tree: &'a Tree,
    exercise: Exercise,
    progress: &'a Progress,
}

impl pulp::WithSimd for RollBack<'_> {
    type Output = Result<TreeValue>;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Result<TreeValue> {
        self.tree.roll_back(self.exercise, self.progress)
    }
}

/// `first * factor^j` for j = 0..=n.
fn powers(first: f64, factor: f64, n: u32) -> Vec<f64> {
    std::iter::successors(Some(first), |x| Some(x * factor)).take(n as usize + 1).collect()
}

/// Peizer-Pratt inversion, method 2: `h(z)` and `1 - h(z)`, both to the last digits.
fn peizer_pratt(z: f64, steps: u32) -> (f64, f64) {
    let n = f64::from(steps);
    let scaled = z / (n + 1.0 / 3.0 + 0.1 / (n + 1.0));
    let exponent = -scaled * scaled * (n + 1.0 / 6.0);
    let large = 0.5 + (-0.25 * exponent.exp_m1()).sqrt();
    let small = 0.25 * exponent.exp() / large;
    if z < 0.0 { (small, large) } else { (large, small) }
}
