//! The pre-trade decisions over stdin and stdout, for `make sim`.

use std::io::{self, BufReader};

fn main() -> io::Result<()> {
    risk_service::pretrade::stdio::serve(BufReader::with_capacity(1 << 20, io::stdin().lock()), io::stdout().lock())
}
