"""Assigns the samples of a processor profile of the Trading Service to the stages of an order."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

# The first that has a name in a sample's stack takes it, so what serves all stages comes first.
STAGES: dict[str, tuple[str, ...]] = {
    "garbage collection": ("runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep"),
    "make the next segment": ("journal.writeSpare",),
    "keep snapshots": ("live.(*snapshots)", "journal.(*File).Snapshot"),
    "encode for the journal": ("journal.Encode",),
    "append to the journal": ("journal.(*File).Append", "journal.(*Memory).Append"),
    "ask risk": ("internal/gate.",),
    "validate": ("engine.(*Engine).Validate",),
    "apply": ("engine.(*Engine).Apply",),
    "keep reports": ("live.(*ReportLog)",),
    "sequence": ("internal/sequencer.",),
    "venue": ("internal/venue/", "live.(*replayDesk)", "internal/router."),
    "decode": ("rpc.(*orderStream).receive",),
    "acknowledge": ("internal/rpc.",),
    "gRPC transport": ("grpc/internal/transport.", "google.golang.org/grpc."),
    "scheduler": ("runtime.",),
}
OTHER = "other"
_DURATION = re.compile(r"^\s*(?P<value>[\d.]+)(?P<unit>ms|s|us|ns|mins)\s+(?P<frame>\S+)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "mins": 60.0}


def stages_of(program: Path, profile: Path) -> dict[str, float]:
    """Return the seconds of each stage."""
    traces = subprocess.run(
        ["go", "tool", "pprof", "-traces", program, profile],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    seconds = dict.fromkeys([*STAGES, OTHER], 0.0)
    for block in traces.split("-----------+")[1:]:
        lines = block.splitlines()[1:]
        sample = _DURATION.match(lines[0]) if lines else None
        if sample is not None:
            spent = float(sample["value"]) * _SECONDS[sample["unit"]]
            seconds[_stage(block)] += spent
    return seconds


def _stage(stack: str) -> str:
    for stage, names in STAGES.items():
        if any(name in stack for name in names):
            return stage
    return OTHER
