"""What a document is: its health-information type. What kinds of data it holds, and from when, are contents.py's."""

from collections.abc import Mapping
from typing import Any, Final

from connectors.abdm.fhir import rules
from connectors.abdm.fhir.invariants import parts
from connectors.told import RecordKind

RECORDS: Final[Mapping[RecordKind, str]] = {
    RecordKind.PRESCRIPTION: "PrescriptionRecord",
    RecordKind.DIAGNOSTIC_REPORT: "DiagnosticReportRecord",
    RecordKind.OP_CONSULTATION: "OPConsultRecord",
    RecordKind.DISCHARGE_SUMMARY: "DischargeSummaryRecord",
    RecordKind.IMMUNIZATION_RECORD: "ImmunizationRecord",
    RecordKind.HEALTH_DOCUMENT_RECORD: "HealthDocumentRecord",
    RecordKind.WELLNESS_RECORD: "WellnessRecord",
    RecordKind.INVOICE: "InvoiceRecord",
}
"""The profile of each type's Composition."""
CODES: Final[Mapping[RecordKind, tuple[str, str]]] = {
    RecordKind.PRESCRIPTION: ("440545006", "Prescription record"),
    RecordKind.DIAGNOSTIC_REPORT: ("721981007", "Diagnostic studies report"),
    RecordKind.OP_CONSULTATION: ("371530004", "Clinical consultation report"),
    RecordKind.DISCHARGE_SUMMARY: ("373942005", "Discharge summary"),
    RecordKind.IMMUNIZATION_RECORD: ("41000179103", "Immunization record"),
    RecordKind.HEALTH_DOCUMENT_RECORD: ("419891008", "Record artifact"),
}
"""SNOMED CT's code and term of each type that has one (Composition.type)."""
TEXTS: Final[Mapping[RecordKind, str]] = {
    RecordKind.WELLNESS_RECORD: "Wellness Record",
    RecordKind.INVOICE: "Invoice Record",
}
"""The text that tells the others (Composition.type.text)."""
_OF_PROFILE: Final = {name: kind for kind, name in RECORDS.items()}
_OF_CODE: Final = {code: kind for kind, (code, _) in CODES.items()}
_OF_TEXT: Final = {text: kind for kind, text in TEXTS.items()}


def composition_of(bundle: object) -> Mapping[str, Any] | None:
    """A document's first resource, if it is a Composition."""
    first = next(parts(bundle, "entry"), None)
    resource = first.get("resource") if isinstance(first, dict) else None
    return resource if isinstance(resource, dict) and resource.get("resourceType") == "Composition" else None


def hi_type(bundle: object) -> RecordKind | None:
    """The type that a document says it is, by its Composition's profile, else by its type; None if it is none of them."""
    composition = composition_of(bundle)
    if composition is None:
        return None
    for canonical in parts(composition.get("meta"), "profile"):
        if (kind := _OF_PROFILE.get(rules.known(canonical) or "")) is not None:
            return kind
    written = composition.get("type")
    for coding in parts(written, "coding"):
        code = coding.get("code") if isinstance(coding, dict) else None
        if isinstance(code, str) and code in _OF_CODE:
            return _OF_CODE[code]
    text = written.get("text") if isinstance(written, dict) else None
    return _OF_TEXT.get(text) if isinstance(text, str) else None
