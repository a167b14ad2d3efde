//! Sobol sequence with the direction numbers of Joe and Kuo, and its scrambling.

use crate::error::{Result, RiskError};

/// Dimensions that the direction numbers reach.
pub const MAX_DIMENSION: usize = 21_201;
/// Points that are written at once where they begin at a multiple of this.
const RUN: usize = 16;
/// Bits of a point, and direction numbers of a dimension.
const BITS: usize = 32;

/// Direction numbers new-joe-kuo-6.21201, packed (data/README.md gives format and licence).
static JOE_KUO: &[u8] = include_bytes!("../../data/joe_kuo_d6.bin");

/// The Sobol sequence in Gray-code order, 32 bits a coordinate.
///
/// Sources: Joe & Kuo, *Constructing Sobol sequences with better two-dimensional projections*, 2008; Antonov & Saleev
/// 1979 (order).
#[derive(Debug, Clone, PartialEq)]
pub struct Sobol {
    directions: Vec<[u32; BITS]>,
}

impl Sobol {
    /// The sequence of `dimension` coordinates, 1..=21,201.
    pub fn new(dimension: usize) -> Result<Self> {
        if !(1..=MAX_DIMENSION).contains(&dimension) {
            let why = format!("must be within 1..={MAX_DIMENSION}");
            return Err(RiskError::invalid("sobol", "dimension", why, dimension));
        }
        let mut directions = Vec::with_capacity(dimension);
        // The first dimension is van der Corput's.
        directions.push(std::array::from_fn(|k| 1 << (BITS - 1 - k)));
        let mut bits = BitReader { bytes: JOE_KUO, place: 0 };
        directions.extend((1..dimension).map(|_| read_directions(&mut bits)));
        Ok(Self { directions })
    }

    /// Number of coordinates.
    pub fn dimension(&self) -> usize {
        self.directions.len()
    }

    /// Coordinate `dimension` (from 0) of the points `first_index..`, as `x · 2³²`; zeros past the last dimension.
    ///
    /// Formula: point i is the exclusive or of the direction numbers at the bits of `i ^ (i >> 1)`; from one point to the
    /// next one bit changes. Point 0 is the origin: scramble before use.
    pub fn fill(&self, dimension: usize, first_index: u32, out: &mut [u32]) {
        let Some(directions) = self.directions.get(dimension) else {
            out.fill(0);
            return;
        };
        let gray = first_index ^ (first_index >> 1);
        let mut point =
            directions.iter().enumerate().filter(|(k, _)| gray >> k & 1 == 1).fold(0, |point, (_, d)| point ^ d);
        let mut index = first_index;
        // 32 zeros only after 2^32 points, where the sequence starts again.
        let after = |point: u32, next: u32| point ^ directions.get(next.trailing_zeros() as usize).unwrap_or(&point);
        let run: [u32; RUN] = std::array::from_fn(|i| {
            let gray = i ^ (i >> 1);
            let low = directions.iter().take(RUN.ilog2() as usize).enumerate();
            low.fold(0, |run, (k, d)| if gray >> k & 1 == 1 { run ^ d } else { run })
        });
        for slots in out.chunks_mut(RUN) {
            if slots.len() == RUN && index.is_multiple_of(RUN as u32) {
                // Gray's code is linear: point i + j is that of i and that of j where they share no bit.
                slots.iter_mut().zip(run).for_each(|(slot, offset)| *slot = point ^ offset);
                index = index.wrapping_add(RUN as u32);
                point = after(point ^ run[RUN - 1], index);
                continue;
            }
            for slot in slots {
                *slot = point;
                index = index.wrapping_add(1);
                point = after(point, index);
            }
        }
    }
}

/// Recurrence `m_k = 2a₁m_{k-1} ⊕ … ⊕ 2ˢm_{k-s} ⊕ m_{k-s}`, on numbers shifted to the top of the word.
fn read_directions(bits: &mut BitReader<'_>) -> [u32; BITS] {
    let degree = bits.read(5) as usize;
    let polynomial = bits.read(degree.saturating_sub(1));
    let mut v = [0_u32; BITS];
    for k in 0..BITS {
        if k < degree {
            // m_k is odd and below 2^(k+1): its lowest bit is not stored.
            v[k] = (bits.read(k) << 1 | 1) << (BITS - 1 - k);
            continue;
        }
        let mut next = v[k - degree] ^ (v[k - degree] >> degree);
        for i in 1..degree {
            if polynomial >> (degree - 1 - i) & 1 == 1 {
                next ^= v[k - i];
            }
        }
        v[k] = next;
    }
    v
}

/// Reads big-endian bit fields; zeros past the end.
struct BitReader<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl BitReader<'_> {
    fn read(&mut self, width: usize) -> u32 {
        let mut value = 0;
        for _ in 0..width {
            let byte = self.bytes.get(self.place / 8).copied().unwrap_or(0);
            value = value << 1 | u32::from(byte >> (7 - self.place % 8) & 1);
            self.place += 1;
        }
        value
    }
}

/// Nested uniform scramble of a coordinate, by hash: every bit is flipped by a function of the bits above it.
///
/// Sources: Owen 1995; Laine & Karras 2011; Burley, *Practical hash-based Owen scrambling*, 2020, with Vegdahl's
/// constants.
#[inline(always)]
pub fn owen_scramble(x: u32, seed: u32) -> u32 {
    let mut v = x.reverse_bits();
    v ^= v.wrapping_mul(0x3d20_adea);
    v = v.wrapping_add(seed);
    v = v.wrapping_mul((seed >> 16) | 1);
    v ^= v.wrapping_mul(0x0552_6c56);
    v ^= v.wrapping_mul(0x53a2_2864);
    v.reverse_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrambled_net_has_one_point_in_every_stratum() {
        let sobol = Sobol::new(5).unwrap();
        for dimension in 0..5 {
            let mut points = [0; 256];
            sobol.fill(dimension, 0, &mut points);
            let mut seen: Vec<u32> = points.iter().map(|x| owen_scramble(*x, 0x9e37_79b9) >> 24).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..256).collect::<Vec<u32>>(), "dimension {dimension}");
        }
    }

    #[test]
    fn blocks_join_seamlessly_and_the_end_wraps() {
        let sobol = Sobol::new(3).unwrap();
        let mut whole = [0; 80];
        sobol.fill(2, 0, &mut whole);
        for (first, n) in [(40, 24), (32, 40), (16, 64), (1, 79)] {
            let mut part = vec![0; n];
            sobol.fill(2, first, &mut part);
            assert_eq!(part, whole[first as usize..first as usize + n]);
            let mut single = [0];
            part.iter().zip(first..).for_each(|(point, i)| {
                sobol.fill(2, i, &mut single);
                assert_eq!(single, [*point]);
            });
        }
        let mut end = [0; 3];
        sobol.fill(2, u32::MAX, &mut end);
        assert_eq!(end[1..], [0, 1 << 31]);
    }

    #[test]
    fn dimensions_are_bounded() {
        assert!(Sobol::new(0).is_err());
        assert_eq!(Sobol::new(21_202).unwrap_err().to_string(), "sobol: dimension must be within 1..=21201, got 21202");
    }
}
