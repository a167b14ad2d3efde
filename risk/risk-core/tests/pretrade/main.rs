//! Pre-trade decisions from outside: reference vectors, boundaries, laws.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod agree;
mod boundaries;
mod controls;
mod events;
mod fixture;
mod latches;
mod laws;
mod naive;
mod vectors;
