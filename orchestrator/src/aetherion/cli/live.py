"""What a person sees while a run goes on: a live table, or plain lines when not on a terminal."""

from __future__ import annotations

import asyncio
import math
from decimal import Decimal
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from aetherion.backtest.live import LiveRecorder
from aetherion.backtest.recorder import Recorder
from aetherion.cli.tables import amount, fills_table, table, when

_REFRESH_S = 0.125
_PLAIN_EVERY_S = 5.0
_FILLS_SHOWN = 6


class LiveView:
    """Shows a recorder while its run goes on; `notice` prints a line at once.

    It reads between the steps of the run, on the same event loop, so nothing changes under it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._recorder: Recorder | None = None
        self._peak = -math.inf
        self._days_seen = 0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=40),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._bar = self._progress.add_task("starting", total=None)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
            self._task = asyncio.create_task(self._refresh())
        else:
            self._task = asyncio.create_task(self._print_lines())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
        self._live.stop()

    def started(self, recorder: Recorder) -> None:
        """The run has begun."""
        self._recorder = recorder
        self._progress.update(self._bar, total=recorder.started.total_rows)

    def notice(self, line: str) -> None:
        """Print a line, above the table if there is one."""
        self._console.print(line, style="yellow", highlight=False, markup=False, soft_wrap=True)

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_S)
            self._live.update(self._render(), refresh=True)

    async def _print_lines(self) -> None:
        loop = asyncio.get_running_loop()
        tenths, last_s = 0, loop.time()
        while True:
            await asyncio.sleep(_REFRESH_S)
            run = self._recorder
            if run is None:
                continue
            reached = self._tenths(run)
            if reached > tenths or loop.time() - last_s > _PLAIN_EVERY_S:
                tenths, last_s = reached, loop.time()
                self._console.print(self._line(run), highlight=False, soft_wrap=True)

    def _tenths(self, run: Recorder) -> int:
        """Return how much is done: each more of it is worth a line."""
        return 10 * run.rows // max(1, run.started.total_rows)

    def _line(self, run: Recorder) -> str:
        figures = "  ".join(f"{name} {value}" for name, value in self._figures(run).items())
        percent = 100 * run.rows // max(1, run.started.total_rows)
        return f"{percent:3d} %  {when(run.now_ns)}  {figures}"

    def _render(self) -> RenderableType:
        run = self._recorder
        if run is None:
            return self._progress
        self._progress.update(self._bar, completed=run.rows, description=when(run.now_ns))
        figures = Table.grid(padding=(0, 3))
        figures.add_row(*(f"[dim]{name}[/] {value}" for name, value in self._figures(run).items()))
        positions = table(
            "positions",
            ("instrument", "quantity"),
            ((i, f"{qty:,f}") for i, qty in sorted(run.positions.items())[:10]),
        )
        return Group(
            self._progress, figures, positions, fills_table("last fills", run.fills[-_FILLS_SHOWN:])
        )

    def _figures(self, run: Recorder) -> dict[str, str]:
        equity = run.equity
        return {
            "equity": amount(equity),
            "drawdown": f"{self._drawdown(run):.2%}",
            "orders": str(run.orders),
            "fills": str(len(run.fills)),
            "rejections": str(len(run.rejections)),
        }

    def _drawdown(self, run: Recorder) -> float:
        """Return the fall of equity from its highest day end, as a ratio of that."""
        for day in run.days[self._days_seen :]:
            self._days_seen += 1
            if day.equity is not None:
                self._peak = max(self._peak, float(day.equity))
        equity = run.equity
        if equity is None or self._peak <= 0:
            return 0.0
        return min(0.0, float(equity) / self._peak - 1)


class MarketView(LiveView):
    """Shows a live run, which has no end: the market, what is held, and what came of it."""

    def _tenths(self, run: Recorder) -> int:
        return 0  # lines come by the time alone

    def _line(self, run: Recorder) -> str:
        assert isinstance(run, LiveRecorder)
        figures = "  ".join(f"{name} {value}" for name, value in self._figures(run).items())
        prices = "  ".join(
            f"{i.instrument_id} {_price(quote.bid)}/{_price(quote.ask)}"
            for i in run.started.instruments
            if (quote := run.quotes.get(i.instrument_id)) is not None
        )
        return f"{when(run.now_ns)}  {prices}  {figures}"

    def _render(self) -> RenderableType:
        run = self._recorder
        if run is None:
            return self._progress
        assert isinstance(run, LiveRecorder)
        figures = Table.grid(padding=(0, 3))
        figures.add_row(*(f"[dim]{name}[/] {value}" for name, value in self._figures(run).items()))
        columns = ("instrument", "bid", "ask", "last", "position", "P&L")
        rows = (_market_row(run, i.instrument_id) for i in run.started.instruments)
        fills = fills_table("last fills", run.fills[-_FILLS_SHOWN:])
        return Group(figures, table(when(run.now_ns), columns, rows), fills)


def _market_row(run: LiveRecorder, instrument_id: str) -> tuple[str, ...]:
    quote, trade = run.quotes.get(instrument_id), run.trades.get(instrument_id)
    return (
        instrument_id,
        _price(None if quote is None else quote.bid),
        _price(None if quote is None else quote.ask),
        _price(None if trade is None else trade.price),
        f"{run.positions.get(instrument_id, Decimal(0)):,f}",
        amount(run.pnl(instrument_id)),
    )


def _price(price: Decimal | None) -> str:
    return "-" if price is None else f"{price:,f}"
