//! Pre-trade decisions: may this order go, given everything that is held and open already?
//!
//! [`Machine`] is a deterministic state machine fed by the sequencer's one ordered stream. It reads no
//! clock and draws no numbers; the same events give the same decisions. All of it is exact integers.
//!
//! A position is always counted at its worst case: every open order of a side is taken as filled. An
//! approval at its sequence can therefore not breach a limit, however the open orders fill.

mod checks;
mod decimal;
mod event;
mod instrument;
mod limits;
mod machine;
mod order;

pub use checks::{CheckFailure, OrdRejReason};
pub use decimal::{Decimal, DecimalError, MAX_SCALE};
pub use event::{Adjust, Event, EventError, Fill, Hold, Mark, Position, Snapshot};
pub use instrument::{Instrument, InstrumentTerms};
pub use limits::{RiskLimit, RiskLimits};
pub use machine::{Decision, Exposure, Machine};
pub use order::{NewOrder, OrdType, Side, TimeInForce, Unknown};
