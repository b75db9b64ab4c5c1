"""Schemas for JSON: a reader states the type of every field, and `check` reports the first that is wrong.

A shape is a function of a value and its name that returns None if the value fits, else (name, value, what is needed).
Fields without a shape may hold anything.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from .errors import BertrError

_MISSING = object()
_BROKEN = re.compile("[\0\ud800-\udfff]")  # characters that R strings cannot hold


def check(
    value: Any, shape: Callable[[Any, str], Any], where: str, hint: str = "It is damaged.", code: str = "damaged"
) -> Any:
    """Returns the value if it has this shape. `where` describes the source for the message.

    Raises:
        BertrError: `code`.
    """
    fault = shape(value, "")
    if fault is None:
        return value
    name, found, needed = fault
    if found is _MISSING:
        raise BertrError(code, f"There is no '{name}' in {where}.", hint)
    what = f"'{name}' in {where}" if name else where[0].upper() + where[1:]
    raise BertrError(code, f"{what} must be {needed}, not {_shown(found)}.", hint)


def _shown(value):
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def plain(needed: str, accepts: Callable[[Any], bool]) -> Callable[[Any, str], Any]:
    """A single value; `accepts(value)` tells whether it fits."""
    return lambda value, name: None if accepts(value) else (name, value, needed)


TEXT = plain("a string", lambda x: isinstance(x, str) and not _BROKEN.search(x))
FILLED = plain("a string that is not empty", lambda x: isinstance(x, str) and x != "" and not _BROKEN.search(x))
FLAG = plain("true or false", lambda x: isinstance(x, bool))
TABLE = plain("an object", lambda x: isinstance(x, dict))


def whole(least: int = 0, most: int = 2**31 - 1) -> Callable[[Any, str], Any]:
    """A whole number."""
    span = f"a whole number of at least {least}" if most >= 2**31 - 1 else f"a whole number from {least} to {most}"
    return plain(span, lambda x: isinstance(x, int) and not isinstance(x, bool) and least <= x <= most)


def number(least: float = -math.inf, most: float = math.inf) -> Callable[[Any, str], Any]:
    """A finite number."""
    span = (
        "a number"
        if math.isinf(least) and math.isinf(most)
        else f"a number of at least {least:g}"
        if math.isinf(most)
        else f"a number from {least:g} to {most:g}"
    )
    return plain(span, lambda x: _is_number(x) and math.isfinite(x) and least <= x <= most)


# NaN occurs in the history of an unfinished epoch
FIGURE = plain("a number", lambda x: _is_number(x))


def _is_number(x):
    return isinstance(x, (int, float)) and not isinstance(x, bool) and (isinstance(x, float) or abs(x) < 2**63)


def one_of(*choices: str) -> Callable[[Any, str], Any]:
    """One of these strings."""
    return plain("one of " + ", ".join(choices), lambda x: isinstance(x, str) and x in choices)


def matching(pattern: str, needed: str) -> Callable[[Any, str], Any]:
    """A string that fully matches a pattern."""
    return plain(needed, lambda x: isinstance(x, str) and re.fullmatch(pattern, x) is not None)


def or_null(shape: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """A shape, or null."""
    return lambda value, name: None if value is None else shape(value, name)


def either(one: Callable[[Any, str], Any], other: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """One of two shapes."""

    def check_either(value, name):
        faults = one(value, name), other(value, name)
        return None if None in faults else (name, value, f"{faults[0][2]} or {faults[1][2]}")

    return check_either


def list_of(shape: Callable[[Any, str], Any], least: int = 0, distinct: bool = False) -> Callable[[Any, str], Any]:
    """A list of values of one shape; `distinct`: without duplicates."""

    def check_list(value, name):
        if not isinstance(value, list) or len(value) < least:
            return name, value, f"a list of at least {least} values" if least else "a list"
        faults = (shape(each, f"{name}[{i}]") for i, each in enumerate(value))
        fault = next(filter(None, faults), None)
        if fault is None and distinct and len(set(value)) < len(value):
            again = next(i for i, each in enumerate(value) if each in value[:i])
            return f"{name}[{again}]", value[again], "different from the values before it"
        return fault

    return check_list


def table_of(shape: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """An object with arbitrary keys, whose values have one shape."""

    def check_table(value, name):
        if not isinstance(value, dict):
            return TABLE(value, name)
        return next(filter(None, (shape(each, _below(name, key)) for key, each in value.items())), None)

    return check_table


def fields(
    needed: Mapping[Any, Callable[[Any, str], Any]] | None = None,
    optional: Mapping[Any, Callable[[Any, str], Any]] | None = None,
) -> Callable[[Any, str], Any]:
    """An object with these fields, {name: shape}."""
    needed, optional = needed or {}, optional or {}

    def check_fields(value, name):
        if not isinstance(value, dict):
            return TABLE(value, name)
        for key, shape in {**needed, **optional}.items():
            if key not in value and key in needed:
                return _below(name, key), _MISSING, ""
            fault = shape(value[key], _below(name, key)) if key in value else None
            if fault:
                return fault
        return None

    return check_fields


def equally_long(*names: str) -> Callable[[Any, str], Any]:
    """The lists under these names are as long as the first one; the object must have been checked before."""

    def check_lengths(value, name):
        lists = {key: value[key] for key in names if key in value}
        n = len(value[names[0]])
        odd = next((key for key in lists if len(lists[key]) != n), None)
        return odd and (_below(name, odd), value[odd], f"a list of {n} values")

    return check_lengths


def both(*shapes: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """All of these shapes; later ones are checked only if the earlier ones fit."""
    return lambda value, name: next(filter(None, (shape(value, name) for shape in shapes)), None)


def _below(name, key):
    return f"{name}.{key}" if name else str(key)
