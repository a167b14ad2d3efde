//! Normals by inversion, many at a time.
//!
//! All but a few in a thousand from a polynomial for each half of an octave of the tail probability: its exponent finds the
//! coefficients, its mantissa is the argument: no logarithm, no root, no division, no branch. The sixteen values of a
//! coefficient are two registers of AVX-512, so that a look-up is one instruction for eight normals. The tails, gathered,
//! by AS 241. Every product and sum is a `mul_add`, which has one answer: the bits do not depend on the instruction set.

mod table;

use super::instructions::{Instructions, Portable, Work, dispatch};
use super::philox::LANES;
use super::{BlockStream, owen_scramble};
use crate::special::{AS241_C, AS241_D, AS241_E, AS241_F};
use table::{HALVES, LEAST, QUOTIENT};

/// Draws that one call handles at a time.
pub const FILL_BLOCK: usize = 1024;
/// Draws that are inverted at once: four registers, to hide the latency of a `mul_add`.
pub(super) const STEP: usize = 4 * LANES;
/// Tails that are inverted at once.
const TAILS: usize = 8;
/// Of the bits of p: those of the half octave it lies in, the rest of its fraction, and the exponent of 1.
const HALF_OCTAVE: u32 = 51;
const FRACTION: u64 = (1 << HALF_OCTAVE) - 1;
const ONE: u64 = 1023 << 52;
/// The middle of what is left of the fraction.
const MIDDLE: f64 = 1.25;
/// `√(-ln p)` where the far tail begins, and the `|q|` it stands for.
const FAR: f64 = 5.0;
const FAR_OFFSET: f64 = 0.5 - 1.388_794_386_496_402e-11;

/// Normals from 64-bit words, `z = Φ⁻¹(u)`, `u = ((w >> 11) + ½) 2⁻⁵³`.
///
/// As many as the shorter of the two slices.
pub fn normals_from_words(words: &[u64], out: &mut [f64]) {
    let n = words.len().min(out.len());
    for (words, out) in words.chunks(FILL_BLOCK).zip(out[..n].chunks_mut(FILL_BLOCK)) {
        fill(Words(words), out);
    }
}

/// Normals of the next words of a stream, at most [`FILL_BLOCK`].
pub fn normals_from_stream(stream: &mut BlockStream, out: &mut [f64]) {
    fill(stream, out);
}

/// Normals of Sobol points, scrambled by `seed`: `u = (k + ½) 2⁻³²` is never 0 or 1. At most [`FILL_BLOCK`].
pub(crate) fn normals_from_points(points: &[u32], seed: u32, out: &mut [f64]) {
    fill(Points { points, seed }, out);
}

fn fill(offsets: impl Offsets, out: &mut [f64]) {
    dispatch(Fill { offsets, out });
}

struct Fill<'a, O> {
    offsets: O,
    out: &'a mut [f64],
}

impl<O: Offsets> Work for Fill<'_, O> {
    #[inline(always)]
    fn run(self, instructions: impl Instructions) {
        let Self { offsets, out } = self;
        let n = FILL_BLOCK.min(out.len());
        let out = &mut out[..n];
        offsets.offsets(instructions, out);
        normals_from_offsets(instructions, out);
    }
}

/// Where uniforms come from.
trait Offsets {
    /// `q = u - ½`, at most [`FILL_BLOCK`] of them.
    fn offsets(self, instructions: impl Instructions, out: &mut [f64]);
}

struct Words<'a>(&'a [u64]);

struct Points<'a> {
    points: &'a [u32],
    seed: u32,
}

impl Offsets for Words<'_> {
    #[inline(always)]
    fn offsets(self, _: impl Instructions, out: &mut [f64]) {
        out.iter_mut().zip(self.0).for_each(|(q, word)| *q = offset(*word));
    }
}

impl Offsets for &mut BlockStream {
    #[inline(always)]
    fn offsets(self, instructions: impl Instructions, out: &mut [f64]) {
        self.each_step(instructions, out, |words| words.map(offset));
    }
}

impl Offsets for Points<'_> {
    #[inline(always)]
    fn offsets(self, _: impl Instructions, out: &mut [f64]) {
        for (q, point) in out.iter_mut().zip(self.points) {
            *q = (f64::from(owen_scramble(*point, self.seed)) + 0.5) / 4_294_967_296.0 - 0.5;
        }
    }
}

/// Exact: with the top bit flipped a word is a signed number of half-open steps.
#[inline(always)]
fn offset(word: u64) -> f64 {
    const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
    let steps = ((word ^ (1 << 63)) as i64) >> 11;
    (steps as f64 + 0.5) * UNIT
}

/// Turns `q = u - ½` into `Φ⁻¹(u)` in place, at most [`FILL_BLOCK`] of them.
#[inline(always)]
fn normals_from_offsets(inverse: impl Inverse, values: &mut [f64]) {
    let mut tails = Places { places: [0; FILL_BLOCK], count: 0 };
    let (steps, rest) = values.as_chunks_mut();
    let whole = steps.len() * STEP;
    for (number, step) in steps.iter_mut().enumerate() {
        tails.note(number * STEP, inverse.invert(step));
    }
    if !rest.is_empty() {
        let mut step = [0.0; STEP];
        step[..rest.len()].copy_from_slice(rest);
        tails.note(whole, inverse.invert(&mut step));
        rest.copy_from_slice(&step[..rest.len()]);
    }
    for places in tails.places[..tails.count].chunks(TAILS) {
        invert_tails(places, values);
    }
}

/// Places in a block.
struct Places {
    places: [u16; FILL_BLOCK],
    count: usize,
}

impl Places {
    /// Those of the bits that are set, counted from a first place.
    #[inline(always)]
    fn note(&mut self, first: usize, mut bits: u32) {
        while bits != 0 {
            self.places[self.count] = (first + bits.trailing_zeros() as usize) as u16;
            self.count += 1;
            bits &= bits - 1;
        }
    }
}

/// Inverts what lies in tails.
#[inline(always)]
fn invert_tails(places: &[u16], values: &mut [f64]) {
    let mut tails = [0.4999; TAILS];
    for (q, place) in tails.iter_mut().zip(places) {
        *q = values[usize::from(*place)];
    }
    // Three draws in 10^11.
    if tails.iter().any(|q| q.abs() > FAR_OFFSET) {
        tails.iter_mut().for_each(|q| *q = any_tail(*q));
    } else {
        for q in &mut tails {
            *q = near_tail(*q);
        }
    }
    for (z, place) in tails.iter().zip(places) {
        values[usize::from(*place)] = *z;
    }
}

/// Offsets to normals where p is at least [`LEAST`]. Others stay, and are the bits set of the answer.
pub(super) trait Inverse: Copy {
    fn invert(self, values: &mut [f64; STEP]) -> u32;
}

impl Inverse for Portable {
    #[inline(always)]
    fn invert(self, values: &mut [f64; STEP]) -> u32 {
        let mut tails = 0;
        for (i, q) in values.iter_mut().enumerate() {
            let p = 0.5 - q.abs();
            if p < LEAST {
                tails |= 1 << i;
            } else {
                *q *= quotient(p);
            }
        }
        tails
    }
}

#[inline(always)]
fn quotient(p: f64) -> f64 {
    let place = (p.to_bits() >> HALF_OCTAVE) as usize % HALVES;
    let t = f64::from_bits(p.to_bits() & FRACTION | ONE) - MIDDLE;
    let mut quotient = QUOTIENT[0][place];
    for row in &QUOTIENT[1..] {
        quotient = quotient.mul_add(t, row[place]);
    }
    quotient
}

#[cfg(target_arch = "x86_64")]
mod lanes {
    use std::arch::x86_64::{__m512d, __m512i, _CMP_GE_OQ};

    use pulp::cast;
    use pulp::x86::V4;

    use super::{FRACTION, HALF_OCTAVE, HALVES, Inverse, LANES, LEAST, MIDDLE, ONE, QUOTIENT, STEP};

    const REGISTERS: usize = STEP / LANES;

    impl Inverse for V4 {
        /// [`super::quotient`] of four registers at once.
        #[inline(always)]
        fn invert(self, values: &mut [f64; STEP]) -> u32 {
            let f = self.avx512f;
            let q: [__m512d; REGISTERS] = cast(*values);
            let (mut p, mut place, mut t) = (q, [all_bits(0); REGISTERS], q);
            for i in 0..REGISTERS {
                p[i] = f._mm512_sub_pd(all(0.5), f._mm512_abs_pd(q[i]));
                place[i] = f._mm512_srli_epi64::<HALF_OCTAVE>(cast(p[i]));
                let fraction = f._mm512_and_si512(cast(p[i]), all_bits(FRACTION));
                t[i] = f._mm512_sub_pd(cast(f._mm512_or_si512(fraction, all_bits(ONE))), all(MIDDLE));
            }
            let mut quotient = q;
            for i in 0..REGISTERS {
                quotient[i] = look_up(self, &QUOTIENT[0], place[i]);
            }
            // Opaque, or the compiler takes the registers one after the other, and reads the table for each.
            for row in std::hint::black_box(&QUOTIENT[1..]) {
                for i in 0..REGISTERS {
                    quotient[i] = f._mm512_fmadd_pd(quotient[i], t[i], look_up(self, row, place[i]));
                }
            }
            let mut tails = 0;
            for i in 0..REGISTERS {
                let inside = f._mm512_cmp_pd_mask::<_CMP_GE_OQ>(p[i], all(LEAST));
                quotient[i] = f._mm512_mask_mul_pd(q[i], inside, quotient[i], q[i]);
                tails |= u32::from(!inside) << (i * LANES);
            }
            *values = cast(quotient);
            tails
        }
    }

    #[inline(always)]
    fn all(value: f64) -> __m512d {
        cast([value; LANES])
    }

    #[inline(always)]
    fn all_bits(bits: u64) -> __m512i {
        cast([bits; LANES])
    }

    /// Reads the low four bits of an index.
    #[inline(always)]
    fn look_up(v4: V4, row: &[f64; HALVES], index: __m512i) -> __m512d {
        let [low, high]: [[f64; LANES]; 2] = cast(*row);
        v4.avx512f._mm512_permutex2var_pd(cast(low), index, cast(high))
    }
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
        let edges = (1..=10).flat_map(|e| [1.0, 1.5].map(|m| m * 2_f64.powi(-e)));
        words.extend(edges.flat_map(|p| [p, 1.0 - p]).flat_map(|u| {
            let word = (u * 2_f64.powi(53)) as u64 * 2048;
            [word - 2048, word]
        }));
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
    fn lanes_give_the_bits_of_one_at_a_time() {
        for n in [1, 7, 8, 31, 32, 33, 1_000, 1_024] {
            let mut words = vec![0; n];
            BlockStream::new(3, 4).fill(&mut words);
            words[n / 2] = 12_345 << 11;
            let (mut z, mut streamed, mut expected) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
            normals_from_words(&words, &mut z);
            Fill { offsets: Words(&words), out: &mut expected }.run(Portable);
            assert!(z.iter().zip(&expected).all(|(z, expected)| z.to_bits() == expected.to_bits()), "{n}");
            normals_from_stream(&mut BlockStream::new(3, 4), &mut streamed);
            streamed[n / 2] = z[n / 2];
            assert_eq!(streamed, z, "{n}");
        }
    }

    #[test]
    fn a_block_of_tails_is_inverted_too() {
        let words: Vec<u64> = (1..=FILL_BLOCK as u64).map(|i| i << 40).collect();
        let mut z = vec![0.0; FILL_BLOCK];
        normals_from_words(&words, &mut z);
        for (word, z) in words.iter().zip(z) {
            let expected = norm_ppf(((word >> 11) as f64 + 0.5) * 2_f64.powi(-53));
            assert!((z - expected).abs() <= 4e-15 * expected.abs(), "{word}: {z} {expected}");
        }
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
