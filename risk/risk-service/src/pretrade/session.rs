//! The state of one stream: its epoch, the sequence it has reached, and the machine that decides.

use risk_core::pretrade::{Event, Machine};
use tonic::Status;

use super::wire;
use crate::proto::{CheckRequest, CheckResponse, PretradeDecision, PretradeEvent};

/// One stream's state. There is none before its first snapshot.
#[derive(Default)]
pub(crate) struct Session {
    epoch: u64,
    state: Option<State>,
}

struct State {
    sequence: u64,
    machine: Machine,
}

impl Session {
    /// Applies a batch and answers its checks; a batch without checks has no answer. After an error the state is
    /// uncertain: the stream ends.
    pub(crate) fn answer(&mut self, request: CheckRequest) -> Result<Option<CheckResponse>, Status> {
        if request.epoch < self.epoch {
            tracing::warn!(epoch = request.epoch, highest = self.epoch, "batch of an earlier epoch dropped");
            return Ok(None);
        }
        if request.epoch > self.epoch {
            // Another sender took over, and its state is not the one that we hold: it begins with a snapshot.
            *self = Self { epoch: request.epoch, state: None };
        }
        let mut decisions = Vec::new();
        for event in request.events {
            decisions.extend(self.apply(event)?);
        }
        Ok((!decisions.is_empty()).then_some(CheckResponse { epoch: self.epoch, decisions }))
    }

    fn apply(&mut self, event: PretradeEvent) -> Result<Option<PretradeDecision>, Status> {
        let sequence = event.sequence;
        let invalid = |what: &dyn std::fmt::Display| Status::invalid_argument(format!("sequence {sequence}: {what}"));
        let event = wire::event(event).map_err(|error| invalid(&error))?;
        self.require_order(sequence, &event)?;
        match (&mut self.state, event) {
            (Some(state), event) => {
                state.sequence = sequence;
                let decision = state.machine.apply(event).map_err(|error| invalid(&error))?;
                Ok(decision.map(|decision| wire::decision(sequence, decision)))
            }
            (state, Event::Snapshot(snapshot)) => {
                let machine = Machine::new(snapshot).map_err(|error| invalid(&error))?;
                *state = Some(State { sequence, machine });
                Ok(None)
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
            Event::Check { .. } => sequence > state.sequence,
            _ => sequence >= state.sequence,
        };
        if is_next {
            return Ok(());
        }
        let text = format!("sequence {sequence}: must rise within a stream, got it after {}", state.sequence);
        Err(Status::invalid_argument(text))
    }
}
