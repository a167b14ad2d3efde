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

/// The contract, generated from `protos/`.
#[allow(missing_docs, reason = "generated")]
#[allow(clippy::all, reason = "generated")]
pub mod proto {
    tonic::include_proto!("aetherion.v1");
}
