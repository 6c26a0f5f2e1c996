"""Read parts of the network's messages: what is there in its own form, or nothing. Never raises but `malformed`, never quotes."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from connectors.errors import CallbackRefused

_WORD: Final = re.compile(r"[!-~]{1,200}")
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,20}(Z|[+-][0-9]{2}:?[0-9]{2})?")
_NOTHING: Final[Mapping[str, Any]] = {}


def malformed() -> CallbackRefused:
    """A message that is genuine, and from which a part is missing without which nothing can be done."""
    return CallbackRefused("malformed_message")


def part(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object of that name; an empty one where there is none."""
    inner = found.get(name)
    return inner if isinstance(inner, Mapping) else _NOTHING


def listed(found: Mapping[str, Any], name: str, most: int) -> Iterator[Mapping[str, Any]]:
    """The objects in the list of that name. Raises CallbackRefused where there are more than `most`."""
    items = found.get(name)
    if not isinstance(items, list):
        return
    if len(items) > most:
        raise CallbackRefused("too_large")
    yield from (each for each in items if isinstance(each, Mapping))


def word(value: object) -> str | None:
    """One word of printable ASCII: an id, a code."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def text(value: object, most: int) -> str | None:
    """A line of text without controls, not longer than `most`, without blanks around it."""
    if not isinstance(value, str) or len(value) > most:
        return None
    line = value.strip()
    return line if line and line.isprintable() else None


def whole(value: object, least: int, most: int) -> int | None:
    """A whole number, or its digits as text, within bounds."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most else None


def instant(value: object) -> datetime | None:
    """A moment in ISO 8601; one without a zone is UTC, as the network writes everything."""
    if not isinstance(value, str) or not value.isascii() or not _INSTANT.fullmatch(value):
        return None
    try:
        read = datetime.fromisoformat(value)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
