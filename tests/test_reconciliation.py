"""What a venue has and we do not is found: before trading begins, and while it goes on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aetherion.client import TradingClient, VenueClient
from aetherion.order import NewOrder, Order, OrdStatus, Side
from processes import Service, aetherion, exchange_service, free_port, trading_service

ACCOUNT, OTHER = "US", "OTHER"
BTC = "BTC-USDT.SIM"
PATIENCE_S = 30.0


@contextmanager
def venue_and_us(folder: Path, risk: Service, *options: str) -> Iterator[tuple[Service, Service]]:
    """An exchange at which two accounts have money and asset, and our service, not started."""
    with exchange_service(folder, free_port(), *options) as exchange:

        async def deposit() -> None:
            async with VenueClient(exchange.address) as venue:
                for account in (ACCOUNT, OTHER):
                    await venue.deposit(account, "USDT", Decimal(1_000_000))
                    await venue.deposit(account, "BTC", Decimal(10))

        asyncio.run(deposit())
        trading = trading_service(
            folder,
            free_port(),
            risk.address,
            AETHERION_TRADING_VENUE_ADDRESS=exchange.address,
            AETHERION_TRADING_ACCOUNT=ACCOUNT,
            AETHERION_TRADING_INITIAL_CASH="0 USDT",
            AETHERION_TRADING_JOURNAL_DIR=str(folder / "journal"),
            AETHERION_TRADING_DATA_DIR=str(folder),
            AETHERION_TRADING_RISK_TIMEOUT_MS="5000",
        )
        yield exchange, trading


def order(account: str, name: str, side: Side, qty: int = 1, price: int = 60_000) -> NewOrder:
    """A limit order of bitcoin."""
    return NewOrder(name, account, BTC, side, Decimal(qty), Decimal(price))


async def past_us(venue: VenueClient, *orders: NewOrder) -> None:
    """Send orders to the venue itself, each once the one before is there."""
    for one in orders:
        async with await venue.trade(one.account) as stream:
            await stream.send(one)
            while (report := await stream.receive(PATIENCE_S)) is not None:
                if report.cl_ord_id == one.cl_ord_id:
                    break


async def until(holds: Callable[[], Awaitable[object]]) -> float:
    """Wait until something holds; return how long that took."""
    began = time.monotonic()
    while not await holds():
        assert time.monotonic() < began + PATIENCE_S, "timed out"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def position(client: TradingClient) -> Decimal:
    """What we have of bitcoin."""
    account = await client.get_account(ACCOUNT)
    return next((p.net_qty for p in account.positions if p.instrument_id == BTC), Decimal(0))


async def named(client: TradingClient, name: str) -> Order:
    """One of our orders."""
    return await client.get_order(ACCOUNT, cl_ord_id=name)


def test_a_fill_that_the_venue_silently_lost_is_found(tmp_path: Path, risk: Service) -> None:
    """Heartbeats and later reports come as ever: only asking tells."""
    (tmp_path / "plan").write_text("at fill 2 lose\n")

    async def story(exchange: Service, trading: Service) -> float:
        async with (
            VenueClient(exchange.address) as venue,
            TradingClient(trading.address) as us,
        ):
            assert (await us.submit_order(order(ACCOUNT, "buy", Side.BUY))).accepted
            await until(lambda: _is(us, "buy", OrdStatus.NEW))
            await past_us(venue, order(OTHER, "sell", Side.SELL))
            [fault] = await venue.query_faults()
            assert fault.account == ACCOUNT, fault
            took_s = await until(lambda: _is(us, "buy", OrdStatus.FILLED))
            assert await position(us) == Decimal(11)
            return took_s

    plan = f"--faults={tmp_path / 'plan'}"
    with venue_and_us(tmp_path, risk, plan) as (exchange, trading), trading:
        took_s = asyncio.run(story(exchange, trading))
    print(f"a silently lost fill was found after {took_s:.2f} s (goal: 5 s)")


def orders(trading: Service, *arguments: str) -> Any:
    """Run `aetherion orders` and return what it answers."""
    address = {"AETHERION_CLIENT_TRADING_ADDRESS": trading.address}
    done = aetherion("orders", *arguments, "--json", folder=trading.folder, settings=address)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def _is(client: TradingClient, name: str, status: OrdStatus) -> bool:
    return (await named(client, name)).ord_status is status


def test_what_was_traded_past_us_refuses_the_start_until_it_is_adopted(
    tmp_path: Path, risk: Service
) -> None:
    with venue_and_us(tmp_path, risk) as (exchange, trading):

        async def by_hand() -> None:
            async with (
                VenueClient(exchange.address) as venue,
                TradingClient(trading.address) as us,
            ):
                bids = (
                    order(ACCOUNT, "by hand", Side.BUY, 3),
                    order(OTHER, "sell", Side.SELL),
                )
                await past_us(venue, *bids)
                await until(lambda: _warns(us, 'order 1 ("by hand")'))

        with trading:
            asyncio.run(by_hand())
        with pytest.raises(AssertionError, match="did not start") as refused:
            trading.start()
        ended = (line for line in str(refused.value).splitlines() if "level=" not in line)
        says = [line for line in ended if "has what we do not" in line]
        assert len(says) == 1, refused.value
        assert 'order 1 ("by hand"), 1 BTC, -60006 USDT' in says[0]

        trading.settings["AETHERION_TRADING_ADOPT"] = "adopt"

        async def ours() -> None:
            async with (
                VenueClient(exchange.address) as venue,
                TradingClient(trading.address) as us,
            ):
                adopted = await named(us, "external-1")
                assert (adopted.cum_qty, adopted.leaves_qty) == (Decimal(1), Decimal(2))
                assert await position(us) == Decimal(11)
                await past_us(venue, order(OTHER, "sell more", Side.SELL))
                await until(lambda: _holds(us, Decimal(12)))

        with trading:
            asyncio.run(ours())
            orders(trading, "cancel", "external-1")

            async def canceled() -> None:
                async with TradingClient(trading.address) as us:
                    await until(lambda: _is(us, "external-1", OrdStatus.CANCELED))

            asyncio.run(canceled())


async def _warns(client: TradingClient, of: str) -> bool:
    return any(of in warning for warning in (await client.get_status()).warnings)


async def _holds(client: TradingClient, qty: Decimal) -> bool:
    return await position(client) == qty


def test_orders_in_doubt_are_shown_until_the_venue_settles_them(
    tmp_path: Path, risk: Service
) -> None:
    with venue_and_us(tmp_path, risk) as (exchange, trading), trading:

        async def send() -> None:
            async with TradingClient(trading.address) as us:
                assert (await us.submit_order(order(ACCOUNT, "sent", Side.BUY))).accepted
                await until(lambda: _is(us, "sent", OrdStatus.IN_DOUBT))

        async def settled() -> None:
            async with TradingClient(trading.address) as us:
                await until(lambda: _is(us, "sent", OrdStatus.NEW))

        exchange.freeze()
        asyncio.run(send())
        [doubt] = orders(trading, "--in-doubt")
        assert (doubt["cl_ord_id"], doubt["ord_status"]) == ("sent", "IN_DOUBT")
        assert doubt["why"] == "the venue did not answer before the connection was lost"
        assert doubt["settled_by"].startswith("it is sent again under its name")
        assert doubt["since"]
        exchange.thaw()
        asyncio.run(settled())
        assert orders(trading, "--in-doubt") == []
