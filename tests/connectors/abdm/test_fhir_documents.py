"""Documents made from records: whatever the record, the checker finds nothing; and they say what the record said."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import connectors.abdm.fhir
from connectors.abdm.fhir import MODELS, Facility, check, clinical_dates, document, hi_type
from connectors.abdm.fhir.contents import INDIA
from connectors.told import RecordKind
from scopes.field import shape_of
from scopes.vocabulary import Category
from tests.connectors.abdm.clinics import FACILITIES, MOMENTS, records
from tests.connectors.abdm.records import (
    FACILITY,
    FEVER,
    FILE,
    ID,
    LAB,
    NOW,
    PARTS,
    PATIENT,
    PLAIN,
    SCAN,
    bundle,
    record,
)

DAY = timedelta(days=1)


@pytest.mark.parametrize("kind", RecordKind)
def test_a_document_of_any_record_conforms(kind: RecordKind) -> None:
    @settings(max_examples=20, deadline=None)
    @given(records(kind), st.uuids(), MOMENTS, FACILITIES)
    def holds(each: Any, identity: UUID, now: Any, facility: Facility) -> None:
        made = document(kind, each, id=identity, now=now, facility=facility)

        assert check(made, absolute=True) == []
        assert hi_type(made) is kind
        assert json.loads(json.dumps(made)) == made
        assert clinical_dates(made) == (_milliseconds(each.written_at),) * 2

    holds()


def _milliseconds(moment: Any) -> Any:
    return moment.astimezone(INDIA).replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.mark.parametrize("kind", RecordKind)
def test_the_same_record_and_id_give_the_same_document(kind: RecordKind) -> None:
    assert bundle(kind) == bundle(kind)
    assert bundle(kind) != document(kind, record(kind), id=UUID(int=1), now=NOW, facility=FACILITY)


def test_two_documents_share_no_address() -> None:
    one = bundle(RecordKind.PRESCRIPTION)
    other = document(
        RecordKind.PRESCRIPTION, record(RecordKind.PRESCRIPTION), id=UUID(int=1), now=NOW, facility=FACILITY
    )

    assert not {each["fullUrl"] for each in one["entry"]} & {each["fullUrl"] for each in other["entry"]}


def test_no_part_of_a_document_is_another_part_too() -> None:
    """Whoever changes one reference must not change the others."""

    def parts(value: Any) -> list[int]:
        inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        own = [id(value)] if isinstance(value, dict | list) else []
        return own + [each for one in inner for each in parts(one)]

    for kind in RecordKind:
        seen = parts(made := bundle(kind))
        assert len(seen) == len(set(seen)), made["type"]


def test_the_patient_carries_each_identifier_under_its_own_code() -> None:
    patient = bundle(RecordKind.PRESCRIPTION)["entry"][1]["resource"]

    assert {each["type"]["coding"][0]["code"]: each["value"] for each in patient["identifier"]} == {
        "HIN": "22-7225-4829-5255",
        "ABHA": PATIENT["abha_address"],
        "MR": PATIENT["record_number"],
    }


def test_the_clinic_attests_under_its_id_in_the_network() -> None:
    made = bundle(RecordKind.DISCHARGE_SUMMARY)
    (attester,) = made["entry"][0]["resource"]["attester"]
    party = next(each["resource"] for each in made["entry"] if each["fullUrl"] == attester["party"]["reference"])

    assert attester["mode"] == "official"
    assert party["resourceType"] == "Organization"
    assert party["identifier"][0]["value"] == FACILITY.hip_id


def test_the_envelope_says_what_the_network_asks_for() -> None:
    made = bundle(RecordKind.WELLNESS_RECORD)

    assert made["meta"]["versionId"] == "1"
    assert made["timestamp"] == "2026-11-17T12:00:00.000+05:30"
    assert made["entry"][0]["resource"]["meta"]["profile"] == [
        "https://nrces.in/ndhm/fhir/r4/StructureDefinition/WellnessRecord"
    ]
    assert all(each["fullUrl"] == f"urn:uuid:{each['resource']['id']}" for each in made["entry"])


def test_no_clinical_code_is_made_up() -> None:
    """Where a clinic hands in words only, words only go out; the codes left are those that the definitions fix."""
    made = bundle(RecordKind.OP_CONSULTATION, complaints=(PLAIN,), history=(FEVER,))
    conditions = [each["resource"]["code"] for each in made["entry"] if each["resource"]["resourceType"] == "Condition"]

    assert {"text": PLAIN["text"]} in conditions
    assert {
        "coding": [{"system": "http://snomed.info/sct", "code": FEVER["snomed"], "display": FEVER["term"]}],
        "text": FEVER["text"],
    } in conditions


def test_free_text_is_screened_before_it_can_leave() -> None:
    made = bundle(RecordKind.DISCHARGE_SUMMARY, care_plan="Call +91 98180 12345 if it hurts.")
    plan = next(each["resource"] for each in made["entry"] if each["resource"]["resourceType"] == "CarePlan")

    assert plan["description"] == "Call +[removed] if it hurts."


def test_amounts_are_written_in_the_currencys_own_unit() -> None:
    def total(currency: str) -> Any:
        made = bundle(
            RecordKind.INVOICE, currency=currency, lines=({"text": "x", "amount_minor": 12345, "tax_minor": 5},)
        )
        invoice = next(each["resource"] for each in made["entry"] if each["resource"]["resourceType"] == "Invoice")
        return invoice["totalNet"]["value"], invoice["totalGross"]["value"], invoice["totalGross"]["currency"]

    assert total("INR") == (123.45, 123.5, "INR")
    assert total("JPY") == (12345, 12350, "JPY")
    assert total("KWD") == (12.345, 12.35, "KWD")


def test_a_record_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="BillRecord"):
        document(RecordKind.INVOICE, record(RecordKind.PRESCRIPTION), id=ID, now=NOW, facility=FACILITY)


PROGRAM = {"title": "x", "media_type": "text/html", "data": "AAAA"}
CODELESS = {"drug": {"text": "x", "snomed": "123456"}, "dosage": "y"}
EMPTY = {name: () for name, value in PARTS[RecordKind.OP_CONSULTATION].items() if isinstance(value, tuple)}
WRONG: dict[str, tuple[RecordKind, dict[str, Any]]] = {
    "nobody": (RecordKind.PRESCRIPTION, {"patient": {"name": "x"}}),
    "an author without a registration": (RecordKind.PRESCRIPTION, {"author": {"name": "x"}}),
    "no medicine": (RecordKind.PRESCRIPTION, {"medicines": ()}),
    "a code without its words": (RecordKind.PRESCRIPTION, {"medicines": (CODELESS,)}),
    "a lab report without results": (RecordKind.DIAGNOSTIC_REPORT, {"report": {**LAB, "results": ()}}),
    "an imaging report without pictures": (RecordKind.DIAGNOSTIC_REPORT, {"report": {**SCAN, "pictures": ()}}),
    "a consultation that says nothing": (RecordKind.OP_CONSULTATION, {**EMPTY, "follow_up": None}),
    "a visit that ends too early": (RecordKind.OP_CONSULTATION, {"visit": {"started_at": NOW, "ended_at": NOW - DAY}}),
    "a consultation without a visit": (RecordKind.OP_CONSULTATION, {"visit": None}),
    "no base64": (RecordKind.HEALTH_DOCUMENT_RECORD, {"files": ({**FILE, "data": "no base64"},)}),
    "a program as a file": (RecordKind.HEALTH_DOCUMENT_RECORD, {"files": (PROGRAM,)}),
    "a number with a comma": (RecordKind.WELLNESS_RECORD, {"vital_signs": ({"name": {"text": "x"}, "number": "1,5"},)}),
    "a time without offset": (RecordKind.INVOICE, {"written_at": NOW.replace(tzinfo=None)}),
    "a control character": (RecordKind.INVOICE, {"lines": ({"text": "a\x00b", "amount_minor": 1},)}),
    "an amount with a fraction": (RecordKind.INVOICE, {"lines": ({"text": "x", "amount_minor": 1.5},)}),
    "an unknown field": (RecordKind.INVOICE, {"religion": "x"}),
}


@pytest.mark.parametrize("which", WRONG)
def test_a_record_that_cannot_become_a_document_is_refused_when_it_is_handed_in(which: str) -> None:
    kind, changes = WRONG[which]

    with pytest.raises(ValidationError):
        record(kind, **changes)


@pytest.mark.parametrize("kind", RecordKind)
def test_every_field_of_a_record_says_what_it_discloses_and_why(kind: RecordKind) -> None:
    shape = shape_of(MODELS[kind])

    assert all(field.why for field in shape.nodes())
    assert {Category.IDENTITY, Category.IDENTIFIER, Category.STAFF} <= shape.categories
    assert Category.FREE_TEXT not in {each.category for each in shape.walk() if each.path in shape.required_paths}


def test_the_readmes_example_runs_as_it_stands() -> None:
    text = Path(connectors.abdm.fhir.__file__).with_name("README.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    held: dict[str, Any] = {}

    exec(code, held)

    assert hi_type(held["bundle"]) is RecordKind.PRESCRIPTION
