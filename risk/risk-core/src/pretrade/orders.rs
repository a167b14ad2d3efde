//! Open orders and what they reserve.

use std::collections::HashMap;

use super::exposure::{Exposure, Reserve};
use super::{Contingency, OrdType, Side};

/// An open order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) cell: usize,
    pub(super) side: Side,
    pub(super) leaves_qty: i64,
    /// The price that it counts at.
    pub(super) price: i128,
    /// A limit order: the price that it may trade at.
    pub(super) limit_px: Option<i64>,
    pub(super) order_qty: i64,
    pub(super) ord_type: OrdType,
    /// It waits for its trigger price.
    pub(super) has_trigger: bool,
    pub(super) list: Option<(u64, Contingency)>,
}

impl Held {
    fn reserve(&self) -> Reserve {
        self.reserve_of(self.leaves_qty.into())
    }

    fn reserve_of(&self, qty: i128) -> Reserve {
        Reserve { qty, open_qty: qty, turnover: qty.saturating_mul(self.price.abs()) }
    }

    /// The place in its list that it shares with those that stand for it; None: it stands for itself.
    fn place(&self, order_id: u64) -> Option<Place> {
        let (list, contingency) = self.list?;
        let shares = match contingency {
            Contingency::Oto => false,
            Contingency::Oco | Contingency::Ouo => true,
            Contingency::Bracket => order_id != list,
        };
        shares.then_some(Place { list, cell: self.cell, side: self.side })
    }
}

/// Orders of one list, cell and side, that do not simply add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) list: u64,
    pub(super) cell: usize,
    pub(super) side: Side,
}

/// The orders of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) contingency: Contingency,
    orders: Vec<u64>,
    /// What one of them may still fill: of a bracket's exits, what its entry has filled and they have not.
    pub(super) budget: i128,
}

/// All open orders.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    held: HashMap<u64, Held>,
    groups: HashMap<Place, Group>,
}

/// Changes of exposure, each of one cell.
pub(super) type Changes = Vec<(usize, Exposure)>;

impl Orders {
    pub(super) fn get(&self, order_id: u64) -> Option<&Held> {
        self.held.get(&order_id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Held)> {
        self.held.iter().map(|(order_id, held)| (*order_id, held))
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = (&Place, &Group)> {
        self.groups.iter()
    }

    /// Opens an order that is not open.
    pub(super) fn insert(&mut self, order_id: u64, held: Held) -> (usize, Exposure) {
        let (cell, side) = (held.cell, held.side);
        let mut change = match (held.place(order_id), held.list) {
            (Some(place), Some((_, contingency))) => {
                let leaves = i128::from(held.leaves_qty);
                let before = self.reserve_of(&place);
                self.held.insert(order_id, held);
                let empty = Group { contingency, orders: Vec::new(), budget: 0 };
                let group = self.groups.entry(place).or_insert(empty);
                group.orders.push(order_id);
                if contingency != Contingency::Bracket {
                    group.budget = group.budget.max(leaves);
                }
                difference(side, before, self.reserve_of(&place))
            }
            _ => {
                let change = Exposure::open(side, held.reserve());
                self.held.insert(order_id, held);
                change
            }
        };
        change.open_orders = 1;
        (cell, change)
    }

    /// Closes an order.
    pub(super) fn remove(&mut self, order_id: u64) -> Option<(usize, Exposure)> {
        let place = self.held.get(&order_id)?.place(order_id);
        let before = place.map(|place| self.reserve_of(&place));
        let held = self.held.remove(&order_id)?;
        let mut change = match (place, before) {
            (Some(place), Some(before)) => {
                if let Some(group) = self.groups.get_mut(&place) {
                    group.orders.retain(|order| *order != order_id);
                    if group.orders.is_empty() {
                        self.groups.remove(&place);
                    }
                }
                difference(held.side, before, self.reserve_of(&place))
            }
            _ => difference(held.side, held.reserve(), Reserve::default()),
        };
        change.open_orders = -1;
        Some((held.cell, change))
    }

    /// Changes what an open order holds. What it grows by, those that stand for it may fill too.
    pub(super) fn change(&mut self, order_id: u64, change: impl FnOnce(&mut Held)) -> Option<(usize, Exposure)> {
        let place = self.held.get(&order_id)?.place(order_id);
        let before_all = place.map(|place| self.reserve_of(&place));
        let held = self.held.get_mut(&order_id)?;
        let (cell, side, before, leaves) = (held.cell, held.side, held.reserve(), held.leaves_qty);
        change(held);
        let (after, grown) = (held.reserve(), i128::from(held.leaves_qty) - i128::from(leaves));
        let Some(place) = place else { return Some((cell, difference(side, before, after))) };
        if let Some(group) = self.groups.get_mut(&place).filter(|group| group.contingency != Contingency::Bracket) {
            group.budget += grown.max(0);
        }
        Some((cell, difference(side, before_all.unwrap_or_default(), self.reserve_of(&place))))
    }

    /// Fills an order, and says whether that closed it; a venue may fill more than it was asked for.
    pub(super) fn fill(&mut self, order_id: u64, qty: i64, changes: &mut Changes) -> Option<bool> {
        let held = self.held.get(&order_id)?;
        let (place, list, is_done) = (held.place(order_id), held.list, held.leaves_qty <= qty);
        if let Some(place) = place {
            changes.extend(self.spend(place, -i128::from(qty)));
        } else if let Some((list, Contingency::Bracket)) = list {
            let exits: Vec<Place> = self.groups.keys().filter(|place| place.list == list).copied().collect();
            for exit in exits {
                changes.extend(self.spend(exit, qty.into()));
            }
        }
        changes.extend(if is_done {
            self.remove(order_id)
        } else {
            self.change(order_id, |held| held.leaves_qty -= qty)
        });
        Some(is_done)
    }

    /// Moves the budget of a place.
    fn spend(&mut self, place: Place, qty: i128) -> Option<(usize, Exposure)> {
        let before = self.reserve_of(&place);
        let group = self.groups.get_mut(&place)?;
        group.budget = (group.budget + qty).max(0);
        Some((place.cell, difference(place.side, before, self.reserve_of(&place))))
    }

    /// The place of an open order in its list, and what may still be filled there.
    pub(super) fn budget(&self, order_id: u64) -> Option<(Place, i128)> {
        let place = self.held.get(&order_id)?.place(order_id)?;
        Some((place, self.groups.get(&place)?.budget))
    }

    /// Sets what a place may still fill, as it was before.
    pub(super) fn restore_budget(&mut self, place: Place, budget: i128) -> Option<(usize, Exposure)> {
        let now = self.groups.get(&place)?.budget;
        self.spend(place, budget - now)
    }

    /// Budgets of brackets that come from a snapshot alone: what the entry has filled, by what it has left.
    pub(super) fn infer_budgets(&mut self, changes: &mut Changes) {
        let brackets = self.groups.iter().filter(|(_, group)| group.contingency == Contingency::Bracket);
        let inferred: Vec<(Place, i128)> = brackets
            .map(|(place, group)| {
                let entry = self.held.get(&place.list).map_or(0, |held| held.leaves_qty.into());
                (*place, (self.largest(group) - entry).max(0))
            })
            .collect();
        for (place, budget) in inferred {
            changes.extend(self.restore_budget(place, budget));
        }
    }

    fn largest(&self, group: &Group) -> i128 {
        let leaves = group.orders.iter().filter_map(|order| Some(i128::from(self.held.get(order)?.leaves_qty)));
        leaves.max().unwrap_or_default()
    }

    /// Orders without a trigger may all be at the venue and fill before one can be canceled: they add up. Of those that
    /// wait for their trigger one counts, since a fill of another takes them back first.
    fn reserve_of(&self, place: &Place) -> Reserve {
        let Some(group) = self.groups.get(place) else { return Reserve::default() };
        let is_bracket = group.contingency == Contingency::Bracket;
        let (mut live, mut waiting, mut largest) = (Reserve::default(), Reserve::default(), 0);
        for held in group.orders.iter().filter_map(|order| self.held.get(order)) {
            let leaves = i128::from(held.leaves_qty);
            let within = leaves.min(group.budget);
            if held.has_trigger {
                let reserve = held.reserve_of(if is_bracket { leaves } else { within });
                waiting = waiting.max(Reserve { qty: within, ..reserve });
            } else {
                live = live.plus(held.reserve());
                largest = largest.max(leaves);
            }
        }
        if is_bracket {
            // One exit trades once its entry has; until then it adds nothing to the position.
            live.qty -= largest - largest.min(group.budget);
        }
        live.max(waiting)
    }
}

fn difference(side: Side, before: Reserve, after: Reserve) -> Exposure {
    let reserve = Reserve {
        qty: after.qty - before.qty,
        open_qty: after.open_qty - before.open_qty,
        turnover: after.turnover.saturating_sub(before.turnover),
    };
    Exposure::open(side, reserve)
}
