"""What kinds of data a document holds, and from when it is. Reads ready FHIR; says nothing of whether it conforms."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any, Final

from connectors.abdm.fhir.invariants import parts
from connectors.abdm.fhir.kinds import composition_of
from connectors.abdm.fhir.primitives import expected, moment
from scopes.vocabulary import Category

INDIA: Final = timezone(timedelta(hours=5, minutes=30))
"""A date without a time is a day in India."""
_LAST: Final = timedelta(microseconds=1)

_CLINICAL: Final = frozenset({Category.CLINICAL})
_MEDICATION: Final = frozenset({Category.MEDICATION})
_RESULT: Final = frozenset({Category.RESULT})
_IMAGING: Final = frozenset({Category.IMAGING})
_STAFF: Final = frozenset({Category.STAFF})
_VISIT: Final = frozenset({Category.APPOINTMENT})
_WRITTEN: Final = frozenset({Category.CLINICAL, Category.FREE_TEXT})
_OF: Final[Mapping[str, frozenset[Category]]] = {
    "AllergyIntolerance": _CLINICAL,
    "Appointment": _VISIT,
    "Binary": _WRITTEN,
    "CarePlan": _CLINICAL,
    "Composition": frozenset({Category.OPERATIONAL}),
    "Condition": _CLINICAL,
    "Coverage": frozenset({Category.INSURANCE}),
    "DiagnosticReport": _RESULT,
    "DocumentReference": _WRITTEN,
    "Encounter": _VISIT | _CLINICAL,
    "FamilyMemberHistory": _CLINICAL,
    "ImagingStudy": _IMAGING,
    "Immunization": _CLINICAL | _MEDICATION,
    "ImmunizationRecommendation": _CLINICAL | _MEDICATION,
    "Invoice": frozenset({Category.BILLING}),
    "Location": frozenset({Category.LOCATION}),
    "Media": _IMAGING,
    "MedicationRequest": _MEDICATION,
    "MedicationStatement": _MEDICATION,
    "Observation": _RESULT,
    "Organization": frozenset({Category.OPERATIONAL}),
    "Patient": frozenset({Category.IDENTITY, Category.IDENTIFIER}),
    "Practitioner": _STAFF,
    "PractitionerRole": _STAFF,
    "Procedure": _CLINICAL,
    "ServiceRequest": _CLINICAL,
    "Specimen": _RESULT,
}
_OTHER: Final = "other"
_ELSE: Final = _WRITTEN
"""What an unknown resource is taken for: the kinds that clinics are most careful with."""
_BY_PART: Final[Mapping[str, Mapping[str, Category]]] = {
    "Patient": {"telecom": Category.CONTACT, "address": Category.LOCATION, "contact": Category.CONTACT},
    "DiagnosticReport": {"media": Category.IMAGING, "imagingStudy": Category.IMAGING},
}
_WORDS: Final = frozenset(
    {"text", "note", "conclusion", "description", "comment", "patientInstruction", "clinicalImpression"}
)
"""Elements that hold what somebody wrote, at the top of a resource."""


def contents(bundle: object) -> tuple[tuple[str, Category], ...]:
    """Each type of resource in a document with each kind of data that it holds, in order, once; no word of the document's own.

    A type that is not one of ours is called `other`: whoever wrote the document wrote its name.
    """
    found: set[tuple[str, Category]] = set()
    for resource in _resources(bundle):
        kind = resource.get("resourceType")
        named = kind if isinstance(kind, str) and kind in _OF else _OTHER
        found |= {(named, category) for category in _held(resource, named)}
    return tuple(sorted(found))


def categories(bundle: object) -> frozenset[Category]:
    """The kinds of data that a document holds, by its resources."""
    return frozenset(category for _, category in contents(bundle))


def _held(resource: Mapping[str, Any], named: str) -> Iterator[Category]:
    yield from _OF.get(named, _ELSE)
    yield from (category for part, category in _BY_PART.get(named, {}).items() if part in resource)
    if _WORDS & resource.keys() or any("text" in each for each in parts(resource, "section") if isinstance(each, dict)):
        yield Category.FREE_TEXT


def clinical_dates(bundle: object) -> tuple[datetime, datetime] | None:
    """From when to when the document is: its own date, else the visit's; None where neither can be read.

    A date without a time is that whole day (month, year) in India. A visit that has not ended lasts to the bundle's time.
    """
    composition = composition_of(bundle)
    if composition is None:
        return None
    own = span(composition.get("date"))
    if own is not None:
        return own
    encounter = next((each for each in _resources(bundle) if each.get("resourceType") == "Encounter"), {})
    period = encounter.get("period")
    if not isinstance(period, dict) or (start := span(period.get("start"))) is None:
        return None
    stamp = bundle.get("timestamp") if isinstance(bundle, dict) else None
    end = span(period.get("end")) or span(stamp) or start
    return start[0], max(end[1], start[1])


def _resources(bundle: object) -> Iterator[dict[str, Any]]:
    """The resources of the entries, and those inside of them."""
    for entry in parts(bundle, "entry"):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        for each in (resource, *parts(resource, "contained")):
            if isinstance(each, dict):
                yield each


def span(value: object) -> tuple[datetime, datetime] | None:
    """A dateTime as the time that it may mean, first and last."""
    try:
        exact = moment(value)
        if exact is not None:
            return exact.astimezone(UTC), exact.astimezone(UTC)
        if not isinstance(value, str) or expected("date", value) is not None:
            return None
        first = date.fromisoformat(f"{value}-01-01"[: len("2026-11-17")])
        return _midnight(first), _midnight(_after(first, value)) - _LAST
    except (ValueError, OverflowError):  # the year 0000, or one beyond the calendar's end
        return None


def _after(first: date, value: str) -> date:
    """The day after the day, month or year that a date names."""
    if len(value) == len("2026"):
        return first.replace(year=first.year + 1)
    if len(value) == len("2026-11"):
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), INDIA).astimezone(UTC)
