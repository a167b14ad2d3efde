//! Risk numerics and pre-trade decisions: pure functions of their inputs.
