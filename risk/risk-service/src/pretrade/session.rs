//! The state of one stream: its epoch, the sequence it has reached, and the machine that decides.

use risk_core::pretrade::{Answers, Event, Latch, Machine, Stamp};
use tonic::Status;

use super::wire;
use crate::proto::{CheckRequest, CheckResponse, PretradeEvent};
use crate::watch::{Boards, Change, Publisher};

/// One stream's state. There is none before its first snapshot.
pub(crate) struct Session {
    epoch: u64,
    state: Option<State>,
    boards: Boards,
    /// Where the portfolio is shown, once the session has said its name.
    shows: Option<Publisher>,
}

struct State {
    sequence: u64,
    machine: Machine,
    /// The latches that the stream was told of last.
    told: Vec<Latch>,
    /// Some of them may be gone since.
    may_release: bool,
}

impl Session {
    /// A session without a name; `boards` is where it shows its portfolio once it has one.
    pub(crate) fn new(boards: Boards) -> Self {
        Self { epoch: 0, state: None, boards, shows: None }
    }

    /// Applies a batch and answers its checks; a batch that nothing is to be said of has no answer. After an error the state is
    /// uncertain: the stream ends.
    pub(crate) fn answer(&mut self, request: CheckRequest) -> Result<Option<CheckResponse>, Status> {
        if request.epoch < self.epoch {
            tracing::warn!(epoch = request.epoch, highest = self.epoch, "batch of an earlier epoch dropped");
            return Ok(None);
        }
        if request.epoch > self.epoch {
            // Another sender took over, and its state is not the one that we hold: it begins with a snapshot.
            (self.epoch, self.state) = (request.epoch, None);
        }
        if self.shows.is_none() && !request.session_id.is_empty() {
            self.shows = Some(self.boards.open(request.session_id));
        }
        let mut answers = Answers::default();
        let (mut changes, mut time) = (Vec::new(), 0);
        for event in request.events {
            time = event.transact_time_ns;
            self.apply(event, &mut changes, &mut answers)?;
        }
        if let (Some(shows), Some(state), false) = (&self.shows, &self.state, changes.is_empty()) {
            shows.publish(changes, state.sequence, time);
        }
        let Answers { decisions, memories, alarms } = answers;
        // A latch that is engaged raises an alarm.
        let latches = self.state.as_mut().filter(|state| !alarms.is_empty() || state.may_release).and_then(State::news);
        let is_silent = decisions.is_empty() && memories.is_empty() && alarms.is_empty() && latches.is_none();
        Ok((!is_silent).then(|| CheckResponse {
            epoch: self.epoch,
            decisions: decisions.into_iter().map(wire::decision).collect(),
            memories: memories.into_iter().map(wire::memory).collect(),
            alarms: alarms.into_iter().map(wire::alarm).collect(),
            latches: latches.map(wire::latches),
        }))
    }

    /// Applies one event, and adds what of it is to be shown.
    fn apply(&mut self, event: PretradeEvent, changes: &mut Vec<Change>, answers: &mut Answers) -> Result<(), Status> {
        let sequence = event.sequence;
        let stamp = Stamp { sequence, transact_time_ns: event.transact_time_ns };
        let invalid = |what: &dyn std::fmt::Display| Status::invalid_argument(format!("sequence {sequence}: {what}"));
        if self.shows.is_some() {
            changes.extend(Change::of(&event));
        }
        let event = wire::event(event).map_err(|error| invalid(&error))?;
        self.require_order(sequence, &event)?;
        match (&mut self.state, event) {
            (Some(state), event) => {
                if !is_preview(&event) {
                    state.sequence = sequence;
                }
                state.may_release |= may_release(&event);
                state.machine.apply(stamp, event, answers).map_err(|error| invalid(&error))
            }
            (state, Event::Snapshot(snapshot)) => {
                let machine = Machine::new(stamp, *snapshot).map_err(|error| invalid(&error))?;
                *state = Some(State { sequence, machine, told: Vec::new(), may_release: true });
                Ok(())
            }
            (None, _) => {
                let text = format!("sequence {sequence}: the first event of an epoch must be a snapshot");
                Err(Status::failed_precondition(text))
            }
        }
    }

    /// Sequences never fall, and that of a check rises: it names the decision. One event of the journal may move several
    /// parts of the state, and the release of a check has the sequence of the check.
    fn require_order(&self, sequence: u64, event: &Event) -> Result<(), Status> {
        let Some(state) = &self.state else { return Ok(()) };
        let is_next = match event {
            Event::Check(_) | Event::Replace(_) => sequence > state.sequence,
            _ => sequence >= state.sequence,
        };
        if is_next {
            return Ok(());
        }
        let text = format!("sequence {sequence}: must rise within a stream, got it after {}", state.sequence);
        Err(Status::invalid_argument(text))
    }
}

impl State {
    /// All latches, if they are others than those last told.
    fn news(&mut self) -> Option<Vec<Latch>> {
        self.may_release = false;
        let latches = self.machine.latches();
        let told = std::mem::replace(&mut self.told, latches.clone());
        (latches != told).then_some(latches)
    }
}

/// Whether latches may be gone after an event. Limits take those of their scope with them.
fn may_release(event: &Event) -> bool {
    matches!(event, Event::Snapshot(_) | Event::TradingState(..) | Event::RiskLimits(_))
}

/// The sequence of a preview is still to come.
fn is_preview(event: &Event) -> bool {
    matches!(event, Event::Check(check) if check.preview)
}
