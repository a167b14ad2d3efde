from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from aetherion.cli import app, risk_live
from aetherion.risk import Greeks, PortfolioRisk
from aetherion.services.stack import free_addresses

RETURNS = "day,A,B\n" + "".join(
    f"d{k},{((k * 37) % 41 - 20) / 1000},{((k * 53) % 31 - 15) / 1000}\n" for k in range(300)
)
BOOK = """\
underlying,qty,spot,option_type,strike,years,volatility,rate
A,10,100,,,,,
A,-5,100,call,105,0.5,0.2,0.01
"""


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("AETHERION_")]:
        monkeypatch.delenv(name)
    Path("positions.csv").write_text("name,exposure\nB,-500\nA,1000\n")
    Path("returns.csv").write_text(RETURNS)
    Path("book.csv").write_text(BOOK)
    Path("extra.csv").write_text("name,sector,exposure\nA,tech,1000\n")
    Path("empty.csv").write_text("name,exposure\n")
    Path("swapped.csv").write_text("exposure,name\n-500,B\n1000,A\n")
    Path("qty.csv").write_text("name,qty\nA,2\n")
    Path("prices.csv").write_text("A\n100\n101\n99\n102\n100\n")
    Path("crash.yaml").write_text("crash: -0.5\nsplit:\n  A: 0.1\n  '': -0.1\n")
    Path("crash.csv").write_text("scenario,underlying,spot,volatility\nup,A,0.1,0.05\n")
    Path("pnl.csv").write_text("pnl,var\n" + "".join(f"{k % 7 - 3},2.5\n" for k in range(250)))


def aetherion(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(app, ["risk", *arguments], env=environment)


def answer(*arguments: str) -> Any:
    done = aetherion(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_var_and_es_are_the_same_figures() -> None:
    arguments = ("--positions", "positions.csv", "--returns", "returns.csv", "--confidence", "95%")
    found = answer("var", *arguments)
    frame = pl.read_csv("returns.csv")
    losses = sorted(-(1000 * frame["A"] - 500 * frame["B"]))
    assert found["rows"][0]["var"] == pytest.approx(losses[285 - 1])
    assert found["rows"][0]["es"] == pytest.approx(sum(losses[-15:]) / 15)
    assert answer("es", *arguments)["rows"][0]["es"] == found["rows"][0]["es"]


def test_columns_of_positions_are_found_by_name() -> None:
    swapped, named = (
        answer("var", "--positions", file, "--returns", "returns.csv")
        for file in ("swapped.csv", "positions.csv")
    )
    assert swapped == named


def test_whole_numbers_may_come_first() -> None:
    rows = [0] * 150 + [0.5, -0.25] * 50
    Path("late.csv").write_text("A\n" + "".join(f"{r}\n" for r in rows))
    Path("one.csv").write_text("name,exposure\nA,1000\n")
    found = answer("var", "--positions", "one.csv", "--returns", "late.csv")
    assert found["rows"][0]["var"] == 250


@pytest.mark.parametrize(
    "options",
    [
        ("historical", "--quantile-rule", "harrell_davis"),
        ("filtered", "--volatility", "garch"),
        ("filtered", "--volatility", "garch", "--horizon-days", "5", "--paths", "2000"),
        ("monte_carlo", "--sampler", "sobol", "--replications", "16"),
    ],
)
def test_options_of_a_method_change_its_figure(options: tuple[str, ...]) -> None:
    files = ("--positions", "positions.csv", "--returns", "returns.csv")
    method, *told = options
    plain = answer("var", *files, "--method", method)["rows"][0]["var"]
    assert answer("var", *files, "--method", method, *told)["rows"][0]["var"] != plain


def test_table_of_several_levels() -> None:
    done = aetherion(
        *("var", "--positions", "positions.csv", "--returns", "returns.csv"),
        *("--method", "monte_carlo", "--scenarios", "4096", "--seed", "3"),
        *("--confidence", "95%", "--confidence", "0.99"),
    )
    assert done.exit_code == 0, done.stderr
    assert "Value at risk, monte carlo, 1 day" in done.stdout
    assert "95%" in done.stdout
    assert "99%" in done.stdout


def test_quantities_are_valued_at_the_last_price() -> None:
    files = ("--positions", "qty.csv", "--prices", "prices.csv")
    prices = pl.read_csv("prices.csv")["A"].to_numpy()
    sigma = 200 * (prices[1:] / prices[:-1] - 1).std(ddof=1)
    assert answer("var", *files, "--method", "parametric")["sigma_1d"] == pytest.approx(sigma)


def test_book_by_full_revaluation() -> None:
    pl.read_csv("returns.csv").select("A").write_parquet("a.parquet")
    found = answer(
        *("var", "--positions", "book.csv", "--returns", "a.parquet"),
        *("--method", "monte_carlo", "--spot-shock", "simple"),
    )
    assert 0 < found["rows"][0]["var"] < 1000
    drawn = answer(
        *("var", "--positions", "book.csv", "--returns", "a.parquet"),
        *("--method", "monte_carlo", "--spot-shock", "simple", "--strata", "16"),
    )
    assert drawn["rows"][0]["var"] != found["rows"][0]["var"]
    assert drawn["rows"][0]["var"] == pytest.approx(found["rows"][0]["var"], rel=0.05)


def test_stress() -> None:
    rows = answer("stress", "--positions", "positions.csv", "--scenarios", "crash.yaml")["rows"]
    assert {r["scenario"]: r["pnl"] for r in rows} == pytest.approx({"crash": -250, "split": 150})
    rows = answer("stress", "--positions", "book.csv", "--scenarios", "crash.csv")["rows"]
    assert rows[0]["pnl_by_position"][0] == pytest.approx(100)


def test_worst_windows_of_the_past() -> None:
    files = ("--positions", "positions.csv", "--scenarios", "crash.yaml")
    rows = answer("stress", *files, "--returns", "returns.csv", "--window-days", "5")["rows"]
    assert len(rows) == 2 + 5
    frame = pl.read_csv("returns.csv")
    sums = (1000 * frame["A"] - 500 * frame["B"]).rolling_sum(5)
    assert min(r["pnl"] for r in rows[2:]) == pytest.approx(sums.min(), rel=0.2)


def test_greeks() -> None:
    rows = answer("greeks", "--positions", "book.csv")["rows"]
    assert rows[0]["delta"] == 10
    assert rows[-1]["delta"] == pytest.approx(rows[0]["delta"] + rows[1]["delta"])


def test_backtest() -> None:
    found = answer("backtest", "--pnl", "pnl.csv")
    assert found["n_exceptions"] == sum(k % 7 == 0 for k in range(250))
    assert found["zone"] == "red"
    assert answer("backtest", "--pnl", "pnl.csv", "--window", "100")["n_days"] == 150


def test_margin_of_an_account() -> None:
    Path("shares.csv").write_text("price,name,qty\n10,X,-100\n0.1,Y,3\n")
    rows = answer("margin", "--positions", "shares.csv", "--cash", "1400.05")["rows"]
    amounts = {row["amount"]: row["value"] for row in rows}
    assert amounts["long_value"] == "0.30"
    assert amounts["equity"] == "400.35"
    assert amounts["maintenance"] == "500.075"
    assert amounts["margin_call"] == "99.725"


def test_basel_puts_horizons_together() -> None:
    Path("horizons.csv").write_text("name,days\nB,40\nA,10\n")
    files = ("--positions", "positions.csv", "--returns", "returns.csv")
    found = answer("basel", *files, "--horizons", "horizons.csv")
    all_, both, some, none, _ = (row["es"] for row in found["rows"])
    assert both == some > none == 0
    assert found["es"] == pytest.approx((all_**2 + both**2 + 2 * some**2) ** 0.5)


EXPOSURES_STRESS = ("--positions", "positions.csv", "--scenarios", "crash.yaml")
VAR = ("var", "--positions", "positions.csv", "--returns", "returns.csv")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((*VAR, "--confidence", "0.99999"), "confidence: must be whole basis points"),
        ((*VAR, "--method", "magic"), "method: must be one of"),
        ((*VAR, "--nu", "4"), "nu: historical takes quantile_rule"),
        ((*VAR, "--prices", "prices.csv"), "returns: give --returns or --prices"),
        ((*VAR, "--horizon-days", "-3"), "horizon_days: must be from 1 to 4294967295, got -3"),
        ((*VAR, "--horizon-days", "999999999999"), "horizon_days: must be from 1"),
        ((*VAR, "--seed", "-1"), "seed: must be from 0 to 18446744073709551615, got -1"),
        ((*VAR, "--seed", str(2**64)), "seed: must be from 0"),
        ((*VAR, "--scenarios", "-1"), "scenarios: must be from 1"),
        ((*VAR, "--scenarios", "1000000000000"), "scenarios: must be from 1"),
        (("backtest", "--pnl", "pnl.csv", "--window", "-1"), "window: must be from 1"),
        (("backtest", "--pnl", "pnl.csv", "--method", "garbage"), "method: goes with window only"),
        ((*VAR, "--method", "fourier"), "method: must be one of parametric"),
        (
            ("var", "--positions", "book.csv", "--returns", "returns.csv"),
            "a book needs --method monte_carlo --spot-shock log|simple, got historical",
        ),
        (
            ("stress", *EXPOSURES_STRESS, "--window-days", "5"),
            "window_days: goes with returns",
        ),
        (("var", "--positions", "extra.csv", "--returns", "returns.csv"), "got name, sector, exp"),
        (("var", "--positions", "empty.csv", "--returns", "returns.csv"), "empty.csv has no rows"),
        (("var", "--returns", "returns.csv"), "positions: give --positions FILE, or --live"),
        (("var", "--positions", "none.csv", "--returns", "returns.csv"), "none.csv"),
        (("var", "--positions", "qty.csv", "--returns", "returns.csv"), "qty needs --prices"),
        (("var", "--positions", "positions.csv", "--prices", "prices.csv"), "B is in portfolio"),
        (("var", "--positions", "x.txt", "--returns", "returns.csv"), "must be a .csv or .parquet"),
        ((*VAR, "--live"), "positions: must be absent with --live"),
        (
            ("var", "--watch", "--returns", "returns.csv", "--horizon-days", "2"),
            "horizon_days: must",
        ),
        (("var", "--live", "--returns", "returns.csv", "--method", "filtered"), "method: must be"),
        (("stress", "--positions", "positions.csv", "--scenarios", "crash.csv"), "scenario up: "),
        (("stress", "--positions", "positions.csv", "--scenarios", "pnl.csv"), "columns are"),
        (("greeks", "--positions", "positions.csv"), "must be a book"),
        (("backtest", "--pnl", "returns.csv"), "needs a column pnl"),
        ((*VAR, "--currency", "EUR"), "currency: must be absent without --live, got EUR"),
        ((*VAR, "--account", "A1"), "account: must be absent without --live, got A1"),
        (
            ("var", "--live", "--returns", "returns.csv", "--currency", "USD", "--rate", "EUR"),
            "rate: must be CURRENCY=NUMBER, got 'EUR'",
        ),
        (("margin", "--positions", "qty.csv"), "columns are name, qty, price, got name, qty"),
    ],
)
def test_bad_request_is_one_clear_line(arguments: tuple[str, ...], says: str) -> None:
    done = aetherion(*arguments)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith("aetherion: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert says in done.stderr


def test_live_without_a_service_is_one_clear_line() -> None:
    (address,) = free_addresses(1)
    done = aetherion(
        "var", "--live", "--returns", "returns.csv", AETHERION_CLIENT_RISK_ADDRESS=address
    )
    assert done.exit_code == 1
    assert f"Risk Service at {address}: not reachable" in done.stderr


EMPTY = PortfolioRisk(
    sequence=1,
    transact_time_ns=0,
    figures=(),
    positions=(),
    gross_notional=0.0,
    net_notional=0.0,
    greeks=Greeks(*[0.0] * 8),
    stress=(),
    left_out=(),
    sigma_1d=0.0,
)


def test_account_that_holds_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(risk_live, "_answers", lambda asked, take: take(EMPTY))
    says = "account A1: holds nothing"
    live = ("--live", "--returns", "returns.csv", "--account", "A1")
    assert says in aetherion("var", *live).stdout
    assert says in aetherion("backtest", *live, "--window", "100").stderr


def test_returns_of_nothing_that_is_held_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(EMPTY, left_out=("ACME.SIM", "BTCUSD.SIM"))
    monkeypatch.setattr(risk_live, "_answers", lambda asked, take: take(other))
    for command in (("var",), ("greeks", "--json"), ("stress", "--scenarios", "crash.yaml")):
        done = aetherion(*command, "--live", "--returns", "returns.csv")
        says = "returns: none of the file's columns is held: A, B; held: ACME.SIM, BTCUSD.SIM"
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == f"aetherion: {says}\n"
