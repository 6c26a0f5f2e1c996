"""What the checker finds in a document with one thing wrong, and how it says so."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from connectors.abdm.fhir import Fault, check
from connectors.abdm.fhir.rules import CANONICAL
from connectors.told import RecordKind
from tests.connectors.abdm.records import SCAN, bundle
from tests.connectors.abdm.required import changed, elements, without, written

Document = dict[str, Any]
FIXED = {
    f"{kind}: {rule.profile} {rule.path}": (kind, steps)
    for kind in RecordKind
    for rule, steps in elements(bundle(kind))
    if rule.fixed is not None
}
BOUND = {
    f"{kind}: {rule.profile} {rule.path}": (kind, steps)
    for kind in RecordKind
    for rule, steps in elements(bundle(kind))
    if rule.codes is not None and rule.types == ("code",) and steps[-1] != "contentType"
}


def first(document: Document, kind: str) -> tuple[int, Document]:
    """The first resource of a type, with its place."""
    found = [(at, each["resource"]) for at, each in enumerate(document["entry"])]
    return next((at, each) for at, each in found if each["resourceType"] == kind)


def paths(document: object) -> list[str]:
    return [fault.path for fault in check(document)]


@pytest.mark.parametrize("which", FIXED)
def test_a_fixed_value_that_is_another_is_named(which: str) -> None:
    kind, steps = FIXED[which]
    found = paths(changed(bundle(kind), steps, "another"))

    # A section's code or title tells the slice: with another one, the section belongs to none, and stands before those that do.
    place = written(steps)
    assert any(place == path or place.startswith(f"{path}.") for path in found) or _is_last_section(kind, steps)


def _is_last_section(kind: RecordKind, steps: tuple[str | int, ...]) -> bool:
    """An open slicing lets a section of any other kind stand at the end."""
    sections = bundle(kind)["entry"][0]["resource"]["section"]
    tells = steps[-1] == "title" or steps[-2:] == ("coding", 0, "code")[-2:] or steps[-1] == "code"
    return steps[:3] == ("entry", 0, "resource") and steps[3:5] == ("section", len(sections) - 1) and tells


@pytest.mark.parametrize("which", BOUND)
def test_a_code_outside_of_a_required_binding_is_named(which: str) -> None:
    kind, steps = BOUND[which]

    (fault,) = [each for each in check(changed(bundle(kind), steps, "elsewhere")) if each.path == written(steps)]

    assert "required binding" in fault.message


def test_a_fault_names_the_place_and_quotes_the_definition() -> None:
    document = bundle(RecordKind.PRESCRIPTION)
    at, medicine = first(document, "MedicationRequest")
    del medicine["subject"]

    assert check(document) == [
        Fault(
            f"Bundle.entry[{at}].resource.subject",
            "is required (MedicationRequest.subject 1..1, MedicationRequest, ndhm.in 2.0.1)",
        )
    ]


def test_a_patient_in_whom_abha_number_and_address_are_swapped_is_found() -> None:
    document = bundle(RecordKind.PRESCRIPTION)
    at, patient = first(document, "Patient")
    number, address = patient["identifier"][0], patient["identifier"][1]
    number["value"], address["value"] = address["value"], number["value"]

    found = check(document)

    assert [each.path for each in found] == [f"Bundle.entry[{at}].resource.identifier[{n}].value" for n in (0, 1)]
    assert "14 digits" in found[0].message
    assert "ABHA address" in found[1].message


def test_a_dangling_reference_is_found_wherever_it_stands() -> None:
    document = bundle(RecordKind.OP_CONSULTATION)
    at, condition = first(document, "Condition")
    condition["subject"]["reference"] = "urn:uuid:00000000-0000-4000-8000-000000000000"

    assert paths(document) == [f"Bundle.entry[{at}].resource.subject.reference"]


def test_a_reference_to_another_place_is_dangling_too() -> None:
    for elsewhere in ("https://other.example/Patient/1", "Patient/1", "#patient", "urn:uuid:x/_history/1"):
        document = bundle(RecordKind.PRESCRIPTION)
        document["entry"][0]["resource"]["subject"]["reference"] = elsewhere
        assert paths(document) == ["Bundle.entry[0].resource.subject.reference"]


def test_references_by_type_and_id_resolve_where_the_addresses_are_of_that_form() -> None:
    for root in ("", "https://clinic.example/fhir/"):
        text = repr(bundle(RecordKind.OP_CONSULTATION))
        for each in bundle(RecordKind.OP_CONSULTATION)["entry"]:
            resource = each["resource"]
            kind = f"{resource['resourceType']}/{resource['id']}"
            text = text.replace(f"'fullUrl': '{each['fullUrl']}'", f"'fullUrl': '{root}{kind}'")
            text = text.replace(f"'reference': '{each['fullUrl']}'", f"'reference': '{kind}'")
        assert check(eval(text)) == []


def test_an_address_that_another_resource_has_is_found() -> None:
    document = bundle(RecordKind.PRESCRIPTION)
    document["entry"][3]["fullUrl"] = document["entry"][2]["fullUrl"]

    assert "Bundle.entry[3].fullUrl" in paths(document)


def test_an_address_that_says_another_id_is_found() -> None:
    document = bundle(RecordKind.HEALTH_DOCUMENT_RECORD)
    document["entry"].append(
        {"fullUrl": "Location/1", "resource": {"resourceType": "Location", "id": "2", "name": "Ward"}}
    )

    assert paths(document) == [f"Bundle.entry[{len(document['entry']) - 1}].fullUrl"]


def test_a_reference_to_a_resource_of_the_wrong_type_is_found() -> None:
    document = bundle(RecordKind.PRESCRIPTION)
    doctor = document["entry"][0]["resource"]["author"][0]["reference"]
    document["entry"][0]["resource"]["subject"]["reference"] = doctor

    (fault,) = check(document)

    assert fault.path == "Bundle.entry[0].resource.subject.reference"
    assert "must point to Patient (Composition.subject 1..1" in fault.message


def test_a_target_of_the_wrong_profile_is_found() -> None:
    document = bundle(RecordKind.WELLNESS_RECORD)
    _, observation = first(document, "Observation")
    observation["meta"]["profile"] = [f"{CANONICAL}/ObservationBodyMeasurement"]

    (fault,) = check(document)

    assert fault.path == "Bundle.entry[0].resource.section[0].entry[0].reference"
    assert "ObservationVitalSigns" in fault.message
    assert "Composition.section:VitalSigns.entry" in fault.message


def test_a_profile_that_narrows_the_wanted_one_may_stand_there() -> None:
    document = bundle(RecordKind.OP_CONSULTATION)
    _, observation = first(document, "Observation")
    observation["meta"]["profile"] = [f"{CANONICAL}/ObservationVitalSigns"]

    assert check(document) == []


def test_a_target_that_names_no_profile_is_held_to_the_one_that_may_stand_there() -> None:
    document = bundle(RecordKind.OP_CONSULTATION)
    at, condition = first(document, "Condition")
    del condition["meta"], condition["code"]

    assert paths(document) == [f"Bundle.entry[{at}].resource.code"]


def test_a_target_that_names_no_profile_must_keep_one_of_several() -> None:
    document = bundle(RecordKind.DIAGNOSTIC_REPORT)
    _, report = first(document, "DiagnosticReport")
    del report["meta"]
    assert check(document) == []

    del report["conclusion"]
    assert "Bundle.entry[0].resource.section[0].entry[0].reference" in paths(document)


def test_a_profile_of_another_resource_is_found() -> None:
    document = bundle(RecordKind.PRESCRIPTION)
    at, patient = first(document, "Patient")
    patient["meta"]["profile"].append(f"{CANONICAL}/Practitioner")

    assert paths(document) == [f"Bundle.entry[{at}].resource.meta.profile"]


def _twice(document: Document) -> None:
    sections = document["entry"][0]["resource"]["section"]
    sections.insert(0, copy.deepcopy(sections[0]))


def _not_at_the_end(document: Document) -> None:
    document["entry"][0]["resource"]["section"].insert(
        0, {"title": "Other", "text": {"status": "empty", "div": "<div/>"}}
    )


def _no_medicine(document: Document) -> None:
    entries = document["entry"][0]["resource"]["section"][0]["entry"]
    entries[:] = [each for each in entries if each["type"] != "MedicationRequest"]


def _two_scans(document: Document) -> None:
    document["entry"][0]["resource"]["section"][0]["entry"] *= 2


def _two_sections(document: Document) -> None:
    document["entry"][0]["resource"]["section"] *= 2


def _another_terminology(document: Document) -> None:
    first(document, "Observation")[1]["code"]["coding"][0]["system"] = "http://hl7.org/fhir/sid/icd-10"


def _no_invoice(document: Document) -> None:
    document["entry"][0]["resource"]["section"][0]["entry"].pop(0)


@pytest.mark.parametrize(
    ("kind", "change", "path", "words"),
    [
        (RecordKind.OP_CONSULTATION, _twice, ".section", "at most 1 times"),
        (RecordKind.WELLNESS_RECORD, _twice, ".section", "Vital Signs at most 1 times"),
        (RecordKind.OP_CONSULTATION, _not_at_the_end, ".section[0]", "must stand at the end"),
        (RecordKind.PRESCRIPTION, _no_medicine, ".section[0].entry", "MedicationRequest at least 1 times"),
        (RecordKind.PRESCRIPTION, _two_scans, ".section[0].entry", "Binary at most 1 times"),
        (RecordKind.PRESCRIPTION, _two_sections, ".section", "at most 1 times (Composition.section 1..1"),
        (RecordKind.INVOICE, _no_invoice, ".section[0].entry", "Invoice at least 1 times"),
    ],
)
def test_a_slice_that_is_there_too_often_or_not_enough_is_named(
    kind: RecordKind, change: Callable[[Document], None], path: str, words: str
) -> None:
    document = bundle(kind)
    change(document)

    found = {fault.path: fault.message for fault in check(document)}

    assert words in found[f"Bundle.entry[0].resource{path}"]


def test_what_belongs_to_no_slice_of_a_closed_list_is_named() -> None:
    document = bundle(RecordKind.OP_CONSULTATION)
    at, _ = first(document, "Observation")
    _another_terminology(document)

    found = {fault.path: fault.message for fault in check(document)}

    assert "http://loinc.org, http://snomed.info/sct" in found[f"Bundle.entry[{at}].resource.code.coding[0].system"]


def test_an_entry_of_a_type_that_a_closed_section_does_not_have_is_named() -> None:
    document = bundle(RecordKind.DIAGNOSTIC_REPORT)
    document["entry"][0]["resource"]["section"][0]["entry"][1]["type"] = "Binary"

    assert "Bundle.entry[0].resource.section[0].entry[1].type" in paths(document)


ENVELOPE: dict[str, tuple[Callable[[Document], Any], str]] = {
    "another type": (lambda it: it.update(type="collection"), "Bundle.type"),
    "no version": (lambda it: it["meta"].pop("versionId"), "Bundle.meta.versionId"),
    "no system": (lambda it: it["identifier"].pop("system"), "Bundle.identifier.system"),
    "no timestamp": (lambda it: it.pop("timestamp"), "Bundle.timestamp"),
    "a day as timestamp": (lambda it: it.update(timestamp="2026-11-17"), "Bundle.timestamp"),
    "no entries": (lambda it: it.pop("entry"), "Bundle.entry"),
    "an empty list": (lambda it: it.update(entry=[]), "Bundle.entry"),
    "no address": (lambda it: it["entry"][2].pop("fullUrl"), "Bundle.entry[2].fullUrl"),
    "no resource": (lambda it: it["entry"][-1].pop("resource"), "Bundle.entry[7].resource"),
    "the Composition second": (lambda it: it["entry"].insert(0, it["entry"].pop(1)), "Bundle.entry[0].resource"),
    "no profile of a record": (
        lambda it: it["entry"][0]["resource"]["meta"].pop("profile"),
        "Bundle.entry[0].resource.meta.profile",
    ),
    "another resource": (lambda it: it.update(resourceType="Parameters"), "Bundle.resourceType"),
    "an entry of a transaction": (
        lambda it: it["entry"][0].update(request={"method": "POST", "url": "Composition"}),
        "Bundle",
    ),
}


@pytest.mark.parametrize("which", ENVELOPE)
def test_an_envelope_with_one_thing_wrong_is_found(which: str) -> None:
    change, path = ENVELOPE[which]
    document = bundle(RecordKind.PRESCRIPTION)
    change(document)

    assert path in paths(document)


FORMS: dict[str, tuple[str, Callable[[Document], Any], str]] = {
    "a number for a text": ("Patient", lambda it: it["name"][0].update(text=7), "name[0].text"),
    "one for a list": ("Patient", lambda it: it.update(name={"text": "x"}), "name"),
    "a list for one": ("Patient", lambda it: it.update(gender=["female"]), "gender"),
    "an unknown element": ("Patient", lambda it: it.update(religion="x"), "religion"),
    "an empty text": ("Patient", lambda it: it["name"][0].update(text="  "), "name[0].text"),
    "a day that is none": ("Patient", lambda it: it.update(birthDate="2026-02-30"), "birthDate"),
    "a time without offset": (
        "MedicationRequest",
        lambda it: it.update(authoredOn="2026-11-17T10:00:00"),
        "authoredOn",
    ),
    "a type that is not open": (
        "MedicationRequest",
        lambda it: it.update(medicationReference=it.pop("medicationCodeableConcept")),
        "medicationReference",
    ),
    "two types at once": (
        "Observation",
        lambda it: it.update(valueString="x", valueQuantity={"value": 1}),
        "value[x]",
    ),
    "no base64": (
        "DocumentReference",
        lambda it: it["content"][0]["attachment"].update(data="%"),
        "content[0].attachment.data",
    ),
    "a null": ("Patient", lambda it: it.update(birthDate=None), "birthDate"),
    "an invariant": ("Appointment", lambda it: it.pop("end"), ""),
    "a part's invariant": (
        "Observation",
        lambda it: it.update(referenceRange=[{"appliesTo": [{"text": "x"}]}]),
        "referenceRange[0]",
    ),
    "a comparator that may not be": (
        "Observation",
        lambda it: it.update(referenceRange=[{"low": {"value": 1, "comparator": "<"}}]),
        "referenceRange[0].low",
    ),
    "a concept outside of its binding": (
        "AllergyIntolerance",
        lambda it: it["clinicalStatus"]["coding"][0].update(code="asleep"),
        "clinicalStatus",
    ),
    "an extension of a primitive that is none": ("Patient", lambda it: it.update(_gender="x"), "_gender"),
    "an extension with two values": (
        "Patient",
        lambda it: it.update(extension=[{"url": "https://x.example", "valueString": "x", "valueCode": "y"}]),
        "extension[0].value[x]",
    ),
}


@pytest.mark.parametrize("which", FORMS)
def test_a_value_of_the_wrong_form_is_found(which: str) -> None:
    kind, change, path = FORMS[which]
    document = bundle(RecordKind.OP_CONSULTATION)
    at, resource = first(document, kind)
    change(resource)

    assert f"Bundle.entry[{at}].resource{'.' if path else ''}{path}" in paths(document)


def test_extensions_may_stand_where_fhir_lets_them() -> None:
    document = bundle(RecordKind.PRESCRIPTION)
    _, patient = first(document, "Patient")
    patient["_birthDate"] = {"extension": [{"url": "https://x.example/time", "valueDateTime": "1984-02-29T10:00:00Z"}]}
    patient["extension"] = [{"url": "https://x.example/part", "extension": [{"url": "inner", "valueString": "x"}]}]
    patient["name"][0]["given"] = [None, "Asha"]
    patient["name"][0]["_given"] = [{"extension": [{"url": "https://x.example", "valueCode": "y"}]}, None]
    del patient["gender"]
    patient["_gender"] = {"extension": [{"url": "https://x.example", "valueCode": "masked"}]}

    assert check(document) == []


def test_a_resource_that_no_profile_describes_is_still_fhir() -> None:
    document = bundle(RecordKind.PRESCRIPTION)
    device = {"resourceType": "Device", "id": "d", "status": "active", "patient": {"reference": "urn:uuid:nowhere"}}
    document["entry"].append({"fullUrl": "urn:uuid:3d1c4f3e-1b2a-4c5d-8e9f-0a1b2c3d4e5f", "resource": device})
    at = len(document["entry"]) - 1
    assert paths(document) == [f"Bundle.entry[{at}].resource.patient.reference"]

    device["patient"] = document["entry"][0]["resource"]["subject"]
    assert check(document) == []

    device["colour"] = "red"
    assert paths(document) != []


def test_what_a_resource_contains_can_be_pointed_at() -> None:
    document = bundle(RecordKind.PRESCRIPTION)
    _, medicine = first(document, "MedicationRequest")
    medicine["contained"] = [
        {"resourceType": "Practitioner", "id": "p", "name": [{"text": "x"}], "identifier": [{"value": "1"}]}
    ]
    medicine["recorder"] = {"reference": "#p"}
    assert check(document) == []

    medicine["recorder"] = {"reference": "#q"}
    found = paths(document)
    assert any(path.endswith("recorder.reference") for path in found)


@pytest.mark.parametrize("kind", RecordKind)
def test_no_fault_repeats_what_stands_in_the_document(kind: RecordKind) -> None:
    document = bundle(kind)
    one_each = {str(rule): (rule, steps) for rule, steps in elements(document)}
    for rule, steps in one_each.values():
        if rule.types and rule.types[0] in ("string", "uri", "code", "dateTime", "id"):
            spoiled = changed(document, steps, ["SECRET-7Q"] if steps[-1] != "code" else "SECRET 7Q ")
            spoiled["entry"][1]["resource"]["SECRET 7Q"] = "SECRET-7Q"
            assert not any("SECRET" in f"{fault.path}{fault.message}" for fault in check(spoiled))


def test_imaging_and_lab_reports_are_told_apart() -> None:
    document = bundle(RecordKind.DIAGNOSTIC_REPORT, report=SCAN)
    _, report = first(document, "DiagnosticReport")
    assert check(document) == []

    report["meta"]["profile"] = [f"{CANONICAL}/DiagnosticReportLab"]
    assert [path.rpartition(".")[2] for path in paths(document)] == ["result"]


def test_without_is_really_without() -> None:
    assert "type" not in without(bundle(RecordKind.INVOICE), ("type",))
