"""A strategy for quotes, trades or short bars of one or more instruments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from aetherion.market_data import Bar, Quote, Row, Trade
from aetherion.order import ExecutionReport, Side, TimeInForce
from aetherion.strategy import Strategy


@dataclass(slots=True)
class _State:
    """What is remembered of one instrument: moving mean and variance of its mark, and its order."""

    mean: float
    variance: float = 0.0
    rows: int = 1
    time_ns: int = 0
    entered_ns: int = 0
    order: str = ""
    ordered_ns: int = 0


class MeanReversion(Strategy):
    """Buys what fell `entry` deviations below its moving mean, sells it back nearer the mean.

    Mean and deviation of the mark forget half of the past in `half_life_s`. It enters with a limit
    order at the price that it sees (the ask of a quote) and leaves at the market when the mark is
    within `exit` deviations of the mean or after `max_hold_s`. An entry that has not filled after
    `patience_s` is canceled. Long only, one position of `budget` of the equity an instrument.

    Known weaknesses: a small edge before costs, which taker fees of a few basis points usually eat
    whole; it buys into falls that go on; the exit time is a loss cut in disguise; the resting limit
    of trade data fills mostly when the price goes through it, that is, when it is wrong.
    """

    half_life_s: float = 120.0
    entry: float = 3.0
    exit: float = 0.5
    warm_up_rows: int = 200
    patience_s: float = 5.0
    max_hold_s: float = 900.0
    budget: float = 0.2

    def on_start(self) -> None:
        self._states: dict[str, _State] = {}
        self._decay = math.log(2) / (self.half_life_s * 1e9)

    def on_quote(self, quote: Quote) -> None:
        if quote.mark_px is not None:
            self._see(quote, quote.mark_px, quote.ask_px)

    def on_trade(self, trade: Trade) -> None:
        self._see(trade, trade.trade_px, trade.trade_px)

    def on_bar(self, bar: Bar) -> None:
        self._see(bar, bar.close_px, bar.close_px)

    def on_fill(self, report: ExecutionReport) -> None:
        state = self._states[report.instrument_id]
        if report.side is Side.BUY and not state.entered_ns:
            state.entered_ns = report.transact_time_ns

    def on_order(self, report: ExecutionReport) -> None:
        state = self._states[report.instrument_id]
        if report.cl_ord_id == state.order and not report.ord_status.is_open:
            state.order = ""
            if not self.portfolio.position(report.instrument_id):
                state.entered_ns = 0

    def _see(self, row: Row, mark_px: int, buy_px: int | None) -> None:
        state = self._states.get(row.instrument_id)
        if state is None:
            self._states[row.instrument_id] = _State(float(mark_px), time_ns=row.transact_time_ns)
            return
        deviation = math.sqrt(state.variance)
        distance = mark_px - state.mean
        self._learn(state, row.transact_time_ns, distance)
        if state.order:
            if row.transact_time_ns - state.ordered_ns > self.patience_s * 1e9:
                self._give_up(state, row.transact_time_ns)
        elif state.entered_ns:
            held_s = (row.transact_time_ns - state.entered_ns) / 1e9
            if distance > -self.exit * deviation or held_s > self.max_hold_s:
                self._leave(state, row)
        elif state.rows > self.warm_up_rows and distance < -self.entry * deviation and buy_px:
            self._enter(state, row, buy_px)

    def _learn(self, state: _State, now_ns: int, distance: float) -> None:
        weight = -math.expm1(-self._decay * (now_ns - state.time_ns))
        state.mean += weight * distance
        state.variance = (1 - weight) * (state.variance + weight * distance * distance)
        state.time_ns = now_ns
        state.rows += 1

    def _enter(self, state: _State, row: Row, buy_px: int) -> None:
        equity = self.portfolio.equity
        if equity is None or equity <= 0:
            return
        price = row.instrument.price_of(buy_px)
        qty = row.instrument.whole_lots(
            Decimal(self.budget) * equity / (price * row.instrument.multiplier)
        )
        if isinstance(row, Quote):  # no more than is offered there
            qty = min(qty, row.ask_size)
        if qty >= row.instrument.qty_of(row.instrument.min_qty):
            tif = TimeInForce.IOC if isinstance(row, Quote) else TimeInForce.GTC
            state.order = self.buy(row.instrument_id, qty, price, tif)
            state.ordered_ns = row.transact_time_ns

    def _give_up(self, state: _State, now_ns: int) -> None:
        if state.order in self.orders:
            self.cancel(state.order)
        state.ordered_ns = now_ns  # asked again only after another while

    def _leave(self, state: _State, row: Row) -> None:
        held = self.portfolio.position(row.instrument_id)
        if held > 0:
            state.order = self.sell(row.instrument_id, held)
            state.ordered_ns = row.transact_time_ns
        else:
            state.entered_ns = 0
