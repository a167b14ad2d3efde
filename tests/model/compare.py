"""Holds a session against the model: every decision, every report, and what is left at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aetherion.v1 import account_pb2, journal_pb2, order_pb2
from model import validation
from model.engine import Engine
from model.orders import ATTOS, Order
from model.pretrade import Pretrade


@dataclass
class Outcome:
    """What was compared, and what differs."""

    events: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    reports: int = 0
    differences: list[str] = field(default_factory=list)

    def expect(self, where: str, model: object, service: object) -> None:
        """Note a difference."""
        if model != service and len(self.differences) < 20:
            self.differences.append(f"{where}: the model has {model}, the service {service}")


def compare(
    events: Iterable[journal_pb2.JournalEvent],
    reports: Iterable[order_pb2.ExecutionReport],
    account: account_pb2.AccountState,
) -> Outcome:
    """Replay a journal through the model, and hold reports and the account's end against it."""
    by_sequence: dict[int, dict[int, order_pb2.ExecutionReport]] = {}
    outcome = Outcome()
    for report in reports:  # of an order the last of an event
        by_sequence.setdefault(report.sequence, {})[report.order_id] = report
        outcome.reports += 1
    engine = Engine()
    pretrade = Pretrade(engine)
    for event in events:
        if event.sequence > account.sequence:
            break
        outcome.events[str(event.WhichOneof("input"))] += 1
        _compare_decisions(outcome, pretrade, event)
        _tell_of_venue(pretrade, event)
        changed = engine.apply(event)
        pretrade.after(event)
        found = by_sequence.get(event.sequence, {})
        for order_id, report in found.items():
            if order_id:
                _compare_order(outcome, event.sequence, engine.orders[order_id], report)
                _compare_names(outcome, engine.request, engine.orders[order_id], report)
        silent = sorted(changed.keys() - found.keys())
        outcome.expect(f"{event.sequence}: orders that changed without a report", silent, [])
    _compare_account(outcome, engine, account)
    return outcome


Decision = journal_pb2.OrderDecision | journal_pb2.ReplaceDecision


def _compare_decisions(
    outcome: Outcome, pretrade: Pretrade, event: journal_pb2.JournalEvent
) -> None:
    """Compare what was decided: by the engine first, and if it had no objection by risk."""
    decisions = _decisions_of(event)
    if not decisions:
        return
    where = f"{event.sequence}: order"
    faults = _faults(pretrade.engine, event)
    if any(faults):
        for n, (decision, wanted) in enumerate(zip(decisions, faults, strict=True)):
            _compare_refusal(outcome, f"{where} {n}", decision, wanted or {"LIST"})
        return
    for n, (decision, failed) in enumerate(zip(decisions, pretrade.before(event), strict=True)):
        found = [_reason(f.ord_rej_reason) for f in decision.check_failures]
        outcome.expect(f"{where} {n} is approved", failed == [], decision.approved)
        outcome.expect(f"{where} {n} fails", failed, found)
        for reason in failed or ["approved"]:
            outcome.decisions[reason] += 1


def _faults(engine: Engine, event: journal_pb2.JournalEvent) -> list[set[str]]:
    now = event.transact_time_ns
    match event.WhichOneof("input"):
        case "new_order":
            return [validation.of_order(engine, event.new_order.new_order, now)]
        case "new_order_list":
            return validation.of_list(engine, event.new_order_list.new_order_list, now)
        case _:
            return [validation.of_replace(engine, event.replace_order.replace_order)]


def _compare_refusal(outcome: Outcome, where: str, decision: Decision, wanted: set[str]) -> None:
    by_engine = decision.rejected_by == order_pb2.REJECTED_BY_ENGINE
    reason = _reason(decision.ord_rej_reason)
    if isinstance(decision, journal_pb2.ReplaceDecision):
        reason = order_pb2.CxlRejReason.Name(decision.cxl_rej_reason)
        reason = reason.removeprefix("CXL_REJ_REASON_")
    outcome.expect(f"{where} is refused by the engine", not decision.approved, by_engine)
    if by_engine and reason not in wanted:
        outcome.expect(f"{where} is refused for", wanted, reason)
    outcome.decisions[f"engine: {reason}"] += 1


def _decisions_of(event: journal_pb2.JournalEvent) -> Sequence[Decision]:
    match event.WhichOneof("input"):
        case "new_order":
            return [event.new_order]
        case "new_order_list":
            listed = event.new_order_list
            if listed.approved:
                return [journal_pb2.OrderDecision(approved=True)] * len(
                    listed.new_order_list.orders
                )
            return listed.decisions
        case "replace_order":
            return [event.replace_order]
        case _:
            return []


def _reason(value: int) -> str:
    name = order_pb2.OrdRejReason.Name(value)  # type: ignore[arg-type]
    return name.removeprefix("ORD_REJ_REASON_")


def _tell_of_venue(pretrade: Pretrade, event: journal_pb2.JournalEvent) -> None:
    if not event.HasField("venue_report"):
        return
    report = event.venue_report
    order = pretrade.engine.orders.get(report.order_id)
    if order is None:
        return
    known = (report.venue, report.exec_id) in pretrade.engine.fills
    if report.exec_type == order_pb2.EXEC_TYPE_TRADE and not known:
        pretrade.fill(report, order)
    elif report.exec_type == order_pb2.EXEC_TYPE_REJECTED and order.open:
        pretrade.venue_refused(order)


def _compare_order(
    outcome: Outcome, sequence: int, order: Order, report: order_pb2.ExecutionReport
) -> None:
    names = order_pb2.OrdStatus.Name
    outcome.expect(
        f"{sequence}: order {order.order_id} {order.name}",
        (names(order.status), order.cum, order.leaves, order.qty, order.price),  # type: ignore[arg-type]
        (
            names(report.ord_status),
            report.cum_qty,
            report.leaves_qty,
            report.order_qty,
            report.price if report.HasField("price") else None,
        ),
    )


def _compare_names(
    outcome: Outcome, request: str, order: Order, report: order_pb2.ExecutionReport
) -> None:
    """A refused cancel or replace is reported by its own name, everything else by the order's."""
    wanted = order.name
    if report.exec_type == order_pb2.EXEC_TYPE_CANCEL_REJECTED and request:
        wanted = request
        outcome.expect(f"{report.sequence}: {request} is of", order.name, report.orig_cl_ord_id)
    outcome.expect(f"{report.sequence}: name", wanted, report.cl_ord_id)


def _compare_account(outcome: Outcome, engine: Engine, account: account_pb2.AccountState) -> None:
    def attos(money: account_pb2.Money) -> int:
        return money.units * ATTOS + money.attos

    cash = {b.cash.currency: attos(b.cash) for b in account.balances}
    held = {c: amount for (a, c), amount in engine.cash.items() if a == account.account}
    outcome.expect("cash", held, cash)
    for position in account.positions:
        model = engine.holding(account.account, position.instrument_id)
        outcome.expect(
            f"position in {position.instrument_id}",
            (model.qty, model.cost, model.realized, model.fees),
            (
                position.net_qty,
                attos(position.cost),
                attos(position.realized_pnl),
                attos(position.fees),
            ),
        )
