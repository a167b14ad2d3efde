//! Distribution functions, accurate in *relative* terms down to 1e-300 in the lower tail.
//!
//! Everything here is total: a NaN argument gives NaN, a probability at or past the edge gives the limit (±∞).
//! Computations check their inputs before they call these.
//!
//! Sources: Wichura, AS 241, 1988 (normal quantile); NIST DLMF 7.2, 8.9, 8.17; Loader, *Fast and accurate
//! computation of binomial probabilities*, 2000 (the prefactors, so that no large logarithms are subtracted).

mod incomplete;
mod normal;
mod student_t;

pub(crate) use incomplete::gamma_log_density;
pub use incomplete::{beta_inc, binom_cdf, binom_ppf, chi2_sf, gamma_inc};
pub(crate) use normal::{AS241_C, AS241_D, AS241_E, AS241_F};
pub use normal::{norm_cdf, norm_pdf, norm_ppf};
pub use student_t::{t_cdf, t_pdf, t_ppf};
