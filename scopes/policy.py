"""What a clinic's law and its own rules ask of every recipient: which agreement, where, when and how often."""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Final

from scopes.agreement import AgreementKind
from scopes.cap import Cap
from scopes.consent import Channel
from scopes.quiet import QuietHours
from scopes.vocabulary import Category

# HIPAA 164.504(e). Laws that only ask a processor for a contract are the connector's to name (agreements.needed).
BY_LAW: Final = {"US": AgreementKind.BAA}
ABOUT_PATIENTS: Final = frozenset(Category) - {Category.STAFF, Category.SCHEDULE, Category.OPERATIONAL}
# Meta signs no BAA for WhatsApp, so no agreement on file can cover it; whatever stands there covers something else.
BARRED_CHANNELS: Final = {"US": frozenset({Channel.WHATSAPP})}
UTC: Final = "UTC"
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One clinic's; ``allowed_regions`` None means that it has no rule about regions, an empty set that none is allowed."""

    jurisdiction: str | None = None
    allowed_regions: frozenset[str] | None = None
    version: int = 0
    time_zone: str = UTC
    """The clinic's own, an IANA name; it counts for people whose consent names none."""
    quiet_hours: QuietHours | None = None
    caps: tuple[Cap, ...] = ()

    @property
    def agreement_kind(self) -> AgreementKind | None:
        """The kind of agreement that the law asks for before data about patients leaves, if any."""
        return BY_LAW.get(self.jurisdiction) if self.jurisdiction is not None else None

    def demands_agreement(self, categories: Set[Category]) -> bool:
        """Whether the law asks for an agreement before data of these categories leaves."""
        return self.agreement_kind is not None and not ABOUT_PATIENTS.isdisjoint(categories)

    def bars(self, channel: Channel, categories: Set[Category]) -> bool:
        """Whether the law lets no data of these categories go over a channel, whatever is agreed."""
        barred = BARRED_CHANNELS.get(self.jurisdiction) if self.jurisdiction is not None else None
        return barred is not None and channel in barred and not ABOUT_PATIENTS.isdisjoint(categories)

    def caps_on(self, channel: Channel) -> list[Cap]:
        """The caps that hold for a channel."""
        return [cap for cap in self.caps if cap.holds_for(channel)]

    def outside(self, regions: Iterable[str]) -> list[str]:
        """The regions that are not allowed, in order; a recipient that names none may keep the data anywhere."""
        if self.allowed_regions is None:
            return []
        return sorted(set(regions) - self.allowed_regions) or ([] if any(True for _ in regions) else [_UNKNOWN])
