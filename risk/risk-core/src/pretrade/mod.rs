//! Pre-trade decisions: may this order go, given everything that is held and open already?
//!
//! [`Machine`] is a deterministic state machine fed by the sequencer's one ordered stream. It reads no
//! clock and draws no numbers; the same events give the same decisions. All of it is exact integers, but VaR.
//!
//! A position is always counted at its worst case: every open order of a side is taken as filled. An
//! approval at its sequence can therefore not breach a limit, however the open orders fill.
//!
//! Every position of a strategy is a cell, those of one account and instrument make a book, and a scope (the firm, an
//! account, whatever has limits) keeps running sums over the cells or books that it covers: a check looks at eight scopes
//! at most, however much is held and open.

mod book;
mod checks;
mod conduct;
mod decide;
mod decimal;
mod event;
mod exposure;
mod instrument;
mod latches;
mod limits;
mod machine;
mod memory;
mod money;
mod moves;
mod order;
mod orders;
mod scope;
mod state;
mod var;
mod watch;
mod windows;

pub use checks::{CheckFailure, OrdRejReason};
pub use decimal::{Decimal, DecimalError, MAX_SCALE};
pub use event::{
    Account, Adjust, Asked, Cash, Check, Correction, Decided, Event, EventError, Fill, FxRate, Hold, Mark, Model,
    Money, Replace, Snapshot, Stamp,
};
pub use exposure::Exposure;
pub use instrument::{Instrument, InstrumentTerms, TradingSession};
pub use latches::Latch;
pub use limits::{RiskLimit, RiskLimits};
pub use machine::{Alarm, Answers, Decision, Machine, Memory};
pub use order::{Contingency, NewOrder, OrdType, Side, TimeInForce, Unknown};
pub use scope::{TradingScope, TradingState};
