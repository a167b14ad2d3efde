"""Play a script of orders against a recorded book in hftbacktest and print the fills as CSV.

The same files in and the same lines out as `queue-fills` of trading/cmd, which it is compared with.
It runs in an environment of its own (`make test-cross` makes it), whose numpy is older than ours.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_CLEAR_EVENT,
    DEPTH_EVENT,
    DEPTH_SNAPSHOT_EVENT,
    EXCH_EVENT,
    FILLED,
    GTC,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
    event_dtype,
)
from numba import njit

BOTH = EXCH_EVENT | LOCAL_EVENT
SIDES = {"B": BUY_EVENT, "A": SELL_EVENT, "S": SELL_EVENT}


def read(path: Path) -> list[dict[str, str]]:
    """Return the lines of a CSV file."""
    with path.open() as file:
        return list(csv.DictReader(file))


def events(book: Path, trades: Path) -> Any:
    """Return levels from the snapshot on and trades, in the exchange's time, levels first."""
    rows: list[tuple[int, int, float, float]] = []
    snapshot = 0
    for line in read(book):
        time, update = int(line["ts_event_ns"]), int(line["last_update_id"])
        kind = DEPTH_EVENT
        if line["is_snapshot"] == "1":
            kind = DEPTH_SNAPSHOT_EVENT
            if update != snapshot:
                snapshot = update
                rows.append((time, BOTH | DEPTH_CLEAR_EVENT, 0.0, 0.0))
        if snapshot and update >= snapshot:
            ev = BOTH | kind | SIDES[line["side"]]
            rows.append((time, ev, float(line["price"]), float(line["size"])))
    rows += [
        (
            int(line["ts_event_ns"]),
            BOTH | TRADE_EVENT | SIDES[line["aggressor"]],
            float(line["price"]),
            float(line["size"]),
        )
        for line in read(trades)
    ]
    rows.sort(key=lambda row: row[0])
    table = np.zeros(len(rows), event_dtype)
    table["ev"] = [row[1] for row in rows]
    table["exch_ts"] = table["local_ts"] = [row[0] for row in rows]
    table["px"] = [row[2] for row in rows]
    table["qty"] = [row[3] for row in rows]
    return table


@njit  # type: ignore[untyped-decorator]
def play(hbt: Any, commands: Any, out: Any) -> int:
    """Send every command at its time; `out` gets what became of each order, by its id."""
    hbt.elapse(0)  # its clock starts with the first row
    for i in range(len(commands)):
        c = commands[i]
        wait = c.now - hbt.current_timestamp
        if wait > 0 and hbt.elapse(wait) != 0:
            return i
        if c.action == 0:
            hbt.cancel(0, c.id, False)
        elif c.action > 0:
            hbt.submit_buy_order(0, c.id, c.px, c.qty, GTC, LIMIT, False)
        else:
            hbt.submit_sell_order(0, c.id, c.px, c.qty, GTC, LIMIT, False)
    while hbt.elapse(1_000_000_000) == 0:
        pass
    values = hbt.orders(0).values()
    while values.has_next():
        order = values.get()
        if order.status == FILLED:
            out[order.order_id].time = order.exch_timestamp
            out[order.order_id].px = order.exec_price_tick
            out[order.order_id].maker = order.arr[0].maker
    return len(commands)


COMMAND = np.dtype([("now", "i8"), ("id", "u8"), ("action", "i8"), ("px", "f8"), ("qty", "f8")])
OUTCOME = np.dtype([("time", "i8"), ("px", "i8"), ("maker", "i8")])


def commands(path: Path) -> Any:
    """Return the script; the action is the side's sign, 0 to cancel."""
    lines = read(path)
    table = np.zeros(len(lines), COMMAND)
    for row, line in zip(table, lines, strict=True):
        row["now"], row["id"] = int(line["decided_ns"]), int(line["order_id"])
        if line["action"] == "new":
            row["action"] = 1 if line["side"] == "B" else -1
            row["px"], row["qty"] = float(line["price"]), float(line["size"])
    return table


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("book", "trades", "orders"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--model", action="append", choices=["risk-averse", "log", "power"])
    parser.add_argument("--latency", type=int, default=0, help="ns, of orders and of responses")
    parser.add_argument("--tick", type=float, default=0.01)
    parser.add_argument("--lot", type=float, default=0.001)
    o = parser.parse_args()
    data, script = events(o.book, o.trades), commands(o.orders)
    print("model,order_id,transact_time_ns,last_px,maker")
    for model in o.model:
        asset = (
            BacktestAsset()
            .data(data)
            .linear_asset(1.0)
            .constant_order_latency(o.latency, o.latency)
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0, 0.0)
            .tick_size(o.tick)
            .lot_size(o.lot)
        )
        {
            "risk-averse": asset.risk_adverse_queue_model,
            "log": asset.log_prob_queue_model2,
            "power": lambda asset=asset: asset.power_prob_queue_model(3.0),
        }[model]()
        out = np.zeros(int(script["id"].max()) + 1, OUTCOME)
        done = play(HashMapMarketDepthBacktest([asset]), script, out)
        if done != len(script):
            raise SystemExit(f"the data ended at command {done} of {len(script)}")
        for order_id in np.flatnonzero(out["time"]):
            row = out[order_id]
            print(f"{model},{order_id},{row['time']},{row['px']},{bool(row['maker'])}".lower())


if __name__ == "__main__":
    main()
