"""Starts the services as processes of their own, on ports of their own, and can kill them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

ROOT = Path(__file__).parent.parent
BIN = ROOT / "bin"
AETHERION = Path(sys.executable).with_name("aetherion")
START_TIMEOUT_S = 20.0


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment(**settings: str) -> dict[str, str]:
    """Return this environment without any AETHERION_ setting, plus those given."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AETHERION_")}
    return kept | settings


class Service:
    """One service process. `with` starts it, waits until it is healthy, and stops it."""

    def __init__(self, program: str, folder: Path, address: str, settings: dict[str, str]) -> None:
        self.program = program
        self.folder = folder
        self.address = address
        self.settings = settings
        self.log = folder / f"{Path(program).name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.arguments: tuple[str, ...] = ()

    def start(self) -> None:
        """Start the process and wait until its health service says SERVING."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [BIN / self.program, *self.arguments],
                cwd=self.folder,
                env=clean_environment(**self.settings),
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.healthy():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.program} did not start:\n{self.log.read_text()}")
            time.sleep(0.05)

    def healthy(self) -> bool:
        """Ask the health service once."""
        with grpc.insecure_channel(self.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
            except grpc.RpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def running(self) -> bool:
        """Return whether the process has not ended."""
        return self.process is not None and self.process.poll() is None

    def was_killed(self) -> bool:
        """Return whether the process was ended by SIGKILL."""
        return self.process is not None and self.process.poll() == -signal.SIGKILL

    def kill(self) -> None:
        """End the process as a crash would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> None:
        """Stop the process where it is; its connections stay."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the process go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """Ask the process to stop and return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10.0)

    def __enter__(self) -> Service:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def risk_service(folder: Path, port: int) -> Service:
    """Return a Risk Service that listens on a port."""
    address = f"127.0.0.1:{port}"
    return Service("aetherion-risk", folder, address, {"AETHERION_RISK_LISTEN": address})


def trading_service(folder: Path, port: int, risk: str, **settings: str) -> Service:
    """Return a Trading Service that listens on a port and asks the risk address given."""
    address = f"127.0.0.1:{port}"
    settings = {
        "AETHERION_TRADING_LISTEN": address,
        "AETHERION_TRADING_RISK_ADDRESS": risk,
    } | settings
    return Service("aetherion-trading", folder, address, settings)


def exchange_service(folder: Path, port: int, *options: str) -> Service:
    """Return a simulated exchange that listens on a port and keeps its log in the folder."""
    address = f"127.0.0.1:{port}"
    service = Service("aetherion-exchange", folder, address, {})
    service.arguments = (f"--listen={address}", f"--log={folder / 'venue'}", *options)
    return service


def aetherion(
    *arguments: str, folder: Path, timeout_s: float = 120.0, settings: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder, as a user would."""
    return subprocess.run(
        [AETHERION, *arguments],
        cwd=folder,
        env=client_environment(folder) | (settings or {}),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def client_environment(folder: Path) -> dict[str, str]:
    """Return the environment of a command that keeps its data and results in a folder."""
    return clean_environment(
        AETHERION_CLIENT_BIN_DIR=str(BIN),
        AETHERION_CLIENT_DATA_DIR=str(folder / "data"),
        AETHERION_CLIENT_RUNS_DIR=str(folder / "runs"),
    )


def services_of(folder: Path) -> dict[str, int]:
    """Return the process ids of the services that write their logs below a folder, by program."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            program = (entry / "exe").readlink().name
            output = (entry / "fd" / "2").readlink()
        except OSError:
            continue
        if program in ("aetherion-trading", "aetherion-risk") and output.is_relative_to(folder):
            found[program] = int(entry.name)
    return found
