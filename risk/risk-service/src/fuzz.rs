//! No event makes the pre-trade state panic.

use proptest::prelude::*;
use prost::Message;

use crate::pretrade::session::Session;
use crate::proto::pretrade_event::Event;
use crate::proto::{
    AccountOpened, CheckRequest, Decimal, FxRate, FxRates, Instrument, KillSwitchChange, Mark, Money, NewOrder,
    PretradeAdjust, PretradeCash, PretradeCheck, PretradeCorrection, PretradeEvent, PretradeFill, PretradeHold,
    PretradeListCheck, PretradeMemory, PretradeModel, PretradePosition, PretradeRelease, PretradeReplaceCheck,
    PretradeSave, PretradeSnapshot, PretradeVenueReject, RiskLimit, RiskLimits, TradingScope, TradingStateChange,
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
        version in 0u64..5, market_order_band_bps: u32, ids in (any_id(), any_strategy(), any_id()),
        decimals in prop::collection::vec(any_decimal(), 17),
        counts in prop::collection::vec(prop::option::of(prop_oneof![0u32..4, any::<u32>()]), 16),
        flags: (bool, bool, bool),
    ) -> RiskLimits {
        let (mut decimals, mut counts) = (decimals.into_iter(), counts.into_iter());
        let mut decimal = || decimals.next().flatten();
        let mut count = || counts.next().flatten();
        let limit = RiskLimit {
            account: ids.0,
            strategy_id: ids.1,
            instrument_id: ids.2,
            max_order_qty: decimal(),
            max_order_notional: decimal(),
            max_position_qty: decimal(),
            max_long_qty: decimal(),
            max_short_qty: decimal(),
            no_short: flags.0,
            restricted: flags.1,
            static_collar_bps: count(),
            static_reference_px: decimal(),
            price_collar_bps: count(),
            max_mark_age_ms: count(),
            max_aggressive_ticks: count(),
            order_rate_per_s: count(),
            order_burst: count(),
            duplicate_count: count(),
            duplicate_window_ms: count(),
            max_open_orders: count(),
            max_open_notional: decimal(),
            max_gross_notional: decimal(),
            max_net_notional: decimal(),
            max_leverage: decimal(),
            initial_margin_ratio: decimal(),
            max_daily_notional: decimal(),
            max_daily_qty: decimal(),
            max_daily_loss: decimal(),
            max_drawdown: decimal(),
            max_var: decimal(),
            max_adv_share_bps: count(),
            adv_qty: decimal(),
            max_batch_notional: decimal(),
            max_batch_orders: count(),
            repeat_count: count(),
            repeat_window_ms: count(),
            max_consecutive_rejects: count(),
            max_order_to_trade_ratio: count(),
            otr_window_ms: count(),
            prevent_self_trade: flags.2,
        };
        RiskLimits { version, limits: vec![limit], market_order_band_bps }
    }
}

fn any_strategy() -> impl Strategy<Value = String> {
    prop_oneof![2 => Just(String::new()), 1 => Just("S".to_owned())]
}

/// A value of an enum with values from 1 to `last`, sometimes none.
pub(crate) fn any_value(last: i32) -> impl Strategy<Value = i32> {
    prop_oneof![9 => 1..=last, 1 => -1..last + 3]
}

prop_compose! {
    fn any_order()(
        cl_ord_id in prop_oneof![9 => "[a-z]", 1 => ".{0,4}"], account in any_id(), instrument_id in any_id(),
        side in any_value(2), ord_type in any_value(5), time_in_force in any_value(5), order_qty in any_integer(),
        prices in (prop::option::of(any_integer()), prop::option::weighted(0.2, any_integer())),
        strategy_id in any_strategy(), trailing in (any_integer(), 0u32..20_000), self_trade_prevention in any_value(5),
    ) -> NewOrder {
        NewOrder {
            cl_ord_id, account, strategy_id, instrument_id, side, ord_type, time_in_force, order_qty, price: prices.0,
            stop_px: prices.1, trailing_amount: trailing.0, trailing_bps: trailing.1, self_trade_prevention,
            ..NewOrder::default()
        }
    }
}

prop_compose! {
    fn any_hold()(
        order_id in 0u64..9, account in any_id(), strategy_id in any_strategy(), instrument_id in any_id(),
        side in any_value(2), leaves_qty in any_integer(), price in any_integer(), is_limit: bool, has_trigger: bool,
        list in (0u64..9, any_value(4)),
    ) -> PretradeHold {
        PretradeHold { order_id, account, strategy_id, instrument_id, side, leaves_qty, price, is_limit,
            list_order_id: list.0, contingency_type: list.1, transact_time_ns: 0, has_trigger }
    }
}

fn any_check() -> impl Strategy<Value = PretradeCheck> {
    let batch = (0u32..3, any_decimal());
    (0u64..9, prop::option::weighted(0.95, any_order()), batch, prop::bool::weighted(0.1)).prop_map(
        |(order_id, new_order, (batch_orders, batch_notional), preview)| PretradeCheck {
            order_id,
            new_order,
            batch_orders,
            batch_notional,
            preview,
        },
    )
}

fn any_money() -> impl Strategy<Value = Option<Money>> {
    let currency = prop_oneof![Just(String::new()), Just("USD".to_owned())];
    prop::option::of((currency, any_integer(), -5i64..5).prop_map(|(currency, units, attos)| Money {
        currency,
        units,
        attos,
    }))
}

fn any_scope() -> impl Strategy<Value = Option<TradingScope>> {
    prop::option::of((any_id(), any_strategy(), any_id()).prop_map(|(account, strategy_id, instrument_id)| {
        TradingScope { account, strategy_id, instrument_id, venue: String::new() }
    }))
}

fn any_model() -> impl Strategy<Value = PretradeModel> {
    (any_id(), prop::num::f64::ANY, 0u32..10_001, 0u32..3, prop_oneof![Just(0.0), prop::num::f64::ANY]).prop_map(
        |(factor, variance, confidence_bp, horizon_days, degrees_of_freedom)| PretradeModel {
            version: 1,
            instrument_ids: vec![factor],
            covariance: vec![variance],
            confidence_bp,
            horizon_days,
            degrees_of_freedom,
        },
    )
}

/// Events of orders.
fn any_order_event() -> BoxedStrategy<Event> {
    let ids = || (any_id(), any_id(), any_strategy());
    prop_oneof![
        4 => any_check().prop_map(Event::Check),
        1 => (any_value(4), prop::collection::vec(any_check(), 0..4))
            .prop_map(|(contingency_type, checks)| Event::ListCheck(PretradeListCheck { contingency_type, checks })),
        1 => (0u64..9, any_order(), any_integer()).prop_map(|(order_id, new_order, cum_qty)| {
            Event::ReplaceCheck(PretradeReplaceCheck { order_id, new_order: Some(new_order), cum_qty })
        }),
        2 => (0u64..9, ids(), any_value(2), any_integer(), any_integer(), any_money()).prop_map(
            |(order_id, (account, instrument_id, strategy_id), side, last_qty, last_px, cash)| {
                Event::Fill(PretradeFill { order_id, account, instrument_id, side, last_qty, last_px, strategy_id, cash })
            }
        ),
        1 => (0u64..9).prop_map(|order_id| Event::Release(PretradeRelease { order_id })),
        1 => (0u64..9).prop_map(|order_id| Event::VenueReject(PretradeVenueReject { order_id })),
        1 => any_hold().prop_map(Event::Restated),
        1 => (0u64..9, ids(), any_integer(), any_money()).prop_map(
            |(order_id, (account, instrument_id, strategy_id), qty, cash)| {
                Event::Correction(PretradeCorrection { order_id, account, instrument_id, qty, cash, strategy_id })
            }
        ),
    ]
    .boxed()
}

fn any_event() -> BoxedStrategy<Event> {
    let ids = || (any_id(), any_id());
    prop_oneof![
        10 => any_order_event(),
        1 => (ids(), any_integer(), any_strategy()).prop_map(|((account, instrument_id), qty, strategy_id)| {
            Event::Adjust(PretradeAdjust { account, instrument_id, qty, strategy_id })
        }),
        1 => (any_id(), any_money()).prop_map(|(account, cash)| Event::Cash(PretradeCash { account, cash })),
        1 => (any_id(), any_integer()).prop_map(|(instrument_id, mark_px)| Event::Mark(Mark { instrument_id, mark_px })),
        1 => any_limits().prop_map(Event::RiskLimits),
        1 => any_instrument().prop_map(Event::Instrument),
        1 => any_id().prop_map(|account| Event::AccountOpened(AccountOpened { account, base_currency: String::new() })),
        1 => (any_scope(), any_value(4)).prop_map(|(scope, trading_state)| {
            Event::TradingStateChange(TradingStateChange { scope, trading_state, ..TradingStateChange::default() })
        }),
        1 => (any_scope(), any::<bool>()).prop_map(|(scope, engaged)| {
            Event::KillSwitchChange(KillSwitchChange { scope, engaged, ..KillSwitchChange::default() })
        }),
        1 => any_decimal().prop_map(|rate| {
            let rate = FxRate { currency: "USD".into(), quote_currency: String::new(), rate };
            Event::FxRates(FxRates { rates: vec![rate] })
        }),
        1 => any_model().prop_map(Event::PretradeModel),
        1 => Just(Event::Save(PretradeSave {})),
        1 => (prop::option::of(any_instrument()), any_limits(), any_integer(), any_hold(), prop::option::of(any::<Vec<u8>>()))
            .prop_map(|(instrument, risk_limits, net_qty, hold, memory)| {
                let memory = memory.map(|memory| PretradeMemory { memory, ..PretradeMemory::default() });
                Event::Snapshot(PretradeSnapshot { positions: vec![position(net_qty)], holds: vec![hold], memory,
                    ..start(instrument, risk_limits) })
            }),
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
    #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

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
            let orders = match &event {
                Event::Check(_) | Event::ReplaceCheck(_) => 1,
                Event::ListCheck(list) => list.checks.len(),
                _ => 0,
            };
            let event = PretradeEvent { sequence, transact_time_ns: 0, event: Some(event), ..PretradeEvent::default() };
            // A real stream ends at the first refusal; here it goes on, as the state must survive that too.
            if let Ok(answer) = session.answer(CheckRequest { epoch: 1, events: vec![event], ..Default::default() }) {
                let decisions = answer.map_or(0, |answer| answer.decisions.len());
                prop_assert_eq!(decisions, orders, "each order is answered, and nothing else");
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
