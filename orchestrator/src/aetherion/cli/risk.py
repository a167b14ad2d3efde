"""`aetherion risk`: VaR, ES, stress, Greeks and backtests of files, and of the live portfolio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from aetherion import risk
from aetherion.cli.risk_files import (
    read_frame,
    read_horizons,
    read_portfolio,
    read_returns,
    read_scenarios,
    read_shares,
)
from aetherion.cli.risk_live import FIGURES, GREEKS, STRESS, Whose, live_exposures, watch_live
from aetherion.cli.tables import console
from aetherion.risk import Book, Result, RiskInputError, RiskResult
from aetherion.risk.inputs import Table, Vector
from aetherion.risk.measure import METHODS
from aetherion.risk.scenarios import shock_scenarios

# What the contract's counts and seeds can hold.
_MOST, _LAST_SEED = 2**32 - 1, 2**64 - 1

app = typer.Typer(
    no_args_is_help=True,
    help="Value at risk, stress, Greeks and backtests of files or of the live portfolio. A Risk "
    "Service is started for files unless AETHERION_CLIENT_RISK_ADDRESS names one.",
)

Positions = Annotated[
    Path | None,
    typer.Option(help="CSV or Parquet: name and exposure (or qty, with --prices), or a book."),
]
Returns = Annotated[
    Path | None, typer.Option(help="One-day returns, a column a name, oldest row first.")
]
Prices = Annotated[Path | None, typer.Option(help="Prices instead of returns.")]
# Delta-gamma books have no file: their two methods are Python's alone.
_METHODS = tuple(name for name in METHODS if name not in ("cornish_fisher", "fourier"))
Method = Annotated[
    str | None, typer.Option(help=f"One of {', '.join(_METHODS)}; historical without.")
]
Confidence = Annotated[
    list[str] | None, typer.Option(help="99%, 0.99 or 9900; repeat; 99% without.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
_LIVE = "Live portfolio"
Live = Annotated[
    bool, typer.Option("--live", rich_help_panel=_LIVE, help="Of the running session's portfolio.")
]
Watch = Annotated[
    bool, typer.Option("--watch", rich_help_panel=_LIVE, help="Go on as it changes, until Ctrl-C.")
]
LiveReturns = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=_LIVE, help="One-day returns whose columns are instruments, SYMBOL.VENUE."
    ),
]
Account = Annotated[str, typer.Option(rich_help_panel=_LIVE, help="One account; all without.")]
Currency = Annotated[
    str, typer.Option(rich_help_panel=_LIVE, help="Of the figures; needed where several are held.")
]
Rates = Annotated[
    list[str] | None,
    typer.Option(
        "--rate",
        rich_help_panel=_LIVE,
        help="EUR=1.08: in --currency; repeat; the session's without.",
    ),
]


def _measure_command(measure: str) -> Any:
    """Return the command for one of the two measures: they differ in their figure alone."""

    def command(
        positions: Positions = None,
        returns: Returns = None,
        prices: Prices = None,
        method: Method = None,
        confidence: Confidence = None,
        horizon_days: Annotated[int, typer.Option(help="Days.")] = 1,
        nu: Annotated[float | None, typer.Option(help="Degrees of freedom of Student's t.")] = None,
        decay: Annotated[
            float | None, typer.Option(help="Weight of a day relative to the next.")
        ] = None,
        scenarios: Annotated[
            int | None, typer.Option(help="Of monte_carlo, 1,000 to 10,000,000.")
        ] = None,
        seed: Annotated[int | None, typer.Option(help="Of monte_carlo and paths.")] = None,
        spot_shock: Annotated[str | None, typer.Option(help="Of a book: log or simple.")] = None,
        volatility: Annotated[str | None, typer.Option(help="Of filtered: ewma or garch.")] = None,
        paths: Annotated[
            int | None, typer.Option(help="Of filtered by a garch, above one day.")
        ] = None,
        sampler: Annotated[
            str | None, typer.Option(help="Of monte_carlo: pseudo or sobol.")
        ] = None,
        replications: Annotated[int | None, typer.Option(help="Of sobol, at least 16.")] = None,
        strata: Annotated[
            int | None, typer.Option(help="Of a book by monte_carlo, a power of two up to 256.")
        ] = None,
        quantile_rule: Annotated[
            str | None, typer.Option(help="Of historical: inverted_cdf, upper, linear7, ...")
        ] = None,
        live: Live = False,
        watch: Watch = False,
        account: Account = "",
        currency: Currency = "",
        rate: Rates = None,
        as_json: AsJson = False,
    ) -> None:
        levels = confidence or ["99%"]
        past, priced = read_returns(returns, prices)
        options: dict[str, Any] = {
            "nu": nu,
            "decay": decay,
            "n_scenarios": scenarios,
            "seed": seed,
            "spot_shock": spot_shock,
            "volatility": volatility,
            "n_paths": paths,
            "sampler": sampler,
            "replications": replications,
            "strata": strata,
            "quantile_rule": quantile_rule,
        }
        counts = {"scenarios": scenarios, "paths": paths, "replications": replications}
        counts |= {"strata": strata, "horizon_days": horizon_days}
        _require_range(counts, 1, _MOST)
        _require_range({"seed": seed}, 0, _LAST_SEED)
        if live or watch:
            only_files = options | {"nu": None, "positions": positions}
            only_files["method"] = None if method == "parametric" else method
            only_files["horizon_days"] = None if horizon_days == 1 else horizon_days
            _require_absent(only_files)
            whose = _whose(account, currency, rate)
            watch_live(past, levels, FIGURES, nu=nu, whose=whose, watch=watch, as_json=as_json)
            return
        _require_absent_without(_live_only(account, currency, rate))
        held = read_portfolio(_needed(positions, "positions"), priced)
        found: RiskResult = getattr(risk, measure)(
            held,
            past,
            method=_method_for(held, method),
            confidence=levels,
            horizon_days=horizon_days,
            **{name: value for name, value in options.items() if value is not None},
        )
        _show(found, as_json)

    return command


app.command("var", help="Value at risk, and expected shortfall beside it.")(_measure_command("var"))
app.command("es", help="Expected shortfall, and value at risk beside it.")(_measure_command("es"))


@app.command()
def stress(
    scenarios: Annotated[Path, typer.Option(help="YAML or CSV of scenarios.")],
    positions: Annotated[
        Path | None, typer.Option(help="CSV or Parquet: name and exposure, or a book.")
    ] = None,
    returns: Annotated[
        Path | None,
        typer.Option(help="One-day returns: of --window-days, or with --live of instruments."),
    ] = None,
    window_days: Annotated[
        int | None, typer.Option(help="Of exposures: the worst windows of so many past days too.")
    ] = None,
    live: Live = False,
    watch: Watch = False,
    account: Account = "",
    currency: Currency = "",
    rate: Rates = None,
    as_json: AsJson = False,
) -> None:
    """What scenarios would do to a portfolio."""
    given = read_scenarios(scenarios)
    _require_range({"window_days": window_days}, 1, _MOST)
    if live or watch:
        _require_absent({"positions": positions, "window_days": window_days})
        past = _named(returns)
        watch_live(
            past,
            ["99%"],
            STRESS,
            scenarios=shock_scenarios(given),
            whose=_whose(account, currency, rate),
            watch=watch,
            as_json=as_json,
        )
        return
    _require_absent_without(_live_only(account, currency, rate))
    held = read_portfolio(_needed(positions, "positions"))
    days = None if returns is None else read_returns(returns, None)[0]
    _show(risk.stress(held, given, returns=days, window_days=window_days), as_json)


@app.command()
def greeks(
    positions: Annotated[
        Path | None,
        typer.Option(help="Columns underlying, qty, spot, option_type, strike, years, ..."),
    ] = None,
    returns: LiveReturns = None,
    live: Live = False,
    watch: Watch = False,
    account: Account = "",
    currency: Currency = "",
    rate: Rates = None,
    as_json: AsJson = False,
) -> None:
    """Value and sensitivities of a book of options."""
    if live or watch:
        _require_absent({"positions": positions})
        past = _named(returns)
        whose = _whose(account, currency, rate)
        watch_live(past, ["99%"], GREEKS, whose=whose, watch=watch, as_json=as_json)
        return
    _require_absent_without({"returns": returns} | _live_only(account, currency, rate))
    held = read_portfolio(_needed(positions, "positions"))
    if not isinstance(held, Book):
        raise RiskInputError("positions: must be a book with underlying, qty and spot")
    _show(risk.greeks(held), as_json)


@app.command()
def backtest(
    pnl: Annotated[
        Path | None, typer.Option(help="CSV or Parquet: pnl, and var and es of each day.")
    ] = None,
    confidence: Annotated[str, typer.Option(help="Of the forecasts: 99%, 0.99 or 9900.")] = "99%",
    window: Annotated[
        int | None, typer.Option(help="Make the forecasts from so many days before.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="With a window: historical, normal or filtered; historical without."),
    ] = None,
    returns: LiveReturns = None,
    live: Live = False,
    account: Account = "",
    currency: Currency = "",
    rate: Rates = None,
    as_json: AsJson = False,
) -> None:
    """Judge forecasts of VaR by the P&L of their days.

    Of the live portfolio: by what it would have made on the days of the returns, as it is now.
    """
    _require_range({"window": window}, 1, _MOST)
    if live:
        _require_absent({"pnl": pnl})
        if window is None:
            raise RiskInputError("window: give --window DAYS with --live, got none")
        past = _named(returns)
        made = past.values @ live_exposures(past, _whose(account, currency, rate))
        _show(risk.backtest(made, confidence=confidence, window=window, method=method), as_json)
        return
    _require_absent_without({"returns": returns} | _live_only(account, currency, rate))
    frame = read_frame(_needed(pnl, "pnl"), "pnl")
    if "pnl" not in frame.columns:
        raise RiskInputError(f"pnl: needs a column pnl, got {', '.join(frame.columns)}")
    if window is None and "var" not in frame.columns:
        raise RiskInputError("pnl: needs a column var, or --window, got neither")

    def forecast(name: str) -> list[float] | None:
        return frame[name].to_list() if window is None and name in frame.columns else None

    found = risk.backtest(
        frame["pnl"].to_list(),
        forecast("var"),
        forecast("es"),
        confidence=confidence,
        window=window,
        method=method,
    )
    _show(found, as_json)


@app.command()
def margin(
    positions: Annotated[Path, typer.Option(help="Columns name, qty (short negative), price.")],
    cash: Annotated[str, typer.Option(help="Cash of the account; a debt is negative.")] = "0",
    currency: Annotated[str, typer.Option(help="Of cash and prices.")] = "USD",
    as_json: AsJson = False,
) -> None:
    """Initial and maintenance margin of an account of shares, exactly."""
    _show(risk.account_margin(read_shares(positions), cash, currency=currency), as_json)


@app.command()
def basel(
    positions: Annotated[Path, typer.Option(help="CSV or Parquet: name and exposure.")],
    returns: Annotated[
        Path, typer.Option(help="One-day returns; of ten days for historical and age_weighted.")
    ],
    horizons: Annotated[Path, typer.Option(help="Columns name and days: 10, 20, 40, 60 or 120.")],
    method: Annotated[
        str, typer.Option(help="historical, age_weighted or parametric.")
    ] = "historical",
    confidence: Annotated[str, typer.Option(help="97.5%, 0.975 or 9750.")] = "97.5%",
    as_json: AsJson = False,
) -> None:
    """Expected shortfall over the liquidity horizons of the factors (Basel MAR33)."""
    found = risk.basel_es(
        read_portfolio(positions),
        read_returns(returns, None)[0],
        liquidity_horizons=read_horizons(horizons),
        method=method,
        confidence=confidence,
    )
    _show(found, as_json)


def _method_for(held: Vector | Book, method: str | None) -> str:
    """Return the method for what a file holds."""
    if method is not None and method not in _METHODS:
        raise RiskInputError(f"method: must be one of {', '.join(_METHODS)}, got {method!r}")
    if isinstance(held, Book) and method != "monte_carlo":
        raise RiskInputError(
            "method: a book needs --method monte_carlo --spot-shock log|simple, "
            f"got {method or 'historical'}"
        )
    return method or "historical"


def _require_range(options: dict[str, int | None], lowest: int, highest: int) -> None:
    """Refuse what the contract cannot carry; the service knows the closer rules."""
    for name, value in options.items():
        if value is not None and not lowest <= value <= highest:
            raise RiskInputError(f"{name}: must be from {lowest} to {highest}, got {value}")


def _require_absent(options: dict[str, Any]) -> None:
    """Refuse what the live portfolio, which is parametric, has no use for."""
    for name, value in options.items():
        if value is not None:
            raise RiskInputError(f"{name}: must be absent with --live, got {value}")


def _require_absent_without(options: dict[str, Any]) -> None:
    """Refuse what only the live portfolio has a use for."""
    for name, value in options.items():
        if value is not None:
            raise RiskInputError(f"{name}: must be absent without --live, got {value}")


def _named(returns: Path | None) -> Table:
    """Return past returns whose columns name the instruments that the live portfolio may hold."""
    if returns is None:
        raise RiskInputError("returns: give --returns FILE with --live, its columns SYMBOL.VENUE")
    return read_returns(returns, None)[0]


def _live_only(account: str, currency: str, rates: list[str] | None) -> dict[str, Any]:
    return {"account": account or None, "currency": currency or None, "rate": rates or None}


def _whose(account: str, currency: str, rates: list[str] | None) -> Whose:
    """Return whose portfolio is asked for, and in what."""
    made: dict[str, float] = {}
    for given in rates or ():
        name, _, value = given.partition("=")
        try:
            made[name] = float(value)
        except ValueError:
            raise RiskInputError(f"rate: must be CURRENCY=NUMBER, got {given!r}") from None
    return Whose(account, currency, made)


def _needed(path: Path | None, name: str) -> Path:
    if path is None:
        raise RiskInputError(f"{name}: give --{name} FILE, or --live")
    return path


def _show(result: Result, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.to_dict(), indent=2))
    else:
        console().print(result)
