"""Every order type, time in force, instruction and contingency, live, end to end."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from aetherion.order import (
    CancelOrder,
    ContingencyType,
    CxlRejReason,
    ExecInst,
    ExecType,
    MassCancelOrders,
    NewOrderList,
    OrdRejReason,
    OrdStatus,
    RejectedBy,
    ReplaceOrder,
    Side,
    TimeInForce,
)
from aetherion.order_list import bracket, oco, oto, ouo
from processes import Service
from wave import ACCOUNT, INSTRUMENT, Trader, market_data, order, session, trader

ENDED = (OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.EXPIRED, OrdStatus.REJECTED)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, risk: Service) -> Iterator[Service]:
    """One session for all tests of this file; each has names of its own."""
    folder = tmp_path_factory.mktemp("wave")
    with session(folder, market_data(folder), risk) as trading:
        yield trading


@pytest.fixture
async def desk(live: Service) -> AsyncIterator[Trader]:
    """A trader without a position and without open orders."""
    async with trader(live.address) as made:
        await made.submit(order(f"warm-{live.address}", Side.BUY, 1, "1.00"))
        yield made
        ack = await made.client.mass_cancel(MassCancelOrders(f"end-{uuid4()}", ACCOUNT))
        assert ack.accepted, ack
        await made.until(lambda: not any(_open(made)))
        await made.hold(0)


def _open(made: Trader) -> list[str]:
    last = {r.order_id: r for r in made.reports if r.order_id}
    return [r.cl_ord_id for r in last.values() if r.ord_status.is_open]


async def test_market_and_limit(desk: Trader) -> None:
    await desk.submit(order("m", Side.BUY, 10), order("l", Side.BUY, 10, "93.00"))
    filled = await desk.status("m", OrdStatus.FILLED)
    assert desk.kinds("m") == [ExecType.PENDING_NEW, ExecType.NEW, ExecType.TRADE]
    assert (filled.cum_qty, filled.leaves_qty) == (Decimal(10), Decimal(0))
    # The limit waits for the trough of the wave.
    await desk.status("l", OrdStatus.FILLED)
    assert all(r.last_px <= 93 for r in desk.of("l") if r.last_qty)


@pytest.mark.parametrize(
    ("tif", "price", "ends"),
    [
        (TimeInForce.IOC, "90.00", {OrdStatus.CANCELED, OrdStatus.EXPIRED}),
        (TimeInForce.FOK, "90.00", {OrdStatus.CANCELED, OrdStatus.EXPIRED}),
        (TimeInForce.IOC, "120.00", {OrdStatus.FILLED}),
        (TimeInForce.FOK, "120.00", {OrdStatus.FILLED}),
    ],
)
async def test_immediate_orders(
    desk: Trader, tif: TimeInForce, price: str, ends: set[OrdStatus]
) -> None:
    name = f"{tif.name}-{price}"
    await desk.submit(order(name, Side.BUY, 10, price, time_in_force=tif))
    assert (await desk.status(name, *ENDED)).ord_status in ends


@pytest.mark.parametrize("held", [False, True])
async def test_gtd_ends_at_its_time(desk: Trader, held: bool) -> None:
    """At the venue and with us: the time is that of the market's rows."""
    for attempt in itertools.count():
        name = f"gtd-{held}-{attempt}"
        state = await desk.client.get_account(ACCOUNT)
        expires = state.transact_time_ns + 20 * 10**9
        fields: dict[str, Any] = {"time_in_force": TimeInForce.GTD, "expire_time_ns": expires}
        if held:
            gtd = order(name, Side.SELL, 5, stop_px=Decimal("50.00"), **fields)
        else:
            gtd = order(name, Side.BUY, 5, "50.00", **fields)
        ack = await desk.client.submit_order(gtd)
        if ack.accepted:
            break
        # The market's time has run past it while we asked.
        assert ack.text.startswith("expire_time_ns: must be after now"), ack
    ended = await desk.status(name, *ENDED)
    assert ended.ord_status is OrdStatus.EXPIRED
    assert ended.transact_time_ns >= expires


async def test_a_stop_is_held_until_the_market_reaches_it(desk: Trader) -> None:
    await desk.hold(20)
    await desk.submit(order("stop", Side.SELL, 20, stop_px=Decimal("95.00")))
    assert desk.kinds("stop") in ([], [ExecType.SUSPENDED])
    await desk.status("stop", OrdStatus.FILLED)
    assert desk.kinds("stop") == [
        ExecType.SUSPENDED,
        ExecType.TRIGGERED,
        ExecType.NEW,
        ExecType.TRADE,
    ]
    assert await desk.position() == 0


async def test_a_stop_limit_does_not_sell_below_its_price(desk: Trader) -> None:
    await desk.hold(20)
    await desk.submit(order("sl", Side.SELL, 20, "105.00", stop_px=Decimal("95.00")))
    await desk.until(lambda: ExecType.TRIGGERED in desk.kinds("sl"))
    await desk.status("sl", OrdStatus.FILLED)
    assert all(r.last_px >= 105 for r in desk.of("sl") if r.last_qty)


@pytest.mark.parametrize("fields", [{"trailing_amount": Decimal(5)}, {"trailing_bps": 500}])
async def test_a_trailing_stop_follows_the_market_up(desk: Trader, fields: dict[str, Any]) -> None:
    await desk.hold(10)
    name = next(iter(fields))
    await desk.submit(order(name, Side.SELL, 10, **fields))
    await desk.status(name, OrdStatus.FILLED)
    triggered = next(r for r in desk.of(name) if r.exec_type is ExecType.TRIGGERED)
    # The best of a wave is 108, and nobody began below 92.
    assert triggered.stop_px is not None
    assert 87 <= triggered.stop_px <= 103
    assert desk.kinds(name).count(ExecType.TRIGGERED) == 1


async def test_a_held_order_is_replaced_and_canceled_at_once(desk: Trader) -> None:
    await desk.submit(order("held", Side.SELL, 5, stop_px=Decimal("50.00")))
    replaced = await desk.client.replace_order(
        ReplaceOrder("held-2", "held", ACCOUNT, INSTRUMENT, Decimal(7), stop_px=Decimal(49))
    )
    assert replaced.exec_type is ExecType.REPLACED
    report = await desk.client.get_order(ACCOUNT, cl_ord_id="held")  # the old name finds it too
    assert report.last_report is not None
    assert (report.last_report.cl_ord_id, report.last_report.order_qty) == ("held-2", Decimal(7))
    assert report.last_report.stop_px == 49
    canceled = await desk.client.cancel_order(CancelOrder("held-c", "held-2", ACCOUNT))
    assert (canceled.exec_type, canceled.ord_status) == (ExecType.CANCELED, OrdStatus.CANCELED)


async def test_a_working_order_is_replaced_or_refused_by_name(desk: Trader) -> None:
    await desk.submit(order("w", Side.BUY, 5, "50.00"))
    await desk.status("w", OrdStatus.NEW)
    ack = await desk.client.replace_order(
        ReplaceOrder("w-2", "w", ACCOUNT, INSTRUMENT, Decimal(6), price=Decimal(51))
    )
    if ack.accepted:
        await desk.until(lambda: ExecType.PENDING_REPLACE not in desk.kinds("w")[-1:])
        report = await desk.client.get_order(ACCOUNT, cl_ord_id="w-2")
        assert report.last_report is not None
        assert (report.last_report.order_qty, report.last_report.price) == (
            Decimal(6),
            Decimal(51),
        )
    else:
        assert ack.cxl_rej_reason is CxlRejReason.REFUSED
        assert ack.text
        assert desk.now("w") is OrdStatus.NEW


async def test_reduce_only_never_increases_and_is_cut_down(desk: Trader) -> None:
    reduce_only: dict[str, Any] = {"exec_insts": {ExecInst.REDUCE_ONLY}}
    refused = await desk.client.submit_order(order("r-0", Side.SELL, 5, "120.00", **reduce_only))
    assert refused.ord_rej_reason is OrdRejReason.REDUCE_ONLY
    assert refused.rejected_by is RejectedBy.ENGINE
    await desk.hold(10)
    await desk.submit(order("r-1", Side.SELL, 10, stop_px=Decimal("50.00"), **reduce_only))
    await desk.hold(4)
    await desk.until(lambda: ExecType.RESTATED in desk.kinds("r-1"))
    assert desk.of("r-1")[-1].leaves_qty == 4
    await desk.hold(0)
    assert (await desk.status("r-1", *ENDED)).ord_status is OrdStatus.CANCELED


async def test_oco_one_fill_cancels_the_other(desk: Trader) -> None:
    await desk.hold(10)
    ack = await desk.client.submit_order_list(
        oco(
            "oco",
            order("oco-tp", Side.SELL, 10, "107.00"),
            order("oco-sl", Side.SELL, 10, stop_px=Decimal("50.00")),
        )
    )
    assert ack.accepted, ack
    assert [a.cl_ord_id for a in ack.list_acks] == ["oco-tp", "oco-sl"]
    await desk.status("oco-tp", OrdStatus.FILLED)
    await desk.status("oco-sl", OrdStatus.CANCELED)
    assert {r.list_id for r in desk.of("oco-sl")} == {"oco"}
    assert await desk.position() == 0


async def test_oto_the_others_wait_for_the_first(desk: Trader) -> None:
    listed = oto(
        "oto",
        order("oto-1", Side.BUY, 10, "93.00"),
        order("oto-2", Side.SELL, 10, "107.00"),
        order("oto-3", Side.BUY, 1, "50.00"),
    )
    assert (await desk.client.submit_order_list(listed)).accepted
    await desk.status("oto-1", OrdStatus.FILLED)
    await desk.status("oto-2", OrdStatus.FILLED)
    assert desk.kinds("oto-2")[:2] == [ExecType.SUSPENDED, ExecType.PENDING_NEW]
    assert desk.now("oto-3").is_open
    # Of another one the first is canceled: what waits for it ends with it.
    listed = oto("oto-b", order("b-1", Side.BUY, 1, "50.00"), order("b-2", Side.SELL, 1, "107.00"))
    assert (await desk.client.submit_order_list(listed)).accepted
    await desk.status("b-2", OrdStatus.SUSPENDED)
    assert (await desk.client.cancel_order(CancelOrder("b-c", "b-1", ACCOUNT))).accepted
    assert (await desk.status("b-2", *ENDED)).ord_status is OrdStatus.CANCELED


async def test_ouo_a_fill_of_one_reduces_the_other(desk: Trader) -> None:
    await desk.hold(10)
    listed = ouo(
        "ouo",
        order("ouo-1", Side.SELL, 4, "107.00"),
        order("ouo-2", Side.SELL, 10, stop_px=Decimal("50.00")),
    )
    assert (await desk.client.submit_order_list(listed)).accepted
    await desk.status("ouo-1", OrdStatus.FILLED)
    await desk.until(lambda: ExecType.RESTATED in desk.kinds("ouo-2"))
    assert desk.of("ouo-2")[-1].leaves_qty == 6


async def test_a_bracket_enters_and_leaves(desk: Trader) -> None:
    entry = order("br", Side.BUY, 10, "93.00")
    ack = await desk.client.submit_order_list(
        bracket("bracket", entry, take_profit="107.00", stop_loss="60.00")
    )
    assert ack.accepted, ack
    await desk.status("br", OrdStatus.FILLED)
    await desk.status("br-tp", OrdStatus.FILLED)
    await desk.status("br-sl", OrdStatus.CANCELED)
    assert await desk.position() == 0
    # An entry that ends unfilled ends its exits.
    entry = order("br2", Side.BUY, 10, "60.00")
    listed = bracket("bracket-2", entry, take_profit="107.00", stop_loss="55.00")
    assert (await desk.client.submit_order_list(listed)).accepted
    assert (await desk.client.cancel_order(CancelOrder("br2-c", "br2", ACCOUNT))).accepted
    for name in ("br2-tp", "br2-sl"):
        assert (await desk.status(name, *ENDED)).ord_status is OrdStatus.CANCELED


async def test_a_list_is_accepted_or_refused_as_one(desk: Trader) -> None:
    good, bad = order("g", Side.SELL, 1, "120.00"), order("x", Side.BUY, 1, "120.00")
    listed = NewOrderList("bad", ACCOUNT, ContingencyType.OCO, (good, bad))
    ack = await desk.client.submit_order_list(listed)
    assert not ack.accepted
    assert ack.list_acks[0].ord_rej_reason is OrdRejReason.LIST
    assert ack.list_acks[1].ord_rej_reason is OrdRejReason.INVALID_FIELD
    again = await desk.client.submit_order_list(listed)
    assert again == ack
    await desk.status("g", OrdStatus.REJECTED)


async def test_a_mass_cancel_reaches_what_matches(desk: Trader) -> None:
    await desk.submit(
        order("mc-1", Side.BUY, 1, "50.00", strategy_id="s1"),
        order("mc-2", Side.BUY, 1, "50.00", strategy_id="s2"),
        order("mc-3", Side.SELL, 1, "150.00", strategy_id="s1"),
        order("mc-4", Side.SELL, 1, stop_px=Decimal("50.00"), strategy_id="s1"),
    )
    ack = await desk.client.mass_cancel(
        MassCancelOrders("mc", ACCOUNT, strategy_id="s1", side=Side.SELL)
    )
    assert ack.total_affected_orders == 2
    for name in ("mc-3", "mc-4"):
        await desk.status(name, OrdStatus.CANCELED)
    assert desk.now("mc-1").is_open
    assert desk.now("mc-2").is_open
    assert (
        await desk.client.mass_cancel(
            MassCancelOrders("mc", ACCOUNT, strategy_id="s1", side=Side.SELL)
        )
        == ack
    )


@pytest.mark.parametrize(
    "fields", [{"display_qty": Decimal(1)}, {"exec_insts": {ExecInst.POST_ONLY}}]
)
async def test_what_the_venue_lacks_is_refused_by_name(
    desk: Trader, fields: dict[str, Any]
) -> None:
    """Icebergs and post-only need the venue: it has them, or the refusal names the field."""
    name = next(iter(fields))
    ack = await desk.client.submit_order(order(f"v-{name}", Side.BUY, 5, "50.00", **fields))
    if not ack.accepted:
        assert name in ack.text, ack
