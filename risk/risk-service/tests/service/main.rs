//! The service as its clients see it: a real client over a real connection, and the real process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod analytics;
mod bounds;
mod calculate;
mod fixture;
mod pretrade;
mod process;
mod transport;
mod vectors;
mod watch;
