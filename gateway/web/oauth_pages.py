"""The words of the pages around a vendor's consent, as HTML: calm, whole without a script, nothing from elsewhere."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

from starlette.responses import HTMLResponse

from gateway.errors import Conflict, GatewayError, NotFound, Unavailable

_STYLE: Final = (
    "html{color-scheme:light dark}"
    "body{font:1.0625rem/1.5 system-ui,sans-serif;max-width:38rem;margin:3rem auto;padding:0 1.25rem}"
    "h1{font-size:1.5rem;line-height:1.25}ul{padding-left:1.25rem}small{display:block}"
    "button{font:inherit;padding:.6rem 1.2rem;border:1px solid;border-radius:.4rem;cursor:pointer}"
)
_STYLE_HASH: Final = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_ADMIN_BUTTON: Final = (
    '<p><button name="as" value="admin">I am an administrator there: allow it for everybody first</button></p>'
)
_WHY: Final = {
    "denied": "It was not allowed at the vendor. Nothing was connected.",
    "nothing_granted": "The vendor granted nothing of what these features need. Nothing was connected.",
    "wrong_issuer": "The answer came from another vendor than the one that was asked. Nothing was connected.",
    "issuer_missing": "The answer does not say which vendor it is from. Nothing was connected.",
    "wrong_directory": "The answer is for another directory than this clinic's. Nothing was connected.",
    "not_from_our_page": "This page has to be opened first, and its button pressed in the same browser.",
    "parameter_twice": "The address says something twice. Nothing was connected.",
    "no_refresh_token": "The vendor gave access for an hour only. Connect again, and allow it for longer.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What the first page says, and what its form holds."""

    clinic: str
    title: str
    recipient: str
    features: Sequence[tuple[str, str]]
    scopes: Sequence[str]
    notes: Sequence[str]
    host: str
    for_admins: bool
    own: bool
    link: str = field(repr=False)
    ours: str = field(repr=False)


def page(body: str, *, status: int = 200, goes_to: str | None = None) -> HTMLResponse:
    """A whole page; `goes_to` is the vendor's origin where its form leads there."""
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self'{' ' + goes_to if goes_to else ''}"
    )
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>Clinic Gateway</title><style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    )
    return HTMLResponse(text, status, {**HEADERS, "content-security-policy": policy})


def offered(offer: Offered) -> str:
    """What somebody is about to allow."""
    clinic, title = escape(offer.clinic), escape(offer.title)
    who = "You are about to let" if offer.own else "Whoever sent you this link wants"
    stop = (
        "Close this page, and nothing happens."
        if offer.own
        else "If that is not your clinic, close this page: then nothing happens."
    )
    return (
        f"<h1>Connect {title} for {clinic}</h1>"
        f"<p>{who} <strong>{clinic}</strong> {'' if offer.own else 'to '}use {title} ({escape(offer.recipient)}) through "
        f"its Clinic Gateway, with the account that you sign in with there. {stop}</p>"
        f"<h2>What for</h2>{_list([f'{name}: {why}' for name, why in offer.features])}"
        "<h2>What you will be asked to allow</h2>"
        f"{_list(offer.scopes or ['what an administrator allowed this application'])}"
        f"{''.join(f'<p><small>{escape(note)}</small></p>' for note in offer.notes)}"
        f'<form method="post" action="start"><input type="hidden" name="link" value="{escape(offer.link)}">'
        f'<input type="hidden" name="offer" value="{escape(offer.ours)}">'
        f"<p><button>Continue to {escape(offer.host)}</button></p>{_ADMIN_BUTTON if offer.for_admins else ''}</form>"
    )


def connected(title: str, granted: Sequence[str], off: Sequence[tuple[str, Sequence[str]]]) -> str:
    """It is connected, perhaps not with everything."""
    missing = "".join(
        f"<li>{escape(feature)}: {escape(title)} did not grant {escape(', '.join(scopes))}</li>"
        for feature, scopes in off
    )
    rest = (
        f"<h2>These features stay off</h2><ul>{missing}</ul><p>Connect again, and allow these permissions too.</p>"
        if missing
        else ""
    )
    return (
        f"<h1>{escape(title)} is connected</h1><p>It allowed:</p>{_list(granted)}{rest}<p>You can close this page.</p>"
    )


def too_much(title: str, excess: Sequence[str]) -> str:
    """It was not connected, because more was granted than was asked for."""
    return (
        f"<h1>{escape(title)} was not connected</h1>"
        f"<p>{escape(title)} granted more than this clinic asked for:</p>{_list(excess)}"
        "<p>What it granted was given back and is not used. Remove this application's older permissions at the vendor, then "
        "connect again.</p>"
    )


def refused(code: str) -> str:
    """The vendor's answer was not taken."""
    return f"<h1>Nothing was connected</h1><p>{why(code)}</p><p>Ask for a new link, and try again. ({escape(code)})</p>"


def why(code: str) -> str:
    """Why an answer was not taken, as a sentence."""
    return _WHY.get(code, "The vendor's answer could not be taken. Nothing was connected.")


def failed(failure: Exception) -> str:
    """Something else went wrong; of a failure that nobody foresaw nothing is told."""
    if isinstance(failure, NotFound):
        return (
            f"<h1>{escape(failure.title)}</h1>"
            "<p>It was used, has run out, or was made for another browser. Ask for a new one.</p>"
        )
    if isinstance(failure, Unavailable):
        return "<h1>Not just now</h1><p>The gateway cannot do this at the moment. Try again in a minute.</p>"
    if isinstance(failure, Conflict):
        return f"<h1>Nothing was connected</h1><p>{escape(failure.detail)} {escape(failure.fix)}</p>"
    if isinstance(failure, GatewayError) and failure.status < 500:
        return f"<h1>Nothing was connected</h1><p>{escape(failure.title)}.</p>"
    return "<h1>Something went wrong</h1><p>Nothing was connected. The operator sees why by the request's id.</p>"


def _list(items: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"
