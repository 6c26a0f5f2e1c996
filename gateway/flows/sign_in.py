"""Let a person in on somebody else's word: a host's one-time link, or a clinic's own sign-in (OpenID Connect).

What goes to the provider and comes back passes the one door out, like everything else. Nothing about any patient leaves.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit
from uuid import UUID

import httpx2
import orjson

from connectors.contract import ConnectorError
from gateway.callers.token import Issuer
from gateway.calls import Actor
from gateway.egress import Route
from gateway.errors import Forbidden, InvalidRequest, NotFound, Unauthenticated, Unavailable
from gateway.flows.rooms import Rooms
from gateway.ids import new_id
from gateway.people import Role
from gateway.people.oidc import Provider, Question, check_answer
from gateway.people.sessions import Opening
from gateway.people.vouching import Voucher
from gateway.store.callers import IssuerRow
from scopes.vocabulary import Repeat

_SECONDS: Final = 10.0
_MOST_ANSWER_BYTES: Final = 256 * 1024
_KIND: Final = "oidc"
_ONLY: Final = "the only key"  # the name of a key whose provider gives it none
_KINDS_OF_KEY: Final = {"RSA": None, "EC": "P-256", "OKP": "Ed25519"}


class ProviderUnavailable(Unavailable):
    """The clinic's provider does not answer, or not as OpenID Connect wants it."""

    code = "provider_unavailable"
    title = "The clinic's own sign-in does not answer as it should; try again, or tell its administrators"


@dataclass(frozen=True, slots=True)
class LetIn:
    """A person who was let in, with the token of their new session."""

    token: str = field(repr=False)
    role: Role
    return_to: str | None
    embedded: bool


async def by_link(token: str, device: str, rooms: Rooms) -> LetIn:
    """Let in whom a host's link names, once. Raises Unauthenticated."""
    link = await rooms.callers.link(token)
    until = datetime.fromtimestamp(link.until, UTC)
    await rooms.people.links.use(link.tenant, link.issuer, link.jti, until=until)
    voucher = Voucher(link.tenant, link.issuer, link.subject, Role(link.role), link.name)
    opened = await _open(voucher, "link", device, rooms, frames=link.frames)
    return LetIn(opened, voucher.role, link.return_to, bool(link.frames))


async def begin(provider_id: UUID, cookie: str, back: str, return_to: str, rooms: Rooms) -> str:
    """Where to send a browser so that its person signs in at the clinic's provider. Raises NotFound, Unavailable."""
    provider = await rooms.people.providers.find(provider_id)
    found = await _discovered(provider, rooms)
    question = Question.new()
    said = {
        "provider": str(provider.id), "nonce": question.nonce, "verifier": question.verifier, "back": back,
        "return_to": return_to, "token_endpoint": found["token_endpoint"], "jwks_uri": found["jwks_uri"],
        "basic": "client_secret_basic" in found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]),
    }  # fmt: skip
    await rooms.people.challenges.keep(question.state.encode("ascii"), _KIND, cookie=cookie, said=said)
    return question.address(provider, found["authorization_endpoint"], back=back)


async def finish(state: str, code: str, cookie: str, device: str, rooms: Rooms) -> LetIn:
    """Let in whom the provider vouches for. Raises Unauthenticated, Forbidden, Unavailable."""
    said = await rooms.people.challenges.take(state.encode("utf-8", "replace"), _KIND, cookie=cookie)
    if said is None:
        raise Unauthenticated("this sign-in took too long, or was begun in another browser; begin again")
    provider = await rooms.people.providers.find(UUID(said["provider"]))
    answered = await _asked(_token_request(provider, code, said), rooms)
    keys = await _asked(httpx2.Request("GET", said["jwks_uri"], headers={"accept": "application/json"}), rooms)
    claims = _genuine(provider, answered.get("id_token"), keys, rooms)
    check_answer(claims, provider, said["nonce"])
    voucher = provider.voucher(claims)
    opened = await _open(voucher, "oidc", device, rooms)
    return LetIn(opened, voucher.role, said["return_to"], False)


async def _open(voucher: Voucher, via: str, device: str, rooms: Rooms, *, frames: tuple[str, ...] = ()) -> str:
    try:
        person = await rooms.people.vouching.person(voucher)
    except NotFound:
        raise Forbidden("this clinic is not here any more") from None
    opening = Opening(
        person=person, tenant=voucher.tenant, role=voucher.role, via=via, device=device, issuer=voucher.issuer,
        frames=frames,
    )  # fmt: skip
    token = await rooms.people.sessions.open(opening)
    actor = Actor("person", str(person), voucher.tenant, ())
    await rooms.ledger.accessed(actor, what="signed_in", query={"via": via}, count=1)
    return token


async def _discovered(provider: Provider, rooms: Rooms) -> dict[str, Any]:
    """The provider's own description (OpenID Discovery 4); it has to be about the issuer that was configured."""
    url = f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration"
    found = await _asked(httpx2.Request("GET", url, headers={"accept": "application/json"}), rooms)
    wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if found.get("issuer") != provider.issuer or not all(isinstance(found.get(name), str) for name in wanted):
        raise ProviderUnavailable
    if urlsplit(found["authorization_endpoint"]).scheme not in ("https", urlsplit(provider.issuer).scheme):
        raise ProviderUnavailable
    return found


def _token_request(provider: Provider, code: str, said: dict[str, Any] | Any) -> httpx2.Request:
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": said["back"],
        "code_verifier": said["verifier"],
    }
    headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
    if said["basic"]:  # RFC 6749 2.3.1: both halves are form-encoded first
        pair = f"{quote(provider.client, safe='')}:{quote(provider.secret, safe='')}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
    else:
        fields |= {"client_id": provider.client, "client_secret": provider.secret}
    return httpx2.Request("POST", said["token_endpoint"], headers=headers, content=urlencode(fields).encode("ascii"))


async def _asked(request: httpx2.Request, rooms: Rooms) -> dict[str, Any]:
    """What a provider answers, through the door. Raises ProviderUnavailable, whatever went wrong."""
    try:
        path = request.url.raw_path.decode("ascii").partition("?")[0]
        netloc = request.url.netloc.decode("ascii")
        route = Route(
            frozenset({netloc}), f"{request.url.scheme}://{netloc}{path}", timeout_seconds=_SECONDS,
            max_answer_bytes=_MOST_ANSWER_BYTES,
        )  # fmt: skip
        passage = rooms.egress.through(route, credential=None, idempotency_key=str(new_id()), repeat=Repeat.IF_UNSENT)
        answer = await passage.send(request)
        found: Any = orjson.loads(answer.content) if answer.status_code == 200 else None
    except (ConnectorError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise ProviderUnavailable
    return found


def _genuine(provider: Provider, token: Any, keys: dict[str, Any], rooms: Rooms) -> Any:
    """The claims of an ID token that the provider signed for us, now. Raises Unauthenticated."""
    listed = keys.get("keys")
    usable = (
        [each for each in listed if isinstance(each, dict) and _is_usable(each)] if isinstance(listed, list) else []
    )
    if not usable or not isinstance(token, str):
        raise ProviderUnavailable
    named = [{**each, "kid": each.get("kid", _ONLY)} for each in usable[:20]]
    row = IssuerRow(provider.issuer, provider.client, {"keys": named}, {})
    try:
        issuer = Issuer.of(provider.tenant, row)
    except InvalidRequest:  # a key of theirs that cannot be read, or is too weak
        raise ProviderUnavailable from None
    return issuer.claims(token, now=rooms.clock().timestamp(), names_key=False)


def _is_usable(key: dict[str, Any]) -> bool:
    """Whether a key is of a kind that is taken; a provider may list others beside it."""
    kind = key.get("kty")
    return (
        isinstance(kind, str)
        and kind in _KINDS_OF_KEY
        and key.get("crv") == _KINDS_OF_KEY[kind]
        and key.get("use", "sig") == "sig"
    )
