//! What is held and open, in quantities and as money.

use std::ops::{AddAssign, SubAssign};

use super::Side;
use super::money::{Attos, Ratio, bounded};

/// Position, open orders and what was traded today, of one account (or one strategy of it) in one instrument.
/// Quantities in 10^-`qty_scale`; turnovers are sums of `|price| * quantity`, both scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Net position, short negative.
    pub net_qty: i128,
    /// What open buy orders add to it at worst.
    pub open_buy_qty: i128,
    /// What open sell orders take from it at worst.
    pub open_sell_qty: i128,
    /// How many orders are open.
    pub open_orders: i128,
    /// Quantity of all open orders.
    pub open_qty: i128,
    /// Turnover of all open orders at the prices that they count at.
    pub open_turnover: i128,
    /// Quantity filled today.
    pub traded_qty: i128,
    /// Turnover filled today.
    pub traded_turnover: i128,
}

impl Exposure {
    /// How far the position gets in the direction of `side` (a short counts positive for a sell) when all open orders of
    /// that side fill, and none of the other side.
    pub fn worst_case(&self, side: Side) -> i128 {
        match side {
            Side::Buy => self.net_qty + self.open_buy_qty,
            Side::Sell => self.open_sell_qty - self.net_qty,
        }
    }

    /// The change that a fill makes, apart from its hold.
    pub(super) fn filled(side: Side, qty: i64, price: i64) -> Self {
        let qty = i128::from(qty);
        Self {
            net_qty: if side == Side::Buy { qty } else { -qty },
            traded_qty: qty,
            traded_turnover: qty * i128::from(price).abs(),
            ..Self::default()
        }
    }

    /// What open orders of one side hold.
    pub(super) fn open(side: Side, reserve: Reserve) -> Self {
        let (open_buy_qty, open_sell_qty) = if side == Side::Buy { (reserve.qty, 0) } else { (0, reserve.qty) };
        Self {
            open_buy_qty,
            open_sell_qty,
            open_qty: reserve.open_qty,
            open_turnover: reserve.turnover,
            ..Self::default()
        }
    }

    /// None: a number does not fit into 128 bits.
    pub(super) fn plus(&self, change: &Self) -> Option<Self> {
        Some(Self {
            net_qty: self.net_qty.checked_add(change.net_qty)?,
            open_buy_qty: self.open_buy_qty.checked_add(change.open_buy_qty)?,
            open_sell_qty: self.open_sell_qty.checked_add(change.open_sell_qty)?,
            open_orders: self.open_orders.checked_add(change.open_orders)?,
            open_qty: self.open_qty.checked_add(change.open_qty)?,
            open_turnover: self.open_turnover.checked_add(change.open_turnover)?,
            traded_qty: self.traded_qty.checked_add(change.traded_qty)?,
            traded_turnover: self.traded_turnover.checked_add(change.traded_turnover)?,
        })
    }

    pub(super) fn is_flat(&self) -> bool {
        self.net_qty == 0 && self.open_buy_qty == 0 && self.open_sell_qty == 0
    }
}

/// What one open order, or those orders of a list that stand for each other, keep reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reserve {
    /// What may be added to the position.
    pub(super) qty: i128,
    /// What may be traded.
    pub(super) open_qty: i128,
    /// What may be traded, times its price.
    pub(super) turnover: i128,
}

impl Reserve {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            qty: self.qty + other.qty,
            open_qty: self.open_qty + other.open_qty,
            turnover: self.turnover.saturating_add(other.turnover),
        }
    }

    /// The larger of each.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            qty: self.qty.max(other.qty),
            open_qty: self.open_qty.max(other.open_qty),
            turnover: self.turnover.max(other.turnover),
        }
    }
}

/// What quantities of one instrument are worth in one currency.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Units {
    pub(super) qty_scale: u32,
    /// One unit of price on one unit of quantity; None: no rate.
    pub(super) of_product: Option<Ratio>,
    /// One unit of quantity at the mark, rounded half-even once; None: no mark or no rate.
    pub(super) of_qty: Option<Attos>,
}

/// Sums of money of one scope, in the base currency of the scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// The larger side of each position at the worst case, at the mark.
    pub(super) gross: Attos,
    /// All positions with all buys filled.
    pub(super) long: Attos,
    /// All positions with all sells filled, short positive.
    pub(super) short: Attos,
    /// All positions at the mark.
    pub(super) value: Attos,
    /// All positions with all open orders filled.
    pub(super) filled: Attos,
    /// All open orders at the mark, both sides added.
    pub(super) open: Attos,
    /// All open orders at the prices that they count at.
    pub(super) open_notional: Attos,
    /// What was filled today.
    pub(super) traded_notional: Attos,
    /// In 10^-18 units of the instruments.
    pub(super) open_qty: Attos,
    /// In 10^-18 units of the instruments.
    pub(super) traded_qty: Attos,
    pub(super) open_orders: i128,
    pub(super) cash: Attos,
    /// Positions without a mark, or of no known worth.
    pub(super) unmarked: i128,
    /// Open orders and fills of no known worth.
    pub(super) unrated: i128,
    /// Balances without a rate.
    pub(super) unpriced: i128,
}

impl Totals {
    /// One position and its orders.
    pub(super) fn of(exposure: &Exposure, units: &Units) -> Self {
        let mut totals = Self { open_orders: exposure.open_orders, ..Self::default() };
        if !exposure.is_flat() && totals.mark(exposure, units).is_none() {
            totals.unmarked = 1;
        }
        if (exposure.open_qty != 0 || exposure.traded_qty != 0) && totals.trade(exposure, units).is_none() {
            totals.unrated = 1;
        }
        totals
    }

    fn mark(&mut self, exposure: &Exposure, units: &Units) -> Option<()> {
        let unit = units.of_qty?;
        let worth = |qty: i128| bounded(qty.checked_mul(unit)?);
        let [long, short] =
            [Side::Buy, Side::Sell].map(|side| worth(exposure.worst_case(side)).map(|it| it * unit.signum()));
        let (long, short) = (long?, short?);
        let value = worth(exposure.net_qty)?;
        let filled = worth(exposure.net_qty + exposure.open_buy_qty - exposure.open_sell_qty)?;
        let open = worth(exposure.open_buy_qty + exposure.open_sell_qty)?.abs();
        (self.gross, self.long, self.short) = (long.max(short), long, short);
        (self.value, self.filled, self.open) = (value, filled, open);
        Some(())
    }

    fn trade(&mut self, exposure: &Exposure, units: &Units) -> Option<()> {
        let unit = units.of_product?;
        let (open_notional, traded_notional) = (unit.of(exposure.open_turnover)?, unit.of(exposure.traded_turnover)?);
        let fine = 10i128.pow(18 - units.qty_scale);
        let qty = |qty: i128| qty.checked_mul(fine).and_then(bounded);
        let (open_qty, traded_qty) = (qty(exposure.open_qty)?, qty(exposure.traded_qty)?);
        (self.open_notional, self.traded_notional) = (open_notional, traded_notional);
        (self.open_qty, self.traded_qty) = (open_qty, traded_qty);
        Some(())
    }

    /// A balance; None: no rate.
    pub(super) fn of_cash(worth: Option<Attos>) -> Self {
        match worth {
            Some(cash) => Self { cash, ..Self::default() },
            None => Self { unpriced: 1, ..Self::default() },
        }
    }

    /// With all buys or all sells filled, whichever is larger.
    pub(super) fn net(&self) -> Attos {
        self.long.max(self.short)
    }

    /// Cash and positions; None: not known.
    pub(super) fn equity(&self) -> Option<Attos> {
        (self.unmarked == 0 && self.unpriced == 0).then_some(self.cash + self.value)
    }

    fn fields_mut(&mut self) -> [&mut i128; 15] {
        [
            &mut self.gross,
            &mut self.long,
            &mut self.short,
            &mut self.value,
            &mut self.filled,
            &mut self.open,
            &mut self.open_notional,
            &mut self.traded_notional,
            &mut self.open_qty,
            &mut self.traded_qty,
            &mut self.open_orders,
            &mut self.cash,
            &mut self.unmarked,
            &mut self.unrated,
            &mut self.unpriced,
        ]
    }
}

/// Sums of bounded numbers: see [`bounded`].
impl AddAssign for Totals {
    fn add_assign(&mut self, mut other: Self) {
        self.fields_mut().into_iter().zip(other.fields_mut()).for_each(|(sum, term)| *sum += *term);
    }
}

impl SubAssign for Totals {
    fn sub_assign(&mut self, mut other: Self) {
        self.fields_mut().into_iter().zip(other.fields_mut()).for_each(|(sum, term)| *sum -= *term);
    }
}
