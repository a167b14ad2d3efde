//! Margin: accounts of shares, scans of futures and options, floors against procyclicality.

mod account;
mod procyclicality;
mod scan;

pub use account::{AccountMargin, Attos, SharePosition, account_margin};
pub use procyclicality::{buffered_margin, stress_weighted_margin};
pub use scan::{Contract, ScanMargin, ScanParameters, ScanPosition, scan_margin};
