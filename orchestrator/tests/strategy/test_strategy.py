from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aetherion.account import Money
from aetherion.errors import AetherionError
from aetherion.exact import GridError
from aetherion.instrument import Instrument, InstrumentClass
from aetherion.market_data import Bar, Quote, Row, Trade
from aetherion.order import (
    CancelOrder,
    CxlRejReason,
    ExecType,
    ExecutionReport,
    LiquidityInd,
    NewOrder,
    OrdRejReason,
    OrdStatus,
    OrdType,
    RejectedBy,
    Side,
    TimeInForce,
)
from aetherion.strategy import Host, ParameterError, Strategy, StrategyError
from aetherion.strategy.load import BUILT_IN, LoadError, load_strategy, source_sha256

BTC = Instrument("BTC.X", InstrumentClass.FUTURE, "BTC", "USD", 2, 3, multiplier=Decimal("0.5"))


def bar(time_ns: int, close_px: int = 100) -> Bar:
    return Bar(BTC, time_ns, 1, 0, close_px, close_px, close_px, close_px, 1)


def host_of(strategy: Strategy, cash: str = "1000") -> Host:
    return Host(strategy, [BTC], "main", "USD", Decimal(cash))


def report(
    cl_ord_id: str, exec_type: ExecType, ord_status: OrdStatus, **fields: Any
) -> ExecutionReport:
    defaults: dict[str, Any] = {
        "sequence": 1,
        "prev_sequence": 0,
        "transact_time_ns": 0,
        "account": "main",
        "cl_ord_id": cl_ord_id,
        "order_id": 1,
        "venue_order_id": "",
        "exec_id": "",
        "strategy_id": "",
        "instrument_id": "BTC.X",
        "side": Side.BUY,
        "ord_type": OrdType.MARKET,
        "time_in_force": TimeInForce.GTC,
        "exec_type": exec_type,
        "ord_status": ord_status,
        "order_qty": Decimal(2),
        "cum_qty": Decimal(0),
        "leaves_qty": Decimal(2),
        "price": None,
        "last_qty": Decimal(0),
        "last_px": Decimal(0),
        "last_liquidity_ind": LiquidityInd.UNSPECIFIED,
        "commission": None,
        "cum_notional": None,
        "avg_px": 0.0,
        "ord_rej_reason": OrdRejReason.UNSPECIFIED,
        "cxl_rej_reason": CxlRejReason.UNSPECIFIED,
        "rejected_by": RejectedBy.UNSPECIFIED,
        "text": "",
        "check_failures": (),
    }
    return ExecutionReport(**defaults | fields)


def filled(kind: InstrumentClass) -> tuple[Strategy, Callable[..., None]]:
    """A strategy that trades an instrument of a kind, and what fills its orders."""
    strategy = Sized()
    host = Host(strategy, [replace(BTC, instrument_class=kind)], "main", "USD", Decimal(1000))

    def fill(side: Side, qty: str, px: str, commission: Money | None = None) -> None:
        fields = {"last_qty": Decimal(qty), "last_px": Decimal(px), "commission": commission}
        host.report(report("x", ExecType.TRADE, OrdStatus.FILLED, side=side, **fields))

    return strategy, fill


class Sized(Strategy):
    qty: Decimal = Decimal("0.5")
    names: tuple[str, ...] = ()
    fast: bool = False
    rows: int = 10
    _hidden: int = 3
    state: dict[str, int]


class TestParameters:
    def test_defaults_and_given_values(self) -> None:
        strategy = Sized(qty="1.25", names="a, b", fast="yes", rows="7")
        assert (strategy.qty, strategy.names) == (Decimal("1.25"), ("a", "b"))
        assert strategy.parameters == {
            "qty": Decimal("1.25"),
            "names": ("a", "b"),
            "fast": True,
            "rows": 7,
        }
        assert Sized().rows == 10

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ({"rowz": 1}, "Sized: no parameter rowz; did you mean rows?"),
            ({"zzz": 1}, "Sized: no parameter zzz; it has qty, names, fast, rows"),
            ({"rows": "x"}, "Sized.rows: input should be a valid integer"),
            ({"qty": "x"}, "Sized.qty: "),
        ],
    )
    def test_wrong_ones_are_named(self, given: dict[str, Any], says: str) -> None:
        with pytest.raises(ParameterError) as caught:
            Sized(**given)
        assert str(caught.value).startswith(says)

    def test_type_that_no_command_line_can_give_is_refused(self) -> None:
        class Odd(Strategy):
            table: dict[str, int] = {}  # noqa: RUF012

        with pytest.raises(ParameterError, match=r"Odd\.table: a parameter must be bool, int"):
            Odd()

    def test_parameters_are_inherited(self) -> None:
        class Child(Sized):
            rows: int = 20

        assert Child().parameters["rows"] == 20
        assert Child(fast=True).parameters["fast"] is True


class TestHost:
    def test_commands_are_exact_and_their_ids_deterministic(self) -> None:
        strategy = Sized()
        host = host_of(strategy)
        first = strategy.buy("BTC.X", "0.25")
        second = strategy.sell("BTC.X", 1, price=99.5, time_in_force=TimeInForce.IOC)
        strategy.cancel(first)
        assert (first, second) == ("Sized-1", "Sized-2")
        assert host.take_commands() == [
            NewOrder(
                "Sized-1", "main", "BTC.X", Side.BUY, Decimal("0.250"), None,
                TimeInForce.GTC, "Sized",
            ),
            NewOrder(
                "Sized-2", "main", "BTC.X", Side.SELL, Decimal("1.000"), Decimal("99.50"),
                TimeInForce.IOC, "Sized",
            ),
            CancelOrder("Sized-3", "Sized-1", "main"),
        ]  # fmt: skip
        assert not host.has_commands

    @pytest.mark.parametrize(
        ("order", "says"),
        [
            (("BTC.X", 0.1 + 0.2), r"BTC\.X qty: .* nearest are 0\.300 and 0\.301"),
            (("BTC.X", 0), "qty: must be positive, got 0"),
            (("BTC.X", -1), "qty: must be positive, got -1"),
            (("BTC.X", 1, "9.999"), r"price: .* nearest are 9\.99 and 10\.00"),
            (("BTC.X", 1, 0), "price: must be positive"),
        ],
    )
    def test_off_grid_order_is_refused(self, order: tuple[Any, ...], says: str) -> None:
        strategy = Sized()
        host = host_of(strategy)
        with pytest.raises(GridError, match=says):
            strategy.buy(*order)
        assert not host.has_commands

    def test_unknown_instrument_names_the_nearest(self) -> None:
        strategy = Sized()
        host_of(strategy)
        with pytest.raises(AetherionError, match=r"'BTC\.Y'; did you mean BTC\.X\?"):
            strategy.buy("BTC.Y", 1)

    def test_verbs_need_a_run(self) -> None:
        with pytest.raises(AetherionError, match="only while it runs"):
            Sized().buy("BTC.X", 1)

    def test_no_commands_after_the_end(self) -> None:
        class Late(Strategy):
            def on_stop(self) -> None:
                self.buy("BTC.X", 1)

        with pytest.raises(StrategyError, match="in on_stop: on_stop: the run is over"):
            host_of(Late()).stop()

    def test_orders_are_followed_until_they_close(self) -> None:
        strategy = Sized()
        host = host_of(strategy)
        name = strategy.buy("BTC.X", 2)
        assert strategy.orders[name].leaves_qty == 2
        host.report(
            report(name, ExecType.TRADE, OrdStatus.PARTIALLY_FILLED, last_qty=Decimal(1),
                   last_px=Decimal(10), cum_qty=Decimal(1), leaves_qty=Decimal(1))
        )  # fmt: skip
        assert strategy.orders[name].cum_qty == 1
        host.report(report(name, ExecType.CANCELED, OrdStatus.CANCELED, leaves_qty=Decimal(0)))
        assert name not in strategy.orders

    def test_spot_moves_cash_by_the_whole_price(self) -> None:
        strategy, fill = filled(InstrumentClass.SPOT)
        portfolio = strategy.portfolio
        fill(Side.BUY, "3", "10.01", Money("USD", 10**16))
        assert portfolio.cash == Decimal("1000") - Decimal("10.01") * 3 / 2 - Decimal("0.01")
        assert portfolio.equity is None  # held, and no price seen
        strategy._running().rows([bar(1, 2000)], 0, 1)
        assert portfolio.mark("BTC.X") == 20
        assert portfolio.equity == portfolio.cash + 30
        fill(Side.SELL, "3", "20")
        assert portfolio.positions == {}
        assert portfolio.equity == portfolio.cash == Decimal("1014.975")

    def test_future_moves_cash_by_what_it_realises(self) -> None:
        strategy, fill = filled(InstrumentClass.FUTURE)
        portfolio = strategy.portfolio
        strategy._running().rows([bar(1, 2000)], 0, 1)
        fill(Side.BUY, "1", "10")
        fill(Side.BUY, "2", "16", Money("USD", 10**18))
        assert portfolio.cash == 999
        assert portfolio.cost("BTC.X") == 21
        assert portfolio.market_value("BTC.X") == 30
        assert portfolio.equity == 999 + 30 - 21
        fill(Side.SELL, "4", "20")  # closes three at a cost of 7 each, and opens one short
        assert portfolio.cash == 999 + 3 * (10 - 7)
        assert portfolio.position("BTC.X") == -1
        assert portfolio.cost("BTC.X") == -10

    def test_cost_is_removed_pro_rata_and_rounded_half_even_once(self) -> None:
        strategy, fill = filled(InstrumentClass.FUTURE)
        fill(Side.BUY, "3", "0.01")
        fill(Side.BUY, "4", "0.02")
        fill(Side.SELL, "1", "0.03")  # a seventh of 0.055
        cost = strategy.portfolio.cost("BTC.X")
        assert cost == Decimal("0.055") - Decimal("0.007857142857142857")
        assert strategy.portfolio.cash == 1000 + Decimal("0.015") - (Decimal("0.055") - cost)

    def test_rows_stop_at_the_row_that_commands(self) -> None:
        class Second(Strategy):
            def on_bar(self, bar: Bar) -> None:
                if bar.transact_time_ns == 2:
                    self.buy("BTC.X", 1)

        host = host_of(Second())
        rows: list[Row] = [bar(1), bar(2), bar(3)]
        assert host.rows(rows, 0, 3) == 2
        host.take_commands()
        assert host.rows(rows, 2, 3) == 3

    def test_each_kind_of_row_has_its_handler(self) -> None:
        class Kinds(Strategy):
            def on_start(self) -> None:
                self.seen: list[str] = []

            def on_bar(self, bar: Bar) -> None:
                self.seen.append("bar")

            def on_quote(self, quote: Quote) -> None:
                self.seen.append("quote")

            def on_trade(self, trade: Trade) -> None:
                self.seen.append("trade")

        strategy = Kinds()
        host = host_of(strategy)
        host.start()
        host.rows([Trade(BTC, 1, 1, 0, 5, 1, 0), bar(2), Quote(BTC, 3, 2, 0, 1, 1, 2, 1)], 0, 3)
        assert strategy.seen == ["trade", "bar", "quote"]

    def test_empty_quote_leaves_the_last_price(self) -> None:
        strategy = Sized()
        host = host_of(strategy)
        quotes = [Quote(BTC, 1, 1, 0, None, 0, 2000, 1), Quote(BTC, 2, 2, 0, None, 0, None, 0)]
        host.rows(quotes, 0, 2)
        assert strategy.portfolio.mark("BTC.X") == 20
        assert strategy.clock.now_ns == 2

    def test_bar_at_midnight_belongs_to_the_day_before(self) -> None:
        midnight = 86_400 * 10**9
        host = host_of(Sized())
        host.rows([bar(midnight)], 0, 1)
        assert host.clock.today.isoformat() == "1970-01-01"
        assert host.clock.now.isoformat() == "1970-01-02T00:00:00+00:00"
        host.rows([Trade(BTC, midnight, 1, 0, 5, 1, 0)], 0, 1)
        assert host.clock.today.isoformat() == "1970-01-02"

    def test_time_does_not_run_back(self) -> None:
        host = host_of(Sized())
        host.rows([bar(100)], 0, 1)
        host.report(report("x", ExecType.NEW, OrdStatus.NEW, transact_time_ns=50))
        assert host.clock.now_ns == 100


class TestLoad:
    @pytest.mark.parametrize("name", BUILT_IN)
    def test_built_in_strategies_load(self, name: str) -> None:
        strategy = load_strategy(name)
        assert issubclass(strategy, Strategy)
        assert "weakness" in (strategy.__doc__ or "")
        assert len(source_sha256(strategy)) == 64

    def test_class_of_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "mine.py"
        file.write_text("from aetherion import Strategy\nclass One(Strategy):\n    n: int = 1\n")
        assert load_strategy(f"{file}:One")(n=2).parameters == {"n": 2}
        assert load_strategy(str(file)).__name__ == "One"

    @pytest.mark.parametrize(
        ("text", "name", "says"),
        [
            (None, "{file}:One", "strategy: no file {file}"),
            ("x = 1\n", "{file}:One", "no Strategy class One in {file}; it has none"),
            ("x = \n", "{file}:One", "strategy: {file}:1: invalid syntax"),
            ("\n1 / 0\n", "{file}:One", "{file}:2 in <module>: ZeroDivisionError"),
            ("import nowhere\n", "{file}:One", "ModuleNotFoundError: No module named 'nowhere'"),
            (
                "from aetherion import Strategy\nclass A(Strategy): ...\nclass B(Strategy): ...\n",
                "{file}",
                "name one class of {file} as FILE.py:Class; there are A, B",
            ),
            (None, "mean-revert", "did you mean mean-reversion"),
            (None, "zzz", "there are inverse-volatility, market-maker, mean-reversion"),
        ],
    )
    def test_what_cannot_be_loaded_is_one_line(
        self, tmp_path: Path, text: str | None, name: str, says: str
    ) -> None:
        file = tmp_path / "mine.py"
        if text is not None:
            file.write_text(text)
        with pytest.raises(LoadError) as caught:
            load_strategy(name.format(file=file))
        assert says.format(file=file) in str(caught.value)
        assert "\n" not in str(caught.value)
