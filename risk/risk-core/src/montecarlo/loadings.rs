//! The product of loadings with normals, `r = B z`.

use pulp::bytemuck::{cast_slice, cast_slice_mut};
use pulp::{Simd, WithSimd};

use crate::matrix::Matrix;

/// Registers of scenarios and factors of a tile. Their eight sums hide the latency of a `mul_add` and stay in registers:
/// which is why they are named as such, and not left to the compiler to find.
const REGISTERS: usize = 2;
const FACTORS: usize = 4;

/// Returns of a block of n scenarios from their normals, both a column of n for each factor.
///
/// Formula: `r_i = Σ_j B_ij z_j`, j ascending, each step a `mul_add`: the bits depend neither on the instruction set nor on
/// where in the block a scenario is. The zeros that end a row, those of a Cholesky factor, cost nothing.
pub fn apply_loadings(loadings: &Matrix, n: usize, normals: &[f64], returns: &mut [f64]) {
    pulp::Arch::new().dispatch(Apply { loadings, n, normals, returns });
}

struct Apply<'a> {
    loadings: &'a Matrix,
    n: usize,
    normals: &'a [f64],
    returns: &'a mut [f64],
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { loadings, n, normals, returns } = self;
        let k = loadings.cols();
        let tiles: Vec<_> = loadings.values().chunks(FACTORS * k.max(1)).map(|rows| rows_of_tile(rows, k)).collect();
        let mut strip = vec![simd.splat_f64s(0.0); REGISTERS * k];
        let scenarios = REGISTERS * S::F64_LANES;
        for start in (0..n).step_by(scenarios) {
            let lanes = start..n.min(start + scenarios);
            // Columns are a power of two apart, all in the same few lines of the cache: side by side they fit.
            let packed = cast_slice_mut(&mut strip).chunks_exact_mut(scenarios);
            for (packed, column) in packed.zip(normals.chunks_exact(n)) {
                packed[..lanes.len()].copy_from_slice(&column[lanes.clone()]);
            }
            for (rows, columns) in tiles.iter().zip(returns.chunks_mut(FACTORS * n)) {
                let sums = sums_of_tile(simd, *rows, strip.as_chunks().0);
                for (column, sums) in columns.chunks_exact_mut(n).zip(&sums) {
                    column[lanes.clone()].copy_from_slice(&cast_slice(sums)[..lanes.len()]);
                }
            }
        }
    }
}

/// Up to four rows without the zeros that end them all; where there are fewer, the first again.
fn rows_of_tile(rows: &[f64], k: usize) -> [&[f64]; FACTORS] {
    let mut tile = [&rows[..k]; FACTORS];
    for (slot, row) in tile.iter_mut().zip(rows.chunks_exact(k)) {
        *slot = row;
    }
    let width = tile.iter().filter_map(|row| row.iter().rposition(|b| *b != 0.0)).max().map_or(0, |last| last + 1);
    tile.map(|row| &row[..width])
}

#[inline(always)]
fn sums_of_tile<S: Simd>(
    simd: S,
    [a, b, c, d]: [&[f64]; FACTORS],
    strip: &[[S::f64s; REGISTERS]],
) -> [[S::f64s; REGISTERS]; FACTORS] {
    let mut sums = [[simd.splat_f64s(0.0); REGISTERS]; FACTORS];
    let [sa, sb, sc, sd] = &mut sums;
    for ((z, (a, b)), (c, d)) in strip.iter().zip(a.iter().zip(b)).zip(c.iter().zip(d)) {
        for (sums, weight) in [(&mut *sa, a), (&mut *sb, b), (&mut *sc, c), (&mut *sd, d)] {
            let weight = simd.splat_f64s(*weight);
            for (sum, z) in sums.iter_mut().zip(z) {
                *sum = simd.mul_add_f64s(weight, *z, *sum);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_the_sums_over_the_normals_to_the_bit_for_every_shape() {
        for (k, n) in [(1, 1), (3, 15), (4, 16), (5, 17), (9, 40), (18, 33)] {
            for full in [false, true] {
                let entry = |i: usize, j: usize| ((i * 7 + j * 3) as f64).sin();
                let loadings = Matrix::from_fn(k, k, |i, j| if full || j <= i { entry(i, j) } else { 0.0 });
                let normals: Vec<f64> = (0..k * n).map(|i| (i as f64).cos()).collect();
                let mut returns = vec![f64::NAN; k * n];
                apply_loadings(&loadings, n, &normals, &mut returns);
                for i in 0..k {
                    for s in 0..n {
                        let sum = (0..k).fold(0.0, |sum, j| loadings.at(i, j).mul_add(normals[j * n + s], sum));
                        assert_eq!(returns[i * n + s], sum, "{k} factors, {n} scenarios: {i}, {s}");
                    }
                }
            }
        }
    }
}
