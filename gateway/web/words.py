"""The closed words as people read them: kinds of data, roles in law, purposes, outcomes, countries. One place for all pages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from scopes.vocabulary import Category, Outcome, Purpose, Role

KINDS: Final[Mapping[str, str]] = {
    Category.IDENTITY: "Names",
    Category.IDENTIFIER: "Reference numbers",
    Category.CONTACT: "Contact details",
    Category.LOCATION: "Location",
    Category.APPOINTMENT: "Appointments",
    Category.CLINICAL: "Clinical",
    Category.MEDICATION: "Medication",
    Category.RESULT: "Test results",
    Category.IMAGING: "Imaging",
    Category.BILLING: "Billing",
    Category.INSURANCE: "Insurance",
    Category.STAFF: "Staff",
    Category.SCHEDULE: "Schedules",
    Category.FREE_TEXT: "Free text",
    Category.OPERATIONAL: "Operational",
}
ROLES: Final[Mapping[str, str]] = {
    Role.PROCESSOR: "Processor",
    Role.BUSINESS_ASSOCIATE: "Business associate",
    Role.INDEPENDENT_CONTROLLER: "Independent controller",
    Role.BANK: "Bank",
    Role.STATUTORY_NETWORK: "Statutory network",
}
OUTCOMES: Final[Mapping[str, str]] = {
    Outcome.ACCEPTED: "Accepted",
    Outcome.REJECTED: "Rejected",
    Outcome.FAILED: "Failed",
    Outcome.UNKNOWN: "Unknown",
}
_PURPOSES: Final[Mapping[str, str]] = {
    Purpose.TREAT: "treatment",
    Purpose.CAREMGT: "care management",
    Purpose.HPAYMT: "payment",
    Purpose.HOPERAT: "running the clinic",
    Purpose.PATADMIN: "patient administration",
    Purpose.HSYSADMIN: "running its systems",
    Purpose.PATRQT: "the patient's own request",
    Purpose.COVERAGE: "insurance cover",
    Purpose.ELIGVER: "checking insurance cover",
}
_LETTERS: Final = frozenset({"url", "id", "sms"})
_FAMILIES: Final[Mapping[str, str]] = {"abdm": "ABDM"}


def kind(category: str) -> str:
    """A kind of data."""
    return KINDS.get(category) or spoken(category)


def role(name: str) -> str:
    """What a recipient is in law."""
    return ROLES.get(name) or spoken(name)


def purpose(code: str) -> str:
    """What data is used for, with HL7's code where it has another word than ours."""
    return f"{_PURPOSES[code]} ({code})" if code in _PURPOSES else code


def family(name: str) -> str:
    """A family of connectors."""
    return _FAMILIES.get(name) or spoken(name)


def spoken(word: str) -> str:
    """A name of ours as a word: send_reminder is Send reminder."""
    plain = word.replace("_", " ").replace("[]", "").replace(".", ", ").strip()
    said = " ".join(each.upper() if each in _LETTERS else each for each in plain.split())
    return said[:1].upper() + said[1:]


@lru_cache(maxsize=512)
def country(code: str) -> str:
    """A country by its ISO 3166 code; the code itself where there is none."""
    from babel import Locale  # 0.1 s; only pages need it

    return str(Locale("en").territories.get(code, code)) if len(code) == 2 else code or "Unknown"


def countries(codes: tuple[str, ...] | list[str]) -> str:
    """Several of them."""
    return ", ".join(map(country, codes))
