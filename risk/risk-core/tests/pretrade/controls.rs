//! What a random stream does not show well: latches and alarms one by one, sessions, brackets, altered memories.

use risk_core::pretrade::{
    Alarm, Answers, Cash, Check, Contingency, Event, FxRate, Hold, InstrumentTerms, Machine, Mark, Model, Money,
    NewOrder, OrdRejReason, Replace, RiskLimit, RiskLimits, Side, Snapshot, Stamp, TradingScope, TradingSession,
    TradingState,
};

use crate::fixture::{
    ACCOUNT, INSTRUMENT, alarms, answers, apply, asked, check, check_at, decimal, fill, limit_order, limits, machine,
    mark, market_order, max_position, position, reasons, snapshot, stop_order, whole_units,
};

fn firm(limit: RiskLimit) -> RiskLimits {
    limits(vec![limit], 0)
}

fn marked(risk_limits: RiskLimits) -> Snapshot {
    Snapshot { marks: vec![(mark(100), 0)], ..snapshot(whole_units(), risk_limits) }
}

fn alarm(reason: OrdRejReason, scope: &str, limit: &str, value: &str, trading_state: TradingState) -> Alarm {
    Alarm {
        sequence: 1,
        ord_rej_reason: reason,
        scope: scope.into(),
        risk_limit: limit.into(),
        value: value.into(),
        trading_state,
    }
}

fn list(contingency: Contingency, orders: Vec<NewOrder>) -> Event {
    let orders = orders.into_iter().zip(1..).map(|(order, order_id)| asked(order_id, order)).collect();
    Event::Check(Check { contingency: Some(contingency), orders, decided: vec![], preview: false })
}

fn deposit(units: i128) -> Event {
    let cash = Money { currency: "USD".into(), attos: units * 10i128.pow(18) };
    Event::Cash(Cash { account: ACCOUNT.into(), cash })
}

fn active(account: &str) -> Event {
    let scope = TradingScope { account: account.into(), ..TradingScope::default() };
    Event::TradingState(scope, TradingState::Active)
}

#[test]
fn a_loss_latches_and_only_its_scope_set_active_ends_it() {
    let loss = RiskLimit { account: ACCOUNT.into(), max_daily_loss: Some(decimal(100, 0)), ..RiskLimit::default() };
    let mut machine = machine(marked(limits(vec![loss], 0)));
    apply(&mut machine, deposit(10_000));
    apply(&mut machine, Event::Fill(risk_core::pretrade::Fill { last_px: 100, ..fill(9, Side::Buy, 10) }));
    apply(&mut machine, Event::Mark(mark(90))); // a loss of exactly 100
    assert!(check(&mut machine, 1, limit_order(Side::Buy, 1, 90)).approved());
    let expected = |value, state| [alarm(OrdRejReason::LossLimit, "account:A1", "100", value, state)];
    assert_eq!(alarms(&mut machine, 0, Event::Mark(mark(89))), expected("110", TradingState::Reducing));
    assert_eq!(reasons(&check(&mut machine, 2, limit_order(Side::Buy, 1, 90))), [OrdRejReason::LossLimit]);
    assert!(check(&mut machine, 3, limit_order(Side::Sell, 2, 90)).approved(), "what reduces passes");
    // It stays when the loss is made good, through withdrawals and a day that begins.
    let tomorrow = 86_400_000_000_000;
    assert_eq!(alarms(&mut machine, tomorrow, Event::Mark(mark(120))), []);
    assert_eq!(alarms(&mut machine, tomorrow, deposit(-9_000)), []);
    let refused = |machine: &mut Machine, order_id| {
        reasons(&check_at(machine, tomorrow, order_id, limit_order(Side::Buy, 1, 90))) == [OrdRejReason::LossLimit]
    };
    assert!(refused(&mut machine, 4));
    apply(&mut machine, active(""));
    assert!(refused(&mut machine, 5), "another scope");
    apply(&mut machine, active(ACCOUNT));
    assert!(!refused(&mut machine, 6));
    // Twice the limit and more: nothing passes. Set ACTIVE while it is, it latches again.
    assert_eq!(alarms(&mut machine, tomorrow, Event::Mark(mark(67))), expected("220", TradingState::Halted));
    let reducing = check_at(&mut machine, tomorrow, 7, limit_order(Side::Sell, 1, 90));
    assert_eq!(reasons(&reducing), [OrdRejReason::LossLimit]);
    assert_eq!(alarms(&mut machine, tomorrow, active(ACCOUNT)), expected("220", TradingState::Halted));
}

#[test]
fn a_drawdown_counts_from_the_peak() {
    let limit = RiskLimit { max_drawdown: Some(decimal(50, 0)), ..RiskLimit::default() };
    let mut machine = machine(Snapshot { positions: vec![position(1)], ..marked(firm(limit)) });
    apply(&mut machine, Event::Mark(mark(200)));
    apply(&mut machine, Event::Mark(mark(150)));
    let expected = alarm(OrdRejReason::LossLimit, "firm", "50", "51", TradingState::Reducing);
    assert_eq!(alarms(&mut machine, 0, Event::Mark(mark(149))), [expected]);
}

#[test]
fn what_is_passed_without_an_order_is_an_alarm_once() {
    let gross = RiskLimit { max_gross_notional: Some(decimal(1_000, 0)), ..RiskLimit::default() };
    let mut machine = machine(marked(firm(gross.clone())));
    apply(&mut machine, Event::Adjust(position(10)));
    let expected = |limit, value| [alarm(OrdRejReason::MaxExposure, "firm", limit, value, TradingState::Reducing)];
    assert_eq!(alarms(&mut machine, 0, Event::Mark(mark(101))), expected("1000", "1010"));
    assert_eq!(alarms(&mut machine, 0, Event::Mark(mark(102))), []);
    assert_eq!(alarms(&mut machine, 0, Event::Mark(mark(100))), []);
    let lower = RiskLimit {
        max_gross_notional: Some(decimal(999, 0)),
        max_position_qty: Some(decimal(9, 0)),
        ..RiskLimit::default()
    };
    let lower = RiskLimits::new(2, vec![lower], 0).expect("limits");
    let mut both = vec![alarm(OrdRejReason::PositionLimit, "firm", "9", "10", TradingState::Reducing)];
    both.extend(expected("999", "1000"));
    assert_eq!(alarms(&mut machine, 0, Event::RiskLimits(lower)), both);
}

#[test]
fn a_late_fill_beyond_a_limit_is_an_alarm() {
    let mut machine = machine(marked(max_position(10)));
    assert!(check(&mut machine, 1, limit_order(Side::Buy, 10, 100)).approved());
    apply(&mut machine, Event::Release { order_id: 1 });
    assert!(check(&mut machine, 2, limit_order(Side::Buy, 10, 100)).approved());
    let expected = alarm(OrdRejReason::PositionLimit, "firm", "10", "11", TradingState::Reducing);
    assert_eq!(alarms(&mut machine, 0, Event::Fill(fill(1, Side::Buy, 1))), [expected]);
    assert_eq!(alarms(&mut machine, 0, Event::Fill(fill(2, Side::Buy, 5))), []);
}

#[test]
fn a_repeating_strategy_and_a_storm_of_refusals_latch() {
    let limit = RiskLimit {
        repeat_count: Some(3),
        repeat_window_ms: Some(1_000),
        max_consecutive_rejects: Some(2),
        ..RiskLimit::default()
    };
    let mut machine = machine(marked(firm(limit)));
    for order_id in 1..=3 {
        assert!(check(&mut machine, order_id, market_order(Side::Buy, 5)).approved());
        let expected = alarm(OrdRejReason::StrategyLatched, "account:A1", "3", "latched", TradingState::Halted);
        let expected = Vec::from_iter((order_id == 3).then_some(expected));
        assert_eq!(alarms(&mut machine, 0, Event::Fill(fill(order_id, Side::Buy, 5))), expected, "{order_id}");
    }
    let latched = check(&mut machine, 4, market_order(Side::Sell, 1));
    assert_eq!(reasons(&latched), [OrdRejReason::StrategyLatched]);
    apply(&mut machine, active(ACCOUNT));
    assert!(check(&mut machine, 5, market_order(Side::Sell, 1)).approved());
    // The venue refuses everything.
    let storm = alarm(OrdRejReason::RejectStorm, "firm", "2", "latched", TradingState::Halted);
    assert_eq!(alarms(&mut machine, 0, Event::VenueReject { order_id: 5 }), []);
    assert!(check(&mut machine, 6, market_order(Side::Sell, 1)).approved());
    assert_eq!(alarms(&mut machine, 0, Event::VenueReject { order_id: 6 }), [storm]);
    assert_eq!(reasons(&check(&mut machine, 7, market_order(Side::Sell, 1))), [OrdRejReason::RejectStorm]);
}

#[test]
fn an_instrument_trades_in_its_sessions_and_until_it_expires() {
    const HOUR_NS: i64 = 3_600_000_000_000;
    // 1 January 1970 was a Thursday.
    let session = TradingSession { day_of_week: 4, start_ns: 9 * HOUR_NS, end_ns: 17 * HOUR_NS };
    let expire_time_ns = 16 * HOUR_NS + 7 * 24 * HOUR_NS;
    let terms = InstrumentTerms { trading_sessions: vec![session], expire_time_ns, ..whole_units() };
    let mut machine = machine(snapshot(terms, limits(vec![], 0)));
    let mut order_id = 0;
    let mut open_at = |time_ns| {
        order_id += 1;
        let decision = check_at(&mut machine, time_ns, order_id, limit_order(Side::Buy, 1, 1));
        assert!(decision.approved() || reasons(&decision) == [OrdRejReason::InstrumentClosed]);
        decision.approved()
    };
    assert_eq!([9 * HOUR_NS - 1, 9 * HOUR_NS].map(&mut open_at), [false, true]);
    assert_eq!([17 * HOUR_NS - 1, 17 * HOUR_NS, 33 * HOUR_NS].map(&mut open_at), [true, false, false]);
    assert_eq!([expire_time_ns - 1, expire_time_ns].map(&mut open_at), [true, false]);
}

#[test]
fn a_bracket_is_held_with_its_exits_and_its_stop_needs_no_room_when_it_triggers() {
    let limit = RiskLimit { max_position_qty: Some(decimal(10, 0)), no_short: true, ..RiskLimit::default() };
    let mut machine = machine(marked(firm(limit)));
    let exits = [limit_order(Side::Sell, 10, 120), stop_order(Side::Sell, 10, 90)];
    let [profit, loss] = exits;
    let answer =
        answers(&mut machine, 0, list(Contingency::Bracket, vec![limit_order(Side::Buy, 10, 100), profit, loss]));
    assert!(answer.expect("a list").decisions.iter().all(|decision| decision.approved()));
    let open = |machine: &Machine| {
        let exposure = machine.exposure(ACCOUNT, INSTRUMENT);
        (exposure.net_qty, exposure.open_buy_qty, exposure.open_sell_qty)
    };
    assert_eq!(open(&machine), (0, 10, 0));
    apply(&mut machine, Event::Fill(fill(1, Side::Buy, 4)));
    assert_eq!(open(&machine), (4, 6, 4), "the exits are worth what the entry filled");
    assert!(!check(&mut machine, 7, limit_order(Side::Sell, 1, 100)).approved(), "the exits have it");
    apply(&mut machine, Event::Fill(fill(2, Side::Sell, 3)));
    assert_eq!(open(&machine), (1, 6, 1));
    [1, 2, 3].into_iter().for_each(|order_id| apply(&mut machine, Event::Release { order_id }));
    assert_eq!(open(&machine), (1, 0, 0));
    let both = [120, 130].map(|price| limit_order(Side::Sell, 10, price));
    let entry = limit_order(Side::Buy, 9, 100);
    let legs = [entry].into_iter().chain(both.map(|exit| NewOrder { order_qty: 9, ..exit })).collect();
    let answer = answers(&mut machine, 0, list(Contingency::Bracket, legs)).expect("a list");
    let got: Vec<_> = answer.decisions.iter().map(reasons).collect();
    let expected = [OrdRejReason::List, OrdRejReason::List, OrdRejReason::ShortNotAllowed];
    assert_eq!(got, expected.map(|reason| vec![reason]), "two exits without a trigger may both fill");
}

#[test]
fn a_list_goes_as_one_and_what_has_a_trigger_counts_at_its_worst_leg() {
    let mut machine = machine(marked(max_position(10)));
    let legs = vec![limit_order(Side::Buy, 10, 90), stop_order(Side::Buy, 7, 105), stop_order(Side::Buy, 8, 110)];
    let fits = answers(&mut machine, 0, list(Contingency::Oco, legs.clone())).expect("a list");
    assert_eq!(fits.decisions.iter().map(|it| it.approved()).collect::<Vec<_>>(), [true; 3]);
    assert_eq!(machine.exposure(ACCOUNT, INSTRUMENT).open_buy_qty, 10);
    [1, 2, 3].into_iter().for_each(|order_id| apply(&mut machine, Event::Release { order_id }));
    let one_fails = vec![limit_order(Side::Buy, 3, 90), limit_order(Side::Buy, 11, 95)];
    let refused = answers(&mut machine, 0, list(Contingency::Oco, one_fails)).expect("a list");
    let got: Vec<_> = refused.decisions.iter().map(reasons).collect();
    assert_eq!(got, [vec![OrdRejReason::List], vec![OrdRejReason::PositionLimit]]);
    assert_eq!(machine.holds().count(), 0);
    assert_eq!(machine.exposure(ACCOUNT, INSTRUMENT), Default::default());
}

#[test]
fn legs_without_a_trigger_count_in_sum() {
    for contingency in [Contingency::Oco, Contingency::Ouo] {
        for order in [limit_order(Side::Buy, 1, 100), market_order(Side::Buy, 1)] {
            let mut machine = machine(marked(max_position(16)));
            let legs = |count: usize| list(contingency, vec![order.clone(); count]);
            let refused = answers(&mut machine, 0, legs(17)).expect("a list").decisions;
            assert_eq!(reasons(&refused[16]), [OrdRejReason::PositionLimit]);
            let fits = answers(&mut machine, 0, legs(16)).expect("a list").decisions;
            assert!(fits.iter().all(|decision| decision.approved()));
            (1..=16).for_each(|order_id| apply(&mut machine, Event::Fill(fill(order_id, Side::Buy, 1))));
            assert_eq!(machine.exposure(ACCOUNT, INSTRUMENT).net_qty, 16);
        }
    }
}

#[test]
fn a_leg_that_triggers_counts_among_those_that_are_live() {
    let mut machine = machine(marked(max_position(10)));
    let legs = vec![limit_order(Side::Buy, 10, 90), stop_order(Side::Buy, 10, 110)];
    assert!(answers(&mut machine, 0, list(Contingency::Oco, legs)).expect("a list").decisions[1].approved());
    apply(&mut machine, Event::Fill(fill(1, Side::Buy, 4)));
    let open_qty = |machine: &Machine| machine.exposure(ACCOUNT, INSTRUMENT).open_buy_qty;
    assert_eq!(open_qty(&machine), 6, "the stop is taken back with that fill");
    let (_, hold) = machine.holds().find(|(order_id, _)| *order_id == 2).expect("the stop");
    assert!(hold.has_trigger);
    let alarms = alarms(&mut machine, 0, Event::Restated(2, Hold { has_trigger: false, ..hold }));
    assert_eq!(alarms.iter().map(|alarm| alarm.ord_rej_reason).collect::<Vec<_>>(), [OrdRejReason::PositionLimit]);
    assert_eq!(open_qty(&machine), 16);
}

#[test]
fn a_replace_holds_the_larger_until_it_is_restated() {
    let mut machine = machine(marked(max_position(10)));
    assert!(check(&mut machine, 1, limit_order(Side::Buy, 6, 100)).approved());
    let mut replace = |qty, cum_qty, price| {
        let asked = asked(1, limit_order(Side::Buy, qty, price));
        let answers: Answers =
            answers(&mut machine, 0, Event::Replace(Replace { asked, cum_qty, decided: None })).expect("a replace");
        (answers.decisions[0].approved(), machine.exposure(ACCOUNT, INSTRUMENT).open_buy_qty)
    };
    assert_eq!(replace(11, 0, 100), (false, 6));
    assert_eq!(replace(10, 0, 100), (true, 10));
    assert_eq!(replace(2, 0, 100), (true, 10));
    assert_eq!(replace(2, 2, 100), (false, 10), "nothing would be left");
    let (_, hold) = machine.holds().next().expect("a hold");
    apply(&mut machine, Event::Restated(1, Hold { leaves_qty: 2, ..hold }));
    assert_eq!(machine.exposure(ACCOUNT, INSTRUMENT).open_buy_qty, 2);
}

#[test]
fn an_altered_memory_is_refused() {
    let mut machine = machine(marked(max_position(10)));
    assert!(check(&mut machine, 1, limit_order(Side::Buy, 6, 100)).approved());
    let memory = answers(&mut machine, 0, Event::Save).expect("a save").memories.remove(0);
    let restored = |bytes: Vec<u8>| {
        let snapshot = Snapshot { memory: Some(bytes), ..marked(max_position(10)) };
        Machine::new(Stamp::default(), snapshot).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(restored(memory.bytes.clone()), Ok(()));
    for place in 0..memory.bytes.len() {
        let mut altered = memory.bytes.clone();
        altered[place] ^= 1 << (place % 8);
        let expected = "memory: checksum must be that of its bytes, got another one";
        assert_eq!(restored(altered), Err(expected.to_owned()), "byte {place}");
        assert_eq!(restored(memory.bytes[..place].to_vec()), Err(expected.to_owned()), "{place} bytes");
    }
}

#[test]
fn a_rate_or_a_model_that_is_no_good_is_named() {
    let var = RiskLimit { max_var: Some(decimal(1_000, 0)), ..RiskLimit::default() };
    let mut machine = machine(marked(firm(var)));
    let order = || limit_order(Side::Buy, 1, 100);
    assert_eq!(reasons(&check(&mut machine, 1, order())), [OrdRejReason::ModelStale]);
    let model = |variance| Model {
        version: 1,
        instrument_ids: vec![INSTRUMENT.into()],
        covariance: vec![variance],
        confidence_bp: 9_900,
        horizon_days: 1,
        degrees_of_freedom: 0.0,
    };
    let refused = alarms(&mut machine, 0, Event::Model(model(-1.0)));
    assert_eq!(refused.iter().map(|alarm| alarm.ord_rej_reason).collect::<Vec<_>>(), [OrdRejReason::ModelStale]);
    assert_eq!(reasons(&check(&mut machine, 2, order())), [OrdRejReason::ModelStale]);
    apply(&mut machine, Event::Model(model(0.0004)));
    assert!(check(&mut machine, 3, limit_order(Side::Buy, 214, 100)).approved()); // 2.326 * 2 % of 21,400 is 995.7
    assert_eq!(reasons(&check(&mut machine, 4, order())), [OrdRejReason::VarLimit]);
    let rate = FxRate { currency: "EUR".into(), quote_currency: "USD".into(), rate: decimal(0, 0) };
    let error = answers(&mut machine, 0, Event::FxRates(vec![rate])).expect_err("no rate");
    assert_eq!(
        error.to_string(),
        "fx_rates of EUR in USD: rate must be positive with at most 18 decimal places, got 0"
    );
}

#[test]
fn a_preview_changes_nothing() {
    let limit = RiskLimit { order_rate_per_s: Some(1), order_burst: Some(1), ..RiskLimit::default() };
    let mut machine = machine(marked(firm(limit)));
    let before = machine.state_hash();
    let preview = |machine: &mut Machine| {
        let orders = vec![asked(1, limit_order(Side::Buy, 6, 100))];
        let check = Check { contingency: None, orders, decided: vec![], preview: true };
        answers(machine, 0, Event::Check(check)).expect("a preview").decisions[0].approved()
    };
    assert!(preview(&mut machine) && preview(&mut machine));
    assert_eq!(machine.state_hash(), before);
    assert!(check(&mut machine, 1, limit_order(Side::Buy, 6, 100)).approved());
    assert!(!preview(&mut machine), "the token is taken");
}

#[test]
fn a_mark_that_is_too_old_refuses_and_a_session_rate_is_per_scope() {
    let limit = RiskLimit { max_mark_age_ms: Some(1), ..RiskLimit::default() };
    let mut machine = machine(marked(firm(limit)));
    assert!(check_at(&mut machine, 1_000_000, 1, limit_order(Side::Buy, 1, 100)).approved());
    let old = check_at(&mut machine, 1_000_001, 2, limit_order(Side::Buy, 1, 100));
    assert_eq!(reasons(&old), [OrdRejReason::RefPriceStale]);
    assert_eq!(old.check_failures[0].value, "1.000001 ms");
    assert_eq!(alarms(&mut machine, 1_000_001, Event::Mark(Mark { mark_px: 100, ..mark(1) })), []);
    assert!(check_at(&mut machine, 1_000_001, 3, limit_order(Side::Buy, 1, 100)).approved());
}
