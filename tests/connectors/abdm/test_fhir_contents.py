"""What a document is, holds and dates from, read from ready FHIR."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.abdm.fhir import categories, clinical_dates, contents, hi_type
from connectors.abdm.fhir.kinds import CODES, RECORDS, TEXTS
from connectors.told import RecordKind
from scopes.field import shape_of
from scopes.vocabulary import Category
from tests.connectors.abdm.records import NOW, bundle, record

COMMON = {Category.IDENTITY, Category.IDENTIFIER, Category.CONTACT, Category.LOCATION, Category.STAFF}
BESIDE = COMMON | {Category.OPERATIONAL, Category.APPOINTMENT, Category.CLINICAL, Category.FREE_TEXT}


def _dated(**changes: Any) -> dict[str, Any]:
    document = bundle(RecordKind.OP_CONSULTATION)
    composition = document["entry"][0]["resource"]
    for name, value in changes.items():
        composition[name] = value
    return document


@pytest.mark.parametrize("kind", RecordKind)
def test_the_kind_is_read_from_the_profile_else_from_the_type(kind: RecordKind) -> None:
    document = bundle(kind)
    assert hi_type(document) is kind

    del document["entry"][0]["resource"]["meta"]
    assert hi_type(document) is kind

    document["entry"][0]["resource"]["type"] = {"text": "Letter"}
    assert hi_type(document) is None


def test_a_profile_is_known_with_its_version_too() -> None:
    document = bundle(RecordKind.INVOICE)
    document["entry"][0]["resource"]["meta"]["profile"][0] += "|6.5.0"

    assert hi_type(document) is RecordKind.INVOICE


def test_every_kind_has_a_profile_and_a_code_or_a_text() -> None:
    assert set(RECORDS) == set(RecordKind)
    assert set(CODES) | set(TEXTS) == set(RecordKind)
    assert not set(CODES) & set(TEXTS)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (RecordKind.PRESCRIPTION, {Category.MEDICATION}),
        (RecordKind.DIAGNOSTIC_REPORT, {Category.RESULT}),
        (RecordKind.OP_CONSULTATION, {Category.MEDICATION, Category.RESULT}),
        (RecordKind.DISCHARGE_SUMMARY, {Category.MEDICATION, Category.RESULT, Category.IMAGING}),
        (RecordKind.IMMUNIZATION_RECORD, {Category.MEDICATION}),
        (RecordKind.HEALTH_DOCUMENT_RECORD, set()),
        (RecordKind.WELLNESS_RECORD, {Category.RESULT}),
        (RecordKind.INVOICE, {Category.BILLING}),
    ],
)
def test_the_categories_are_those_of_the_resources(kind: RecordKind, more: set[Category]) -> None:
    assert categories(bundle(kind)) == BESIDE | more


@pytest.mark.parametrize("kind", RecordKind)
def test_a_document_holds_no_kind_of_data_that_its_record_does_not_name(kind: RecordKind) -> None:
    named = shape_of(type(record(kind))).categories
    # A file may hold whatever was written into it, so it is taken for free text as well.
    assert categories(bundle(kind)) - {Category.FREE_TEXT, Category.LOCATION} <= named | {Category.OPERATIONAL}


def test_what_a_document_holds_is_said_type_by_type() -> None:
    said = contents(bundle(RecordKind.PRESCRIPTION))
    assert {
        ("MedicationRequest", Category.MEDICATION),
        ("Patient", Category.IDENTITY),
        ("Binary", Category.CLINICAL),
    } <= {*said}
    assert list(said) == sorted(set(said))


@pytest.mark.parametrize("kind", RecordKind)
def test_no_word_of_a_document_s_own_stands_among_what_it_holds(kind: RecordKind) -> None:
    document = bundle(kind)
    before = {part for part, _ in contents(document)}
    for number, entry in enumerate(document["entry"]):
        entry["resource"]["id"] = entry["resource"]["status"] = f"Asha-{number}"
    document["entry"].append({"resource": {"resourceType": "Asha Rao", "contained": [{"resourceType": ["Asha"]}]}})
    assert {part for part, _ in contents(document)} == before | {"other"}


def test_an_unknown_resource_is_taken_for_what_clinics_are_most_careful_with() -> None:
    document = {"entry": [{"resource": {"resourceType": "Composition"}}, {"resource": {"resourceType": "Genome"}}]}

    assert categories(document) == {Category.OPERATIONAL, Category.CLINICAL, Category.FREE_TEXT}


def test_a_patient_without_address_and_phone_discloses_neither() -> None:
    document = {"entry": [{"resource": {"resourceType": "Patient", "name": [{"text": "x"}]}}]}

    assert categories(document) == {Category.IDENTITY, Category.IDENTIFIER}


def test_what_a_resource_contains_counts_too() -> None:
    inner = {"resourceType": "MedicationRequest"}
    document = {"entry": [{"resource": {"resourceType": "Organization", "contained": [inner]}}]}

    assert categories(document) == {Category.OPERATIONAL, Category.MEDICATION}


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2026-11-17T10:30:00+05:30", (2026, 11, 17, 5, 0), (2026, 11, 17, 5, 0)),
        ("2026-11-17", (2026, 11, 16, 18, 30), (2026, 11, 17, 18, 29, 59, 999999)),
        ("2026-11", (2026, 10, 31, 18, 30), (2026, 11, 30, 18, 29, 59, 999999)),
        ("2026-12", (2026, 11, 30, 18, 30), (2026, 12, 31, 18, 29, 59, 999999)),
        ("2026", (2025, 12, 31, 18, 30), (2026, 12, 31, 18, 29, 59, 999999)),
    ],
)
def test_a_documents_own_date_is_its_clinical_date(written: str, first: tuple[int, ...], last: tuple[int, ...]) -> None:
    found = clinical_dates(_dated(date=written))

    assert found == (datetime(*first, tzinfo=UTC), datetime(*last, tzinfo=UTC))  # type: ignore[arg-type,misc]


def test_without_a_date_of_its_own_it_dates_from_the_visit() -> None:
    document = _dated(date="last week")
    encounter = next(each["resource"] for each in document["entry"] if each["resource"]["resourceType"] == "Encounter")
    encounter["period"] = {"start": "2026-11-10", "end": "2026-11-12T08:00:00Z"}
    assert clinical_dates(document) == (
        datetime(2026, 11, 9, 18, 30, tzinfo=UTC),
        datetime(2026, 11, 12, 8, tzinfo=UTC),
    )

    del encounter["period"]["end"]
    assert clinical_dates(document) == (datetime(2026, 11, 9, 18, 30, tzinfo=UTC), NOW)

    del encounter["period"]
    assert clinical_dates(document) is None


@pytest.mark.parametrize(
    "nothing", [None, [], {}, {"entry": []}, {"entry": [{"resource": {"resourceType": "Patient"}}]}]
)
def test_what_is_no_document_has_no_kind_and_no_date(nothing: Any) -> None:
    assert hi_type(nothing) is None
    assert clinical_dates(nothing) is None
