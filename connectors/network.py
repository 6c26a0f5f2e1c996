"""How a network of health records and the gateway meet: its letters' outside, its keys, and the module that knows its form.

A network is a recipient that calls us as much as we call it, at one address for all clinics. Its connector offers a module
`network.py` (see Network) that knows the network's form; flows know the words of `connectors/told.py` only. What goes out is
an action like any other, told through the broker, under the names and models of `connectors/records.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from connectors.told import Party, RecordKind, RecordsWanted, Told
from scopes.fault import Fault

if TYPE_CHECKING:
    import httpx2

    from scopes.vocabulary import Category


@dataclass(frozen=True, slots=True)
class Letter:
    """The outside of one message of the network's: enough to prove it, to find its clinic and to know it again."""

    request_id: str
    """The network's own id of it: the same when it is sent again, and what our answer refers to."""
    account: str
    """The facility that it is for, as the connection's account."""
    key_id: str
    token: str = field(repr=False)
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Key:
    """One of the network's public keys."""

    id: str
    algorithm: str
    pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """What the network gives for the gateway's registration: a token for every clinic behind it."""

    token: str = field(repr=False)
    lasts_seconds: int


@dataclass(frozen=True, slots=True)
class Service:
    """One facility as the network knows it: the id that messages carry, its name, and whether it may give records."""

    id: str
    name: str
    active: bool
    gives_records: bool


@dataclass(frozen=True, slots=True)
class Bridge:
    """What the network has on file about us."""

    id: str
    url: str | None
    """Where it sends everything; None where it does not say."""
    active: bool
    services: tuple[Service, ...]


class SessionRefused(Exception):
    """The network does not take the registration. Asked again, it locks it: `code` says which."""

    def __init__(self, code: str) -> None:
        """`code` is a word of our own."""
        self.code = code
        super().__init__(f"the network does not take the gateway's registration ({code})")


@dataclass(frozen=True, slots=True)
class Entry:
    """One record that is ready to be sent: which it is, how long, and how its bytes are told to be whole."""

    context: str
    length: int
    digest: str
    """MD5 of the bytes, in hex: what the network wants beside each record."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body that is made while it is sent: its exact length, and its bytes from the start each time `chunks` is called."""

    length: int
    chunks: Callable[[], AsyncIterator[bytes]] = field(repr=False)


Chunks = Callable[[], AsyncIterator[bytes]]
"""The bytes of a record, from its start each time."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which page of how many it is (they count from 0), when it is made, and what the clinic set for its connection."""

    page: int
    pages: int
    now: datetime
    settings: Mapping[str, str]


class Network(Protocol):
    """What the module `network.py` of such a connector offers. All of it is pure: requests are built, answers are read.

    `verify`, `outside` and `read` raise CallbackRefused and nothing else, whatever the bytes are; `read_*` raise Ambiguous
    for an answer that is none.
    """

    PREFIX: str
    """Where the network calls below our address, such as `/abdm`; each message's own path follows."""

    def scanned_text(self, environment: str, account: str, counter: str) -> str:
        """What the code at a counter says, which a patient scans to share who they are. Raises ValueError."""

    def session_request(
        self, base_url: str, client_id: str, client_secret: str, *, request_id: str, now: datetime
    ) -> httpx2.Request:
        """Ask for a session."""

    def read_session(self, answer: httpx2.Response) -> Session:
        """What came. Raises SessionRefused, and a ConnectorError where the network is out of order."""

    def keys_request(self, base_url: str, *, token: str, request_id: str, now: datetime) -> httpx2.Request:
        """Ask for the network's public keys."""

    def read_keys(self, answer: httpx2.Response) -> tuple[Key, ...]:
        """The keys that sign messages to us."""

    def bridge_request(self, base_url: str, *, token: str, request_id: str, now: datetime) -> httpx2.Request:
        """Ask what the network has on file about us."""

    def read_bridge(self, answer: httpx2.Response) -> Bridge:
        """What it has."""

    def move_request(self, base_url: str, url: str, *, token: str, request_id: str, now: datetime) -> httpx2.Request:
        """Tell the network where it is to send everything from now on."""

    def read_moved(self, answer: httpx2.Response) -> None:
        """Nothing, where it took that. Raises a ConnectorError."""

    def outside(self, path: str, headers: Mapping[str, str]) -> Letter:
        """The outside of a message; `path` follows PREFIX. Nothing in it is proved yet."""

    def verify(self, letter: Letter, keys: Sequence[Key], *, now: datetime) -> float:
        """Raise CallbackRefused unless the network signed its token; by how many seconds that is too old (0: it is not).

        A message that was refused comes again with the token that it had: one of half an hour ago still counts.
        """

    def read(self, path: str, letter: Letter, raw_body: bytes) -> Told | None:
        """What a message says; None for one of a kind that is not used."""

    def check(self, document: Mapping[str, Any]) -> list[Fault]:
        """Where a document does not fit the network's profiles; empty where it does. Slow: call it in a thread."""

    def kind_of(self, document: Mapping[str, Any]) -> RecordKind | None:
        """What kind a document is; None for none that the network knows."""

    def contents_of(self, document: Mapping[str, Any]) -> tuple[tuple[str, Category], ...]:
        """Which parts are in a document, by their types, each with each category of data that it holds.

        The types are the network's, never words of the document's: they stand in the ledger.
        """

    def dates_of(self, document: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
        """Of which time a document is: from, until; None where it does not say."""

    def document_of(
        self, kind: RecordKind, record: Mapping[str, Any], *, document: str, now: datetime, facility: Party
    ) -> dict[str, Any]:
        """A document made of a plain record, with `document` (a UUID) as its id, in the name of the facility that gives it.

        Raises pydantic's ValidationError.
        """

    def compose_of(
        self, kind: RecordKind, resources: Sequence[Mapping[str, Any]], *, document: str, now: datetime, facility: Party
    ) -> dict[str, Any]:
        """A document composed of ready resources in the network's form, as `document_of` makes one of a plain record.

        Raises InvalidPayload with paths below `resources`: what has no place in such a document is refused, never dropped.
        """

    def sealed(self, entry: Entry, chunks: Chunks, wanted: RecordsWanted, *, place: Place) -> Body:
        """One page of a push, for whoever asks: under a key pair and a nonce of its own.

        Raises CallbackRefused where the key that came with the request is none that can be used.
        """

    def push_request(self, url: str, body: Body, *, token: str | None, settings: Mapping[str, str]) -> httpx2.Request:
        """The request that carries it. `token` is a session's; it is left out where the clinic's settings say so."""
