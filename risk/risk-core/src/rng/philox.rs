//! Counter-based Philox, and the fast streams it seeds.

use super::instructions::{Instructions, Portable, Work, dispatch};

/// Weyl increments of the two key words.
const WEYL: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xBB67_AE85_84CA_A73B];
/// Multipliers of the two halves.
const MULTIPLIER: [u64; 2] = [0xD2E7_470E_E14C_6C93, 0xCA5A_8263_9512_1157];
/// Lanes of a stream: a 512-bit register of words.
pub(super) const LANES: usize = 8;

/// Philox4x64-10: a bijection of a 256-bit counter, keyed by 128 bits. Four words out for four in.
///
/// Source: Salmon, Moraes, Dror & Shaw, *Parallel random numbers: as easy as 1, 2, 3*, 2011.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Philox4x64 {
    key: [u64; 2],
}

impl Philox4x64 {
    /// The generator of one key.
    pub const fn new(key: [u64; 2]) -> Self {
        Self { key }
    }

    /// The four words at a counter.
    pub fn block(&self, counter: [u64; 4]) -> [u64; 4] {
        let [mut a, mut b, mut c, mut d] = counter;
        let [mut k0, mut k1] = self.key;
        for _ in 0..10 {
            let first = u128::from(MULTIPLIER[0]) * u128::from(a);
            let second = u128::from(MULTIPLIER[1]) * u128::from(c);
            (a, b, c, d) = ((second >> 64) as u64 ^ b ^ k0, second as u64, (first >> 64) as u64 ^ d ^ k1, first as u64);
            k0 = k0.wrapping_add(WEYL[0]);
            k1 = k1.wrapping_add(WEYL[1]);
        }
        [a, b, c, d]
    }
}

struct Fill<'a> {
    stream: &'a mut BlockStream,
    words: &'a mut [u64],
}

impl Work for Fill<'_> {
    #[inline(always)]
    fn run(self, instructions: impl Instructions) {
        self.stream.fill_inlined(instructions, self.words);
    }
}

/// The states of eight generators, word by word.
type State = [[u64; LANES]; 4];

/// The words of one block of scenarios: eight interleaved xoshiro256++ generators, whose states are the Philox words of
/// key (seed, block).
///
/// Philox alone would be a tenth of the speed of the inversion it feeds; xoshiro in lanes is a tenth of its cost. States
/// drawn at random from 2^256 overlap with a probability below 2^-150 for any run that ends.
/// Source: Blackman & Vigna, *Scrambled linear pseudorandom number generators*, 2021.
#[derive(Debug, Clone)]
pub struct BlockStream {
    state: State,
}

impl BlockStream {
    /// The stream of a block. `seed` and `block` are the key; nothing else enters.
    pub fn new(seed: u64, block: u64) -> Self {
        let philox = Philox4x64::new([seed, block]);
        let mut state = [[0; LANES]; 4];
        for lane in 0..LANES {
            let words = philox.block([lane as u64, 0, 0, 0]);
            for (row, word) in state.iter_mut().zip(words) {
                row[lane] = word;
            }
        }
        Self { state }
    }

    /// The next words, eight lanes at a time; a last part of fewer than eight uses up a whole step.
    pub fn fill(&mut self, words: &mut [u64]) {
        dispatch(Fill { stream: self, words });
    }

    #[inline(always)]
    pub(super) fn fill_inlined(&mut self, step: impl Step, words: &mut [u64]) {
        self.each_step(step, words, |words| words);
    }

    /// What is made of the next words, eight at a time.
    #[inline(always)]
    pub(super) fn each_step<T: Copy>(
        &mut self,
        step: impl Step,
        out: &mut [T],
        make: impl Fn([u64; LANES]) -> [T; LANES],
    ) {
        // A copy of the state cannot overlap what is made: it stays in registers.
        let mut state = self.state;
        let (steps, rest) = out.as_chunks_mut();
        for out in steps {
            *out = make(step.next(&mut state));
        }
        if !rest.is_empty() {
            let last = make(step.next(&mut state));
            rest.copy_from_slice(&last[..rest.len()]);
        }
        self.state = state;
    }
}

/// A step of the eight generators.
pub(super) trait Step: Copy {
    fn next(self, state: &mut State) -> [u64; LANES];
}

impl Step for Portable {
    #[inline(always)]
    fn next(self, [a, b, c, d]: &mut State) -> [u64; LANES] {
        let mut out = [0; LANES];
        for i in 0..LANES {
            out[i] = a[i].wrapping_add(d[i]).rotate_left(23).wrapping_add(a[i]);
            let t = b[i] << 17;
            c[i] ^= a[i];
            d[i] ^= b[i];
            b[i] ^= c[i];
            a[i] ^= d[i];
            c[i] ^= t;
            d[i] = d[i].rotate_left(45);
        }
        out
    }
}

#[cfg(target_arch = "x86_64")]
impl Step for pulp::x86::V4 {
    #[inline(always)]
    fn next(self, state: &mut State) -> [u64; LANES] {
        let f = self.avx512f;
        let [a, b, c, d]: [std::arch::x86_64::__m512i; 4] = pulp::cast(*state);
        let out = f._mm512_add_epi64(f._mm512_rol_epi64::<23>(f._mm512_add_epi64(a, d)), a);
        let t = f._mm512_slli_epi64::<17>(b);
        let (c, d) = (f._mm512_xor_si512(c, a), f._mm512_xor_si512(d, b));
        let (b, a) = (f._mm512_xor_si512(b, c), f._mm512_xor_si512(a, d));
        let (c, d) = (f._mm512_xor_si512(c, t), f._mm512_rol_epi64::<45>(d));
        *state = pulp::cast([a, b, c, d]);
        pulp::cast(out)
    }
}
