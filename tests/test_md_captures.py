"""Every capture of Binance and Coinbase decodes, and books are what the venue itself quotes."""

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
def counts(shared: Path) -> dict[str, dict[str, Any]]:
    """Return what the check of all captures counted."""
    command = [str(COMMAND), "-data", str(shared / "data"), "-check"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {capture["capture"]: capture for capture in json.loads(output)}


@pytest.mark.parametrize("capture", EXPECTED)
def test_capture(counts: dict[str, dict[str, Any]], capture: str) -> None:
    """No error, no gap, and the best bid and ask of each sampled state are the venue's."""
    found = counts[capture]
    print(found)
    messages, states, equal = EXPECTED[capture]
    assert (found["errors"], found["gaps"]) == (0, 0), found.get("last_error")
    assert found["messages"] == messages
    assert (found["states"], found["equal"]) == (states, equal)
    assert found["sampled"] == found["sampled_equal"] == states // 5
    assert found["live"] > 0
