"""Read `go test -json` from standard input: print what failed, each package, and the count."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from typing import TextIO

VERDICTS = ("pass", "fail", "skip")


def main(lines: Iterable[str], out: TextIO) -> int:
    """Return the exit status: 0 only when some test ran and none failed."""
    counts: Counter[str] = Counter()
    failed: set[str] = set()  # packages in which a test failed
    # What tests and packages that still run have written; a package's own text has no test.
    output: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        event = parse(line)
        if event is None:
            out.write(line)  # of the go command itself
            continue
        action, test = event["Action"], event.get("Test", "")
        # A build that fails is an event of an import path and not of a package.
        package = event.get("Package") or event.get("ImportPath", "")
        if action in ("output", "build-output"):
            output.setdefault((package, test), []).append(event.get("Output", ""))
        elif action == "build-fail":
            out.writelines(output.pop((package, test), []))
        elif action in VERDICTS:
            text = output.pop((package, test), [])
            out.writelines(text if action == "fail" else [] if test else text[-1:])
            # A package that fails without a test of its own (no build, or it died) counts as one.
            if test or (action == "fail" and package not in failed):
                counts[action] += 1
            if action == "fail":
                failed.add(package)
    for text in output.values():
        out.writelines(text)  # of tests that never ended
    summary = f"{counts['pass']} passed, {counts['fail']} failed"
    out.write(summary + (f", {counts['skip']} skipped" if counts["skip"] else "") + "\n")
    return 1 if output or counts["fail"] or not counts["pass"] else 0


def parse(line: str) -> dict[str, str] | None:
    """Return the event that a line holds, None when it is no event."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "Action" in event else None


if __name__ == "__main__":
    sys.exit(main(sys.stdin, sys.stdout))
