//! The whole state machine again, from scratch for every order: lists of what is held and open, and sums over them.
//! Slow and plain, it shares no code with the one that it must agree with.

mod decide;
mod habits;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use risk_core::pretrade::{
    Account, Adjust, Contingency, InstrumentTerms, NewOrder, OrdRejReason, OrdType, RiskLimit, Side, TradingScope,
    TradingState,
};

pub use decide::like;
pub use habits::Habits;

/// Account, strategy, instrument; of a scope: empty is all.
pub type Key = (String, String, String);

pub const DAY_NS: i64 = 86_400_000_000_000;

#[derive(Clone, Debug)]
pub struct Open {
    pub order_id: u64,
    pub cell: Key,
    pub side: Side,
    pub leaves: i128,
    pub price: i128,
    pub limit_px: Option<i64>,
    pub order_qty: i64,
    pub ord_type: OrdType,
    pub has_trigger: bool,
    pub list: Option<(u64, Contingency)>,
}

/// Orders of one list, cell and side.
pub type Place = (u64, Key, bool);

/// What open orders add up to.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenSums {
    pub buy: i128,
    pub sell: i128,
    pub orders: i128,
    pub qty: i128,
    pub turnover: i128,
}

#[derive(Clone, Debug, Default)]
pub struct Naive {
    pub now: i64,
    pub day: i64,
    pub accounts: Vec<Account>,
    pub instruments: Vec<InstrumentTerms>,
    pub limits: Vec<RiskLimit>,
    pub band_bps: u32,
    pub net: BTreeMap<Key, i128>,
    /// Of a cell, or (strategy and instrument empty) what an account was paid without a fill.
    pub cash: BTreeMap<(Key, String), i128>,
    pub traded: BTreeMap<Key, (i128, i128)>,
    pub open: Vec<Open>,
    pub budgets: HashMap<Place, i128>,
    pub marks: BTreeMap<String, (i64, i64)>,
    /// Euro in dollars, as a ratio.
    pub rate: Option<(i128, i128)>,
    pub states: BTreeMap<TradingScope, TradingState>,
    pub kills: BTreeSet<TradingScope>,
    /// Not part of a copy: it is never looked at there.
    pub habits: Uncopied,
    pub latched: BTreeSet<(String, String)>,
    /// Instruments and their covariance.
    pub model: Option<(Vec<String>, Vec<f64>)>,
}

/// What scopes remember.
#[derive(Debug, Default)]
pub struct Uncopied(BTreeMap<Key, Habits>);

impl Clone for Uncopied {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl std::ops::Deref for Uncopied {
    type Target = BTreeMap<Key, Habits>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl std::ops::DerefMut for Uncopied {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

pub fn key(order: &NewOrder) -> Key {
    (order.account.clone(), order.strategy_id.clone(), order.instrument_id.clone())
}

pub fn covers(scope: &Key, cell: &Key) -> bool {
    let all = |scope: &str, name: &str| scope.is_empty() || scope == name;
    all(&scope.0, &cell.0) && all(&scope.1, &cell.1) && all(&scope.2, &cell.2)
}

fn scope_of(limit: &RiskLimit) -> Key {
    (limit.account.clone(), limit.strategy_id.clone(), limit.instrument_id.clone())
}

impl Naive {
    pub fn terms(&self, instrument_id: &str) -> &InstrumentTerms {
        self.instruments.iter().find(|terms| terms.instrument_id == instrument_id).expect("an instrument of the test")
    }

    /// All scopes that exist, with their limits.
    pub fn scopes(&self) -> Vec<(Key, RiskLimit)> {
        let firm = (Key::default(), RiskLimit::default());
        let account = |it: &Account| {
            let limit = RiskLimit { account: it.account.clone(), ..RiskLimit::default() };
            (scope_of(&limit), limit)
        };
        let mut scopes: BTreeMap<Key, RiskLimit> = self.accounts.iter().map(account).chain([firm]).collect();
        scopes.extend(self.limits.iter().map(|limit| (scope_of(limit), limit.clone())));
        scopes.into_iter().collect()
    }

    fn base(&self, scope: &Key) -> &str {
        let mut accounts: Vec<&Account> = self.accounts.iter().collect();
        accounts.sort_by_key(|it| &it.account);
        let of_scope = accounts.iter().find(|it| it.account == scope.0);
        &of_scope.or(accounts.first()).expect("an account").base_currency
    }

    /// One of a currency in another: numerator and denominator.
    fn fx(&self, from: &str, to: &str) -> Option<(i128, i128)> {
        match (from, to) {
            (from, to) if from == to => Some((1, 1)),
            ("EUR", "USD") => self.rate,
            ("USD", "EUR") => self.rate.map(|(num, den)| (den, num)),
            _ => None,
        }
    }

    /// A product of scaled price and quantity in 10^-18 of a currency.
    fn worth(&self, product: i128, instrument_id: &str, to: &str) -> Option<i128> {
        let terms = self.terms(instrument_id);
        let (num, den) = self.fx(&terms.quote_currency, to)?;
        let fine = 10i128.pow(18 - terms.price_scale - terms.qty_scale - terms.multiplier.scale());
        let worth = product * fine * terms.multiplier.mantissa() * num;
        assert_eq!(worth % den, 0, "the rates of the test are exact");
        Some(worth / den)
    }

    pub fn place(order: &Open) -> Option<Place> {
        let (list, contingency) = order.list?;
        let alone = contingency == Contingency::Oto || (contingency == Contingency::Bracket && list == order.order_id);
        (!alone).then(|| (list, order.cell.clone(), order.side == Side::Buy))
    }

    /// What is open of an account and instrument, and of a strategy when one is named.
    pub fn open_sums(&self, cell: &Key, of_strategy: bool) -> OpenSums {
        let mut sums = OpenSums::default();
        let mut places: BTreeMap<Place, Vec<&Open>> = BTreeMap::new();
        let is_in = |it: &&Open| it.cell.0 == cell.0 && it.cell.2 == cell.2 && (!of_strategy || it.cell.1 == cell.1);
        for order in self.open.iter().filter(is_in) {
            sums.orders += 1;
            match Self::place(order) {
                Some(place) => places.entry(place).or_default().push(order),
                None => sums.add(order.side, order.leaves, order.leaves, order.leaves * order.price.abs()),
            }
        }
        for (place, orders) in places {
            let budget = self.budgets[&place];
            let is_bracket = orders[0].list.expect("a list").1 == Contingency::Bracket;
            let (waiting, live): (Vec<&Open>, Vec<&Open>) = orders.iter().partition(|it| it.has_trigger);
            let most = |it: &Open| if is_bracket { it.leaves } else { it.leaves.min(budget) };
            let over = |orders: &[&Open], of: &dyn Fn(&Open) -> i128| -> (i128, i128) {
                let each = || orders.iter().map(|it| of(it));
                (each().sum(), each().max().unwrap_or(0))
            };
            let (sum, largest) = over(&live, &|it| it.leaves);
            // Of a bracket's exits the largest goes as far as its entry has.
            let live_qty = if is_bracket { sum - largest + largest.min(budget) } else { sum };
            let reserved = live_qty.max(over(&waiting, &|it| it.leaves.min(budget)).1);
            let qty = sum.max(over(&waiting, &most).1);
            let (live, waiting) =
                (over(&live, &|it| it.leaves * it.price.abs()).0, over(&waiting, &|it| most(it) * it.price.abs()).1);
            sums.add(orders[0].side, reserved, qty, live.max(waiting));
        }
        sums
    }

    pub fn net_of(&self, cell: &Key, of_strategy: bool) -> i128 {
        let is_in = |it: &Key| it.0 == cell.0 && it.2 == cell.2 && (!of_strategy || it.1 == cell.1);
        self.net.iter().filter(|(it, _)| is_in(it)).map(|(_, net)| net).sum()
    }

    pub fn worst(&self, cell: &Key, of_strategy: bool, side: Side) -> i128 {
        let (net, open) = (self.net_of(cell, of_strategy), self.open_sums(cell, of_strategy));
        if side == Side::Buy { net + open.buy } else { open.sell - net }
    }

    // What happens.

    pub fn pass(&mut self, now: i64) {
        self.now = now;
        if now / DAY_NS > self.day {
            self.day = now / DAY_NS;
            let start: Vec<_> = self.scopes().iter().map(|(scope, _)| (scope.clone(), self.equity(scope))).collect();
            self.traded.clear();
            for (scope, equity) in start {
                self.habits.entry(scope).or_default().day_start = equity;
            }
        }
    }

    pub fn insert(&mut self, order: Open) {
        if let Some(place) = Self::place(&order) {
            let is_bracket = order.list.is_some_and(|(_, it)| it == Contingency::Bracket);
            let budget = self.budgets.entry(place).or_default();
            *budget = if is_bracket { *budget } else { order.leaves.max(*budget) };
        }
        self.open.push(order);
    }

    pub fn remove(&mut self, order_id: u64) -> Option<Open> {
        let found = self.open.iter().position(|order| order.order_id == order_id)?;
        let order = self.open.remove(found);
        if let Some(place) = Self::place(&order)
            && !self.open.iter().any(|it| Self::place(it).as_ref() == Some(&place))
        {
            self.budgets.remove(&place);
        }
        Some(order)
    }

    /// Changes an open order; what it grows by may be filled in its place.
    pub fn change(&mut self, order: Open) {
        let known = self.open.iter_mut().find(|it| it.order_id == order.order_id).expect("an open order");
        let grown = (order.leaves - known.leaves).max(0);
        *known = order.clone();
        if let Some(place) = Self::place(&order)
            && order.list.is_some_and(|(_, it)| it != Contingency::Bracket)
        {
            *self.budgets.get_mut(&place).expect("a budget") += grown;
        }
    }

    pub fn adjust(&mut self, adjust: &Adjust) {
        let cell = (adjust.account.clone(), adjust.strategy_id.clone(), adjust.instrument_id.clone());
        *self.net.entry(cell.clone()).or_default() += i128::from(adjust.qty);
        let mark = self.marks.get(&cell.2).copied();
        for (scope, _) in self.scopes().into_iter().filter(|(scope, _)| covers(scope, &cell)) {
            let base = self.base(&scope).to_owned();
            let worth = mark.and_then(|(px, _)| self.worth(i128::from(px) * i128::from(adjust.qty), &cell.2, &base));
            self.habits.entry(scope).or_default().pay(worth);
        }
    }

    pub fn pay_cell(&mut self, cell: &Key, currency: &str, attos: i128) {
        *self.cash.entry((cell.clone(), currency.to_owned())).or_default() += attos;
    }

    pub fn pay(&mut self, account: &str, currency: &str, attos: i128) {
        let cell = (account.to_owned(), String::new(), String::new());
        *self.cash.entry((cell.clone(), currency.to_owned())).or_default() += attos;
        for scope in [Key::default(), cell] {
            let paid = self.fx(currency, self.base(&scope)).map(|(num, den)| attos * num / den);
            self.habits.entry(scope).or_default().pay(paid);
        }
    }

    /// The order as far as it was open: whether that closed it.
    pub fn fill(&mut self, cell: &Key, order_id: u64, side: Side, qty: i128, px: i64) -> Option<Open> {
        let sign = if side == Side::Buy { 1 } else { -1 };
        *self.net.entry(cell.clone()).or_default() += sign * qty;
        let traded = self.traded.entry(cell.clone()).or_default();
        *traded = (traded.0 + qty, traded.1 + qty * i128::from(px).abs());
        let quote = self.terms(&cell.2).quote_currency.clone();
        let paid = self.worth(-sign * qty * i128::from(px), &cell.2, &quote).expect("its own currency");
        self.pay_cell(cell, &quote, paid);
        let order = self.open.iter().find(|it| it.order_id == order_id)?.clone();
        if let Some(place) = Self::place(&order) {
            let budget = self.budgets.get_mut(&place).expect("a budget");
            *budget = (*budget - qty).max(0);
        } else if let Some((list, Contingency::Bracket)) = order.list {
            let exits = self.budgets.iter_mut().filter(|(place, _)| place.0 == list);
            exits.for_each(|(_, budget)| *budget += qty);
        }
        if order.leaves <= qty {
            return self.remove(order_id);
        }
        let rest = Open { leaves: order.leaves - qty, ..order };
        *self.open.iter_mut().find(|it| it.order_id == order_id).expect("open") = rest;
        None
    }

    /// Cash and positions of a scope; None: something has no mark or no rate.
    pub fn equity(&self, scope: &Key) -> Option<i128> {
        let base = self.base(scope).to_owned();
        let mut equity = 0;
        let is_whole = scope.1.is_empty() && scope.2.is_empty();
        for ((cell, currency), balance) in &self.cash {
            let is_unattributed = cell.2.is_empty();
            if *balance != 0 && covers(scope, cell) && (is_whole || !is_unattributed) {
                let (num, den) = self.fx(currency, &base)?;
                equity += balance * num / den;
            }
        }
        for sums in self.totals_cells(scope) {
            equity += sums.marked?.value;
        }
        Some(equity)
    }

    /// Reasons in their published order.
    pub fn sorted(reasons: impl IntoIterator<Item = OrdRejReason>) -> Vec<OrdRejReason> {
        reasons.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl OpenSums {
    fn add(&mut self, side: Side, reserved: i128, qty: i128, turnover: i128) {
        if side == Side::Buy {
            self.buy += reserved;
        } else {
            self.sell += reserved;
        }
        self.qty += qty;
        self.turnover += turnover;
    }
}
