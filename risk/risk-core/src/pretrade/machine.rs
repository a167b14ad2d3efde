//! The machine: a snapshot, then events, and what they are answered with.

use super::conduct::Conduct;
use super::exposure::Exposure;
use super::instrument::DAY_NS;
use super::memory;
use super::orders::Changes;
use super::state::State;
use super::{CheckFailure, Event, EventError, Hold, OrdRejReason, Snapshot, Stamp, TradingState};

/// The answer to one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Sequence of the check.
    pub sequence: u64,
    /// Our id of the order.
    pub order_id: u64,
    /// All checks that fail, in their published order, the first being the reason. None: approved, and
    /// the whole quantity is held.
    pub check_failures: Vec<CheckFailure>,
}

impl Decision {
    /// Whether the order may go.
    pub fn approved(&self) -> bool {
        self.check_failures.is_empty()
    }
}

/// Something that was not an order passed a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Sequence of the event that did it.
    pub sequence: u64,
    /// The limit.
    pub ord_rej_reason: OrdRejReason,
    /// Whose limit it is.
    pub scope: String,
    /// The limit.
    pub risk_limit: String,
    /// The value.
    pub value: String,
    /// What follows for that scope.
    pub trading_state: TradingState,
}

/// What of the state is not in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Sequence of the event that asked for it.
    pub sequence: u64,
    /// For [`Snapshot::memory`].
    pub bytes: Vec<u8>,
    /// SHA-256 over the whole state.
    pub state_hash: [u8; 32],
}

/// What events are answered with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// One for each order that was asked about.
    pub decisions: Vec<Decision>,
    /// What was asked to be saved.
    pub memories: Vec<Memory>,
    /// Limits that were passed.
    pub alarms: Vec<Alarm>,
}

/// The state machine.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(super) state: State,
    pub(super) changes: Changes,
}

impl Machine {
    /// The state that a snapshot describes.
    pub fn new(stamp: Stamp, snapshot: Snapshot) -> Result<Self, EventError> {
        let Snapshot { instruments, accounts, risk_limits, fx_rates, model, .. } = snapshot;
        let mut machine = Self { state: State::default(), changes: Vec::new() };
        let state = &mut machine.state;
        state.day = stamp.transact_time_ns.div_euclid(DAY_NS);
        state.risk_limits = risk_limits;
        model.map(|model| state.set_model(model));
        for instrument in instruments {
            let listed = state.instruments.find_or_add(&instrument.terms().instrument_id);
            state.instruments.get_mut(listed).instrument = Some(instrument);
        }
        for account in accounts {
            machine.open_account(account)?;
        }
        machine.set_rates(fx_rates)?;
        machine.state.derive()?;
        for position in snapshot.positions {
            machine.adjust(position, "position")?;
        }
        for cash in snapshot.cash {
            machine.pay(&cash.account, &cash.cash.currency, cash.cash.attos)?;
        }
        for (mark, time_ns) in snapshot.marks {
            machine.mark(mark, time_ns)?;
        }
        for (scope, state) in snapshot.trading_states {
            machine.state.switches.set_state(scope, state);
        }
        for scope in snapshot.kill_switches {
            machine.state.switches.set_kill(scope, true);
        }
        machine.restore_holds(snapshot.holds)?;
        for scope in &mut machine.state.scopes {
            scope.conduct = Conduct::default();
        }
        if let Some(bytes) = &snapshot.memory {
            memory::restore(&mut machine, bytes)?;
        }
        machine.state.rebuild_var()?;
        machine.state.touched.extend(0..machine.state.scopes.len());
        // What begins here begins to remember; what goes on remembers already.
        machine.follow(stamp, snapshot.memory.is_none().then_some(&mut Vec::new()));
        if let Some(memory) = snapshot.memory.filter(|_| !snapshot.state_hash.is_empty()) {
            memory::compare(&machine.state, &memory, &snapshot.state_hash)?;
        }
        Ok(machine)
    }

    /// Applies the next event of the stream, and adds what it is answered with.
    pub fn apply(&mut self, stamp: Stamp, event: Event, answers: &mut Answers) -> Result<(), EventError> {
        if let Event::Snapshot(snapshot) = event {
            *self = Self::new(stamp, *snapshot)?;
            return Ok(());
        }
        self.state.turn_day(stamp.transact_time_ns)?;
        let now_ns = stamp.transact_time_ns;
        match event {
            Event::Check(check) => {
                self.check(stamp, check, answers)?;
                self.follow(stamp, None);
                return Ok(());
            }
            Event::Replace(replace) => {
                self.replace(stamp, replace, answers)?;
                self.follow(stamp, None);
                return Ok(());
            }
            Event::Save => {
                self.state.rebuild_var()?;
                let (bytes, state_hash) = memory::save(&self.state);
                answers.memories.push(Memory { sequence: stamp.sequence, bytes, state_hash });
            }
            Event::Snapshot(_) => {}
            Event::Fill(fill) => self.fill(stamp, &fill, &mut answers.alarms)?,
            Event::Release { order_id } => self.close(order_id)?,
            Event::VenueReject { order_id } => self.venue_reject(stamp, order_id, &mut answers.alarms)?,
            Event::Restated(order_id, hold) => self.restate(stamp, order_id, &hold, &mut answers.alarms)?,
            Event::Adjust(adjust) => self.adjusted(stamp, adjust, &mut answers.alarms)?,
            Event::Correction(correction) => self.correct(stamp, correction, &mut answers.alarms)?,
            Event::Cash(cash) => self.pay(&cash.account, &cash.cash.currency, cash.cash.attos)?,
            Event::Mark(mark) => self.mark(mark, now_ns)?,
            Event::RiskLimits(limits) => self.limit(stamp, limits, &mut answers.alarms)?,
            Event::TradingState(scope, state) => self.set_state(scope, state),
            Event::KillSwitch(scope, engaged) => self.state.switches.set_kill(scope, engaged),
            Event::FxRates(rates) => {
                self.set_rates(rates)?;
                self.state.derive()?;
            }
            Event::Model(model) => self.set_model(stamp, model, &mut answers.alarms)?,
            Event::Instrument(instrument) => self.define(instrument)?,
            Event::AccountOpened(account) => {
                self.open_account(account)?;
                self.state.derive()?;
            }
        }
        self.follow(stamp, Some(&mut answers.alarms));
        Ok(())
    }

    /// Position and open orders of one account in one instrument.
    pub fn exposure(&self, account: &str, instrument_id: &str) -> Exposure {
        self.state.find_book(account, instrument_id).map(|book| book.exposure).unwrap_or_default()
    }

    /// All open orders, in no particular order.
    pub fn holds(&self) -> impl Iterator<Item = (u64, Hold)> {
        self.state.orders.iter().map(|(order_id, held)| (order_id, self.state.hold(held)))
    }

    /// SHA-256 over the whole state.
    pub fn state_hash(&self) -> [u8; 32] {
        memory::save(&self.state).1
    }

    /// Moves the cells by what was noted, and forgets it.
    pub(super) fn post(&mut self) -> Result<(), EventError> {
        let mut changes = std::mem::take(&mut self.changes);
        let posted = changes.iter().try_for_each(|(cell, change)| self.state.shift(*cell, change));
        changes.clear();
        self.changes = changes;
        posted
    }
}
