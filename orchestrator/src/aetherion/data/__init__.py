"""Market data: whatever the user has, validated and made exact, as data sets to replay."""

from aetherion.data.catalog import find, names, prepare
from aetherion.data.dataset import DataFile, DataSet, load
from aetherion.data.demo import prepare_demo
from aetherion.data.importer import import_files
from aetherion.data.options import ImportOptions, Kind
from aetherion.data.problems import DataError

__all__ = [
    "DataError",
    "DataFile",
    "DataSet",
    "ImportOptions",
    "Kind",
    "find",
    "import_files",
    "load",
    "names",
    "prepare",
    "prepare_demo",
]
