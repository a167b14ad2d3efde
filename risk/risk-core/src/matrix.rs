//! Dense matrices, row by row, whose shape is checked once.

use crate::error::{Result, RiskError, require_finite};

/// A borrowed row-major matrix of finite numbers whose shape fits its values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatrixRef<'a> {
    rows: usize,
    cols: usize,
    values: &'a [f64],
}

impl<'a> MatrixRef<'a> {
    /// Views `values` as `rows x cols`; refuses a wrong length, NaN and infinity.
    pub fn new(computation: &'static str, what: &str, rows: usize, cols: usize, values: &'a [f64]) -> Result<Self> {
        if rows.checked_mul(cols) != Some(values.len()) {
            let why = format!("must have rows * cols values for shape {rows}x{cols}");
            return Err(RiskError::shape(computation, what, why, values.len()));
        }
        require_finite(computation, what, values)?;
        Ok(Self { rows, cols, values })
    }

    /// Number of rows.
    pub const fn rows(self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub const fn cols(self) -> usize {
        self.cols
    }

    /// All values, row by row.
    pub const fn values(self) -> &'a [f64] {
        self.values
    }

    /// The rows in order. A matrix without columns has no rows to show.
    pub fn row_iter(self) -> std::slice::ChunksExact<'a, f64> {
        self.values.chunks_exact(self.cols.max(1))
    }

    /// Row i; empty past the end.
    pub fn row(self, i: usize) -> &'a [f64] {
        let start = i.saturating_mul(self.cols);
        self.values.get(start..start.saturating_add(self.cols)).unwrap_or(&[])
    }

    /// Entry (i, j).
    ///
    /// # Panics
    /// Outside the shape. Callers loop within `rows()` and `cols()`.
    pub fn at(self, i: usize, j: usize) -> f64 {
        self.values[i * self.cols + j]
    }

    /// Column j, copied.
    pub fn column(self, j: usize) -> Vec<f64> {
        self.row_iter().filter_map(|row| row.get(j).copied()).collect()
    }

    /// The product with a vector of `cols()` values.
    pub fn mul_vec(self, x: &[f64]) -> Vec<f64> {
        self.row_iter().map(|row| dot(row, x)).collect()
    }

    /// The diagonal.
    pub fn diagonal(self) -> Vec<f64> {
        self.row_iter().enumerate().filter_map(|(i, row)| row.get(i).copied()).collect()
    }
}

/// An owned row-major matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// All zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { rows, cols, values: vec![0.0; rows * cols] }
    }

    /// The entries `f(i, j)`.
    pub fn from_fn(rows: usize, cols: usize, mut f: impl FnMut(usize, usize) -> f64) -> Self {
        let mut values = Vec::with_capacity(rows * cols);
        for i in 0..rows {
            values.extend((0..cols).map(|j| f(i, j)));
        }
        Self { rows, cols, values }
    }

    /// A view of it.
    pub fn as_ref(&self) -> MatrixRef<'_> {
        MatrixRef { rows: self.rows, cols: self.cols, values: &self.values }
    }

    /// Number of rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub const fn cols(&self) -> usize {
        self.cols
    }

    /// All values, row by row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Entry (i, j).
    ///
    /// # Panics
    /// Outside the shape. Callers loop within `rows()` and `cols()`.
    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.cols + j]
    }

    /// Sets entry (i, j).
    ///
    /// # Panics
    /// Outside the shape. Callers loop within `rows()` and `cols()`.
    pub fn set(&mut self, i: usize, j: usize, value: f64) {
        self.values[i * self.cols + j] = value;
    }
}

/// Inner product. Four running sums in a fixed order, so that it vectorises and its bits never change.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a4.remainder().iter().zip(b4.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a4.zip(b4) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_checked() {
        let error = MatrixRef::new("t", "cov", 2, 2, &[1.0; 3]).unwrap_err();
        assert_eq!(error.to_string(), "t: cov must have rows * cols values for shape 2x2, got 3");
        assert!(MatrixRef::new("t", "cov", usize::MAX, 2, &[]).is_err());
        assert!(MatrixRef::new("t", "cov", 1, 1, &[f64::INFINITY]).is_err());
    }

    #[test]
    fn products_and_views() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let m = MatrixRef::new("t", "m", 2, 3, &values).unwrap();
        assert_eq!(m.mul_vec(&[1.0, 0.0, -1.0]), [-2.0, -2.0]);
        assert_eq!(m.column(1), [2.0, 5.0]);
        assert_eq!(m.row(1), [4.0, 5.0, 6.0]);
        assert!(m.row(2).is_empty());
        assert_eq!(dot(&[1.0; 7], &[2.0; 7]), 14.0);
    }
}
