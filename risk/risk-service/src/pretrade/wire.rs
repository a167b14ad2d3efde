//! Between the contract and the types that decide.

use risk_core::pretrade::{
    Adjust, CheckFailure, Decimal, Decision, Event, EventError, Fill, Hold, Instrument, InstrumentTerms, Mark,
    NewOrder, OrdRejReason, OrdType, Position, RiskLimit, RiskLimits, Side, Snapshot, TimeInForce, Unknown,
};

use crate::proto;
use crate::proto::pretrade_event::Event as Sent;

type Result<T> = std::result::Result<T, EventError>;

pub(super) fn event(event: proto::PretradeEvent) -> Result<Event> {
    Ok(match required("event", "event", event.event)? {
        Sent::Snapshot(sent) => Event::Snapshot(snapshot(sent)?),
        Sent::Check(sent) => {
            let order = new_order(required("check", "new_order", sent.new_order)?);
            Event::Check { order_id: sent.order_id, order }
        }
        Sent::Fill(sent) => Event::Fill(fill(sent)?),
        Sent::Release(sent) => Event::Release { order_id: sent.order_id },
        Sent::Adjust(sent) => {
            Event::Adjust(Adjust { account: sent.account, instrument_id: sent.instrument_id, qty: sent.qty })
        }
        Sent::Mark(sent) => Event::Mark(mark(sent)),
        Sent::RiskLimits(sent) => Event::RiskLimits(risk_limits(sent)?),
        Sent::Instrument(sent) => Event::Instrument(instrument(sent)?),
        Sent::AccountOpened(sent) => Event::AccountOpened { account: sent.account },
        other => return Err(EventError::new("event", "event", "must be one that is decided on", format!("{other:?}"))),
    })
}

pub(super) fn decision(sequence: u64, decision: Decision) -> proto::PretradeDecision {
    proto::PretradeDecision {
        sequence,
        order_id: decision.order_id,
        approved: decision.approved(),
        check_failures: decision.check_failures.into_iter().map(check_failure).collect(),
    }
}

fn snapshot(sent: proto::PretradeSnapshot) -> Result<Snapshot> {
    Ok(Snapshot {
        instruments: sent.instruments.into_iter().map(instrument).collect::<Result<_>>()?,
        accounts: sent.accounts.into_iter().map(|account| account.account).collect(),
        risk_limits: risk_limits(required("snapshot", "risk_limits", sent.risk_limits)?)?,
        positions: sent.positions.into_iter().map(position).collect(),
        holds: sent.holds.into_iter().map(hold).collect::<Result<_>>()?,
        marks: sent.marks.into_iter().map(mark).collect(),
    })
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
    })
}

fn position(sent: proto::PretradePosition) -> Position {
    Position { account: sent.account, instrument_id: sent.instrument_id, net_qty: sent.net_qty }
}

fn hold(sent: proto::PretradeHold) -> Result<(u64, Hold)> {
    let side = known_side(|| format!("hold of order {}", sent.order_id), sent.side)?;
    let hold = Hold { account: sent.account, instrument_id: sent.instrument_id, side, leaves_qty: sent.leaves_qty };
    Ok((sent.order_id, hold))
}

fn fill(sent: proto::PretradeFill) -> Result<Fill> {
    Ok(Fill {
        order_id: sent.order_id,
        side: known_side(|| format!("fill of order {}", sent.order_id), sent.side)?,
        account: sent.account,
        instrument_id: sent.instrument_id,
        last_qty: sent.last_qty,
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
        account: sent.account,
        instrument_id: sent.instrument_id,
    })
}

/// An unknown value is kept: it is the order that is refused then, not the call.
fn new_order(sent: proto::NewOrder) -> NewOrder {
    NewOrder {
        cl_ord_id: sent.cl_ord_id,
        account: sent.account,
        instrument_id: sent.instrument_id,
        side: side(sent.side),
        ord_type: match proto::OrdType::try_from(sent.ord_type) {
            Ok(proto::OrdType::Market) => Ok(OrdType::Market),
            Ok(proto::OrdType::Limit) => Ok(OrdType::Limit),
            Ok(_) | Err(_) => Err(Unknown(sent.ord_type)),
        },
        time_in_force: match proto::TimeInForce::try_from(sent.time_in_force) {
            Ok(proto::TimeInForce::Day) => Ok(TimeInForce::Day),
            Ok(proto::TimeInForce::Gtc) => Ok(TimeInForce::Gtc),
            Ok(proto::TimeInForce::Ioc) => Ok(TimeInForce::Ioc),
            Ok(proto::TimeInForce::Fok) => Ok(TimeInForce::Fok),
            Ok(proto::TimeInForce::Unspecified | proto::TimeInForce::Gtd) | Err(_) => Err(Unknown(sent.time_in_force)),
        },
        order_qty: sent.order_qty,
        price: sent.price,
    }
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
        OrdRejReason::InvalidField => proto::OrdRejReason::InvalidField,
        OrdRejReason::UnknownAccount => proto::OrdRejReason::UnknownAccount,
        OrdRejReason::UnknownInstrument => proto::OrdRejReason::UnknownInstrument,
        OrdRejReason::InvalidQty => proto::OrdRejReason::InvalidQty,
        OrdRejReason::InvalidPrice => proto::OrdRejReason::InvalidPrice,
        OrdRejReason::MaxOrderQty => proto::OrdRejReason::MaxOrderQty,
        OrdRejReason::MaxOrderNotional => proto::OrdRejReason::MaxOrderNotional,
        OrdRejReason::RefPriceStale => proto::OrdRejReason::RefPriceStale,
        OrdRejReason::PositionLimit => proto::OrdRejReason::PositionLimit,
    }
}
