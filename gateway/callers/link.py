"""What makes a one-time link of a host genuine. Such a token opens pages for one person; it is no caller's token.

It is typed `gateway-link+jwt` (RFC 8725 3.11), so that neither passes for the other, lives for 60 seconds at most and
carries a `jti` that is good once. Which roles an issuer's links may give is registered with it; none by default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from gateway.callers.token import LEEWAY_SECONDS, Issuer
from gateway.errors import Unauthenticated

TYPES: Final = frozenset({"gateway-link+jwt", "application/gateway-link+jwt"})
MOST_SECONDS: Final = 60
_MOST_JTI: Final = 255


@dataclass(frozen=True, slots=True)
class Link:
    """What a genuine link says."""

    tenant: UUID
    issuer: str
    subject: str = field(repr=False)
    name: str = field(repr=False)
    role: str
    jti: str
    until: float  # from then on it opens nothing by itself
    return_to: str | None
    frames: tuple[str, ...]


def read(issuer: Issuer, token: str, *, now: float) -> Link:
    """Read a link's token, or raise Unauthenticated with the rule that it breaks."""
    claims = issuer.claims(token, now=now, types=TYPES)
    if claims["exp"] - claims["iat"] > MOST_SECONDS:
        raise Unauthenticated(f"a link may live for {MOST_SECONDS} seconds at most")
    role, jti = claims.get("role"), claims.get("jti")
    if not isinstance(role, str) or role not in issuer.link_roles:
        raise Unauthenticated("the issuer's links may not give this role")
    if not isinstance(jti, str) or not 1 <= len(jti) <= _MOST_JTI:
        raise Unauthenticated("the link needs an id of its own (jti)")
    name, back = claims.get("name"), claims.get("return_to")
    return Link(
        issuer.tenant, issuer.name, claims["sub"], name if isinstance(name, str) else "", role, jti,
        float(claims["exp"]) + LEEWAY_SECONDS, back if isinstance(back, str) else None, issuer.frames,
    )  # fmt: skip
