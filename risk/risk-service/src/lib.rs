//! The Risk Service: serves `risk-core` over gRPC.
//!
//! Pre-trade checks run on the async threads, inside the stream that asks: they take less time than handing them over
//! would. Everything else runs on its own bounded pool ([`compute`]), so that no calculation delays a check.

pub mod calculate;
pub mod compute;
pub mod config;
pub mod pretrade;
pub mod server;
pub mod watch;

#[cfg(test)]
mod fuzz;

/// How many random cases each fuzz test takes: `AETHERION_FUZZ_CASES`, or as many as a test run has time for.
#[cfg(test)]
fn fuzz_cases() -> u32 {
    std::env::var("AETHERION_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000)
}

/// The contract, generated from `protos/`.
#[allow(missing_docs, reason = "generated")]
#[allow(clippy::all, reason = "generated")]
pub mod proto {
    tonic::include_proto!("aetherion.v1");
}
