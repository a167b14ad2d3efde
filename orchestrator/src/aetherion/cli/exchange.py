"""The simulated venue as a process of its own, in this terminal until Ctrl-C."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from aetherion.config import load_settings
from aetherion.errors import AetherionError


def exchange(
    listen: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1:7410",
    instruments: Annotated[
        Path | None, typer.Option(help="JSON file of the instruments; two of our own without.")
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="Folder of the durable log; nothing is kept without.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of latencies, flow and faults.")] = 1,
    latency: Annotated[
        str, typer.Option(help="In each direction: 2ms, or log-normal 2ms~0.5.")
    ] = "0s",
    flow: Annotated[
        bool, typer.Option("--flow", help="Let a synthetic flow of orders trade.")
    ] = False,
    faults: Annotated[
        Path | None, typer.Option(help="File with a plan of faults, one a line.")
    ] = None,
    fault_rates: Annotated[
        str, typer.Option(help="Random faults, like drop=0.01,delay=0.05.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Say that it is ready in JSON.")] = False,
) -> None:
    """Run a simulated venue."""
    program = load_settings().bin_dir / "aetherion-exchange"
    if not os.access(program, os.X_OK):
        raise AetherionError(f"no program {program}; run make build")
    flags = [f"--listen={listen}", f"--seed={seed}", f"--latency={latency}"]
    flags += [f"--instruments={instruments}"] if instruments else []
    flags += [f"--log={log}"] if log else []
    flags += ["--flow"] if flow else []
    flags += [f"--faults={faults}"] if faults else []
    flags += [f"--fault-rates={fault_rates}"] if fault_rates else []
    flags += ["--json"] if as_json else []
    os.execv(program, [program.name, *flags])  # so that a signal to this process reaches the venue
