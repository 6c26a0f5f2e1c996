"""What a request's body must look like: a small language of checks. Keeps no rule of ABDM's; those are in rules.py.

A shape is a dict (an object with these keys and no others; a key that ends in `?` may be missing), a list of one shape (a
list of at least one such thing), or a check: a function from a value to what is wrong with it, or None.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from connectors.abdm.simulator.clock import instant

Check = Callable[[Any], str | None]
Shape = Any


@dataclass(frozen=True, slots=True)
class Misfit:
    """One place that does not fit; a mild one is noted and let through, as a key too many is."""

    at: str
    what: str
    mild: bool = False


def misfits(value: Any, shape: Shape, at: str = "body") -> Iterator[Misfit]:
    """Every place at which a value does not have a shape."""
    if isinstance(shape, Guarded):
        found = list(misfits(value, shape.shape, at))
        yield from found
        if not any(not each.mild for each in found) and (what := shape.check(value)):
            yield Misfit(at, what)
    elif isinstance(shape, Either):
        yield from misfits(value, shape.second if shape.by_second(value) else shape.first, at)
    elif isinstance(shape, dict):
        yield from _object(value, shape, at)
    elif isinstance(shape, list):
        if not isinstance(value, list) or not value:
            yield Misfit(at, "must be a list with something in it")
            return
        for index, each in enumerate(value):
            yield from misfits(each, shape[0], f"{at}[{index}]")
    elif what := shape(value):
        yield Misfit(at, what)


def _object(value: Any, shape: dict[str, Shape], at: str) -> Iterator[Misfit]:
    if not isinstance(value, dict):
        yield Misfit(at, "must be an object")
        return
    known = {key.rstrip("?"): key for key in shape}
    for name in value.keys() - known.keys():
        yield Misfit(f"{at}.{name}", "is not a key of this body", mild=True)
    for name, key in known.items():
        if name in value:
            yield from misfits(value[name], shape[key], f"{at}.{name}")
        elif not key.endswith("?"):
            yield Misfit(f"{at}.{name}", "is missing")


@dataclass(frozen=True, slots=True)
class Guarded:
    """A shape, and one check more of a value that has it."""

    shape: Shape
    check: Check


@dataclass(frozen=True, slots=True)
class Either:
    """One of two shapes: the second where it has a certain key with something in it."""

    first: Shape
    second: Shape
    key: str = "error"

    def by_second(self, value: Any) -> bool:
        """Whether a value means the second."""
        return isinstance(value, dict) and bool(value.get(self.key))


def text(pattern: str = r"(?s).+") -> Check:
    """A string that fits a pattern as a whole."""
    compiled = re.compile(pattern)

    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return f"must be a string, not {_kind(value)}"
        return None if compiled.fullmatch(value) else f"must fit {compiled.pattern}"

    return check


def one_of(*allowed: str) -> Check:
    """A string of a closed list."""

    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return f"must be a string, not {_kind(value)}"
        return None if value in allowed else f"must be one of {', '.join(allowed)}"

    return check


def whole(least: int = 0, most: int | None = None) -> Check:
    """A JSON integer."""

    def check(value: Any) -> str | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return f"must be an integer, not {_kind(value)}"
        if value < least or (most is not None and value > most):
            return f"must be {least} or more" if most is None else f"must be {least} to {most}"
        return None

    return check


def exactly(wanted: Any) -> Check:
    """One value."""
    return lambda value: None if value == wanted and type(value) is type(wanted) else f"must be {wanted!r}"


def anything(_: Any) -> None:
    """Whatever it is."""


def either(*checks: Check) -> Check:
    """A value that one of several checks takes."""

    def check(value: Any) -> str | None:
        found = [each(value) for each in checks]
        return None if None in found else " or ".join(str(each) for each in found)

    return check


def moment(value: Any) -> str | None:
    """An instant in ISO form, with its zone."""
    try:
        instant(value)
    except (TypeError, ValueError):
        return "must be an ISO instant with a zone"
    return None


def _kind(value: Any) -> str:
    return {list: "an array", dict: "an object", int: "an integer", bool: "a boolean", type(None): "null"}.get(
        type(value), "something else"
    )
