"""The closed words as people read them: kinds of data, roles in law, purposes, outcomes, countries. One place for all pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final
from zoneinfo import available_timezones

from connectors.told import RecordKind
from scopes.agreement import AgreementKind
from scopes.consent import Channel
from scopes.vocabulary import Category, Outcome, Role

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
# The display names of HL7 v3 PurposeOfUse, shortened where a person knows them by less.
PURPOSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "TREAT": "Treatment", "CLINTRL": "Clinical trial", "COC": "Coordination of care", "ETREAT": "Emergency treatment",
        "BTG": "Break the glass", "ERTREAT": "Emergency room treatment", "POPHLTH": "Population health",
        "TREATDS": "Treatment and disease management", "HPAYMT": "Payment", "CLMATTCH": "Claim attachment",
        "COVAUTH": "Coverage authorization", "COVERAGE": "Coverage under a policy", "ELIGDTRM": "Eligibility determination",
        "ELIGVER": "Eligibility verification", "ENROLLM": "Enrollment", "MILDCRG": "Military discharge",
        "REMITADV": "Remittance advice", "PMTDS": "Payment and disease management", "HOPERAT": "Operations of the clinic",
        "CAREMGT": "Care management", "DONAT": "Donation", "FRAUD": "Fraud detection", "GOV": "Government",
        "HACCRED": "Accreditation", "HCOMPL": "Compliance", "HDECD": "Notices about a deceased person",
        "HDIRECT": "Directory of services", "HDM": "Administration of health care", "HLEGAL": "Legal",
        "HOUTCOMS": "Outcome measures", "HPRGRP": "Program reporting", "HQUALIMP": "Quality improvement",
        "HSYSADMIN": "System administration", "LABELING": "Labeling", "METAMGT": "Metadata management",
        "MEMADMIN": "Member administration", "MILCDM": "Military command", "PATADMIN": "Patient administration",
        "PATSFTY": "Patient safety", "PERFMSR": "Performance measures", "RECORDMGT": "Records management",
        "SYSDEV": "System development", "HTEST": "Test data", "TRAIN": "Training", "MLTRAINING": "Training of models",
        "PATRQT": "The patient's own request", "FAMRQT": "The family's request", "PWATRNY": "Power of attorney",
        "SUPNWK": "Support network", "PUBHLTH": "Public health", "DISASTER": "Disaster", "THREAT": "Threat",
        "HRESCH": "Research", "BIORCH": "Biomedical research", "CLINTRCH": "Clinical trial research",
        "DSRCH": "Disease research", "POARCH": "Population origins research", "TRANSRCH": "Translational research",
        "HMARKT": "Marketing",
    }
)  # fmt: skip
CHANNELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Channel.SMS: "SMS",
        Channel.WHATSAPP: "WhatsApp",
        Channel.EMAIL: "E-mail",
        Channel.VOICE: "Telephone",
        Channel.PORTAL: "Patient portal",
        Channel.RECORDS: "Network of health records",
    }
)
# A network's kinds of documents (RecordKind).
RECORD_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        RecordKind.PRESCRIPTION: "Prescription",
        RecordKind.DIAGNOSTIC_REPORT: "Diagnostic report",
        RecordKind.OP_CONSULTATION: "Consultation",
        RecordKind.DISCHARGE_SUMMARY: "Discharge summary",
        RecordKind.IMMUNIZATION_RECORD: "Immunization record",
        RecordKind.HEALTH_DOCUMENT_RECORD: "Other health document",
        RecordKind.WELLNESS_RECORD: "Wellness record",
        RecordKind.INVOICE: "Invoice",
    }
)
AGREEMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {AgreementKind.BAA: "Business associate agreement (BAA)", AgreementKind.DPA: "Data processing agreement (DPA)"}
)
_LETTERS: Final = frozenset({"url", "id", "sms"})
_FAMILIES: Final[Mapping[str, str]] = {"abdm": "ABDM"}


def kind(category: str) -> str:
    """A kind of data."""
    return KINDS.get(category) or spoken(category)


def record_kind(name: str) -> str:
    """A kind of document."""
    return RECORD_KINDS.get(name) or spoken(name)


def role(name: str) -> str:
    """What a recipient is in law."""
    return ROLES.get(name) or spoken(name)


def purpose(code: str) -> str:
    """What data is used for, with HL7's code where it has another word than ours."""
    return f"{PURPOSES[code]} ({code})" if code in PURPOSES else code


def purposes(codes: Iterable[str]) -> str:
    """Several purposes in words."""
    return ", ".join(PURPOSES.get(str(code), str(code)) for code in codes)


def family(name: str) -> str:
    """A family of connectors."""
    return _FAMILIES.get(name) or spoken(name)


def spoken(word: str) -> str:
    """A name of ours as a word: send_reminder is Send reminder."""
    plain = word.replace("_", " ").replace("[]", "").replace(".", ", ").strip()
    said = " ".join(each.upper() if each in _LETTERS else each for each in plain.split())
    return said[:1].upper() + said[1:]


@cache
def every_country() -> Mapping[str, str]:
    """Every country by its two letters, in the order of their names; imports Babel when it is first asked."""
    from babel import Locale

    named = {code: str(name) for code, name in Locale("en").territories.items() if len(code) == 2 and code.isalpha()}
    named = {code: name for code, name in named.items() if code not in ("EU", "EZ", "UN", "ZZ", "XA", "XB", "QO")}
    return MappingProxyType(dict(sorted(named.items(), key=lambda pair: pair[1])))


def country(code: str) -> str:
    """What a country is called; its code where it has no name."""
    return every_country().get(code, code) or "Unknown"


def countries(codes: tuple[str, ...] | list[str]) -> str:
    """Several of them."""
    return ", ".join(map(country, codes))


@cache
def zones() -> tuple[str, ...]:
    """The time zones that a person may choose: those of places, and UTC."""
    kept = {name for name in available_timezones() if "/" in name and name.partition("/")[0] in _CONTINENTS}
    return ("UTC", *sorted(kept))


_CONTINENTS: Final = frozenset(
    {"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)
