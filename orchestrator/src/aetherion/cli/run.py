"""`aetherion run` and `aetherion client`: a strategy over data, from start to report."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from aetherion.backtest.files import make_folder, write_files
from aetherion.backtest.live import run_live
from aetherion.backtest.result import RunResult
from aetherion.backtest.runner import RunConfig, one_currency, run_backtest
from aetherion.backtest.var import VarSettings
from aetherion.cli.live import LiveView, MarketView
from aetherion.cli.loop import run_until_done
from aetherion.cli.summary import print_summary
from aetherion.cli.tables import console
from aetherion.client import (
    QueueModel,
    RiskClient,
    ServiceError,
    ServiceUnavailableError,
    TradingClient,
)
from aetherion.config import Settings, load_settings
from aetherion.data import DataSet, ImportOptions, prepare
from aetherion.errors import AetherionError
from aetherion.exact import to_decimal
from aetherion.instrument import Instrument
from aetherion.risk import RiskLimit, RiskLimits
from aetherion.services import running_services
from aetherion.strategy import Strategy
from aetherion.strategy.load import BUILT_IN, load_strategy

_DAY_NS = 86_400 * 10**9
# Of data finer than bars, when --latency-ms does not say: a retail connection's order of magnitude.
_TICK_LATENCY_MS = 5.0
# A connection breaks a moment before the kernel reports its process as ended.
_GONE_WITHIN_S = 0.5

# The market without data, and what is traded against there.
_SYNTHETIC, _SYNTHETIC_CURRENCY = "synthetic", "USD"

_LIMITS, _VAR = "Risk limits", "Value at risk"


def run(
    ctx: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(help="CSV or Parquet of bars, quotes or trades, or a data set's name."),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help=f"FILE.py:Class, or one of {', '.join(BUILT_IN)}; chosen by the data."),
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the strategy; repeat.")
    ] = None,
    instrument: Annotated[
        list[str] | None, typer.Option(help="SYMBOL.VENUE to use; repeat; all without.")
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Trade in real time: a synthetic market, or a replay of data."),
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Of --live: when to stop; without: Ctrl-C.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the result files.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    maker_fee_bps: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Of --data FILE, for adding liquidity.")
    ] = None,
    taker_fee_bps: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Of --data FILE, for taking liquidity.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0, help="Virtual seconds a second; 0: as fast as it goes.")
    ] = 0.0,
    cash: Annotated[str, typer.Option(metavar="NUMBER", help="Cash at the start.")] = "1000000",
    latency_ms: Annotated[
        float | None,
        typer.Option(min=0, max=86_400_000, help="From decision to venue; bars 0, ticks 5."),
    ] = None,
    max_volume_share_bps: Annotated[
        int, typer.Option(min=1, max=10_000, help="Most of a bar's volume or a quote's size.")
    ] = 1_000,
    queue_model: Annotated[
        QueueModel | None,
        typer.Option(help="Where the data has levels of a book; without: risk-averse."),
    ] = None,
    max_order_qty: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", rich_help_panel=_LIMITS, help="Of one order, in units."),
    ] = None,
    max_order_notional: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER", rich_help_panel=_LIMITS, help="Of one order; without: the start cash."
        ),
    ] = None,
    max_position_qty: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", rich_help_panel=_LIMITS, help="Long or short, in units."),
    ] = None,
    market_order_band_bps: Annotated[
        int,
        typer.Option(
            min=0,
            max=100_000,
            rich_help_panel=_LIMITS,
            help="A market buy counts at the mark and so much.",
        ),
    ] = 100,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=2**63 - 1,
            rich_help_panel=_VAR,
            help="Of Monte Carlo, and of --live without data.",
        ),
    ] = 1,
    scenarios: Annotated[
        int,
        typer.Option(min=1_000, max=10_000_000, rich_help_panel=_VAR, help="Of Monte Carlo."),
    ] = 10_000,
    var_window: Annotated[
        int,
        typer.Option(min=20, max=10_000, rich_help_panel=_VAR, help="Daily returns, the newest."),
    ] = 250,
    confidence_bp: Annotated[
        list[int] | None,
        typer.Option(
            min=5001, max=9999, rich_help_panel=_VAR, help="9900 is 99 %; repeat; 9500 and 9900."
        ),
    ] = None,
    batch_rows: Annotated[int, typer.Option(min=0, max=65_536, hidden=True)] = 0,
) -> None:
    """Trade recorded data: the Trading Service runs it, the Risk Service checks every order."""
    settings = load_settings()
    _check_live(live, seconds, ctx.info_name)
    fees = (maker_fee_bps, taker_fee_bps)
    data_set = None if live and data is None else _prepare(data, settings.data_dir, *fees)
    chosen = load_strategy(strategy or suggested_strategy(data_set))(**_parameters(param or []))
    start_cash = _positive("cash", cash)
    config = RunConfig(
        name=_SYNTHETIC if data_set is None else data_set.name,
        data_set=_SYNTHETIC if data_set is None else data_set.name,
        initial_cash=start_cash,
        risk_limits=RiskLimits(
            limits=(
                RiskLimit(
                    max_order_qty=_limit("max-order-qty", max_order_qty),
                    max_order_notional=_limit("max-order-notional", max_order_notional, start_cash),
                    max_position_qty=_limit("max-position-qty", max_position_qty),
                ),
            ),
            market_order_band_bps=market_order_band_bps,
        ),
        max_volume_share_bps=max_volume_share_bps,
        order_latency_ns=round(1e6 * _latency_ms(latency_ms, data_set)),
        queue_model=queue_model,
        max_batch_rows=batch_rows,
        speed=speed,
        instrument_ids=tuple(instrument or ()),
        var=VarSettings(
            confidence_bp=tuple(sorted(set(confidence_bp or (9500, 9900)))),
            window=var_window,
            n_scenarios=scenarios,
            seed=seed,
        ),
        notes=() if data_set is None else (*data_set.notes, *_warnings(data_set)),
    )
    job = _Job(
        settings=settings,
        strategy=chosen,
        instruments=() if data_set is None else _instruments(data_set, config.instrument_ids),
        config=config,
        folder=(out or settings.runs_dir / config.name).absolute(),
        console=console(stderr=as_json),
        own_services=ctx.info_name == "run",
        live=live,
        seconds=seconds,
    )
    # Rows are made by the million and have no cycles: with the collector at its default pace it
    # takes a third of the time of a run (2.2 against 3.6 million rows a second).
    gc.freeze()
    gc.set_threshold(200_000, 50, 50)
    make_folder(job.folder)
    begun = time.perf_counter()
    # What a strategy prints must not end up within the JSON.
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        result = run_until_done(job.run())
    elapsed_s = time.perf_counter() - begun
    content = write_files(result, job.folder)
    if as_json:
        typer.echo(json.dumps(content, indent=2))
    else:
        print_summary(job.console, result, content, job.folder, elapsed_s)


@dataclass(frozen=True, slots=True)
class _Job:
    """One run from the services to the result."""

    settings: Settings
    strategy: Strategy
    instruments: tuple[Instrument, ...]
    config: RunConfig
    folder: Path
    console: Console
    own_services: bool
    live: bool = False
    seconds: float | None = None  # of a live run

    async def run(self) -> RunResult:
        timeout_s = self.settings.call_timeout_s
        async with (
            (MarketView if self.live else LiveView)(self.console) as view,
            self._addresses(view) as (trading_address, risk_address),
            TradingClient(trading_address, timeout_s=timeout_s) as trading,
            RiskClient(risk_address, timeout_s=timeout_s) as risk,
        ):
            if self.live:
                return await run_live(
                    trading,
                    self.strategy,
                    self.config,
                    self.seconds,
                    started=view.started,
                    notice=view.notice,
                )
            return await run_backtest(
                trading,
                risk,
                self.strategy,
                self.instruments,
                self.config,
                started=view.started,
                notice=view.notice,
            )

    @asynccontextmanager
    async def _addresses(self, view: LiveView) -> AsyncIterator[tuple[str, str]]:
        if not self.own_services:
            yield self.settings.trading_address, self.settings.risk_address
            return
        data_dir = self.settings.data_dir.absolute()
        live = self._live_session() if self.live else {}
        services = running_services(self.settings, data_dir, self.folder, view.notice, live)
        async with services as stack:
            try:
                yield stack.trading.spec.address, stack.risk.spec.address
            except ServiceUnavailableError:
                how = await stack.trading.ended(_GONE_WITHIN_S)
                if how is None:
                    raise
                raise ServiceError(f"Trading Service {how}: the run is lost") from None

    def _live_session(self) -> dict[str, str]:
        """Return what the Trading Service is set to: one account, new as the run."""
        config = self.config
        replayed = {
            "AETHERION_TRADING_REPLAY_DATA_SET": config.data_set,
            "AETHERION_TRADING_REPLAY_SPEED": f"{config.speed:g}",
            "AETHERION_TRADING_REPLAY_VOLUME_SHARE_BPS": str(config.max_volume_share_bps),
            "AETHERION_TRADING_REPLAY_ORDER_LATENCY_US": str(config.order_latency_ns // 1000),
        }
        synthetic = {
            "AETHERION_TRADING_SYNTHETIC": "true",
            "AETHERION_TRADING_SYNTHETIC_SEED": str(config.var.seed),
            "AETHERION_TRADING_DATA_DIR": str(self.folder),  # needs none, but a folder
        }
        currency = one_currency(self.instruments) if self.instruments else _SYNTHETIC_CURRENCY
        return {
            "AETHERION_TRADING_JOURNAL_DIR": "",
            "AETHERION_TRADING_ACCOUNT": config.account,
            "AETHERION_TRADING_INITIAL_CASH": f"{config.initial_cash:f} {currency}",
            **(replayed if self.instruments else synthetic),
        }


def _check_live(live: bool, seconds: float | None, command: str | None) -> None:
    if live and command != "run":
        raise AetherionError("live: only of aetherion run, whose account has not traded yet")
    if seconds is not None and not live:
        raise AetherionError("seconds: only of --live; data ends by itself")


def _prepare(
    data: Path | None, data_dir: Path, maker_fee_bps: str | None, taker_fee_bps: str | None
) -> DataSet:
    if maker_fee_bps is None and taker_fee_bps is None:
        return prepare(data, data_dir)
    if data is None or not data.exists():
        raise AetherionError("fees: a data set has its own; they can be set for --data FILE only")
    options = ImportOptions(
        maker_fee_bps=to_decimal(maker_fee_bps or "0", "maker-fee-bps"),
        taker_fee_bps=to_decimal(taker_fee_bps or "0", "taker-fee-bps"),
    )
    return prepare(data, data_dir, options)


def _warnings(data_set: DataSet) -> list[str]:
    """Return what makes a run on this data better or worse than trading would be."""
    warnings = []
    if not any(i.maker_fee_ratio or i.taker_fee_ratio for i in data_set.instruments):
        warnings.append("no fees: the data names none; set them with --taker-fee-bps")
    if set(data_set.kinds) <= {"level", "order"}:
        warnings.append("a book alone: no trade gives a reference price; import its trades with it")
    if "quote" in data_set.kinds:
        sizes = data_set.read("quote").select("bid_qty", "ask_qty").sum().row(0)
        if not any(sizes):
            warnings.append("the quotes have no sizes: no order can fill against them")
    return warnings


def suggested_strategy(data_set: DataSet | None) -> str:
    """Return the example that fits the data: a portfolio for daily bars, else mean reversion."""
    if data_set is None:
        return "market-maker"
    span_ns = data_set.last_time_ns - data_set.first_time_ns
    steps = max(1, data_set.rows - len(data_set.instruments))
    spacing_ns = span_ns * len(data_set.instruments) / steps
    daily = set(data_set.kinds) == {"bar"} and spacing_ns > _DAY_NS / 2
    return "inverse-volatility" if daily else "mean-reversion"


def _instruments(data_set: DataSet, wanted: Sequence[str]) -> tuple[Instrument, ...]:
    known = {i.instrument_id: i for i in data_set.instruments}
    for instrument_id in wanted:
        if instrument_id not in known:
            raise AetherionError(
                f"instrument: {data_set.name} has no {instrument_id}; it has {', '.join(known)}"
            )
    return tuple(known[i] for i in wanted) or data_set.instruments


def _parameters(pairs: Sequence[str]) -> dict[str, str]:
    parameters = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise AetherionError(f"param: must be NAME=VALUE, got {pair!r}")
        parameters[name.strip()] = value.strip()
    return parameters


def _latency_ms(given: float | None, data_set: DataSet | None) -> float:
    if given is not None:
        return given
    if data_set is None:
        return 0.0
    return 0.0 if set(data_set.kinds) == {"bar"} else _TICK_LATENCY_MS


def _limit(name: str, text: str | None, default: Decimal | None = None) -> Decimal | None:
    return default if text is None else _positive(name, text)


def _positive(name: str, text: str) -> Decimal:
    value = to_decimal(text, name)
    if value <= 0:
        raise AetherionError(f"{name}: must be positive, got {text}")
    return value
