"""What a person agreed to, and whether it still holds for one purpose and channel. Keeps no evidence and no person."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from scopes.vocabulary import Purpose, Reason


class Channel(StrEnum):
    """The way on which a person is reached; the list only grows at the end."""

    SMS = "sms"
    WHATSAPP = "whatsapp"
    EMAIL = "email"
    VOICE = "voice"
    PORTAL = "portal"
    RECORDS = "records"
    """A network of health records, where the person consents themselves: nobody is reached, and nobody records it by hand."""


REACHING: Final = tuple(channel for channel in Channel if channel is not Channel.RECORDS)
"""The channels on which the clinic itself reaches people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One consent; a purpose or a channel that it does not name is not consented to."""

    id: str
    purposes: frozenset[Purpose]
    channels: frozenset[Channel]
    given_at: datetime
    expires_at: datetime | None = None
    withdrawn_at: datetime | None = None
    time_zone: str | None = None
    """Where the person lives, by an IANA name; None where that was not said."""

    def names(self, purpose: Purpose, channel: Channel) -> bool:
        """Whether it is about this purpose on this channel at all."""
        return purpose in self.purposes and channel in self.channels

    @property
    def withdrawn(self) -> bool:
        """Whether it was taken back. No clock is asked: one that runs late must not let a message through."""
        return self.withdrawn_at is not None

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now

    def in_force(self, now: datetime) -> bool:
        """Whether it holds: given, not withdrawn, not expired."""
        return self.given_at <= now and not self.withdrawn and not self.expired(now)


def in_force(consents: Iterable[Consent], purpose: Purpose, channel: Channel, *, now: datetime) -> Consent | None:
    """The first consent that allows this purpose on this channel."""
    return next((each for each in consents if each.names(purpose, channel) and each.in_force(now)), None)


def time_zone(consents: Iterable[Consent], purpose: Purpose, channel: Channel, *, now: datetime) -> str | None:
    """Where the person lives, by the newest consent that allows this and says so."""
    saying = [each for each in consents if each.time_zone and each.names(purpose, channel) and each.in_force(now)]
    return max(saying, key=lambda each: each.given_at).time_zone if saying else None


def lacking(consents: Iterable[Consent], purpose: Purpose, channel: Channel, *, now: datetime) -> Reason | None:
    """Why no consent allows this purpose on this channel, the most telling reason; None where one does."""
    about = [each for each in consents if each.names(purpose, channel)]
    if any(each.in_force(now) for each in about):
        return None
    if any(each.withdrawn for each in about):
        return Reason.CONSENT_WITHDRAWN
    if any(each.expired(now) for each in about):
        return Reason.CONSENT_EXPIRED
    return Reason.CONSENT_MISSING
