"""A vendor's OAuth server for sandboxes and tests: says yes at once, and is strict about everything else.

It serves what a manifest's [credential.oauth] names, at the same paths. A connector's sandbox adds `routes` to its own
application and asks `scopes_of` what a bearer token may do. What a test wants otherwise it sets on `answers`.
"""

import base64
import hashlib
import json
import secrets
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from connectors.oauth import OAuthRule

_KEY_ID: Final = "sandbox"


@dataclass(slots=True)
class Answers:
    """How the server answers, for tests that want it to misbehave."""

    grants: Callable[[frozenset[str]], frozenset[str]] = lambda asked: asked
    """What is granted of what was asked, in the vendor's own words."""
    issuer: str | None = None
    """Who it says that it is, where that is not the truth."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Claims of the ID token that are told otherwise."""
    expires_in: int = 3600
    failing: tuple[int, str] | None = None
    """A status and an error code for every token that is asked for."""
    denies: str | None = None
    """An error instead of a code."""
    takes_old: bool = False
    """Whether a refresh token that was replaced is taken once more."""


@dataclass(slots=True)
class _Code:
    redirect_uri: str
    challenge: str
    scopes: frozenset[str]
    nonce: str | None
    account: str | None
    used: bool = False


@dataclass(slots=True)
class _Grant:
    scopes: frozenset[str]
    account: str | None
    refresh: str | None = None
    old: str | None = None
    tokens: dict[str, float] = field(default_factory=dict)
    ended: bool = False


@cache
def _key() -> rsa.RSAPrivateKey:
    """What all sandboxes of a program sign with; drawn at the first signature, since that takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class OAuthServer:
    """One vendor's tokens, in memory."""

    def __init__(
        self,
        rule: OAuthRule,
        client: tuple[str, str],
        *,
        application: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`client` is the gateway's registration (id, secret); `application` what administrators allowed it itself."""
        self.rule, self.client, self.application, self.clock = rule, client, application, clock
        self.answers = Answers()
        self.asked: list[dict[str, str]] = []  # every form that came to the token address
        self._codes: dict[str, _Code] = {}
        self._grants: list[_Grant] = []

    @property
    def routes(self) -> list[Route]:
        """The routes to add to the sandbox's application."""
        rule = self.rule
        places = [
            (rule.authorize_url, self._authorize, "GET"),
            (rule.admin_consent_url, self._authorize, "GET"),
            (rule.token_url, self._token, "POST"),
            (rule.revoke_url, self._revoke, "POST"),
            (rule.jwks_url, self._jwks, "GET"),
        ]
        return [Route(urlsplit(url).path, act, methods=[method]) for url, act, method in places if url is not None]

    def give(self, token: str, scopes: frozenset[str], *, account: str | None = None) -> None:
        """Take a token for good from now on: the sandbox's CREDENTIAL."""
        self._grants.append(_Grant(scopes, account, tokens={token: float("inf")}))

    def scopes_of(self, authorization: str | None) -> frozenset[str] | None:
        """What the bearer of a request may do, in the vendor's words; None for nobody."""
        kind, _, token = (authorization or "").partition(" ")
        for grant in self._grants:
            if kind.lower() == "bearer" and not grant.ended and grant.tokens.get(token, 0.0) > self.clock():
                return grant.scopes
        return None

    def approve(self, url: str) -> str:
        """Where a person who says yes is sent from this address of the vendor's; raises ValueError for a faulty one."""
        asked = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
        if asked.get("client_id") != self.client[0]:
            raise ValueError("unknown client")
        account = self._account_in(url)
        told = {"state": asked["state"], **({"iss": self._issuer(account)} if self.rule.answers_issuer else {})}
        if self.answers.denies is not None:
            return f"{asked['redirect_uri']}?{urlencode({**told, 'error': self.answers.denies})}"
        if asked.get("response_type") != "code":
            return f"{asked['redirect_uri']}?{urlencode({**told, 'admin_consent': 'True', 'tenant': account or ''})}"
        if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
            raise ValueError("PKCE with S256 is needed")
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(
            asked["redirect_uri"], asked["code_challenge"], self._words(asked["scope"]), asked.get("nonce"), account
        )
        return f"{asked['redirect_uri']}?{urlencode({**told, 'code': code})}"

    async def _authorize(self, request: Request) -> Response:
        try:
            return RedirectResponse(self.approve(str(request.url)), 302)
        except (ValueError, KeyError) as fault:
            return JSONResponse({"error": "invalid_request", "error_description": str(fault)}, 400)

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.asked.append(form)
        if self.answers.failing is not None:
            status, code = self.answers.failing
            return JSONResponse({"error": code}, status)
        if not self._is_client(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        account = request.path_params.get("account")
        give = {
            "authorization_code": self._by_code, "refresh_token": self._by_refresh,
            "client_credentials": self._by_client,
        }.get(form.get("grant_type", ""))  # fmt: skip
        answer = give(form, account) if give is not None else None
        return JSONResponse({"error": "invalid_grant"}, 400) if answer is None else JSONResponse(answer)

    def _by_code(self, form: Mapping[str, str], account: str | None) -> dict[str, Any] | None:
        code = self._codes.get(form.get("code", ""))
        if code is None or code.account != account or code.redirect_uri != form.get("redirect_uri"):
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if code.used or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code.challenge:
            return None
        code.used = True
        grant = _Grant(self.answers.grants(code.scopes), account)
        self._grants.append(grant)
        answer = self._answer(grant, renew=True)
        if "openid" in code.scopes:
            answer["id_token"] = self._id_token(code, account)
        return answer

    def _by_refresh(self, form: Mapping[str, str], account: str | None) -> dict[str, Any] | None:
        token = form.get("refresh_token")
        live = [each for each in self._grants if not each.ended]
        grant = next((each for each in live if token in (each.refresh, each.old)), None)
        if grant is not None and token != grant.refresh and not self.answers.takes_old:
            grant.ended = True  # RFC 9700 4.14: one that was replaced is in two hands
            return None
        if token is None or grant is None or grant.account != account:
            return None
        if "scope" in form and self.rule.narrows_at_refresh:
            grant.scopes = grant.scopes & self._words(form["scope"])
        return self._answer(grant, renew=self.rule.refresh == "rotates")

    def _by_client(self, form: Mapping[str, str], account: str | None) -> dict[str, Any] | None:
        if form.get("scope") != self.rule.application_scope:
            return None
        grant = _Grant(self.answers.grants(self.application), account)
        self._grants.append(grant)
        return self._answer(grant, renew=False)

    def _answer(self, grant: _Grant, *, renew: bool) -> dict[str, Any]:
        now, lasts = self.clock(), self.answers.expires_in
        token = secrets.token_urlsafe(24)
        if self.rule.granted == "roles":
            account = grant.account
            claims = {"iss": self._issuer(account), "tid": account, "roles": sorted(grant.scopes), "exp": now + lasts}
            token = self._signed({**claims, "jti": token, **self.answers.claims})
        grant.tokens[token] = now + lasts
        answer: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": lasts}
        if self.rule.granted == "answer":
            answer["scope"] = self.rule.scope_separator.join(sorted(grant.scopes))
        if renew and self.rule.refresh != "none":
            grant.old = grant.refresh
            answer["refresh_token"] = grant.refresh = secrets.token_urlsafe(24)
        return answer

    async def _revoke(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        for grant in self._grants:
            if form.get("token") == grant.refresh or form.get("token") in grant.tokens:
                grant.ended = True
        return Response(status_code=200)

    async def _jwks(self, request: Request) -> Response:
        numbers = _key().public_key().public_numbers()
        modulus, exponent = numbers.n.to_bytes(256), numbers.e.to_bytes(3)
        key = {"kty": "RSA", "kid": _KEY_ID, "use": "sig", "alg": "RS256", "n": _b64(modulus), "e": _b64(exponent)}
        return JSONResponse({"keys": [key]})

    def _is_client(self, request: Request, form: Mapping[str, str]) -> bool:
        given = (form.get("client_id"), form.get("client_secret"))
        kind, _, encoded = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            name, _, secret = base64.b64decode(encoded).decode().partition(":")
            given = (unquote(name), unquote(secret))
        return given == self.client

    def _id_token(self, code: _Code, account: str | None) -> str:
        now = int(self.clock())
        claims = {
            "iss": self._issuer(account), "aud": self.client[0], "sub": "person", "iat": now, "exp": now + 600,
            "nonce": code.nonce, **({"tid": account} if account else {}), **self.answers.claims,
        }  # fmt: skip
        return self._signed(claims)

    def _signed(self, claims: Mapping[str, Any]) -> str:
        head = _b64(json.dumps({"alg": "RS256", "kid": _KEY_ID, "typ": "JWT"}).encode())
        text = f"{head}.{_b64(json.dumps(claims).encode())}"
        return f"{text}.{_b64(_key().sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def _issuer(self, account: str | None) -> str:
        return self.answers.issuer or self.rule.at(self.rule.issuer, account)

    def _words(self, scopes: str) -> frozenset[str]:
        return frozenset(scopes.split(self.rule.scope_separator))

    def _account_in(self, url: str) -> str | None:
        """The directory that an address names, where the manifest has one in its addresses."""
        named = self.rule.authorize_url or self.rule.admin_consent_url or ""
        if not self.rule.per_directory:
            return None
        place = urlsplit(named).path.split("/").index("{account}")
        return urlsplit(url).path.split("/")[place]


def rule_beside(file: str) -> OAuthRule:
    """What the manifest in the folder of this file says about OAuth."""
    written = tomllib.loads((Path(file).parent / "manifest.toml").read_text(encoding="utf-8"))
    return OAuthRule.model_validate(written["credential"]["oauth"])


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
