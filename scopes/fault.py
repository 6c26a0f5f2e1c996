"""Say what is wrong with a payload: where, and what is expected there. Never what was found there."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from scopes.field import Unfit

MOST_NAMED: Final = 100
"""How many paths one answer names at most."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong field: its path, such as ``line_items[2].name``, and what is expected there."""

    path: str
    message: str


class InvalidPayload(Exception):
    """A payload that does not fit its declaration; neither it nor its faults hold a value of the payload."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)[:MOST_NAMED]
        super().__init__("; ".join(f"{fault.path or 'the payload'} {fault.message}" for fault in self.faults))


# By pydantic's error type. Only limits of the declaration are filled in; what is not listed is "not valid", since
# pydantic's own texts may quote the input.
_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "is required",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "does not have the declared form",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "timezone_aware": "must carry its offset from UTC",
}
MOMENT: Final = "must be a date and time as in ISO 8601, such as 2026-11-17T10:30:00+05:30"
DAY: Final = "must be a date as in ISO 8601, such as 2026-11-17"


def faults_of(error: ValidationError) -> dict[str, str]:
    """Translate pydantic's findings to messages by path, in fixed words."""
    found = error.errors(include_url=False, include_input=False)
    faults: dict[str, str] = {}
    for detail in found:
        faults.setdefault(_path(detail["loc"]), _message(detail))
    return faults


def _message(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if isinstance(context.get("error"), Unfit):
        return str(context["error"])
    if kind in _MESSAGES:
        return _MESSAGES[kind].format_map(context)
    if kind.startswith("datetime_"):
        return MOMENT
    return DAY if kind.startswith("date_") else "is not valid"


def _path(steps: tuple[int | str, ...]) -> str:
    """Write a location; its names are declared ones, since nothing else was copied."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def safe_name(key: object) -> str:
    """The key if it is a plain identifier, otherwise ``?``: a key may be a person's name."""
    return key if isinstance(key, str) and _PLAIN_NAME.fullmatch(key) else "?"
