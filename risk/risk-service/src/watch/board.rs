//! What a session shows: positions, marks and definitions, each with the version at which it last changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use risk_core::pretrade::{Event, Instrument, Side, Snapshot};
use tokio::sync::watch;

/// The boards of all sessions that have a name.
#[derive(Clone, Default)]
pub struct Boards(Arc<Mutex<HashMap<String, Weak<Board>>>>);

impl Boards {
    /// A new board for a session; one of the same name before it is found no more.
    pub(crate) fn open(&self, session_id: String) -> Publisher {
        let board = Arc::new(Board { shown: Mutex::default(), changed: watch::Sender::new(0) });
        let mut boards = lock(&self.0);
        boards.retain(|_, board| board.strong_count() > 0);
        boards.insert(session_id, Arc::downgrade(&board));
        Publisher(board)
    }

    /// The board of a session that goes on.
    pub(crate) fn find(&self, session_id: &str) -> Option<Arc<Board>> {
        lock(&self.0).get(session_id).and_then(Weak::upgrade).filter(|board| !lock(&board.shown).ended)
    }
}

/// A mutex whose holder panicked holds what it held: nothing here is left half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One session's board. It is written between checks, for what changed and never for a check; a reader holds it for as
/// long as it takes to copy what is new to it.
pub(crate) struct Board {
    shown: Mutex<Shown>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Shown {
    version: u64,
    /// The version of the last snapshot: what an earlier one showed and this one does not is gone.
    begun: u64,
    ended: bool,
    sequence: u64,
    transact_time_ns: i64,
    instruments: HashMap<String, Listed>,
}

#[derive(Default)]
struct Listed {
    version: u64,
    terms: Option<Terms>,
    mark_px: Option<i64>,
    /// By account.
    net_qty: HashMap<String, i128>,
}

#[derive(Clone, Copy)]
struct Terms {
    price_unit: f64,
    qty_unit: f64,
    multiplier: f64,
}

impl Terms {
    fn of(instrument: &Instrument) -> Self {
        let unit = |scale: u32| 10f64.powi(-(scale as i32));
        let terms = instrument.terms();
        let multiplier = terms.multiplier.mantissa() as f64 * unit(terms.multiplier.scale());
        Self { price_unit: unit(terms.price_scale), qty_unit: unit(terms.qty_scale), multiplier }
    }
}

/// An instrument as it is now.
pub(crate) struct Seen {
    pub instrument_id: String,
    /// Units, short negative; of the account asked for, or of all.
    pub qty: f64,
    pub multiplier: f64,
    pub mark: Option<f64>,
}

/// What is new on a board.
pub(crate) struct News {
    pub version: u64,
    /// Everything is in `seen`, and what is not is gone.
    pub from_scratch: bool,
    pub ended: bool,
    pub sequence: u64,
    pub transact_time_ns: i64,
    pub seen: Vec<Seen>,
}

impl Board {
    /// What changed after a version, of one account or (empty) of all.
    pub(crate) fn news(&self, after: u64, account: &str) -> News {
        let shown = lock(&self.shown);
        let from_scratch = after < shown.begun;
        let is_new = |listed: &Listed| from_scratch || listed.version > after;
        let seen = |(id, listed): (&String, &Listed)| {
            let terms = listed.terms?;
            let net_qty = match account {
                "" => listed.net_qty.values().sum(),
                account => listed.net_qty.get(account).copied().unwrap_or_default(),
            };
            let mark = listed.mark_px.map(|px| px as f64 * terms.price_unit);
            let (qty, multiplier) = (net_qty as f64 * terms.qty_unit, terms.multiplier);
            Some(Seen { instrument_id: id.clone(), qty, multiplier, mark })
        };
        News {
            version: shown.version,
            from_scratch,
            ended: shown.ended,
            sequence: shown.sequence,
            transact_time_ns: shown.transact_time_ns,
            seen: shown.instruments.iter().filter(|(_, listed)| is_new(listed)).filter_map(seen).collect(),
        }
    }

    /// Told of each new version.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

/// A change that a board shows.
pub(crate) enum Change {
    Snapshot(Snapshot),
    Position { account: String, instrument_id: String, qty: i128 },
    Mark { instrument_id: String, mark_px: i64 },
    Instrument(Instrument),
}

impl Change {
    /// What of an event is to be shown; most events are checks, of which nothing is.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Snapshot(snapshot) => Some(Self::Snapshot(snapshot.clone())),
            Event::Fill(fill) => {
                let qty = match fill.side {
                    Side::Buy => i128::from(fill.last_qty),
                    Side::Sell => -i128::from(fill.last_qty),
                };
                Some(Self::position(&fill.account, &fill.instrument_id, qty))
            }
            Event::Adjust(adjust) => Some(Self::position(&adjust.account, &adjust.instrument_id, adjust.qty.into())),
            Event::Mark(mark) => Some(Self::Mark { instrument_id: mark.instrument_id.clone(), mark_px: mark.mark_px }),
            Event::Instrument(instrument) => Some(Self::Instrument(instrument.clone())),
            Event::Check { .. } | Event::Release { .. } | Event::RiskLimits(_) | Event::AccountOpened { .. } => None,
        }
    }

    fn position(account: &str, instrument_id: &str, qty: i128) -> Self {
        Self::Position { account: account.to_owned(), instrument_id: instrument_id.to_owned(), qty }
    }
}

/// The right to write a board. The session ends with it.
pub(crate) struct Publisher(Arc<Board>);

impl Publisher {
    /// Shows changes, all of which the session's own state has taken.
    pub(crate) fn publish(&self, changes: Vec<Change>, sequence: u64, transact_time_ns: i64) {
        let mut shown = lock(&self.0.shown);
        shown.version += 1;
        (shown.sequence, shown.transact_time_ns) = (sequence, transact_time_ns);
        for change in changes {
            shown.apply(change);
        }
        self.0.changed.send_replace(shown.version);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let mut shown = lock(&self.0.shown);
        shown.ended = true;
        shown.version += 1;
        self.0.changed.send_replace(shown.version);
    }
}

impl Shown {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Snapshot(snapshot) => {
                self.begun = self.version;
                self.instruments.clear();
                for instrument in snapshot.instruments {
                    self.apply(Change::Instrument(instrument));
                }
                for position in snapshot.positions {
                    self.apply(Change::position(&position.account, &position.instrument_id, position.net_qty.into()));
                }
                for mark in snapshot.marks {
                    self.apply(Change::Mark { instrument_id: mark.instrument_id, mark_px: mark.mark_px });
                }
            }
            Change::Position { account, instrument_id, qty } => {
                *self.listed(instrument_id).net_qty.entry(account).or_default() += qty;
            }
            Change::Mark { instrument_id, mark_px } => self.listed(instrument_id).mark_px = Some(mark_px),
            Change::Instrument(instrument) => {
                let terms = Terms::of(&instrument);
                self.listed(instrument.terms().instrument_id.clone()).terms = Some(terms);
            }
        }
    }

    fn listed(&mut self, instrument_id: String) -> &mut Listed {
        let listed = self.instruments.entry(instrument_id).or_default();
        listed.version = self.version;
        listed
    }
}
