//! The state, and the sums that follow every change of it.

use std::collections::{BTreeMap, HashMap};

use super::book::{Book, Cell, Ladder, Listed, Owner, Registry, Scope, ScopeKey};
use super::conduct::Conduct;
use super::exposure::{Exposure, Totals, Units};
use super::instrument::DAY_NS;
use super::money::{Attos, FxTable, worth_of_unit};
use super::orders::{Held, Orders};
use super::scope::Switches;
use super::var::VarBook;
use super::{EventError, Hold, Instrument, Model, RiskLimit, RiskLimits, scope};

/// Pre-trade state. It only comes from a snapshot, so there is none to decide on before the first one.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) accounts: Registry<Owner>,
    pub(super) strategies: Registry<()>,
    pub(super) instruments: Registry<Listed>,
    pub(super) books: Vec<Book>,
    pub(super) cells: Vec<Cell>,
    book_index: HashMap<(usize, usize), usize>,
    cell_index: HashMap<(usize, usize), usize>,
    pub(super) scopes: Vec<Scope>,
    pub(super) scope_index: HashMap<ScopeKey, usize>,
    bases: Registry<()>,
    pub(super) orders: Orders,
    pub(super) risk_limits: RiskLimits,
    pub(super) switches: Switches,
    pub(super) fx: FxTable,
    pub(super) model: Option<Model>,
    /// Nothing held, by that model; None: there is none that VaR can be computed from.
    empty_var: Option<VarBook>,
    /// Strategies that repeated themselves too often, by account and strategy.
    pub(super) latched: BTreeMap<(usize, usize), Repeated>,
    /// The UTC day, since the epoch.
    pub(super) day: i64,
    /// Scopes whose sums changed with this event.
    pub(super) touched: Vec<usize>,
}

/// A strategy whose orders were too much alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeated {
    /// Sequence of the event that latched it.
    pub(super) since: u64,
    /// How many of them the limit allows no more.
    pub(super) count: u32,
}

impl State {
    pub(super) fn instrument(&self, instrument_id: &str) -> Option<usize> {
        let found = self.instruments.find(instrument_id)?;
        self.instruments.get(found).instrument.as_ref().map(|_| found)
    }

    pub(super) fn account(&self, account: &str) -> Option<usize> {
        let found = self.accounts.find(account)?;
        self.accounts.get(found).base_currency.as_ref().map(|_| found)
    }

    /// The cell of a strategy in an account and instrument that exist.
    pub(super) fn cell(&mut self, account: usize, strategy_id: &str, instrument: usize) -> usize {
        let book = match self.book_index.get(&(account, instrument)) {
            Some(book) => *book,
            None => self.add_book(account, instrument),
        };
        let strategy = self.strategies.find_or_add(strategy_id);
        match self.cell_index.get(&(book, strategy)) {
            Some(cell) => *cell,
            None => self.add_cell(book, strategy),
        }
    }

    pub(super) fn find_book(&self, account: &str, instrument_id: &str) -> Option<&Book> {
        let place = (self.accounts.find(account)?, self.instruments.find(instrument_id)?);
        self.book_index.get(&place).map(|book| &self.books[*book])
    }

    fn add_book(&mut self, account: usize, instrument: usize) -> usize {
        let exposure = Exposure::default();
        let mut book = Book { account, instrument, exposure, scopes: Vec::new(), ladder: Ladder::default() };
        self.cover_book(&mut book);
        self.books.push(book);
        let number = self.books.len() - 1;
        self.book_index.insert((account, instrument), number);
        self.instruments.get_mut(instrument).books.push(number);
        number
    }

    fn add_cell(&mut self, book: usize, strategy: usize) -> usize {
        let mut cell =
            Cell { book, strategy, exposure: Exposure::default(), cash: Default::default(), scopes: Vec::new() };
        self.cover_cell(&mut cell);
        self.cells.push(cell);
        let number = self.cells.len() - 1;
        self.cell_index.insert((book, strategy), number);
        let instrument = self.books[book].instrument;
        self.instruments.get_mut(instrument).cells.push(number);
        number
    }

    fn cover_book(&self, book: &mut Book) {
        let of_all = |key: &ScopeKey| key.strategy.is_none();
        let covering = ScopeKey::covering(book.account, usize::MAX, book.instrument);
        book.scopes = self.existing(covering.into_iter().filter(of_all));
    }

    fn cover_cell(&self, cell: &mut Cell) {
        let book = &self.books[cell.book];
        cell.scopes = self.existing(ScopeKey::covering(book.account, cell.strategy, book.instrument).into_iter());
    }

    fn existing(&self, keys: impl Iterator<Item = ScopeKey>) -> Vec<usize> {
        keys.filter_map(|key| self.scope_index.get(&key).copied()).collect()
    }

    /// The units of an instrument in the base currency of a scope.
    pub(super) fn units(&self, listed: &Listed, scope: &Scope) -> Units {
        scope.base.and_then(|base| listed.units.get(base).copied()).unwrap_or_default()
    }

    /// Moves a cell, its book and the sums of every scope that they count in.
    pub(super) fn shift(&mut self, cell: usize, change: &Exposure) -> Result<(), EventError> {
        let book = self.cells[cell].book;
        let instrument = self.books[book].instrument;
        let (cell_before, book_before) = (self.cells[cell].exposure, self.books[book].exposure);
        let (Some(cell_after), Some(book_after)) = (cell_before.plus(change), book_before.plus(change)) else {
            let event = format!("position of {}", self.instruments.name(instrument));
            return Err(EventError::new(event, "quantity", "must fit into 128 bits", "an overflow"));
        };
        let listed = self.instruments.get(instrument);
        for number in &self.cells[cell].scopes {
            let Some(scope) = self.scopes.get_mut(*number) else { continue };
            let units = scope.base.and_then(|base| listed.units.get(base).copied()).unwrap_or_default();
            let of_cell = scope.key.strategy.is_some();
            let (before, after) = if of_cell { (cell_before, cell_after) } else { (book_before, book_after) };
            let (before, after) = (Totals::of(&before, &units), Totals::of(&after, &units));
            add(scope, listed.factor, &before, &after)?;
            self.touched.push(*number);
        }
        (self.cells[cell].exposure, self.books[book].exposure) = (cell_after, book_after);
        Ok(())
    }

    /// Moves cash that a fill paid, of its cell and of its account.
    pub(super) fn pay(&mut self, cell: usize, currency: &str, attos: Attos) -> Result<(), EventError> {
        self.pay_cell(cell, currency, attos)?;
        self.pay_account(self.books[self.cells[cell].book].account, currency, attos)
    }

    /// Moves cash of a cell alone.
    pub(super) fn pay_cell(&mut self, cell: usize, currency: &str, attos: Attos) -> Result<(), EventError> {
        let before = self.cells[cell].cash.balance(currency);
        self.cells[cell].cash.add(currency, attos).ok_or_else(|| overflow(currency))?;
        let after = self.cells[cell].cash.balance(currency);
        for place in 0..self.cells[cell].scopes.len() {
            let number = self.cells[cell].scopes[place];
            if !self.scopes[number].key.is_whole() {
                self.move_cash(number, currency, before, after)?;
            }
        }
        Ok(())
    }

    /// Moves cash of an account.
    pub(super) fn pay_account(&mut self, account: usize, currency: &str, attos: Attos) -> Result<(), EventError> {
        let purse = &mut self.accounts.get_mut(account).cash;
        let before = purse.balance(currency);
        purse.add(currency, attos).ok_or_else(|| overflow(currency))?;
        let after = purse.balance(currency);
        for number in self.whole_scopes(account) {
            self.move_cash(number, currency, before, after)?;
        }
        Ok(())
    }

    /// The scopes of the account and of the firm.
    pub(super) fn whole_scopes(&self, account: usize) -> Vec<usize> {
        let of_account = ScopeKey { account: Some(account), ..ScopeKey::default() };
        self.existing([ScopeKey::default(), of_account].into_iter())
    }

    fn move_cash(&mut self, scope: usize, currency: &str, before: Attos, after: Attos) -> Result<(), EventError> {
        let [before, after] = [before, after].map(|balance| self.worth_of_cash(&self.scopes[scope], currency, balance));
        self.touched.push(scope);
        add(&mut self.scopes[scope], None, &before, &after)
    }

    /// A balance in the base currency of a scope.
    pub(super) fn worth_of_cash(&self, scope: &Scope, currency: &str, balance: Attos) -> Totals {
        let rate = || self.fx.rate(currency, self.bases.name(scope.base?));
        if balance == 0 { Totals::default() } else { Totals::of_cash(rate().and_then(|rate| rate.of(balance))) }
    }

    /// A new mark: what is held moves with it.
    pub(super) fn set_mark(&mut self, instrument: usize, mark: (i64, i64)) -> Result<(), EventError> {
        let before = self.instruments.get(instrument).units.clone();
        let listed = self.instruments.get_mut(instrument);
        listed.mark = Some(mark);
        for units in &mut listed.units {
            units.of_qty = units.of_product.and_then(|unit| unit.of(mark.0.into()));
        }
        let listed = self.instruments.get(instrument);
        let books = listed.books.iter().flat_map(|book| {
            let book = &self.books[*book];
            book.scopes.iter().map(|scope| (*scope, book.exposure))
        });
        let of_strategy = |scope: &&usize| self.scopes[**scope].key.strategy.is_some();
        let cells = listed.cells.iter().flat_map(|cell| {
            let cell = &self.cells[*cell];
            cell.scopes.iter().filter(of_strategy).map(|scope| (*scope, cell.exposure))
        });
        let moved: Vec<(usize, Exposure)> = books.chain(cells).collect();
        for (number, exposure) in moved {
            let Some(scope) = self.scopes.get_mut(number) else { continue };
            let Some(base) = scope.base else { continue };
            let (Some(old), Some(new)) = (before.get(base), listed.units.get(base)) else { continue };
            add(scope, listed.factor, &Totals::of(&exposure, old), &Totals::of(&exposure, new))?;
            self.touched.push(number);
        }
        Ok(())
    }

    /// Opens, changes or closes nothing: the ladder follows an order that does.
    pub(super) fn lay(&mut self, held: &Held, is_added: bool) {
        let Some(price) = held.limit_px else { return };
        let ladder = &mut self.books[self.cells[held.cell].book].ladder;
        match is_added {
            true => ladder.add(held.side, price),
            false => ladder.remove(held.side, price),
        }
    }

    /// A model that VaR cannot be computed from is none: orders that need one are refused, and everything else goes on.
    pub(super) fn set_model(&mut self, model: Model) -> Option<EventError> {
        let empty = VarBook::new(&model);
        self.model = Some(model);
        let (empty, error) = match empty {
            Ok(empty) => (Some(empty), None),
            Err(error) => (None, Some(error)),
        };
        self.empty_var = empty;
        error
    }

    /// Everything that follows from limits, accounts, definitions, rates and the model, from scratch.
    pub(super) fn derive(&mut self) -> Result<(), EventError> {
        self.derive_scopes();
        self.derive_units();
        self.sum()
    }

    fn derive_scopes(&mut self) {
        let opened = |accounts: &Registry<Owner>| -> Vec<usize> {
            accounts.sorted().into_iter().filter(|account| accounts.get(*account).base_currency.is_some()).collect()
        };
        let accounts = opened(&self.accounts);
        let mut limits = vec![(ScopeKey::default(), RiskLimit::default())];
        for account in &accounts {
            let limit = RiskLimit { account: self.accounts.name(*account).to_owned(), ..RiskLimit::default() };
            limits.push((ScopeKey { account: Some(*account), ..ScopeKey::default() }, limit));
        }
        for limit in self.risk_limits.limits().to_vec() {
            let key = self.key(&limit.account, &limit.strategy_id, &limit.instrument_id);
            match limits.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) => *known = limit,
                None => limits.push((key, limit)),
            }
        }
        let mut conducts: HashMap<ScopeKey, Conduct> =
            self.scopes.drain(..).map(|scope| (scope.key, scope.conduct)).collect();
        self.touched.clear();
        self.scope_index = limits.iter().enumerate().map(|(number, (key, _))| (*key, number)).collect();
        self.bases = Registry::default();
        for (key, limit) in limits {
            let owner = key.account.or(accounts.first().copied());
            let base = owner.and_then(|owner| self.accounts.get(owner).base_currency.clone());
            let base = base.map(|base| self.bases.find_or_add(&base));
            let purse = ScopeKey { account: key.account, ..ScopeKey::default() };
            let purse = self.scope_index.get(&purse).copied().unwrap_or_default();
            let conduct = conducts.remove(&key).unwrap_or_default();
            let totals = Totals::default();
            self.scopes.push(Scope { key, limit, base, purse, totals, conduct, var: None, breached: 0 });
        }
        for number in 0..self.books.len() {
            let mut book = self.books[number].clone();
            self.cover_book(&mut book);
            self.books[number] = book;
        }
        for number in 0..self.cells.len() {
            let mut cell = self.cells[number].clone();
            self.cover_cell(&mut cell);
            self.cells[number] = cell;
        }
    }

    pub(super) fn key(&mut self, account: &str, strategy_id: &str, instrument_id: &str) -> ScopeKey {
        let named = |name: &str| !name.is_empty();
        ScopeKey {
            account: named(account).then(|| self.accounts.find_or_add(account)),
            strategy: named(strategy_id).then(|| self.strategies.find_or_add(strategy_id)),
            instrument: named(instrument_id).then(|| self.instruments.find_or_add(instrument_id)),
        }
    }

    fn derive_units(&mut self) {
        let factors: HashMap<&str, usize> = match &self.model {
            Some(model) => model.instrument_ids.iter().map(String::as_str).zip(0..).collect(),
            None => HashMap::new(),
        };
        for (name, listed) in self.instruments.iter_mut() {
            listed.factor = factors.get(name).copied();
            list_units(listed, &self.bases, &self.fx);
        }
    }

    /// What follows from the definition of one instrument.
    pub(super) fn derive_instrument(&mut self, instrument: usize) -> Result<(), EventError> {
        let listed = self.instruments.get_mut(instrument);
        if !listed.books.is_empty() {
            return self.derive();
        }
        // Nothing is held of it, so no sum moves: a thousand new instruments are not a thousand times everything.
        list_units(listed, &self.bases, &self.fx);
        let name = self.instruments.name(instrument);
        let factor = self.model.as_ref().and_then(|model| model.instrument_ids.iter().position(|it| it == name));
        self.instruments.get_mut(instrument).factor = factor;
        Ok(())
    }

    fn sum(&mut self) -> Result<(), EventError> {
        for scope in &mut self.scopes {
            scope.totals = Totals::default();
            scope.var = scope.limit.max_var.and(self.empty_var.clone());
        }
        for book in &self.books {
            let listed = self.instruments.get(book.instrument);
            for number in &book.scopes {
                let units = self.units(listed, &self.scopes[*number]);
                add(&mut self.scopes[*number], listed.factor, &Totals::default(), &Totals::of(&book.exposure, &units))?;
            }
        }
        for cell in &self.cells {
            let listed = self.instruments.get(self.books[cell.book].instrument);
            for number in &cell.scopes {
                let scope = &self.scopes[*number];
                let mut totals = Totals::default();
                if scope.key.strategy.is_some() {
                    totals += Totals::of(&cell.exposure, &self.units(listed, scope));
                }
                add(&mut self.scopes[*number], listed.factor, &Totals::default(), &totals)?;
            }
        }
        self.sum_cash()?;
        self.touched.extend(0..self.scopes.len());
        self.rebuild_var()
    }

    fn sum_cash(&mut self) -> Result<(), EventError> {
        let mut balances: Vec<(usize, &str, Attos)> = Vec::new();
        for cell in &self.cells {
            let parts = cell.scopes.iter().filter(|scope| !self.scopes[**scope].key.is_whole());
            let of_cell = |scope: &usize| (*scope, cell.cash.balances());
            balances.extend(parts.map(of_cell).flat_map(|(scope, cash)| cash.map(move |(name, it)| (scope, name, it))));
        }
        for account in 0..self.accounts.len() {
            for scope in self.whole_scopes(account) {
                balances.extend(self.accounts.get(account).cash.balances().map(|(name, it)| (scope, name, it)));
            }
        }
        let worth = |(scope, name, balance)| (scope, self.worth_of_cash(&self.scopes[scope], name, balance));
        let worths: Vec<(usize, Totals)> = balances.into_iter().map(worth).collect();
        for (scope, worth) in worths {
            add(&mut self.scopes[scope], None, &Totals::default(), &worth)?;
        }
        Ok(())
    }

    /// Running numbers of VaR from scratch, so that they do not depend on what led here.
    pub(super) fn rebuild_var(&mut self) -> Result<(), EventError> {
        self.scopes.iter_mut().filter_map(|scope| scope.var.as_mut()).try_for_each(VarBook::rebuild).map_err(no_var)
    }

    /// An open order as a snapshot tells it.
    pub(super) fn hold(&self, held: &Held) -> Hold {
        let cell = &self.cells[held.cell];
        let book = &self.books[cell.book];
        Hold {
            account: self.accounts.name(book.account).to_owned(),
            strategy_id: self.strategies.name(cell.strategy).to_owned(),
            instrument_id: self.instruments.name(book.instrument).to_owned(),
            side: held.side,
            leaves_qty: held.leaves_qty,
            price: i64::try_from(held.price).unwrap_or(i64::MAX),
            is_limit: held.limit_px.is_some(),
            has_trigger: held.has_trigger,
            list: held.list,
        }
    }

    /// The name of a scope.
    pub(super) fn scope_name(&self, key: &ScopeKey) -> String {
        let account = key.account.map_or("", |account| self.accounts.name(account));
        let strategy = key.strategy.map_or("", |strategy| self.strategies.name(strategy));
        let instrument = key.instrument.map_or("", |instrument| self.instruments.name(instrument));
        scope::name(&[account, strategy, instrument])
    }

    /// A new day begins: what was traded today is nothing, and losses count from here.
    pub(super) fn turn_day(&mut self, time_ns: i64) -> Result<(), EventError> {
        let day = time_ns.div_euclid(DAY_NS);
        if day <= self.day {
            return Ok(());
        }
        self.day = day;
        for cell in 0..self.cells.len() {
            let Exposure { traded_qty, traded_turnover, .. } = self.cells[cell].exposure;
            if traded_qty != 0 {
                let traded = (-traded_qty, -traded_turnover);
                self.shift(cell, &Exposure { traded_qty: traded.0, traded_turnover: traded.1, ..Exposure::default() })?;
            }
        }
        for scope in &mut self.scopes {
            scope.conduct.day_start = scope.totals.equity();
        }
        Ok(())
    }
}

fn list_units(listed: &mut Listed, bases: &Registry<()>, fx: &FxTable) {
    if let Some(instrument) = &listed.instrument {
        listed.units = bases.iter().map(|(base, ())| units(instrument, fx, base, listed.mark)).collect();
    }
}

fn units(instrument: &Instrument, fx: &FxTable, base: &str, mark: Option<(i64, i64)>) -> Units {
    let terms = instrument.terms();
    let of_product = worth_of_unit(instrument, fx.rate(&terms.quote_currency, base));
    let of_qty = of_product.zip(mark).and_then(|(unit, (mark_px, _))| unit.of(mark_px.into()));
    Units { qty_scale: terms.qty_scale, of_product, of_qty }
}

fn add(scope: &mut Scope, factor: Option<usize>, before: &Totals, after: &Totals) -> Result<(), EventError> {
    scope.totals -= *before;
    scope.totals += *after;
    match &mut scope.var {
        Some(var) => var.shift(factor, before, after).map_err(no_var),
        None => Ok(()),
    }
}

fn overflow(currency: &str) -> EventError {
    EventError::new(format!("balance in {currency}"), "cash", "must fit into 128 bits", "an overflow")
}

fn no_var(error: crate::error::RiskError) -> EventError {
    EventError::new("pretrade_model", "exposure", "must leave VaR finite", error)
}
