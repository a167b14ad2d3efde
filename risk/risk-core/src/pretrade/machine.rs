//! The state, and how each event moves it.

use std::collections::HashMap;

use super::checks::{self, Facts};
use super::{
    Adjust, CheckFailure, Event, EventError, Fill, Hold, Instrument, Mark, NewOrder, Position, RiskLimits, Side,
    Snapshot,
};

/// The answer to one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Our id of the order.
    pub order_id: u64,
    /// All checks that fail, in their published order, the first being the reason. None: approved, and
    /// the whole quantity is held.
    pub check_failures: Vec<CheckFailure>,
}

impl Decision {
    /// Whether the order may go.
    pub fn approved(&self) -> bool {
        self.check_failures.is_empty()
    }
}

/// Position and open orders of one account in one instrument, in 10^-`qty_scale`.
///
/// Plain sums: each is of fewer than 2^64 numbers of 64 bits, which 128 bits hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Net position, short negative.
    pub net_qty: i128,
    /// Open quantity of all buy orders.
    pub open_buy_qty: i128,
    /// Open quantity of all sell orders.
    pub open_sell_qty: i128,
}

impl Exposure {
    /// How far the position gets in the direction of `side` (a short counts positive for a sell) when
    /// `qty` more and all open orders of that side fill, and none of the other side.
    pub fn worst_case(&self, side: Side, qty: i64) -> i128 {
        match side {
            Side::Buy => self.net_qty + self.open_buy_qty + i128::from(qty),
            Side::Sell => -self.net_qty + self.open_sell_qty + i128::from(qty),
        }
    }

    fn open_qty(&mut self, side: Side) -> &mut i128 {
        match side {
            Side::Buy => &mut self.open_buy_qty,
            Side::Sell => &mut self.open_sell_qty,
        }
    }
}

/// An instrument and its last mark.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) instrument: Instrument,
    pub(super) mark_px: Option<i64>,
}

/// Pre-trade state. It only comes from a snapshot, so there is none to decide on before the first one.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    instruments: HashMap<String, Listed>,
    /// By account, then by instrument.
    accounts: HashMap<String, HashMap<String, Exposure>>,
    risk_limits: RiskLimits,
    holds: HashMap<u64, Hold>,
}

impl Machine {
    /// The state that a snapshot describes.
    pub fn new(snapshot: Snapshot) -> Result<Self, EventError> {
        let mut machine = Self { risk_limits: snapshot.risk_limits, ..Self::default() };
        for instrument in snapshot.instruments {
            machine.define(instrument)?;
        }
        for account in snapshot.accounts {
            machine.open_account(account)?;
        }
        for Position { account, instrument_id, net_qty } in snapshot.positions {
            machine.adjust(Adjust { account, instrument_id, qty: net_qty })?;
        }
        for (order_id, hold) in snapshot.holds {
            machine.restore_hold(order_id, hold)?;
        }
        for mark in snapshot.marks {
            machine.mark(mark)?;
        }
        Ok(machine)
    }

    /// Applies the next event of the stream. Only a check is answered.
    pub fn apply(&mut self, event: Event) -> Result<Option<Decision>, EventError> {
        match event {
            Event::Snapshot(snapshot) => *self = Self::new(snapshot)?,
            Event::Check { order_id, order } => return Ok(Some(self.check(order_id, order))),
            Event::Fill(fill) => self.fill(fill)?,
            Event::Release { order_id } => self.release(order_id),
            Event::Adjust(adjust) => self.adjust(adjust)?,
            Event::Mark(mark) => self.mark(mark)?,
            Event::RiskLimits(risk_limits) => self.limit(risk_limits)?,
            Event::Instrument(instrument) => self.define(instrument)?,
            Event::AccountOpened { account } => self.open_account(account)?,
        }
        Ok(None)
    }

    /// Position and open orders of one account in one instrument.
    pub fn exposure(&self, account: &str, instrument_id: &str) -> Exposure {
        let of_account = self.accounts.get(account);
        of_account.and_then(|of_account| of_account.get(instrument_id)).copied().unwrap_or_default()
    }

    /// All open orders, in no particular order.
    pub fn holds(&self) -> impl Iterator<Item = (u64, &Hold)> {
        self.holds.iter().map(|(order_id, hold)| (*order_id, hold))
    }

    fn check(&mut self, order_id: u64, order: NewOrder) -> Decision {
        let of_account = self.accounts.get(&order.account);
        let facts = Facts {
            order_id,
            order: &order,
            is_held: self.holds.contains_key(&order_id),
            exposure: of_account.map(|of_account| of_account.get(&order.instrument_id).copied().unwrap_or_default()),
            listed: self.instruments.get(&order.instrument_id),
            risk_limits: &self.risk_limits,
        };
        let check_failures = checks::failures(&facts);
        if let (true, Ok(side)) = (check_failures.is_empty(), order.side) {
            let NewOrder { account, instrument_id, order_qty: leaves_qty, .. } = order;
            self.hold(order_id, Hold { account, instrument_id, side, leaves_qty });
        }
        Decision { order_id, check_failures }
    }

    fn hold(&mut self, order_id: u64, hold: Hold) {
        if let Some(of_account) = self.accounts.get_mut(&hold.account) {
            let exposure = match of_account.get_mut(&hold.instrument_id) {
                Some(exposure) => exposure,
                None => of_account.entry(hold.instrument_id.clone()).or_default(),
            };
            *exposure.open_qty(hold.side) += i128::from(hold.leaves_qty);
            self.holds.insert(order_id, hold);
        }
    }

    fn restore_hold(&mut self, order_id: u64, hold: Hold) -> Result<(), EventError> {
        let event = || format!("hold of order {order_id}");
        if order_id == 0 || self.holds.contains_key(&order_id) {
            let rule = "must be positive and stand once";
            return Err(EventError::new(event(), "order_id", rule, order_id));
        }
        if hold.leaves_qty <= 0 {
            let rule = "must be positive";
            return Err(EventError::new(event(), "leaves_qty", rule, hold.leaves_qty));
        }
        self.exposure_mut(event, &hold.account, &hold.instrument_id)?;
        self.hold(order_id, hold);
        Ok(())
    }

    fn fill(&mut self, fill: Fill) -> Result<(), EventError> {
        let event = || format!("fill of order {}", fill.order_id);
        if fill.last_qty <= 0 {
            return Err(EventError::new(event(), "last_qty", "must be positive", fill.last_qty));
        }
        if let Some(hold) = self.holds.get(&fill.order_id) {
            require_same(event, &fill, hold)?;
        }
        let exposure = self.exposure_mut(event, &fill.account, &fill.instrument_id)?;
        exposure.net_qty += match fill.side {
            Side::Buy => i128::from(fill.last_qty),
            Side::Sell => -i128::from(fill.last_qty),
        };
        self.reduce_hold(fill.order_id, fill.last_qty);
        Ok(())
    }

    fn release(&mut self, order_id: u64) {
        self.reduce_hold(order_id, i64::MAX);
    }

    /// Takes up to `qty` off a hold; a venue may fill more than it was asked for.
    fn reduce_hold(&mut self, order_id: u64, qty: i64) {
        let Some(hold) = self.holds.get_mut(&order_id) else { return };
        let taken = qty.min(hold.leaves_qty);
        let of_account = self.accounts.get_mut(&hold.account);
        if let Some(exposure) = of_account.and_then(|it| it.get_mut(&hold.instrument_id)) {
            *exposure.open_qty(hold.side) -= i128::from(taken);
        }
        hold.leaves_qty -= taken;
        if hold.leaves_qty == 0 {
            self.holds.remove(&order_id);
        }
    }

    fn adjust(&mut self, adjust: Adjust) -> Result<(), EventError> {
        let event = || "adjust".to_owned();
        let exposure = self.exposure_mut(event, &adjust.account, &adjust.instrument_id)?;
        exposure.net_qty += i128::from(adjust.qty);
        Ok(())
    }

    fn mark(&mut self, mark: Mark) -> Result<(), EventError> {
        let Some(listed) = self.instruments.get_mut(&mark.instrument_id) else {
            let rule = "must be defined";
            return Err(EventError::new("mark", "instrument_id", rule, mark.instrument_id));
        };
        if mark.mark_px <= 0 && !listed.instrument.terms().allow_negative_price {
            let event = format!("mark of {}", mark.instrument_id);
            return Err(EventError::new(event, "mark_px", "must be positive", mark.mark_px));
        }
        listed.mark_px = Some(mark.mark_px);
        Ok(())
    }

    fn limit(&mut self, risk_limits: RiskLimits) -> Result<(), EventError> {
        if risk_limits.version() <= self.risk_limits.version() {
            let rule = "must grow with each change";
            return Err(EventError::new("risk_limits", "version", rule, risk_limits.version()));
        }
        self.risk_limits = risk_limits;
        Ok(())
    }

    /// Everything held of an instrument is in its scales, so only a snapshot may change those.
    fn define(&mut self, instrument: Instrument) -> Result<(), EventError> {
        let terms = instrument.terms();
        let instrument_id = terms.instrument_id.clone();
        let mut mark_px = None;
        if let Some(listed) = self.instruments.get(&instrument_id) {
            let earlier = listed.instrument.terms();
            let event = || format!("instrument {instrument_id}");
            let rule = "must not change outside a snapshot";
            if terms.price_scale != earlier.price_scale {
                return Err(EventError::new(event(), "price_scale", rule, terms.price_scale));
            }
            if terms.qty_scale != earlier.qty_scale {
                return Err(EventError::new(event(), "qty_scale", rule, terms.qty_scale));
            }
            mark_px = listed.mark_px;
        }
        self.instruments.insert(instrument_id, Listed { instrument, mark_px });
        Ok(())
    }

    fn open_account(&mut self, account: String) -> Result<(), EventError> {
        if account.is_empty() {
            return Err(EventError::new("account_opened", "account", "must be named", "nothing"));
        }
        self.accounts.entry(account).or_default();
        Ok(())
    }

    fn exposure_mut(
        &mut self,
        event: impl FnOnce() -> String,
        account: &str,
        instrument_id: &str,
    ) -> Result<&mut Exposure, EventError> {
        if !self.instruments.contains_key(instrument_id) {
            let rule = "must be defined";
            return Err(EventError::new(event(), "instrument_id", rule, instrument_id));
        }
        match self.accounts.get_mut(account) {
            Some(of_account) => Ok(of_account.entry(instrument_id.to_owned()).or_default()),
            None => Err(EventError::new(event(), "account", "must be opened", account)),
        }
    }
}

/// A fill that contradicts the hold of its order says that one of the two is wrong.
fn require_same(event: impl FnOnce() -> String, fill: &Fill, hold: &Hold) -> Result<(), EventError> {
    let (field, value) = if fill.account != hold.account {
        ("account", fill.account.clone())
    } else if fill.instrument_id != hold.instrument_id {
        ("instrument_id", fill.instrument_id.clone())
    } else if fill.side != hold.side {
        ("side", format!("{:?}", fill.side))
    } else {
        return Ok(());
    };
    Err(EventError::new(event(), field, "must be that of its order", value))
}
