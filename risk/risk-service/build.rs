//! Generates the Rust types of the contract from `protos/`, without protoc.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protos");
    println!("cargo:rerun-if-changed={}", protos.display());
    let files = protox::compile([protos.join("aetherion/v1/risk_api.proto")], [&protos])?;
    tonic_prost_build::configure().compile_fds(files)?;
    Ok(())
}
