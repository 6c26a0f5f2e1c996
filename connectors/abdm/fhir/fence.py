"""Look at a document's bare form before anybody walks it: JSON's own types, not too deep, not too much. Knows no FHIR."""

from math import isfinite
from typing import Any, Final

from scopes.fault import Fault, safe_name

DEEPEST: Final = 40
MOST_VALUES: Final = 50_000
"""Both many times what a real document holds; they bound the time that a hostile one takes."""
_BIGGEST: Final = 10**30
"""FHIR's whole numbers have 32 bits; those of thousands of digits cannot even be written out."""


def outside(value: Any, name: str) -> Fault | None:
    """The first place where a value is no sound JSON; None where there is none."""
    if not isinstance(value, dict):
        return Fault(name, "must be a JSON object")
    level: list[Any] = [value]
    seen = 0
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                if not all(map(_is_text, item)):
                    return Fault(name, "must have texts as names, at every depth")
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif not _plain(item):
                return Fault(_place(value, item, name), "must be a value that JSON has")
        seen += len(below)
        if seen > MOST_VALUES:
            return Fault(name, f"must not hold more than {MOST_VALUES} values")
        level = below
        if not level:
            return None
    return Fault(name, f"must not be nested deeper than {DEEPEST} levels")


def _is_text(key: object) -> bool:
    return isinstance(key, str) and (key.isascii() or _sound(key))


def _sound(text: str) -> bool:
    """Whether a text can be written as UTF-8: no half of a surrogate pair stands alone."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _plain(item: Any) -> bool:
    if isinstance(item, str):
        return item.isascii() or _sound(item)
    if isinstance(item, float):
        return isfinite(item)
    return item is None or (isinstance(item, int) and -_BIGGEST <= item <= _BIGGEST)


def _place(value: Any, wanted: Any, path: str) -> str:
    """Where a value stands; looked for only when something is wrong with it."""
    pending: list[tuple[str, Any]] = [(path, value)]
    while pending:
        here, item = pending.pop()
        if item is wanted:
            return here
        if isinstance(item, dict):
            pending.extend((f"{here}.{safe_name(key)}", inner) for key, inner in item.items())
        elif isinstance(item, list):
            pending.extend((f"{here}[{at}]", inner) for at, inner in enumerate(item))
    return path
