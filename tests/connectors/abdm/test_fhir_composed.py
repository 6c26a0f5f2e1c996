"""Documents composed of ready resources: they conform, say what was handed over, and refuse with a path what has no place."""

import copy
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.abdm.fhir import Facility, Fault, check, clinical_dates, compose, document, hi_type
from connectors.abdm.fhir.fence import DEEPEST, MOST_VALUES
from connectors.told import RecordKind
from scopes.fault import MOST_NAMED, InvalidPayload
from tests.connectors.abdm.clinics import FACILITIES, MOMENTS, records
from tests.connectors.abdm.records import FACILITY, ID, NOW, bundle

Document = dict[str, Any]
Resources = list[dict[str, Any]]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
ODD = JSON | st.sampled_from(
    [b"x", {1, 2}, (1,), object(), "\ud800", 1e400, [None], {"": {}}, "Patient/1", "urn:uuid:x"]
)
PROBLEM = [{"coding": [{"code": "problem-list-item"}]}]


def resources_of(made: Document) -> Resources:
    return [each["resource"] for each in made["entry"]]


def as_a_host_says_it(made: Document) -> Document:
    """The same document with what its records tell by their place told by the resources themselves: old illnesses, dates."""
    made = copy.deepcopy(made)
    written = made["entry"][0]["resource"]["date"]
    old = [
        each["reference"]
        for section in made["entry"][0]["resource"]["section"]
        for each in section["entry"]
        if section["title"] == "Medical history"
    ]
    for entry in made["entry"]:
        resource = entry["resource"]
        if entry["fullUrl"] in old:
            resource["category"] = PROBLEM
        if resource["resourceType"] == "DocumentReference":
            resource["date"] = written
        if resource["resourceType"] == "Observation" and "effectiveDateTime" not in resource:
            resource["issued"] = written
    return made


def handed(made: Document, *, plain: bool = True) -> Resources:
    """A document's resources as a host has them: under ids of its own, and without NRCeS' profiles where types tell enough."""
    names = {each["fullUrl"]: f"{each['resource']['resourceType']}/r-{n}" for n, each in enumerate(made["entry"])}
    wellness = hi_type(made) is RecordKind.WELLNESS_RECORD

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: renamed(each) for key, each in value.items()}
        if isinstance(value, list):
            return [renamed(each) for each in value]
        return names.get(value, value) if isinstance(value, str) and plain else value

    found = []
    for entry in made["entry"][1:]:
        resource = renamed(entry["resource"])
        if plain:
            resource["id"] = names[entry["fullUrl"]].partition("/")[2]
        if not (wellness and resource["resourceType"] == "Observation"):
            del resource["meta"]
        found.append(resource)
    return found


def said(made: Document) -> list[str]:
    """Each resource as a text, with what it points to in the place of addresses; the same for the same content."""
    by_url = {each["fullUrl"]: each["resource"] for each in made["entry"]}

    def content(value: Any) -> Any:
        if isinstance(value, list):
            return [content(each) for each in value]
        if not isinstance(value, dict):
            return content(by_url[value]) if value in by_url else value
        hidden = {"id"} if "resourceType" in value else set()
        if value.get("resourceType") == "DiagnosticReport":
            hidden.add("meta")  # one that is both of a laboratory and of images names neither
        return {key: content(each) for key, each in value.items() if key not in hidden}

    composition = content(made["entry"][0]["resource"])
    del composition["date"], composition["attester"][0]["time"]
    for section in composition["section"]:
        section["entry"].sort(key=lambda each: json.dumps(each, sort_keys=True))
    own = [composition, *(content(each) for each in resources_of(made)[1:])]
    return sorted(json.dumps(each, sort_keys=True) for each in own)


def composed(kind: RecordKind, resources: object, *, facility: Facility = FACILITY) -> Document:
    return compose(kind, resources, id=ID, now=NOW, facility=facility)


def faults(kind: RecordKind, resources: object) -> dict[str, str]:
    with pytest.raises(InvalidPayload) as refused:
        composed(kind, resources)
    return {fault.path: fault.message for fault in refused.value.faults}


def plain(kind: RecordKind, **changes: Any) -> Resources:
    """Resources of a record with everything."""
    return handed(as_a_host_says_it(bundle(kind, **changes)))


def only(resources: Resources, kind: str) -> dict[str, Any]:
    return next(each for each in resources if each["resourceType"] == kind)


@pytest.mark.parametrize("kind", RecordKind)
def test_the_resources_of_any_document_compose_to_one_that_conforms_and_says_the_same(kind: RecordKind) -> None:
    @settings(max_examples=20, deadline=None)
    @given(st.data(), records(kind), st.uuids(), MOMENTS, FACILITIES, st.booleans())
    def holds(data: Any, record: Any, identity: UUID, now: Any, facility: Facility, named: bool) -> None:
        made = as_a_host_says_it(document(kind, record, id=UUID(int=1), now=NOW, facility=facility))
        shuffled = data.draw(st.permutations(handed(made, plain=named)))

        again = compose(kind, shuffled, id=identity, now=now, facility=facility)

        assert check(again, absolute=True) == []
        assert hi_type(again) is kind
        assert clinical_dates(again) is not None
        assert said(again) == said(made)
        assert json.loads(json.dumps(again)) == again
        assert again == compose(kind, shuffled, id=identity, now=now, facility=facility)

    holds()


@pytest.mark.parametrize("kind", RecordKind)
def test_composing_changes_nothing_of_what_was_handed_over_and_shares_nothing_with_it(kind: RecordKind) -> None:
    resources = plain(kind)
    before = copy.deepcopy(resources)
    made = composed(kind, resources)
    made["entry"][1]["resource"].clear()

    assert resources == before


def test_a_resource_is_the_entry_after_it_and_the_hosts_ids_stay_behind() -> None:
    resources = plain(RecordKind.OP_CONSULTATION)
    made = composed(RecordKind.OP_CONSULTATION, resources)

    types = [each["resourceType"] for each in resources]
    assert [each["resourceType"] for each in resources_of(made)] == ["Composition", *types]
    assert all(each["fullUrl"] == f"urn:uuid:{each['resource']['id']}" for each in made["entry"])
    assert "r-" not in json.dumps([each["id"] for each in resources_of(made)])


def test_two_documents_of_the_same_resources_share_no_address() -> None:
    resources = plain(RecordKind.PRESCRIPTION)
    one = composed(RecordKind.PRESCRIPTION, resources)
    other = compose(RecordKind.PRESCRIPTION, resources, id=UUID(int=1), now=NOW, facility=FACILITY)

    assert not {each["fullUrl"] for each in one["entry"]} & {each["fullUrl"] for each in other["entry"]}


def test_the_clinic_is_put_in_where_none_of_the_organizations_is_it() -> None:
    resources = plain(RecordKind.PRESCRIPTION)
    only(resources, "Organization")["identifier"][0]["value"] = "another"
    made = composed(RecordKind.PRESCRIPTION, resources)

    (attester,) = made["entry"][0]["resource"]["attester"]
    party = next(each["resource"] for each in made["entry"] if each["fullUrl"] == attester["party"]["reference"])
    assert check(made) == []
    assert party["identifier"][0]["value"] == FACILITY.hip_id
    assert len([each for each in resources_of(made) if each["resourceType"] == "Organization"]) == 2


def test_references_are_rewritten_wherever_they_stand() -> None:
    resources = plain(RecordKind.PRESCRIPTION)
    patient = f"Patient/{only(resources, 'Patient')['id']}"
    deep = {
        "url": "https://x.example/a",
        "extension": [{"url": "https://x.example/b", "valueReference": {"reference": patient}}],
    }
    only(resources, "MedicationRequest")["dosageInstruction"][0]["extension"] = [deep]
    only(resources, "MedicationRequest")["subject"]["reference"] = f"{patient}/_history/2"
    made = composed(RecordKind.PRESCRIPTION, resources)

    assert check(made) == []
    assert patient not in json.dumps(made)


def test_an_attachment_may_name_a_binary_beside_it() -> None:
    resources = plain(RecordKind.HEALTH_DOCUMENT_RECORD)
    attachment = only(resources, "DocumentReference")["content"][0]["attachment"]
    resources.append(
        {"resourceType": "Binary", "id": "b", "contentType": "application/pdf", "data": attachment["data"]}
    )
    attachment["url"] = "Binary/b"
    made = composed(RecordKind.HEALTH_DOCUMENT_RECORD, resources)

    assert check(made) == []
    assert made["entry"][-1]["fullUrl"] in json.dumps(made["entry"][1:-1])


def test_a_prescription_may_say_for_which_illness_a_medicine_is() -> None:
    """No section of a prescription takes an illness; the medicine leads to it."""
    resources = plain(RecordKind.PRESCRIPTION)
    subject = only(resources, "MedicationRequest")["subject"]
    resources.append({"resourceType": "Condition", "id": "c", "code": {"text": "Fever"}, "subject": dict(subject)})
    only(resources, "MedicationRequest")["reasonReference"] = [{"reference": "Condition/c"}]

    assert check(composed(RecordKind.PRESCRIPTION, resources)) == []


def _place(kind: RecordKind, resource: dict[str, Any]) -> str:
    """The title of the section that one more resource goes into."""
    resources = plain(kind)
    own: dict[str, Any] = {"subject": {"reference": f"Patient/{only(resources, 'Patient')['id']}"}, "id": "more"}
    if resource["resourceType"] == "ServiceRequest":
        own["requester"] = {"reference": f"Practitioner/{only(resources, 'Practitioner')['id']}"}
    made = composed(kind, [{**resource, **own}, *resources])
    assert check(made) == []
    address = made["entry"][1]["fullUrl"]
    sections = made["entry"][0]["resource"]["section"]
    return str(next(each["title"] for each in sections if address in json.dumps(each)))


def _observation(category: str | None = None, profile: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    made["valueCodeableConcept" if category == "social-history" else "valueString"] = (
        {"text": "y"} if category == "social-history" else "y"
    )
    if category:
        made["category"] = [{"coding": [{"code": category}]}]
    if profile:
        made["meta"] = {"profile": [f"https://nrces.in/ndhm/fhir/r4/StructureDefinition/{profile}"]}
    return made


REFERRAL = [{"coding": [{"system": "http://snomed.info/sct", "code": "306206005"}]}]
_CONDITION: dict[str, Any] = {"resourceType": "Condition", "code": {"text": "x"}}
_RESOLVED = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "resolved"}]}
_ORDER: dict[str, Any] = {
    "resourceType": "ServiceRequest",
    "status": "active",
    "intent": "order",
    "code": {"text": "x"},
}
CONSULTATION, STAY, WELLNESS = RecordKind.OP_CONSULTATION, RecordKind.DISCHARGE_SUMMARY, RecordKind.WELLNESS_RECORD
PLACES: dict[str, tuple[RecordKind, dict[str, Any], str]] = {
    "an illness": (CONSULTATION, _CONDITION, "Chief complaints"),
    "one on the problem list": (CONSULTATION, {**_CONDITION, "category": PROBLEM}, "Medical history"),
    "one that is over": (STAY, {**_CONDITION, "clinicalStatus": _RESOLVED}, "Medical history"),
    "an examination": (CONSULTATION, _observation("exam"), "Physical examination"),
    "a vital sign": (STAY, _observation("vital-signs"), "Physical examination"),
    "a value of a laboratory": (CONSULTATION, _observation("laboratory"), "Other observations"),
    "a vital sign of wellness": (WELLNESS, _observation("vital-signs"), "Vital Signs"),
    "a habit": (WELLNESS, _observation("social-history"), "Lifestyle"),
    "a measure": (WELLNESS, _observation(profile="ObservationBodyMeasurement"), "Body Measurement"),
    "anything measured": (WELLNESS, _observation(), "Other Observations"),
    "an order": (CONSULTATION, _ORDER, "Investigation advice"),
    "a referral": (CONSULTATION, {**_ORDER, "category": REFERRAL}, "Referral"),
}


@pytest.mark.parametrize("which", PLACES)
def test_each_resource_goes_into_the_section_that_it_belongs_to(which: str) -> None:
    kind, resource, title = PLACES[which]

    assert _place(kind, resource) == title


def test_what_a_report_holds_stands_in_the_report_and_in_no_section() -> None:
    made = composed(STAY, plain(STAY, examination=()))

    assert "Physical examination" not in [each["title"] for each in made["entry"][0]["resource"]["section"]]


def test_a_report_names_the_one_profile_that_it_keeps() -> None:
    made = composed(STAY, plain(STAY))
    named = [each["meta"]["profile"][0] for each in resources_of(made) if each["resourceType"] == "DiagnosticReport"]

    assert [each.rpartition("/")[2] for each in named] == ["DiagnosticReportLab", "DiagnosticReportImaging"]


def test_a_profile_that_a_resource_names_is_left_as_it_is() -> None:
    resources = plain(RecordKind.PRESCRIPTION)
    only(resources, "Patient")["meta"] = {"versionId": "3", "profile": ["https://x.example/Patient"]}
    only(resources, "Practitioner")["meta"] = {"versionId": "4"}
    made = resources_of(composed(RecordKind.PRESCRIPTION, resources))

    assert only(made, "Patient")["meta"] == {"versionId": "3", "profile": ["https://x.example/Patient"]}
    assert only(made, "Practitioner")["meta"]["versionId"] == "4"
    assert only(made, "Practitioner")["meta"]["profile"][0].endswith("/Practitioner")


def _authors(kind: RecordKind, resources: Resources) -> list[str]:
    made = composed(kind, resources)
    assert check(made) == []
    names = {each["fullUrl"]: each["resource"] for each in made["entry"]}
    return [names[each["reference"]]["name"][0]["text"] for each in made["entry"][0]["resource"]["author"]]


def test_of_several_practitioners_those_are_authors_whose_word_it_is() -> None:
    def authors(kind: RecordKind) -> list[str]:
        resources = plain(kind)
        nurse = {**copy.deepcopy(only(resources, "Practitioner")), "id": "nurse", "name": [{"text": "A nurse"}]}
        only(resources, "Encounter")["participant"] = [{"individual": {"reference": "Practitioner/nurse"}}]
        return _authors(kind, [nurse, *resources])

    assert authors(RecordKind.PRESCRIPTION) == ["Dr Invented Rao"]  # who requested the medicines
    assert authors(RecordKind.HEALTH_DOCUMENT_RECORD) == ["A nurse", "Dr Invented Rao"]  # nothing says whose word it is


def test_a_document_is_of_the_latest_time_that_its_resources_say_and_never_of_its_handing_over() -> None:
    resources = plain(RecordKind.PRESCRIPTION)
    only(resources, "Encounter")["period"] = {"start": "2019-03-01T10:00:00+05:30"}
    for each in resources:
        each.update({"authoredOn": "2019-03"} if "authoredOn" in each else {})
    made = composed(RecordKind.PRESCRIPTION, resources)
    assert check(made) == []
    assert made["entry"][0]["resource"]["date"] == "2019-03"
    since, until = clinical_dates(made) or (NOW, NOW)
    assert (since.year, until.year) == (2019, 2019)

    for each in resources:
        each.pop("authoredOn", None)
    made = composed(RecordKind.PRESCRIPTION, resources)
    assert made["entry"][0]["resource"]["date"] == "2019-03-01T10:00:00+05:30"


Change = Callable[[Resources], object]
STRAY = "has no place in a document of this kind"


def _undated(them: Resources) -> None:
    for each in them:
        for name in ("date", "period", "issued", "effectiveDateTime"):
            each.pop(name, None)


def _without(*kinds: str) -> Change:
    """Without these, and without what points to them."""

    def change(them: Resources) -> None:
        gone = [f"{each['resourceType']}/{each['id']}" for each in them if each["resourceType"] in kinds]
        them[:] = [each for each in them if each["resourceType"] not in kinds]
        for each in them:
            for key in [key for key, value in each.items() if any(name in json.dumps(value) for name in gone)]:
                del each[key]

    return change


def _twin(kind: str, **parts: Any) -> Change:
    return lambda them: them.append({**copy.deepcopy(only(them, kind)), **parts})


def _adds(**parts: Any) -> Change:
    return lambda them: them.append(parts)


def _sets(kind: str, **parts: Any) -> Change:
    return lambda them: only(them, kind).update(parts)


PRESCRIPTION, FILED = RecordKind.PRESCRIPTION, RecordKind.HEALTH_DOCUMENT_RECORD
SHARED = "6f2d4c6b-9d1e-4a2f-8b8c-9d10e5b1c3a0"
WRONG: dict[str, tuple[RecordKind, Change, str, str]] = {
    "none at all": (PRESCRIPTION, lambda them: them.clear(), "resources", "at least one"),
    "no resource": (PRESCRIPTION, lambda them: them.append(None), "resources[7].resourceType", "is required"),  # type: ignore[arg-type]
    "no type": (PRESCRIPTION, _adds(id="x"), "resources[7].resourceType", "is required"),
    "a type that is none": (PRESCRIPTION, _adds(resourceType="a b"), "resources[7].resourceType", "is required"),
    "a Composition": (PRESCRIPTION, _adds(resourceType="Composition"), "resources[7].resourceType", "is made here"),
    "a Bundle": (PRESCRIPTION, _adds(resourceType="Bundle"), "resources[7].resourceType", "is made here"),
    "a contained one": (PRESCRIPTION, _sets("Patient", contained=[{}]), "resources[0].contained", "of their own"),
    "an id that is none": (PRESCRIPTION, _sets("Patient", id="a b"), "resources[0].id", "must be 1 to 64"),
    "an id that is no text": (PRESCRIPTION, _sets("Patient", id=None), "resources[0].id", "must be 1 to 64"),
    "an id that is there already": (PRESCRIPTION, _twin("Patient"), "resources[7].id", "that of resources[0]"),
    "a reference to nobody": (
        PRESCRIPTION, _sets("Encounter", subject={"reference": "Patient/x"}), "resources[3].subject.reference", "must point",
    ),
    "a reference elsewhere": (
        PRESCRIPTION, _sets("Encounter", subject={"reference": "https://x.example/Patient/r-1"}),
        "resources[3].subject.reference", "must point",
    ),
    "a reference to a contained one": (
        PRESCRIPTION, _sets("Encounter", subject={"reference": "#p"}), "resources[3].subject.reference", "must point",
    ),
    "a reference of another type": (
        PRESCRIPTION, _sets("Encounter", subject={"reference": "Patient/r-1", "type": "Group"}),
        "resources[3].subject.type", "must be the type",
    ),
    "a reference to two": (
        PRESCRIPTION,
        lambda them: them.extend([
            {"resourceType": "Basic", "id": SHARED},
            {"resourceType": "Device", "id": SHARED, "patient": {"reference": f"urn:uuid:{SHARED}"}},
        ]),
        "resources[8].patient.reference", "names several",
    ),
    "a file that is not there": (
        FILED, _sets("DocumentReference", content=[{"attachment": {"contentType": "image/png", "url": "Binary/x"}}]),
        "resources[4].content[0].attachment.url", "must point",
    ),
    "no patient": (PRESCRIPTION, _without("Patient"), "resources", "the Patient"),
    "two patients": (PRESCRIPTION, _twin("Patient", id="other"), "resources[7]", "second Patient"),
    "no author": (PRESCRIPTION, _without("Practitioner"), "resources", "the Practitioner"),
    "two visits": (PRESCRIPTION, _twin("Encounter", id="other"), "resources[7]", "second Encounter"),
    "no visit": (CONSULTATION, _without("Encounter"), "resources", "the Encounter"),
    "no medicine": (PRESCRIPTION, _without("MedicationRequest", "Binary"), "resources", "such as MedicationRequest"),
    "nothing measured": (WELLNESS, _without("Observation", "DocumentReference"), "resources", "such as Observation"),
    "no time": (FILED, _undated, "resources", "when it is from"),
    "a vaccine": (PRESCRIPTION, _adds(resourceType="Immunization"), "resources[7]", STRAY),
    "what no profile knows": (PRESCRIPTION, _adds(resourceType="Basic"), "resources[7]", STRAY),
    "a value of a laboratory by itself": (STAY, lambda them: them.append(_observation("laboratory")), "resources[21]", STRAY),
    "values that hold each other": (
        CONSULTATION,
        lambda them: them.extend(
            {**_observation(), "id": f"o{n}", "hasMember": [{"reference": f"Observation/o{1 - n}"}]} for n in range(2)
        ),
        "resources[17]", STRAY,
    ),
}  # fmt: skip


@pytest.mark.parametrize("which", WRONG)
def test_what_cannot_be_composed_is_refused_with_its_path(which: str) -> None:
    kind, change, path, words = WRONG[which]
    resources = plain(kind)
    change(resources)

    found = faults(kind, resources)

    assert words in found.get(path, ""), found


def test_check_judges_a_composed_document_as_any_other() -> None:
    resources = plain(RecordKind.PRESCRIPTION)
    at = resources.index(only(resources, "MedicationRequest"))
    del resources[at]["status"]

    assert [each.path for each in check(composed(RecordKind.PRESCRIPTION, resources))] == [
        f"Bundle.entry[{at + 1}].resource.status"
    ]


def _deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"extension": [value]}
    return value


def _itself() -> Resources:
    resources = plain(RecordKind.PRESCRIPTION)
    resources[0]["extension"] = resources
    return resources


HOSTILE: dict[str, object] = {
    "nothing": None,
    "an object": {},
    "a text": "Patient",
    "itself": _itself(),
    "deep": [_deep(DEEPEST)],
    "very deep": [_deep(100_000)],
    "long": [{}] * (MOST_VALUES + 1),
    "many": [{"resourceType": "Patient"}] * (MOST_VALUES // 3),
    "many authors": [
        *({"resourceType": "Practitioner", "id": f"p{n}"} for n in range(3_000)),
        {"resourceType": "MedicationRequest", "requester": [{"reference": f"Practitioner/p{n}"} for n in range(3_000)]},
    ],
    "names that are none": [{1: 2}],
    "half a character": [{"resourceType": "Patient", "id": "\ud800"}],
}


@pytest.mark.parametrize("which", HOSTILE)
def test_what_is_no_list_of_resources_is_refused_and_nothing_else(which: str) -> None:
    found = faults(RecordKind.PRESCRIPTION, HOSTILE[which])

    assert 0 < len(found) <= MOST_NAMED
    assert all(path.startswith("resources") for path in found)


def _places(value: Any, steps: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [steps, *(place for key, each in inner for place in _places(each, (*steps, key)))]


EVERYWHERE = {kind: _places(plain(kind))[1:] for kind in RecordKind}


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(RecordKind), ODD)
def test_anything_in_the_place_of_anything_gives_faults_or_a_document_and_no_exception(
    data: st.DataObject, kind: RecordKind, odd: Any
) -> None:
    resources: Any = plain(kind)
    steps = data.draw(st.sampled_from(EVERYWHERE[kind]))
    value = resources
    for step in steps[:-1]:
        value = value[step]
    value[steps[-1]] = odd

    refused: tuple[Fault, ...] = ()
    try:
        made = composed(kind, resources)
    except InvalidPayload as why:
        refused = why.faults
    else:
        check(made)
        assert len(made["entry"]) >= len(resources) + 1

    assert len(refused) <= MOST_NAMED
    assert all(fault.path.startswith("resources") and fault.message for fault in refused)


@settings(max_examples=200, deadline=None)
@given(JSON, st.sampled_from(RecordKind))
def test_any_json_is_refused_and_nothing_else(value: Any, kind: RecordKind) -> None:
    assert faults(kind, value)
    assert faults(kind, [value])
    assert faults(kind, [{"resourceType": "Patient", "id": "x", "link": value}])


def test_no_fault_repeats_what_was_handed_over() -> None:
    secret = "AshaInvented"
    resources = plain(RecordKind.PRESCRIPTION)
    only(resources, "Encounter")["subject"] = {"reference": f"Patient/{secret}", f"{secret} x": {"reference": secret}}
    resources += [{"resourceType": secret * 9}, {"resourceType": "Patient", "id": f"{secret} y"}]
    told = json.dumps(faults(RecordKind.PRESCRIPTION, resources))
    told += json.dumps(faults(RecordKind.PRESCRIPTION, resources[:-2]))

    assert secret not in told
