"""What a recipient signed: a BAA or a DPA, for which of its services, from when until when. Keeps no contract text."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from scopes.vocabulary import Reason


class AgreementKind(StrEnum):
    """What was signed; the list only grows at the end."""

    BAA = "baa"
    """A business associate agreement: HIPAA 164.504(e)."""
    DPA = "dpa"
    """A data processing agreement: GDPR 28(3), DPDP s.8(2)."""


EXPIRES_SOON: Final = timedelta(days=30)
"""How long before its end a clinic is told that an agreement has one."""


class Need(StrEnum):
    """When an action needs an agreement with its recipient."""

    ALWAYS = "always"
    """Its connector says so."""
    BY_LAW = "by_law"
    """Where the clinic's law asks for one, for data about patients."""
    NEVER = "never"
    """Its connector says, and says why, that it hands over nothing that an agreement is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One agreement with one recipient: a connector, or a vendor's endpoint."""

    id: str
    kind: AgreementKind
    recipient: str
    services: frozenset[str]
    since: datetime
    until: datetime | None = None

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.until is not None and self.until <= now

    def in_force(self, now: datetime) -> bool:
        """Whether it holds at this moment."""
        return self.since <= now and not self.expired(now)

    def days_left(self, now: datetime) -> int | None:
        """How many whole days it still holds; None of one without an end, 0 of one that is over or ends today."""
        return max((self.until - now).days, 0) if self.until is not None else None

    def expires_soon(self, now: datetime) -> bool:
        """Whether it holds, and ends within the time in which a clinic is told."""
        return self.in_force(now) and self.until is not None and self.until - now <= EXPIRES_SOON

    def covers(self, service: str | None) -> bool:
        """Whether the service is covered; an action that names none is covered by the agreement as such."""
        return service is None or service in self.services


def of_kind(agreements: Iterable[Agreement], kind: AgreementKind | None) -> list[Agreement]:
    """The agreements of the kind that the law asks for; of any kind where it asks for none in particular."""
    return [each for each in agreements if kind is None or each.kind is kind]


def lacking(agreements: Iterable[Agreement], *, now: datetime) -> Reason | None:
    """Why none of the agreements holds; None where one does."""
    signed = list(agreements)
    if any(each.in_force(now) for each in signed):
        return None
    if any(each.expired(now) for each in signed):
        return Reason.AGREEMENT_EXPIRED
    return Reason.AGREEMENT_MISSING
