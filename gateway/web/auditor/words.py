"""What codes mean to an auditor: outcomes, states, choices. Other words: gateway/web/words.py and gateway/web/reasons.py."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.web.reasons import fix, reason
from gateway.web.words import kind, purpose
from scopes.vocabulary import Category, Purpose, Reason

PENDING: Final = "pending"
REFUSED: Final = "refused"
# Outcome -> title, tone.
OUTCOMES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "accepted": ("Accepted", "good"),
        "rejected": ("Rejected", "warn"),
        "failed": ("Failed", "bad"),
        "unknown": ("Unknown", "wait"),
        PENDING: ("Under way", "wait"),
        REFUSED: ("Refused", "off"),
    }
)
OUTCOME_MEANS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "accepted": "The recipient took it.",
        "rejected": "The recipient got it and said no; nothing happened there.",
        "failed": "It did not arrive, or its answer was refused.",
        "unknown": "It may have arrived: the recipient did not answer in time, or the gateway stopped meanwhile.",
        PENDING: "It is about to leave, or has just left; what came of it is not known yet.",
        REFUSED: "It was asked for and not let through. Nothing left.",
    }
)
DELIVERY_STATES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "waiting": ("Waiting", "wait"),
        "delivered": ("Delivered", "good"),
        "exhausted": ("Given up", "bad"),
        "refused": ("Refused", "off"),
        "cancelled": ("Cancelled", "off"),
    }
)


CATEGORY_CHOICES: Final = [("", "Any"), *((str(each), kind(each)) for each in Category)]
PURPOSE_CHOICES: Final = [("", "Any"), *((str(each), purpose(each)) for each in Purpose)]
REASON_CHOICES: Final = [("", "Any"), *((str(each), reason(each)) for each in Reason)]
OUTCOME_CHOICES: Final = [("", "Any that was let through"), *((each, title) for each, (title, _) in OUTCOMES.items())]
EVERY_WORD: Final[Mapping[str, object]] = MappingProxyType(
    {"outcomes": OUTCOMES, "purpose_of": purpose, "category_of": kind, "reason_of": reason, "fix_of": fix}
)
