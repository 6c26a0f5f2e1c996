"""The pages of the sandbox that look like a person's phone. One style, no script, nothing from elsewhere."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from connectors.messaging.whatsapp.sandbox_store import Bubble

_TICKS: Final = {
    "accepted": ("◷", "waiting"),
    "sent": ("✓", "sent"),
    "delivered": ("✓✓", "delivered"),
    "read": ("✓✓", "read"),
    "failed": ("!", "not delivered"),
}
_STYLE: Final = """
:root{color-scheme:light dark;--desk:#dfe5e7;--case:#111b21;--bar:#00705a;--ink:#111b21;--dim:#5b6b74;--wall:#efeae2;
--in:#fff;--out:#d9fdd3;--line:#d1d7db;--link:#00705a;--read:#0b7fb8;--field:#fff;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--desk:#0a1014;--case:#2a3942;--bar:#1f2c34;--ink:#e9edef;--dim:#9aa9b1;--wall:#0b141a;
--in:#202c33;--out:#005c4b;--line:#2a3942;--link:#25d3a2;--read:#7fd0f7;--field:#2a3942;--bad:#ffb4ab}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;gap:.75rem;justify-content:center;
padding:1rem;background:var(--desk);color:var(--ink);font:1rem/1.4 system-ui,sans-serif}
.phone{width:100%;max-width:24rem;height:min(46rem,88vh);display:flex;flex-direction:column;overflow:hidden;
border:.6rem solid var(--case);border-radius:2.2rem;background:var(--wall);box-shadow:0 1rem 3rem #0004}
header{display:flex;align-items:center;gap:.6rem;padding:.7rem .9rem;background:var(--bar);color:#fff}
header h1{margin:0;font-size:1.05rem;font-weight:600}header p{margin:0;font-size:.8rem;opacity:.9}
header a{color:#fff;text-decoration:none;font-size:1.4rem;padding:0 .4rem}
.face{width:2.4rem;height:2.4rem;flex:none;border-radius:50%;background:#ffffff2e;display:grid;place-items:center;font-weight:600}
main{flex:1;overflow-y:auto;padding:.9rem;display:flex;flex-direction:column;gap:.5rem}
.bubble{max-width:86%;padding:.5rem .65rem .4rem;border-radius:.7rem;background:var(--in);box-shadow:0 1px 1px #0002;
align-self:flex-start;border-top-left-radius:.15rem;overflow-wrap:anywhere}
.mine{align-self:flex-end;background:var(--out);border-radius:.7rem;border-top-right-radius:.15rem}
.bubble p{margin:0 0 .15rem;white-space:pre-line}.bubble h2{margin:0 0 .2rem;font-size:1rem}
.foot,.when{color:var(--dim);font-size:.8rem}.when{display:flex;justify-content:flex-end;gap:.3rem;margin:0}
.read{color:var(--read)}.failed{color:var(--bad);font-weight:700}
.bubble form,.bubble .open{display:block;margin:.35rem -.65rem -.4rem;border-top:1px solid var(--line);text-align:center}
.bubble form+form{margin-top:.4rem}
.bubble .open,.bubble button{padding:.6rem;color:var(--link);font:inherit;font-weight:600;text-decoration:none}
.bubble button{width:100%;border:0;background:none;cursor:pointer}.bubble button:disabled{color:var(--dim);cursor:default}
.box{display:flex;gap:.5rem;padding:.6rem;background:var(--wall);border-top:1px solid var(--line)}
.box input{flex:1;min-width:0;padding:.6rem .9rem;border:1px solid var(--line);border-radius:1.4rem;background:var(--field);
color:inherit;font:inherit}
.box button{padding:.6rem 1rem;border:0;border-radius:1.4rem;background:var(--bar);color:#fff;font:inherit;font-weight:600;
cursor:pointer}
:focus-visible{outline:3px solid var(--read);outline-offset:2px}
.chat{display:flex;gap:.7rem;align-items:center;padding:.65rem;border-radius:.7rem;background:var(--in);color:inherit;
text-decoration:none}
.chat .face{background:var(--bar);color:#fff}.chat div{min-width:0;flex:1}
.chat p{margin:0;color:var(--dim);font-size:.9rem;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.note a{color:var(--link)}.note{max-width:24rem;margin:0;color:var(--dim);font-size:.85rem;text-align:center}
"""
#: A page with nothing from elsewhere says so to the browser as well.
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_NOTE: Final = (
    "Sandbox: nothing here was sent to anybody. The phones are invented, and what is written to them is shown here."
)


def chats(talks: Mapping[str, Sequence[Bubble]]) -> str:
    """Every phone that was written to."""
    rows = [
        f'<a class=chat href="/phone/{escape(number)}"><span class=face aria-hidden=true>{escape(number[-2:])}</span>'
        f"<div><strong>+{escape(number)}</strong><p>{escape(_line(talk))}</p></div></a>"
        for number, talk in sorted(talks.items(), key=lambda each: each[1][-1].at, reverse=True)
        if talk
    ]
    empty = "<p class=note>No message yet. Make a call with the action <code>send_reminder</code>, then come back.</p>"
    head = "<header><div><h1>Phones</h1><p>what patients would read</p></div></header>"
    return _page("Phones", f"<div class=phone>{head}<main>{''.join(rows) or empty}</main></div>")


def talk(number: str, bubbles: Sequence[Bubble]) -> str:
    """One person's phone: the conversation with the clinic and a box to answer in."""
    last = next((each for each in reversed(bubbles) if each.from_clinic), None)
    shown = "".join(_bubble(number, each, answerable=each is last) for each in bubbles)
    head = (
        '<header><a href="/phone" aria-label="All phones">‹</a><span class=face aria-hidden=true>C</span>'
        f"<div><h1>Your clinic</h1><p>on the phone of +{escape(number)}</p></div></header>"
    )
    box = (
        f'<form class=box method=post action="/phone/{escape(number)}/reply">'
        '<input name=text aria-label="Message" placeholder="Message" autocomplete=off maxlength=4096 required>'
        "<button>Send</button></form>"
    )
    empty = "<p class=note>Nothing was sent to this number.</p>"
    again = f'<p class=note><a href="/phone/{escape(number)}">Look again</a></p>'
    page = f"<div class=phone>{head}<main>{shown or empty}</main>{box}</div>{again}"
    return _page(f"Phone of +{number}", page)


def _bubble(number: str, bubble: Bubble, *, answerable: bool) -> str:
    """One message; on a phone the clinic's stand left, the person's own right."""
    read = bubble.read
    header = f"<h2>{escape(read.header)}</h2>" if read.header else ""
    footer = f"<p class=foot>{escape(read.footer)}</p>" if read.footer else ""
    buttons = "".join(_button(number, title, address, answerable=answerable) for title, address in read.buttons)
    name = f' title="{escape(bubble.template)}"' if bubble.template else ""
    side = "bubble" if bubble.from_clinic else "bubble mine"
    return f'<article class="{side}"{name}>{header}<p>{escape(read.body)}</p>{footer}{_when(bubble)}{buttons}</article>'


def _when(bubble: Bubble) -> str:
    at = datetime.fromtimestamp(bubble.at, UTC).strftime("%H:%M")
    tick, said = _TICKS.get(bubble.status, ("", ""))
    kind = bubble.status if bubble.status in ("read", "failed") else "tick"
    return f'<p class=when><time>{at} UTC</time><span class={kind} role=img aria-label="{said}">{tick}</span></p>'


def _button(number: str, title: str, address: str, *, answerable: bool) -> str:
    """A button with an address opens it; any other answers, as long as its message is the last."""
    if address:
        return f'<a class=open href="{escape(address)}" rel="noreferrer nofollow">{escape(title)}</a>'
    off = "" if answerable else " disabled"
    return (
        f'<form method=post action="/phone/{escape(number)}/reply">'
        f'<button name=button value="{escape(title)}"{off}>{escape(title)}</button></form>'
    )


def _line(bubbles: Sequence[Bubble]) -> str:
    last = bubbles[-1]
    return ("" if last.from_clinic else "You: ") + last.read.body.replace("\n", " ")[:80]


def _page(title: str, body: str) -> str:
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{body}<p class=note>{_NOTE}</p></body></html>"
    )
