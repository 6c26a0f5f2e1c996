"""What is known of a browser before anything else: its address, its kind, its cookies, whether a form is from our pages.

Also the headers that every page has, and which paths a browser may be sent to.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from gateway.errors import Forbidden
from gateway.people.sessions import form_token, is_token

# Our own paths only: no scheme, no second slash, no backslash and nothing that a browser would clean away.
_PATH: Final = re.compile(r"/(?![/\\])[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")
_MOST_PATH: Final = 500
_PRODUCTS: Final = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chromium"), ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {frames}"
)


class ForgedForm(Forbidden):
    """A form that is not from our pages, or from a page of a session that has ended."""

    code = "form_refused"
    title = "This form is not valid any more"


@dataclass(frozen=True, slots=True)
class Cookies:
    """How the two cookies are called and sent. One is the session's; the other knows a browser before it signs in."""

    secure: bool

    @property
    def session(self) -> str:
        """The session's name: the prefix binds it to this host and to https (RFC 6265bis 4.1.3.2)."""
        return "__Host-gateway" if self.secure else "gateway"

    @property
    def browser(self) -> str:
        """The browser's name."""
        return f"{self.session}-browser"

    def written(self, name: str, value: str | None, *, embedded: bool = False) -> str:
        """A Set-Cookie header; without a value the cookie is taken away. Only a session ends with the browser's."""
        parts = [f"{name}={value or ''}", "Path=/", "HttpOnly"]
        if self.secure:
            parts.append("Secure")
        # In a frame of another site a Lax cookie is not sent; such a session's is kept apart per site (CHIPS).
        parts += ["SameSite=None", "Partitioned"] if embedded and self.secure else ["SameSite=Lax"]
        if value is None:
            parts.append("Max-Age=0")
        return "; ".join(parts)


def token_in(request: Request, name: str) -> str | None:
    """A cookie of ours; nothing where it has not a token's form."""
    value = request.cookies.get(name, "")
    return value if is_token(value) else None


def own_path(text: str | None) -> str | None:
    """A path of ours that a browser may be sent to; nothing for any other address."""
    if not text or len(text) > _MOST_PATH or not _PATH.fullmatch(text) or "//" in text.partition("?")[0]:
        return None
    return text


def check_form(request: Request, cookie: str, given: str, *, origin: str) -> None:
    """Raise ForgedForm unless a form was sent by one of our pages to this very browser."""
    site = request.headers.get("sec-fetch-site")
    sender = request.headers.get("origin")
    # Under `no-referrer` a browser names no origin for a form of our own either; then the site or the token tells.
    same_origin = sender in (None, "null", origin)
    if site not in (None, "same-origin") or not same_origin:
        raise ForgedForm("the form was sent from another site", fix="Open the page here and send it again.")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), form_token(cookie).encode("ascii")):
        raise ForgedForm(
            "the page was open for too long, or you have signed in or out since", fix="Load it anew and send it again."
        )


def origin_of(request: Request, public_url: str | None) -> tuple[str, str]:
    """How the browser reaches us (its origin, and the path before all of ours), as the operator or the request says."""
    if public_url is not None:
        parts = urlsplit(public_url)
        return f"{parts.scheme}://{parts.netloc}", parts.path
    return f"{request.url.scheme}://{request.headers.get('host', '')}", ""


def address_of(request: Request, *, proxies: int) -> str:
    """The client's address: as the last of our own proxies saw it, where there are any."""
    if proxies:
        passed = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
        if len(passed) >= proxies:
            return passed[-proxies]
    return request.client.host if request.client is not None else "unknown"


def device_of(request: Request) -> str:
    """The kind of browser and system, in our words: what it says of itself is not kept."""
    said = request.headers.get("user-agent", "")
    product = next((ours for theirs, ours in _PRODUCTS if theirs in said), "Another browser")
    system = next((ours for theirs, ours in _SYSTEMS if theirs in said), "another system")
    return f"{product} on {system}"


def page_headers(frames: Sequence[str] = (), *, secure: bool = False) -> Mapping[str, str]:
    """What every page says to a browser: nothing inline, nothing from elsewhere, nothing kept, no frame."""
    headers = {
        "cache-control": "no-store",
        "content-security-policy": _POLICY.format(frames=" ".join(frames) or "'none'"),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), interest-cohort=()",
    }
    if not frames:
        headers["x-frame-options"] = "DENY"
    if secure:
        headers["strict-transport-security"] = "max-age=31536000"
    return headers
