"""The Risk Service that this package asks: connected to, or started, when it is needed."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aetherion.errors import AetherionError

if TYPE_CHECKING:
    from aetherion.client.risk import RiskClient
    from aetherion.services import ServiceProcess

T = TypeVar("T")

# A wait without an end may not hear of Ctrl-C: libraries install handlers that restart it.
_LISTEN_S = 0.05
# A calculation may be long, and Ctrl-C ends it; AETHERION_CLIENT_CALL_TIMEOUT_S sets another.
_CALCULATION_S = 600.0


class Desk:
    """One connection, on an event loop of its own thread, so that notebooks can call it too.

    Without an address it connects to AETHERION_CLIENT_RISK_ADDRESS where that is set, and else
    starts a Risk Service, which it stops when the program ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connecting = asyncio.Lock()  # of the loop's first questions only one connects
        self._loop: asyncio.AbstractEventLoop | None = None
        self._address: str | None = None
        self._client: RiskClient | None = None
        self._service: ServiceProcess | None = None
        self._folder: Path | None = None
        self._pid = 0  # of the process whose thread runs the loop

    @property
    def address(self) -> str | None:
        """Where the service is that was asked last; None before."""
        return self._client.target if self._client else None

    def connect(self, address: str | None) -> None:
        """Ask the service at an address from now on; None: as without."""
        self.close()
        self._address = address

    def ask(
        self, question: Callable[[RiskClient], Coroutine[Any, Any, T]], *, repeatable: bool = True
    ) -> T:
        """Return the answer to a question; Ctrl-C ends it in the service too.

        Of a service started here that went away it is asked once more, unless not repeatable.
        """
        if self._forked:
            raise AetherionError(
                f"risk: process {os.getpid()} was forked after process {self._pid} asked the Risk "
                "Service, and gRPC does not survive a fork; start it by the spawn method"
            )

        async def answer() -> T:
            from aetherion.client import ServiceUnavailableError

            client = await self._connected()
            try:
                return await question(client)
            except ServiceUnavailableError:
                if not (repeatable and await self._gave_up(client)):
                    raise
            return await question(await self._connected())

        return self._wait(answer())

    @property
    def _forked(self) -> bool:
        return self._loop is not None and self._pid != os.getpid()

    def close(self) -> None:
        """Disconnect, and stop the service if it was started here."""
        if self._forked:
            return  # they are the parent's
        if self._loop is not None:
            self._wait(self._close())
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            if self._loop is None:
                self._pid, self._loop = os.getpid(), asyncio.new_event_loop()
                threading.Thread(
                    target=self._loop.run_forever, name="aetherion-risk", daemon=True
                ).start()
                atexit.register(self.close)
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            while not wait([future], _LISTEN_S).done:
                pass
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def _connected(self) -> RiskClient:
        # The client imports the types of this package, so this package cannot import it at once.
        from aetherion.client.risk import RiskClient
        from aetherion.config import load_settings

        async with self._connecting:
            if self._service is not None and not self._service.running:
                await self._close()
            if self._client is None:
                settings = load_settings()
                address = self._address
                if address is None and "risk_address" in settings.model_fields_set:
                    address = settings.risk_address
                if address is None:
                    self._service = await self._started(settings.bin_dir, settings.start_timeout_s)
                    address = self._service.spec.address
                is_set = "call_timeout_s" in settings.model_fields_set
                timeout_s = settings.call_timeout_s if is_set else _CALCULATION_S
                self._client = RiskClient(address, timeout_s=timeout_s)
            return self._client

    async def _gave_up(self, client: RiskClient) -> bool:
        """Whether the lost client was of a service started here; the next call has another."""
        async with self._connecting:
            if self._client is client and self._service is not None:
                await self._close()
                return True
            return self._client is not client and self._address is None

    async def _started(self, bin_dir: Path, timeout_s: float) -> ServiceProcess:
        from aetherion.services import ServiceProcess
        from aetherion.services.stack import free_addresses, risk_spec

        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="aetherion-risk-"))
        (address,) = free_addresses(1)
        return await ServiceProcess.start(risk_spec(bin_dir, address, self._folder), timeout_s)

    async def _close(self) -> None:
        client, self._client = self._client, None
        service, self._service = self._service, None
        if client is not None:
            await client.close()
        if service is not None:
            await service.stop()


DESK = Desk()


def connect(address: str | None = None) -> None:
    """Ask the Risk Service at "host:port" or "unix:path" from now on.

    Without an address: the one of AETHERION_CLIENT_RISK_ADDRESS where that is set, and else one
    that is started when it is needed and stopped when the program ends.
    """
    DESK.connect(address)
