"""Value at risk and expected shortfall of a portfolio, in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from typing_extensions import Unpack

from aetherion.errors import AetherionError
from aetherion.risk.book import Book, DeltaGammaBook
from aetherion.risk.desk import DESK
from aetherion.risk.errors import RiskInputError
from aetherion.risk.figures import CalculationProgress, RiskAnswer
from aetherion.risk.inputs import (
    UINT64,
    Confidence,
    Names,
    Table,
    align,
    arrange,
    enum_of,
    flag,
    levels_of,
    number,
    one_of,
    square_of,
    table_of,
    vector_of,
    whole,
)
from aetherion.risk.methods import (
    AgeWeighted,
    CornishFisher,
    Ewma,
    Filtered,
    Floats,
    Fourier,
    Garch,
    Historical,
    HorizonMethod,
    MonteCarlo,
    Parametric,
    QuantileRule,
    ReturnModel,
    RiskMethod,
    Sampler,
    ShortfallRule,
    SpotShock,
)
from aetherion.risk.results import RiskResult

if TYPE_CHECKING:
    from aetherion.client.risk import RiskClient

# A power of two suits Sobol points, and a multiple of 1,024 the strata.
DEFAULT_SCENARIOS = 131_072
Told = Callable[[CalculationProgress], None]


class Options(TypedDict, total=False):
    """What a method may be told; each takes those that METHODS lists."""

    covariance: Any  # (K, K) of one-day returns, instead of past returns
    mean: Any  # (K,) mean return a day; zero without
    nu: float  # degrees of freedom of Student's t, above 2; Gaussian without
    quantile_rule: QuantileRule | str  # inverted_cdf, upper, linear7, median_unbiased8, ...
    decay: float  # weight of a day relative to the day after it
    volatility: str | Ewma | Garch  # "ewma" or "garch", fitted
    by_factor: bool  # filter each factor by its own volatility
    n_paths: int  # filtered, above one day
    path_rows: Any  # filtered, above one day: rows of returns, shape (n_paths, days)
    n_scenarios: int
    seed: int
    sampler: Sampler | str  # pseudo or sobol
    replications: int
    strata: int  # draw where the losses are
    single_precision_normals: bool
    spot_shock: SpotShock | str  # log or simple
    horizon_method: HorizonMethod | str  # paths or square_root_of_time
    simulate_factors: bool


@dataclass(frozen=True, slots=True)
class _Data:
    """The returns that a method assumes: past ones or a covariance, and the options."""

    returns: Table | None
    covariance: Table | None
    options: Options

    @property
    def given(self) -> str:
        """Which of the two it is, for errors."""
        return "returns" if self.returns else "covariance"

    @property
    def names(self) -> Names | None:
        """Names of the factors."""
        given = self.returns or self.covariance
        return given.names if given else None

    @property
    def size(self) -> int:
        """Number of factors, K."""
        given = self.returns or self.covariance
        return given.values.shape[1] if given else 0

    def past(self) -> Floats:
        """Return the past returns of a method that needs them."""
        if self.returns is None:
            raise RiskInputError("returns: must be given for this method, got None")
        return self.returns.values

    def model(self) -> ReturnModel:
        """Return mean, covariance and distribution."""
        mean = self.options.get("mean")
        return ReturnModel(
            returns=self.returns.values if self.returns else None,
            covariance=self.covariance.values if self.covariance else None,
            mean=None if mean is None else self._mean(mean),
            nu=None if (nu := self.options.get("nu")) is None else number(nu, "nu"),
        )

    def _mean(self, mean: Any) -> Floats:
        return align(vector_of(mean, "mean"), self.names, self.size, "mean", self.given).values


def _historical(data: _Data) -> RiskMethod:
    rule = enum_of(QuantileRule, data.options.get("quantile_rule", "inverted_cdf"), "quantile_rule")
    return Historical(data.past(), rule)


def _age_weighted(data: _Data) -> RiskMethod:
    return AgeWeighted(data.past(), number(data.options.get("decay", 0.98), "decay"))


def _filtered(data: _Data) -> RiskMethod:
    options = data.options
    return Filtered(
        data.past(),
        volatility_of(options.get("volatility", "ewma"), options.get("decay")),
        by_factor=flag(options.get("by_factor", False), "by_factor"),
        n_paths=whole(options.get("n_paths", 0), "n_paths"),
        seed=whole(options.get("seed", 1 if options.get("n_paths") else 0), "seed", UINT64),
        path_rows=tuple(whole(row, "path_rows") for row in np.ravel(options.get("path_rows", ()))),
    )


def _monte_carlo(data: _Data) -> RiskMethod:
    options = data.options
    shock, horizon = options.get("spot_shock"), options.get("horizon_method")
    return MonteCarlo(
        data.model(),
        n_scenarios=whole(options.get("n_scenarios", DEFAULT_SCENARIOS), "n_scenarios"),
        seed=whole(options.get("seed", 1), "seed", UINT64),
        sampler=enum_of(Sampler, options.get("sampler", "pseudo"), "sampler"),
        replications=whole(options.get("replications", 0), "replications"),
        strata=None if (strata := options.get("strata")) is None else whole(strata, "strata"),
        single_precision_normals=flag(
            options.get("single_precision_normals", False), "single_precision_normals"
        ),
        spot_shock=None if shock is None else enum_of(SpotShock, shock, "spot_shock"),
        horizon_method=None
        if horizon is None
        else enum_of(HorizonMethod, horizon, "horizon_method"),
        simulate_factors=flag(options.get("simulate_factors", False), "simulate_factors"),
    )


_MODEL = ("covariance", "mean", "nu")
_GAUSSIAN = ("covariance", "mean")
METHODS: dict[str, tuple[Callable[[_Data], RiskMethod], tuple[str, ...]]] = {
    "parametric": (lambda data: Parametric(data.model()), _MODEL),
    "historical": (_historical, ("quantile_rule",)),
    "age_weighted": (_age_weighted, ("decay",)),
    "filtered": (_filtered, ("volatility", "decay", "by_factor", "n_paths", "seed", "path_rows")),
    "monte_carlo": (
        _monte_carlo,
        (
            *_MODEL,
            "n_scenarios",
            "seed",
            "sampler",
            "replications",
            "strata",
            "single_precision_normals",
            "spot_shock",
            "horizon_method",
            "simulate_factors",
        ),
    ),
    "cornish_fisher": (lambda data: CornishFisher(data.model()), _GAUSSIAN),
    "fourier": (lambda data: Fourier(data.model()), _GAUSSIAN),
}


def var(
    portfolio: Any,
    returns: Any = None,
    *,
    method: str = "historical",
    confidence: Confidence | Sequence[Confidence] = "99%",
    horizon_days: int = 1,
    horizon_years: float = 0.0,
    **options: Unpack[Options],
) -> RiskResult:
    """Return value at risk, and expected shortfall beside it, of a portfolio of K factors.

    Formula: VaR = inf {x: P(L <= x) >= c} of the loss L = -P&L; P&L of a return vector r is
    exposures . r, theta + delta . r + r' gamma r / 2, or the change of value of a book.

    Args:
        portfolio: exposures, shape (K,), money per unit return, short negative: a dict, Series,
            frame, array or list; a DeltaGammaBook; or a Book. Names are matched with the columns
            of `returns`.
        returns: shape (n, K), arithmetic one-day returns, oldest row first; or `covariance=`.
        method: parametric, historical, age_weighted, filtered or monte_carlo; of a DeltaGammaBook
            also cornish_fisher and fourier (exact); of a Book monte_carlo.
        confidence: one level or several, whole basis points: 0.99, "99%" or 9900.
        horizon_days: other than 1 for parametric, filtered (with garch) and monte_carlo.
        horizon_years: of a Book: the years that pass over the horizon.
        options: see Options; each method takes its own.

    Raises:
        RiskInputError: a name that only one side has, an option that the method does not take, a
            level that is not whole basis points, or values that are no finite numbers.
        InvalidArgumentError: the service refuses a value; the text names field, value and rule.

    Source: Jorion, *Value at Risk*, 2007; McNeil, Frey & Embrechts, *Quantitative Risk Management*,
    2015; Boudoukh, Richardson & Whitelaw 1998; Barone-Adesi, Giannopoulos & Vosper 1999;
    Glasserman, *Monte Carlo Methods in Financial Engineering*, 2003.
    """
    asked = (portfolio, returns, method, confidence, horizon_days, horizon_years)
    return _measure("var", asked, options, None)


def es(
    portfolio: Any,
    returns: Any = None,
    *,
    method: str = "historical",
    confidence: Confidence | Sequence[Confidence] = "99%",
    horizon_days: int = 1,
    horizon_years: float = 0.0,
    **options: Unpack[Options],
) -> RiskResult:
    """Return expected shortfall, and value at risk beside it: arguments and errors as of `var`.

    Formula: ES = 1 / (1 - c) times the integral of VaR over levels from c to 1; of n scenarios the
    mean of the n (1 - c) largest losses, the last of them in part.

    Source: Acerbi & Tasche, "On the coherence of expected shortfall", 2002.
    """
    asked = (portfolio, returns, method, confidence, horizon_days, horizon_years)
    return _measure("es", asked, options, None)


def monte_carlo(
    portfolio: Any,
    returns: Any = None,
    *,
    confidence: Confidence | Sequence[Confidence] = "99%",
    horizon_days: int = 1,
    horizon_years: float = 0.0,
    progress: Told | None = None,
    **options: Unpack[Options],
) -> RiskResult:
    """Return VaR and ES of simulated returns, with standard errors: arguments as of `var`.

    Args:
        progress: is told how far a long job is. Ctrl-C ends the job in the service too.

    The same seed gives the same bits, for any number of threads.

    Source: Glasserman, *Monte Carlo Methods in Financial Engineering*, 2003, chapter 9.
    """
    asked = (portfolio, returns, "monte_carlo", confidence, horizon_days, horizon_years)
    return _measure("var", asked, options, progress)


_Asked = tuple[Any, Any, str, Confidence | Sequence[Confidence], int, float]


def _measure(measure: str, asked: _Asked, options: Options, progress: Told | None) -> RiskResult:
    portfolio, returns, method, confidence, horizon_days, horizon_years = asked
    held, names, how = _asked_of(portfolio, returns, method, options)
    levels = levels_of(confidence)
    horizon_days = whole(horizon_days, "horizon_days")
    horizon_years = number(horizon_years, "horizon_years")

    async def ask(client: RiskClient) -> RiskAnswer:
        stream = client.stream_calculation(
            held, levels, how, horizon_days=horizon_days, horizon_years=horizon_years
        )
        # Closed whatever happens, progress included: that is what ends the job.
        async with aclosing(stream):
            async for response in stream:
                if isinstance(response, RiskAnswer):
                    return response
                if progress is not None:
                    progress(response)
        raise AetherionError("Risk Service: the calculation must end with an answer, got none")

    return RiskResult(measure, method, horizon_days, names, DESK.ask(ask))


def exposures_of(
    portfolio: Any, returns: Any, method: str, options: Options
) -> tuple[Floats, Names, RiskMethod]:
    """Return linear exposures in the order of the factors, their names, and the method.

    Raises:
        RiskInputError: as of `var`; another portfolio.
    """
    held, names, how = _asked_of(portfolio, returns, method, options)
    if not isinstance(held, np.ndarray):
        raise RiskInputError(f"portfolio: must be exposures, got a {type(held).__name__}")
    return held, names, how


def _asked_of(
    portfolio: Any, returns: Any, method: str, options: Options
) -> tuple[Floats | DeltaGammaBook | Book, Names, RiskMethod]:
    data = _data(returns, method, options)
    held, names = _held(portfolio, data)
    return held, names, METHODS[method][0](data)


def _data(returns: Any, method: str, options: Options) -> _Data:
    takes = METHODS[one_of(METHODS, method, "method")][1]
    for name in options:
        if name not in takes:
            raise RiskInputError(f"{name}: {method} takes {', '.join(takes)}, got {name}")
    covariance = options.get("covariance")
    if (returns is None) == (covariance is None):
        got = "neither" if returns is None else "both"
        raise RiskInputError(f"returns: give returns or covariance, one of them, got {got}")
    return _Data(
        None if returns is None else table_of(returns, "returns"),
        None if covariance is None else square_of(covariance, "covariance"),
        options,
    )


def _held(portfolio: Any, data: _Data) -> tuple[Floats | DeltaGammaBook | Book, Names]:
    """Return the portfolio in the order of the factors, and their names."""
    if isinstance(portfolio, DeltaGammaBook):
        ordered = portfolio.in_order(data.names, data.size, data.given)
        return ordered, ordered.names
    if isinstance(portfolio, Book):
        names = portfolio.factors or data.names or _underlyings(portfolio)
        if data.names is not None and set(names) != set(data.names):
            align(_named(names), data.names, len(data.names), "portfolio", data.given)
        return Book(portfolio.positions, data.names or names), data.names or names
    aligned = align(
        vector_of(portfolio, "portfolio"), data.names, data.size, "portfolio", data.given
    )
    return aligned.values, aligned.names or ()


def _underlyings(book: Book) -> Names:
    return tuple(dict.fromkeys(position.underlying for position in book.positions))


def _named(names: Iterable[str]) -> Any:
    return vector_of(dict.fromkeys(names, 0.0), "portfolio")


def volatility_of(volatility: str | Ewma | Garch, decay: float | None = None) -> Ewma | Garch:
    """Return a volatility by its name.

    Raises:
        RiskInputError: another name, or a decay of a GARCH.
    """
    if volatility == "ewma":
        return Ewma() if decay is None else Ewma(number(decay, "decay"))
    if decay is not None:
        raise RiskInputError(f'decay: goes with volatility="ewma" only, got {decay}')
    if volatility == "garch":
        return Garch()
    if isinstance(volatility, Ewma):
        return Ewma(number(volatility.decay, "decay"))
    if isinstance(volatility, Garch):
        return Garch(**{name: number(v, name) for name, v in asdict(volatility).items()})
    raise RiskInputError(f"volatility: must be ewma, garch, an Ewma or a Garch, got {volatility!r}")


def simulate(
    portfolio: Any,
    scenarios: Any,
    *,
    confidence: Confidence | Sequence[Confidence] = "99%",
    n_scenarios: int | None = None,
    quantile_rule: QuantileRule | str = "inverted_cdf",
    shortfall_rule: ShortfallRule | str = "tail_mean",
    spot_shock: SpotShock | str | None = None,
    horizon_years: float = 0.0,
    progress: Callable[[int], None] | None = None,
) -> RiskResult:
    """Return VaR and ES of scenarios made elsewhere, which are streamed and never held whole.

    Formula: as of `var` and `es`, of the losses of n scenarios of equal weight; P&L as of `var`.

    Args:
        portfolio: exposures, shape (K,), a DeltaGammaBook, or a Book with its factors.
        scenarios: shape (n, K), an array, memory-mapped or not, a frame or rows; or an iterator of
            such. The names of a frame's columns are matched with those of the portfolio.
        n_scenarios: how many rows will come; needed of an iterator.
        quantile_rule: how VaR is read off the ordered losses, the names of Hyndman and Fan.
        shortfall_rule: tail_mean (coherent), mean_ge_var or mean_gt_upper.
        spot_shock: of a Book: a return r moves a spot S to S exp(r), log, or S max(1 + r, 0),
            simple.
        horizon_years: of a Book: the years that pass.
        progress: is told the number of rows sent so far.

    Units: returns are relative, -0.01 falls by 1 %; losses positive, in the money of the portfolio.

    Raises:
        RiskInputError: as of `var`; another number of columns than the portfolio has factors.
        InvalidArgumentError: the service refuses a value; the text names field, value and rule.

    Source: Hyndman & Fan, "Sample quantiles in statistical packages", 1996; Acerbi & Tasche 2002.
    """
    held, names = _given(portfolio)
    if n_scenarios is not None:
        n_scenarios = whole(n_scenarios, "n_scenarios", UINT64)
    years = number(horizon_years, "horizon_years")
    parts: Any
    if _is_one(scenarios) or not isinstance(scenarios, Iterable):
        parts = _rows(scenarios, names)
    else:
        parts = (_rows(part, names) for part in scenarios)
    rule = enum_of(QuantileRule, quantile_rule, "quantile_rule")
    shortfall = enum_of(ShortfallRule, shortfall_rule, "shortfall_rule")
    shock = None if spot_shock is None else enum_of(SpotShock, spot_shock, "spot_shock")
    levels = levels_of(confidence)

    async def ask(client: RiskClient) -> RiskAnswer:
        found = await client.simulate_scenarios(
            held,
            parts,
            levels,
            n_scenarios=n_scenarios,
            quantile_rule=rule,
            shortfall_rule=shortfall,
            spot_shock=shock,
            horizon_years=years,
            progress=progress,
        )
        return RiskAnswer(found.figures, None, found.n_scenarios, None)

    return RiskResult(
        "var", "scenarios", 1, names or (), DESK.ask(ask, repeatable=isinstance(parts, np.ndarray))
    )


def _given(portfolio: Any) -> tuple[Floats | DeltaGammaBook | Book, Names | None]:
    """Return a portfolio in its own order, and the names of its factors if they have names."""
    if isinstance(portfolio, Book):
        return portfolio, portfolio.factors or None
    if isinstance(portfolio, DeltaGammaBook):
        return portfolio, portfolio.names or None
    vector = vector_of(portfolio, "portfolio")
    return vector.values, vector.names


def _is_one(scenarios: Any) -> bool:
    """Whether it is one table, and not several that follow each other."""
    if isinstance(scenarios, list | tuple):
        return not any(hasattr(part, "__array__") and np.ndim(part) == 2 for part in scenarios)
    return isinstance(scenarios, Mapping | Table) or hasattr(scenarios, "__array__")


def _rows(scenarios: Any, names: Names | None) -> Floats:
    """Return scenarios in the order of the portfolio; an array is not looked through."""
    if isinstance(scenarios, np.ndarray) and scenarios.dtype.kind in "iuf":
        return scenarios
    return arrange(table_of(scenarios, "scenarios"), names, "scenarios", "portfolio").values
