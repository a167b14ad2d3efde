//! Laws under random interleavings, against a twin that recomputes everything from scratch.

use proptest::prelude::*;
use risk_core::pretrade::{Event, Machine, NewOrder, RiskLimit, Side, Snapshot, Unknown};

use crate::fixture::{
    ACCOUNT, INSTRUMENT, alarms, check, decimal, fill, limit_order, limits, machine, max_position, position, snapshot,
    whole_units,
};

const LIMIT: i64 = 100;

/// What a stream may do next; orders are named by their place in it.
#[derive(Clone, Debug)]
enum Step {
    New(Side, i64),
    Fill(usize, i64),
    Release(usize),
    Adjust(i64),
}

fn any_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any_side(), -5i64..60).prop_map(|(side, qty)| Step::New(side, qty)),
        3 => (0usize..60, 1i64..40).prop_map(|(order, qty)| Step::Fill(order, qty)),
        2 => (0usize..60).prop_map(Step::Release),
        1 => (-150i64..150).prop_map(Step::Adjust),
    ]
}

/// The twin: a list of orders, and sums over it.
#[derive(Default)]
struct Twin {
    net_qty: i64,
    orders: Vec<(Side, i64)>,
}

impl Twin {
    fn open_qty(&self, side: Side) -> i64 {
        self.orders.iter().filter(|order| order.0 == side).map(|order| order.1).sum()
    }

    fn approves(&self, side: Side, qty: i64) -> bool {
        let signed = if side == Side::Buy { self.net_qty } else { -self.net_qty };
        qty > 0 && signed + self.open_qty(side) + qty <= LIMIT
    }

    fn reduces(&self, side: Side, qty: i64) -> bool {
        let is_opposite = if side == Side::Buy { self.net_qty < 0 } else { self.net_qty > 0 };
        qty > 0 && is_opposite && qty <= self.net_qty.abs() - self.open_qty(side)
    }
}

fn play(machine: &mut Machine, twin: &mut Twin, step: &Step) {
    match *step {
        Step::New(side, qty) => {
            let order_id = twin.orders.len() as u64 + 1;
            let approved = check(machine, order_id, limit_order(side, qty, 1)).approved();
            assert_eq!(approved, twin.approves(side, qty), "{side:?} {qty}");
            assert!(approved || !twin.reduces(side, qty), "a reducing order passes");
            twin.orders.push((side, if approved { qty } else { 0 }));
        }
        Step::Fill(order, qty) => {
            let Some((side, leaves_qty)) = twin.orders.get_mut(order) else { return };
            let event = Event::Fill(fill(order as u64 + 1, *side, qty));
            let _ = alarms(machine, 0, event);
            twin.net_qty += if *side == Side::Buy { qty } else { -qty };
            *leaves_qty -= qty.min(*leaves_qty);
        }
        Step::Release(order) => {
            let event = Event::Release { order_id: order as u64 + 1 };
            let _ = alarms(machine, 0, event);
            if let Some((_, leaves_qty)) = twin.orders.get_mut(order) {
                *leaves_qty = 0;
            }
        }
        Step::Adjust(qty) => {
            let event = Event::Adjust(position(qty));
            let _ = alarms(machine, 0, event);
            twin.net_qty += qty;
        }
    }
}

fn assert_same(machine: &Machine, twin: &Twin) {
    let exposure = machine.exposure(ACCOUNT, INSTRUMENT);
    assert_eq!(exposure.net_qty, i128::from(twin.net_qty));
    assert_eq!(exposure.open_buy_qty, i128::from(twin.open_qty(Side::Buy)));
    assert_eq!(exposure.open_sell_qty, i128::from(twin.open_qty(Side::Sell)));
    let held = |side| -> i128 {
        let of_side = machine.holds().filter(|(_, hold)| hold.side == side);
        of_side.map(|(_, hold)| i128::from(hold.leaves_qty)).sum()
    };
    assert_eq!(exposure.open_buy_qty, held(Side::Buy));
    assert_eq!(exposure.open_sell_qty, held(Side::Sell));
}

proptest! {
    #[test]
    fn holds_equal_their_recomputed_sum_after_every_event(
        steps in prop::collection::vec(any_step(), 1..120)
    ) {
        let mut machine = machine(snapshot(whole_units(), max_position(LIMIT.into())));
        let mut twin = Twin::default();
        for step in &steps {
            play(&mut machine, &mut twin, step);
            assert_same(&machine, &twin);
        }
    }

    /// 1,000 orders of both sides and of random sizes arrive in a random order, fills and releases of
    /// the approved ones in between: an order is approved exactly when it fits.
    #[test]
    fn of_1000_concurrent_orders_exactly_those_that_fit_pass(
        quantities in prop::collection::vec(1i64..12, 1_000),
        fills in prop::collection::vec(prop::option::weighted(0.3, (0usize..1_000, 0i64..12)), 1_000),
    ) {
        let mut machine = machine(snapshot(whole_units(), max_position(LIMIT.into())));
        let mut twin = Twin::default();
        let mut reached = 0;
        for (i, (qty, interleaved)) in quantities.iter().zip(&fills).enumerate() {
            let side = if i % 7 == 3 { Side::Sell } else { Side::Buy };
            play(&mut machine, &mut twin, &Step::New(side, *qty));
            if let Some((order, qty)) = interleaved {
                let order = order % (i + 1);
                let leaves_qty = twin.orders[order].1;
                if *qty == 0 {
                    play(&mut machine, &mut twin, &Step::Release(order));
                } else if leaves_qty > 0 {
                    play(&mut machine, &mut twin, &Step::Fill(order, leaves_qty.min(*qty)));
                }
            }
            let worst = twin.net_qty + twin.open_qty(Side::Buy);
            prop_assert!(worst <= LIMIT, "worst case {worst}");
            reached = reached.max(worst);
        }
        prop_assert!(reached > LIMIT - 12, "the limit is used: {reached}");
        assert_same(&machine, &twin);
    }

    #[test]
    fn equal_orders_at_the_limit_pass_exactly_as_often_as_they_fit(
        qty in 1i64..1_000, fitting in 0i64..1_000, spare in 0i64..1_000
    ) {
        let spare = spare % qty;
        let limit = max_position(i128::from(qty * fitting + spare));
        let mut machine = machine(snapshot(whole_units(), limit));
        let approved = (1..=1_000u64)
            .filter(|order_id| check(&mut machine, *order_id, limit_order(Side::Buy, qty, 1)).approved())
            .count();
        prop_assert_eq!(approved as i64, fitting);
    }

    #[test]
    fn any_order_is_answered_without_a_panic(
        order_id: u64, cl_ord_id in ".{0,70}", side: Option<bool>, ord_type: Option<bool>,
        order_qty: i64, price: Option<i64>, net_qty: i64, mark_px in 1..=i64::MAX, band_bps: u32,
        multiplier in 1..=i64::MAX
    ) {
        use risk_core::pretrade::{InstrumentTerms, OrdType};
        let firm = RiskLimit {
            max_order_qty: Some(decimal(i64::MAX.into(), 18)),
            max_order_notional: Some(decimal(i64::MAX.into(), 0)),
            max_position_qty: Some(decimal(1, 18)),
            ..RiskLimit::default()
        };
        let terms = InstrumentTerms {
            price_scale: 9, qty_scale: 9, multiplier: decimal(multiplier.into(), 18), ..whole_units()
        };
        let mut machine = machine(Snapshot {
            positions: vec![position(net_qty)],
            marks: vec![(crate::fixture::mark(mark_px), 0)],
            ..snapshot(terms, limits(vec![firm], band_bps))
        });
        let order = NewOrder {
            cl_ord_id,
            side: side.map(|buy| if buy { Side::Buy } else { Side::Sell }).ok_or(Unknown(0)),
            ord_type: ord_type
                .map(|market| if market { OrdType::Market } else { OrdType::Limit })
                .ok_or(Unknown(7)),
            order_qty,
            price,
            ..limit_order(Side::Buy, 1, 1)
        };
        let decision = check(&mut machine, order_id, order);
        let sorted = decision.check_failures.is_sorted_by_key(|failure| failure.ord_rej_reason);
        prop_assert!(sorted, "in the published order");
        prop_assert_eq!(machine.holds().count(), usize::from(decision.approved()));
    }
}
