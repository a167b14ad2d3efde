"""Builds of the Trading Service with one defect each, which the chaos run must find.

They test the test: a harness that passes a service which acknowledges too early finds nothing.
`go build -overlay` puts the defect in; the sources stay as they are.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from processes import ROOT

TRADING = ROOT / "trading"


@dataclass(frozen=True)
class Mutant:
    """One defect in one source file."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]  # what stands there once, and what is there instead
    shows: str  # in what the chaos run says, a regular expression

    def overlay(self, folder: Path) -> Path:
        """Write what puts the defect into a build of Go."""
        source = TRADING / self.file
        content = source.read_text()
        for old, new in self.changes:
            assert content.count(old) == 1, f"{self.name}: {self.file} has changed, mend it"
            content = content.replace(old, new)
        mutated = folder / f"{self.name}.go"
        mutated.write_text(content)
        overlay = folder / f"{self.name}.json"
        overlay.write_text(json.dumps({"Replace": {str(source): str(mutated)}}))
        return overlay

    def build(self, folder: Path) -> Path:
        """Build the service with the defect and return the program."""
        program = folder / f"aetherion-trading-{self.name}"
        command = ["go", "build", "-tags", "failpoints", "-overlay", str(self.overlay(folder))]
        command += ["-o", str(program), "./cmd/aetherion-trading"]
        subprocess.run(command, cwd=TRADING, check=True)
        return program


MUTANTS = (
    Mutant(
        "acknowledges-before-the-journal",
        "internal/sequencer/sequencer.go",
        (
            (
                "type Sequencer struct {",
                "type Sequencer struct {\n\tlaterFirst uint64\n\tlater [][]byte",
            ),
            (
                "	if err := s.journal.Append(s.first, s.encoded); err != nil {",
                """	first, encoded := s.laterFirst, s.later
	s.laterFirst, s.later = s.first, nil
	for _, event := range s.encoded {
		s.later = append(s.later, append([]byte(nil), event...))
	}
	if first == 0 {
		return nil
	}
	if err := s.journal.Append(first, encoded); err != nil {""",
            ),
        ),
        "is lost|has what we do not|was acknowledged",
    ),
    Mutant(
        "counts-a-fill-twice",
        "internal/engine/execution.go",
        (
            (
                """; seen {
		return ErrNothingNew
	}
	if err := order.checkTraded(report)""",
                """; seen {
		report.ExecID += "-again"
	}
	if err := order.checkTraded(report)""",
            ),
        ),
        "the venue says|not the venue's|the venue has|has what we do not",
    ),
    Mutant(
        "releases-holds-at-once",
        "internal/engine/order.go",
        (
            (
                "	if e.index(order); order.held {",
                """	release := &PretradeRelease{OrderID: order.OrderID}
	effects.tell(event, PretradeEvent{Release: release})
	if e.index(order); order.held {""",
            ),
        ),
        "the limit is|, limit ",
    ),
    Mutant(
        "sends-an-order-in-doubt-anew",
        "internal/venue/remote/remote.go",
        (
            (
                "	again.doubted, again.sent = true, time.Now()",
                """	again.doubted, again.sent = true, time.Now()
	again.message.GetNewOrder().ClOrdId += "-anew\"""",
            ),
        ),
        "at the venue twice",
    ),
    Mutant(
        "forgets-a-drawdown-latch",
        "internal/live/session.go",
        ((", Recovered: recovered.gate}", "}"),),
        "the drawdown latch was forgotten",
    ),
)
