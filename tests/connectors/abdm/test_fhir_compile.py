"""The data file is what the definitions compile to, and its hand-kept lists are FHIR's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fhir.resources.R4B import get_fhir_model_class

from connectors.abdm.fhir import by_hand, rules
from connectors.abdm.fhir.compile import TARGET, compiled
from connectors.abdm.fhir.invariants import HOLDS
from connectors.abdm.fhir.kinds import CODES, RECORDS, TEXTS


def test_compiling_anew_gives_the_same_bytes(specs: Path) -> None:
    assert compiled(specs / "nrces") == TARGET.read_bytes()


def test_what_is_kept_carries_its_licence_and_stays_small() -> None:
    written = json.loads(TARGET.read_bytes())

    assert "CC0-1.0" in written["licence"]
    assert "ndhm.in 2.0.1" in written["source"]
    assert TARGET.stat().st_size < 100_000


def test_a_definition_with_an_invariant_that_nobody_wrote_down_does_not_compile(specs: Path, tmp_path: Path) -> None:
    definition = json.loads((specs / "nrces" / "StructureDefinition-Patient.json").read_bytes())
    definition["snapshot"]["element"][0]["constraint"].append({"key": "pat-99", "severity": "error"})
    (tmp_path / "StructureDefinition-Patient.json").write_text(json.dumps(definition))

    with pytest.raises(SystemExit, match="pat-99"):
        compiled(tmp_path)


def test_every_invariant_of_a_definition_is_known_and_used() -> None:
    used = {key for node in json.loads(TARGET.read_bytes())["nodes"] for key in node.get("holds", ())}

    assert used == set(HOLDS)


@pytest.mark.parametrize(
    ("value_set", "resource", "element"),
    [
        ("diagnostic-report-status", "DiagnosticReport", "status"),
        ("observation-status", "Observation", "status"),
        ("encounter-status", "Encounter", "status"),
        ("composition-status", "Composition", "status"),
        ("medicationrequest-status", "MedicationRequest", "status"),
        ("medicationrequest-intent", "MedicationRequest", "intent"),
        ("appointmentstatus", "Appointment", "status"),
        ("administrative-gender", "Patient", "gender"),
        ("immunization-status", "Immunization", "status"),
        ("document-reference-status", "DocumentReference", "status"),
        ("request-status", "ServiceRequest", "status"),
    ],
)
def test_the_codes_of_a_required_binding_are_those_that_the_parser_knows(
    value_set: str, resource: str, element: str
) -> None:
    extra = get_fhir_model_class(resource).model_fields[element].json_schema_extra
    assert isinstance(extra, dict)
    known = [code for code in extra["enum_values"] if code != "+"]

    ours = json.loads(TARGET.read_bytes())["codes"][value_set]
    assert set(known) <= set(ours)
    if value_set not in by_hand.VALUE_SETS:
        assert set(known) == set(ours)


def test_each_kind_is_told_by_what_its_definition_fixes() -> None:
    for kind, profile in RECORDS.items():
        written = next(kid for kid in rules.of_profile(profile).kids if kid.name == "type")
        parts = {part.name: part for part in written.kids}
        if kind in TEXTS:
            assert parts["text"].fixed == TEXTS[kind]
            continue
        coding = {part.name: part.fixed for part in parts["coding"].kids}
        assert coding["code"] in (CODES[kind][0], None)  # a diagnostic report's code is only advised
        assert coding["display"] in (CODES[kind][1], None)


def test_what_has_no_definition_is_marked_as_written_by_hand() -> None:
    assert {name for name, each in rules.profiles().items() if each.by_hand} == {
        "PrescriptionRecord",
        "InvoiceRecord",
        "Invoice",
    }
    assert "written by hand" in str(rules.of_profile("InvoiceRecord").kids[0])


def test_production_imports_neither_the_compiler_nor_the_parser_before_it_checks() -> None:
    script = (
        "import sys; import connectors.abdm.fhir; "
        "print([name for name in sys.modules if name.startswith('fhir') or name.endswith(('.compile', 'base_types'))])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"
