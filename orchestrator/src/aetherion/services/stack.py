"""Both services on free ports of this machine, for one run."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aetherion.config import Settings
from aetherion.services.process import ServiceProcess, ServiceSpec


@dataclass(frozen=True, slots=True)
class Stack:
    """The two services, running."""

    trading: ServiceProcess
    risk: ServiceProcess


@asynccontextmanager
async def running_services(
    settings: Settings,
    data_dir: Path,
    log_dir: Path,
    notice: Callable[[str], None],
    live: Mapping[str, str] | None = None,
) -> AsyncIterator[Stack]:
    """Start the Risk and the Trading Service; stop both on the way out, whatever happens.

    Args:
        live: what the live session of the Trading Service is set to; without it has no market.
        notice: is told at once when the Risk Service ends by itself: the run goes on without.

    Raises:
        ServiceError: one cannot be started.
    """
    risk, trading = _specs(settings.bin_dir, data_dir, log_dir, live or {})
    async with _running(risk, settings.start_timeout_s) as risk_process:
        watch = asyncio.create_task(_watch(risk_process, notice))
        try:
            async with _running(trading, settings.start_timeout_s) as trading_process:
                yield Stack(trading_process, risk_process)
        finally:
            watch.cancel()


def _specs(
    bin_dir: Path, data_dir: Path, log_dir: Path, live: Mapping[str, str]
) -> tuple[ServiceSpec, ServiceSpec]:
    """Return how to start the Risk and then the Trading Service."""
    risk_address, trading_address = free_addresses(2)
    risk = risk_spec(bin_dir, risk_address, log_dir)
    trading = ServiceSpec(
        name="Trading Service",
        binary=(bin_dir / "aetherion-trading").resolve(),
        address=trading_address,
        environment={
            "AETHERION_TRADING_LISTEN": trading_address,
            "AETHERION_TRADING_UNIX_SOCKET": "",
            "AETHERION_TRADING_RISK_ADDRESS": risk_address,
            "AETHERION_TRADING_DATA_DIR": str(data_dir.resolve()),
            "AETHERION_TRADING_REPLAY_DATA_SET": "",
            "AETHERION_TRADING_SYNTHETIC": "false",
            **live,
        },
        log=log_dir / "trading.log",
    )
    return risk, trading


def risk_spec(bin_dir: Path, address: str, log_dir: Path) -> ServiceSpec:
    """Return how to start a Risk Service at an address."""
    return ServiceSpec(
        name="Risk Service",
        binary=(bin_dir / "aetherion-risk").resolve(),
        address=address,
        environment={"AETHERION_RISK_LISTEN": address, "AETHERION_RISK_UNIX_SOCKET": ""},
        log=log_dir / "risk.log",
    )


@asynccontextmanager
async def _running(spec: ServiceSpec, timeout_s: float) -> AsyncIterator[ServiceProcess]:
    service = await ServiceProcess.start(spec, timeout_s)
    try:
        yield service
    finally:
        # Shielded: a cancel that comes while it stops must not leave it running.
        await asyncio.shield(service.stop())


async def _watch(risk: ServiceProcess, notice: Callable[[str], None]) -> None:
    how = await risk.ended()
    variables = " ".join(f"{k}={v}" for k, v in risk.spec.environment.items())
    notice(
        f"{risk.spec.name} {how}: orders are rejected until it is back; "
        f"start it again with: {variables} {risk.spec.binary}"
    )


def free_addresses(count: int) -> list[str]:
    """Return addresses of loopback ports that nobody listens on, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{listener.getsockname()[1]}" for listener in sockets]
