from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetherion.exact import GridError, Number, divide_half_even, scaled, unscale
from aetherion.instrument import Instrument, InstrumentClass

AAPL = Instrument("AAPL.XNAS", InstrumentClass.EQUITY, "AAPL", "USD", price_scale=2, qty_scale=0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0.10", 10), (0.1, 10), (0.3, 30), (7, 700), (Decimal("-0.05"), -5), ("0e999", 0), (-0.0, 0)],
)
def test_value_on_the_grid_is_exact(value: Number, expected: int) -> None:
    assert scaled(value, 2, 5, "price") == expected


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (0.1 + 0.2, r"multiple of 0\.05, got 0\.30000000000000004; nearest are 0\.30 and 0\.35"),
        ("0.07", r"nearest are 0\.05 and 0\.10"),
        (Decimal("-0.07"), r"nearest are -0\.10 and -0\.05"),
        ("abc", "must be a number, got 'abc'"),
        (True, "must be a number, got True"),
        (float("nan"), "must be finite, got nan"),
        ("-Infinity", "must be finite"),
        ("1e999999999", "must fit 64 bits"),
        ("92233720368547758.10", "must fit 64 bits"),
        ("1e-999999999", "at most 100 decimals"),
    ],
)
def test_value_off_the_grid_is_refused(value: Number, says: str) -> None:
    with pytest.raises(GridError, match=says):
        scaled(value, 2, 5, "price")


@given(st.integers(min_value=-(2**53), max_value=2**53), st.integers(min_value=0, max_value=6))
def test_every_float_that_prints_as_a_grid_value_is_taken(mantissa: int, scale: int) -> None:
    value = float(unscale(mantissa, scale))
    if Decimal(repr(value)) == unscale(mantissa, scale):
        assert scaled(value, scale, 1, "price") == mantissa


@pytest.mark.parametrize("price", [0, "-1.00"])
def test_price_must_be_positive(price: Number) -> None:
    with pytest.raises(GridError, match=r"AAPL\.XNAS price: must be positive"):
        AAPL.px(price)


@given(st.decimals(min_value=0, max_value=10**9, places=4))
def test_whole_lots_never_exceed(budget: Decimal) -> None:
    lots = AAPL.whole_lots(budget)
    assert lots <= budget < lots + 1


@pytest.mark.parametrize("nothing", [-1.0, 0.0, float("nan")])
def test_no_lots_for_nothing(nothing: float) -> None:
    assert AAPL.whole_lots(nothing) == 0


@given(st.integers(), st.integers().filter(bool))
def test_division_rounds_half_even(numerator: int, denominator: int) -> None:
    assert divide_half_even(numerator, denominator) == round(Fraction(numerator, denominator))
