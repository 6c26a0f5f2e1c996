"""Ask for tokens as Microsoft's SDK does, through our door: it knows Entra's forms, and how a certificate proves who we are.

The SDK takes addresses from a discovery document. It gets one from us that says what the manifest says, so that no answer
can move the token address. It wants https there: in the demo the door is what leads to the sandbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import orjson

from connectors.wire import build_request, parse_object
from gateway.log import Log
from gateway.oauth.answer import TokenTrouble
from gateway.oauth.aside import aside

if TYPE_CHECKING:
    import httpx2

    from gateway.oauth.asking import Question, Told, Vendor

log = Log("gateway.oauth")

_DISCOVERY: Final = "/.well-known/openid-configuration"


class _Answered(Exception):
    """The vendor is in trouble; the SDK has nothing to add."""


@dataclass(slots=True)
class _Response:
    """An answer as the SDK reads it."""

    status_code: int
    text: str = field(repr=False)
    headers: Mapping[str, str]

    def raise_for_status(self) -> None:
        """What the SDK does with the vendor's trouble."""
        if self.status_code >= 400:
            raise _Answered


async def ask(vendor: Vendor, question: Question) -> Told:
    """What the vendor answers. Raises TokenTrouble."""
    heard: list[Told] = []
    await aside(lambda door: _ask(vendor, question, _Door(vendor, door, heard)), vendor.through_door)
    if not heard:
        raise TokenTrouble("library_failed", unsent=True)
    return heard[-1]


def _ask(vendor: Vendor, question: Question, door: _Door) -> None:
    import msal

    try:
        # A new one each time: it remembers refusals for a minute, long after an administrator has put things right.
        app = msal.ConfidentialClientApplication(
            vendor.client.id, client_credential=_credential(vendor), oidc_authority=vendor.issuer, http_client=door,
            instance_discovery=False,
        )  # fmt: skip
        scopes = [vendor.rule.scope_prefix + scope for scope in sorted(question.scopes)]
        if question.grant_type == "client_credentials":
            app.acquire_token_for_client([question.form["scope"]])
        elif question.grant_type == "refresh_token":
            app.acquire_token_by_refresh_token(question.form["refresh_token"], scopes)
        else:
            form = question.form
            app.acquire_token_by_authorization_code(
                form["code"], scopes, redirect_uri=form["redirect_uri"], data={"code_verifier": form["code_verifier"]}
            )
    except TokenTrouble:
        raise
    except Exception as failure:  # it breaks on many answers; what was heard says it better
        if not door.heard:
            log.error("library_failed", failure=failure)


def _credential(vendor: Vendor) -> str | dict[str, str]:
    client = vendor.client
    if client.key is not None and client.certificate is not None:
        return {"private_key": client.key, "public_certificate": client.certificate}
    return str(client.secret)


class _Door:
    """The door as the SDK calls it: one document that we write ourselves, and the token address."""

    def __init__(self, vendor: Vendor, door: Callable[[httpx2.Request], httpx2.Response], heard: list[Told]) -> None:
        self._vendor, self._door, self.heard = vendor, door, heard

    def get(self, url: str, **given: Any) -> _Response:
        """The discovery document; nothing else is fetched."""
        vendor, rule = self._vendor, self._vendor.rule
        if not url.endswith(_DISCOVERY):
            return _Response(404, "{}", {})
        page = rule.authorize_url or rule.admin_consent_url or rule.token_url
        told = {
            "issuer": vendor.issuer,
            "authorization_endpoint": rule.at(page, vendor.account),
            "token_endpoint": rule.at(rule.token_url, vendor.account),
        }
        return _Response(200, orjson.dumps(told).decode(), {})

    def post(
        self, url: str, *, data: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None, **given: Any
    ) -> _Response:
        """Ask at the token address."""
        from gateway.oauth.asking import Told

        vendor = self._vendor
        if url != vendor.rule.at(vendor.rule.token_url, vendor.account):
            raise TokenTrouble("library_strayed", unsent=True)
        form = {name: value for name, value in (data or {}).items() if value is not None}
        sent = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        request = build_request(
            "POST", vendor.url(vendor.rule.token_url), headers=sent, content=urlencode(form).encode()
        )
        answer = self._door(request)
        self.heard.append(Told(answer.status_code, parse_object(answer.content)))
        if answer.status_code >= 500:
            raise _Answered
        return _Response(answer.status_code, answer.text, dict(answer.headers))

    def close(self) -> None:
        """Nothing is open."""
