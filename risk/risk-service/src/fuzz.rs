//! No event makes the pre-trade state panic.

use proptest::prelude::*;
use prost::Message;

use crate::pretrade::session::Session;
use crate::proto::pretrade_event::Event;
use crate::proto::{
    AccountOpened, CheckRequest, Decimal, Instrument, Mark, NewOrder, PretradeAdjust, PretradeCheck, PretradeEvent,
    PretradeFill, PretradeHold, PretradePosition, PretradeRelease, PretradeSnapshot, RiskLimit, RiskLimits,
};
use crate::watch::Boards;

/// Ids that exist mostly, so that events reach the state.
fn any_id() -> impl Strategy<Value = String> {
    prop_oneof![8 => Just("A".to_owned()), 1 => Just(String::new()), 1 => ".{0,3}"]
}

fn any_integer() -> impl Strategy<Value = i64> {
    prop_oneof![3 => 0i64..100, 1 => any::<i64>(), 1 => prop::sample::select(vec![i64::MIN, i64::MAX])]
}

fn any_decimal() -> impl Strategy<Value = Option<Decimal>> {
    prop::option::of((any_integer(), 0u32..20).prop_map(|(mantissa, scale)| Decimal { mantissa, scale }))
}

prop_compose! {
    fn any_instrument()(
        instrument_id in any_id(), scales in (0u32..11, 0u32..11), increments in (any_integer(), any_integer()),
        range in (any_integer(), any_integer()), multiplier in any_decimal(), allow_negative_price: bool
    ) -> Instrument {
        Instrument {
            instrument_id,
            price_scale: scales.0,
            qty_scale: scales.1,
            price_increment: increments.0,
            qty_increment: increments.1,
            min_qty: range.0,
            max_qty: range.1,
            multiplier,
            allow_negative_price,
            ..Instrument::default()
        }
    }
}

prop_compose! {
    fn any_limits()(
        version in 0u64..5, market_order_band_bps: u32, account in any_id(), instrument_id in any_id(),
        decimals in (any_decimal(), any_decimal(), any_decimal())
    ) -> RiskLimits {
        let (max_order_qty, max_order_notional, max_position_qty) = decimals;
        let limit = RiskLimit { account, instrument_id, max_order_qty, max_order_notional, max_position_qty, ..RiskLimit::default() };
        RiskLimits { version, limits: vec![limit], market_order_band_bps }
    }
}

/// A value of an enum with values from 1 to `last`, sometimes none.
pub(crate) fn any_value(last: i32) -> impl Strategy<Value = i32> {
    prop_oneof![9 => 1..=last, 1 => -1..last + 3]
}

prop_compose! {
    fn any_order()(
        cl_ord_id in prop_oneof![9 => "[a-z]", 1 => ".{0,4}"], account in any_id(), instrument_id in any_id(),
        side in any_value(2), ord_type in any_value(4), time_in_force in any_value(5), order_qty in any_integer(),
        price in prop::option::of(any_integer())
    ) -> NewOrder {
        let strategy_id = String::new();
        NewOrder {
            cl_ord_id, account, strategy_id, instrument_id, side, ord_type, time_in_force, order_qty, price,
            ..NewOrder::default()
        }
    }
}

fn any_event() -> BoxedStrategy<Event> {
    let ids = || (any_id(), any_id());
    prop_oneof![
        4 => (0u64..9, prop::option::weighted(0.95, any_order()))
            .prop_map(|(order_id, new_order)| Event::Check(PretradeCheck { order_id, new_order, ..PretradeCheck::default() })),
        2 => (0u64..9, ids(), any_value(2), any_integer()).prop_map(|(order_id, (account, instrument_id), side, last_qty)| {
            Event::Fill(PretradeFill { order_id, account, instrument_id, side, last_qty, last_px: 0, ..PretradeFill::default() })
        }),
        1 => (0u64..9).prop_map(|order_id| Event::Release(PretradeRelease { order_id })),
        1 => (ids(), any_integer()).prop_map(|((account, instrument_id), qty)| {
            Event::Adjust(PretradeAdjust { account, instrument_id, qty, ..PretradeAdjust::default() })
        }),
        1 => (any_id(), any_integer()).prop_map(|(instrument_id, mark_px)| Event::Mark(Mark { instrument_id, mark_px })),
        1 => any_limits().prop_map(Event::RiskLimits),
        1 => any_instrument().prop_map(Event::Instrument),
        1 => any_id().prop_map(|account| Event::AccountOpened(AccountOpened { account, base_currency: String::new() })),
        1 => (prop::option::of(any_instrument()), any_limits(), ids(), any_integer(), any_integer()).prop_map(
            |(instrument, risk_limits, (account, instrument_id), net_qty, leaves_qty)| {
                let hold = PretradeHold { order_id: 8, account, instrument_id, side: 1, leaves_qty, ..PretradeHold::default() };
                Event::Snapshot(PretradeSnapshot { positions: vec![position(net_qty)], holds: vec![hold],
                    ..start(instrument, risk_limits) })
            }
        ),
    ]
    .boxed()
}

fn position(net_qty: i64) -> PretradePosition {
    PretradePosition { account: "A".into(), instrument_id: "A".into(), net_qty, ..PretradePosition::default() }
}

/// A snapshot of account A and of instrument A, unless another is given.
fn start(instrument: Option<Instrument>, risk_limits: RiskLimits) -> PretradeSnapshot {
    let usual = Instrument {
        instrument_id: "A".into(),
        price_increment: 1,
        qty_increment: 1,
        multiplier: Some(Decimal { mantissa: 1, scale: 0 }),
        ..Instrument::default()
    };
    PretradeSnapshot {
        instruments: vec![instrument.unwrap_or(usual)],
        accounts: vec![AccountOpened { account: "A".into(), base_currency: String::new() }],
        risk_limits: Some(risk_limits),
        ..PretradeSnapshot::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_event_is_answered_or_refused(events in prop::collection::vec((any_event(), 0u64..3), 0..30)) {
        let mut session = Session::new(Boards::default());
        let snapshot = start(None, RiskLimits::default());
        let mut sequence = 1;
        let first = PretradeEvent { sequence, transact_time_ns: 0, event: Some(Event::Snapshot(snapshot)), ..PretradeEvent::default() };
        let begun = session.answer(CheckRequest { epoch: 1, events: vec![first], ..Default::default() });
        prop_assert!(begun.is_ok(), "a snapshot is taken");
        for (event, step) in events {
            sequence += step;
            let is_check = matches!(event, Event::Check(_));
            let event = PretradeEvent { sequence, transact_time_ns: 0, event: Some(event), ..PretradeEvent::default() };
            // A real stream ends at the first refusal; here it goes on, as the state must survive that too.
            if let Ok(answer) = session.answer(CheckRequest { epoch: 1, events: vec![event], ..Default::default() }) {
                prop_assert_eq!(answer.is_some(), is_check, "a check is answered, and nothing else");
            }
        }
    }

    #[test]
    fn altered_bytes_are_decoded_or_refused(
        events in prop::collection::vec(any_event(), 1..4),
        alterations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let events = events.into_iter().zip(1..).map(|(event, sequence)| {
            PretradeEvent { sequence, transact_time_ns: 0, event: Some(event), ..PretradeEvent::default() }
        });
        let mut bytes = CheckRequest { epoch: 1, events: events.collect(), ..Default::default() }.encode_to_vec();
        for (place, byte) in alterations {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(request) = CheckRequest::decode(bytes.as_slice()) {
            let _ = Session::new(Boards::default()).answer(request);
        }
    }
}
