"""Connecting by OAuth: what the manifest promises holds at the sandbox, from the page of consent to the last token."""

import hashlib
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2

from connectors.folder import Connector
from connectors.oauth import OAuthRule

ACCOUNT = "6f0c8a52-3f1e-4d7b-9a55-0d6f1a2b3c4d"
BACK = "https://gateway.example/oauth/callback"
VERIFIER = "v" * 64


async def rule_the_sandbox_connects_as_the_manifest_says(connector: Connector) -> None:
    rule = connector.manifest.credential.oauth
    if rule is None:
        return
    sandbox = connector.module("sandbox")
    client_id, client_secret = sandbox.OAUTH_CLIENT
    app = sandbox.create()
    asked = rule.on_wire(connector.manifest.provider_scopes)
    client = {"client_id": client_id, "client_secret": client_secret}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)) as web:
        form: dict[str, str] = {"grant_type": "client_credentials", "scope": rule.application_scope or ""}
        if rule.authorize_url is not None:
            back = sandbox.approve(app, _page(rule, client_id, asked))
            told = dict(parse_qsl(urlsplit(back).query))
            assert back.startswith(f"{BACK}?")
            assert told["state"] == "state"
            form = {
                "grant_type": "authorization_code",
                "code": told["code"],
                "redirect_uri": BACK,
                "code_verifier": VERIFIER,
            }
            wrong = await _token(web, rule, {**form, **client, "code_verifier": "w" * 64})
            assert wrong.status_code == 400, "the sandbox takes another verifier"
        answer = (await _token(web, rule, {**form, **client})).json()
        assert answer["access_token"]
        if rule.granted == "answer":
            assert rule.from_wire(answer["scope"]) == connector.manifest.provider_scopes.keys()
        assert ("refresh_token" in answer) == (rule.refresh != "none")


async def rule_the_sandbox_credential_is_a_token_that_it_takes(connector: Connector) -> None:
    if connector.manifest.credential.oauth is None:
        return
    token = connector.module("sandbox").CREDENTIAL
    assert token.isascii()
    assert token.isprintable()


def _page(rule: OAuthRule, client_id: str, scopes: str) -> str:
    challenge = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    asked: dict[str, Any] = {
        "response_type": "code", "client_id": client_id, "redirect_uri": BACK, "scope": scopes, "state": "state",
        "code_challenge": challenge, "code_challenge_method": "S256", "nonce": "nonce", **rule.authorize_parameters,
    }  # fmt: skip
    return f"{rule.at(str(rule.authorize_url), ACCOUNT)}?{urlencode(asked)}"


async def _token(web: httpx2.AsyncClient, rule: OAuthRule, form: dict[str, str]) -> httpx2.Response:
    return await web.post(rule.at(rule.token_url, ACCOUNT), data=form)
