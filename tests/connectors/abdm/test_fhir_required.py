"""Every element that a definition requires and that a document holds: taken out, its absence is named."""

import json
from pathlib import Path

import pytest

from connectors.abdm.fhir import check, rules
from connectors.abdm.fhir.rules import Rule
from connectors.told import RecordKind
from tests.connectors.abdm.records import SCAN, bundle
from tests.connectors.abdm.required import Required, required, without

DOCUMENTS = {
    **{kind.value: bundle(kind) for kind in RecordKind},
    "imaging": bundle(RecordKind.DIAGNOSTIC_REPORT, report=SCAN),
}
ONE_EACH = {
    f"{name}: {each.rule.profile} {each.rule.path}": (name, each)
    for name, made in DOCUMENTS.items()
    for each in required(made)
}


@pytest.mark.parametrize("which", ONE_EACH)
def test_a_required_element_that_is_missing_is_named(which: str) -> None:
    name, each = ONE_EACH[which]

    found = {fault.path: fault.message for fault in check(without(DOCUMENTS[name], each.steps))}

    assert each.path in found
    assert each.rule.path in found[each.path] or each.rule.profile in found[each.path]


def test_the_documents_hold_what_all_the_records_require() -> None:
    """A record's profile whose required elements are not in any document would pass unseen."""
    held = {(each.rule.profile, each.rule.path) for _, each in ONE_EACH.values()}
    for name in ("DocumentBundle", "Patient", "Practitioner", "Organization", *_records()):
        wanted = {(name, rule.path) for rule in _always(rules.of_profile(name))}
        assert wanted <= held


def test_the_compiled_rules_require_what_the_definitions_do(specs: Path) -> None:
    for file in sorted((specs / "nrces").glob("StructureDefinition-*.json")):
        definition = json.loads(file.read_bytes())
        said = {each["id"] for each in definition["snapshot"]["element"] if each["min"] and "." in each["id"]}

        assert {
            rule.path for rule in _all(rules.of_profile(definition["id"])) if rule.least and "." in rule.path
        } == said


def _records() -> list[str]:
    return [name for name, profile in rules.profiles().items() if profile.kind == "Composition"]


def _always(rule: Rule) -> list[Rule]:
    """What is required whatever else is there."""
    return [each for kid in rule.kids if kid.least for each in (kid, *_always(kid))]


def _all(rule: Rule) -> list[Rule]:
    below = [*rule.kids, *(each.rule for each in rule.slices)]
    return [rule, *(inner for each in below for inner in _all(each))]


def test_there_are_hundreds_of_them() -> None:
    assert len(ONE_EACH) > 300
    assert all(isinstance(each, Required) for _, each in ONE_EACH.values())
