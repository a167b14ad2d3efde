//! Random and quasi-random numbers whose stream depends on (seed, block) only, never on a thread.

mod instructions;
mod normals;
mod normals_f32;
mod philox;
mod sobol;

pub use normals::{FILL_BLOCK, normals_from_stream, normals_from_words};
pub use normals_f32::normals_f32_from_stream;
pub use philox::{BlockStream, Philox4x64};
pub use sobol::{MAX_DIMENSION, Sobol, owen_scramble};

pub(crate) use normals::normals_from_points;
