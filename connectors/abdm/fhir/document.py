"""A document of one of ABDM's eight health-information types, made from a clinic's record. Checks nothing: check() does."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from connectors.abdm.fhir.draft import Body, Draft, instant
from connectors.abdm.fhir.envelope import Cover, enveloped
from connectors.abdm.fhir.parts import Result
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
from connectors.abdm.fhir.sections import SECTIONS
from connectors.told import RecordKind
from scopes.money import MINOR_DIGITS

Parts = Iterator[tuple[str, Iterable[Body]]]
"""References to what goes into each section, by the section's name."""


def document(kind: RecordKind, record: Record, *, id: UUID, now: datetime, facility: Facility) -> Body:  # noqa: A002
    """The document bundle of a record. The same record, id and moment give the same bundle, to the letter."""
    if type(record) is not MODELS[kind]:
        raise TypeError(f"a document of {kind} is made from {MODELS[kind].__name__}")
    draft = Draft(id)
    resources = Resources(draft, record, facility)
    visit = resources.visit(record.visit) if record.visit is not None else None
    cover = Cover(
        kind=kind,
        patient=resources.patient,
        authors=[resources.doctor],
        visit=visit,
        facility=resources.facility,
        written=instant(record.written_at),
        sections=[
            each for name, entries in _PARTS[kind](record, resources) for each in SECTIONS[kind][name].of(entries)
        ],
    )
    return enveloped(cover, draft.entries, id=id, now=now)


def _prescription(record: PrescriptionRecord, make: Resources) -> Parts:
    yield (
        "only",
        [
            *map(make.medicine, record.medicines),
            *([make.binary(record.scan)] if record.scan is not None else []),
        ],
    )


def _diagnostic(record: DiagnosticReportRecord, make: Resources) -> Parts:
    yield "only", [make.report(record.report), *([make.file(record.file)] if record.file is not None else [])]


def _stay(record: ConsultationRecord | DischargeRecord, make: Resources) -> Parts:
    yield "complaints", map(make.condition, record.complaints)
    yield "examination", map(make.result, record.examination)
    yield "allergies", map(make.allergy, record.allergies)
    yield "history", map(make.condition, record.history)
    yield "family_history", map(make.relative, record.family_history)


def _consultation(record: ConsultationRecord, make: Resources) -> Parts:
    yield from _stay(record, make)
    yield "advised", map(make.advised, record.advised)
    yield "medicines", map(make.medicine, record.medicines)
    yield "follow_up", [make.follow_up(record.follow_up)] if record.follow_up is not None else []
    yield "procedures", map(make.procedure, record.procedures)
    yield "files", map(make.file, record.files)


def _discharge(record: DischargeRecord, make: Resources) -> Parts:
    yield from _stay(record, make)
    yield "investigations", map(make.report, record.investigations)
    yield "medicines", map(make.medicine, record.medicines)
    yield "procedures", map(make.procedure, record.procedures)
    yield "care_plan", [make.care_plan(record.care_plan)] if record.care_plan is not None else []
    yield "files", map(make.file, record.files)


def _vaccination(record: VaccinationRecord, make: Resources) -> Parts:
    yield (
        "only",
        [
            *map(make.vaccine, record.vaccines),
            *([make.due(record.due)] if record.due else []),
            *map(make.file, record.files),
        ],
    )


def _documents(record: DocumentRecord, make: Resources) -> Parts:
    yield "only", map(make.file, record.files)


def _wellness(record: WellnessRecord, make: Resources) -> Parts:
    for name in ("vital_signs", "body", "activity", "assessment", "women_health"):
        profile = SECTIONS[RecordKind.WELLNESS_RECORD][name].profile or "Observation"
        # A general assessment is the one that takes a finding as a concept.
        words = "valueCodeableConcept" if name == "assessment" else "valueString"
        results: tuple[Result, ...] = getattr(record, name)
        yield name, [make.result(each, profile=profile, words=words) for each in results]
    yield "lifestyle", map(make.habit, record.lifestyle)
    yield "others", map(make.result, record.others)
    yield "files", map(make.file, record.files)


def _bill(record: BillRecord, make: Resources) -> Parts:
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
    file = [make.file(record.file)] if record.file is not None else []
    yield "only", [make.draft.add("Invoice", body), *file]


_PARTS: Final[Mapping[RecordKind, Callable[[Any, Resources], Parts]]] = {
    RecordKind.PRESCRIPTION: _prescription,
    RecordKind.DIAGNOSTIC_REPORT: _diagnostic,
    RecordKind.OP_CONSULTATION: _consultation,
    RecordKind.DISCHARGE_SUMMARY: _discharge,
    RecordKind.IMMUNIZATION_RECORD: _vaccination,
    RecordKind.HEALTH_DOCUMENT_RECORD: _documents,
    RecordKind.WELLNESS_RECORD: _wellness,
    RecordKind.INVOICE: _bill,
}
