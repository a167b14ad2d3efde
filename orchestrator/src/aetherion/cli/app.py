"""The program `aetherion`: its commands, and how it fails: one clear line, exit code non-zero."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from aetherion.cli import controls, exchange, journal, limits, orders, risk, run, show
from aetherion.data.cli import app as data_app
from aetherion.errors import AetherionError

_INTERRUPTED = 128 + signal.SIGINT


class _OneLine(TyperGroup):
    """Turns what a command raises into one line; AETHERION_CLIENT_DEBUG=1 shows the traceback."""

    def invoke(self, ctx: Any) -> Any:
        if os.environ.get("AETHERION_CLIENT_DEBUG") in ("1", "true"):
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except AetherionError as error:
            line, code = str(error), 1
        except KeyboardInterrupt as error:
            line, code = ": ".join(filter(None, ("interrupted", str(error)))), _INTERRUPTED
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if type(error).__module__.startswith(("click", "typer")):  # usage: it prints that
                raise
            line, code = f"internal error: {type(error).__name__}: {error}", 1
        print(f"aetherion: {line}", file=sys.stderr)
        raise typer.Exit(code)


app = typer.Typer(
    cls=_OneLine,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A trading engine whose strategies are written in Python.",
)
app.command("run")(run.run)
app.command(
    "client",
    help="The same as run, against services that run already: AETHERION_CLIENT_TRADING_ADDRESS "
    "and AETHERION_CLIENT_RISK_ADDRESS.",
)(run.run)
app.command("status")(show.status)
app.command("positions")(show.positions)
app.command("account")(show.account)
app.command("exchange")(exchange.exchange)
app.add_typer(orders.app, name="orders")
app.add_typer(limits.app, name="limits")
app.add_typer(controls.kill, name="kill")
app.add_typer(controls.state, name="state")
app.add_typer(data_app, name="data")
app.add_typer(journal.app, name="journal")
app.add_typer(risk.app, name="risk")
