"""The live portfolio's risk on a terminal: one answer, or each as it changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table as Shown

from aetherion.cli.loop import run_until_done
from aetherion.cli.tables import amount, console, table, when
from aetherion.client import RiskClient
from aetherion.config import load_settings
from aetherion.risk import PortfolioRisk, ReturnModel, RiskInputError, StressScenario
from aetherion.risk import Watch as Watched
from aetherion.risk.inputs import Table, levels_of
from aetherion.risk.results import percent

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose portfolio it is, and the currency that its figures are in."""

    account: str = ""
    base_currency: str = ""
    currency_rates: Mapping[str, float] = field(default_factory=dict)


# What is shown of an answer: for machines, and for people.
View = tuple[Callable[[PortfolioRisk], Record], Callable[[PortfolioRisk], Shown]]


def watch_live(
    past: Table,
    levels: Sequence[str],
    view: View,
    *,
    whose: Whose,
    watch: bool,
    as_json: bool,
    nu: float | None = None,
    scenarios: tuple[StressScenario, ...] = (),
) -> None:
    """Show the live session's risk; the columns of `past` are the instruments that are factors.

    Raises:
        RiskInputError: the returns have no names, or those of nothing that is held.
        ServiceError: there is no such session or account, or no service.
    """
    asked = _asked(past, levels, whose=whose, nu=nu, scenarios=scenarios)
    record, shown = view

    def show(answer: PortfolioRisk) -> bool:
        _require_held(answer, past)
        if as_json:
            typer.echo(json.dumps(record(answer)))
        else:
            console().print(shown(answer))
            if answer.left_out:
                left_out = ", ".join(answer.left_out)
                console().print(f"not in the figures: {left_out}", highlight=False)
            elif not answer.positions:
                console().print(nothing_held(whose.account), highlight=False, markup=False)
        return watch

    _answers(asked, show)


_SHOWN = 10  # columns of a file, in an error


def _require_held(answer: PortfolioRisk, past: Table) -> None:
    """Refuse returns of other instruments than those held: their figures would be 0."""
    names = past.names or ()
    held = {*answer.left_out, *(position.instrument_id for position in answer.positions)}
    if held and held.isdisjoint(names):
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        raise RiskInputError(
            f"returns: none of the file's columns is held: {shown}; "
            f"held: {', '.join(answer.left_out)}"
        )


def nothing_held(account: str) -> str:
    """Say why there are no figures."""
    return f"account {account}: holds nothing" if account else "no account holds anything"


def live_exposures(past: Table, whose: Whose) -> NDArray[np.float64]:
    """Return the live portfolio's exposures now, shape (K,), in the order of the returns' columns.

    Raises:
        RiskInputError: the returns have no names, or leave out what is held; or nothing is held.
    """
    found: list[PortfolioRisk] = []

    def take(answer: PortfolioRisk) -> bool:
        found.append(answer)
        return False

    _answers(_asked(past, ["99%"], whose=whose), take)
    if found[0].left_out:
        raise RiskInputError(f"returns: must have what is held, {', '.join(found[0].left_out)}")
    if not found[0].positions:
        raise RiskInputError(nothing_held(whose.account))
    held = {position.instrument_id: position.exposure for position in found[0].positions}
    return np.array([held.get(name, 0.0) for name in past.names or ()])


def _asked(
    past: Table,
    levels: Sequence[str],
    *,
    whose: Whose,
    nu: float | None = None,
    scenarios: tuple[StressScenario, ...] = (),
) -> Watched:
    if past.names is None:
        raise RiskInputError("returns: columns must be named SYMBOL.VENUE, got no names")
    return Watched(
        factors=past.names,
        model=ReturnModel(returns=past.values, nu=nu),
        confidence_bp=levels_of(levels),
        account=whose.account,
        scenarios=scenarios,
        base_currency=whose.base_currency,
        currency_rates=whose.currency_rates,
    )


def _answers(asked: Watched, take: Callable[[PortfolioRisk], bool]) -> None:
    """Hand over answers until `take` says that it was the last."""
    settings = load_settings()

    async def show() -> None:
        async with (
            RiskClient(settings.risk_address, timeout_s=settings.call_timeout_s) as client,
            aclosing(client.stream_risk(asked)) as answers,
        ):
            async for answer in answers:
                if not take(answer):
                    return

    run_until_done(show())


def _title(answer: PortfolioRisk, what: str) -> str:
    return f"{when(answer.transact_time_ns)}  sequence {answer.sequence}  {what}"


def _figures(answer: PortfolioRisk) -> Shown:
    figures = ", ".join(
        f"{percent(f.confidence_bp)} VaR {amount(f.var)} ES {amount(f.es)}" for f in answer.figures
    )
    rows = [
        (
            p.instrument_id,
            f"{p.qty:,g}",
            f"{p.price:,g}",
            amount(p.notional),
            amount(p.exposure),
            amount(p.component_var),
        )
        for p in answer.positions
    ]
    columns = ("instrument", "quantity", "price", "value", "exposure", "VaR part")
    return table(_title(answer, figures), columns, rows)


def _stress(answer: PortfolioRisk) -> Shown:
    rows = [(result.name, amount(result.pnl)) for result in answer.stress]
    return table(_title(answer, "stress"), ("scenario", "P&L"), rows)


def _greeks(answer: PortfolioRisk) -> Shown:
    names = ("delta", "gamma", "vega", "theta", "rho")
    rows = [
        (p.instrument_id, f"{p.qty:,g}", *(f"{getattr(p.greeks, name):,.6g}" for name in names))
        for p in answer.positions
    ]
    total = ("all", "", *(f"{getattr(answer.greeks, name):,.6g}" for name in names))
    return table(_title(answer, "Greeks"), ("instrument", "quantity", *names), [*rows, total])


def _stress_record(answer: PortfolioRisk) -> Record:
    return _at(answer) | {
        "stress": {result.name: result.pnl for result in answer.stress},
        "left_out": list(answer.left_out),
    }


def _greeks_record(answer: PortfolioRisk) -> Record:
    return _at(answer) | {
        "greeks": asdict(answer.greeks),
        "positions": {p.instrument_id: asdict(p.greeks) for p in answer.positions},
        "left_out": list(answer.left_out),
    }


def _at(answer: PortfolioRisk) -> Record:
    return {"sequence": answer.sequence, "transact_time_ns": answer.transact_time_ns}


def _record(answer: PortfolioRisk) -> dict[str, Any]:
    figures = [
        {"confidence": percent(f.confidence_bp), "var": f.var, "es": f.es} for f in answer.figures
    ]
    return {
        "sequence": answer.sequence,
        "transact_time_ns": answer.transact_time_ns,
        "figures": figures,
        "positions": [asdict(p) for p in answer.positions],
        "gross_notional": answer.gross_notional,
        "net_notional": answer.net_notional,
        "greeks": asdict(answer.greeks),
        "left_out": list(answer.left_out),
        "sigma_1d": answer.sigma_1d,
    }


FIGURES: View = (_record, _figures)
STRESS: View = (_stress_record, _stress)
GREEKS: View = (_greeks_record, _greeks)
