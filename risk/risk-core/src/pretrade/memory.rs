//! What of the state no snapshot tells: how it is written, restored and hashed.
//!
//! Everything is written in the order of its names, so that equal states are equal bytes however they came to be.

mod bytes;

use sha2::{Digest, Sha256};

use self::bytes::{Reader, Writer};
use super::book::Scope;
use super::conduct::{Conduct, LossLatch};
use super::exposure::Exposure;
use super::orders::{Held, Place};
use super::state::{Repeated, State};
use super::windows::{Activity, Bucket, Likeness, Window};
use super::{EventError, Machine, OrdType, RiskLimit, Side, TradingState};

/// Grows with each change of the encoding.
const VERSION: u8 = 2;
/// The oldest that is still read: it does not say since when a latch is engaged.
const OLDEST: u8 = 1;
/// Bytes of the checksum at the end.
const CHECKSUM: usize = 8;

/// The memory, and a hash over the whole state.
pub(super) fn save(state: &State) -> (Vec<u8>, [u8; 32]) {
    let mut writer = Writer::default();
    write(state, &mut writer);
    let mut memory = writer.bytes();
    let sum = Sha256::digest(&memory);
    memory.extend(sum.iter().take(CHECKSUM));
    let mut hash = Sha256::new();
    hash.update(told(state));
    hash.update(&memory);
    (memory, hash.finalize().into())
}

/// What a snapshot tells too.
fn told(state: &State) -> Vec<u8> {
    let mut writer = Writer::default();
    for number in state.instruments.sorted() {
        let listed = state.instruments.get(number);
        if let Some(instrument) = &listed.instrument {
            writer.text(&format!("{:?} {:?}", instrument.terms(), listed.mark));
        }
    }
    for number in state.accounts.sorted() {
        let owner = state.accounts.get(number);
        if let Some(base_currency) = &owner.base_currency {
            writer.text(state.accounts.name(number));
            writer.text(&format!("{base_currency} {:?}", owner.cash));
        }
    }
    let mut limits: Vec<&RiskLimit> = state.risk_limits.limits().iter().collect();
    limits.sort_by_key(|limit| limit.scope());
    writer.text(&format!("{} {} {limits:?}", state.risk_limits.version(), state.risk_limits.market_order_band_bps()));
    for cell in sorted_cells(state).into_iter().filter(|cell| state.cells[*cell].exposure.net_qty != 0) {
        write_cell(state, cell, &mut writer);
        writer.integer(state.cells[cell].exposure.net_qty);
    }
    for (order_id, held) in sorted_orders(state) {
        writer.unsigned(order_id);
        write_cell(state, held.cell, &mut writer);
        writer.byte(held.side as u8);
        writer.byte(held.has_trigger.into());
        writer.all(held.list.iter().collect(), |writer, (list, contingency)| {
            writer.unsigned(*list);
            writer.byte(*contingency as u8);
        });
    }
    let switches = &state.switches;
    writer.text(&format!("{:?} {:?}", switches.states().collect::<Vec<_>>(), switches.kills().collect::<Vec<_>>()));
    writer.text(&format!("{:?} {:?}", state.fx.rates().collect::<Vec<_>>(), state.model));
    writer.bytes()
}

fn write(state: &State, writer: &mut Writer) {
    writer.byte(VERSION);
    writer.integer(state.day.into());
    let traded = |cell: &usize| state.cells[*cell].exposure.traded_qty != 0 || !state.cells[*cell].cash.is_empty();
    writer.all(sorted_cells(state).into_iter().filter(traded).collect(), |writer, cell| {
        let Exposure { traded_qty, traded_turnover, .. } = state.cells[cell].exposure;
        write_cell(state, cell, writer);
        writer.integer(traded_qty);
        writer.integer(traded_turnover);
        writer.all(state.cells[cell].cash.balances().collect(), |writer, (currency, balance)| {
            writer.text(currency);
            writer.integer(balance);
        });
    });
    writer.all(sorted_orders(state), |writer, (order_id, held)| write_order(order_id, held, writer));
    let mut groups: Vec<_> = state.orders.groups().map(|(place, group)| (*place, group.budget)).collect();
    groups.sort_by_key(|(place, _)| (place.list, cell_names(state, place.cell), place.side));
    writer.all(groups, |writer, (place, budget)| {
        writer.unsigned(place.list);
        write_cell(state, place.cell, writer);
        writer.byte(place.side as u8);
        writer.integer(budget);
    });
    let mut scopes: Vec<&Scope> = state.scopes.iter().collect();
    scopes.sort_by_key(|scope| state.scope_name(&scope.key));
    writer.all(scopes, |writer, scope| write_scope(state, scope, writer));
    let mut latched: Vec<_> = state
        .latched
        .iter()
        .map(|((account, strategy), it)| (state.accounts.name(*account), state.strategies.name(*strategy), it))
        .collect();
    latched.sort_unstable_by_key(|(account, strategy, _)| (*account, *strategy));
    writer.all(latched, |writer, (account, strategy, repeated)| {
        writer.text(account);
        writer.text(strategy);
        writer.unsigned(repeated.since);
        writer.unsigned(repeated.count.into());
    });
}

fn cell_names(state: &State, cell: usize) -> [&str; 3] {
    let cell = &state.cells[cell];
    let book = &state.books[cell.book];
    [state.accounts.name(book.account), state.strategies.name(cell.strategy), state.instruments.name(book.instrument)]
}

fn sorted_cells(state: &State) -> Vec<usize> {
    let mut cells: Vec<usize> = (0..state.cells.len()).collect();
    cells.sort_unstable_by_key(|cell| cell_names(state, *cell));
    cells
}

fn sorted_orders(state: &State) -> Vec<(u64, &Held)> {
    let mut orders: Vec<_> = state.orders.iter().collect();
    orders.sort_unstable_by_key(|(order_id, _)| *order_id);
    orders
}

fn write_cell(state: &State, cell: usize, writer: &mut Writer) {
    cell_names(state, cell).into_iter().for_each(|name| writer.text(name));
}

fn write_order(order_id: u64, held: &Held, writer: &mut Writer) {
    writer.unsigned(order_id);
    writer.integer(held.leaves_qty.into());
    writer.integer(held.price);
    writer.optional(held.limit_px.map(i128::from));
    writer.integer(held.order_qty.into());
    writer.byte(held.ord_type as u8);
}

fn write_scope(state: &State, scope: &Scope, writer: &mut Writer) {
    let RiskLimit { account, strategy_id, instrument_id, .. } = &scope.limit;
    [account, strategy_id, instrument_id].into_iter().for_each(|name| writer.text(name));
    let conduct = &scope.conduct;
    writer.optional(conduct.day_start);
    writer.optional(conduct.peak);
    writer.all(conduct.loss.iter().collect(), |writer, latch| {
        writer.byte(latch.trading_state as u8);
        writer.unsigned(latch.since);
        writer.integer(latch.limit);
        writer.integer(latch.value);
    });
    writer.all(conduct.bucket.iter().collect(), |writer, bucket| {
        writer.integer(bucket.tokens_e9);
        writer.integer(bucket.filled_at_ns.into());
    });
    for window in [&conduct.duplicates, &conduct.repeats] {
        writer.all(window.seen().collect(), |writer, (at_ns, likeness)| {
            writer.integer((*at_ns).into());
            write_likeness(state, likeness, writer);
        });
    }
    [conduct.refused, conduct.venue_refused].into_iter().for_each(|count| writer.unsigned(count.into()));
    [conduct.storm, conduct.too_active].into_iter().for_each(|since| writer.optional(since.map(i128::from)));
    writer.all(conduct.activity.slices().collect(), |writer, (slice, orders, fills)| {
        writer.integer((*slice).into());
        writer.unsigned(*orders);
        writer.unsigned(*fills);
    });
}

fn write_likeness(state: &State, likeness: &Likeness, writer: &mut Writer) {
    write_cell(state, likeness.cell, writer);
    writer.byte(likeness.side as u8);
    writer.integer(likeness.qty.into());
    writer.optional(likeness.price.map(i128::from));
    writer.optional(likeness.stop_px.map(i128::from));
    writer.byte(likeness.ord_type as u8);
}

/// Refuses a state that is not the one which gave the memory. A memory of another version was hashed in another way.
pub(super) fn compare(state: &State, memory: &[u8], expected: &[u8]) -> Result<(), EventError> {
    if memory.first() != Some(&VERSION) {
        return Ok(());
    }
    let (_, hash) = save(state);
    if hash == expected {
        return Ok(());
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let rule = "must be that of the state it is restored to";
    Err(EventError::new("snapshot", "state_hash", rule, format!("{}, the state has {}", hex(expected), hex(&hash))))
}

/// Takes a memory over, after its snapshot.
pub(super) fn restore(machine: &mut Machine, bytes: &[u8]) -> Result<(), EventError> {
    let (bytes, sum) = bytes.split_at(bytes.len().saturating_sub(CHECKSUM));
    if Sha256::digest(bytes).get(..CHECKSUM) != Some(sum) {
        return Err(EventError::new("memory", "checksum", "must be that of its bytes", "another one"));
    }
    let mut reader = Reader::new(bytes);
    let version = reader.byte()?;
    if !(OLDEST..=VERSION).contains(&version) {
        return Err(EventError::new("memory", "version", "must be one that is known", version));
    }
    machine.state.day = reader.number()?;
    reader.all(|reader| read_traded(machine, reader))?;
    reader.all(|reader| read_order(machine, reader))?;
    reader.all(|reader| {
        let list = reader.unsigned()?;
        let (cell, side) = (read_cell(machine, reader)?, reader.one_of(&[Side::Buy, Side::Sell])?);
        let budget = reader.integer()?;
        machine.changes.extend(machine.state.orders.restore_budget(Place { list, cell, side }, budget));
        Ok(())
    })?;
    machine.post()?;
    reader.all(|reader| read_scope(machine, reader, version))?;
    reader.all(|reader| {
        let (account, strategy) = (reader.text()?, reader.text()?);
        let account = machine.state.accounts.find_or_add(account);
        let strategy = machine.state.strategies.find_or_add(strategy);
        let repeated = match version {
            OLDEST => Repeated { since: 0, count: 0 },
            _ => Repeated { since: reader.unsigned()?, count: reader.number()? },
        };
        machine.state.latched.insert((account, strategy), repeated);
        Ok(())
    })?;
    reader.end()
}

fn read_cell(machine: &mut Machine, reader: &mut Reader) -> Result<usize, EventError> {
    let (account, strategy, instrument) = (reader.text()?, reader.text()?, reader.text()?);
    machine.cell(|| "memory".to_owned(), account, strategy, instrument)
}

fn read_traded(machine: &mut Machine, reader: &mut Reader) -> Result<(), EventError> {
    let cell = read_cell(machine, reader)?;
    let (traded_qty, traded_turnover) = (reader.integer()?, reader.integer()?);
    machine.state.shift(cell, &Exposure { traded_qty, traded_turnover, ..Exposure::default() })?;
    reader.all(|reader| {
        let (currency, balance) = (reader.text()?, reader.integer()?);
        machine.state.pay_cell(cell, currency, balance)
    })
}

/// An order that the snapshot does not hold has ended since.
fn read_order(machine: &mut Machine, reader: &mut Reader) -> Result<(), EventError> {
    let order_id = reader.unsigned()?;
    let (leaves_qty, price) = (reader.number()?, reader.integer()?);
    let limit_px = reader.optional()?.map(|price| i64::try_from(price).unwrap_or(i64::MAX));
    let (order_qty, ord_type) = (reader.number()?, read_ord_type(reader)?);
    if let Some(known) = machine.state.orders.get(order_id).cloned() {
        let held = Held { leaves_qty, price, limit_px, order_qty, ord_type, ..known.clone() };
        machine.change(order_id, &known, held);
    }
    Ok(())
}

fn read_ord_type(reader: &mut Reader) -> Result<OrdType, EventError> {
    use OrdType::{Limit, Market, Stop, StopLimit, TrailingStop};
    reader.one_of(&[Market, Limit, Stop, StopLimit, TrailingStop])
}

fn read_scope(machine: &mut Machine, reader: &mut Reader, version: u8) -> Result<(), EventError> {
    let (account, strategy, instrument) = (reader.text()?, reader.text()?, reader.text()?);
    let key = machine.state.key(account, strategy, instrument);
    let mut conduct = Conduct { day_start: reader.optional()?, peak: reader.optional()?, ..Conduct::default() };
    reader.all(|reader| {
        let states = [TradingState::Active, TradingState::Reducing, TradingState::CancelOnly, TradingState::Halted];
        let trading_state = reader.one_of(&states)?;
        let since = read_since(reader, version)?;
        conduct.loss = Some(LossLatch { since, trading_state, limit: reader.integer()?, value: reader.integer()? });
        Ok(())
    })?;
    reader.all(|reader| {
        conduct.bucket = Some(Bucket { tokens_e9: reader.integer()?, filled_at_ns: reader.number()? });
        Ok(())
    })?;
    conduct.duplicates = read_window(machine, reader)?;
    conduct.repeats = read_window(machine, reader)?;
    (conduct.refused, conduct.venue_refused) = (reader.number()?, reader.number()?);
    for since in [&mut conduct.storm, &mut conduct.too_active] {
        *since = if reader.byte()? == 0 { None } else { Some(read_since(reader, version)?) };
    }
    let mut activity = Activity::default();
    reader.all(|reader| {
        activity.remember((reader.number()?, reader.unsigned()?, reader.unsigned()?));
        Ok(())
    })?;
    conduct.activity = activity;
    // A scope without limits is remembered by nobody.
    if let Some(scope) = machine.state.scope_index.get(&key) {
        machine.state.scopes[*scope].conduct = conduct;
    }
    Ok(())
}

/// Since when a latch is engaged; 0: not known.
fn read_since(reader: &mut Reader, version: u8) -> Result<u64, EventError> {
    if version == OLDEST { Ok(0) } else { reader.unsigned() }
}

fn read_window(machine: &mut Machine, reader: &mut Reader) -> Result<Window, EventError> {
    let mut window = Window::default();
    reader.all(|reader| {
        let at_ns = reader.number()?;
        let likeness = Likeness {
            cell: read_cell(machine, reader)?,
            side: reader.one_of(&[Side::Buy, Side::Sell])?,
            qty: reader.number()?,
            price: reader.optional()?.and_then(|price| i64::try_from(price).ok()),
            stop_px: reader.optional()?.and_then(|price| i64::try_from(price).ok()),
            ord_type: read_ord_type(reader)?,
        };
        window.remember(at_ns, likeness);
        Ok(())
    })?;
    Ok(window)
}
