"""ABDM's form, for the gateway's flows (connectors/network.py). Pure: requests are built, messages proved and read.

What proves a message is a token of the network's gateway and nothing else: it is bound to no body, no path and no recipient.
So a message counts only for a facility that is ours and for something that is open here, and each answer goes to the
network, never to an address in the message.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from connectors.abdm import callbacks
from connectors.abdm.genuine import check_token, outside_of
from connectors.abdm.headers import scanned_text
from connectors.abdm.session import (
    bridge_request,
    keys_request,
    move_request,
    read_bridge,
    read_keys,
    read_moved,
    read_session,
    session_request,
)
from connectors.errors import CallbackRefused
from connectors.network import Body, Chunks, Entry, Key, Letter, Place
from connectors.told import Party, RecordKind, RecordsWanted, Told
from scopes.fault import Fault

if TYPE_CHECKING:
    import httpx2

    from connectors.abdm.fhir.people import Facility
    from scopes.vocabulary import Category

__all__ = [
    "PREFIX",
    "bridge_request",
    "check",
    "compose_of",
    "contents_of",
    "dates_of",
    "document_of",
    "keys_request",
    "kind_of",
    "move_request",
    "outside",
    "push_request",
    "read",
    "read_bridge",
    "read_keys",
    "read_moved",
    "read_session",
    "scanned_text",
    "sealed",
    "session_request",
    "verify",
]

PREFIX: Final = "/abdm"
_KEYS_LAST: Final = timedelta(days=1)


def outside(path: str, headers: Mapping[str, str]) -> Letter:
    """The outside of a message. Raises CallbackRefused where a part of it is missing. Nothing is proved yet."""
    return outside_of(headers)


def verify(letter: Letter, keys: Sequence[Key], *, now: datetime) -> float:
    """Raise CallbackRefused unless the network's gateway signed the token; by how many seconds it is too old."""
    return check_token(letter, keys, now=now)


def read(path: str, letter: Letter, raw_body: bytes) -> Told | None:
    """What a message says; None for one of a kind that is not used. Raises CallbackRefused."""
    return callbacks.read(path, raw_body)


def check(document: Mapping[str, Any]) -> list[Fault]:
    """Where a document does not fit the profiles of India's National Resource Centre for EHR Standards."""
    from connectors.abdm.fhir import conformance

    return conformance.check(document)


def kind_of(document: Mapping[str, Any]) -> RecordKind | None:
    """What kind a document is."""
    from connectors.abdm.fhir.kinds import hi_type

    return hi_type(document)


def contents_of(document: Mapping[str, Any]) -> "tuple[tuple[str, Category], ...]":
    """Which types of resource are in a document, each with each category of data that it holds."""
    from connectors.abdm.fhir.contents import contents

    return contents(document)


def dates_of(document: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """Of which time a document is."""
    from connectors.abdm.fhir.contents import clinical_dates

    return clinical_dates(document)


def document_of(
    kind: RecordKind, record: Mapping[str, Any], *, document: str, now: datetime, facility: Party
) -> dict[str, Any]:
    """A document made of a plain record. Raises pydantic's ValidationError."""
    from connectors.abdm.fhir.document import document as made_of
    from connectors.abdm.fhir.records import MODELS

    checked = MODELS[kind].model_validate(record)
    return made_of(kind, checked, id=UUID(document), now=now, facility=_clinic(facility))


def compose_of(
    kind: RecordKind, resources: Sequence[Mapping[str, Any]], *, document: str, now: datetime, facility: Party
) -> dict[str, Any]:
    """A document composed of ready FHIR resources. Raises InvalidPayload with paths below `resources`."""
    from connectors.abdm.fhir.composed import compose

    return compose(kind, list(resources), id=UUID(document), now=now, facility=_clinic(facility))


def _clinic(facility: Party) -> "Facility":
    from connectors.abdm.fhir.people import Facility

    return Facility(name=facility.name or facility.id, hip_id=facility.id)


def sealed(entry: Entry, chunks: Chunks, wanted: RecordsWanted, *, place: Place) -> Body:
    """One page of a push, under a key pair and a nonce of its own. Raises CallbackRefused for a key that can't be used."""
    from connectors.abdm.crypto import CryptoError
    from connectors.abdm.push import Page, Peer

    page = Page(
        transaction=wanted.transaction,
        index=place.page,
        count=place.pages,
        keys_expire_at=place.now + _KEYS_LAST,
        first_number=int(place.settings.get("first_page", "0")),
        raw_key=place.settings.get("key_form", "x509") == "raw",
    )
    try:
        return page.body(entry, chunks, Peer(wanted.key, wanted.nonce))
    except CryptoError:
        raise CallbackRefused("key_refused") from None


def push_request(url: str, body: Body, *, token: str | None, settings: Mapping[str, str]) -> "httpx2.Request":
    """The request that carries a page. A session's token opens the gateway for whoever gets it: a clinic may leave it out."""
    from connectors.abdm import push

    return push.push_request(url, body, token=token if settings.get("push_token", "session") == "session" else None)
