"""A portfolio strategy for daily bars."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from decimal import Decimal
from itertools import pairwise
from statistics import pstdev

from aetherion.account import AccountState
from aetherion.market_data import Bar
from aetherion.strategy import Strategy


class InverseVolatility(Strategy):
    """Holds all instruments in inverse proportion to their recent volatility, set once a month.

    At the close of each month's first day it computes every instrument's volatility over the last
    `lookback` daily returns and sends market orders to reach the new weights, filled at the next
    open. Orders that would move less than `min_trade` of the equity are left out, to save fees.

    Known weaknesses: it ignores correlation, so instruments that fall together count as separate;
    volatility is measured backwards and is too low when a calm market breaks; it is always
    invested and takes every drawdown of the market; an instrument set chosen with hindsight
    (survivors) flatters it. Orders are sized at the close, so a gap at the open leaves cash or
    borrows a little; `invested` keeps a buffer for that.
    """

    lookback: int = 63
    invested: float = 0.95
    min_trade: float = 0.002

    def on_start(self) -> None:
        self._closes: defaultdict[str, deque[int]] = defaultdict(
            lambda: deque(maxlen=self.lookback + 1)
        )
        self._month: tuple[int, int] | None = None

    def on_bar(self, bar: Bar) -> None:
        self._closes[bar.instrument_id].append(bar.close_px)

    def on_day_end(self, account: AccountState) -> None:
        today = self.clock.today
        month = (today.year, today.month)
        if month == self._month:
            return
        weights = self._weights()
        if weights:
            self._month = month
            self._rebalance(weights)

    def _weights(self) -> dict[str, float]:
        inverse = {
            instrument_id: 1 / volatility
            for instrument_id, closes in sorted(self._closes.items())
            if len(closes) > self.lookback and (volatility := _volatility(list(closes))) > 0
        }
        total = math.fsum(inverse.values())
        return {i: self.invested * v / total for i, v in inverse.items()}

    def _rebalance(self, weights: dict[str, float]) -> None:
        equity = self.portfolio.equity
        if equity is None or equity <= 0:
            return
        for cl_ord_id in list(self.orders):
            self.cancel(cl_ord_id)
        changes = {i: self._change(i, w, equity) for i, w in weights.items()}
        for instrument_id, change in changes.items():  # sells first: they bring the cash
            if change < 0:
                self.sell(instrument_id, -change)
        for instrument_id, change in changes.items():
            if change > 0:
                self.buy(instrument_id, change)

    def _change(self, instrument_id: str, weight: float, equity: Decimal) -> Decimal:
        instrument = self.instruments[instrument_id]
        mark = self.portfolio.mark(instrument_id)
        if mark is None or mark <= 0:
            return Decimal(0)
        unit = mark * instrument.multiplier
        wanted = instrument.whole_lots(Decimal(weight) * equity / unit)
        change = wanted - self.portfolio.position(instrument_id)
        return Decimal(0) if abs(change) * unit < Decimal(self.min_trade) * equity else change


def _volatility(closes: list[int]) -> float:
    return pstdev([b / a - 1 for a, b in pairwise(closes)])
