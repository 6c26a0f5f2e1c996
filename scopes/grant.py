"""What one tenant allowed one connection. Nothing is granted by default; the vendor's own scopes are in provider.py."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """The features a clinic switched on, and the fields it keeps at home although the connector declares them."""

    features: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    """Schema paths that must not leave, such as ``line_items[].name``."""
    version: int = 0
    free_text: frozenset[str] = frozenset()
    """Schema paths of the free text that the clinic switched on; it leaves screened, all other stays at home."""
    expires_at: datetime | None = None

    def holds_back(self, free_text_paths: Iterable[str]) -> frozenset[str]:
        """Name every path to withhold: what the clinic withheld, and the free text that it did not switch on."""
        return self.withheld | (frozenset(free_text_paths) - self.free_text)

    def covers(self, feature: str, *, now: datetime) -> bool:
        """Tell whether the clinic switched this feature on and has not let it run out."""
        return feature in self.features and (self.expires_at is None or now < self.expires_at)
