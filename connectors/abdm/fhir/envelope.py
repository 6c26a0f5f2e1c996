"""What every document has, whatever it is made of: the bundle around it and its Composition. Makes no other resource."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from connectors.abdm.fhir.draft import SNOMED, Body, Draft, coded, instant
from connectors.abdm.fhir.kinds import CODES, RECORDS, TEXTS
from connectors.abdm.fhir.rules import CANONICAL
from connectors.abdm.fhir.sections import TITLES
from connectors.told import RecordKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What a Composition says: what the document is, whose, from whom, and where its parts are. References throughout."""

    kind: RecordKind
    patient: Body
    authors: list[Body]
    visit: Body | None
    facility: Body
    written: str
    """When it was written, as FHIR writes it."""
    sections: list[Body]


def enveloped(cover: Cover, entries: list[Body], *, id: UUID, now: datetime) -> Body:  # noqa: A002
    """The document bundle: the Composition first, then the entries as they stand."""
    composition = Draft(id)
    composition.add("Composition", _composition(cover), profile=RECORDS[cover.kind])
    return {
        "resourceType": "Bundle",
        "id": str(id),
        "meta": {
            "versionId": "1",
            "lastUpdated": instant(now),
            "profile": [f"{CANONICAL}/DocumentBundle"],
        },
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid5(id, 'document')}"},
        "type": "document",
        "timestamp": instant(now),
        "entry": [*composition.entries, *entries],
    }


def _composition(cover: Cover) -> Body:
    kind = cover.kind
    return {
        "status": "final",
        "type": {**(coded(SNOMED, *CODES[kind]) if kind in CODES else {}), "text": TEXTS.get(kind, TITLES[kind])},
        "subject": dict(cover.patient),
        "encounter": cover.visit,
        "date": cover.written,
        "author": [dict(each) for each in cover.authors],
        "title": TITLES[kind],
        # ABDM: the clinic itself attests, under its id in the network.
        "attester": [{"mode": "official", "time": cover.written, "party": dict(cover.facility)}],
        "custodian": dict(cover.facility),
        "section": cover.sections,
    }
