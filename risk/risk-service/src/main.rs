//! The Risk Service.

fn main() {}
