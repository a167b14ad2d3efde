//! Who trades what: accounts, instruments, positions by account and by strategy, and the scopes that they count in.

use std::collections::HashMap;

use super::conduct::Conduct;
use super::exposure::{Exposure, Totals, Units};
use super::money::{Attos, Purse};
use super::var::VarBook;
use super::{Instrument, RiskLimit};

/// Things by name, each with a number that stays.
#[derive(Clone, Debug)]
pub(super) struct Registry<T> {
    index: HashMap<String, usize>,
    items: Vec<(String, T)>,
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self { index: HashMap::new(), items: Vec::new() }
    }
}

impl<T: Default> Registry<T> {
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    pub(super) fn find_or_add(&mut self, name: &str) -> usize {
        if let Some(found) = self.find(name) {
            return found;
        }
        self.index.insert(name.to_owned(), self.items.len());
        self.items.push((name.to_owned(), T::default()));
        self.items.len() - 1
    }

    pub(super) fn name(&self, number: usize) -> &str {
        &self.items[number].0
    }

    pub(super) fn get(&self, number: usize) -> &T {
        &self.items[number].1
    }

    pub(super) fn get_mut(&mut self, number: usize) -> &mut T {
        &mut self.items[number].1
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.items.iter().map(|(name, item)| (name.as_str(), item))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut T)> {
        self.items.iter_mut().map(|(name, item)| (name.as_str(), item))
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// The numbers in the order of the names.
    pub(super) fn sorted(&self) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..self.items.len()).collect();
        numbers.sort_unstable_by_key(|number| self.name(*number));
        numbers
    }
}

/// An account, once it was opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Owner {
    pub(super) base_currency: Option<String>,
    pub(super) cash: Purse,
}

/// An instrument, once it was defined.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    pub(super) instrument: Option<Instrument>,
    /// The last mark, and when it came.
    pub(super) mark: Option<(i64, i64)>,
    /// By the number of the base currency.
    pub(super) units: Vec<Units>,
    /// Its place among the factors of the VaR model.
    pub(super) factor: Option<usize>,
    pub(super) books: Vec<usize>,
    pub(super) cells: Vec<usize>,
}

/// The position of one account in one instrument, netted over its strategies.
#[derive(Clone, Debug)]
pub(super) struct Book {
    pub(super) account: usize,
    pub(super) instrument: usize,
    pub(super) exposure: Exposure,
    /// The scopes without a strategy that it counts in.
    pub(super) scopes: Vec<usize>,
    pub(super) ladder: Ladder,
}

/// The part of one strategy in such a position.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) book: usize,
    pub(super) strategy: usize,
    pub(super) exposure: Exposure,
    /// What its fills have moved.
    pub(super) cash: Purse,
    /// All scopes that cover it, from the widest to the narrowest.
    pub(super) scopes: Vec<usize>,
}

/// Limit prices of the open orders of one account and instrument, by side, with how many are at each.
#[derive(Clone, Debug, Default)]
pub(super) struct Ladder {
    bids: std::collections::BTreeMap<i64, u32>,
    offers: std::collections::BTreeMap<i64, u32>,
}

impl Ladder {
    pub(super) fn add(&mut self, side: super::Side, price: i64) {
        *self.of(side).entry(price).or_default() += 1;
    }

    pub(super) fn remove(&mut self, side: super::Side, price: i64) {
        let orders = self.of(side);
        if let Some(count) = orders.get_mut(&price) {
            *count -= 1;
            if *count == 0 {
                orders.remove(&price);
            }
        }
    }

    fn of(&mut self, side: super::Side) -> &mut std::collections::BTreeMap<i64, u32> {
        match side {
            super::Side::Buy => &mut self.bids,
            super::Side::Sell => &mut self.offers,
        }
    }

    /// The best price on the other side, when an order of this side and price would trade with it.
    pub(super) fn crossed(&self, side: super::Side, price: i128) -> Option<i64> {
        match side {
            super::Side::Buy => self.offers.keys().next().copied().filter(|offer| i128::from(*offer) <= price),
            super::Side::Sell => self.bids.keys().next_back().copied().filter(|bid| i128::from(*bid) >= price),
        }
    }
}

/// Whom a scope binds; None: all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct ScopeKey {
    pub(super) account: Option<usize>,
    pub(super) strategy: Option<usize>,
    pub(super) instrument: Option<usize>,
}

impl ScopeKey {
    /// All scopes that cover a cell, from the widest to the narrowest.
    pub(super) fn covering(account: usize, strategy: usize, instrument: usize) -> [Self; 8] {
        let (a, s, i) = (Some(account), Some(strategy), Some(instrument));
        [
            (None, None, None),
            (a, None, None),
            (None, s, None),
            (None, None, i),
            (a, s, None),
            (a, None, i),
            (None, s, i),
            (a, s, i),
        ]
        .map(|(account, strategy, instrument)| Self { account, strategy, instrument })
    }

    /// Whether it counts whole accounts, cash and all.
    pub(super) fn is_whole(&self) -> bool {
        self.strategy.is_none() && self.instrument.is_none()
    }
}

/// A scope: its limits, its sums and what it remembers.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) key: ScopeKey,
    pub(super) limit: RiskLimit,
    /// The number of its base currency; None: there is no account yet.
    pub(super) base: Option<usize>,
    /// The scope whose equity stands for it: its account's, or the firm's.
    pub(super) purse: usize,
    pub(super) totals: Totals,
    pub(super) conduct: Conduct,
    pub(super) var: Option<VarBook>,
    /// The readings that are beyond their limit now, by their place.
    pub(super) breached: u32,
}

impl Scope {
    /// Cash and positions; None: not known.
    pub(super) fn equity(&self) -> Option<Attos> {
        self.totals.equity()
    }
}
