"""Read what people type into forms: moments, days, numbers, choices. Says beside the field what is wrong; guesses nothing.

A day and a clock are read in one time zone, the clinic's, since a browser without scripts says no offset.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final, TypeVar
from uuid import UUID

from gateway.errors import InvalidRequest
from gateway.web.forms import Form
from scopes.fault import Fault
from scopes.quiet import zone_of

_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_ZONE: Final = re.compile(r"[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_LONGEST_ZONE: Final = 64
_NONE: Final = datetime(
    1970, 1, 1, tzinfo=UTC
)  # what stands for a moment that cannot be read; `check` raises before it is used
_Word = TypeVar("_Word", bound=StrEnum)


class Typed:
    """One form while it is read. Ask for every field, then `check`: all that is wrong is told at once."""

    def __init__(self, form: Form, zone: str = "UTC") -> None:
        """Days and clocks are in this time zone."""
        self._form = form
        self._zone: tzinfo = zone_of(zone) or UTC
        self.faults: list[Fault] = []

    def check(self) -> None:
        """Raise InvalidRequest where anything was wrong."""
        if self.faults:
            raise InvalidRequest(faults=self.faults)

    def wrong(self, name: str, message: str) -> None:
        """Note what is wrong with a field."""
        self.faults.append(Fault(name, message))

    def text(self, name: str, most: int, what: str = "Fill this in.") -> str:
        """One line; required."""
        text = self.optional(name, most)
        if not text and not any(fault.path == name for fault in self.faults):
            self.wrong(name, what)
        return text

    def optional(self, name: str, most: int) -> str:
        """One line, or nothing."""
        text = self._form.text(name)
        if len(text) > most or not text.isprintable():
            self.wrong(name, f"Write one line of at most {most} characters.")
            return ""
        return text

    def choice(self, name: str, words: type[_Word], what: str) -> _Word:
        """One word of a closed list; required."""
        try:
            return words(self._form.text(name))
        except ValueError:
            self.wrong(name, what)
            return next(iter(words))

    def choices(self, name: str, words: type[_Word], what: str = "") -> frozenset[_Word]:
        """Several words of a closed list; with `what`, at least one."""
        try:
            found = frozenset(map(words, self._form.all(name)))
        except ValueError:
            self.wrong(name, "Choose from the list.")
            return frozenset()
        if what and not found:
            self.wrong(name, what)
        return found

    def number(self, name: str, least: int, most: int) -> int:
        """A whole number within bounds; required."""
        text = self._form.text(name)
        if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
            self.wrong(name, f"Write a whole number from {least} to {most}.")
            return least
        return int(text)

    def country(self, name: str) -> str:
        """A country by its two letters; required."""
        text = self._form.text(name).upper()
        if not _COUNTRY.fullmatch(text):
            self.wrong(name, "Name the country by its two letters, such as IN.")
        return text

    def zone(self, name: str) -> str | None:
        """A time zone by its IANA name, or nothing."""
        text = self._form.text(name)
        if not text:
            return None
        if len(text) > _LONGEST_ZONE or not _ZONE.fullmatch(text) or zone_of(text) is None:
            self.wrong(name, "Choose a time zone from the list.")
        return text

    def clock(self, name: str) -> time:
        """A time of day; required."""
        return self._read(
            name, lambda text: time.fromisoformat(text).replace(tzinfo=None), "Write a time, such as 21:00.", time()
        )

    def moment(self, name: str, *, or_none: bool = False) -> datetime | None:
        """A date with a time, as a datetime-local field sends it."""
        if or_none and not self._form.text(name):
            return None
        return self._read(
            name,
            lambda text: self._placed(datetime.fromisoformat(text)),
            "Write a date and a time, such as 2026-11-17 10:30.",
            _NONE,
        )

    def day(self, name: str) -> datetime:
        """The moment at which a day begins; required."""
        return self._read(name, lambda text: self._begins(date.fromisoformat(text)), _DAY, _NONE)

    def last_day(self, name: str) -> datetime | None:
        """The moment at which a day ends, or nothing."""
        if not self._form.text(name):
            return None
        return self._read(name, lambda text: self._begins(date.fromisoformat(text) + timedelta(days=1)), _DAY, _NONE)

    def _begins(self, day: date) -> datetime:
        return self._placed(datetime.combine(day, time()))

    def _placed(self, moment: datetime) -> datetime:
        placed = moment if moment.tzinfo is not None else moment.replace(tzinfo=self._zone)
        return placed.astimezone(UTC)

    def _read(self, name: str, read: Callable[[str], _Read], what: str, otherwise: _Read) -> _Read:
        try:
            return read(self._form.text(name))
        except (ValueError, OverflowError):
            self.wrong(name, what)
            return otherwise


_DAY: Final = "Write a date, such as 2026-11-17."
_Read = TypeVar("_Read")


def id_in(text: str) -> UUID | None:
    """The id that somebody typed or that stands in an address; nothing where it is none."""
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


def local_day(moment: datetime | None, zone: str, *, last: bool = False) -> str:
    """A moment for a date field: the day on which it lies, or with `last` the day that ends with it."""
    if moment is None:
        return ""
    shown = moment - timedelta(microseconds=1) if last else moment
    return shown.astimezone(zone_of(zone) or UTC).date().isoformat()


def local_minute(moment: datetime, zone: str) -> str:
    """A moment for a datetime-local field."""
    return moment.astimezone(zone_of(zone) or UTC).strftime("%Y-%m-%dT%H:%M")
