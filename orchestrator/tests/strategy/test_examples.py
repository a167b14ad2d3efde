"""The example strategies decide what their descriptions say."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aetherion.account import AccountState
from aetherion.instrument import Instrument, InstrumentClass
from aetherion.market_data import Bar, Quote, Row
from aetherion.order import CancelOrder, NewOrder, OrderCommand, Side, TimeInForce
from aetherion.strategies.inverse_volatility import InverseVolatility
from aetherion.strategies.mean_reversion import MeanReversion
from aetherion.strategy import Host

DAY_NS = 86_400 * 10**9
CALM = Instrument("CALM.X", InstrumentClass.EQUITY, "CALM", "USD", 2, 0)
WILD = Instrument("WILD.X", InstrumentClass.EQUITY, "WILD", "USD", 2, 0)
PAIR = Instrument("EURUSD.X", InstrumentClass.SPOT, "EUR", "USD", 4, 0)


def bar(instrument: Instrument, day: int, close_px: int) -> Bar:
    """A daily bar of a day since 1970."""
    end = (day + 1) * DAY_NS
    return Bar(
        instrument, end, day + 1, end - DAY_NS, close_px, close_px, close_px, close_px, 10**6
    )


def end_day(host: Host) -> list[OrderCommand]:
    host.day_end(AccountState("main", 1, 0, "USD", (), (), None))
    return host.take_commands()


class TestInverseVolatility:
    def play(self, days: int, **parameters: object) -> tuple[Host, list[list[OrderCommand]]]:
        """CALM moves by 1 %, WILD by 3 %, up and down by turns."""
        host = Host(
            InverseVolatility(**parameters), [CALM, WILD], "main", "USD", Decimal(1_000_000)
        )
        host.start()
        given = []
        for day in range(days):
            up = day % 2
            rows: list[Row] = [bar(CALM, day, 10_000 + 100 * up), bar(WILD, day, 10_000 + 300 * up)]
            host.rows(rows, 0, 2)
            given.append(end_day(host))
        return host, given

    def test_weights_are_inverse_to_volatility(self) -> None:
        _, given = self.play(12, lookback=10, invested=0.8)
        assert given[:10] == [[]] * 10  # ten returns need eleven closes
        calm, wild = (c for c in given[10] if isinstance(c, NewOrder))
        assert (calm.side, wild.side) == (Side.BUY, Side.BUY)
        assert calm.order_qty / wild.order_qty == pytest.approx(3, rel=0.02)
        assert calm.order_qty + wild.order_qty == pytest.approx(8000, abs=2)

    def test_it_trades_once_a_month(self) -> None:
        _, given = self.play(70, lookback=10)
        assert [day for day, commands in enumerate(given) if commands] == [10, 31, 59]

    def test_orders_still_open_are_canceled_first(self) -> None:
        _, given = self.play(32, lookback=10)
        kinds = [type(command) for command in given[31]]
        assert kinds[:2] == [CancelOrder, CancelOrder]
        assert NewOrder in kinds

    def test_small_changes_are_left_out(self) -> None:
        _, given = self.play(12, lookback=10, min_trade=0.5)
        assert [c.instrument_id for c in given[10] if isinstance(c, NewOrder)] == ["CALM.X"]


class TestMeanReversion:
    def quotes(self, host: Host, mids: list[int], begin_s: int = 0) -> list[OrderCommand]:
        rows: list[Row] = [
            Quote(PAIR, (begin_s + n) * 10**9, n, 0, mid - 1, 5_000, mid + 1, 3_000)
            for n, mid in enumerate(mids, 1)
        ]
        host.rows(rows, 0, len(rows))
        return host.take_commands()

    def host(self, **parameters: object) -> Host:
        host = Host(MeanReversion(**parameters), [PAIR], "main", "USD", Decimal(1_000_000))
        host.start()
        return host

    def test_it_buys_what_fell_far_at_the_ask_and_no_more_than_is_offered(self) -> None:
        host = self.host(warm_up_rows=50)
        assert self.quotes(host, [10_000, 10_002] * 50) == []
        (order,) = self.quotes(host, [9_900], begin_s=100)
        assert isinstance(order, NewOrder)
        assert (order.side, order.time_in_force) == (Side.BUY, TimeInForce.IOC)
        assert (order.price, order.order_qty) == (Decimal("0.9901"), Decimal(3_000))

    def test_small_falls_and_rises_are_let_pass(self) -> None:
        host = self.host(warm_up_rows=50)
        self.quotes(host, [10_000, 10_002] * 50)
        assert self.quotes(host, [9_999, 10_100], begin_s=100) == []

    def test_it_waits_until_it_has_seen_enough(self) -> None:
        host = self.host(warm_up_rows=500)
        self.quotes(host, [10_000, 10_002] * 50)
        assert self.quotes(host, [9_900], begin_s=100) == []

    def test_one_entry_at_a_time(self) -> None:
        host = self.host(warm_up_rows=50)
        self.quotes(host, [10_000, 10_002] * 50)
        assert len(self.quotes(host, [9_900], begin_s=100)) == 1
        assert self.quotes(host, [9_890, 9_880], begin_s=101) == []

    def test_an_entry_that_does_not_fill_is_given_up(self) -> None:
        host = self.host(warm_up_rows=50, patience_s=3.0)
        self.quotes(host, [10_000, 10_002] * 50)
        (order,) = self.quotes(host, [9_900], begin_s=100)
        assert isinstance(order, NewOrder)
        (cancel,) = self.quotes(host, [9_900] * 4, begin_s=101)
        assert isinstance(cancel, CancelOrder)
        assert cancel.orig_cl_ord_id == order.cl_ord_id
