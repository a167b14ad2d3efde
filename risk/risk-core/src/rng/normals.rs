//! Normals by inversion, many at a time.
//!
//! AS 241 in two passes: the centre (85 % of the draws) for all without a branch, then the tails, gathered, for themselves.
//! Every product and sum is a `mul_add`, which has one answer: the bits do not depend on the instruction set.

use pulp::{Simd, WithSimd};

use super::{BlockStream, owen_scramble};
use crate::special::{AS241_A, AS241_B, AS241_C, AS241_D, AS241_E, AS241_F};

/// Draws that one call handles at a time.
pub const FILL_BLOCK: usize = 1024;
/// Half the width of the centre of AS 241.
const CENTRE: f64 = 0.425;
/// `√(-ln p)` where the far tail begins, and the `|q|` it stands for.
const FAR: f64 = 5.0;
const FAR_OFFSET: f64 = 0.5 - 1.388_794_386_496_402e-11;

/// Normals from 64-bit words, `z = Φ⁻¹(u)`, `u = ((w >> 11) + ½) 2⁻⁵³`.
///
/// As many as the shorter of the two slices.
pub fn normals_from_words(words: &[u64], out: &mut [f64]) {
    pulp::Arch::new().dispatch(FromWords { words, out });
}

/// Normals of the next words of a stream, at most [`FILL_BLOCK`].
pub(crate) fn normals_from_stream(stream: &mut BlockStream, out: &mut [f64]) {
    pulp::Arch::new().dispatch(FromStream { stream, out });
}

/// Normals of Sobol points, scrambled by `seed`: `u = (k + ½) 2⁻³²` is never 0 or 1. At most [`FILL_BLOCK`].
pub(crate) fn normals_from_points(points: &[u32], seed: u32, out: &mut [f64]) {
    pulp::Arch::new().dispatch(FromPoints { points, seed, out });
}

// Types and not closures: `with_simd` is inlined into code for the instruction set that was found, a closure need not be,
// and then each `mul_add` is a call.
struct FromWords<'a> {
    words: &'a [u64],
    out: &'a mut [f64],
}

struct FromStream<'a> {
    stream: &'a mut BlockStream,
    out: &'a mut [f64],
}

struct FromPoints<'a> {
    points: &'a [u32],
    seed: u32,
    out: &'a mut [f64],
}

impl WithSimd for FromWords<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (words, out) in self.words.chunks(FILL_BLOCK).zip(self.out.chunks_mut(FILL_BLOCK)) {
            offsets_from_words(words, out);
            normals_from_offsets(out);
        }
    }
}

impl WithSimd for FromStream<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let mut words = [0; FILL_BLOCK];
        let words = &mut words[..self.out.len().min(FILL_BLOCK)];
        self.stream.fill_inlined(words);
        offsets_from_words(words, self.out);
        normals_from_offsets(self.out);
    }
}

impl WithSimd for FromPoints<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (q, point) in self.out.iter_mut().zip(self.points) {
            *q = (f64::from(owen_scramble(*point, self.seed)) + 0.5) / 4_294_967_296.0 - 0.5;
        }
        normals_from_offsets(self.out);
    }
}

/// `q = u - ½`, exact: with the top bit flipped the word is a signed number of half-open steps.
#[inline(always)]
fn offsets_from_words(words: &[u64], out: &mut [f64]) {
    const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
    for (q, word) in out.iter_mut().zip(words) {
        let steps = ((word ^ (1 << 63)) as i64) >> 11;
        *q = (steps as f64 + 0.5) * STEP;
    }
}

/// Turns `q = u - ½` into `Φ⁻¹(u)` in place, at most [`FILL_BLOCK`] of them.
#[inline(always)]
fn normals_from_offsets(values: &mut [f64]) {
    let mut place = [0_u16; FILL_BLOCK];
    let mut count = 0;
    for (i, q) in values.iter().enumerate().take(FILL_BLOCK) {
        place[count] = i as u16;
        count += usize::from(q.abs() > CENTRE);
    }
    let place = &place[..count];
    let mut tail = [0.0; FILL_BLOCK];
    let tail = &mut tail[..count];
    for (q, place) in tail.iter_mut().zip(place) {
        *q = values[usize::from(*place)];
    }
    for q in values.iter_mut() {
        *q = centre(*q);
    }
    let mut far = 0;
    for q in tail.iter() {
        far += u32::from(q.abs() > FAR_OFFSET);
    }
    if far == 0 {
        for q in tail.iter_mut() {
            *q = near_tail(*q);
        }
    } else {
        // Three draws in 10^11.
        for q in tail.iter_mut() {
            *q = any_tail(*q);
        }
    }
    for (z, place) in tail.iter().zip(place) {
        values[usize::from(*place)] = *z;
    }
}

#[inline(always)]
fn centre(q: f64) -> f64 {
    let r = (-q).mul_add(q, 0.180_625);
    q * polynomial(r, &AS241_A) / polynomial(r, &AS241_B)
}

/// `√(-ln p)` of the smaller tail probability.
#[inline(always)]
fn tail_radius(q: f64) -> f64 {
    (-ln(0.5 - q.abs())).sqrt()
}

#[inline(always)]
fn near_tail(q: f64) -> f64 {
    let r = tail_radius(q) - 1.6;
    (polynomial(r, &AS241_C) / polynomial(r, &AS241_D)).copysign(q)
}

#[cold]
fn any_tail(q: f64) -> f64 {
    let r = tail_radius(q) - FAR;
    if r <= 0.0 { near_tail(q) } else { (polynomial(r, &AS241_E) / polynomial(r, &AS241_F)).copysign(q) }
}

#[inline(always)]
fn polynomial(x: f64, c: &[f64; 8]) -> f64 {
    // Estrin: two chains of half the length instead of one.
    let x2 = x * x;
    let x4 = x2 * x2;
    let low = c[3].mul_add(x, c[2]).mul_add(x2, c[1].mul_add(x, c[0]));
    let high = c[7].mul_add(x, c[6]).mul_add(x2, c[5].mul_add(x, c[4]));
    high.mul_add(x4, low)
}

/// `ln x` for a normal x, to about 1 ulp: `x = 2^k m`, `m` in [√½, √2), `ln m = 2 artanh((m-1)/(m+1))`.
#[inline(always)]
fn ln(x: f64) -> f64 {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let shifted = x.to_bits().wrapping_sub(SQRT_HALF);
    let k = (shifted as i64 >> 52) as f64;
    let m = f64::from_bits((shifted & 0x000f_ffff_ffff_ffff) + SQRT_HALF);
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let s2 = s * s;
    // Taylor's series of artanh to s^21, |s| <= 0.1716: the rest is below 1e-18.
    let mut p = 2.0 / 21.0;
    for odd in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        p = s2.mul_add(p, 2.0 / odd);
    }
    let mantissa = (p * s2).mul_add(s, 2.0 * s);
    k.mul_add(std::f64::consts::LN_2, mantissa)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::BlockStream;
    use crate::special::{norm_pdf, norm_ppf};

    #[test]
    fn agrees_with_the_scalar_quantile() {
        let mut words = vec![0; 100_003];
        BlockStream::new(7, 1).fill(&mut words);
        // The far tails, both ends, the edges of the centre, the middle.
        words.extend([0, 1 << 11, 3 << 20, u64::MAX, u64::MAX - (1 << 13), 1 << 63, (1 << 63) - 1, 1 << 30]);
        words.extend([0.075_f64, 0.925].map(|u| (u * 2_f64.powi(53)) as u64 * 2048));
        let mut z = vec![0.0; words.len()];
        normals_from_words(&words, &mut z);
        for (word, z) in words.iter().zip(&z) {
            let u = ((word >> 11) as f64 + 0.5) * 2_f64.powi(-53);
            if u < 1.0 {
                // Here u above one half is rounded, by up to 2^-54; in the lanes q is exact.
                let expected = norm_ppf(u);
                let slack = 6e-17 / norm_pdf(expected) * f64::from(u8::from(u >= 0.5));
                assert!((z - expected).abs() <= 4e-15 * expected.abs() + 1e-17 + slack, "{word}: {z} {expected}");
            }
            assert!(z.is_finite());
        }
        assert!(z[100_003 + 3] > 8.2, "the last step is the mirror of the first");
    }

    #[test]
    fn moments_are_those_of_a_normal() {
        let mut words = vec![0; 1 << 20];
        BlockStream::new(42, 0).fill(&mut words);
        let mut z = vec![0.0; words.len()];
        normals_from_words(&words, &mut z);
        let n = z.len() as f64;
        let moment = |k| z.iter().map(|v: &f64| v.powi(k)).sum::<f64>() / n;
        for (k, expected, sd) in
            [(1, 0.0, 1.0), (2, 1.0, 2.0_f64.sqrt()), (3, 0.0, 15_f64.sqrt()), (4, 3.0, 96_f64.sqrt())]
        {
            assert!((moment(k) - expected).abs() < 4.0 * sd / n.sqrt(), "moment {k}: {}", moment(k));
        }
    }
}
