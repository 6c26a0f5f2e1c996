"""Records as any clinic might hand them in: hypothesis draws every model of the eight kinds, whole."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st

from connectors.abdm.fhir import MODELS, Facility, Record
from connectors.abdm.fhir.fields import MediaType
from connectors.abdm.fhir.parts import InvoiceStatus
from connectors.abdm.fhir.people import Gender, VisitKind
from connectors.told import RecordKind
from scopes.money import MINOR_DIGITS
from tests.connectors.abdm.records import PDF

Values = dict[str, Any]
WORDS = st.one_of(
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=60).filter(
        lambda it: it.strip()
    ),
    st.sampled_from(
        ["Fever", "ज्वर", "call +91 98180 12345", "a@b.example", "x" * 500, " spaced ", "<b>&\"'", "\ufeff", "\u200d"]
    ),
)
MOMENTS = st.datetimes(datetime(1901, 1, 1), datetime(2198, 12, 31), timezones=st.sampled_from([UTC]) | st.timezones())
DAYS = st.dates(date(1900, 1, 1), date(2199, 12, 31))
SNOMED = st.from_regex(r"[1-9][0-9]{5,17}", fullmatch=True)
LOINC = st.from_regex(r"[0-9]{1,7}-[0-9]", fullmatch=True)
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?", fullmatch=True)
IDENTIFIERS = st.from_regex(r"[0-9A-Za-z]([0-9A-Za-z ./_@-]{0,62}[0-9A-Za-z])?", fullmatch=True)
PHONES = st.from_regex(r"\+?[0-9][0-9 -]{5,18}[0-9]", fullmatch=True)


def _model(
    required: Mapping[str, st.SearchStrategy[Any]], **optional: st.SearchStrategy[Any]
) -> st.SearchStrategy[Values]:
    return st.fixed_dictionaries(dict(required), optional=optional)


def _some(of: st.SearchStrategy[Any], *, least: int = 0) -> st.SearchStrategy[list[Any]]:
    return st.lists(of, min_size=least, max_size=2)


def _concept(**codes: st.SearchStrategy[str]) -> st.SearchStrategy[Values]:
    coded = [st.fixed_dictionaries({"text": WORDS, "term": WORDS, name: code}) for name, code in codes.items()]
    return st.one_of(st.fixed_dictionaries({"text": WORDS}), *coded)


def _timed(first: str, last: str, *, apart: bool) -> st.SearchStrategy[Values]:
    pairs = st.tuples(MOMENTS, MOMENTS).map(lambda two: sorted(two))
    kept = pairs.filter(lambda two: not apart or two[0] < two[1])
    return kept.map(lambda two: {first: two[0], last: two[1]})


CLINICAL = _concept(snomed=SNOMED)
RESULT = _concept(snomed=SNOMED, loinc=LOINC)
FILES = _model(
    {"title": WORDS, "media_type": st.sampled_from(MediaType), "data": st.just(PDF)},
    created_at=MOMENTS,
)
PICTURES = _model({"title": WORDS, "media_type": st.sampled_from(MediaType), "data": st.just(PDF)}, taken_at=MOMENTS)
MEDICINES = _model(
    {"drug": CLINICAL, "dosage": WORDS},
    route=CLINICAL,
    times_a_day=st.integers(1, 24),
    reason=CLINICAL,
    note=WORDS,
) | _model({"drug": CLINICAL, "dosage": WORDS, "times_a_day": st.integers(1, 24), "days": st.integers(1, 3650)})
RESULTS = _model(
    {"name": RESULT, "number": NUMBERS}, unit=WORDS, low=NUMBERS, high=NUMBERS, measured_at=MOMENTS
) | _model({"name": RESULT, "text": WORDS}, measured_at=MOMENTS)
HABITS = _model({"name": RESULT, "answer": CLINICAL}, measured_at=MOMENTS)
SPECIMENS = st.fixed_dictionaries({"name": _concept(snomed=SNOMED), "collected_at": MOMENTS, "received_at": MOMENTS})
_REPORT = {"name": _concept(loinc=LOINC), "issued_at": MOMENTS, "conclusion": WORDS}
REPORTS = _model(
    {"kind": st.just("lab"), **_REPORT, "results": _some(RESULTS, least=1)},
    pictures=_some(PICTURES),
    specimen=SPECIMENS,
) | _model({"kind": st.just("imaging"), **_REPORT, "pictures": _some(PICTURES, least=1)}, results=_some(RESULTS))
VISITS = st.tuples(
    _timed("started_at", "ended_at", apart=False) | MOMENTS.map(lambda at: {"started_at": at}),
    st.sampled_from(VisitKind),
).map(lambda two: {**two[0], "kind": two[1]})
FOLLOW_UPS = st.tuples(_timed("starts_at", "ends_at", apart=True), st.none() | WORDS).map(
    lambda two: {**two[0], "reason": two[1]}
)
RELATIVES = st.fixed_dictionaries({"relation": WORDS, "conditions": _some(CLINICAL, least=1)})
PROCEDURES = _model({"name": CLINICAL}, done_on=DAYS)
VACCINES = _model({"vaccine": CLINICAL, "given_on": DAYS}, lot=IDENTIFIERS, expires_on=DAYS, dose=st.integers(1, 20))
DUE = st.fixed_dictionaries({"vaccine": CLINICAL, "due_on": DAYS})
LINES = _model({"text": WORDS, "amount_minor": st.integers(0, 10**12)}, tax_minor=st.integers(0, 10**12))
ADDRESSES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._!-]{1,30}[A-Za-z0-9]@(abdm|sbx)", fullmatch=True)
ABHA = st.from_regex(r"[0-9]{14}|[0-9]{2}-[0-9]{4}-[0-9]{4}-[0-9]{4}", fullmatch=True)
_ABOUT = {
    "gender": st.sampled_from(Gender),
    "birth_date": DAYS,
    "phone": PHONES,
    "address": WORDS,
}
PATIENTS = st.one_of(
    *(
        _model({"name": WORDS, name: values}, **{k: v for k, v in {**_ABOUT, **_IDS}.items() if k != name})
        for _IDS in [{"abha_number": ABHA, "abha_address": ADDRESSES, "record_number": IDENTIFIERS}]
        for name, values in _IDS.items()
    )
)
DOCTORS = _model({"name": WORDS, "registration": IDENTIFIERS}, hpr_id=IDENTIFIERS) | _model(
    {"name": WORDS, "hpr_id": IDENTIFIERS}
)
FACILITIES = _model({"name": WORDS, "hip_id": IDENTIFIERS}, phone=PHONES).map(Facility.model_validate)
_STAY = {
    "complaints": _some(CLINICAL),
    "examination": _some(RESULTS),
    "allergies": _some(CLINICAL),
    "history": _some(CLINICAL),
    "family_history": _some(RELATIVES),
    "medicines": _some(MEDICINES),
    "procedures": _some(PROCEDURES),
    "files": _some(FILES),
}
_PARTS: dict[RecordKind, tuple[Values, Values]] = {
    RecordKind.PRESCRIPTION: ({"medicines": _some(MEDICINES, least=1)}, {"scan": FILES}),
    RecordKind.DIAGNOSTIC_REPORT: ({"report": REPORTS}, {"file": FILES}),
    RecordKind.OP_CONSULTATION: ({}, {**_STAY, "advised": _some(CLINICAL), "follow_up": FOLLOW_UPS}),
    RecordKind.DISCHARGE_SUMMARY: ({}, {**_STAY, "investigations": _some(REPORTS), "care_plan": WORDS}),
    RecordKind.IMMUNIZATION_RECORD: ({}, {"vaccines": _some(VACCINES), "due": _some(DUE), "files": _some(FILES)}),
    RecordKind.HEALTH_DOCUMENT_RECORD: ({"files": _some(FILES, least=1)}, {}),
    RecordKind.WELLNESS_RECORD: (
        {},
        {
            **{
                name: _some(RESULTS)
                for name in ("vital_signs", "body", "activity", "assessment", "women_health", "others")
            },
            "lifestyle": _some(HABITS),
            "files": _some(FILES),
        },
    ),
    RecordKind.INVOICE: (
        {"number": IDENTIFIERS, "lines": _some(LINES, least=1)},
        {"status": st.sampled_from(InvoiceStatus), "currency": st.sampled_from(sorted(MINOR_DIGITS)), "file": FILES},
    ),
}
_VISITED = (RecordKind.OP_CONSULTATION, RecordKind.DISCHARGE_SUMMARY)


def records(kind: RecordKind) -> st.SearchStrategy[Record]:
    """Records of a kind; one that says nothing at all is no record, so it is left out."""
    required, optional = _PARTS[kind]
    common = {"patient": PATIENTS, "author": DOCTORS, "written_at": MOMENTS}
    visit = {"visit": VISITS}
    needed = {**common, **required, **(visit if kind in _VISITED else {})}
    given = _model(needed, **optional, **({} if kind in _VISITED else visit))
    return given.filter(lambda it: bool(required) or any(it.get(name) for name in optional)).map(
        MODELS[kind].model_validate
    )
