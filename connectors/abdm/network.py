"""ABDM's form, for the gateway's flows (connectors/network.py). Pure: requests are built, messages proved and read.

What proves a message is a token of the network's gateway and nothing else: it is bound to no body, no path and no recipient.
So a message counts only for a facility that is ours and for something that is open here, and each answer goes to the
network, never to an address in the message.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

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
from connectors.network import Body, Entry, Fault, Key, Letter
from connectors.told import RecordKind, RecordsWanted, Told

if TYPE_CHECKING:
    import httpx2

    from scopes.vocabulary import Category

__all__ = [
    "PREFIX",
    "bridge_request",
    "categories_of",
    "check",
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
    from connectors.abdm import fhir

    return [Fault(fault.path, fault.message) for fault in fhir.check(dict(document))]


def kind_of(document: Mapping[str, Any]) -> RecordKind | None:
    """What kind a document is."""
    from connectors.abdm import fhir

    return fhir.kind_of(document)


def categories_of(document: Mapping[str, Any]) -> "frozenset[Category]":
    """Which categories of data are in a document."""
    from connectors.abdm import fhir

    return fhir.categories_of(document)


def dates_of(document: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """Of which time a document is."""
    from connectors.abdm import fhir

    return fhir.dates_of(document)


def document_of(kind: RecordKind, record: Mapping[str, Any], *, document: str, now: datetime) -> dict[str, Any]:
    """A document made of a plain record. Raises pydantic's ValidationError."""
    from connectors.abdm import fhir

    return fhir.document_of(kind, record, document=document, now=now)


def sealed(
    entry: Entry, chunks: Callable[[], AsyncIterator[bytes]], wanted: RecordsWanted, *, page: int, pages: int
) -> Body:
    """One page of a push, under a key pair and a nonce of its own."""
    from connectors.abdm import push

    return push.sealed(entry, chunks, wanted, page=page, pages=pages)


def push_request(url: str, body: Body, *, token: str | None) -> "httpx2.Request":
    """The request that carries a page."""
    from connectors.abdm import push

    return push.push_request(url, body, token=token)
