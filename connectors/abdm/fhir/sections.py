"""The sections of each kind of document, in their order, and which resources each takes. Makes no document.

Codes, words and titles are those that the records' profiles fix. Two sections of a consultation are of the later guide, which
2.0.1 lets stand beside its own: Referral and Other observations.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.abdm.fhir import rules
from connectors.abdm.fhir.draft import SNOMED, Body, coded, there
from connectors.abdm.fhir.invariants import parts
from connectors.abdm.fhir.kinds import CODES
from connectors.abdm.fhir.references import declared
from connectors.told import RecordKind


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its title, its code where it has one, and the sorts of resources (see sort_of) that it takes."""

    title: str
    code: tuple[str, str] | None
    takes: tuple[str, ...]
    profile: str | None = None
    """The one that its observations keep; None where they keep the plain one."""

    def of(self, entries: Iterable[Body]) -> list[Body]:
        """The section with these entries, in a list; none where it would be empty."""
        found = list(entries)
        if not found:
            return []
        return [there({"title": self.title, "code": coded(SNOMED, *self.code) if self.code else None, "entry": found})]


TITLES: Final = {
    RecordKind.PRESCRIPTION: "Prescription",
    RecordKind.DIAGNOSTIC_REPORT: "Diagnostic report",
    RecordKind.OP_CONSULTATION: "Consultation report",
    RecordKind.DISCHARGE_SUMMARY: "Discharge summary",
    RecordKind.IMMUNIZATION_RECORD: "Immunization record",
    RecordKind.HEALTH_DOCUMENT_RECORD: "Health document",
    RecordKind.WELLNESS_RECORD: "Wellness record",
    RecordKind.INVOICE: "Invoice",
}
"""Each kind's title; that of its section too, where it has one only."""
_VITAL, _BODY, _ACTIVITY = "ObservationVitalSigns", "ObservationBodyMeasurement", "ObservationPhysicalActivity"
_ASSESSMENT, _WOMEN, _LIFE = "ObservationGeneralAssessment", "ObservationWomenHealth", "ObservationLifestyle"
_OTHER, _PAST, _REFERRAL = "other Observation", "past Condition", "referring ServiceRequest"
_EXAMINED: Final = ("Observation", _VITAL, _BODY, _ASSESSMENT, _WOMEN)

_STAY: Final = {
    "complaints": Section("Chief complaints", ("422843007", "Chief complaint section"), ("Condition",)),
    "examination": Section("Physical examination", ("425044008", "Physical exam section"), _EXAMINED),
    "allergies": Section("Allergies", ("722446000", "Allergy record"), ("AllergyIntolerance",)),
}
_FAMILY: Final = Section("Family history", ("422432008", "Family history section"), ("FamilyMemberHistory",))
_FILE: Final = ("DocumentReference",)


def _only(kind: RecordKind, *takes: str) -> Mapping[str, Section]:
    """The sections of a kind that has one."""
    coded_alike = kind not in (RecordKind.DIAGNOSTIC_REPORT, RecordKind.INVOICE)
    return {"only": Section(TITLES[kind], CODES[kind] if coded_alike else None, takes)}


SECTIONS: Final[Mapping[RecordKind, Mapping[str, Section]]] = {
    RecordKind.PRESCRIPTION: _only(RecordKind.PRESCRIPTION, "MedicationRequest", "Binary"),
    RecordKind.DIAGNOSTIC_REPORT: _only(RecordKind.DIAGNOSTIC_REPORT, "DiagnosticReport", "DocumentReference"),
    RecordKind.OP_CONSULTATION: {
        **_STAY,
        "history": Section("Medical history", ("371529009", "History and physical report"), (_PAST,)),
        "family_history": _FAMILY,
        "advised": Section("Investigation advice", ("721963009", "Order document"), ("ServiceRequest",)),
        "medicines": Section(
            "Medications", ("721912009", "Medication summary document"), ("MedicationRequest", "MedicationStatement")
        ),
        "follow_up": Section("Follow-up", ("736271009", "Outpatient care plan"), ("Appointment",)),
        "procedures": Section("Procedures", ("371525003", "Clinical procedure report"), ("Procedure",)),
        "files": Section("Documents", CODES[RecordKind.OP_CONSULTATION], _FILE),
        # Those that the profile does not know stand behind all that it knows.
        "referrals": Section("Referral", ("306206005", "Referral to service"), (_REFERRAL,)),
        "others": Section("Other observations", ("404684003", "Clinical finding"), (_OTHER, _ACTIVITY, _LIFE)),
    },
    RecordKind.DISCHARGE_SUMMARY: {
        **_STAY,
        "history": Section("Medical history", ("1003642006", "Past medical history section"), (_PAST,)),
        "family_history": _FAMILY,
        "investigations": Section("Investigations", ("721981007", "Diagnostic studies report"), ("DiagnosticReport",)),
        "medicines": Section("Medications", ("1003606003", "Medication history section"), ("MedicationRequest",)),
        "procedures": Section("Procedures", ("1003640003", "History of past procedure section"), ("Procedure",)),
        "care_plan": Section("Care plan", ("734163000", "Care plan"), ("CarePlan",)),
        "files": Section("Documents", CODES[RecordKind.DISCHARGE_SUMMARY], _FILE),
    },
    RecordKind.IMMUNIZATION_RECORD: _only(
        RecordKind.IMMUNIZATION_RECORD, "Immunization", "ImmunizationRecommendation", "DocumentReference"
    ),
    RecordKind.HEALTH_DOCUMENT_RECORD: _only(RecordKind.HEALTH_DOCUMENT_RECORD, "DocumentReference"),
    # Sections are told by their titles, and each has its own profile of an observation.
    RecordKind.WELLNESS_RECORD: {
        "vital_signs": Section("Vital Signs", None, (_VITAL,), _VITAL),
        "body": Section("Body Measurement", None, (_BODY,), _BODY),
        "activity": Section("Physical Activity", None, (_ACTIVITY,), _ACTIVITY),
        "assessment": Section("General Assessment", None, (_ASSESSMENT,), _ASSESSMENT),
        "women_health": Section("Women Health", None, (_WOMEN,), _WOMEN),
        "lifestyle": Section("Lifestyle", None, (_LIFE,), _LIFE),
        "others": Section("Other Observations", None, ("Observation", _OTHER, "Condition", _PAST)),
        "files": Section("Document Reference", None, _FILE),
    },
    RecordKind.INVOICE: _only(RecordKind.INVOICE, "Invoice", "DocumentReference"),
}
"""By kind and by the name of the record's field: its sections."""

_BY_CATEGORY: Final = {"vital-signs": _VITAL, "activity": _ACTIVITY, "social-history": _LIFE, "exam": "Observation"}
_OVER: Final = frozenset({"inactive", "remission", "resolved"})
_REFERRALS: Final = frozenset({"306206005", "3457005"})
"""SNOMED CT: referral to service, patient referral."""


def section_of(kind: RecordKind, resource: Mapping[str, Any]) -> Section | None:
    """The section of such a document that takes a resource; None where none does."""
    sort = sort_of(resource)
    return next((each for each in SECTIONS[kind].values() if sort in each.takes), None)


def sort_of(resource: Mapping[str, Any]) -> str:
    """What a resource is, as sections tell them apart: its type, and where that is not enough, what it says of itself.

    An observation by the profile that it names, else by its category; an illness is past where it is on the problem list or
    over; an order refers somebody where its category or code says so.
    """
    kind = str(resource.get("resourceType"))
    if kind == "Observation":
        return _observation(resource)
    if kind == "Condition":
        over = _OVER & _codes(resource, "clinicalStatus")
        return _PAST if over or "problem-list-item" in _codes(resource, "category") else kind
    if kind == "ServiceRequest" and _REFERRALS & (_codes(resource, "category") | _codes(resource, "code")):
        return _REFERRAL
    return kind


def _observation(resource: Mapping[str, Any]) -> str:
    own = next((name for name in declared(resource) if rules.satisfies(name, "Observation")), "Observation")
    if own != "Observation":
        return own
    codes = _codes(resource, "category")
    known = next((sort for code, sort in _BY_CATEGORY.items() if code in codes), None)
    return known or (_OTHER if codes else "Observation")


def _codes(resource: Mapping[str, Any], name: str) -> set[str]:
    found = (coding for concept in parts(resource, name) for coding in parts(concept, "coding"))
    codes = (each.get("code") for each in found if isinstance(each, dict))
    return {code for code in codes if isinstance(code, str)}
