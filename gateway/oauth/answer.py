"""What a vendor's answer about tokens says (RFC 6749 5.1 and 5.2), and what to do where it says no. Quotes nothing of it.

GrantEnded     the vendor accepts what it granted no more: somebody has to connect again
TokenTrouble   no token now, for a reason that may pass; the grant stands
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.oauth import APPLICATION, OAuthRule

# RFC 6749 5.2, OpenID Connect Core 3.1.2.6, and Entra's and Google's words for the same.
_ENDED: Final = frozenset(
    {
        "invalid_grant",
        "interaction_required",
        "login_required",
        "consent_required",
        "invalid_scope",
        "access_denied",
        "admin_policy_enforced",
    }
)
_OPERATORS: Final = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_request"})
_DEFAULT_SECONDS: Final = 3600
_SHORTEST_SECONDS: Final = 1
_LONGEST_SECONDS: Final = 24 * 3600  # one that lives longer is refreshed each day all the same
_MOST_CHARACTERS: Final = 16_384


class GrantEnded(Exception):
    """The vendor gives no token for this grant any more; `code` is a word of ours or of the standards'."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"the vendor's grant has ended ({code})")


class TokenTrouble(Exception):
    """The vendor gave no token; `unsent` where nothing of the question left."""

    def __init__(self, code: str, *, unsent: bool = False) -> None:
        self.code, self.unsent = code, unsent
        super().__init__(f"no token was given ({code})")


@dataclass(frozen=True, slots=True)
class Answer:
    """Tokens as they came in. `granted` is nothing where the vendor does not say, which means what was asked."""

    access: str = field(repr=False)
    expires_at: datetime
    refresh: str | None = field(repr=False)
    granted: frozenset[str] | None
    id_token: str | None = field(default=None, repr=False)


def read(status: int, told: Mapping[str, Any] | None, rule: OAuthRule, *, now: datetime) -> Answer:
    """Read an answer, or raise GrantEnded or TokenTrouble."""
    if told is None or not 200 <= status < 300 or "error" in told:
        raise _refusal(status, told or {})
    access, kind = told.get("access_token"), told.get("token_type", "Bearer")
    if not _fits(access) or not isinstance(kind, str) or kind.lower() != "bearer":
        raise TokenTrouble("unreadable_answer")
    refresh, scope, id_token = told.get("refresh_token"), told.get("scope"), told.get("id_token")
    return Answer(
        access=str(access),
        expires_at=now + _lifetime(told.get("expires_in")),
        refresh=refresh if _fits(refresh) else None,
        granted=rule.from_wire(_text(scope)) if rule.granted == "answer" and scope is not None else None,
        id_token=id_token if isinstance(id_token, str) else None,
    )


def of_roles(claims: Mapping[str, Any]) -> frozenset[str]:
    """The provider scopes that an application's token holds."""
    roles = claims.get("roles", [])
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise TokenTrouble("unreadable_answer")
    return frozenset(f"{APPLICATION}{role}" for role in roles)


def _refusal(status: int, told: Mapping[str, Any]) -> Exception:
    code = told.get("error")
    if status == 429 or status >= 500 or status == 408:
        return TokenTrouble("vendor_unavailable")
    if code in _ENDED:
        return GrantEnded(str(code))
    if code in _OPERATORS:
        return TokenTrouble(f"client_refused.{code}")  # the operator's to mend: the clinic's grant stands
    return TokenTrouble("unreadable_answer" if code is None else "refused")


def _lifetime(given: Any) -> timedelta:
    try:
        seconds = int(given)
    except (TypeError, ValueError, OverflowError):
        seconds = _DEFAULT_SECONDS
    return timedelta(seconds=min(max(seconds, _SHORTEST_SECONDS), _LONGEST_SECONDS))


def _text(scope: Any) -> str:
    """Scopes as one text; some vendors answer with a list."""
    if isinstance(scope, list) and all(isinstance(each, str) for each in scope):
        return " ".join(scope)
    if not isinstance(scope, str):
        raise TokenTrouble("unreadable_answer")
    return scope


def _fits(token: Any) -> bool:
    """Whether a token can stand in a header."""
    return isinstance(token, str) and 0 < len(token) <= _MOST_CHARACTERS and token.isascii() and token.isprintable()
