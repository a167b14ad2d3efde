from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from aetherion.risk import RiskInputError
from aetherion.risk.inputs import align, levels_of, simple_returns, table_of, vector_of


@pytest.mark.parametrize(
    ("given", "levels"),
    [
        (0.99, (9900,)),
        (np.float64(0.975), (9750,)),
        (np.float32(0.99), (9900,)),
        (np.int64(9900), (9900,)),
        ("99%", (9900,)),
        ("97.5 %", (9750,)),
        ("9999bp", (9999,)),
        ("0.95", (9500,)),
        (Decimal("0.9999"), (9999,)),
        (5001, (5001,)),
        ([0.95, "99%", 9975], (9500, 9900, 9975)),
        (np.array([0.95, 0.99]), (9500, 9900)),
    ],
)
def test_levels(given: Any, levels: tuple[int, ...]) -> None:
    assert levels_of(given) == levels


@pytest.mark.parametrize(
    "given",
    [0.99999, 0.5, 1.0, 1, 99, 0.0, -0.99, "x", "", "100%", float("nan"), True, np.True_, 10_000],
)
def test_levels_that_are_not_whole_basis_points(given: Any) -> None:
    with pytest.raises(RiskInputError, match="confidence: must be whole basis points"):
        levels_of(given)


@pytest.mark.parametrize(
    "given",
    [
        {"A": 1, "B": -2.5},
        pd.Series([1, -2.5], index=["A", "B"]),
        pl.DataFrame({"name": ["A", "B"], "exposure": [1.0, -2.5]}),
        pd.DataFrame({"name": ["A", "B"], "exposure": [1.0, -2.5]}),
        pl.DataFrame({"A": [1.0], "B": [-2.5]}),
    ],
)
def test_vectors_with_names(given: Any) -> None:
    vector = vector_of(given, "portfolio")
    assert vector.names == ("A", "B")
    assert vector.values.tolist() == [1.0, -2.5]


@pytest.mark.parametrize("given", [[1, -2.5], np.array([1, -2.5]), pl.Series([1.0, -2.5])])
def test_vectors_without_names(given: Any) -> None:
    vector = vector_of(given, "portfolio")
    assert vector.names is None
    assert vector.values.tolist() == [1.0, -2.5]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["a"], "portfolio: must be numbers"),
        ([[1.0]], "portfolio: must have 1 dimensions, got 2"),
        ({"A": float("nan")}, "portfolio: must be finite, got nan of A"),
        ([1.0, float("inf")], "portfolio: must be finite, got inf of 1"),
        (pd.Series([1, 2], index=["A", "A"]), "each name must come once, got A twice"),
        (pl.DataFrame({"A": [1, 2]}), "portfolio: a frame must have one row"),
        (pl.DataFrame({"n": ["A", None], "x": [1, 2]}), "every row must have a name"),
    ],
)
def test_bad_vectors(given: Any, says: str) -> None:
    with pytest.raises(RiskInputError, match=says):
        vector_of(given, "portfolio")


@pytest.mark.parametrize(
    "given",
    [
        {"A": [1, 2, 3], "B": [4, 5.0, 6]},
        pd.DataFrame({"A": [1, 2, 3], "B": [4, 5, 6]}),
        pl.DataFrame({"A": [1, 2, 3], "B": [4, 5, 6]}),
        pl.DataFrame({"day": ["x", "y", "z"], "A": [1, 2, 3], "B": [4, 5, 6]}),
        pd.DataFrame({"A": [1, 2, 3], "B": [4, 5, 6]}, index=["x", "y", "z"]),
    ],
)
def test_tables_with_names(given: Any) -> None:
    table = table_of(given, "returns")
    assert table.names == ("A", "B")
    assert table.values.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert table.rows in (None, ("x", "y", "z"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"A": [1, 2], "B": [1]}, "returns: must be columns of one length"),
        (pl.DataFrame({"A": [1.0, None]}), "must be finite, got nan in column A, row 1"),
        (pl.DataFrame({"A": [1.0], "B": ["x"]}), "must be numbers, got 'x' in column B, row 0"),
        (
            pl.DataFrame({"day": ["d0", "d1"], "A": ["0.1", "nan"]}),
            "must be numbers, got 'nan' in column A, row d1",
        ),
        (pl.DataFrame({"A": [1.0], "B": [True]}), "column B must be numbers, got Boolean"),
        (np.zeros((2, 2, 2)), "must have 1 or 2 dimensions, got 3"),
        (
            pd.DataFrame({"A": [np.nan]}, index=["2024-01-02"]),
            "got nan in column A, row 2024-01-02",
        ),
    ],
)
def test_bad_tables(given: Any, says: str) -> None:
    with pytest.raises(RiskInputError, match=says):
        table_of(given, "returns")


def test_values_are_put_in_the_order_of_the_columns() -> None:
    aligned = align(vector_of({"A": 1, "B": 2}, "p"), ("B", "A"), 2, "p", "returns")
    assert aligned.values.tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("A", "C"), "p: B is in p but not in returns"),
        (("A", "B", "C"), "p: C is in returns but not in p"),
    ],
)
def test_names_that_do_not_match(names: tuple[str, ...], says: str) -> None:
    with pytest.raises(RiskInputError, match=says):
        align(vector_of({"A": 1, "B": 2}, "p"), names, len(names), "p", "returns")


def test_returns_of_prices() -> None:
    table = simple_returns(pl.DataFrame({"day": ["x", "y", "z"], "A": [100, 110, 99]}))
    assert np.allclose(table.values[:, 0], [0.1, -0.1], rtol=0, atol=1e-15)
    assert (table.names, table.rows) == (("A",), ("y", "z"))
    with pytest.raises(RiskInputError, match=r"prices: must be positive, got 0.0 in column A, row"):
        simple_returns({"A": [1, 0]})
    with pytest.raises(RiskInputError, match="prices: must have two rows or more, got 1"):
        simple_returns({"A": [1]})
