"""What a page of the log is narrowed to: read from an address or a form, checked, and written back. Searches nothing.

A subject stands in an address by its pseudonym alone; a host's own reference is only ever posted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Self
from urllib.parse import urlencode
from uuid import UUID

from gateway.errors import InvalidRequest
from gateway.flows.look import Search
from gateway.web.auditor.words import OUTCOMES, REFUSED
from scopes.fault import Fault
from scopes.vocabulary import Category, Purpose, Reason

_MOST: Final = 200
_FIRST: Final = date(2000, 1, 1)
_CLOSED: Final[Mapping[str, frozenset[str]]] = {
    "purpose": frozenset(Purpose),
    "category": frozenset(Category),
    "outcome": frozenset(OUTCOMES),
    "reason": frozenset(Reason),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """Each field as it stands in an address; what is empty narrows nothing.

    `since` and `until` are days in UTC, both of them included, or exact moments (2026-11-24T22:00Z).
    """

    subject: str = ""
    recipient: str = ""
    connector: str = ""
    purpose: str = ""
    category: str = ""
    outcome: str = ""
    reason: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Self:
        """Read it. Raises InvalidRequest with a fault for each field that means nothing."""
        told = cls(**{each.name: given.get(each.name, "").strip() for each in fields(cls)})
        if faults := list(told._faults()):
            raise InvalidRequest(faults=faults)
        return told

    @classmethod
    def typed(cls, given: Mapping[str, str]) -> Self:
        """The same unchecked, to show a form once more."""
        return cls(**{each.name: given.get(each.name, "").strip()[:_MOST] for each in fields(cls)})

    @property
    def refused(self) -> bool:
        """Whether refusals are looked for."""
        return self.outcome == REFUSED

    @property
    def given(self) -> dict[str, str]:
        """The fields that narrow, by name."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name))}

    @property
    def begins(self) -> datetime | None:
        """The first moment."""
        return _moment(self.since, after=0)

    @property
    def ends(self) -> datetime | None:
        """The first moment that does not belong to it."""
        return _moment(self.until, after=1)

    def search(self, *, before: UUID | None = None, limit: int = 50) -> Search:
        """What to look for."""
        return Search(
            subject=UUID(self.subject) if self.subject else None, recipient=self.recipient or None,
            connector=self.connector or None, purpose=self.purpose or None, category=self.category or None,
            outcome=None if self.refused else self.outcome or None, reason=self.reason or None,
            since=self.begins, until=self.ends, before=before, limit=limit,
        )  # fmt: skip

    def at(self, path: str, **changed: str) -> str:
        """An address of ours with this, changed here and there."""
        known = {each.name for each in fields(self)}
        told = replace(self, **{name: value for name, value in changed.items() if name in known})
        query = {**told.given, **{name: value for name, value in changed.items() if name not in known and value}}
        return f"{path}?{urlencode(query)}" if query else path

    def _faults(self) -> Any:
        for name, words in _CLOSED.items():
            if (value := getattr(self, name)) and value not in words:
                yield Fault(name, "Choose one of the list.")
        for name in ("recipient", "connector"):
            if (value := getattr(self, name)) and (len(value) > _MOST or not value.isprintable()):
                yield Fault(name, "Choose one of the list.")
        if self.subject and not _is_id(self.subject):
            yield Fault("subject", "Search for the person by the reference of your own software.")
        dated = [name for name in ("since", "until") if getattr(self, name)]
        wrong = [name for name in dated if not _is_moment(getattr(self, name))]
        yield from (Fault(name, "Give a day, such as 2026-11-24.") for name in wrong)
        if len(dated) == 2 and not wrong and self.begins >= self.ends:  # type: ignore[operator]
            yield Fault("until", "The last day lies before the first.")
        if self.refused:
            yield from (
                Fault(name, "Leave this open: nothing left, so that it does not narrow refusals.")
                for name in ("recipient", "category")
                if getattr(self, name)
            )


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _is_moment(text: str) -> bool:
    try:
        return _moment(text, after=1) is not None
    except (ValueError, OverflowError):
        return False


def _moment(text: str, *, after: int) -> datetime | None:
    """A day's beginning (so many days later), or an exact moment as it stands there."""
    if not text:
        return None
    if "T" in text:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("a moment names its offset")
        day = moment.date()
    else:
        day = date.fromisoformat(text)
        moment = datetime.combine(day + timedelta(days=after), time(), UTC)
    if day < _FIRST or len(text) > 32:
        raise ValueError("before there was anything")
    return moment


def cursor_of(text: str) -> UUID | None:
    """The row that a page begins after; nothing for what is no cursor of ours."""
    return UUID(text) if text and _is_id(text) else None
