"""Text to scaled integers, against `decimal`, which works one number at a time."""

from decimal import Context, Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetherion.data.decimals import decimals, denoised, plain, rounded, to_scaled

numbers: st.SearchStrategy[Decimal] = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9
)
text_of_numbers = st.lists(numbers.filter(lambda d: not d or d.adjusted() > -30).map(str))


def _scaled(text: str, scale: int) -> int | None:
    return to_scaled(plain(pl.Series([text])), scale)[0]  # type: ignore[no-any-return]


@given(text_of_numbers)
def test_plain_text_is_the_same_number(texts: list[str]) -> None:
    result = plain(pl.Series(texts, dtype=pl.String))
    assert [Decimal(t) for t in result] == [Decimal(t) for t in texts]
    assert not any("e" in t.lower() for t in result)


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1)), st.integers(0, 12))
def test_scaled_integers_come_back(mantissas: list[int], scale: int) -> None:
    texts = [f"{Decimal(m).scaleb(-scale):f}" for m in mantissas]
    assert to_scaled(plain(pl.Series(texts, dtype=pl.String)), scale).to_list() == mantissas


@given(text_of_numbers)
def test_decimals_are_those_that_the_number_needs(texts: list[str]) -> None:
    needed = []
    for text in texts:
        number = Decimal(text)
        exponent = number.normalize(Context(prec=100)).as_tuple().exponent if number else 0
        assert isinstance(exponent, int)
        needed.append(max(0, -exponent))
    assert decimals(plain(pl.Series(texts, dtype=pl.String))).to_list() == needed


@pytest.mark.parametrize("text", ["", "abc", "NaN", "inf", "-Infinity", "1,5", "1_0", "0x1", "--1"])
def test_what_is_not_a_finite_number_is_null(text: str) -> None:
    assert plain(pl.Series([text]))[0] is None


@pytest.mark.parametrize(
    ("text", "scale", "expected"),
    [
        ("61837.63000000", 2, 6183763),
        ("+1.5", 2, 150),
        (".5", 1, 5),
        ("5.", 0, 5),
        ("1e-7", 8, 10),
        ("1.5E+3", 0, 1500),
        ("-0.01", 2, -1),
        ("9223372036854775807", 0, 2**63 - 1),
        ("9223372036854775808", 0, None),
        ("1e30", 0, None),
    ],
)
def test_one_number(text: str, scale: int, expected: int | None) -> None:
    assert _scaled(text, scale) == expected


def test_an_absurd_exponent_is_refused_without_being_written_out() -> None:
    assert plain(pl.Series(["1e999999999", "1e-999999999"])).to_list() == [None, None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("218102.59507500002", "218102.595075"),
        ("0.30000000000000004", "0.3"),
        ("0.069000000000000006", "0.069"),
        ("-235.91999999999999", "-235.92"),
        ("74.05999755859375", "74.05999755859375"),  # a 32-bit float: not within a double of 74.06
        ("1.234567890123456789", "1.234567890123456789"),
        ("1234567890.12345", "1234567890.12345"),
    ],
)
def test_noise_of_doubles_is_dropped(text: str, expected: str) -> None:
    clean, count = denoised(pl.Series([text]))
    assert (clean[0], count) == (expected, int(text != expected))


@given(st.floats(min_value=1e-4, max_value=1e9), st.integers(0, 4))
def test_a_double_near_a_short_decimal_becomes_it(value: float, places: int) -> None:
    short = Decimal(str(round(value, places)))
    noisy = f"{Decimal(float(short)):f}"  # every digit that the double has
    if len(short.normalize().as_tuple().digits) <= 13:
        clean, _ = denoised(pl.Series([noisy]))
        assert Decimal(clean[0]) == short


@pytest.mark.parametrize(
    ("text", "expected"), [("0.125", "0.12"), ("0.135", "0.14"), ("7", "7"), ("-2.675", "-2.68")]
)
def test_halves_are_rounded_to_even(text: str, expected: str) -> None:
    assert rounded(pl.Series([text]), 2)[0] == expected
