"""The sandbox's phones: what patients would read, and a box to answer in. No script, nothing from elsewhere."""

import re
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from connectors.messaging.twilio.sandbox_messages import Held
from scopes.segments import count

if TYPE_CHECKING:
    from connectors.messaging.twilio.sandbox import Sandbox

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_LINK: Final = re.compile(r"https://[^\s<>\"']+|http://127\.0\.0\.1:[0-9]+[^\s<>\"']*")
_LONGEST_ANSWER: Final = 1600
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
#: What the gateway made of an answer, by what it answered to the vendor.
_HEARD: Final = {
    "200": "The clinic's gateway took your answer.",
    "400": "The clinic's gateway did not take your answer: it is not genuine to it.",
    "404": "The clinic's gateway has no connection that would take your answer.",
    "503": "The clinic's gateway takes no answers just now; a STOP counts all the same.",
    "none": "Nobody takes answers: the gateway has not told this sandbox where it is.",
}
_STATES: Final = {"queued": "On its way", "sent": "Sent", "delivered": "Delivered", "undelivered": "Not delivered"}

_STYLE: Final = """
:root{color-scheme:light dark;--page:#eef1f6;--ink:#16202e;--soft:#5a6779;--card:#fff;--line:#d6dde7;--ours:#e6eaf1;
--theirs:#1f6fd6;--theirs-ink:#fff;--case:#141a24;--bad:#a8231b;--focus:#1f6fd6}
@media (prefers-color-scheme:dark){:root{--page:#0d1219;--ink:#e7edf5;--soft:#9fadc0;--card:#151c27;--line:#2a3545;
--ours:#232e3d;--theirs:#2f7fe8;--theirs-ink:#fff;--case:#000;--bad:#ff9a92;--focus:#7db4ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:60rem;margin:0 auto;padding:2rem 1.25rem 3rem;display:grid;gap:2rem;grid-template-columns:minmax(0,1fr) 22rem;
align-items:start}
h1{font-size:1.5rem;line-height:1.2;margin:0 0 .5rem}h2{font-size:1rem;margin:1.75rem 0 .5rem}p{margin:.5rem 0;color:var(--soft)}
a{color:inherit}:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
nav ul{list-style:none;margin:0;padding:0;display:grid;gap:.5rem}
nav a{display:grid;gap:.1rem;padding:.7rem .9rem;border:1px solid var(--line);border-radius:.8rem;background:var(--card);
text-decoration:none}nav a[aria-current]{border-color:var(--focus);box-shadow:inset 3px 0 0 var(--focus)}
nav small{color:var(--soft);overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.phone{width:100%;max-width:22rem;background:var(--case);border:1px solid var(--line);border-radius:2.6rem;padding:.8rem;
box-shadow:0 18px 50px rgb(0 0 0/.28)}
.screen{background:var(--card);border-radius:2rem;overflow:hidden;display:flex;flex-direction:column;height:41rem}
.bar{padding:1.1rem 1rem .7rem;text-align:center;border-bottom:1px solid var(--line)}.bar b{display:block}
.bar small{color:var(--soft)}
.thread{flex:1;overflow-y:auto;display:flex;flex-direction:column-reverse}
ol{list-style:none;margin:0 0 auto;padding:1rem;display:flex;flex-direction:column;gap:.35rem}
ol li{max-width:84%;display:grid;gap:.15rem;align-self:flex-start}ol li.own{align-self:flex-end;justify-items:end}
.bubble{padding:.55rem .8rem;border-radius:1.15rem;background:var(--ours);white-space:pre-wrap;overflow-wrap:anywhere}
.own .bubble{background:var(--theirs);color:var(--theirs-ink)}
ol small{color:var(--soft);padding:0 .35rem;font-size:.78rem}ol small.bad{color:var(--bad);font-weight:600}
.lost .bubble{opacity:.55;border:1px dashed var(--bad);background:none}
form{display:flex;gap:.5rem;padding:.7rem;border-top:1px solid var(--line)}
input{flex:1;min-width:0;font:inherit;color:inherit;background:var(--page);border:1px solid var(--line);border-radius:1.4rem;
padding:.6rem .95rem}
button{font:inherit;font-weight:600;color:#fff;background:#1f6fd6;border:0;border-radius:1.4rem;padding:.6rem 1rem;cursor:pointer}
.note{padding:.6rem .9rem;border:1px solid var(--line);border-radius:.8rem;background:var(--card);color:var(--ink)}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
@media (max-width:52rem){main{grid-template-columns:minmax(0,1fr)}.phone{justify-self:center}}
"""


async def _phones(request: Request) -> Response:
    """The phone that a message reached last, or what to do where none has."""
    sandbox: Sandbox = request.app.state.sandbox
    numbers = _numbers(sandbox)
    if numbers:
        return RedirectResponse(f"/phone/{numbers[0]}", 303, _HEADERS)
    return _page("Phones", f"{_about(sandbox, None)}{_device('No messages', '', _empty())}")


async def _phone(request: Request) -> Response:
    """One phone: what it got, and a box to answer in."""
    sandbox: Sandbox = request.app.state.sandbox
    number = request.path_params["number"]
    if not _NUMBER.fullmatch(number):
        return RedirectResponse("/phone", 303, _HEADERS)
    if request.method == "POST":
        given = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        text = given.get("text", "").strip()[:_LONGEST_ANSWER]
        heard = str(await sandbox.answer(number, text) or "none") if text else ""
        return RedirectResponse(f"/phone/{number}{f'?heard={heard}' if heard else ''}#last", 303, _HEADERS)
    said = _HEARD.get(request.query_params.get("heard", ""), "")
    thread = sandbox.thread(number)
    sender = next((held.sender for held in reversed(thread) if not held.inbound), "The clinic")
    bubbles = "".join(_bubble(held, last=held is thread[-1]) for held in thread) or _empty()
    note = f'<p class="note" role="status">{escape(said)}</p>' if said else ""
    return _page(number, f"{_about(sandbox, number, note)}{_device(sender, number, bubbles)}")


ROUTES: Final = (
    Route("/phone", _phones, methods=["GET"]),
    Route("/phone/{number}", _phone, methods=["GET", "POST"]),
)


def _numbers(sandbox: "Sandbox") -> list[str]:
    """The phones that were written to, the latest first."""
    return list(dict.fromkeys(held.sender if held.inbound else held.to for held in reversed(sandbox.messages)))


def _about(sandbox: "Sandbox", current: str | None, note: str = "") -> str:
    """What the page is, and the other phones."""
    items = "".join(_item(sandbox, number, current) for number in _numbers(sandbox))
    phones = f"<nav aria-label=Phones><h2>Phones</h2><ul>{items}</ul></nav>" if items else ""
    return (
        "<section><h1>What the patient reads</h1>"
        "<p>This sandbox plays Twilio and the phones behind it. Nothing leaves this machine, and nobody is written to.</p>"
        "<p>Answer as a patient would: YES or NO to a question, STOP to hear nothing more. "
        '<a href="">Look again</a> for what came meanwhile.</p>'
        f"{note}{phones}</section>"
    )


def _item(sandbox: "Sandbox", number: str, current: str | None) -> str:
    here = ' aria-current="page"' if number == current else ""
    text = escape(sandbox.thread(number)[-1].text)
    return f'<li><a href="/phone/{number}"{here}><span>{number}</span><small dir="auto">{text}</small></a></li>'


def _device(sender: str, number: str, bubbles: str) -> str:
    """The phone itself."""
    answer = (
        f'<form method="post" action="/phone/{number}"><label class="hidden" for="text">Your answer</label>'
        '<input id="text" name="text" maxlength="1600" autocomplete="off" placeholder="Text message" required dir="auto">'
        "<button>Send</button></form>"
        if number
        else ""
    )
    return (
        f'<section class="phone" aria-label="Phone {number}"><div class="screen"><div class="bar"><b>{escape(sender)}</b>'
        f'<small>{number or "Text message"}</small></div><div class="thread" tabindex="0" '
        f'role="region" aria-label="Messages"><ol>{bubbles}</ol></div>{answer}</div>'
        "</section>"
    )


def _bubble(held: Held, *, last: bool) -> str:
    """One message, where it came from and how far it got."""
    at = datetime.fromtimestamp(held.at, UTC)
    time = f'<time datetime="{at.isoformat()}">{at:%H:%M} UTC</time>'
    lost = held.status == "undelivered"
    if held.inbound:
        state = "You"
    elif held.carriers:
        state = "Twilio's own answer"
    else:
        state = f"{_STATES.get(held.status, held.status)} · {count(held.text).segments} SMS"
    names = " ".join(filter(None, ("own" if held.inbound else "", "lost" if lost else "")))
    return (
        f'<li{" id=last" if last else ""} class="{names}"><span class="bubble" dir="auto">{_linked(held.text)}</span>'
        f"<small{' class=bad' if lost else ''}>{state} · {time}</small></li>"
    )


def _linked(text: str) -> str:
    """A text with its addresses as links, as a phone shows them."""
    pieces, at = [], 0
    for match in _LINK.finditer(text):
        address = escape(match[0])
        pieces += [escape(text[at : match.start()]), f'<a href="{address}" rel="noreferrer">{address}</a>']
        at = match.end()
    return "".join((*pieces, escape(text[at:])))


def _empty() -> str:
    return "<li><small>No message has come yet. Send one through the gateway, and look again.</small></li>"


def _page(title: str, body: str) -> Response:
    return HTMLResponse(
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title} · Twilio sandbox</title>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main>{body}</main></body></html>",
        headers=_HEADERS,
    )
