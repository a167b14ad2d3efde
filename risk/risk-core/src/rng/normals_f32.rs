//! Normals in single precision, two from a word: less work, and tails that end at 6.2 standard deviations.
//!
//! Inversion by a polynomial for each octave of the tail probability: its exponent finds the coefficients, its mantissa is
//! the argument: no logarithm, no root, no division. The 32 values of a coefficient are two
//! registers of AVX-512, so that a look-up is one instruction for sixteen normals. Every product and sum is a `mul_add`:
//! the bits do not depend on the instruction set.

mod table;

use super::instructions::{Instructions, Portable, Work, dispatch};
use super::philox::LANES;
use super::{BlockStream, FILL_BLOCK};
use table::OCTAVES;

/// Normals of one step of a stream.
const STEP: usize = 2 * LANES;
/// Of the bits of a draw: its sign, its fraction as a single, and the exponent of 1.
const SIGN: u32 = 1 << 31;
const FRACTION: u32 = (1 << 23) - 1;
const ONE: u32 = 127 << 23;

/// Normals of the next words of a stream, two a word: `±Φ⁻¹(p)`, the sign and `p = (2j + 1) 2⁻³²` from 31 bits.
///
/// A last part of fewer than sixteen uses up a whole step.
pub fn normals_f32_from_stream(stream: &mut BlockStream, out: &mut [f32]) {
    dispatch(FromStream { stream, out });
}

struct FromStream<'a> {
    stream: &'a mut BlockStream,
    out: &'a mut [f32],
}

impl Work for FromStream<'_> {
    #[inline(always)]
    fn run(self, instructions: impl Instructions) {
        for out in self.out.chunks_mut(FILL_BLOCK) {
            let mut words = [0; FILL_BLOCK / 2];
            let words = &mut words[..out.len().div_ceil(STEP) * LANES];
            self.stream.fill_inlined(instructions, words);
            let (mut steps, (out, rest)) = (words.as_chunks().0.iter(), out.as_chunks_mut());
            for (out, step) in out.iter_mut().zip(steps.by_ref()) {
                *out = instructions.normals_f32(step);
            }
            if let Some(step) = steps.next() {
                rest.copy_from_slice(&instructions.normals_f32(step)[..rest.len()]);
            }
        }
    }
}

/// Words to normals, low half of a word first.
pub(super) trait InverseF32: Copy {
    fn normals_f32(self, words: &[u64; LANES]) -> [f32; STEP];
}

impl InverseF32 for Portable {
    #[inline(always)]
    fn normals_f32(self, words: &[u64; LANES]) -> [f32; STEP] {
        let mut out = [0.0; STEP];
        for (pair, word) in out.chunks_exact_mut(2).zip(words) {
            pair.copy_from_slice(&[normal(*word as u32), normal((*word >> 32) as u32)]);
        }
        out
    }
}

#[inline(always)]
fn normal(bits: u32) -> f32 {
    // Rounded to 24 bits, so that p may be ½.
    let p = (bits & !SIGN | 1) as f32;
    let octave = (p.to_bits() >> 23) as usize % 32;
    let m = f32::from_bits(p.to_bits() & FRACTION | ONE) - 2.0;
    let mut z = OCTAVES[0][octave];
    for row in &OCTAVES[1..] {
        z = z.mul_add(m, row[octave]);
    }
    f32::from_bits(z.to_bits() ^ bits & SIGN)
}

#[cfg(target_arch = "x86_64")]
mod lanes {
    use std::arch::x86_64::{__m512, __m512i};

    use pulp::cast;
    use pulp::x86::V4;

    use super::{FRACTION, InverseF32, LANES, OCTAVES, ONE, SIGN, STEP};

    impl InverseF32 for V4 {
        /// [`super::normal`] of sixteen at once.
        #[inline(always)]
        fn normals_f32(self, words: &[u64; LANES]) -> [f32; STEP] {
            let (f, bits) = (self.avx512f, cast(*words));
            let tail = f._mm512_or_si512(f._mm512_and_si512(bits, all(!SIGN)), all(1));
            let p: __m512i = cast(f._mm512_cvtepi32_ps(tail));
            let octave = f._mm512_srli_epi32::<23>(p);
            let m = f._mm512_or_si512(f._mm512_and_si512(p, all(FRACTION)), all(ONE));
            let m = f._mm512_sub_ps(cast(m), cast([2.0_f32; STEP]));
            let mut z = look_up(self, &OCTAVES[0], octave);
            for row in &OCTAVES[1..] {
                z = f._mm512_fmadd_ps(z, m, look_up(self, row, octave));
            }
            cast(f._mm512_xor_si512(cast(z), f._mm512_and_si512(bits, all(SIGN))))
        }
    }

    #[inline(always)]
    fn all(bits: u32) -> __m512i {
        cast([bits; STEP])
    }

    /// Reads the low five bits of an index.
    #[inline(always)]
    fn look_up(v4: V4, row: &[f32; 32], index: __m512i) -> __m512 {
        let [low, high]: [[f32; STEP]; 2] = cast(*row);
        v4.avx512f._mm512_permutex2var_ps(cast(low), index, cast(high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::special::norm_ppf;

    #[test]
    fn agrees_with_the_quantile() {
        let mut words = vec![0; 100_000];
        BlockStream::new(5, 9).fill(&mut words);
        let ends = (0..31).flat_map(|e| [1 << e, (1 << e) - 1, (1 << e) + 1, (1 << e) | SIGN]);
        for bits in ends.chain(words.into_iter().map(|w| w as u32)) {
            let p = f64::from(((bits & !SIGN) | 1) as f32) * 2_f64.powi(-32);
            let expected = if bits < SIGN { -norm_ppf(p) } else { norm_ppf(p) };
            let z = f64::from(normal(bits));
            assert!((z - expected).abs() <= 3e-6 * expected.abs(), "{bits}: {z} {expected}");
        }
    }

    #[test]
    fn the_median_is_zero_and_the_tails_end_beyond_six() {
        assert_eq!((normal(!SIGN), normal(u32::MAX)), (0.0, 0.0));
        assert!(normal(0) > 6.2 && normal(SIGN) == -normal(0));
    }

    #[test]
    fn lanes_give_the_bits_of_one_at_a_time() {
        for n in [1, 2, 7, 16, 1_023, 1_024] {
            let mut out = vec![f32::NAN; n];
            normals_f32_from_stream(&mut BlockStream::new(1, 2), &mut out);
            let mut words = vec![0; n.div_ceil(STEP) * LANES];
            BlockStream::new(1, 2).fill(&mut words);
            let expected = words.as_chunks().0.iter().flat_map(|words| Portable.normals_f32(words));
            assert!(out.iter().zip(expected).all(|(z, expected)| z.to_bits() == expected.to_bits()), "{n}");
        }
    }

    #[test]
    fn moments_are_those_of_a_normal() {
        let mut z = vec![0.0; 1 << 20];
        normals_f32_from_stream(&mut BlockStream::new(42, 0), &mut z);
        let n = z.len() as f64;
        for (k, expected, sd) in
            [(1, 0.0, 1.0), (2, 1.0, 2_f64.sqrt()), (3, 0.0, 15_f64.sqrt()), (4, 3.0, 96_f64.sqrt())]
        {
            let moment = z.iter().map(|v| f64::from(*v).powi(k)).sum::<f64>() / n;
            assert!((moment - expected).abs() < 4.0 * sd / n.sqrt(), "moment {k}: {moment}");
        }
    }
}
