"""Kill switches and trading states."""

from __future__ import annotations

import getpass
import shlex
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from aetherion.cli.ask import AsJson, Record, ask, print_record
from aetherion.client import ServiceError, TradingClient
from aetherion.controls import TradingScope, TradingState, TradingStateChange, TradingStates
from aetherion.errors import AetherionError

T = TypeVar("T")

kill = typer.Typer(no_args_is_help=True, help="Stop trading at once: refuse and cancel orders.")
state = typer.Typer(no_args_is_help=True, help="See and set what may be traded.")

Account = Annotated[str, typer.Option(help="Only this account.")]
Strategy = Annotated[str, typer.Option(help="Only this strategy.")]
Instrument = Annotated[str, typer.Option(help="Only this instrument.")]
Venue = Annotated[str, typer.Option(help="Only this venue.")]
Reason = Annotated[str, typer.Option(help="Why, for the journal.")]
By = Annotated[str, typer.Option(help="Who, for the journal; without: the user's name.")]
Timeout = Annotated[
    float, typer.Option(min=0.1, max=3600, help="Seconds after which it is said to have failed.")
]

# In an emergency a service that hangs must show soon.
_TIMEOUT_S = 2.0


@kill.command()
def engage(
    reason: Reason,
    account: Account = "",
    strategy: Strategy = "",
    instrument: Instrument = "",
    venue: Venue = "",
    by: By = "",
    timeout: Timeout = _TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Refuse new orders of a scope, without any option of the firm, and cancel those open."""
    scope = TradingScope(account, strategy, instrument, venue)

    async def question(client: TradingClient) -> tuple[int, int]:
        return await client.engage_kill_switch(
            scope, changed_by=by or getpass.getuser(), reason=reason
        )

    sequence, canceled = _urgent(question, timeout)
    print_record(
        {"engaged": str(scope), "sequence": sequence, "orders_being_canceled": canceled}, as_json
    )


@kill.command()
def release(
    reason: Reason,
    account: Account = "",
    strategy: Strategy = "",
    instrument: Instrument = "",
    venue: Venue = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Let a scope trade again; by somebody else than who engaged it."""
    scope = TradingScope(account, strategy, instrument, venue)

    async def question(client: TradingClient) -> int:
        return await client.release_kill_switch(
            scope, changed_by=by or getpass.getuser(), reason=reason
        )

    print_record({"released": str(scope), "sequence": ask(question)}, as_json)


@kill.command("show")
def show_kill(timeout: Timeout = _TIMEOUT_S, as_json: AsJson = False) -> None:
    """Kill switches that are engaged."""
    found = ask(_states, timeout).kill_switches
    if not (as_json or found):
        typer.echo("no kill switch is engaged")
        return
    switches: list[Record] = [
        {"scope": str(s.scope), "changed_by": s.changed_by, "reason": s.reason} for s in found
    ]
    print_record({"kill_switches": switches}, as_json)


@state.command("set")
def set_state(
    trading_state: Annotated[
        str, typer.Argument(metavar="STATE", help="active, reducing, cancel-only or halted.")
    ],
    reason: Reason,
    account: Account = "",
    strategy: Strategy = "",
    instrument: Instrument = "",
    venue: Venue = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Set what may be traded; active also arms again what latched there."""
    scope = TradingScope(account, strategy, instrument, venue)
    wanted = _state(trading_state)

    async def question(client: TradingClient) -> int:
        change = TradingStateChange(scope, wanted, by or getpass.getuser(), reason)
        return await client.set_trading_state(change)

    record = {"scope": str(scope), "trading_state": wanted.name, "sequence": ask(question)}
    print_record(record, as_json)


@state.command("show")
def show_states(as_json: AsJson = False) -> None:
    """Trading states other than active, and what latched by itself."""
    found = ask(_states)
    if not (as_json or found.trading_states or found.latches):
        typer.echo("everything is active")
        return
    states: list[Record] = [
        {
            "scope": str(s.scope),
            "trading_state": s.trading_state.name,
            "changed_by": s.changed_by,
            "reason": s.reason,
        }
        for s in found.trading_states
    ]
    print_record({"trading_states": states, "latches": latches_shown(found)}, as_json)


def latches_shown(states: TradingStates) -> list[Record]:
    """Return what is to be shown of latches, and what clears each."""
    return [
        {
            "scope": str(latch.scope),
            "reason": latch.ord_rej_reason.name,
            "since_sequence": latch.sequence,
            "limit": latch.risk_limit,
            "value": latch.value,
            "state": latch.trading_state.name,
            "cleared_by": _cleared_by(latch.scope),
        }
        for latch in states.latches
    ]


def _cleared_by(scope: TradingScope) -> str:
    options = {
        "account": scope.account,
        "strategy": scope.strategy_id,
        "instrument": scope.instrument_id,
    }
    given = (f"--{name} {shlex.quote(value)}" for name, value in options.items() if value)
    return " ".join(("aetherion state set active", *given, "--reason WHY"))


async def _states(client: TradingClient) -> TradingStates:
    return await client.get_trading_states()


def _state(text: str) -> TradingState:
    names = {s.name.lower().replace("_", "-"): s for s in TradingState if s}
    found = names.get(text.lower().replace("_", "-"))
    if found is None:
        raise AetherionError(f"state: must be one of {', '.join(names)}, got {text!r}")
    return found


def _urgent(question: Callable[[TradingClient], Awaitable[T]], timeout_s: float) -> T:
    """Ask, and say what it means when there is no answer.

    Raises:
        AetherionError: the service refused, or may not have heard of it.
    """
    try:
        return ask(question, timeout_s)
    except ServiceError as error:
        raise AetherionError(f"{error} The kill switch is NOT known to be engaged") from None
