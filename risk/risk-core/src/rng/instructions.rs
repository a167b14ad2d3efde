//! What is written for two instruction sets: AVX-512 by name, and any other.

use pulp::{Simd, WithSimd};

use super::normals::Inverse;
use super::normals_f32::InverseF32;
use super::philox::Step;

/// All that an instruction set does in its own way, to the same bits.
pub(super) trait Instructions: Step + Inverse + InverseF32 {}

impl<I: Step + Inverse + InverseF32> Instructions for I {}

/// One lane after the other, for the compiler to make of it what it can.
#[derive(Clone, Copy)]
pub(super) struct Portable;

/// Work on either. A type and not a closure: `run` is inlined into code for the instruction set that was found, a closure
/// need not be, and then each `mul_add` is a call.
pub(super) trait Work {
    fn run(self, instructions: impl Instructions);
}

/// Does it with the best there is.
pub(super) fn dispatch(work: impl Work) {
    #[cfg(target_arch = "x86_64")]
    if let Some(v4) = pulp::x86::V4::try_new() {
        return Simd::vectorize(v4, On { work, instructions: v4 });
    }
    pulp::Arch::new().dispatch(On { work, instructions: Portable });
}

struct On<W, I> {
    work: W,
    instructions: I,
}

impl<W: Work, I: Instructions> WithSimd for On<W, I> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.work.run(self.instructions);
    }
}
