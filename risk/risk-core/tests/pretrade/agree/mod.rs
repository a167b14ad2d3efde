//! The machine agrees with the naive one on every order of long random streams, and goes on from any save as if nothing had
//! happened. `PRETRADE_EVENTS` asks for more events than the 200,000 of every run.

mod orders;
mod others;
mod told;

use risk_core::pretrade::{
    Adjust, Answers, Cash, Check, Contingency, Correction, Decided, Decision, Event, FxRate, Hold, Instrument, Machine,
    Mark, Memory, Model, Money, NewOrder, OrdRejReason, OrdType, Replace, RiskLimit, RiskLimits, Side, Snapshot, Stamp,
    TradingScope, TradingState,
};

use crate::fixture::{asked, decimal, limit_order, whole_units};
use crate::naive::{DAY_NS, Key, Naive, Open, covers, key};

use told::{covariance, hold, model, rate, told};

const EUR_STOCK: &str = "SAP.XETR";
const USD_STOCK: &str = "AAPL.XNAS";
const FUTURE: &str = "ES.XCME";
const INSTRUMENTS: [&str; 3] = [USD_STOCK, EUR_STOCK, FUTURE];
const ACCOUNTS: [&str; 2] = ["A", "B"];
const STRATEGIES: [&str; 3] = ["", "s", "t"];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to below `high`.
    fn within(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low) as u64) as i64
    }

    fn one_in(&mut self, n: i64) -> bool {
        self.within(0, n) == 0
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.within(0, all.len() as i64) as usize]
    }

    fn side(&mut self) -> Side {
        if self.one_in(2) { Side::Buy } else { Side::Sell }
    }
}

struct Run {
    stream: u64,
    random: Random,
    machine: Machine,
    naive: Naive,
    sequence: u64,
    version: u64,
    /// A state that was saved, and what has happened since.
    saved: Option<(Stamp, Snapshot)>,
    since: Vec<(Stamp, Event)>,
    approvals: usize,
    refusals: std::collections::BTreeMap<OrdRejReason, usize>,
    alarms: usize,
    restored: usize,
}

impl Run {
    fn new(seed: u64) -> Self {
        let terms =
            |id: &str, quote: &str, multiplier, price_scale, qty_scale, lot| risk_core::pretrade::InstrumentTerms {
                instrument_id: id.into(),
                quote_currency: quote.into(),
                multiplier: decimal(multiplier, 0),
                price_scale,
                qty_scale,
                qty_increment: lot,
                ..whole_units()
            };
        let account =
            |name: &str, base: &str| risk_core::pretrade::Account { account: name.into(), base_currency: base.into() };
        let naive = Naive {
            accounts: vec![account("A", "USD"), account("B", "EUR")],
            instruments: vec![
                terms(USD_STOCK, "USD", 1, 2, 0, 1),
                terms(EUR_STOCK, "EUR", 1, 1, 0, 1),
                terms(FUTURE, "USD", 5, 0, 1, 5),
            ],
            band_bps: 200,
            ..Naive::default()
        };
        let machine = Machine::new(Stamp::default(), told(&naive, 0, None)).expect("a snapshot");
        let mut run = Self {
            stream: seed,
            random: Random(seed),
            machine,
            naive,
            sequence: 0,
            version: 0,
            saved: None,
            since: Vec::new(),
            approvals: 0,
            refusals: Default::default(),
            alarms: 0,
            restored: 0,
        };
        run.naive_follows();
        run
    }

    fn apply(&mut self, event: Event) -> Answers {
        self.sequence += 1;
        let stamp = Stamp { sequence: self.sequence, transact_time_ns: self.naive.now };
        let mut answers = Answers::default();
        self.machine.apply(stamp, event.clone(), &mut answers).expect("an event that can be true");
        self.since.push((stamp, decided(event, &answers.decisions)));
        self.alarms += answers.alarms.len();
        answers
    }

    fn naive_follows(&mut self) {
        for (scope, limit) in self.naive.scopes() {
            let equity = self.naive.equity(&scope);
            let habits = self.naive.habits.entry(scope).or_default();
            if let Some(equity) = equity {
                habits.follow(&limit, equity);
            }
        }
    }

    fn step(&mut self) {
        let passed = match self.random.within(0, 400) {
            0 => DAY_NS / 3,
            1..200 => 0,
            _ => self.random.within(0, 20_000_000),
        };
        self.naive.pass(self.naive.now + passed);
        match self.random.within(0, 1_000) {
            0..340 => self.new_order(),
            340..400 => self.list(),
            400..460 => self.replace(),
            460..680 => self.fill(),
            680..780 => self.close(),
            780..810 => self.restate(),
            810..905 => self.mark(),
            905..935 => self.move_without_fill(),
            935..938 => self.set_limits(),
            938..960 => self.set_state(),
            960..966 => self.set_kill(),
            966..980 => self.set_rate_or_model(),
            980..990 => self.save(),
            _ => self.restore(),
        }
    }

    // A save, and a start from it.

    fn save(&mut self) {
        let memories = self.apply(Event::Save).memories;
        let stamp = Stamp { sequence: self.sequence, transact_time_ns: self.naive.now };
        let [memory] = memories.try_into().expect("one memory");
        assert_eq!(memory.state_hash, self.machine.state_hash());
        self.saved = Some((stamp, told(&self.naive, self.version, Some(memory))));
        self.since.clear();
    }

    fn restore(&mut self) {
        let Some((stamp, snapshot)) = self.saved.take() else { return };
        let mut machine = Machine::new(stamp, snapshot).expect("a snapshot that was saved");
        for (stamp, event) in self.since.drain(..) {
            let mut answers = Answers::default();
            machine.apply(stamp, event, &mut answers).expect("an event that happened");
            assert_eq!(answers.decisions, [], "what was decided is taken over");
        }
        assert_eq!(machine.state_hash(), self.machine.state_hash(), "sequence {}", self.sequence);
        self.machine = machine;
        self.restored += 1;
    }
}

/// An event as it is told again, with what was decided.
fn decided(event: Event, decisions: &[Decision]) -> Event {
    let of = |decision: &Decision| {
        let first = decision.check_failures.first().map(|failure| failure.ord_rej_reason);
        let blocked = first.is_some_and(|it| it <= OrdRejReason::StateReducing || it == OrdRejReason::List);
        Decided { approved: decision.approved(), blocked }
    };
    match event {
        Event::Check(check) => Event::Check(Check { decided: decisions.iter().map(of).collect(), ..check }),
        Event::Replace(replace) => Event::Replace(Replace { decided: decisions.first().map(of), ..replace }),
        other => other,
    }
}

#[test]
fn every_decision_is_that_of_a_naive_machine_and_every_restart_goes_on() {
    let events = std::env::var("PRETRADE_EVENTS").ok().and_then(|it| it.parse().ok()).unwrap_or(200_000);
    let streams = 40;
    let mut refusals = std::collections::BTreeMap::<OrdRejReason, usize>::new();
    let (mut approvals, mut alarms, mut restored) = (0, 0, 0);
    for seed in 1..=streams {
        let mut run = Run::new(seed);
        for _ in 0..events / streams {
            run.step();
        }
        run.refusals.iter().for_each(|(reason, count)| *refusals.entry(*reason).or_default() += count);
        (approvals, alarms, restored) = (approvals + run.approvals, alarms + run.alarms, restored + run.restored);
    }
    println!("{events} events: {approvals} approvals, {alarms} alarms, {restored} restarts, refusals {refusals:?}");
    let not_asked = [
        OrdRejReason::InstrumentClosed,
        OrdRejReason::InvalidField,
        OrdRejReason::UnknownAccount,
        OrdRejReason::UnknownInstrument,
        OrdRejReason::InvalidPrice,
        OrdRejReason::BatchSize,
    ];
    assert_eq!(refusals.len() + not_asked.len(), 37, "every other check refuses: {refusals:?}");
}
