"""NRCeS' own examples, read as strictly as their definitions are written.

Each was read by hand against its StructureDefinitions, element by element, and by a second program that interprets the
definitions without compiling them. Both found one thing, the same in all six: `Bundle.entry.fullUrl` of DocumentBundle is
"Absolute URL server address or URI for UUID/OID", and the examples write `Type/id`. Their references resolve all the same, and
the network's own portal writes that form, so it is a fault only where `absolute` asks for it.

Looked at and found to be right: Composition.section.code may be missing (HealthDocumentRecord, Composition.section.code 0..1);
an entry may name no profile of its own (ImmunizationRecord, its ImmunizationRecommendation keeps the one that
Composition.section.entry:ImmunizationRecommendation points to); Immunization.extension holds a BrandName that the package
does not define, which the open slicing of Immunization.extension allows.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from connectors.abdm.fhir import check, hi_type, structure
from connectors.told import RecordKind

EXAMPLES = {
    "DiagnosticReport-Imaging-Media-example-02": (RecordKind.DIAGNOSTIC_REPORT, 9),
    "DiagnosticReport-Lab-example-03": (RecordKind.DIAGNOSTIC_REPORT, 11),
    "HealthDocumentRecord-example-01": (RecordKind.HEALTH_DOCUMENT_RECORD, 4),
    "ImmunizationRecord-example-07": (RecordKind.IMMUNIZATION_RECORD, 7),
    "OPConsultNote-example-05": (RecordKind.OP_CONSULTATION, 15),
    "Prescription-example-06": (RecordKind.PRESCRIPTION, 7),
}


@pytest.fixture(params=sorted(EXAMPLES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def example(specs: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((specs / "nrces" / "examples" / f"Bundle-{name}.json").read_bytes())
    return found


def test_all_six_are_here(specs: Path) -> None:
    files = {file.name for file in (specs / "nrces" / "examples").glob("Bundle-*.json")}
    assert files == {f"Bundle-{name}.json" for name in EXAMPLES}


def test_base_parsing_accepts_it(example: dict[str, Any]) -> None:
    Bundle.model_validate(example)
    assert structure.faults(example) == []


def test_it_keeps_its_definitions(example: dict[str, Any]) -> None:
    assert check(example) == []


def test_its_addresses_are_not_absolute_and_that_is_all(example: dict[str, Any], name: str) -> None:
    found = check(example, absolute=True)

    assert [fault.path for fault in found] == [f"Bundle.entry[{at}].fullUrl" for at in range(EXAMPLES[name][1])]
    assert {fault.message for fault in found} == {
        "must be absolute, best urn:uuid: "
        "(Bundle.entry.fullUrl, DocumentBundle: Absolute URL server address or URI for UUID/OID)"
    }


def test_its_kind_is_known(example: dict[str, Any], name: str) -> None:
    assert hi_type(example) is EXAMPLES[name][0]


def test_it_is_known_without_its_profile_too(example: dict[str, Any], name: str) -> None:
    del example["entry"][0]["resource"]["meta"]["profile"]

    assert hi_type(example) is EXAMPLES[name][0]
    assert [fault.path for fault in check(example)] == ["Bundle.entry[0].resource.meta.profile"]


def test_every_reference_of_it_is_followed(example: dict[str, Any]) -> None:
    """Each resource that something points to, taken out, leaves a fault at what points to it."""
    for at in range(1, len(example["entry"])):
        url = example["entry"][at]["fullUrl"]
        text = json.dumps({**example, "entry": [each for each in example["entry"] if each["fullUrl"] != url]})
        pointed = text.count(f'"reference": "{url}"')

        found = [fault for fault in check(json.loads(text)) if "must point to an entry of this bundle" in fault.message]

        assert len(found) == pointed
