//! Between the contract and the types that decide.

use risk_core::pretrade::{
    Account, Adjust, Alarm, Asked, Cash, Check, CheckFailure, Contingency, Correction, Decided, Decimal, Decision,
    Event, EventError, Fill, FxRate, Hold, Instrument, InstrumentTerms, Latch, Mark, Memory, Model, Money, NewOrder,
    OrdRejReason, OrdType, Replace, RiskLimit, RiskLimits, Side, Snapshot, TimeInForce, TradingScope, TradingSession,
    TradingState, Unknown,
};

use crate::proto;
use crate::proto::pretrade_event::Event as Sent;

type Result<T> = std::result::Result<T, EventError>;

pub(super) fn event(event: proto::PretradeEvent) -> Result<Event> {
    let decided = event.decided.iter().map(decided).collect();
    Ok(match required("event", "event", event.event)? {
        Sent::Snapshot(sent) => Event::Snapshot(Box::new(snapshot(sent, event.sequence)?)),
        Sent::Check(sent) => {
            let preview = sent.preview;
            Event::Check(Check { contingency: None, orders: vec![asked(sent)?], decided, preview })
        }
        Sent::ListCheck(sent) => Event::Check(list_check(sent, decided)?),
        Sent::ReplaceCheck(sent) => Event::Replace(replace(sent, decided.first().copied())?),
        Sent::Fill(sent) => Event::Fill(fill(sent)?),
        Sent::Release(sent) => Event::Release { order_id: sent.order_id },
        Sent::VenueReject(sent) => Event::VenueReject { order_id: sent.order_id },
        Sent::Restated(sent) => {
            let (order_id, hold) = hold(sent)?;
            Event::Restated(order_id, hold)
        }
        Sent::Adjust(sent) => Event::Adjust(Adjust {
            account: sent.account,
            strategy_id: sent.strategy_id,
            instrument_id: sent.instrument_id,
            qty: sent.qty,
        }),
        Sent::Correction(sent) => Event::Correction(correction(sent)?),
        Sent::Cash(sent) => Event::Cash(cash(sent)?),
        Sent::Mark(sent) => Event::Mark(mark(sent)),
        Sent::RiskLimits(sent) => Event::RiskLimits(risk_limits(sent)?),
        Sent::TradingStateChange(sent) => {
            let (scope, state) = trading_state_change(sent)?;
            Event::TradingState(scope, state)
        }
        Sent::KillSwitchChange(sent) => Event::KillSwitch(scope(sent.scope), sent.engaged),
        Sent::FxRates(sent) => Event::FxRates(fx_rates(sent)?),
        Sent::PretradeModel(sent) => Event::Model(model(sent)),
        Sent::Instrument(sent) => Event::Instrument(instrument(sent)?),
        Sent::AccountOpened(sent) => Event::AccountOpened(account(sent)),
        Sent::Save(proto::PretradeSave {}) => Event::Save,
    })
}

pub(super) fn memory(memory: Memory) -> proto::PretradeMemory {
    proto::PretradeMemory { sequence: memory.sequence, memory: memory.bytes, state_hash: memory.state_hash.to_vec() }
}

pub(super) fn alarm(alarm: Alarm) -> proto::PretradeAlarm {
    proto::PretradeAlarm {
        sequence: alarm.sequence,
        ord_rej_reason: ord_rej_reason(alarm.ord_rej_reason).into(),
        scope: alarm.scope,
        risk_limit: alarm.risk_limit,
        value: alarm.value,
        trading_state: trading_state(alarm.trading_state).into(),
    }
}

pub(super) fn latches(latches: Vec<Latch>) -> proto::PretradeLatches {
    let latch = |latch: Latch| {
        let TradingScope { account, strategy_id, instrument_id, venue } = latch.scope;
        proto::PretradeLatch {
            sequence: latch.sequence,
            ord_rej_reason: ord_rej_reason(latch.ord_rej_reason).into(),
            scope: Some(proto::TradingScope { account, strategy_id, instrument_id, venue }),
            risk_limit: latch.risk_limit,
            value: latch.value,
            trading_state: trading_state(latch.trading_state).into(),
        }
    };
    proto::PretradeLatches { latches: latches.into_iter().map(latch).collect() }
}

fn trading_state(state: TradingState) -> proto::TradingState {
    match state {
        TradingState::Active => proto::TradingState::Active,
        TradingState::Reducing => proto::TradingState::Reducing,
        TradingState::CancelOnly => proto::TradingState::CancelOnly,
        TradingState::Halted => proto::TradingState::Halted,
    }
}

pub(super) fn decision(decision: Decision) -> proto::PretradeDecision {
    proto::PretradeDecision {
        sequence: decision.sequence,
        order_id: decision.order_id,
        approved: decision.approved(),
        check_failures: decision.check_failures.into_iter().map(check_failure).collect(),
    }
}

/// A refusal by a switch, a state or another order of the list is not the order's own fault, and no refusal in a row.
fn decided(sent: &proto::PretradeDecision) -> Decided {
    use proto::OrdRejReason::{KillSwitch, List, StateCancelOnly, StateHalted, StateReducing};
    let first = sent.check_failures.first().map(proto::CheckFailure::ord_rej_reason);
    let blocked = matches!(first, Some(KillSwitch | StateHalted | StateCancelOnly | StateReducing | List));
    Decided { approved: sent.approved, blocked }
}

fn asked(sent: proto::PretradeCheck) -> Result<Asked> {
    let order = new_order(required("check", "new_order", sent.new_order)?);
    let batch_notional = sent.batch_notional.map(|sent| decimal("check", "batch_notional", sent)).transpose()?;
    Ok(Asked { order_id: sent.order_id, order, batch_orders: sent.batch_orders, batch_notional })
}

fn list_check(sent: proto::PretradeListCheck, decided: Vec<Decided>) -> Result<Check> {
    let Some(contingency) = contingency(sent.contingency_type) else {
        let rule = "must be OCO, OTO, OUO or BRACKET";
        return Err(EventError::new("list_check", "contingency_type", rule, sent.contingency_type));
    };
    if sent.checks.is_empty() {
        return Err(EventError::new("list_check", "checks", "must be set", "nothing"));
    }
    if !decided.is_empty() && decided.len() != sent.checks.len() {
        return Err(EventError::new("list_check", "decided", "must be one for each order", decided.len()));
    }
    let preview = sent.checks.iter().any(|check| check.preview);
    let orders = sent.checks.into_iter().map(asked).collect::<Result<_>>()?;
    Ok(Check { contingency: Some(contingency), orders, decided, preview })
}

fn contingency(sent: i32) -> Option<Contingency> {
    match proto::ContingencyType::try_from(sent).ok()? {
        proto::ContingencyType::Oco => Some(Contingency::Oco),
        proto::ContingencyType::Oto => Some(Contingency::Oto),
        proto::ContingencyType::Ouo => Some(Contingency::Ouo),
        proto::ContingencyType::Bracket => Some(Contingency::Bracket),
        proto::ContingencyType::Unspecified => None,
    }
}

fn replace(sent: proto::PretradeReplaceCheck, decided: Option<Decided>) -> Result<Replace> {
    let order = new_order(required("replace_check", "new_order", sent.new_order)?);
    let asked = Asked { order_id: sent.order_id, order, batch_orders: 0, batch_notional: None };
    Ok(Replace { asked, cum_qty: sent.cum_qty, decided })
}

fn snapshot(sent: proto::PretradeSnapshot, sequence: u64) -> Result<Snapshot> {
    // A mark whose time is not told is of no known age: the oldest.
    let times = sent.mark_times_ns.into_iter().chain(std::iter::repeat(0));
    // A memory of before the snapshot goes with it when there is no newer one; its hash is that of another state.
    let (memory, state_hash) = match sent.memory {
        Some(saved) if saved.sequence == sequence => (Some(saved.memory), saved.state_hash),
        saved => (saved.map(|saved| saved.memory), Vec::new()),
    };
    Ok(Snapshot {
        instruments: sent.instruments.into_iter().map(instrument).collect::<Result<_>>()?,
        accounts: sent.accounts.into_iter().map(account).collect(),
        risk_limits: risk_limits(required("snapshot", "risk_limits", sent.risk_limits)?)?,
        positions: sent.positions.into_iter().map(position).collect(),
        holds: sent.holds.into_iter().map(hold).collect::<Result<_>>()?,
        marks: sent.marks.into_iter().map(mark).zip(times).collect(),
        trading_states: sent.trading_states.into_iter().map(trading_state_change).collect::<Result<_>>()?,
        kill_switches: sent.kill_switches.into_iter().map(|sent| scope(sent.scope)).collect(),
        fx_rates: sent.fx_rates.map_or(Ok(Vec::new()), fx_rates)?,
        model: sent.pretrade_model.map(model),
        cash: sent.cash.into_iter().map(cash).collect::<Result<_>>()?,
        memory,
        state_hash,
    })
}

fn account(sent: proto::AccountOpened) -> Account {
    Account { account: sent.account, base_currency: sent.base_currency }
}

fn scope(sent: Option<proto::TradingScope>) -> TradingScope {
    let proto::TradingScope { account, strategy_id, instrument_id, venue } = sent.unwrap_or_default();
    TradingScope { account, strategy_id, instrument_id, venue }
}

fn trading_state_change(sent: proto::TradingStateChange) -> Result<(TradingScope, TradingState)> {
    let state = match proto::TradingState::try_from(sent.trading_state) {
        Ok(proto::TradingState::Active) => TradingState::Active,
        Ok(proto::TradingState::Reducing) => TradingState::Reducing,
        Ok(proto::TradingState::CancelOnly) => TradingState::CancelOnly,
        Ok(proto::TradingState::Halted) => TradingState::Halted,
        Ok(proto::TradingState::Unspecified) | Err(_) => {
            let rule = "must be ACTIVE, REDUCING, CANCEL_ONLY or HALTED";
            return Err(EventError::new("trading_state_change", "trading_state", rule, sent.trading_state));
        }
    };
    Ok((scope(sent.scope), state))
}

fn fx_rates(sent: proto::FxRates) -> Result<Vec<FxRate>> {
    let rate = |sent: proto::FxRate| {
        let rate = decimal("fx_rates", "rate", required("fx_rates", "rate", sent.rate)?)?;
        Ok(FxRate { currency: sent.currency, quote_currency: sent.quote_currency, rate })
    };
    sent.rates.into_iter().map(rate).collect()
}

fn model(sent: proto::PretradeModel) -> Model {
    Model {
        version: sent.version,
        instrument_ids: sent.instrument_ids,
        covariance: sent.covariance,
        confidence_bp: sent.confidence_bp,
        horizon_days: sent.horizon_days,
        degrees_of_freedom: sent.degrees_of_freedom,
    }
}

fn money(event: &'static str, sent: proto::Money) -> Result<Money> {
    const ATTOS: i64 = 1_000_000_000_000_000_000;
    let opposed = (sent.units > 0 && sent.attos < 0) || (sent.units < 0 && sent.attos > 0);
    if opposed || !(1 - ATTOS..ATTOS).contains(&sent.attos) {
        let rule = "must be below one unit and of its sign";
        return Err(EventError::new(event, "cash.attos", rule, sent.attos));
    }
    Ok(Money { currency: sent.currency, attos: i128::from(sent.units) * i128::from(ATTOS) + i128::from(sent.attos) })
}

fn cash(sent: proto::PretradeCash) -> Result<Cash> {
    Ok(Cash { account: sent.account, cash: money("cash", required("cash", "cash", sent.cash)?)? })
}

fn correction(sent: proto::PretradeCorrection) -> Result<Correction> {
    let cash = sent.cash.map(|cash| money("correction", cash)).transpose()?;
    let proto::PretradeCorrection { account, strategy_id, instrument_id, qty, .. } = sent;
    Ok(Correction { adjust: Adjust { account, strategy_id, instrument_id, qty }, cash })
}

fn instrument(sent: proto::Instrument) -> Result<Instrument> {
    let event = || format!("instrument {}", sent.instrument_id);
    let multiplier = decimal(event(), "multiplier", required(event(), "multiplier", sent.multiplier)?)?;
    Instrument::new(InstrumentTerms {
        instrument_id: sent.instrument_id,
        price_scale: sent.price_scale,
        qty_scale: sent.qty_scale,
        price_increment: sent.price_increment,
        qty_increment: sent.qty_increment,
        min_qty: sent.min_qty,
        max_qty: sent.max_qty,
        multiplier,
        allow_negative_price: sent.allow_negative_price,
        quote_currency: sent.quote_currency,
        expire_time_ns: sent.expire_time_ns,
        trading_sessions: sent.trading_sessions.into_iter().map(trading_session).collect(),
    })
}

fn trading_session(sent: proto::TradingSession) -> TradingSession {
    TradingSession { day_of_week: sent.day_of_week, start_ns: sent.start_ns, end_ns: sent.end_ns }
}

fn position(sent: proto::PretradePosition) -> Adjust {
    Adjust {
        account: sent.account,
        strategy_id: sent.strategy_id,
        instrument_id: sent.instrument_id,
        qty: sent.net_qty,
    }
}

fn hold(sent: proto::PretradeHold) -> Result<(u64, Hold)> {
    let side = known_side(|| format!("hold of order {}", sent.order_id), sent.side)?;
    let list = contingency(sent.contingency_type).filter(|_| sent.list_order_id != 0);
    let hold = Hold {
        account: sent.account,
        strategy_id: sent.strategy_id,
        instrument_id: sent.instrument_id,
        side,
        leaves_qty: sent.leaves_qty,
        price: sent.price,
        is_limit: sent.is_limit,
        has_trigger: sent.has_trigger,
        list: list.map(|contingency| (sent.list_order_id, contingency)),
    };
    Ok((sent.order_id, hold))
}

fn fill(sent: proto::PretradeFill) -> Result<Fill> {
    Ok(Fill {
        order_id: sent.order_id,
        side: known_side(|| format!("fill of order {}", sent.order_id), sent.side)?,
        cash: sent.cash.map(|cash| money("fill", cash)).transpose()?,
        account: sent.account,
        strategy_id: sent.strategy_id,
        instrument_id: sent.instrument_id,
        last_qty: sent.last_qty,
        last_px: sent.last_px,
    })
}

fn mark(sent: proto::Mark) -> Mark {
    Mark { instrument_id: sent.instrument_id, mark_px: sent.mark_px }
}

fn risk_limits(sent: proto::RiskLimits) -> Result<RiskLimits> {
    let limits = sent.limits.into_iter().map(risk_limit).collect::<Result<_>>()?;
    RiskLimits::new(sent.version, limits, sent.market_order_band_bps)
}

fn risk_limit(sent: proto::RiskLimit) -> Result<RiskLimit> {
    let limit = |field, sent: Option<proto::Decimal>| sent.map(|sent| decimal("risk_limits", field, sent)).transpose();
    Ok(RiskLimit {
        max_order_qty: limit("max_order_qty", sent.max_order_qty)?,
        max_order_notional: limit("max_order_notional", sent.max_order_notional)?,
        max_position_qty: limit("max_position_qty", sent.max_position_qty)?,
        max_long_qty: limit("max_long_qty", sent.max_long_qty)?,
        max_short_qty: limit("max_short_qty", sent.max_short_qty)?,
        static_reference_px: limit("static_reference_px", sent.static_reference_px)?,
        max_open_notional: limit("max_open_notional", sent.max_open_notional)?,
        max_gross_notional: limit("max_gross_notional", sent.max_gross_notional)?,
        max_net_notional: limit("max_net_notional", sent.max_net_notional)?,
        max_leverage: limit("max_leverage", sent.max_leverage)?,
        initial_margin_ratio: limit("initial_margin_ratio", sent.initial_margin_ratio)?,
        max_daily_notional: limit("max_daily_notional", sent.max_daily_notional)?,
        max_daily_qty: limit("max_daily_qty", sent.max_daily_qty)?,
        max_daily_loss: limit("max_daily_loss", sent.max_daily_loss)?,
        max_drawdown: limit("max_drawdown", sent.max_drawdown)?,
        max_var: limit("max_var", sent.max_var)?,
        adv_qty: limit("adv_qty", sent.adv_qty)?,
        max_batch_notional: limit("max_batch_notional", sent.max_batch_notional)?,
        no_short: sent.no_short,
        restricted: sent.restricted,
        static_collar_bps: sent.static_collar_bps,
        price_collar_bps: sent.price_collar_bps,
        max_mark_age_ms: sent.max_mark_age_ms,
        max_aggressive_ticks: sent.max_aggressive_ticks,
        order_rate_per_s: sent.order_rate_per_s,
        order_burst: sent.order_burst,
        duplicate_count: sent.duplicate_count,
        duplicate_window_ms: sent.duplicate_window_ms,
        max_open_orders: sent.max_open_orders,
        max_adv_share_bps: sent.max_adv_share_bps,
        max_batch_orders: sent.max_batch_orders,
        repeat_count: sent.repeat_count,
        repeat_window_ms: sent.repeat_window_ms,
        max_consecutive_rejects: sent.max_consecutive_rejects,
        max_order_to_trade_ratio: sent.max_order_to_trade_ratio,
        otr_window_ms: sent.otr_window_ms,
        prevent_self_trade: sent.prevent_self_trade,
        account: sent.account,
        strategy_id: sent.strategy_id,
        instrument_id: sent.instrument_id,
    })
}

/// An unknown value is kept: it is the order that is refused then, not the call.
fn new_order(sent: proto::NewOrder) -> NewOrder {
    NewOrder {
        prevents_self_trade: prevents_self_trade(sent.self_trade_prevention),
        cl_ord_id: sent.cl_ord_id,
        account: sent.account,
        strategy_id: sent.strategy_id,
        instrument_id: sent.instrument_id,
        side: side(sent.side),
        ord_type: match proto::OrdType::try_from(sent.ord_type) {
            Ok(proto::OrdType::Market) => Ok(OrdType::Market),
            Ok(proto::OrdType::Limit) => Ok(OrdType::Limit),
            Ok(proto::OrdType::Stop) => Ok(OrdType::Stop),
            Ok(proto::OrdType::StopLimit) => Ok(OrdType::StopLimit),
            Ok(proto::OrdType::TrailingStop) => Ok(OrdType::TrailingStop),
            Ok(proto::OrdType::Unspecified) | Err(_) => Err(Unknown(sent.ord_type)),
        },
        time_in_force: match proto::TimeInForce::try_from(sent.time_in_force) {
            Ok(proto::TimeInForce::Day) => Ok(TimeInForce::Day),
            Ok(proto::TimeInForce::Gtc) => Ok(TimeInForce::Gtc),
            Ok(proto::TimeInForce::Ioc) => Ok(TimeInForce::Ioc),
            Ok(proto::TimeInForce::Fok) => Ok(TimeInForce::Fok),
            Ok(proto::TimeInForce::Gtd) => Ok(TimeInForce::Gtd),
            Ok(proto::TimeInForce::Unspecified) | Err(_) => Err(Unknown(sent.time_in_force)),
        },
        order_qty: sent.order_qty,
        price: sent.price,
        stop_px: sent.stop_px,
        trailing_amount: sent.trailing_amount,
        trailing_bps: sent.trailing_bps,
    }
}

fn prevents_self_trade(sent: i32) -> bool {
    use proto::SelfTradePrevention::{CancelBoth, CancelNewest, CancelOldest, Decrement};
    let sent = proto::SelfTradePrevention::try_from(sent);
    matches!(sent, Ok(CancelNewest | CancelOldest | CancelBoth | Decrement))
}

fn side(sent: i32) -> std::result::Result<Side, Unknown> {
    match proto::Side::try_from(sent) {
        Ok(proto::Side::Buy) => Ok(Side::Buy),
        Ok(proto::Side::Sell) => Ok(Side::Sell),
        Ok(proto::Side::Unspecified) | Err(_) => Err(Unknown(sent)),
    }
}

fn known_side(event: impl FnOnce() -> String, sent: i32) -> Result<Side> {
    side(sent).map_err(|unknown| EventError::new(event(), "side", "must be BUY or SELL", unknown.0))
}

fn decimal(event: impl Into<String>, field: &'static str, sent: proto::Decimal) -> Result<Decimal> {
    match Decimal::new(sent.mantissa.into(), sent.scale) {
        Ok(decimal) if sent.scale <= 18 => Ok(decimal),
        _ => Err(EventError::new(event, field, "must have a scale of at most 18", sent.scale)),
    }
}

fn required<T>(event: impl Into<String>, field: &'static str, sent: Option<T>) -> Result<T> {
    sent.ok_or_else(|| EventError::new(event, field, "must be set", "nothing"))
}

fn check_failure(failure: CheckFailure) -> proto::CheckFailure {
    proto::CheckFailure {
        ord_rej_reason: ord_rej_reason(failure.ord_rej_reason).into(),
        scope: failure.scope,
        risk_limit: failure.risk_limit,
        value: failure.value,
    }
}

fn ord_rej_reason(reason: OrdRejReason) -> proto::OrdRejReason {
    match reason {
        OrdRejReason::KillSwitch => proto::OrdRejReason::KillSwitch,
        OrdRejReason::StateHalted => proto::OrdRejReason::StateHalted,
        OrdRejReason::StateCancelOnly => proto::OrdRejReason::StateCancelOnly,
        OrdRejReason::StateReducing => proto::OrdRejReason::StateReducing,
        OrdRejReason::Restricted => proto::OrdRejReason::Restricted,
        OrdRejReason::InstrumentClosed => proto::OrdRejReason::InstrumentClosed,
        OrdRejReason::InvalidField => proto::OrdRejReason::InvalidField,
        OrdRejReason::UnknownAccount => proto::OrdRejReason::UnknownAccount,
        OrdRejReason::UnknownInstrument => proto::OrdRejReason::UnknownInstrument,
        OrdRejReason::InvalidQty => proto::OrdRejReason::InvalidQty,
        OrdRejReason::InvalidPrice => proto::OrdRejReason::InvalidPrice,
        OrdRejReason::MaxOrderQty => proto::OrdRejReason::MaxOrderQty,
        OrdRejReason::MaxOrderNotional => proto::OrdRejReason::MaxOrderNotional,
        OrdRejReason::BatchSize => proto::OrdRejReason::BatchSize,
        OrdRejReason::BatchValue => proto::OrdRejReason::BatchValue,
        OrdRejReason::PriceCollarStatic => proto::OrdRejReason::PriceCollarStatic,
        OrdRejReason::RefPriceStale => proto::OrdRejReason::RefPriceStale,
        OrdRejReason::PriceCollar => proto::OrdRejReason::PriceCollar,
        OrdRejReason::AggressivePrice => proto::OrdRejReason::AggressivePrice,
        OrdRejReason::RateLimit => proto::OrdRejReason::RateLimit,
        OrdRejReason::DuplicateFlood => proto::OrdRejReason::DuplicateFlood,
        OrdRejReason::MaxOpenOrders => proto::OrdRejReason::MaxOpenOrders,
        OrdRejReason::MaxOpenNotional => proto::OrdRejReason::MaxOpenNotional,
        OrdRejReason::PositionLimit => proto::OrdRejReason::PositionLimit,
        OrdRejReason::ShortNotAllowed => proto::OrdRejReason::ShortNotAllowed,
        OrdRejReason::MaxExposure => proto::OrdRejReason::MaxExposure,
        OrdRejReason::DailyValue => proto::OrdRejReason::DailyValue,
        OrdRejReason::InsufficientMargin => proto::OrdRejReason::InsufficientMargin,
        OrdRejReason::LossLimit => proto::OrdRejReason::LossLimit,
        OrdRejReason::Concentration => proto::OrdRejReason::Concentration,
        OrdRejReason::Stp => proto::OrdRejReason::Stp,
        OrdRejReason::StrategyLatched => proto::OrdRejReason::StrategyLatched,
        OrdRejReason::RejectStorm => proto::OrdRejReason::RejectStorm,
        OrdRejReason::OtrLimit => proto::OrdRejReason::OtrLimit,
        OrdRejReason::VarLimit => proto::OrdRejReason::VarLimit,
        OrdRejReason::ModelStale => proto::OrdRejReason::ModelStale,
        OrdRejReason::List => proto::OrdRejReason::List,
    }
}
