//! What a session shows: accounts, positions, marks, definitions and exchange rates, as they were sent; each instrument
//! with the version at which it last changed.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;

use super::rates::Rates;
use crate::proto::pretrade_event::Event;
use crate::proto::{Instrument, PretradeEvent, PretradeSnapshot, Side};

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
    accounts: HashSet<String>,
    instruments: HashMap<String, Listed>,
    rates: Rates,
}

#[derive(Default)]
struct Listed {
    version: u64,
    terms: Option<Terms>,
    mark_px: Option<i64>,
    /// By account.
    net_qty: HashMap<String, i128>,
}

struct Terms {
    price_unit: f64,
    qty_unit: f64,
    multiplier: f64,
    currency: String,
}

impl Terms {
    fn of(instrument: Instrument) -> Self {
        let unit = |scale: u32| 10f64.powi(-(scale as i32));
        let multiplier = instrument.multiplier.map_or(1.0, |sent| sent.mantissa as f64 * unit(sent.scale));
        let (price_unit, qty_unit) = (unit(instrument.price_scale), unit(instrument.qty_scale));
        Self { price_unit, qty_unit, multiplier, currency: instrument.quote_currency }
    }
}

/// An instrument as it is now.
#[derive(Debug)]
pub(crate) struct Seen {
    pub instrument_id: String,
    /// Units, short negative; of the account asked for, or of all.
    pub qty: f64,
    pub multiplier: f64,
    /// What it is quoted in.
    pub currency: String,
    pub mark: Option<f64>,
}

/// What is new on a board.
#[derive(Debug)]
pub(crate) struct News {
    pub version: u64,
    /// Everything is in `seen`, and what is not is gone.
    pub from_scratch: bool,
    pub ended: bool,
    /// The account asked for is one of the session's; all of them are.
    pub is_known: bool,
    pub sequence: u64,
    pub transact_time_ns: i64,
    pub seen: Vec<Seen>,
    pub rates: Rates,
}

impl Board {
    /// What changed after a version, of one account or (empty) of all.
    pub(crate) fn news(&self, after: u64, account: &str) -> News {
        let shown = lock(&self.shown);
        let from_scratch = after < shown.begun;
        let is_new = |listed: &Listed| from_scratch || listed.version > after;
        let seen = |(id, listed): (&String, &Listed)| {
            let terms = listed.terms.as_ref()?;
            let net_qty = match account {
                "" => listed.net_qty.values().sum(),
                account => listed.net_qty.get(account).copied().unwrap_or_default(),
            };
            let mark = listed.mark_px.map(|px| px as f64 * terms.price_unit);
            let (qty, multiplier) = (net_qty as f64 * terms.qty_unit, terms.multiplier);
            Some(Seen { instrument_id: id.clone(), qty, multiplier, currency: terms.currency.clone(), mark })
        };
        News {
            version: shown.version,
            from_scratch,
            ended: shown.ended,
            is_known: account.is_empty() || shown.accounts.contains(account),
            sequence: shown.sequence,
            transact_time_ns: shown.transact_time_ns,
            seen: shown.instruments.iter().filter(|(_, listed)| is_new(listed)).filter_map(seen).collect(),
            rates: shown.rates.clone(),
        }
    }

    /// Told of each new version.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

/// A change that a board shows.
pub(crate) struct Change(Event);

impl Change {
    /// What of an event is to be shown; most events are checks, of which nothing is.
    pub(crate) fn of(event: &PretradeEvent) -> Option<Self> {
        let event = event.event.as_ref()?;
        let is_shown = matches!(
            event,
            Event::Snapshot(_)
                | Event::Fill(_)
                | Event::Adjust(_)
                | Event::Correction(_)
                | Event::Mark(_)
                | Event::Instrument(_)
                | Event::AccountOpened(_)
                | Event::FxRates(_)
        );
        is_shown.then(|| Self(event.clone()))
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
            shown.apply(change.0);
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
    fn apply(&mut self, event: Event) {
        match event {
            Event::Snapshot(snapshot) => self.begin(snapshot),
            Event::Fill(fill) => {
                let qty = match fill.side() {
                    Side::Buy => i128::from(fill.last_qty),
                    Side::Sell => -i128::from(fill.last_qty),
                    Side::Unspecified => 0,
                };
                self.moved(fill.account, fill.instrument_id, qty);
            }
            Event::Adjust(adjust) => self.moved(adjust.account, adjust.instrument_id, adjust.qty.into()),
            Event::Correction(correction) => {
                self.moved(correction.account, correction.instrument_id, correction.qty.into());
            }
            Event::Mark(mark) => self.listed(mark.instrument_id).mark_px = Some(mark.mark_px),
            Event::Instrument(instrument) => {
                let id = instrument.instrument_id.clone();
                self.listed(id).terms = Some(Terms::of(instrument));
            }
            Event::AccountOpened(opened) => {
                self.accounts.insert(opened.account);
            }
            Event::FxRates(sent) => {
                self.rates.take(sent);
                // What is converted is worth something else now.
                self.instruments.values_mut().for_each(|listed| listed.version = self.version);
            }
            // `Change::of` lets nothing else through.
            _ => {}
        }
    }

    fn begin(&mut self, snapshot: PretradeSnapshot) {
        self.begun = self.version;
        (self.accounts, self.instruments, self.rates) = Default::default();
        let instruments = snapshot.instruments.into_iter().map(Event::Instrument);
        let accounts = snapshot.accounts.into_iter().map(Event::AccountOpened);
        let marks = snapshot.marks.into_iter().map(Event::Mark);
        let rates = snapshot.fx_rates.into_iter().map(Event::FxRates);
        instruments.chain(accounts).chain(marks).chain(rates).for_each(|event| self.apply(event));
        for position in snapshot.positions {
            self.moved(position.account, position.instrument_id, position.net_qty.into());
        }
    }

    fn moved(&mut self, account: String, instrument_id: String, qty: i128) {
        *self.listed(instrument_id).net_qty.entry(account).or_default() += qty;
    }

    fn listed(&mut self, instrument_id: String) -> &mut Listed {
        let listed = self.instruments.entry(instrument_id).or_default();
        listed.version = self.version;
        listed
    }
}
