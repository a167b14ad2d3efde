"""Captures of venues decode without an error, and books are what the venue itself says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

COMMAND = Path(__file__).parent.parent / "bin" / "bench-md"

# Messages, and states of a book whose quote by the venue is known. Spot's ticker leaves out two
# short-lived changes in a burst of trades; the quotes before and after them agree.
EXPECTED = {
    "binance_usdm": (93_954, 6_544, 6_544),
    "binance_spot": (99_574, 6_492, 6_490),
    "binance_coinm": (98_386, 44_769, 44_769),
    "binance_many": (269, 141, 141),
    "coinbase_many": (6_641, 0, 0),
}


@pytest.fixture(scope="module")
def checked(shared: Path) -> dict[str, Any]:
    """Return what the check of all captures counted."""
    command = [str(COMMAND), "-data", str(shared / "data"), "-check"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result: dict[str, Any] = json.loads(output)
    return result


@pytest.mark.parametrize("capture", EXPECTED)
def test_capture(checked: dict[str, Any], capture: str) -> None:
    """No error, no gap, and the best bid and ask of each sampled state are the venue's."""
    found = next(counts for counts in checked["captures"] if counts["capture"] == capture)
    print(found)
    messages, states, equal = EXPECTED[capture]
    assert (found["errors"], found["gaps"]) == (0, 0), found.get("last_error")
    assert found["messages"] == messages
    assert (found["states"], found["equal"]) == (states, equal)
    assert found["sampled"] == found["sampled_equal"] == states // 5
    assert found["live"] > 0


def test_orders(checked: dict[str, Any]) -> None:
    """Bitstamp's log of orders starts without a snapshot: 213 events are of orders before it.

    Its own books are sent a moment apart from the events, so that a few differ.
    """
    found = checked["orders"]
    print(found)
    assert (found["events"], found["errors"], found["unknown"]) == (50_414, 0, 213)
    assert found["live"] == 184
    assert (found["books"], found["equal"]) == (4_961, 4_920)
