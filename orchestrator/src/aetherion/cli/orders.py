"""Orders of an account: what became of them, and their end."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from aetherion.backtest.files import plain
from aetherion.cli.ask import (
    Account,
    AsJson,
    Record,
    account_named,
    ask,
    print_record,
    print_records,
)
from aetherion.cli.tables import when
from aetherion.client import OutOfRangeError, TradingClient
from aetherion.errors import AetherionError
from aetherion.order import (
    CancelOrder,
    CommandAck,
    ExecType,
    ExecutionReport,
    MassCancelOrders,
    Order,
    Side,
)

app = typer.Typer()

Name = Annotated[str, typer.Argument(help="cl_ord_id of the order.")]


@app.callback(invoke_without_command=True)
def orders(
    context: typer.Context,
    in_doubt: Annotated[
        bool, typer.Option("--in-doubt", help="Those that their venue may or may not have.")
    ] = False,
    account: Account = "",
    as_json: AsJson = False,
) -> None:
    """See orders, and end them."""
    if context.invoked_subcommand is not None:
        return
    if not in_doubt:
        typer.echo(context.get_help())
        raise typer.Exit(2)

    async def question(client: TradingClient) -> list[Record]:
        name = await account_named(client, account)
        doubted = await client.list_orders(name, in_doubt_only=True)
        return [_doubt(order, await _doubted(client, order)) for order in doubted]

    print_records(ask(question), as_json, "no orders are in doubt")


async def _doubted(client: TradingClient, order: Order) -> ExecutionReport:
    """Return the report that said so. After it a cancel may have been reported, which waits too."""
    last = order.last_report
    assert last is not None  # every order has one
    if last.exec_type is ExecType.IN_DOUBT:
        return last
    said = last
    try:
        async for report in client.stream_execution_reports(last.account, last.order_id % 2**56):
            if report.order_id == last.order_id and report.exec_type is ExecType.IN_DOUBT:
                said = report
            if report.sequence >= last.sequence:
                break
    except OutOfRangeError:  # It is older than the reports that are kept.
        pass
    return said


def _doubt(order: Order, report: ExecutionReport) -> Record:
    why, _, settled = report.text.partition("; ")
    brief = _brief(order)
    columns = ("cl_ord_id", "instrument_id", "side", "leaves_qty", "ord_status")
    return {name: brief[name] for name in columns} | {
        "since": when(report.transact_time_ns),
        "why": why,
        "settled_by": settled,
    }


@app.command("list")
def list_orders(
    account: Account = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only those that still work.")] = False,
    as_json: AsJson = False,
) -> None:
    """Orders of an account."""

    async def question(client: TradingClient) -> list[Record]:
        name = await account_named(client, account)
        return [_brief(order) for order in await client.list_orders(name, open_only=open_only)]

    print_records(ask(question), as_json, "no orders")


@app.command()
def show(cl_ord_id: Name, account: Account = "", as_json: AsJson = False) -> None:
    """One order, with all that was asked for and the last that was heard of it."""

    async def question(client: TradingClient) -> Record:
        name = await account_named(client, account)
        return _full(await client.get_order(name, cl_ord_id=cl_ord_id))

    print_record(ask(question), as_json)


@app.command()
def cancel(cl_ord_id: Name, account: Account = "", as_json: AsJson = False) -> None:
    """Cancel one order."""

    async def question(client: TradingClient) -> CommandAck:
        name = await account_named(client, account)
        return await client.cancel_order(CancelOrder(_command_name(), cl_ord_id, name))

    ack = _accepted(ask(question))
    print_record({"cl_ord_id": cl_ord_id, "ord_status": ack.ord_status.name}, as_json)


@app.command("cancel-all")
def cancel_all(
    account: Account = "",
    strategy: Annotated[str, typer.Option(help="Only of this strategy.")] = "",
    instrument: Annotated[str, typer.Option(help="Only in this instrument.")] = "",
    side: Annotated[str, typer.Option(help="Only of this side: buy or sell.")] = "",
    as_json: AsJson = False,
) -> None:
    """Cancel all open orders of an account that match."""
    which = _side(side)

    async def question(client: TradingClient) -> CommandAck:
        name = await account_named(client, account)
        return await client.mass_cancel(
            MassCancelOrders(_command_name(), name, strategy, instrument, which)
        )

    ack = _accepted(ask(question))
    print_record({"orders_being_canceled": ack.total_affected_orders}, as_json)


def _side(text: str) -> Side:
    if not text:
        return Side.UNSPECIFIED
    if text.upper() not in ("BUY", "SELL"):
        raise AetherionError(f"side: must be buy or sell, got {text!r}")
    return Side[text.upper()]


def _accepted(ack: CommandAck) -> CommandAck:
    """Return what was accepted.

    Raises:
        AetherionError: it was refused.
    """
    if not ack.accepted:
        reason = (ack.cxl_rej_reason or ack.ord_rej_reason).name
        raise AetherionError(f"{reason}: {ack.text}" if ack.text else reason)
    return ack


def _command_name() -> str:
    """Return a name that no other command of the account has."""
    return f"cli-{time.time_ns()}"


def _brief(order: Order) -> Record:
    asked, last = order.new_order, order.last_report
    stop_px = asked.stop_px if last is None else last.stop_px
    return {
        "cl_ord_id": asked.cl_ord_id if last is None else last.cl_ord_id,
        "instrument_id": asked.instrument_id,
        "side": asked.side.name,
        "ord_type": asked.ord_type.name,
        "price": "" if asked.price is None else plain(asked.price),
        "stop_px": "" if stop_px is None else plain(stop_px),
        "order_qty": plain(asked.order_qty if last is None else last.order_qty),
        "cum_qty": plain(order.cum_qty),
        "leaves_qty": plain(order.leaves_qty),
        "ord_status": order.ord_status.name,
        "text": last.text if last else "",
    }


def _full(order: Order) -> Record:
    asked, last = order.new_order, order.last_report
    record = _brief(order) | {
        "asked_as": asked.cl_ord_id,
        "time_in_force": asked.time_in_force.name,
        "expire_time": when(asked.expire_time_ns),
        "display_qty": "" if asked.display_qty is None else plain(asked.display_qty),
        "exec_insts": [inst.name for inst in sorted(asked.exec_insts)],
        "strategy_id": asked.strategy_id,
    }
    if last is None:
        return record
    return record | {
        "order_id": last.order_id,
        "venue_order_id": last.venue_order_id,
        "list_id": last.list_id,
        "contingency_type": last.contingency_type.name if last.list_id else "",
        "exec_type": last.exec_type.name,
        "sequence": last.sequence,
        "time": when(last.transact_time_ns),
        "avg_px": last.avg_px,
        "reason": last.reason,
        "check_failures": [
            {
                "check": failure.ord_rej_reason.name,
                "scope": failure.scope,
                "limit": failure.risk_limit,
                "value": failure.value,
            }
            for failure in last.check_failures
        ],
    }
