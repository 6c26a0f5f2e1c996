"""A document in the making: resources get their addresses, and references to them. Draws no chance and asks no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from connectors.abdm.fhir.contents import INDIA
from connectors.abdm.fhir.rules import CANONICAL

Body = dict[str, Any]
SNOMED: Final = "http://snomed.info/sct"
LOINC: Final = "http://loinc.org"
UCUM: Final = "http://unitsofmeasure.org"
V2_0203: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"


@dataclass(slots=True)
class Draft:
    """The resources of one document so far. The same id and the same resources give the same addresses."""

    id: UUID
    entries: list[Body] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    def next_id(self, kind: str) -> str:
        """The id of the next resource of a type, which is its address too, as a URN."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return str(uuid5(self.id, f"{kind}/{self._counts[kind]}"))

    def add(self, kind: str, body: Mapping[str, Any], *, profile: str | None = None) -> Body:
        """Put a resource in and give the reference to it; `profile` where it is not named like the resource."""
        own = self.next_id(kind)
        resource = {
            "resourceType": kind,
            "id": own,
            "meta": {"profile": [f"{CANONICAL}/{profile or kind}"]},
            **there(body),
        }
        self.entries.append({"fullUrl": f"urn:uuid:{own}", "resource": resource})
        return {"reference": f"urn:uuid:{own}", "type": kind}


def there(body: Mapping[str, Any]) -> Body:
    """A resource without what has no value: FHIR has neither nulls nor empty lists."""
    return {key: value for key, value in body.items() if value is not None and value != [] and value != {}}


def instant(moment: datetime) -> str:
    """A moment as FHIR writes it, in India's time."""
    return moment.astimezone(INDIA).isoformat(timespec="milliseconds")


def coding(system: str, code: str, display: str) -> Body:
    """One code with its terminology's own words."""
    return {"system": system, "code": code, "display": display}


def coded(system: str, code: str, display: str) -> Body:
    """A concept that is one of FHIR's own words."""
    return {"coding": [coding(system, code, display)]}


def concept(text: str, *, snomed: str | None = None, loinc: str | None = None, term: str | None = None) -> Body:
    """A concept in words, and with a code only where the clinic gave one: none is ever made up."""
    if term is None:
        return {"text": text}
    if loinc is not None:
        return {**coded(LOINC, loinc, term), "text": text}
    return {**coded(SNOMED, str(snomed), term), "text": text} if snomed is not None else {"text": text}
