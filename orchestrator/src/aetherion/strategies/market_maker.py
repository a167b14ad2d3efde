"""A strategy that quotes, for instruments that cannot be sold short."""

from __future__ import annotations

from decimal import Decimal

from aetherion.market_data import Quote
from aetherion.order import Side
from aetherion.strategy import Strategy


class MarketMaker(Strategy):
    """Joins the best bid and, with what it holds, the best offer, to earn the spread between them.

    Every `refresh_s` it looks at its order on either side: one whose price is no longer the best is
    canceled, and replaced once that is confirmed, so that it never works more than one a side.
    An order is `clip` of the equity; it stops buying when it holds `max_position` of the equity.

    Known weaknesses: it is filled most when the price goes through it (adverse selection), joins
    the end of every queue, and holds what fell until somebody takes its offer; it never pays to
    get out.
    """

    refresh_s: float = 0.5
    clip: float = 0.01
    max_position: float = 0.1

    def on_start(self) -> None:
        self._seen_ns: dict[str, int] = {}
        self._working: dict[tuple[str, Side], str] = {}

    def on_quote(self, quote: Quote) -> None:
        bid, ask, now_ns = quote.bid, quote.ask, quote.transact_time_ns
        if bid is None or ask is None:
            return
        if now_ns - self._seen_ns.get(quote.instrument_id, 0) < self.refresh_s * 1e9:
            return
        self._seen_ns[quote.instrument_id] = now_ns
        equity = self.portfolio.equity
        if equity is None or equity <= 0:
            return
        unit = bid * quote.instrument.multiplier
        held = self.portfolio.position(quote.instrument_id)
        clip = quote.instrument.whole_lots(Decimal(self.clip) * equity / unit)
        room = held * unit < Decimal(self.max_position) * equity
        self._quote(quote, Side.BUY, bid, clip if room else Decimal(0))
        self._quote(quote, Side.SELL, ask, min(clip, held))

    def _quote(self, quote: Quote, side: Side, price: Decimal, qty: Decimal) -> None:
        key = quote.instrument_id, side
        order = self.orders.get(self._working.get(key, ""))
        if order is not None:
            if order.new_order.price != price or qty <= 0:
                self.cancel(order.new_order.cl_ord_id)
        elif qty >= quote.instrument.qty_of(quote.instrument.min_qty) > 0:
            self._working[key] = self.submit(quote.instrument_id, side, qty, price)
