"""The frame that all pages of the simulator share: style, headers, navigation, one notice. No script, nothing from elsewhere."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from connectors.abdm.simulator.network import Network

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_PLACES: Final = (
    ("/app", "Patients' app"),
    ("/phone", "Phones"),
    ("/hius", "Other hospitals"),
    ("/network", "Network"),
)

_STYLE: Final = """
:root{color-scheme:light dark;--page:#f1f3f7;--ink:#17202c;--soft:#566273;--card:#fff;--line:#d5dbe5;--tint:#e9f1ee;
--strong:#0b6b50;--strong-ink:#fff;--case:#131922;--bad:#a8231b;--bad-tint:#fbeceb;--good:#0b6b50;--focus:#1f6fd6}
@media (prefers-color-scheme:dark){:root{--page:#0d1218;--ink:#e7edf5;--soft:#a0adbf;--card:#151c26;--line:#2b3644;
--tint:#16302a;--strong:#3fbf95;--strong-ink:#06231a;--case:#000;--bad:#ff9a92;--bad-tint:#34191a;--good:#5fd3ad;--focus:#7db4ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
a{color:inherit}:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
header{border-bottom:1px solid var(--line);background:var(--card)}
header nav{max-width:72rem;margin:0 auto;padding:.6rem 1.25rem;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;align-items:center}
header b{margin-right:auto}header a{text-decoration:none;padding:.35rem 0;border-bottom:2px solid transparent;color:var(--soft)}
header a[aria-current]{color:var(--ink);border-color:var(--strong)}
main{max-width:72rem;margin:0 auto;padding:1.75rem 1.25rem 3rem;display:grid;gap:2rem}
main.two{grid-template-columns:minmax(0,1fr) 25rem;align-items:start}
h1{font-size:1.5rem;line-height:1.2;margin:0 0 .5rem}h2{font-size:1.05rem;margin:1.5rem 0 .5rem}h3{font-size:1rem;margin:0}
p{margin:.4rem 0}.soft,small{color:var(--soft)}small{font-size:.85rem}
.list{list-style:none;margin:0;padding:0;display:grid;gap:.6rem}
.card{padding:.8rem .95rem;border:1px solid var(--line);border-radius:.8rem;background:var(--card);display:grid;gap:.4rem}
a.card{text-decoration:none}a.card[aria-current]{border-color:var(--strong);box-shadow:inset 3px 0 0 var(--strong)}
.notice{padding:.65rem .9rem;border:1px solid var(--strong);border-radius:.8rem;background:var(--tint)}
.notice.bad{border-color:var(--bad);background:var(--bad-tint)}
.tag{display:inline-block;padding:.05rem .55rem;border-radius:1rem;background:var(--tint);color:var(--good);font-size:.82rem;
font-weight:600}.tag.bad{background:var(--bad-tint);color:var(--bad)}.tags{display:flex;flex-wrap:wrap;gap:.3rem}
.tags .tag{background:var(--page);color:var(--soft);font-weight:500}
form{display:grid;gap:.6rem}.row{display:flex;flex-wrap:wrap;gap:.6rem;align-items:end}.row>label{flex:1 1 9rem}
label{display:grid;gap:.2rem;font-size:.92rem}label.tick{display:flex;gap:.55rem;align-items:start;font-size:.95rem}
label.tick input{margin:.3rem 0 0;flex:none;width:1.1rem;height:1.1rem;accent-color:var(--strong)}
fieldset{border:0;margin:0;padding:0;display:grid;gap:.4rem}legend{padding:0;font-size:.92rem}
input,select,textarea{font:inherit;color:inherit;background:var(--page);border:1px solid var(--soft);border-radius:.6rem;
padding:.5rem .7rem;width:100%;min-width:0}
button{font:inherit;font-weight:600;color:var(--strong-ink);background:var(--strong);border:1px solid var(--strong);
border-radius:.7rem;padding:.55rem 1rem;cursor:pointer}button.plain{background:none;color:var(--ink);border-color:var(--soft)}
.phone{width:100%;max-width:25rem;background:var(--case);border:1px solid var(--line);border-radius:2.6rem;padding:.8rem;
box-shadow:0 18px 50px rgb(0 0 0/.28)}
.screen{background:var(--page);border-radius:2rem;overflow:hidden;display:flex;flex-direction:column;height:44rem}
.bar{padding:1rem 1rem .7rem;background:var(--card);border-bottom:1px solid var(--line)}.bar b{display:block}
.body{flex:1;overflow-y:auto;padding:1rem;display:grid;gap:.9rem;align-content:start}
.tabs{display:flex;border-top:1px solid var(--line);background:var(--card)}
.tabs a{flex:1;text-align:center;text-decoration:none;font-size:.86rem;padding:.8rem .2rem 1rem;color:var(--soft)}
.tabs a[aria-current]{color:var(--strong);font-weight:700;box-shadow:inset 0 3px 0 var(--strong)}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:.45rem .6rem;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600}td.bad{color:var(--bad)}
code,pre{font:.86rem/1.45 ui-monospace,SFMono-Regular,Menlo,monospace;overflow-wrap:anywhere}
pre{white-space:pre-wrap;max-height:16rem;overflow:auto;background:var(--page);padding:.7rem;border-radius:.6rem;margin:.4rem 0 0}
.quirks{display:grid;grid-template-columns:repeat(auto-fill,minmax(20rem,1fr));gap:.7rem 1.5rem}
@media (max-width:58rem){main.two{grid-template-columns:minmax(0,1fr)}.phone{justify-self:center;order:-1}}
"""


def shown(path: str, title: str, body: str, *, two: bool = False) -> Response:
    """A whole page."""
    nav = "".join(
        f'<a href="{place}"{_current(path.startswith(place))}>{escape(name)}</a>' for place, name in _PLACES
    )  # fmt: skip
    return HTMLResponse(
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(title)} · ABDM simulator</title>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><header><nav aria-label=Places><b>ABDM simulator</b>{nav}</nav></header>"
        f"<main{' class=two' if two else ''}>{body}</main></body></html>",
        headers=_HEADERS,
    )


def notice(network: "Network", path: str) -> str:
    """What became of the last thing that was done on this page."""
    said = network.notices.pop(path, None)
    if said is None:
        return ""
    text, good = said
    return f'<p class="notice{"" if good else " bad"}" role="status">{escape(text)}</p>'


def back(network: "Network", path: str, text: str = "", *, good: bool = True) -> Response:
    """Return to a page, which says what became of it. The text is kept here, since an address is for everybody to read."""
    if text:
        network.notices[path] = (text, good)
    return RedirectResponse(path, 303, _HEADERS)


async def form(request: Request) -> list[tuple[str, str]]:
    """The pairs of a form."""
    return parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)


def hidden(**values: str) -> str:
    """Fields that nobody sees."""
    return "".join(f'<input type=hidden name="{name}" value="{escape(value)}">' for name, value in values.items())


def ticks(name: str, choices: Iterable[tuple[str, str]], *, on: bool = True) -> str:
    """Boxes to tick: value and label."""
    checked = " checked" if on else ""
    return "".join(
        f'<label class=tick><input type=checkbox name="{name}" value="{escape(value)}"{checked}>'
        f"<span>{escape(label)}</span></label>"
        for value, label in choices
    )


def choice(label: str, name: str, choices: Iterable[tuple[str, str]]) -> str:
    """A list to choose one of: value and label."""
    options = "".join(f'<option value="{escape(value)}">{escape(told)}</option>' for value, told in choices)
    return f"<label>{escape(label)}<select name={name}>{options}</select></label>"


def date(label: str, name: str, instant: str) -> str:
    """A day to choose."""
    return f'<label>{escape(label)}<input type=date name={name} value="{day(instant)}" required></label>'


def tag(text: str, *, good: bool = True) -> str:
    """A state in a word."""
    return f'<span class="tag{"" if good else " bad"}">{escape(text)}</span>'


def link(path: str, label: str, current: bool, kind: str = "") -> str:
    """A link that knows whether it is where one is."""
    name = f" class={kind}" if kind else ""
    return f'<a{name} href="{escape(path)}"{_current(current)}>{label}</a>'


def clock(seconds: float) -> str:
    """An hour for people."""
    at = datetime.fromtimestamp(seconds, UTC)
    return f'<time datetime="{at.isoformat()}">{at:%d %b %H:%M:%S} UTC</time>'


def day(text: str) -> str:
    """The day of an instant."""
    return text[:10]


def _current(here: bool) -> str:
    return ' aria-current="page"' if here else ""
