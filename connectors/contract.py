"""What a connector and the gateway promise each other. Keeps the contract's names; loading them is the registry's.

A connector is a folder: manifest.toml says what it is, `actions.py` (its own or its family's) what its fields are,
`client.py` holds one coroutine per action, `callback.py` reads the vendor's messages to us. It builds requests and
reads answers; it never sees a credential, opens a connection or reads a clock.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from connectors.errors import (
    Ambiguous,
    AnswerFault,
    AnswerRefused,
    CallbackRefused,
    ConnectorError,
    CredentialRefused,
    OutOfBounds,
    ProviderScopeMissing,
    ReconnectNeeded,
    Rejected,
    TryLater,
    Unreachable,
)
from connectors.manifest import Manifest, Recipient
from connectors.message import Message
from scopes.agreement import Need
from scopes.consent import Channel
from scopes.decision import ActionRule
from scopes.field import Disclosed, Shape
from scopes.vocabulary import Category, Outcome, Purpose, Repeat
from scopes.wording import Wording

if TYPE_CHECKING:
    import httpx2  # 0.15 s to import; a connector's client imports it when the first request is built

__all__ = [
    "Action",
    "Ambiguous",
    "AnswerFault",
    "AnswerRefused",
    "Answered",
    "Arrival",
    "Callback",
    "CallbackEvent",
    "CallbackRefused",
    "Certificate",
    "ConnectorError",
    "Content",
    "CredentialRefused",
    "Egress",
    "Envelope",
    "Exchange",
    "Handshake",
    "Manifest",
    "Message",
    "OutOfBounds",
    "Perform",
    "ProviderScopeMissing",
    "ReconnectNeeded",
    "Rejected",
    "Settlement",
    "TryLater",
    "Unreachable",
    "Unsealing",
    "VendorAnswer",
    "Wish",
    "Wording",
]


@dataclass(frozen=True, slots=True)
class VendorAnswer:
    """What came back: the body under our field names, the vendor's own id of what it made, the HTTP status."""

    body: Mapping[str, Any]
    reference: str | None
    status: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a vendor may encrypt its messages to us with: X.509 as base64 of DER, and the id that it names it by."""

    id: str
    text: str


class Egress(Protocol):
    """The door of one disclosure, as a connector sees it.

    `send` adds the credential as the manifest says, refuses a host that the manifest does not name, and raises
    Unreachable, Ambiguous or AnswerRefused; an answer of any status comes back as it is.
    """

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of one disclosure."""

    @property
    def account(self) -> str | None:
        """The vendor's account on whose behalf the call is made, where the vendor has such a thing."""

    @property
    def base_url(self) -> str:
        """Where the vendor's API is; without a slash at the end."""

    @property
    def settings(self) -> Mapping[str, str]:
        """What the clinic set for this connection, by the names in the manifest: a sender's number, a list of teams."""

    @property
    def callback_url(self) -> str | None:
        """Where the vendor may tell what became of this; None where the gateway has no address of its own."""

    @property
    def callback_token(self) -> str | None:
        """What the vendor is to bring back with each message, where the manifest says that it does; else None."""

    @property
    def callback_certificate(self) -> Certificate | None:
        """What the vendor is to encrypt its messages with, where the manifest says that the action hands one over; else None."""

    @property
    def wording(self) -> Wording | None:
        """What to say, where the action sends a message: the clinic's own template, filled."""

    @property
    def now(self) -> datetime:
        """When the call is made: a connector reads no clock."""

    async def send(self, request: "httpx2.Request") -> "httpx2.Response":
        """Carry one request; the answer's body is complete."""


Perform = Callable[[Any, Egress], Awaitable[VendorAnswer]]


@dataclass(frozen=True, slots=True)
class Exchange:
    """The two models of an action: what may be sent, and what is kept of the answer."""

    request: type[Disclosed]
    answer: type[Disclosed]


@dataclass(frozen=True, slots=True)
class Content:
    """What a family's recipients may ever be told, whatever its actions declare.

    `optional` names categories that no action may require. With `opaque_identifiers`, a field of the identifier
    category must refuse names, numbers and addresses of persons (conformance tries them).
    """

    categories: frozenset[Category]
    why: str
    optional: frozenset[Category] = frozenset()
    opaque_identifiers: bool = False


@dataclass(frozen=True)
class Action:
    """One thing that a connector can do, complete: declared, bound to its code and frozen."""

    connector: str
    name: str
    feature: str
    shape: Shape
    answer: Shape
    purposes: frozenset[Purpose]
    provider_scopes: tuple[frozenset[str], ...]
    repeat: Repeat
    channel: Channel | None
    service: str | None
    agreement: Need
    perform: Perform = field(repr=False, compare=False)
    manifest: Manifest = field(repr=False, compare=False)
    inner: bool = False
    """Whether only the gateway makes it: no host can ask for it."""
    requested: bool = False
    """Whether it answers what a person asked for a moment ago."""
    elsewhere: bool = False
    """Whether it goes to an address that the network named, by a flow of the gateway's and not by `perform`."""

    @property
    def hands_certificate(self) -> bool:
        """Whether it hands the vendor a certificate of ours to encrypt to."""
        return self.manifest.actions[self.name].certificate

    @property
    def recipient(self) -> Recipient:
        """Who receives what this action sends."""
        return self.manifest.recipient

    @cached_property
    def path(self) -> str:
        """The action's place in our scope grammar: `payments/stripe/refund`."""
        return f"{self.connector}/{self.name}"

    @cached_property
    def message(self) -> bool:
        """Whether it is a message to a person: such an action says what a template of the clinic's says."""
        return issubclass(self.shape.model, Message)

    @cached_property
    def rule(self) -> ActionRule:
        """What decide() needs to know of this action."""
        return ActionRule(
            connector=self.connector,
            name=self.name,
            feature=self.feature,
            purposes=self.purposes,
            provider_scopes=self.provider_scopes,
            required_paths=self.shape.required_paths,
            categories=self.shape.categories,
            free_text_paths=self.shape.free_text_paths,
            recipient=self.manifest.recipient.legal_name,
            recipient_id=self.connector,
            channel=self.channel,
            service=self.service,
            agreement=self.agreement,
            regions=frozenset(self.manifest.recipient.regions),
            message=self.message,
            requested=self.requested,
        )


class Arrival(StrEnum):
    """How far what was disclosed has come, in the order of time."""

    SENT = "sent"
    """The vendor took it and passed it on; more is to be heard."""
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    """It will not arrive."""

    @property
    def final(self) -> bool:
        """Whether the vendor has nothing more to say that matters."""
        return self is not Arrival.SENT

    @property
    def outcome(self) -> Outcome:
        """What the ledger makes of it."""
        return Outcome.FAILED if self is Arrival.UNDELIVERED else Outcome.ACCEPTED


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a disclosure, as its vendor tells it afterwards."""

    key: str
    """The idempotency key that it was sent under."""
    arrival: Arrival
    detail: str | None = None
    """A number or a word of a list, such as the vendor's code for the reason."""

    @property
    def code(self) -> str:
        """How the outcome's entry names it: `delivered`, `undelivered.30003`."""
        return str(self.arrival) if self.detail is None else f"{self.arrival}.{self.detail}"


class Wish(StrEnum):
    """What a person who answers wants of us."""

    STOP = "stop"
    """No more messages, of no kind and on no channel."""
    START = "start"
    """Messages again, on the channel on which they say so."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A person's answer: the address it came from, which is hashed at once and kept nowhere, and what they want."""

    address: str = field(repr=False)
    channel: Channel
    wish: Wish | None = None


@dataclass(frozen=True, slots=True)
class CallbackEvent:
    """One thing that a vendor told us, minimized: only declared fields are in `data`."""

    type: str
    vendor_id: str
    account: str | None
    occurred_at: datetime | None
    """None where the vendor does not say: then it is when the message came."""
    data: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    settles: Settlement | None = None
    answered: Answered | None = None


class Callback(Protocol):
    """What the module callback.py of a connector offers.

    Always in this order: verify the raw bytes, then identity and translate. All three raise CallbackRefused and nothing
    else, whatever the bytes are. A module may also offer a Handshake, under the name `handshake`, and an Envelope, under
    the name `envelope`, and an Unsealing, under the name `unsealed`.
    """

    @property
    def KNOWN(self) -> frozenset[str]:
        """The event types that are used."""

    @property
    def EVENTS(self) -> Mapping[str, Shape]:
        """For each used type, the declared shape of its data."""

    def verify(
        self, raw_body: bytes, headers: Mapping[str, str], url: str, secrets: Sequence[str], *, now: datetime
    ) -> None:
        """Raise CallbackRefused unless the message was signed with one of the secrets, and lately.

        Where the manifest says `token`, the one secret is the connection's callback_token.
        """

    def identity(self, raw_body: bytes) -> str | None:
        """What makes two deliveries the same message; taken from what was signed.

        None where the vendor says the same of two things that happened: then each delivery counts.
        """

    def translate(self, raw_body: bytes, url: str) -> tuple[CallbackEvent, ...]:
        """The events in the message; none where it is the vendor's but of a type that is not used.

        `url` is the address that was called; only a vendor that signs it may have put anything there.
        """


class Handshake(Protocol):
    """How a vendor asks whether an address is ours before it sends anything there."""

    def __call__(self, method: str, url: str, token: str) -> str | None:
        """The text to answer; None for a message. Raises CallbackRefused where `token`, ours, is not the one it names."""


class Envelope(Protocol):
    """What there is to read of a message whose vendor says everything in its headers and nothing in its body."""

    def __call__(self, raw_body: bytes, headers: Mapping[str, str]) -> bytes:
        """The bytes that identity and translate get in place of the body, once it is verified. Raises CallbackRefused."""


class Unsealing(Protocol):
    """How a message is opened whose vendor encrypted what it tells to a certificate of ours."""

    def __call__(self, raw_body: bytes, private_keys: Mapping[str, bytes]) -> bytes:
        """The bytes that identity and translate get in place of the body, once it is verified. Raises CallbackRefused.

        `private_keys` are PEM by their certificates' ids. What was encrypted is proved unchanged before it is decrypted.
        """
