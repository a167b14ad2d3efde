"""What cannot be sent is refused where it is made, by name."""

from __future__ import annotations

from typing import Any

import pytest

from aetherion.client import TradingClient
from aetherion.errors import AetherionError
from aetherion.order import NewOrder, Side


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"side": 9}, "side: must be a Side, got 9"),
        ({"side": "BUY"}, "side: must be a Side, got 'BUY'"),
        ({"time_in_force": "GTC"}, "time_in_force: must be a TimeInForce, got 'GTC'"),
        ({"trailing_bps": -1}, "trailing_bps: must be 0 or more and below 2^63, got -1"),
        ({"expire_time_ns": -1}, "expire_time_ns: must be 0 or more and below 2^63, got -1"),
    ],
)
def test_an_order_of_another_kind_is_refused(changed: dict[str, Any], said: str) -> None:
    fields: dict[str, Any] = {"side": Side.BUY, "order_qty": 1}
    with pytest.raises(AetherionError) as refused:
        NewOrder("o", "A", "AAPL.XNAS", **(fields | changed))
    assert str(refused.value) == said


async def test_a_session_that_never_beats_is_refused() -> None:
    async with TradingClient("127.0.0.1:1") as client:
        with pytest.raises(AetherionError, match=r"heartbeat_interval_s: must be 0.1 to 60, got 0"):
            client.order_session("s", heartbeat_interval_s=0)
