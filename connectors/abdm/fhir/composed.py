"""A document of one of ABDM's eight health-information types, composed of ready FHIR R4 resources. Checks none: check() does.

Nothing is dropped and nothing is guessed about people: what has no place in such a document, and what is not clear, is refused
with its path. A resource of the list is the entry after it in the bundle, since the Composition comes first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from connectors.abdm.fhir import rules
from connectors.abdm.fhir.contents import span
from connectors.abdm.fhir.draft import Body, Draft
from connectors.abdm.fhir.envelope import Cover, enveloped
from connectors.abdm.fhir.gathered import Gathered, gathered
from connectors.abdm.fhir.invariants import parts
from connectors.abdm.fhir.kinds import RECORDS
from connectors.abdm.fhir.people import Facility
from connectors.abdm.fhir.resources import organization
from connectors.abdm.fhir.rules import CANONICAL
from connectors.abdm.fhir.sections import SECTIONS, Section, section_of
from connectors.abdm.fhir.walk import keeps
from connectors.told import RecordKind
from scopes.fault import Fault, InvalidPayload

_PART_OF: Final = frozenset({("DiagnosticReport", "result"), ("Observation", "hasMember")})
"""Where an observation is a part of what points to it, and no part of a section."""
_BY: Final = frozenset({"requester", "author", "recorder", "asserter", "resultsInterpreter"})
"""Where a resource says whose word it is."""
_DATED: Final[Mapping[str, tuple[str, ...]]] = {
    "AllergyIntolerance": ("recordedDate",),
    "CarePlan": ("created",),
    "Condition": ("recordedDate",),
    "DiagnosticReport": ("issued", "effectiveDateTime", "effectivePeriod"),
    "DocumentReference": ("date",),
    "Encounter": ("period",),
    "FamilyMemberHistory": ("date",),
    "Immunization": ("recorded", "occurrenceDateTime"),
    "ImmunizationRecommendation": ("date",),
    "Invoice": ("date",),
    "MedicationRequest": ("authoredOn",),
    "MedicationStatement": ("dateAsserted",),
    "Observation": ("issued", "effectiveDateTime", "effectiveInstant", "effectivePeriod"),
    "ServiceRequest": ("authoredOn",),
}
"""Where a resource says when it was written or found. A period ends it, and begins it while it lasts. When
an illness began, or something is to be, is no such time."""


def compose(kind: RecordKind, resources: object, *, id: UUID, now: datetime, facility: Facility) -> Body:  # noqa: A002
    """The document bundle of resources. The same resources, id and moment give the same bundle, to the letter.

    Raises InvalidPayload with paths below `resources`, whatever is handed in.
    """
    draft = Draft(id)
    handed = gathered(resources, draft)
    placed = _placed(kind, handed)
    cast = _cast(handed, placed, facility)
    written = _written(handed)
    faults = [*_missing(kind, cast, placed, written), *_second(handed), *_lost(handed, cast, placed)]
    if faults:
        raise InvalidPayload(faults)
    clinic = (
        handed.reference(cast.clinic) if cast.clinic is not None else draft.add("Organization", organization(facility))
    )
    _profiled(handed, placed)
    cover = Cover(
        kind=kind,
        patient=handed.reference(cast.patients[0]),
        authors=[handed.reference(at) for at in cast.authors],
        visit=handed.reference(cast.visits[0]) if cast.visits else None,
        facility=clinic,
        written=written or "",
        sections=[
            made
            for section in SECTIONS[kind].values()
            for made in section.of(handed.reference(at) for at, own in placed.items() if own is section)
        ],
    )
    return enveloped(cover, [*handed.entries(), *draft.entries], id=id, now=now)


@dataclass(frozen=True, slots=True)
class _Cast:
    """Who takes part, by their places among the resources."""

    patients: list[int]
    authors: list[int]
    visits: list[int]
    clinic: int | None


def _placed(kind: RecordKind, handed: Gathered) -> dict[int, Section]:
    """The section of each resource that has one."""
    inner = {
        link.target for link in handed.links if (handed.bodies[link.source]["resourceType"], link.element) in _PART_OF
    }
    found = ((at, section_of(kind, body)) for at, body in enumerate(handed.bodies) if at not in inner)
    return {at: section for at, section in found if section is not None}


def _cast(handed: Gathered, placed: Mapping[int, Section], facility: Facility) -> _Cast:
    people = handed.of("Practitioner") or handed.of("PractitionerRole")
    named = [link.target for link in handed.links if link.source in placed and link.element in _BY]
    able = set(handed.of("Practitioner", "PractitionerRole"))
    speaking = [at for at in dict.fromkeys(named) if at in able]
    clinics = [at for at in handed.of("Organization") if _is(handed.bodies[at], facility)]
    return _Cast(
        patients=handed.of("Patient"),
        authors=speaking if len(people) > 1 and speaking else people,
        visits=handed.of("Encounter"),
        clinic=clinics[0] if clinics else None,
    )


def _is(organization: Body, facility: Facility) -> bool:
    """Whether an organization is the clinic: by its id in the network."""
    return any(
        isinstance(each, dict) and each.get("value") == facility.hip_id for each in parts(organization, "identifier")
    )


def _missing(kind: RecordKind, cast: _Cast, placed: Mapping[int, Section], written: str | None) -> list[Fault]:
    """What such a document cannot be without."""
    needs_visit = any(rule.name == "encounter" for rule in rules.of_profile(RECORDS[kind]).needed)
    words = {
        "the Patient whom the document is about": bool(cast.patients),
        "the Practitioner who wrote what is in it": bool(cast.authors),
        "the Encounter that a document of this kind comes from": bool(cast.visits) or not needs_visit,
        f"what a document of this kind is of, such as {_first(kind)}": bool(placed),
        "when it is from: Encounter.period, or a date such as DocumentReference.date or Observation.issued": bool(
            written
        ),
    }
    return [Fault("resources", f"must hold {what}") for what, there in words.items() if not there]


def _first(kind: RecordKind) -> str:
    """A type of resource that the first section of such a document takes."""
    sort = next(iter(SECTIONS[kind].values())).takes[0]
    profile = rules.profiles().get(sort)
    return sort if profile is None else profile.kind


def _second(handed: Gathered) -> list[Fault]:
    """Whom and what a document can have only one of."""
    patients = [
        Fault(f"resources[{at}]", "is a second Patient; a document is about one") for at in handed.of("Patient")
    ]
    visits = [Fault(f"resources[{at}]", "is a second Encounter; a document is of one") for at in handed.of("Encounter")]
    return [*patients[1:], *visits[1:]]


def _lost(handed: Gathered, cast: _Cast, placed: Mapping[int, Section]) -> list[Fault]:
    """Resources that no section takes and nothing in the document leads to."""
    pending = [*cast.patients, *cast.authors, *cast.visits, *placed, *([] if cast.clinic is None else [cast.clinic])]
    reached: set[int] = set()
    to: dict[int, list[int]] = {}
    for link in handed.links:
        to.setdefault(link.source, []).append(link.target)
    while pending:
        at = pending.pop()
        if at not in reached:
            reached.add(at)
            pending.extend(to.get(at, ()))
    words = "has no place in a document of this kind: no section takes it, and nothing that has a place points to it"
    return [Fault(f"resources[{at}]", words) for at in range(len(handed.bodies)) if at not in reached]


def _written(handed: Gathered) -> str | None:
    """When the document is from: the latest that its resources say of themselves. Consents are narrowed by it.

    It is never the moment of handing over: a visit of years ago is not of today because it is handed over today.
    """
    said = [body.get(name) for body in handed.bodies for name in _DATED.get(body["resourceType"], ())]
    said = [each.get("end") or each.get("start") if isinstance(each, dict) else each for each in said]
    dated = [(times[1], each) for each in said if isinstance(each, str) and (times := span(each)) is not None]
    return max(dated)[1] if dated else None


def _profiled(handed: Gathered, placed: Mapping[int, Section]) -> None:
    """Name the profile of each resource that names none, where one alone fits."""
    kinds = {f"urn:uuid:{body['id']}": str(body["resourceType"]) for body in handed.bodies}
    for at, body in enumerate(handed.bodies):
        meta = body.get("meta", {})
        if not isinstance(meta, dict) or "profile" in meta:
            continue  # it names one, or check says what is wrong with it
        names = _names(body, placed.get(at))
        if len(names) > 1:
            names = [name for name in names if keeps(body, name, entry=at + 1, kinds=kinds)]
        if len(names) == 1:
            body["meta"] = {**meta, "profile": [f"{CANONICAL}/{names[0]}"]}


def _names(body: Mapping[str, Any], section: Section | None) -> list[str]:
    """The profiles of a resource's type, or the one that its section asks for; those that narrow another are left out."""
    if section is not None and section.profile is not None:
        return [section.profile]
    found = rules.profiles().values()
    return [each.name for each in found if each.kind == body["resourceType"] and each.base is None]
