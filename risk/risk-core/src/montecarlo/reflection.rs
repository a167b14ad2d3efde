//! Sobol's first dimension is its best: a reflection lays it along the gradient of the loss.

/// `z = w - 2 v (v·w)`, which turns the first normal into the direction of a gradient; z is as normal as w.
///
/// Source: Imai & Tan, *A general dimension reduction technique for derivative pricing*, Journal of Computational
/// Finance 10, 2006; Householder 1958.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reflection {
    v: Vec<f64>,
}

impl Reflection {
    /// None where there is no direction.
    pub fn along(gradient: impl Iterator<Item = f64>) -> Option<Self> {
        let mut v: Vec<f64> = gradient.collect();
        let norm = length(&v);
        if !(norm > 0.0 && norm.is_finite()) {
            return None;
        }
        // Away from the first axis, whichever way: the difference is never small.
        let signed = if v.first().is_some_and(|first| *first > 0.0) { -norm } else { norm };
        v.iter_mut().for_each(|v| *v /= signed);
        if let Some(first) = v.first_mut() {
            *first -= 1.0;
        }
        let norm = length(&v);
        v.iter_mut().for_each(|v| *v /= norm);
        Some(Self { v })
    }

    /// The unit vector v.
    pub fn normal(&self) -> &[f64] {
        &self.v
    }

    /// Reflects the scenarios of a block in place, a column of n for each dimension.
    pub fn apply(&self, columns: &mut [f64], n: usize) {
        let mut shift = vec![0.0; n];
        for (column, v) in columns.chunks_exact(n.max(1)).zip(&self.v) {
            shift.iter_mut().zip(column).for_each(|(shift, w)| *shift += 2.0 * v * w);
        }
        for (column, v) in columns.chunks_exact_mut(n.max(1)).zip(&self.v) {
            column.iter_mut().zip(&shift).for_each(|(w, shift)| *w -= v * shift);
        }
    }
}

fn length(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_axis_goes_along_the_gradient_and_lengths_stay() {
        for gradient in [[3.0, 4.0, 0.0], [-3.0, 0.0, 4.0], [5.0, 0.0, 0.0], [0.0, 0.0, -5.0]] {
            let reflection = Reflection::along(gradient.into_iter()).unwrap();
            let mut axis = [1.0, 0.0, 0.0];
            reflection.apply(&mut axis, 1);
            let cosine: f64 = axis.iter().zip(gradient).map(|(a, g)| a * g / 5.0).sum();
            assert!((cosine.abs() - 1.0).abs() < 1e-14, "{gradient:?}: {axis:?}");
            let mut w = [0.3, -1.2, 0.7];
            let before = length(&w);
            reflection.apply(&mut w, 1);
            assert!((length(&w) - before).abs() < 1e-14);
        }
        assert!(Reflection::along([0.0, 0.0].into_iter()).is_none());
        assert!(Reflection::along([f64::MAX, 1.0].into_iter()).is_none());
    }
}
