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
    broken = False
    # Output of tests that still run, by package and test; a package's own has no test.
    output: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        event = parse(line)
        if event is None:
            # Not of the test runner: the compiler, or go itself.
            out.write(line)
            continue
        action = event["Action"]
        # A build that fails is an event of an import path and not of a package.
        package = event.get("Package") or event.get("ImportPath", "")
        test = event.get("Test", "")
        key = (package, test)
        if action in ("output", "build-output"):
            output.setdefault(key, []).append(event.get("Output", ""))
        elif action == "build-fail":
            broken = True
            out.writelines(output.pop(key, []))
        elif action in VERDICTS:
            text = output.pop(key, [])
            if test:
                counts[action] += 1
                # A subtest counts, and so does the test that holds it.
                if action == "fail":
                    out.writelines(text)
            else:
                broken = broken or action == "fail"
                out.writelines(text if action == "fail" else text[-1:])
    for text in output.values():
        # Tests that never ended: the process died.
        out.writelines(text)
        broken = True
    ran = counts["pass"] + counts["fail"]
    summary = f"{counts['pass']} passed, {counts['fail']} failed"
    out.write(summary + (f", {counts['skip']} skipped" if counts["skip"] else "") + "\n")
    return 1 if broken or counts["fail"] or not ran else 0


def parse(line: str) -> dict[str, str] | None:
    """Return the event that a line holds, None when it is no event."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "Action" in event else None


if __name__ == "__main__":
    sys.exit(main(sys.stdin, sys.stdout))
