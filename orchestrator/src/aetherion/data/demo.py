"""The demo data set: five US stocks, real daily bars of the PyPI package bokeh-sampledata."""

from __future__ import annotations

from decimal import Decimal
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from aetherion.data.dataset import DataSet
from aetherion.data.importer import import_files
from aetherion.data.options import ImportOptions
from aetherion.data.problems import DataError

DEMO = "demo"

_PACKAGE = "bokeh-sampledata"
_VENUES = {"AAPL": "XNAS", "FB": "XNAS", "GOOG": "XNAS", "IBM": "XNYS", "MSFT": "XNAS"}


def prepare_demo(data_dir: Path) -> DataSet:
    """Return the demo data set; the first call makes it.

    The package has daily bars of AAPL, IBM and MSFT from 2000-03-01, GOOG from 2004-08-19 and FB
    from 2012-05-18, all to 2013-03-01; each starts when it starts. Its prices are as traded, not
    adjusted for splits (AAPL 2000 and 2005, MSFT 2003) and dividends, its volumes are adjusted for
    splits: so prices are multiplied by adjusted close / close, and rounded to four decimals.

    Raises:
        DataError: the package is not installed.
    """
    spec = find_spec("bokeh_sampledata")
    if spec is None or spec.origin is None:
        raise DataError(f"demo: needs the package {_PACKAGE}: pip install 'aetherion[demo]'")
    folder = Path(spec.origin).parent / "_data"
    options = ImportOptions(
        kind="bar",
        venues=_VENUES,
        price_scale=4,
        adjust=True,
        taker_fee_bps=Decimal(1),
        note=f"daily bars of PyPI {_PACKAGE} {version(_PACKAGE)}; volumes are in shares of 2013, "
        "the fee of 1 bp is an assumption",
    )
    return import_files([folder / f"{s}.csv" for s in _VENUES], data_dir, DEMO, options)
