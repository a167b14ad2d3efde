"""What happened in a run, as it happens; the live view reads it, the result is made of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from aetherion.account import AccountState
from aetherion.backtest.result import DayEnd, Fill, Rejection
from aetherion.client import BacktestStarted, ProtocolError
from aetherion.order import (
    CommandAck,
    ExecType,
    ExecutionReport,
    OrdRejReason,
    RejectedBy,
)
from aetherion.strategy import Host


class Recorder:
    """Collects fills, rejections and day ends; its lists only grow."""

    def __init__(self, started: BacktestStarted, host: Host, notice: Callable[[str], None]) -> None:
        self.started = started
        self.rows = 0
        self.first_time_ns = 0
        self.orders = 0
        self.fills: list[Fill] = []
        self.rejections: list[Rejection] = []
        self.days: list[DayEnd] = []
        self._host = host
        self._notice = notice
        self._risk_available = True

    @property
    def now_ns(self) -> int:
        """The run's own time."""
        return self._host.clock.now_ns

    @property
    def cash(self) -> Decimal:
        """Cash now."""
        return self._host.portfolio.cash

    @property
    def equity(self) -> Decimal | None:
        """Equity at the last prices; None when one is missing."""
        return self._host.portfolio.equity

    @property
    def positions(self) -> dict[str, Decimal]:
        """Instruments held now."""
        return self._host.portfolio.positions

    def report(self, report: ExecutionReport) -> None:
        """Something happened to an order."""
        if report.exec_type is ExecType.TRADE:
            self.fills.append(_fill(report))
        elif report.exec_type in (ExecType.REJECTED, ExecType.CANCEL_REJECTED):
            self.rejections.append(_rejection(report))
        self._watch_risk(report)

    def ack(self, ack: CommandAck) -> None:
        """A command has its outcome."""
        for order in ack.list_acks or (ack,):
            if order.exec_type in (ExecType.PENDING_NEW, ExecType.SUSPENDED, ExecType.REJECTED):
                self.orders += 1

    def day_end(self, account: AccountState) -> DayEnd:
        """A day is over; its account must be what the fills add up to.

        Raises:
            ProtocolError: it is not.
        """
        portfolio = self._host.portfolio
        positions = {p.instrument_id: p.net_qty for p in account.positions if p.net_qty}
        if positions != portfolio.positions or account.cash != portfolio.cash:
            raise ProtocolError(
                f"account {account.account} at sequence {account.sequence}: must be what its fills "
                f"add up to, {portfolio.positions} and {portfolio.cash} {account.base_currency}, "
                f"got {positions} and {account.cash}"
            )
        marks = {i: portfolio.mark(i) for i in sorted(self._host.last_rows)}
        values = {i: portfolio.market_value(i) for i in sorted(positions)}
        day = DayEnd(
            transact_time_ns=self.now_ns,
            date=self._host.clock.today.isoformat(),
            cash=account.cash,
            equity=None if account.equity is None else account.equity.amount,
            fees=sum((p.fees.amount for p in account.positions), Decimal(0)),
            realized_pnl=sum((p.realized_pnl.amount for p in account.positions), Decimal(0)),
            positions=dict(sorted(positions.items())),
            marks={i: mark for i, mark in marks.items() if mark is not None},
            exposures={i: float(value) for i, value in values.items() if value is not None},
        )
        self.days.append(day)
        return day

    def _watch_risk(self, report: ExecutionReport) -> None:
        unavailable = report.ord_rej_reason is OrdRejReason.RISK_UNAVAILABLE
        when = datetime.fromtimestamp(report.transact_time_ns / 1e9, UTC).strftime("%F %T")
        if unavailable and self._risk_available:
            self._risk_available = False
            self._notice(f"{when}: RISK_UNAVAILABLE: orders are rejected until risk answers again")
        elif report.exec_type is ExecType.PENDING_NEW and not self._risk_available:
            self._risk_available = True
            self._notice(f"{when}: risk answers again: orders are accepted")


def _fill(report: ExecutionReport) -> Fill:
    commission = report.commission
    return Fill(
        sequence=report.sequence,
        transact_time_ns=report.transact_time_ns,
        exec_id=report.exec_id,
        order_id=report.order_id,
        cl_ord_id=report.cl_ord_id,
        instrument_id=report.instrument_id,
        side=report.side.name,
        last_qty=report.last_qty,
        last_px=report.last_px,
        liquidity=report.last_liquidity_ind.name if report.last_liquidity_ind else "",
        commission=Decimal(0) if commission is None else commission.amount,
        currency="" if commission is None else commission.currency,
    )


def _rejection(report: ExecutionReport) -> Rejection:
    return Rejection(
        transact_time_ns=report.transact_time_ns,
        cl_ord_id=report.cl_ord_id,
        instrument_id=report.instrument_id,
        reason=report.reason,
        rejected_by=RejectedBy(report.rejected_by).name,
        text=report.text,
    )
