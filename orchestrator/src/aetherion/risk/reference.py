"""What the figures are made of, to check another implementation against."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aetherion.risk.desk import DESK
from aetherion.risk.errors import RiskInputError
from aetherion.risk.inputs import UINT64, enum_of, vector_of, whole
from aetherion.risk.methods import Floats


class DistributionFunction(IntEnum):
    """A function of the standard normal, Student's t, the chi-square or the binomial."""

    NORM_CDF = 1
    NORM_PDF = 2
    NORM_PPF = 3
    T_CDF = 4
    T_PDF = 5
    T_PPF = 6
    CHI2_SF = 7
    BINOM_CDF = 8


def distribution(
    function: DistributionFunction | str, x: Any, parameter: Any = None, probability: Any = None
) -> Floats:
    """Return values of a distribution function, shape (n,), as every figure here is made of.

    Formula: cdf P(X <= x), pdf its derivative, ppf its inverse, sf P(X > x). Lower tails are
    accurate in relative terms down to 1e-300.

    Args:
        function: norm_cdf, norm_pdf, norm_ppf, t_cdf, t_pdf, t_ppf, chi2_sf (the upper tail),
            binom_cdf.
        x: shape (n,) or a number; of a ppf a probability within (0, 1); of binom_cdf successes.
        parameter: one or n: degrees of freedom of t and chi2; of binom_cdf the number of trials.
        probability: one or n: of binom_cdf, of a success.

    Units: none; a pdf is per unit of x.

    Raises:
        RiskInputError: another function, or no numbers.
        InvalidArgumentError: an argument that the function does not take; the text names the row.

    Source: Wichura, "Algorithm AS 241", 1988; NIST DLMF 7, 8.17; Loader 2000.
    """
    kind = enum_of(DistributionFunction, function, "function")
    columns = (
        _column(x, "x"),
        _column(parameter, "parameter"),
        _column(probability, "probability"),
    )
    return DESK.ask(lambda client: client.evaluate_function(kind, *columns))


def _column(value: Any, field: str) -> Floats:
    return np.empty(0) if value is None else vector_of(np.atleast_1d(value), field).values


def sobol_points(dimension: int, n_points: int, first_index: int = 0) -> NDArray[np.uint32]:
    """Return points of the Sobol sequence, shape (n_points, dimension): coordinate times 2^32.

    As they are, in the order of Gray, not scrambled: point 0 is the origin. A simulation scrambles
    them.

    Args:
        dimension: 1 to 21,201; times n_points at most 4,000,000.

    Raises:
        RiskInputError: no whole numbers.
        InvalidArgumentError: out of range.

    Source: Joe & Kuo, "Constructing Sobol sequences with better two-dimensional projections", 2008.
    """
    asked = whole(dimension, "dimension"), whole(n_points, "n_points")
    first = whole(first_index, "first_index")
    return DESK.ask(lambda client: client.sobol_points(*asked, first))


def philox_words(
    key: Sequence[int], counter: Sequence[int], n_blocks: int = 1
) -> NDArray[np.uint64]:
    """Return blocks of Philox4x64-10, shape (n_blocks, 4), from a counter on.

    Args:
        key: two words of 64 bits.
        counter: four, the lowest first.

    Raises:
        RiskInputError: other numbers of words, or no words of 64 bits.
        InvalidArgumentError: more than 1,000,000 blocks, or none.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.
    """
    words = _words(key, 2, "key"), _words(counter, 4, "counter")
    blocks = whole(n_blocks, "n_blocks")
    return DESK.ask(lambda client: client.philox_words(*words, blocks))


def _words(given: Sequence[int], count: int, field: str) -> list[int]:
    if len(given) != count:
        raise RiskInputError(f"{field}: must be {count} words, got {len(given)}")
    return [whole(word, field, UINT64) for word in given]
