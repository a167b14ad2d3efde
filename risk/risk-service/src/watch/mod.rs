//! The live portfolio: sessions show it on a board, watchers of `StreamRisk` read it from there.

mod board;
#[cfg(test)]
mod fuzz;
mod rates;
mod stream;

pub use board::Boards;
pub(crate) use board::{Change, Publisher};
pub(crate) use stream::{Watchers, stream_risk};
