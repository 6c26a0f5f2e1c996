"""What an auditor may search a clinic's year for: every filter and every pair of them, with common and with rare values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations
from typing import Any, Final
from uuid import UUID

from benchmarks.clinic_year import RARE_CATEGORY, RARE_REASON, RARE_RECIPIENT

_LAST_DAY, _FIRST_DAYS, HALF = (datetime(*day, tzinfo=UTC) for day in ((2026, 11, 24), (2025, 12, 5), (2026, 6, 1)))
_COMMON: Final = (
    {"connector": "family0/vendor0"}, {"connector": "family7/vendor39"}, {"purpose": "TREAT"}, {"purpose": "PATRQT"},
    {"since": _LAST_DAY}, {"until": _FIRST_DAYS}, {"until": HALF}, {"subject": UUID(int=1)}, {"subject": UUID(int=77)},
)  # fmt: skip
OF_DISCLOSURES: Final = (
    *_COMMON, {"recipient": "Recipient 0 Ltd"}, {"recipient": "Recipient 20 Ltd"}, {"recipient": RARE_RECIPIENT},
    {"category": "billing"}, {"category": RARE_CATEGORY}, {"outcome": "accepted"}, {"outcome": "rejected"},
    {"outcome": "unknown"}, {"outcome": "pending"},
)  # fmt: skip
OF_REFUSALS: Final = (*_COMMON, {"reason": "consent_missing"}, {"reason": RARE_REASON})


def filters(singles: tuple[dict[str, Any], ...]) -> Iterator[dict[str, Any]]:
    """None, each, and each pair of different fields."""
    yield {}
    yield from singles
    for one, other in combinations(singles, 2):
        if one.keys() != other.keys():
            yield {**one, **other}
