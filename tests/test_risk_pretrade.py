"""Pre-trade checks, asked over their stream from Python, decide as published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grpc import aio

from aetherion.v1 import (
    account_pb2,
    instrument_pb2,
    journal_pb2,
    order_pb2,
    risk_api_pb2,
    risk_api_pb2_grpc,
    risk_limit_pb2,
)
from processes import Service
from risk_cases import cases

ACCOUNT, INSTRUMENT = "A1", "X.V"

_BUY, _SELL = order_pb2.SIDE_BUY, order_pb2.SIDE_SELL


async def test_pretrade(risk: Service, shared: Path) -> None:
    """Every case, each on a stream of its own: accepted or not, and all that fails, in order."""
    _, listed = cases(shared, "pretrade")
    async with aio.insecure_channel(risk.address) as channel:
        stub = risk_api_pb2_grpc.PretradeServiceStub(channel)
        for case in listed:
            decision, expected = await decided(stub, case), case["expected"]
            assert reasons(decision) == expected["failures"], case["id"]
            assert decision.approved is expected["accept"], case["id"]
    print(f"{len(listed)} pre-trade cases")
    assert len(listed) == 22


def reasons(decision: risk_api_pb2.PretradeDecision) -> list[str]:
    """Return the names of all checks that failed, in order."""
    names = (order_pb2.OrdRejReason.Name(f.ord_rej_reason) for f in decision.check_failures)
    return [name.removeprefix("ORD_REJ_REASON_") for name in names]


async def decided(
    stub: risk_api_pb2_grpc.PretradeServiceAsyncStub, case: dict[str, Any]
) -> risk_api_pb2.PretradeDecision:
    """Return the decision on a case's order in a case's state."""
    order, stream = case["order"], stub.Check()
    events = [event(snapshot=snapshot(case)), *spending(case)]
    check = risk_api_pb2.PretradeCheck(order_id=99, new_order=new_order(case))
    events.append(event(time=order["t_ns"], check=check))
    for sequence, sent in enumerate(events, 1):
        sent.sequence = sequence
    await stream.write(risk_api_pb2.CheckRequest(epoch=1, events=events))
    answer = await stream.read()
    assert isinstance(answer, risk_api_pb2.CheckResponse)
    await stream.done_writing()
    decision = answer.decisions[-1]
    assert decision.order_id == 99
    return decision


def event(time: int = 0, **content: Any) -> risk_api_pb2.PretradeEvent:
    """Return an event of the stream."""
    return risk_api_pb2.PretradeEvent(transact_time_ns=time, **content)


def spending(case: dict[str, Any]) -> list[risk_api_pb2.PretradeEvent]:
    """Return orders that take all tokens, where a case has none left, and are closed again."""
    if case["state"]["tokens_e9"]:
        return []
    limits, spent = case["limits"], []
    for order_id in range(10, 10 + limits["burst"]):
        small = order_pb2.NewOrder()
        small.CopyFrom(new_order(case | {"order": {"side": "sell", "type": "market"}}))
        small.cl_ord_id, small.order_qty = f"o-{order_id}", limits["lot"]
        check = risk_api_pb2.PretradeCheck(order_id=order_id, new_order=small)
        release = risk_api_pb2.PretradeRelease(order_id=order_id)
        spent += [event(check=check), event(release=release)]
    return spent


def new_order(case: dict[str, Any]) -> order_pb2.NewOrder:
    """Return the order of a case; prices and quantities are those of an instrument of scale 0."""
    order = case["order"]
    is_limit = order["type"] == "limit"
    return order_pb2.NewOrder(
        cl_ord_id="o-99",
        account=ACCOUNT,
        instrument_id=INSTRUMENT,
        side=_BUY if order["side"] == "buy" else _SELL,
        ord_type=order_pb2.ORD_TYPE_LIMIT if is_limit else order_pb2.ORD_TYPE_MARKET,
        time_in_force=order_pb2.TIME_IN_FORCE_DAY,
        order_qty=order.get("qty", 0),
        price=order["price_ticks"] if is_limit else None,
    )


def whole(number: int) -> account_pb2.Decimal:
    """Return a whole number."""
    return account_pb2.Decimal(mantissa=number)


def snapshot(case: dict[str, Any]) -> risk_api_pb2.PretradeSnapshot:
    """Return the state of a case, before its tokens are spent."""
    limits, state = case["limits"], case["state"]
    limit = risk_limit_pb2.RiskLimit(
        max_order_qty=whole(limits["max_order_qty"]),
        max_order_notional=whole(limits["max_order_notional_minor"]),
        max_long_qty=whole(limits["max_long"]),
        max_short_qty=whole(limits["max_short"]),
        price_collar_bps=limits["band_bps"],
        order_rate_per_s=limits["rate_per_s"],
        order_burst=limits["burst"],
    )
    holds = [
        risk_api_pb2.PretradeHold(
            order_id=order_id,
            account=ACCOUNT,
            instrument_id=INSTRUMENT,
            side=side,
            leaves_qty=state[name],
        )
        for order_id, side, name in ((1, _BUY, "open_buy_qty"), (2, _SELL, "open_sell_qty"))
    ]
    made = risk_api_pb2.PretradeSnapshot(
        instruments=[
            instrument_pb2.Instrument(
                instrument_id=INSTRUMENT,
                version=1,
                instrument_class=instrument_pb2.INSTRUMENT_CLASS_EQUITY,
                base_currency="X",
                quote_currency="USD",
                price_increment=1,
                qty_increment=limits["lot"],
                multiplier=whole(limits["tick_value_minor"]),
            )
        ],
        accounts=[journal_pb2.AccountOpened(account=ACCOUNT, base_currency="USD")],
        risk_limits=risk_limit_pb2.RiskLimits(
            version=1, limits=[limit], market_order_band_bps=limits["band_bps"]
        ),
        positions=[
            risk_api_pb2.PretradePosition(
                account=ACCOUNT, instrument_id=INSTRUMENT, net_qty=state["position"]
            )
        ],
        holds=holds,
        marks=[journal_pb2.Mark(instrument_id=INSTRUMENT, mark_px=state["ref_ticks"])],
        mark_times_ns=[0],
    )
    if state["kill_switch"]:
        made.kill_switches.append(
            journal_pb2.KillSwitchChange(scope=journal_pb2.TradingScope(), engaged=True)
        )
    return made
