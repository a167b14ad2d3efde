"""A strategy's parameters: its annotated class attributes, checked when it is made."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from aetherion.errors import AetherionError

_TYPES: tuple[Any, ...] = (bool, int, float, str, Decimal, tuple[str, ...])


class ParameterError(AetherionError, ValueError):
    """A parameter that the strategy does not have, or a value that it does not take."""


@cache
def parameter_types(strategy: type) -> dict[str, Any]:
    """Return the parameters of a strategy class and their types, in the order written.

    Raises:
        ParameterError: one is of a type that cannot be given on a command line.
    """
    found: dict[str, Any] = {}
    for name, kind in get_type_hints(strategy).items():
        if name.startswith("_") or get_origin(kind) is ClassVar or not hasattr(strategy, name):
            continue
        if kind not in _TYPES:
            raise ParameterError(
                f"{strategy.__name__}.{name}: a parameter must be bool, int, float, str, Decimal "
                f"or tuple[str, ...], got {kind}"
            )
        found[name] = kind
    return found


def check_parameters(strategy: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters of a strategy: the given ones as their types, defaults for the rest.

    Text is converted ("0.05" to a float), so that a command line may give it.

    Raises:
        ParameterError: names the parameter, the value and the rule.
    """
    types = parameter_types(strategy)
    for name in given.keys() - types.keys():
        near = difflib.get_close_matches(name, types, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(types) or 'none'}"
        raise ParameterError(f"{strategy.__name__}: no parameter {name}{hint}")
    return {
        name: _convert(f"{strategy.__name__}.{name}", kind, given[name])
        if name in given
        else getattr(strategy, name)
        for name, kind in types.items()
    }


def _convert(name: str, kind: Any, value: Any) -> Any:
    if kind == tuple[str, ...] and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        rule = error.errors()[0]["msg"]
        raise ParameterError(f"{name}: {rule[0].lower()}{rule[1:]}, got {value!r}") from None
