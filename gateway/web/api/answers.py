"""What callers are told: every answer of the API and the problem document. What they send is in models.py."""

from __future__ import annotations

from base64 import b64encode
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from scopes.consent import Channel
from scopes.vocabulary import Category, ConnectionState, Outcome

Hash = Annotated[
    str, Field(description="32 bytes in base64", examples=["4mKd9yGJcDqAF0pWcZzV0Yk1wm8dwYQz1XIvC4eqs4E="])
]


def base64_of(raw: bytes) -> str:
    """A hash as the API writes it, as C2SP's formats do."""
    return b64encode(raw).decode("ascii")


class Told(BaseModel):
    """What a caller is told."""

    model_config = ConfigDict(frozen=True)


class Fault(Told):
    """One wrong part of a request."""

    path: str
    message: str


class RefusalReason(Told):
    """One reason of a refusal, from a closed list."""

    code: str
    what: str
    fix: str


class ProblemDocument(Told):
    """An error, as RFC 9457 has it. It never repeats a value of the request."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    fix: str | None = None
    faults: list[Fault] | None = Field(None, description="What is wrong with the request, by path.")
    reasons: list[RefusalReason] | None = Field(None, description="Why the call was refused.")
    index: int | None = Field(None, description="Where the refusal stands in the ledger.")


class LedgerPlace(Told):
    """Where an entry stands in the tenant's log."""

    index: int
    leaf: Hash


class TriedAnswer(Told):
    """One vendor of a family that the call came to."""

    connector: str
    id: UUID | None = Field(description="Its disclosure; null where it was refused.")
    outcome: Outcome | None
    reasons: list[str] = Field(description="The codes of why it was refused.")


class CallAnswer(Told):
    """What came of a call. The ledger holds its intent and its outcome, whatever the vendor said."""

    id: UUID
    outcome: Outcome
    answer: dict[str, Any] = Field(description="The vendor's answer, only what the action declares.")
    withheld: list[str] = Field(description="Paths that were handed over and did not leave.")
    ledger: LedgerPlace
    code: str | None = Field(None, description="The vendor's or the gateway's code for what went wrong.")
    tried: list[TriedAnswer] | None = Field(
        None, description="Where the call named a family of several vendors: those that it came to, in order."
    )


class ConnectionAnswer(Told):
    """One connection, without its credential."""

    id: UUID
    connector: str
    state: ConnectionState
    account: str | None
    provider_scopes: list[str]
    features: list[str]
    withheld: list[str]
    free_text: list[str]
    grant_version: int
    settings: dict[str, str]
    expires_at: datetime | None
    created_at: datetime | None
    reconnect_needed_since: datetime | None = Field(
        None, description="Since when the vendor accepts what it granted no more; nothing goes out until then."
    )
    reconnect_reason: str | None = None
    authorize_url: str | None = Field(
        None, description="Where somebody has to allow it, in a browser. It is good once, and shown here only."
    )


class ConnectionPage(Told):
    """A page of connections, oldest first."""

    items: list[ConnectionAnswer]
    next_cursor: str | None


class ScopesAnswer(Told):
    """What a connection may do at its vendor, and what it does. Provider scopes by the manifest's names."""

    asked: list[str]
    granted: list[str]
    needed: list[str] = Field(description="The least for the features that are on.")
    used: list[str] = Field(description="The least for the actions of the last 30 days.")
    excess: list[str] = Field(description="Granted and not needed, or why a connection was refused.")
    missing: list[str] = Field(description="Needed and not granted: connect again, and allow it.")
    features_off: dict[str, list[str]] = Field(description="Features that lack a scope, with what they lack.")
    last_used: dict[str, date] = Field(description="By action, the last day (UTC) within the last 30.")
    not_undone: str | None = Field(description="What revoking does not undo at the vendor.")


class ReducedAnswer(Told):
    """What became of giving scopes back."""

    given_back: list[str]
    authorize_url: str | None = Field(description="Where somebody connects again with less, where that is needed.")
    stopped: bool = Field(description="Whether nothing goes out until somebody has connected again.")


class DisclosurePlace(Told):
    """Where a disclosure's entries stand in the tenant's log."""

    index: int
    outcome_index: int | None = None


class DisclosureAnswer(Told):
    """One disclosure, or one refusal (`outcome` refused, with its reasons)."""

    id: UUID
    at: datetime
    connector: str
    action: str
    connection: UUID | None = None
    recipient: str | None = None
    purpose: str
    categories: list[str] | None = None
    subject: UUID | None = Field(description="The subject's pseudonym.")
    actor: str | None = None
    outcome: str
    code: str | None = None
    settled_at: datetime | None = None
    reasons: list[str] | None = None
    ledger: DisclosurePlace


class DisclosurePage(Told):
    """A page of disclosures, newest first."""

    items: list[DisclosureAnswer]
    next_cursor: str | None


class EntryAnswer(Told):
    """One entry of the ledger and the hash it has as a leaf."""

    index: int
    kind: str
    leaf: Hash
    entry: dict[str, Any]


class DisclosureDetail(DisclosureAnswer):
    """One disclosure with its entries: the intent, then what came of it."""

    entries: list[EntryAnswer]


class RefusalAnswer(Told):
    """One refusal: nothing left."""

    id: UUID
    at: datetime
    connector: str
    action: str
    purpose: str
    subject: UUID | None = Field(description="The subject's pseudonym.")
    reasons: list[str]
    index: int = Field(description="Where it stands in the tenant's log.")


class RefusalPage(Told):
    """A page of refusals, newest first."""

    items: list[RefusalAnswer]
    next_cursor: str | None


class RefusalDetail(RefusalAnswer):
    """One refusal with its entry, which says what each reason was about."""

    entry: EntryAnswer


class InclusionAnswer(Told):
    """That an entry is in the log whose root the checkpoint signs (RFC 6962 2.1.1)."""

    index: int
    size: int
    leaf: Hash
    hashes: list[Hash]
    checkpoint: str = Field(description="A C2SP signed note.")
    entry: str = Field(description="The entry's exact text: its UTF-8 bytes hash to the leaf.")


class ConsistencyAnswer(Told):
    """That the log of `new_size` entries begins with the whole log of `old_size` entries (RFC 6962 2.1.2)."""

    old_size: int
    new_size: int
    old_root: Hash
    new_root: Hash
    hashes: list[Hash]
    checkpoint: str = Field(description="A C2SP signed note over the log's present size.")


class KeyAnswer(Told):
    """One API key, without its secret."""

    id: str
    title: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKeyAnswer(KeyAnswer):
    """A new API key: `key` is shown here and never again."""

    key: str


class KeyPage(Told):
    """A page of API keys."""

    items: list[KeyAnswer]
    next_cursor: str | None


class FieldAnswer(Told):
    """One declared field: what kind of data, why, in which reduced form."""

    path: str
    category: Category
    why: str
    reduction: str | None
    required: bool


class ActionAnswer(Told):
    """One action."""

    name: str
    feature: str
    purposes: list[str]
    provider_scopes: list[list[str]] = Field(description="Of each group any one is enough; every group is needed.")
    repeat: str
    channel: Channel | None = Field(description="The way on which it reaches a person, who must have consented.")
    message: bool = Field(description="It says what a template of the clinic's says: PUT /v1/templates/{name}.")
    inner: bool = Field(
        description="Only the gateway makes it, as a step of an exchange with a network; no caller can."
    )
    fields: list[FieldAnswer]
    answer: list[FieldAnswer]
    scope: str = Field(description="The scope of ours that a caller needs.")


class FeatureAnswer(Told):
    """What a clinic can switch on."""

    name: str
    title: str
    why: str
    actions: list[str]
    events: list[str] = Field(description="Events of the vendor's that go no further without it.")


class RecipientAnswer(Told):
    """Who receives the data."""

    legal_name: str
    role: str
    country: str
    regions: list[str]
    transfer: str
    privacy_url: str
    subprocessors_url: str | None


class AgreementNeed(Told):
    """Whether an agreement (BAA, DPA) must be on file."""

    needed: bool
    services: list[str]
    why: str


class OAuthAnswer(Told):
    """How a connector is connected on a page of the vendor's."""

    flow: str
    admin_note: str | None = Field(description="Who has to allow it there, where not everybody may.")
    not_undone: str = Field(description="What revoking does not undo at the vendor.")


class ConnectorAnswer(Told):
    """One connector."""

    id: str
    title: str
    recipient: RecipientAnswer
    agreements: AgreementNeed
    credential: list[str] = Field(description="The forms of credential that are taken.")
    oauth: OAuthAnswer | None = Field(description="Where somebody allows it on a page of the vendor's.")
    account: str | None = Field(description="What the vendor's account is called, where it has such a thing.")
    settings: dict[str, str] = Field(description="What else a clinic sets to connect, and what it is.")
    provider_scopes: dict[str, str] = Field(description="The vendor's scopes and what they are called there.")
    watches: dict[str, str] = Field(
        description="What the vendor watches where it is asked to, by name: POST /v1/watches."
    )
    features: list[FeatureAnswer]
    actions: list[ActionAnswer]


class CatalogAnswer(Told):
    """Everything that can be switched on."""

    connectors: list[ConnectorAnswer]


class Health(Told):
    """Whether the gateway is well."""

    status: Literal["ok"]
