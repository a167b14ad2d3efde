"""A client in a process of its own, which is killed too: its log says what it was acknowledged.

A name is in the log before it is sent, and an acknowledgement as soon as it is heard. A client that
starts on a log sends again, under the same names, what was not acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from aetherion.client import ServiceError, TradingClient
from aetherion.order import CommandAck, ExecType, NewOrder, OrdRejReason, Side
from processes import clean_environment

PAUSE_S = 0.05  # between two messages


class ChaosError(AssertionError):
    """Something was lost, doubled, beyond a limit or forgotten."""


@dataclass(frozen=True)
class Acknowledged:
    """What a client may rely on."""

    order_id: int
    exec_type: ExecType
    ord_rej_reason: OrdRejReason


class Log:
    """What a client sent and was told, whoever it was."""

    def __init__(self, path: Path, account: str, instrument_id: str) -> None:
        self.path = path
        self.end = path.with_suffix(".end")  # once it is there, no more is sent
        self.account = account
        self.instrument_id = instrument_id

    def read(self) -> tuple[dict[str, NewOrder], dict[str, Acknowledged]]:
        """Return all orders that were sent, and what was heard of them.

        Raises:
            ChaosError: a name has two acknowledgements that differ.
        """
        sent: dict[str, NewOrder] = {}
        told: dict[str, Acknowledged] = {}
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            kind, name, *rest = line.split()
            if kind == "sent":
                side, qty, price = Side[rest[0]], Decimal(rest[1]), Decimal(rest[2])
                sent[name] = NewOrder(name, self.account, self.instrument_id, side, qty, price)
                continue
            ack = Acknowledged(int(rest[0]), ExecType[rest[1]], OrdRejReason[rest[2]])
            if told.setdefault(name, ack) != ack:
                raise ChaosError(f"order {name} was acknowledged as {told[name]}, and as {ack}")
        return sent, told

    def waiting(self) -> list[NewOrder]:
        """Return what was sent and not acknowledged."""
        sent, told = self.read()
        return [order for name, order in sent.items() if name not in told]


class Client:
    """The process, as the harness sees it."""

    def __init__(self, log: Log, address: str, mid: Decimal) -> None:
        self.log = log
        self._arguments = [str(log.path), log.account, log.instrument_id, address, str(mid)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start where the log ends."""
        command = [sys.executable, __file__, *self._arguments]
        self._process = subprocess.Popen(command, env=clean_environment())

    def kill_in_flight(self) -> int:
        """Kill it if it waits for answers; return for how many."""
        self.signal(signal.SIGSTOP)
        waiting = len(self.log.waiting())
        self.signal(signal.SIGKILL if waiting else signal.SIGCONT)
        if waiting and self._process is not None:
            self._process.wait()
        return waiting

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def finish(self, timeout_s: float) -> None:
        """Let it wait for its last answers and end."""
        assert self._process is not None
        self.log.end.touch()
        if self._process.wait(timeout_s) != 0:
            raise ChaosError("the client failed")

    def __enter__(self) -> Client:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


async def trade(log: Log, address: str, mid: Decimal) -> None:
    """Send orders until the log is to end, then wait for all answers."""
    file = os.open(log.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    draw = random.Random(len(log.read()[0]))
    number = len(log.read()[0])
    answers: list[asyncio.Future[CommandAck]] = []

    def told(ack: CommandAck) -> None:
        line = f"told {ack.cl_ord_id} {ack.order_id} {ack.exec_type.name} {ack.ord_rej_reason.name}"
        os.write(file, f"{line}\n".encode())

    async with TradingClient(address) as client, client.order_session("chaos-client") as session:
        await _learn(client, log.instrument_id)

        async def send(orders: Iterable[NewOrder]) -> None:
            for answer in await session.send(*orders):
                answer.add_done_callback(lambda done: told(done.result()))
                answers.append(answer)

        if waiting := log.waiting():
            await send(waiting)
        while not log.end.exists():
            orders = []
            for _ in range(draw.randint(1, 6)):
                orders.append(_order(log, f"k{number}", draw, mid))
                number += 1
            lines = (f"sent {o.cl_ord_id} {o.side.name} {o.order_qty} {o.price}\n" for o in orders)
            os.write(file, "".join(lines).encode())
            await send(orders)
            await asyncio.sleep(PAUSE_S)
        await asyncio.gather(*answers)


def _order(log: Log, name: str, draw: random.Random, mid: Decimal) -> NewOrder:
    side = draw.choice((Side.BUY, Side.SELL))
    away = Decimal(draw.randint(1, 60)) / 10_000
    price = mid * (1 - away if side is Side.BUY else 1 + away)
    qty = Decimal(draw.randint(1, 5)).scaleb(-3)
    return NewOrder(name, log.account, log.instrument_id, side, qty, price.quantize(Decimal(1)))


async def _learn(client: TradingClient, instrument_id: str) -> None:
    """Wait for the service, which may be dead, until it tells what is traded."""
    while True:
        try:
            return await client.learn([instrument_id])
        except ServiceError:
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    path, account, instrument_id, address, mid = sys.argv[1:]
    asyncio.run(trade(Log(Path(path), account, instrument_id), address, Decimal(mid)))
