"""Decoding real venues' market data into books, beside encoding/json of the same bytes.

Run by `make bench-md`; the captures are in the folder of shared data beside the repository.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from results import Row, row, write

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
ROUNDS = 9
GOAL_LEVELS_PER_S = 1e6
NAMES = {
    "binance_usdm": "Binance USD-M",
    "binance_spot": "Binance spot",
    "binance_coinm": "Binance COIN-M",
    "coinbase_many": "Coinbase",
}


def rows_of(figures: dict[str, Any]) -> list[Row]:
    """Return time a message beside the parse, and level updates a second beside the goal."""
    name, levels = NAMES[figures["capture"]], figures["level_updates"]
    each = 1e3 * figures["messages"]
    ours = [ns / each for ns in figures["decode_and_book_ns"]]
    parse = [ns / each for ns in figures["encoding_json_ns"]]
    goals = [GOAL_LEVELS_PER_S] * ROUNDS
    rates = [levels / (ns / 1e9) for ns in figures["decode_and_book_ns"]]
    alone = [levels / (ns / 1e9) for ns in figures["book_alone_ns"]]
    return [
        row(f"{name}: decode and book update a message", "us", ours, "encoding/json", parse),
        row(f"{name}: level updates, decoded", "1/s", rates, "goal", goals),
        row(f"{name}: level updates, book alone", "1/s", alone, "goal", goals),
    ]


def main() -> None:
    """Measure and write the results."""
    command = [str(ROOT / "bin" / "bench-md"), "-data", str(DATA), "-rounds", str(ROUNDS)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    write(
        "md",
        "Market data of venues",
        "make bench-md",
        [measured for figures in json.loads(output) for measured in rows_of(figures)],
        "Recorded messages that change books, one core. encoding/json parses the same bytes into a "
        "struct and leaves the numbers text.",
    )


if __name__ == "__main__":
    main()
