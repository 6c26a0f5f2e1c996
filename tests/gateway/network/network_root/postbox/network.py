"""The postbox's form: letters under /postbox, signed by a token of RS256, half a minute short of the real one. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from connectors.errors import Ambiguous, CallbackRefused
from connectors.network import Body, Bridge, Chunks, Entry, Fault, Key, Letter, Place, Service, Session, SessionRefused
from connectors.told import ArtefactStatus, ConsentTold, Linked, Party, RecordKind, RecordsWanted, Told
from connectors.wire import build_request, error_for, object_in
from scopes.vocabulary import Category

PREFIX: Final = "/postbox"
_LEEWAY_SECONDS: Final = 1800.0
_WORD: Final = 200


def scanned_text(environment: str, account: str, counter: str) -> str:
    return f"https://postbox.example/{environment}/{account}/{counter}"


def session_request(
    base_url: str, client_id: str, client_secret: str, *, request_id: str, now: datetime
) -> httpx2.Request:
    body = orjson.dumps({"id": client_id, "secret": client_secret})
    return build_request("POST", f"{base_url}/sessions", headers=_stamped(request_id, now), content=body)


def read_session(answer: httpx2.Response) -> Session:
    if answer.status_code == 401:
        raise SessionRefused("bad_credentials")
    body = _read(answer)
    return Session(str(body["token"]), int(body["lasts"]))


def keys_request(base_url: str, *, token: str, request_id: str, now: datetime) -> httpx2.Request:
    return build_request("GET", f"{base_url}/certs", headers=_signed(token, request_id, now))


def read_keys(answer: httpx2.Response) -> tuple[Key, ...]:
    return tuple(Key(each["kid"], "RS256", each["pem"].encode()) for each in _read(answer)["keys"])


def bridge_request(base_url: str, *, token: str, request_id: str, now: datetime) -> httpx2.Request:
    return build_request("GET", f"{base_url}/bridge", headers=_signed(token, request_id, now))


def read_bridge(answer: httpx2.Response) -> Bridge:
    body = _read(answer)
    services = tuple(Service(e["id"], e["name"], e["active"], e["records"]) for e in body["services"])
    return Bridge(body["id"], body["url"], body["active"], services)


def move_request(base_url: str, url: str, *, token: str, request_id: str, now: datetime) -> httpx2.Request:
    body = orjson.dumps({"url": url})
    return build_request("PATCH", f"{base_url}/bridge", headers=_signed(token, request_id, now), content=body)


def read_moved(answer: httpx2.Response) -> None:
    if error := error_for(answer.status_code, answer.headers):
        raise error


def outside(path: str, headers: Mapping[str, str]) -> Letter:
    token = headers.get("authorization", "").removeprefix("Bearer ")
    request_id, account = headers.get("request-id", ""), headers.get("facility-id", "")
    if not (0 < len(request_id) <= _WORD and 0 < len(account) <= _WORD):
        raise CallbackRefused("malformed_request")
    return Letter(request_id, account, str(_part(token, 0).get("kid", "")), token, None)


def verify(letter: Letter, keys: Sequence[Key], *, now: datetime) -> float:
    key = next((each for each in keys if each.id == letter.key_id), None)
    if key is None or _part(letter.token, 0).get("alg") != key.algorithm:
        raise CallbackRefused("unknown_key")
    signed, _, signature = letter.token.rpartition(".")
    public = load_pem_public_key(key.pem)
    assert isinstance(public, RSAPublicKey)
    try:
        public.verify(_bytes(signature), signed.encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        raise CallbackRefused("bad_signature") from None
    late = now.timestamp() - float(_part(letter.token, 1).get("exp", 0))
    if late > _LEEWAY_SECONDS:
        raise CallbackRefused("not_fresh")
    return max(late, 0.0)


def read(path: str, letter: Letter, raw_body: bytes) -> Told | None:
    try:
        body = orjson.loads(raw_body)
    except orjson.JSONDecodeError:
        raise CallbackRefused("malformed_event") from None
    if not isinstance(body, dict):
        raise CallbackRefused("malformed_event")
    if path == "/consents":
        return ConsentTold(str(body.get("consent")), ArtefactStatus.REVOKED, None)
    if path == "/linked":
        return Linked(str(body.get("to")), None)
    if path == "/wanted":
        moment = datetime.now(UTC)
        return RecordsWanted("t", "c", moment, moment, "https://hiu.example", b"", b"")
    return None


def check(document: Mapping[str, Any]) -> list[Fault]:
    return []


def kind_of(document: Mapping[str, Any]) -> RecordKind | None:
    return None


def contents_of(document: Mapping[str, Any]) -> tuple[tuple[str, Category], ...]:
    return ()


def dates_of(document: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    return None


def document_of(
    kind: RecordKind, record: Mapping[str, Any], *, document: str, now: datetime, facility: Party
) -> dict[str, Any]:
    return {"id": document, **record}


def compose_of(
    kind: RecordKind, resources: Sequence[Mapping[str, Any]], *, document: str, now: datetime, facility: Party
) -> dict[str, Any]:
    return {"id": document, "resources": list(resources)}


def sealed(entry: Entry, chunks: Chunks, wanted: RecordsWanted, *, place: Place) -> Body:
    return Body(entry.length, chunks)


def push_request(url: str, body: Body, *, token: str | None, settings: Mapping[str, str]) -> httpx2.Request:
    return build_request("POST", url, headers={"Content-Type": "application/json"}, content=b"{}")


def _read(answer: httpx2.Response) -> dict[str, Any]:
    if error := error_for(answer.status_code, answer.headers):
        raise error
    try:
        return object_in(answer)
    except (KeyError, TypeError, ValueError):
        raise Ambiguous("unreadable_answer") from None


def _stamped(request_id: str, now: datetime) -> dict[str, str]:
    return {"Request-Id": request_id, "Timestamp": now.isoformat(), "Content-Type": "application/json"}


def _signed(token: str, request_id: str, now: datetime) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **_stamped(request_id, now)}


def _part(token: str, at: int) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        raise CallbackRefused("signature_missing")
    try:
        found = orjson.loads(_bytes(parts[at]))
    except ValueError:
        raise CallbackRefused("signature_missing") from None
    if not isinstance(found, dict):
        raise CallbackRefused("signature_missing")
    return found


def _bytes(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise CallbackRefused("signature_missing") from None
