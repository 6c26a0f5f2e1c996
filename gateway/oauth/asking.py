"""One vendor as one clinic meets it: ask for tokens, for keys, and take them back. Keeps nothing.

The generic way is RFC 6749 by form. Where the manifest names the vendor's SDK, that asks instead, through the same door.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

from connectors.contract import Ambiguous, AnswerRefused, ConnectorError, Unreachable
from connectors.oauth import OAuthRule
from connectors.wire import build_request, parse_object
from gateway.oauth.answer import Answer, TokenTrouble, of_roles, read
from gateway.oauth.aside import Send
from gateway.oauth.clients import Client
from gateway.oauth.identity import claims_of

if TYPE_CHECKING:
    import httpx2

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for tokens with: a code, a refresh token, or nothing but who we are."""

    grant_type: str
    form: Mapping[str, str] = field(repr=False)
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Told:
    """A status and the JSON object that came with it, if one did."""

    status: int
    body: Mapping[str, Any] | None = field(repr=False)


@dataclass(frozen=True)
class Vendor:
    """Where and as whom to ask. `sandbox` is the demo's and the tests': the same paths, on loopback."""

    rule: OAuthRule
    account: str | None
    client: Client
    send: Send = field(repr=False)
    sandbox: str | None = None

    def url(self, declared: str) -> str:
        """One of the manifest's addresses as it is asked for this clinic. Raises ValueError without its directory."""
        filled = self.rule.at(declared, self.account)
        if self.sandbox is None:
            return filled
        place = urlsplit(filled)
        return f"{self.sandbox}{place.path}{'?' + place.query if place.query else ''}"

    @property
    def issuer(self) -> str:
        """Who this vendor says that it is, to this clinic."""
        return self.rule.at(self.rule.issuer, self.account)

    async def by_code(
        self, code: str, *, verifier: str, redirect: str, scopes: frozenset[str], now: datetime
    ) -> Answer:
        """Exchange a code, once. Raises GrantEnded or TokenTrouble."""
        form = {"code": code, "redirect_uri": redirect, "code_verifier": verifier}
        return await self._asked(Question("authorization_code", form, scopes), now)

    async def by_refresh(self, refresh: str, *, scopes: frozenset[str], now: datetime) -> Answer:
        """Exchange a refresh token; the answer always holds the one to use next. Raises GrantEnded or TokenTrouble."""
        form = {"refresh_token": refresh}
        if self.rule.narrows_at_refresh:
            form["scope"] = self.rule.on_wire(scopes)
        answer = await self._asked(Question("refresh_token", form, scopes), now)
        return answer if answer.refresh is not None else replace(answer, refresh=refresh)

    async def by_client(self, *, now: datetime) -> Answer:
        """Ask as the application itself. Raises GrantEnded or TokenTrouble."""
        answer = await self._asked(Question("client_credentials", {"scope": str(self.rule.application_scope)}), now)
        if self.rule.granted != "roles":
            return answer
        claims = claims_of(answer.access)
        if not claims:
            raise TokenTrouble("unreadable_answer")
        if self.account is not None and claims.get("tid", self.account) != self.account:
            raise TokenTrouble("wrong_directory")
        return replace(answer, granted=of_roles(claims))

    async def revoke(self, token: str) -> bool:
        """Tell the vendor that a token is good for nothing any more (RFC 7009); whether it took note."""
        if self.rule.revoke_url is None:
            return False
        try:
            told = await self._posted(self.rule.revoke_url, {"token": token})
        except TokenTrouble:
            return False
        # Google answers 400 for a token that it does not know (any more): there is nothing left to revoke.
        return 200 <= told.status < 300 or (told.body or {}).get("error") in ("invalid_token", "invalid_grant")

    async def keys(self) -> Mapping[str, Any]:
        """The vendor's public keys. Raises TokenTrouble."""
        request = build_request("GET", self.url(str(self.rule.jwks_url)), headers={"Accept": "application/json"})
        response = await self.through_door(request)
        found = parse_object(response.content)
        if response.status_code != 200 or found is None:
            raise TokenTrouble("keys_unreadable")
        return found

    async def through_door(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; what the door says of it in words of this room. Raises TokenTrouble."""
        try:
            return await self.send(request)
        except Unreachable as failure:
            raise TokenTrouble(failure.code, unsent=True) from None
        except (Ambiguous, AnswerRefused) as failure:
            raise TokenTrouble(failure.code) from None
        except ConnectorError as failure:
            raise TokenTrouble(failure.code, unsent=True) from None

    async def posted(self, question: Question) -> Told:
        """Ask in the generic way."""
        return await self._posted(self.rule.token_url, {"grant_type": question.grant_type, **question.form})

    async def _asked(self, question: Question, now: datetime) -> Answer:
        told = await self._told(question)
        return read(told.status, told.body, self.rule, now=now)

    async def _told(self, question: Question) -> Told:
        if self.rule.library == "msal":
            from gateway.oauth import by_msal

            return await by_msal.ask(self, question)
        if self.rule.library == "google-auth" and question.grant_type == "refresh_token":
            from gateway.oauth import by_google_auth

            return await by_google_auth.ask(self, question)
        return await self.posted(question)

    async def _posted(self, declared: str, form: Mapping[str, str]) -> Told:
        headers, known = dict(_FORM), dict(form)
        secret = self.client.secret
        if secret is None:
            raise TokenTrouble(
                "client_needs_library", unsent=True
            )  # a certificate, which only an SDK knows how to show
        if self.rule.client_auth == "basic":
            headers["Authorization"] = _basic(self.client.id, secret)
        else:
            known |= {"client_id": self.client.id, "client_secret": secret}
        content = urlencode(known).encode()
        response = await self.through_door(build_request("POST", self.url(declared), headers=headers, content=content))
        return Told(response.status_code, parse_object(response.content))


def _basic(name: str, secret: str) -> str:
    """RFC 6749 2.3.1: both are form-encoded before they are joined."""
    pair = f"{quote(name, safe='')}:{quote(secret, safe='')}"
    return f"Basic {b64encode(pair.encode()).decode()}"
