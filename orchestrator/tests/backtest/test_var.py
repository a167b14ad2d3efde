from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from scripted_peer import ScriptedRisk, ScriptedSimulation, peers

from aetherion.backtest.result import DayEnd, RiskUnavailable, VarSeries
from aetherion.backtest.var import MIN_RETURNS, VarDesk, VarSettings, daily_returns
from aetherion.instrument import Instrument, InstrumentClass

A = Instrument("A.X", InstrumentClass.EQUITY, "A", "USD", 2, 0)
B = Instrument("B.X", InstrumentClass.EQUITY, "B", "USD", 2, 0, multiplier=Decimal(10))


def day(n: int, positions: dict[str, int], marks: dict[str, str]) -> DayEnd:
    quantities = {i: Decimal(q) for i, q in positions.items()}
    prices = {i: Decimal(p) for i, p in marks.items()}
    multipliers = {"A.X": 1, "B.X": 10}
    exposures = {i: float(q * prices[i] * multipliers[i]) for i, q in quantities.items()}
    zero = Decimal(0)
    return DayEnd(n, f"day {n}", zero, zero, zero, zero, quantities, prices, exposures)


async def play(
    folder: Path, days: list[DayEnd], risk: ScriptedRisk, notices: list[str] | None = None
) -> tuple[tuple[VarSeries, ...], tuple[RiskUnavailable, ...]]:
    settings = VarSettings(confidence_bp=(9900,), window=30)
    async with peers(folder, ScriptedSimulation([]), risk) as (_, client):
        told = [] if notices is None else notices
        desk = VarDesk(client, (A, B), settings, told.append)
        for each in days:
            await desk.day_end(each)
        return await desk.finish()


def calm(positions: dict[str, int], days: int, **last: str) -> list[DayEnd]:
    """Days of constant prices, A at 10 and B at 20, but for the last day's."""
    made = [day(n, positions, {"A.X": "10", "B.X": "20"}) for n in range(days)]
    made[-1] = day(
        days - 1,
        positions,
        {"A.X": "10", "B.X": "20"} | {k.replace("_", "."): v for k, v in last.items()},
    )
    return made


async def test_forecast_is_judged_by_the_next_day_of_the_same_portfolio(tmp_path: Path) -> None:
    # The portfolio is sold on the last day; what was held the day before is what counts.
    days = calm({"A.X": 3, "B.X": -2}, MIN_RETURNS + 1)
    days.append(day(99, {}, {"A.X": "9", "B.X": "20.5"}))
    series, unavailable = await play(tmp_path, days, ScriptedRisk())
    assert [s.method for s in series] == ["parametric", "historical", "monte_carlo"]
    for s in series:
        assert s.dates == (f"day {MIN_RETURNS}",)
        assert s.pnl.tolist() == [3 * -1.0 + -2 * 0.5 * 10]
        assert s.exceptions.tolist() == [True]  # 13 lost, 10 forecast
        assert (s.judged, s.exception_count) == (1, 1)
    assert unavailable == ()


async def test_loss_equal_to_var_is_no_exception(tmp_path: Path) -> None:
    days = calm({"A.X": 10}, MIN_RETURNS + 2, A_X="9")
    series, _ = await play(tmp_path, days, ScriptedRisk())
    assert series[0].pnl.tolist()[0] == -10.0
    assert series[0].exceptions.tolist() == [False, False]
    assert math.isnan(series[0].pnl[-1])  # nobody knows the day after the last


async def test_request_holds_that_day_s_portfolio_and_returns(tmp_path: Path) -> None:
    days = calm({"A.X": 3, "B.X": -2}, MIN_RETURNS + 1, A_X="11")
    risk = ScriptedRisk()
    await play(tmp_path, days, risk)
    assert len(risk.asked) == 3
    by_method = {r.WhichOneof("method"): r for r in risk.asked}
    assert list(by_method["historical"].exposures) == [3 * 11.0, -2 * 20.0 * 10]
    returns = by_method["historical"].historical.returns
    assert (returns.rows, returns.cols) == (MIN_RETURNS, 2)
    assert list(returns.values)[-2:] == pytest.approx([0.1, 0.0])  # the last row is that day's
    assert by_method["monte_carlo"].monte_carlo.seed == 1
    assert by_method["parametric"].parametric.model.HasField("normal")


async def test_too_few_days_are_not_asked_about(tmp_path: Path) -> None:
    risk = ScriptedRisk()
    series, _ = await play(tmp_path, calm({"A.X": 1}, MIN_RETURNS), risk)
    assert (series, risk.asked) == ((), [])


async def test_day_without_position_is_not_a_forecast(tmp_path: Path) -> None:
    risk = ScriptedRisk()
    assert await play(tmp_path, calm({}, MIN_RETURNS + 5), risk) == ((), ())
    assert risk.asked == []


async def test_risk_that_is_down_costs_its_days_only(tmp_path: Path) -> None:
    notices: list[str] = []
    days = calm({"A.X": 1}, MIN_RETURNS + 4)
    days[MIN_RETURNS] = day(MIN_RETURNS, {"A.X": 1}, {"A.X": "11", "B.X": "20"})
    series, unavailable = await play(tmp_path, days, ScriptedRisk(down=[11.0]), notices)
    (first,) = unavailable
    assert first.date == f"day {MIN_RETURNS}"
    assert "Connection refused" in first.reason
    assert series[0].dates == tuple(f"day {MIN_RETURNS + n}" for n in (1, 2, 3))
    assert [n.split(": ")[1] for n in notices] == ["risk unavailable", "risk is available again"]


def test_returns_reach_back_as_far_as_all_held_have_prices() -> None:
    closes = [np.array([1.0, math.nan]), np.array([2.0, 4.0]), np.array([3.0, 5.0])]
    assert daily_returns(closes, [0], 9).tolist() == [[1.0], [0.5]]
    assert daily_returns(closes, [0, 1], 9).tolist() == [[0.5, 0.25]]
    assert daily_returns(closes, [0], 1).tolist() == [[0.5]]
    assert daily_returns(closes[:1], [1], 9).shape == (0, 1)


def test_no_return_is_made_of_a_price_that_is_not_positive() -> None:
    closes = [np.array([p]) for p in (1.0, -1.0, 2.0, 3.0)]
    assert daily_returns(closes, [0], 9).tolist() == [[0.5]]
