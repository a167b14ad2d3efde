"""The live portfolio's risk on a terminal: one answer, or each as it changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

import typer

from aetherion.cli.loop import run_until_done
from aetherion.cli.tables import amount, console, table, when
from aetherion.client import RiskClient
from aetherion.config import load_settings
from aetherion.risk import PortfolioRisk, ReturnModel, RiskInputError
from aetherion.risk import Watch as Watched
from aetherion.risk.inputs import Table, levels_of
from aetherion.risk.results import percent


def watch_live(
    past: Table,
    levels: Sequence[str],
    *,
    account: str,
    watch: bool,
    as_json: bool,
    nu: float | None,
) -> None:
    """Show the live session's risk; the columns of `past` are the instruments that are factors.

    Raises:
        RiskInputError: the returns have no names.
        ServiceError: there is no such session, or no service.
    """
    if past.names is None:
        raise RiskInputError("returns: columns must be named SYMBOL.VENUE, got no names")
    asked = Watched(
        factors=past.names,
        model=ReturnModel(returns=past.values, nu=nu),
        confidence_bp=levels_of(levels),
        account=account,
    )
    settings = load_settings()

    async def show() -> None:
        async with (
            RiskClient(settings.risk_address, timeout_s=settings.call_timeout_s) as client,
            aclosing(client.stream_risk(asked)) as answers,
        ):
            async for answer in answers:
                _print(answer, as_json)
                if not watch:
                    return

    run_until_done(show())


def _print(answer: PortfolioRisk, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_record(answer)))
        return
    out = console()
    figures = ", ".join(
        f"{percent(f.confidence_bp)} VaR {amount(f.var)} ES {amount(f.es)}" for f in answer.figures
    )
    title = f"{when(answer.transact_time_ns)}  sequence {answer.sequence}  {figures}"
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
    out.print(
        table(title, ("instrument", "quantity", "price", "value", "exposure", "VaR part"), rows)
    )
    if answer.left_out:
        out.print(f"not in the figures: {', '.join(answer.left_out)}", highlight=False)


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
