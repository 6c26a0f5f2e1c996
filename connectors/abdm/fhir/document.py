"""A document of one of ABDM's eight health-information types, made from a clinic's record. Checks nothing: check() does."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from connectors.abdm.fhir.draft import SNOMED, Body, Draft, coded, instant, there
from connectors.abdm.fhir.kinds import CODES, RECORDS, TEXTS
from connectors.abdm.fhir.people import Facility
from connectors.abdm.fhir.records import (
    MODELS,
    BillRecord,
    ConsultationRecord,
    DiagnosticReportRecord,
    DischargeRecord,
    DocumentRecord,
    PrescriptionRecord,
    Record,
    VaccinationRecord,
    WellnessRecord,
)
from connectors.abdm.fhir.resources import Resources
from connectors.abdm.fhir.rules import CANONICAL
from connectors.told import RecordKind
from scopes.money import MINOR_DIGITS

_TITLES: Final = {
    RecordKind.PRESCRIPTION: "Prescription",
    RecordKind.DIAGNOSTIC_REPORT: "Diagnostic report",
    RecordKind.OP_CONSULTATION: "Consultation report",
    RecordKind.DISCHARGE_SUMMARY: "Discharge summary",
    RecordKind.IMMUNIZATION_RECORD: "Immunization record",
    RecordKind.HEALTH_DOCUMENT_RECORD: "Health document",
    RecordKind.WELLNESS_RECORD: "Wellness record",
    RecordKind.INVOICE: "Invoice",
}


def document(kind: RecordKind, record: Record, *, id: UUID, now: datetime, facility: Facility) -> Body:  # noqa: A002
    """The document bundle of a record. The same record, id and moment give the same bundle, to the letter."""
    if type(record) is not MODELS[kind]:
        raise TypeError(f"a document of {kind} is made from {MODELS[kind].__name__}")
    draft = Draft(id, record.written_at)
    resources = Resources(draft, patient=record.patient, doctor=record.author, facility=facility)
    visit = resources.visit(record.visit) if record.visit is not None else None
    sections = list(_SECTIONS[kind](record, resources))
    composition = Draft(id, record.written_at)
    composition.add("Composition", _composition(kind, record, resources, visit, sections), profile=RECORDS[kind])
    return {
        "resourceType": "Bundle",
        "id": str(id),
        "meta": {
            "versionId": "1",
            "lastUpdated": instant(now),
            "profile": [f"{CANONICAL}/DocumentBundle"],
        },
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid5(id, 'document')}"},
        "type": "document",
        "timestamp": instant(now),
        "entry": [*composition.entries, *draft.entries],
    }


def _composition(
    kind: RecordKind, record: Record, resources: Resources, visit: Body | None, sections: list[Body]
) -> dict[str, Any]:
    """The document's first resource: what it is, whose, from whom, and where its parts are."""
    written = instant(record.written_at)
    return {
        "status": "final",
        "type": {**_coded(kind), "text": TEXTS.get(kind, _TITLES[kind])},
        "subject": resources.patient,
        "encounter": visit,
        "date": written,
        "author": [resources.doctor],
        "title": _TITLES[kind],
        # ABDM: the clinic itself attests, under its id in the network.
        "attester": [{"mode": "official", "time": written, "party": resources.facility}],
        "custodian": resources.facility,
        "section": sections,
    }


def _coded(kind: RecordKind) -> Body:
    return coded(SNOMED, *CODES[kind]) if kind in CODES else {}


def _section(title: str, entries: Iterable[Body], code: tuple[str, str] | None = None) -> Iterator[Body]:
    """A section, unless it would be empty."""
    found = list(entries)
    if found:
        yield there({"title": title, "code": coded(SNOMED, *code) if code else None, "entry": found})


def _prescription(record: PrescriptionRecord, make: Resources) -> Iterator[Body]:
    entries = [make.medicine(each) for each in record.medicines]
    if record.scan is not None:
        entries.append(make.binary(record.scan))
    yield from _section(_TITLES[RecordKind.PRESCRIPTION], entries, CODES[RecordKind.PRESCRIPTION])


def _diagnostic(record: DiagnosticReportRecord, make: Resources) -> Iterator[Body]:
    entries = [make.report(record.report)]
    if record.file is not None:
        entries.append(make.file(record.file))
    yield from _section(_TITLES[RecordKind.DIAGNOSTIC_REPORT], entries)


# The codes and words of a section are those that the record's profile fixes.
def _consultation(record: ConsultationRecord, make: Resources) -> Iterator[Body]:
    complaint, examination = ("422843007", "Chief complaint section"), ("425044008", "Physical exam section")
    allergy, history = ("722446000", "Allergy record"), ("371529009", "History and physical report")
    follow_up = [make.follow_up(record.follow_up)] if record.follow_up is not None else []
    yield from _section("Chief complaints", map(make.condition, record.complaints), complaint)
    yield from _section("Physical examination", map(make.result, record.examination), examination)
    yield from _section("Allergies", map(make.allergy, record.allergies), allergy)
    yield from _section("Medical history", map(make.condition, record.history), history)
    yield from _family(record.family_history, make)
    yield from _section("Investigation advice", map(make.advised, record.advised), ("721963009", "Order document"))
    medication = ("721912009", "Medication summary document")
    yield from _section("Medications", map(make.medicine, record.medicines), medication)
    yield from _section("Follow-up", follow_up, ("736271009", "Outpatient care plan"))
    procedure = ("371525003", "Clinical procedure report")
    yield from _section("Procedures", map(make.procedure, record.procedures), procedure)
    yield from _section("Documents", map(make.file, record.files), CODES[RecordKind.OP_CONSULTATION])


def _discharge(record: DischargeRecord, make: Resources) -> Iterator[Body]:
    complaint, examination = ("422843007", "Chief complaint section"), ("425044008", "Physical exam section")
    allergy, history = ("722446000", "Allergy record"), ("1003642006", "Past medical history section")
    plan = [make.care_plan(record.care_plan)] if record.care_plan is not None else []
    yield from _section("Chief complaints", map(make.condition, record.complaints), complaint)
    yield from _section("Physical examination", map(make.result, record.examination), examination)
    yield from _section("Allergies", map(make.allergy, record.allergies), allergy)
    yield from _section("Medical history", map(make.condition, record.history), history)
    yield from _family(record.family_history, make)
    investigation = ("721981007", "Diagnostic studies report")
    yield from _section("Investigations", map(make.report, record.investigations), investigation)
    medication = ("1003606003", "Medication history section")
    yield from _section("Medications", map(make.medicine, record.medicines), medication)
    procedure = ("1003640003", "History of past procedure section")
    yield from _section("Procedures", map(make.procedure, record.procedures), procedure)
    yield from _section("Care plan", plan, ("734163000", "Care plan"))
    yield from _section("Documents", map(make.file, record.files), CODES[RecordKind.DISCHARGE_SUMMARY])


def _family(relatives: Iterable[Any], make: Resources) -> Iterator[Body]:
    yield from _section("Family history", map(make.relative, relatives), ("422432008", "Family history section"))


def _vaccination(record: VaccinationRecord, make: Resources) -> Iterator[Body]:
    entries = [make.vaccine(each) for each in record.vaccines]
    if record.due:
        entries.append(make.due(record.due))
    entries += [make.file(each) for each in record.files]
    yield from _section(_TITLES[RecordKind.IMMUNIZATION_RECORD], entries, CODES[RecordKind.IMMUNIZATION_RECORD])


def _documents(record: DocumentRecord, make: Resources) -> Iterator[Body]:
    code = CODES[RecordKind.HEALTH_DOCUMENT_RECORD]
    yield from _section(_TITLES[RecordKind.HEALTH_DOCUMENT_RECORD], map(make.file, record.files), code)


def _wellness(record: WellnessRecord, make: Resources) -> Iterator[Body]:
    """Sections are told by their titles, and each has its own profile of an observation."""
    for title, profile, results in (
        ("Vital Signs", "ObservationVitalSigns", record.vital_signs),
        ("Body Measurement", "ObservationBodyMeasurement", record.body),
        ("Physical Activity", "ObservationPhysicalActivity", record.activity),
    ):
        yield from _section(title, [make.result(each, profile=profile) for each in results])
    words, assessment = "valueCodeableConcept", "ObservationGeneralAssessment"
    assessed = [make.result(each, profile=assessment, words=words) for each in record.assessment]
    yield from _section("General Assessment", assessed)
    women = [make.result(each, profile="ObservationWomenHealth") for each in record.women_health]
    yield from _section("Women Health", women)
    yield from _section("Lifestyle", map(make.habit, record.lifestyle))
    yield from _section("Other Observations", map(make.result, record.others))
    yield from _section("Document Reference", map(make.file, record.files))


def _bill(record: BillRecord, make: Resources) -> Iterator[Body]:
    def money(minor: int) -> Body:
        digits = MINOR_DIGITS[record.currency]
        return {"value": minor / 10**digits if digits else minor, "currency": record.currency}

    lines = [
        {
            "sequence": number,
            "chargeItemCodeableConcept": {"text": line.text},
            "priceComponent": [
                {"type": "base", "amount": money(line.amount_minor)},
                *([{"type": "tax", "amount": money(line.tax_minor)}] if line.tax_minor else []),
            ],
        }
        for number, line in enumerate(record.lines, 1)
    ]
    net = sum(line.amount_minor for line in record.lines)
    body = {
        "identifier": [{"value": record.number}],
        "status": record.status.value,
        "subject": make.patient,
        "date": instant(record.written_at),
        "issuer": make.facility,
        "lineItem": lines,
        "totalNet": money(net),
        "totalGross": money(net + sum(line.tax_minor or 0 for line in record.lines)),
    }
    entries = [make.draft.add("Invoice", body)]
    if record.file is not None:
        entries.append(make.file(record.file))
    yield from _section(_TITLES[RecordKind.INVOICE], entries)


_SECTIONS: Final[Mapping[RecordKind, Callable[[Any, Resources], Iterator[Body]]]] = {
    RecordKind.PRESCRIPTION: _prescription,
    RecordKind.DIAGNOSTIC_REPORT: _diagnostic,
    RecordKind.OP_CONSULTATION: _consultation,
    RecordKind.DISCHARGE_SUMMARY: _discharge,
    RecordKind.IMMUNIZATION_RECORD: _vaccination,
    RecordKind.HEALTH_DOCUMENT_RECORD: _documents,
    RecordKind.WELLNESS_RECORD: _wellness,
    RecordKind.INVOICE: _bill,
}
