//! Normals in single precision, two from a word: less work, and tails that end at 5.4 standard deviations.
//!
//! Inversion by Giles's two polynomials, both computed and one taken, so that a loop is without branches. Every product
//! and sum is a `mul_add`: the bits do not depend on the instruction set.
//! Source: Giles, *Approximating the erfinv function*, GPU Computing Gems Jade, 2011, table 5.

use pulp::{Simd, WithSimd};

use super::BlockStream;
use super::normals::FILL_BLOCK;

/// For `w < 5`, in `w - 2.5`, highest power first.
const CENTRE: [f32; 9] = [
    2.810_226_4e-8,
    3.432_739_4e-7,
    -3.523_387_7e-6,
    -4.391_506_5e-6,
    2.185_808_7e-4,
    -1.253_725e-3,
    -4.177_681_6e-3,
    0.246_640_73,
    1.501_409_4,
];
/// For the tails, in `√w - 3`.
const TAIL: [f32; 9] = [
    -2.002_142_6e-4,
    1.009_505_6e-4,
    1.349_343_2e-3,
    -3.673_428_4e-3,
    5.739_507_7e-3,
    -7.622_461_3e-3,
    9.438_870_5e-3,
    1.001_674,
    2.832_976_8,
];

/// Normals of the next words of a stream, two a word, at most [`FILL_BLOCK`]: `u = (k + ½) 2⁻²⁴`.
pub(crate) fn normals_f32_from_stream(stream: &mut BlockStream, out: &mut [f32]) {
    pulp::Arch::new().dispatch(FromStream { stream, out });
}

struct FromStream<'a> {
    stream: &'a mut BlockStream,
    out: &'a mut [f32],
}

impl WithSimd for FromStream<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let mut words = [0; FILL_BLOCK / 2];
        let words = &mut words[..self.out.len().div_ceil(2).min(FILL_BLOCK / 2)];
        self.stream.fill_inlined(words);
        // The two halves of the words go to the two halves of the block, so that both loops run over neighbours.
        let middle = words.len();
        let (low, high) = self.out.split_at_mut(middle.min(self.out.len()));
        for (z, word) in low.iter_mut().zip(&*words) {
            *z = normal(*word as u32);
        }
        for (z, word) in high.iter_mut().zip(&*words) {
            *z = normal((word >> 32) as u32);
        }
    }
}

/// `Φ⁻¹((k + ½) 2⁻²⁴)` of the top 24 bits k.
#[inline(always)]
fn normal(bits: u32) -> f32 {
    const SCALE: f32 = 1.0 / (1_u32 << 24) as f32;
    // 2u - 1, an odd number of steps: exact in 24 bits.
    let x = ((bits >> 8) as i32 * 2 + 1 - (1 << 24)) as f32 * SCALE;
    let w = -ln((1.0 - x) * (1.0 + x));
    let centre = polynomial(w - 2.5, &CENTRE);
    let tail = polynomial(w.sqrt() - 3.0, &TAIL);
    std::f32::consts::SQRT_2 * x * if w < 5.0 { centre } else { tail }
}

#[inline(always)]
fn polynomial(x: f32, c: &[f32; 9]) -> f32 {
    let mut p = c[0];
    for &next in &c[1..] {
        p = p.mul_add(x, next);
    }
    p
}

/// `ln x` of a positive normal number, to about 1 ulp: `x = 2^k m`, `m` in [√½, √2), `ln m = 2 artanh((m-1)/(m+1))`.
#[inline(always)]
fn ln(x: f32) -> f32 {
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let shifted = x.to_bits().wrapping_sub(SQRT_HALF);
    let k = (shifted as i32 >> 23) as f32;
    let m = f32::from_bits((shifted & 0x007f_ffff) + SQRT_HALF);
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let s2 = s * s;
    let mut p = 2.0 / 9.0;
    for odd in [7.0, 5.0, 3.0] {
        p = s2.mul_add(p, 2.0 / odd);
    }
    let mantissa = (p * s2).mul_add(s, 2.0 * s);
    k.mul_add(std::f32::consts::LN_2, mantissa)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::special::norm_ppf;

    #[test]
    fn agrees_with_the_quantile() {
        let mut stream = BlockStream::new(5, 9);
        let edges = [0, u32::MAX, 1 << 8, 1 << 31, (1 << 31) - 1, 0x0100_0000, 0xff00_0000];
        let mut words = vec![0; 50_000];
        stream.fill(&mut words);
        for bits in edges.into_iter().chain(words.into_iter().map(|w| w as u32)) {
            let u = (f64::from(bits >> 8) + 0.5) * 2_f64.powi(-24);
            let (z, expected) = (f64::from(normal(bits)), norm_ppf(u));
            assert!((z - expected).abs() <= 2e-6 * expected.abs().max(0.05), "{bits}: {z} {expected}");
        }
    }

    #[test]
    fn odd_lengths_are_filled_and_the_same_stream_gives_the_same_bits() {
        for n in [1, 2, 7, 1023, 1024] {
            let (mut a, mut b) = (vec![0.0; n], vec![0.0; n]);
            normals_f32_from_stream(&mut BlockStream::new(1, 2), &mut a);
            normals_f32_from_stream(&mut BlockStream::new(1, 2), &mut b);
            assert_eq!(a, b);
            assert!(a.iter().all(|z| *z != 0.0 && z.is_finite()), "{n}");
        }
    }
}
