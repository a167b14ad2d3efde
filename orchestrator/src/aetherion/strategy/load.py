"""Finds the strategy that a person names: one of ours, or a class in their own file."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path

from aetherion.errors import AetherionError
from aetherion.strategy.base import Strategy
from aetherion.strategy.host import kind_of, own_line

# Example strategies by the name that the command line knows, each in a module of its own.
BUILT_IN = {
    "inverse-volatility": "aetherion.strategies.inverse_volatility:InverseVolatility",
    "market-maker": "aetherion.strategies.market_maker:MarketMaker",
    "mean-reversion": "aetherion.strategies.mean_reversion:MeanReversion",
}


class LoadError(AetherionError):
    """The strategy named does not exist or cannot be loaded."""


def load_strategy(name: str) -> type[Strategy]:
    """Return the strategy class for a built-in name, FILE.py:Class, or FILE.py with one class.

    Raises:
        LoadError: says what is missing and what there is.
    """
    if name in BUILT_IN:
        module, _, class_name = BUILT_IN[name].partition(":")
        return _pick(vars(importlib.import_module(module)), class_name, module)
    file, colon, class_name = name.rpartition(":")
    path = Path(file if colon else name)
    if path.suffix != ".py":
        near = difflib.get_close_matches(name, BUILT_IN, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(BUILT_IN)}"
        raise LoadError(f"strategy: {name!r} is neither a built-in name nor FILE.py:Class; {hint}")
    return _pick(_run_file(path), class_name if colon else "", str(path))


def source_sha256(strategy: type[Strategy]) -> str:
    """Return the SHA-256 of the file that defines a strategy; empty when there is no file."""
    try:
        source = inspect.getsourcefile(strategy)
    except TypeError:
        source = None
    if source is None or not Path(source).is_file():
        return ""
    return hashlib.sha256(Path(source).read_bytes()).hexdigest()


def _run_file(path: Path) -> dict[str, object]:
    if not path.is_file():
        raise LoadError(f"strategy: no file {path}")
    module_name = f"aetherion_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path.resolve())
    if spec is None or spec.loader is None:
        raise LoadError(f"strategy: {path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # type hints of its classes are looked up there
    sys.path.insert(0, str(path.resolve().parent))  # it may import its neighbours
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise LoadError(f"strategy: {error.filename}:{error.lineno}: {error.msg}") from error
    except Exception as error:
        where = own_line(module, error.__traceback__)
        raise LoadError(f"strategy: {where}: {kind_of(error)}{error}") from error
    finally:
        sys.path.pop(0)
    return {n: v for n, v in vars(module).items() if getattr(v, "__module__", None) == module_name}


def _pick(names: dict[str, object], class_name: str, where: str) -> type[Strategy]:
    found = {
        n: v
        for n, v in names.items()
        if isinstance(v, type) and issubclass(v, Strategy) and v is not Strategy
    }
    if class_name in found:
        return found[class_name]
    if not class_name and len(found) == 1:
        return next(iter(found.values()))
    there = f"there are {', '.join(found)}" if found else "it has none"
    if class_name:
        raise LoadError(f"strategy: no Strategy class {class_name} in {where}; {there}")
    raise LoadError(f"strategy: name one class of {where} as FILE.py:Class; {there}")
