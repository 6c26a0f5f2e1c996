"""The network from above: what hospitals said and what was wrong with it, what they were told, the quirks, the clock."""

from html import escape
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.abdm.simulator import page
from connectors.abdm.simulator.quirks import ABOUT, NAMES
from connectors.abdm.simulator.record import Heard, Told
from connectors.abdm.simulator.refusals import Shape

if TYPE_CHECKING:
    from connectors.abdm.simulator.network import Network

_SHOWN_AT_MOST: Final = 60
#: What to skip ahead by, in seconds, and why one would.
_SKIPS: Final = (
    ("35", "35 seconds: past a share's patience and the race of a notification"),
    ("380", "380 seconds: past the window of link tokens"), ("970", "970 seconds: a refused delivery comes again"),
    ("1210", "1210 seconds: past a session, and past a push's time"), ("86401", "a day: past a block"),
)  # fmt: skip


async def _seen(request: Request) -> Response:
    network: Network = request.app.state.sandbox
    body = (
        f"<section><h1>The network</h1>{page.notice(network, '/network')}{_bridge(network)}</section>"
        f"<section><h2>What hospitals asked</h2>{_heard(network)}<h2>What they were told</h2>{_told(network)}</section>"
        f"<section><h2>Quirks</h2>{_quirks(network)}<h2>Time and weather</h2>{_weather(network)}</section>"
    )
    return page.shown("/network", "Network", body)


def _bridge(network: "Network") -> str:
    bridge = network.bridge
    state = page.tag("another system has it", good=False) if bridge.stolen else page.tag("registered")
    where = (
        f"<code>{escape(bridge.url)}</code> {state}" if bridge.url else page.tag("nobody registered one", good=False)
    )
    services = ", ".join(
        f"{escape(each.name)} <code>{escape(each.service_id)}</code>" for each in network.facilities.values()
    )
    faults = sum(len(each.faults) for each in network.requests)
    return (
        f"<p>Callbacks go to {where}</p><p>Facilities: {services or 'none'}</p>"
        f"<p>{len(network.requests)} requests, {page.tag(f'{faults} faults', good=not faults)} · it is "
        f"{page.clock(network.clock.now())} in here</p>"
    )


def _heard(network: "Network") -> str:
    rows = "".join(_heard_row(each) for each in reversed(network.requests[-_SHOWN_AT_MOST:]))
    head = "<tr><th scope=col>When<th scope=col>Request<th scope=col>Answer<th scope=col>What was wrong</tr>"
    return (
        f'<div class=wide tabindex=0 role=region aria-label="Requests of hospitals"><table>{head}{rows}</table></div>'
    )


def _heard_row(heard: Heard) -> str:
    faults = "<br>".join(f"{escape(each.section)}: {escape(each.what)}" for each in heard.faults)
    return (
        f"<tr><td>{page.clock(heard.at)}<td>{heard.method} <code>{escape(heard.path)}</code>"
        f"<td>{heard.status} {escape(heard.code)}<td{' class=bad' if faults else ''}>{faults or 'nothing'}</tr>"
    )


def _told(network: "Network") -> str:
    rows = "".join(_told_row(each) for each in reversed(network.told[-_SHOWN_AT_MOST:]))
    head = "<tr><th scope=col>When<th scope=col>Callback<th scope=col>Facility<th scope=col>Answer</tr>"
    return f'<div class=wide tabindex=0 role=region aria-label="Callbacks"><table>{head}{rows}</table></div>'


def _told_row(told: Told) -> str:
    answer = "nobody answered" if told.status is None else str(told.status)
    again = " <small>a repeat</small>" if told.repeats is not None else ""
    return (
        f"<tr><td>{page.clock(told.at)}<td><code>{escape(told.path)}</code>{again}<td><code>{escape(told.service_id)}</code>"
        f"<td{'' if told.taken else ' class=bad'}>{answer}</tr>"
    )


def _quirks(network: "Network") -> str:
    on = network.quirks.shown()
    boxes = "".join(
        f"<label class=tick><input type=checkbox name=on value={name}{' checked' if on[name] else ''}>"
        f"<span><b>{name}</b> <small>{section}</small><br>{escape(what)}</span></label>"
        for name, (section, what) in ABOUT.items()
    )
    return (
        f"<form method=post class=card>{page.hidden(do='quirks')}<fieldset class=quirks>{boxes}</fieldset>"
        "<div><button>Set these</button></div></form>"
    )


def _weather(network: "Network") -> str:
    shapes = page.choice("The next call fails in the shape", "shape", ((str(each), str(each)) for each in Shape))
    return (
        f"<div class=list><form method=post class=card>{page.hidden(do='skip')}<div class=row>"
        f"{page.choice('Skip ahead by', 'seconds', _SKIPS)}<button>Skip</button></div></form>"
        f"<form method=post class=card>{page.hidden(do='fail')}<div class=row>"
        f"{shapes}<button>Fail</button></div></form>"
        f"<form method=post class=card>{page.hidden(do='steal')}<div class=row><span>Another system with the same client id "
        "puts its own address on the bridge.</span><button class=plain>Steal the bridge</button></div></form></div>"
    )


async def _act(request: Request) -> Response:
    network: Network = request.app.state.sandbox
    pairs = await page.form(request)
    given = dict(pairs)
    try:
        return page.back(network, "/network", await _do(network, given, {v for k, v in pairs if k == "on"}))
    except ValueError as wrong:
        return page.back(network, "/network", str(wrong), good=False)


async def _do(network: "Network", given: dict[str, str], on: set[str]) -> str:
    match given.get("do"):
        case "quirks":
            was = network.quirks.shown()
            network.switch({name: name in on for name in NAMES if (name in on) != was[name]})
            return f"{len(on)} quirks are on."
        case "skip":
            await network.clock.advance(float(given.get("seconds", "0")))
            return "Time went by."
        case "fail":
            network.fail_next(Shape(given.get("shape", "")))
            return "The next call fails."
        case "steal":
            network.steal_bridge()
            return "Callbacks go to another system now, until a hospital registers its own address again."
        case _:
            raise ValueError("no such button")


ROUTES: Final = (Route("/network", _seen, methods=["GET"]), Route("/network", _act, methods=["POST"]))
