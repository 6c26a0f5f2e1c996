"""The address that a person is sent to, and the secrets of one attempt: PKCE (RFC 7636), state, nonce. Pure."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from connectors.oauth import OAuthRule


@dataclass(frozen=True, slots=True)
class Secrets:
    """What only this attempt knows; the vendor sees the verifier's hash first, and the verifier with the code."""

    state: str = field(repr=False)
    verifier: str = field(repr=False)
    nonce: str = field(repr=False)

    @classmethod
    def drawn(cls, attempt: str) -> Secrets:
        """Fresh ones. The state names its attempt, so that it is found again; what counts is what follows."""
        return cls(f"{attempt}.{secrets.token_urlsafe(32)}", secrets.token_urlsafe(64), secrets.token_urlsafe(24))

    @property
    def challenge(self) -> str:
        """S256 of the verifier; `plain` is not spoken here (RFC 9700 2.1.1)."""
        return urlsafe_b64encode(hashlib.sha256(self.verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def consent_page(
    rule: OAuthRule, url: str, *, client_id: str, redirect: str, scopes: Iterable[str], own: Secrets
) -> str:
    """Where a person allows the scopes."""
    asked = {
        **rule.authorize_parameters,
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect,
        "scope": rule.on_wire(scopes),
        "state": own.state,
        "code_challenge": own.challenge,
        "code_challenge_method": "S256",
        **({"nonce": own.nonce} if rule.wants_id_token else {}),
    }
    return _with(url, asked)


def admin_page(rule: OAuthRule, url: str, *, client_id: str, redirect: str, scopes: Iterable[str], own: Secrets) -> str:
    """Where an administrator allows them for everybody, or for the application itself."""
    scope = rule.application_scope if rule.application_scope is not None else rule.on_wire(scopes)
    return _with(url, {"client_id": client_id, "redirect_uri": redirect, "scope": scope, "state": own.state})


def _with(url: str, asked: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}"
