"""Books: what a strategy is shown of the levels, and when."""

from __future__ import annotations

import random
from decimal import Decimal

from aetherion.instrument import Instrument, InstrumentClass
from aetherion.market_data import BookFlag, BookLevel, BookOrder, Row, Trade
from aetherion.order import Side
from aetherion.strategy import Book, Host, Strategy
from aetherion.strategy.book import SHOWN_LEVELS, LevelBook

BTC = Instrument("BTC.X", InstrumentClass.SPOT, "BTC", "USD", 2, 3)
ETH = Instrument("ETH.X", InstrumentClass.SPOT, "ETH", "USD", 2, 3)
LAST, CLEAR = BookFlag.LAST_OF_EVENT, BookFlag.CLEAR


def level(
    time_ns: int, side: Side, px: int, qty: int, flags: int = LAST, instrument: Instrument = BTC
) -> BookLevel:
    return BookLevel(instrument, time_ns, 1, 0, side, px, qty, flags)


class Watcher(Strategy):
    """Writes down the best prices it is shown, and buys at an offer of 101."""

    def on_start(self) -> None:
        self.seen: list[tuple[int, str, int | None, int | None]] = []

    def on_book(self, book: Book) -> None:
        bid, ask = book.bid and book.bid.level_px, book.ask and book.ask.level_px
        self.seen.append((self.clock.now_ns, book.instrument_id, bid, ask))
        if ask == 101:
            self.buy(book.instrument_id, 1)


def test_a_strategy_sees_books_only_when_they_are_whole() -> None:
    host = Host(watcher := Watcher(), [BTC, ETH], "main", "USD", Decimal(1))
    host.start()
    rows: list[Row] = [
        level(1, Side.BUY, 99, 5, CLEAR),
        level(1, Side.SELL, 102, 5, LAST),
        level(2, Side.SELL, 50, 7, LAST, ETH),
        BookOrder(BTC, 3, 2, 0, 7, 1, 100, 5, LAST),  # no level
        level(4, Side.SELL, 101, 3),
        level(5, Side.BUY, 99, 0),
    ]
    assert host.rows(rows, 0, len(rows)) == 5, "it stops where commands are given"
    assert host.rows(rows, 5, len(rows)) == 6
    assert watcher.seen == [
        (1, "BTC.X", 99, 102),
        (2, "ETH.X", None, 50),
        (4, "BTC.X", 99, 101),
        (5, "BTC.X", None, 101),
    ]
    assert host.last_rows == {}, "a book is no reference price"


def test_a_book_does_not_change_any_more() -> None:
    book = LevelBook()
    book.take(level(1, Side.BUY, 99, 5))
    before = book.take(level(2, Side.SELL, 101, 5))
    after = book.take(level(3, Side.SELL, 98, 1))
    assert before is not None
    assert after is not None
    assert [(one.price, one.size) for one in (*before.bids, *before.asks)] == [
        (Decimal("0.99"), Decimal("0.005")),
        (Decimal("1.01"), Decimal("0.005")),
    ]
    assert after.bid is None, "an offer below it has passed it"
    assert after.ask is not None
    assert after.ask.price == Decimal("0.98")


def test_the_best_levels_of_any_rows() -> None:
    """Whatever rows come: what a plain dictionary of each side says."""
    draw = random.Random(1)
    book = LevelBook()
    sides: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
    for n in range(5_000):
        side = draw.choice((Side.BUY, Side.SELL))
        px, qty = draw.randrange(80, 121), draw.choice((0, 1, 2, 3))
        px += 15 if side is Side.SELL else -15
        clear = draw.random() < 0.001
        shown = book.take(level(n, side, px, qty, LAST | (CLEAR if clear else 0)))
        if clear:
            sides = {Side.BUY: {}, Side.SELL: {}}
        grows = qty > sides[side].get(px, 0)
        sides[side] = {p: q for p, q in (sides[side] | {px: qty}).items() if q}
        if grows and side is Side.BUY:
            sides[Side.SELL] = {p: q for p, q in sides[Side.SELL].items() if p > px}
        elif grows:
            sides[Side.BUY] = {p: q for p, q in sides[Side.BUY].items() if p < px}
        assert shown is not None
        bids = sorted(sides[Side.BUY].items(), reverse=True)[:SHOWN_LEVELS]
        asks = sorted(sides[Side.SELL].items())[:SHOWN_LEVELS]
        assert [one[1:] for one in shown.bids] == bids
        assert [one[1:] for one in shown.asks] == asks


def test_a_strategy_without_the_handler_is_handed_the_rest() -> None:
    class Trades(Strategy):
        count = 0

        def on_trade(self, trade: Trade) -> None:
            self.count += 1

    host = Host(strategy := Trades(), [BTC], "main", "USD", Decimal(1))
    host.start()
    rows: list[Row] = [level(1, Side.BUY, 99, 5), Trade(BTC, 1, 2, 0, 99, 1, 2)]
    assert host.rows(rows, 0, 2) == 2
    assert strategy.count == 1
