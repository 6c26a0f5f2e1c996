"""Reduce one value to less of the same type, purely and idempotently. Free text is screen.py's.

The first line of each docstring is what clinics read.
"""

import re
from datetime import date, datetime
from typing import TypeVar

_Day = TypeVar("_Day", bound=date)
_BESIDE = re.compile(r"[\W_]+")


def to_minute(value: datetime) -> datetime:
    """Only to the minute."""
    return value.replace(second=0, microsecond=0)


def to_hour(value: datetime) -> datetime:
    """Only to the hour."""
    return value.replace(minute=0, second=0, microsecond=0)


def to_date(value: _Day) -> _Day:
    """Only the day, without the time."""
    return _midnight(value)


def to_month(value: _Day) -> _Day:
    """Only the month and year, as the first of that month."""
    return _midnight(value.replace(day=1))


def to_year(value: _Day) -> _Day:
    """Only the year, as its first day."""
    return _midnight(value.replace(month=1, day=1))


def _midnight(value: _Day) -> _Day:
    if isinstance(value, datetime):
        return value.replace(hour=0, minute=0, second=0, microsecond=0)
    return value


def last_four(value: str) -> str:
    """Only the last four letters and digits."""
    return _BESIDE.sub("", value)[-4:]


def initials(value: str) -> str:
    """Only the first letter of each name."""
    # A letter followed by its full stop is already an initial: "A. R." stays as it is.
    return " ".join(f"{first.upper()}." for first in (_first_letter(word) for word in value.split()) if first)


def _first_letter(word: str) -> str:
    letter = next((character for character in word if character.isalpha()), "")
    return letter if len(letter.upper()) == 1 else ""


def country_of(value: str) -> str:
    """Only the country of a place or a language, as in IN-KA or en-IN."""
    # ISO 3166-2 puts the country first and BCP 47 puts it last; both write it in capitals, a language in small letters.
    parts = value.split("-")
    return next((part for part in parts if re.fullmatch(r"[A-Z]{2}", part)), "")


def postal_area(value: str) -> str:
    """Only the first three characters of the postal code."""
    return "".join(value.split())[:3]


def email_domain(value: str) -> str:
    """Only the domain of an e-mail address, from the @ on."""
    _, at, domain = value.rpartition("@")
    return at + domain if at else ""
