"""One service as a real process: started, waited for, watched, stopped."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aetherion.client import ServiceError
from aetherion.client.channel import Channel

_STOP_TIMEOUT_S = 5.0
_POLL_S = 0.02
_PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """How a service is started."""

    name: str  # "Trading Service"
    binary: Path
    address: str
    environment: Mapping[str, str]  # on top of our own
    log: Path


class ServiceProcess:
    """A running service. `start` returns one that answers; `stop` leaves none behind."""

    def __init__(self, spec: ServiceSpec, process: Process) -> None:
        self.spec = spec
        self._process = process

    @classmethod
    async def start(cls, spec: ServiceSpec, timeout_s: float) -> ServiceProcess:
        """Start a service and wait until its health says that it serves.

        Raises:
            ServiceError: no binary, it ended at once, or it did not serve in time.
        """
        if not os.access(spec.binary, os.X_OK):
            raise ServiceError(
                f"{spec.name}: no program {spec.binary}; run make build, "
                "or set AETHERION_CLIENT_BIN_DIR"
            )
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        with spec.log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                spec.binary,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **spec.environment},
                start_new_session=True,  # Ctrl-C is for us; we stop it when we are done
                preexec_fn=_die_with_parent,
            )
        service = cls(spec, process)
        try:
            await service._wait_until_serving(timeout_s)
        except BaseException:
            await service.stop()
            raise
        return service

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    async def ended(self, timeout_s: float | None = None) -> str | None:
        """Wait until the process ends and return how, in words; None when it still runs then."""
        try:
            async with asyncio.timeout(timeout_s):
                code = await self._process.wait()
        except TimeoutError:
            return None
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}{self._last_words()}"

    async def stop(self) -> None:
        """SIGTERM, after a while SIGKILL; returns when the process is gone."""
        if not self.running:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _wait_until_serving(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s), self._channel() as channel:
                while not await channel.is_serving():
                    if not self.running:
                        how = await self.ended()
                        raise ServiceError(f"{self.spec.name}: {how}; log: {self.spec.log}")
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise ServiceError(
                f"{self.spec.name} at {self.spec.address}: not serving within {timeout_s:g} s"
                f"{self._last_words()}; log: {self.spec.log}"
            ) from None

    def _channel(self) -> Channel:
        return Channel(self.spec.name, self.spec.address, timeout_s=1.0)

    def _last_words(self) -> str:
        lines = self.spec.log.read_text(errors="replace").strip().splitlines()
        return f": {lines[-1][:500]}" if lines else ""


def _die_with_parent() -> None:
    """In the child: be stopped by the kernel if we are killed without a chance to stop it."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
