"""What one ledger entry says and its exact bytes. Keeps the kinds, their fields and the canonical form; stores nothing.

An entry's bytes are RFC 8785 (JCS) canonical JSON of a strict subset: sorted ASCII keys, integers within 53 bits, no
floats. What is hashed is what is stored. Names and categories of fields are written, never their values.
"""

import re
from collections.abc import Mapping, Set
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

VERSION = 1
MAX_BYTES = 65_535  # C2SP tlog-tiles: an entry bundle writes each entry's length in 16 bits.
MAX_INTEGER = 2**53 - 1
FORM = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER

_PLAIN: frozenset[type] = frozenset({str, int, bool, type(None)})
_NESTED: frozenset[type] = frozenset({dict, list, tuple})
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_TENANT = re.compile(r"[!-~]{1,255}")


class EntryError(ValueError):
    """Bytes or fields that are not a ledger entry; the message never repeats a value."""


class Kind(StrEnum):
    """What happened. Append-only: a kind is never renamed, never reused."""

    INTENT = "intent"  # about to be disclosed; written before the first byte leaves
    OUTCOME = "outcome"  # what came of an intent
    REFUSAL = "refusal"  # asked for, and not let through
    MANUAL = "manual"  # a disclosure made outside the gateway: fax, court order
    CONNECTION = "connection"
    GRANT = "grant"
    CONSENT = "consent"
    AGREEMENT = "agreement"
    ACCESS = "access"  # somebody read or exported the log
    ERASURE = "erasure"
    KEY = "key"


class Field(NamedTuple):
    """One key of an entry: its meaning, and which law or standard wants it."""

    meaning: str
    wanted_by: str


FIELDS: dict[str, Field] = {
    # Every entry
    "v": Field("version of this vocabulary", "evolution of the record"),
    "index": Field("position in the tenant's log, from 0 without gaps", "completeness: a gap is a missing entry"),
    "kind": Field("what happened", "E2147 event type"),
    "at": Field("when it was recorded: RFC 3339, UTC, microseconds", "HIPAA 164.528(b)(2)(i); DPDP Rule 8(3)"),
    "tenant": Field("the tenant's log: opaque, the last part of its origin", "GDPR 30(2)(a): which controller"),
    # Who, to whom, about whom
    "actor": Field("who asked: {kind, id, on_behalf_of?}", "E2147 requestor; GDPR 5(2)"),
    "request": Field("id of the request at the gateway's door", "traceability"),
    "call": Field(
        "id of the call; the disclosures and refusals of one call share it", "several recipients of one call"
    ),
    "recipient": Field(
        "who received: {name, role, country, address?}",
        "HIPAA 164.528(b)(2)(ii); GDPR 15(1)(c) (C-154/21: by name); DPDP s.11(1)(b)",
    ),
    "endpoint": Field("where it went: {host, method?, region?}", "residency: GDPR 44; SPDI Rule 7; BALP network"),
    "transfer": Field("mechanism of a cross-border transfer", "GDPR 30(2)(c), 44 ff; DPDP s.16"),
    "subject": Field(
        "keyed pseudonym of the person the data is about; null when it is about nobody",
        "HIPAA 164.528: whose accounting; GDPR 15; DPDP s.11",
    ),
    "subjects": Field("a bulk disclosure: {count, root} over pseudonyms", "BALP: one event per patient; GDPR 33(3)"),
    # What, why
    "disclosure": Field("id of the disclosure, shared by intent, outcome and the caller's answer", "E2147 record id"),
    "connector": Field("connector's id", "which integration the clinic switched on"),
    "action": Field("the connector's action", "HIPAA 164.528(b)(2)(iii)"),
    "connection": Field("id of the tenant's connection", "whose credentials"),
    "feature": Field("the feature that the action serves", "use limited to the requested feature"),
    "event": Field("id of the event that a webhook tells of", "which happening; the receiver's webhook-id"),
    "delivery": Field("id of the delivery that this is an attempt of", "attempts of one delivery belong together"),
    "attempt": Field("number of the attempt, from 1", "retries are disclosures too"),
    "fields": Field(
        "what left: [[path, category, reduction?], ...]; names, never values",
        "HIPAA 164.528(b)(2)(iii); GDPR 30(1)(c); DPDP s.11(1)(b) description; 164.502(b) minimum necessary",
    ),
    "withheld": Field("what was handed over and did not leave: [path, ...]", "GDPR 5(1)(c), 25"),
    "purpose": Field("HL7 v3 PurposeOfUse code", "HIPAA 164.528(b)(2)(iv); GDPR 30(1)(b); DPDP specified purpose"),
    "statement": Field("the purpose in words", "HIPAA 164.528(b)(2)(iv)"),
    "payload": Field("salted commitment to the exact bytes: {commitment, length}", "proves a body without its values"),
    # On which ground
    "basis": Field("legal basis codes", "HIPAA 164.506-512; GDPR 6, 9; DPDP s.4, 6, 7; SPDI Rule 6"),
    "consent": Field("id of the consent", "GDPR 7(1); DPDP s.6; ABDM artefact"),
    "agreement": Field("id of the agreement", "HIPAA 164.504(e); GDPR 28(3); DPDP s.8(2)"),
    "register": Field("subprocessor register in force: {version, hash}", "GDPR 28(2); DPDP Rule 6(1)(f)"),
    "protocol": Field("approved routine or review that allows it", "HIPAA 164.514(d)(3)"),
    "standing": Field("version of the tenant's rules that the decision was made on", "GDPR 5(2); no stale decision"),
    "rules": Field("the rules that allowed it", "ASVS 16.3.2; BALP AuthZ"),
    "reasons": Field("why it was refused: [[code, what], ...]", "ASVS 16.3.2; BALP AuthZ"),
    "accountable": Field("whether it belongs in a HIPAA accounting", "HIPAA 164.528(a)(1)"),
    "exception": Field("the exception that keeps it out of one", "HIPAA 164.528(a)(1)(i)-(ix)"),
    "suppressed_until": Field("hidden from the patient's accounting until then", "HIPAA 164.528(a)(2); DPDP s.11(2)"),
    "authority": Field("who ordered it", "HIPAA 164.528(a)(2), 164.512"),
    "retention": Field("{class, floor?, holds?}", "HIPAA 164.530(j) 6 years; DPDP Rule 8(3) 1 year"),
    # What came of it
    "intent": Field("index of the intent that this is the outcome of", "completeness: an intent without one is listed"),
    "outcome": Field("accepted, rejected, failed or unknown", "BALP outcome"),
    "code": Field("the vendor's or the gateway's code for it", "BALP outcomeDesc"),
    "reference": Field("the vendor's id for what it made", "reconciliation with the vendor's records"),
    "attempts": Field("how often it was sent", "retries are disclosures too"),
    "received": Field("what came back: [[path, category], ...]", "GDPR 30(1)(c), 14"),
    "disclosed_at": Field("when it left, where that is not `at`", "HIPAA 164.528(b)(2)(i)"),
    # Changes of standing
    "state": Field("the state after the change", "who allowed what, since when"),
    "version": Field("version of the grant after the change", "what was allowed then"),
    "features": Field("features switched on", "customer-directed integrations only"),
    "categories": Field("kinds of data that may leave beyond an id", "GDPR 13(1)(e), 30(1)(c); minimum necessary"),
    "purposes": Field("purposes consented to", "GDPR 7; DPDP s.6"),
    "channels": Field("channels consented to", "WhatsApp and SMS opt-in"),
    "evidence": Field("salted commitment to the evidence", "GDPR 7(1)"),
    "covers": Field("services covered", "HIPAA 164.504(e): service by service"),
    "from": Field("valid from, or start of a period", "agreements and consents by date"),
    "until": Field("valid until, or end of a period", "agreements and consents by date"),
    "key": Field("id of the key", "who could act"),
    "scopes": Field("our scopes that a key or person holds", "RFC 9700; GDPR 25"),
    "provider_scopes": Field("the vendor's scopes granted: [name, ...]", "minimum access; drift"),
    # Reading and erasing
    "what": Field("what was read, exported or erased", "HIPAA 164.312(b); EHDS 9; PCI 10.2.3"),
    "query": Field("what was searched for, pseudonyms only", "audit the auditors"),
    "count": Field("how many entries or rows", "GDPR 33(3): how many records"),
    "recipients": Field("recipients told: [name, ...]", "GDPR 19"),
    "corrects": Field("index of the entry that this one corrects", "GDPR 16: append, never edit"),
    # Messages to persons
    "template": Field("the clinic's own text: [name, version, language]; never what it said", "GDPR 5(2); TRAI TCCCPR"),
}

COMMON: frozenset[str] = frozenset({"v", "index", "kind", "at", "tenant"})

_REQUIRED: dict[Kind, str] = {
    Kind.INTENT: "disclosure connector action connection purpose recipient subject fields withheld payload"
    " standing rules actor request",
    Kind.OUTCOME: "disclosure intent outcome",
    Kind.REFUSAL: "disclosure connector action purpose subject reasons actor request",
    Kind.MANUAL: "disclosure purpose recipient subject fields disclosed_at actor",
    Kind.CONNECTION: "connection connector state actor",
    Kind.GRANT: "connection connector version features withheld actor",
    Kind.CONSENT: "consent subject state purposes channels actor",
    Kind.AGREEMENT: "agreement recipient state covers actor",
    Kind.ACCESS: "what actor",
    Kind.ERASURE: "subject state what actor",
    Kind.KEY: "key state actor",
}
REQUIRED: dict[str, frozenset[str]] = {str(kind): COMMON | set(keys.split()) for kind, keys in _REQUIRED.items()}
KNOWN: frozenset[str] = frozenset(FIELDS)


def timestamp(moment: datetime) -> str:
    """A moment as entries write it: RFC 3339, UTC, six digits of seconds, Z."""
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise EntryError("a moment without a time zone is no moment")
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def moment_of(at: str) -> datetime:
    """The moment that an entry's `at` names; raises EntryError for another spelling, or a date that does not exist."""
    if not _AT.fullmatch(at):
        raise EntryError("`at` is not RFC 3339 in UTC with microseconds, like 2026-01-31T09:30:00.000000Z")
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        raise EntryError("`at` names a moment that does not exist") from None


def canonical(fields: Mapping[str, Any]) -> bytes:
    """The bytes to store and hash. Refuses unknown kinds and keys, missing keys, floats, all but plain JSON."""
    if not KNOWN.issuperset(fields):
        raise EntryError(f"the table of fields has no key {_first(set(map(str, fields)) - KNOWN)}")
    _check_common(fields)
    return _encode(fields)


def parse(stored: bytes) -> dict[str, Any]:
    """The fields of stored bytes; raises EntryError unless they are exactly what `canonical` writes.

    Keys that this version does not know are let through, so that older verifiers read newer logs; see `unknown_keys`.
    """
    if len(stored) > MAX_BYTES:
        raise EntryError(f"it is {len(stored)} bytes long; the limit is {MAX_BYTES}")
    try:
        fields = orjson.loads(stored)
    except orjson.JSONDecodeError:
        raise EntryError("it is not JSON") from None
    if type(fields) is not dict:
        raise EntryError("it is not a JSON object")
    if _encode(fields) != stored:  # Spaces, another order, a key twice: another reader may see other things in it.
        raise EntryError("it is not in canonical form")
    _check_common(fields)
    moment_of(fields["at"])
    return fields


def unknown_keys(fields: Mapping[str, Any]) -> frozenset[str]:
    """Keys of a parsed entry that this version of the vocabulary does not know."""
    return frozenset(fields) - KNOWN


def _check_common(fields: Mapping[str, Any]) -> None:
    kind = fields.get("kind")
    required = REQUIRED.get(kind) if isinstance(kind, str) else None
    if required is None:
        raise EntryError("its kind is missing or not one of: " + ", ".join(REQUIRED))
    if not required <= fields.keys():
        raise EntryError(f"its kind, {kind}, needs the key {_first(required - fields.keys())}")
    index, at, tenant = fields["index"], fields["at"], fields["tenant"]
    if type(fields["v"]) is not int or fields["v"] != VERSION:
        raise EntryError(f"its version is not {VERSION}")
    if type(index) is not int or not 0 <= index <= MAX_INTEGER:
        raise EntryError("its index is not a whole number from 0 on")
    if type(at) is not str or not _AT.fullmatch(at):
        raise EntryError("its `at` is not RFC 3339 in UTC with microseconds, like 2026-01-31T09:30:00.000000Z")
    if type(tenant) is not str or not _TENANT.fullmatch(tenant):
        raise EntryError("its tenant is not 1 to 255 printable ASCII characters without spaces")


def _encode(fields: Mapping[str, Any]) -> bytes:
    try:
        stored = orjson.dumps(fields, option=FORM)
    except orjson.JSONEncodeError:  # Its message, and its cause, would name the value.
        raise EntryError("it holds an integer beyond 53 bits, broken text, or what JSON has no form for") from None
    if len(stored) > MAX_BYTES:
        raise EntryError(f"it is {len(stored)} bytes long; the limit is {MAX_BYTES}")
    _check_plain(fields)
    return stored


def _check_plain(fields: Mapping[str, Any]) -> None:
    """Refuse what two JSON readers may read differently: floats, keys that are not ASCII, foreign types."""
    waiting: list[Any] = [fields]  # Grows while it is walked; this runs on every append and has to be quick.
    for value in waiting:
        if type(value) is dict:
            if not "".join(value).isascii():  # RFC 8785 sorts keys by UTF-16, orjson by code point: the same for ASCII.
                raise EntryError("a key is not ASCII")
            value = value.values()
        kinds = set(map(type, value))
        if kinds <= _PLAIN:
            continue
        for kind in kinds - _PLAIN - _NESTED:
            if not issubclass(kind, StrEnum):
                raise EntryError(f"it holds a {kind.__name__}, not only text, whole numbers, true, false and null")
        waiting += [inner for inner in value if type(inner) in _NESTED]


def _first(keys: Set[str]) -> str:
    return repr(min(keys)[:64])
