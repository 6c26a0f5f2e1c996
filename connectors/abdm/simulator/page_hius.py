"""The other side: hospitals and insurers that ask patients for a consent, and fetch records under it."""

from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.abdm.simulator import page, peerkeys, screens
from connectors.abdm.simulator.artefacts import Artefact, Wanted
from connectors.abdm.simulator.clock import stamp
from connectors.abdm.simulator.rules import HI_TYPES, PURPOSES
from connectors.abdm.simulator.transfers import Asked

if TYPE_CHECKING:
    from connectors.abdm.simulator.network import Network

_WAIT_SECONDS: Final = 3.0
_DAY: Final = 86_400
_SHOWN_AT_MOST: Final = 20


async def _seen(request: Request) -> Response:
    network: Network = request.app.state.sandbox
    body = (
        "<section><h1>Other hospitals</h1><p class=soft>They ask a patient for a consent; the patient says yes or no under "
        f'<a href="/app">Patients\' app</a>; then they fetch.</p>{page.notice(network, "/hius")}{_asking(network)}</section>'
        f"<section><h2>Consents</h2><div class=list>{_consents(network)}</div>"
        f"<h2>What came</h2><div class=list>{_received(network)}</div></section>"
    )
    return page.shown("/hius", "Other hospitals", body)


def _asking(network: "Network") -> str:
    now = network.clock.outside()
    hius = ((each.id, each.name) for each in network.hius.values() if each.id != screens.APP_HIU)
    people = ((each.address, f"{each.name} · {each.address}") for each in network.patients.values())
    parties = (
        page.choice("Who asks", "hiu", hius) + page.choice("Whom", "address", people)
        + page.choice("What for", "purpose", ((each, each) for each in PURPOSES))
    )  # fmt: skip
    dates = (
        page.date("Records from", "since", stamp(now - 365 * _DAY)) + page.date("to", "until", stamp(now))
        + page.date("Kept until", "erase_at", stamp(now + 30 * _DAY))
    )  # fmt: skip
    kinds = page.ticks("chosen", ((each, each) for each in HI_TYPES))
    return (
        f"<form method=post class=card>{page.hidden(do='ask')}<div class=row>{parties}</div><div class=row>{dates}</div>"
        f"<fieldset><legend>Kinds of records</legend><div class=quirks>{kinds}</div></fieldset>"
        "<div><button>Ask for a consent</button></div></form>"
    )


def _consents(network: "Network") -> str:
    asked = [each for each in network.asked.values() if each.hiu.id != screens.APP_HIU]
    waiting = [
        f"<div class=card><h3>{escape(each.hiu.name)} · {escape(each.address)}</h3>"
        f"<div>{page.tag(each.status, good=False)}</div></div>"
        for each in asked
        if not each.artefacts
    ]
    given = [network.artefacts[identity] for each in asked for identity in each.artefacts]
    cards = [*waiting, *(_consent(network, each) for each in given)]
    return "".join(reversed(cards[-_SHOWN_AT_MOST:])) or "<p class=soft>Nobody has asked yet.</p>"


def _consent(network: "Network", artefact: Artefact) -> str:
    since, until = artefact.dates
    forms = page.choice("Form of the key", "key_form", ((each, each) for each in peerkeys.FORMS))
    return (
        f"<div class=card><h3>{escape(artefact.hiu.name)} · {escape(artefact.address)}</h3>"
        f"<div>{page.tag(artefact.status, good=artefact.status == 'GRANTED')}</div>"
        f"<small>{escape(network.facilities[artefact.service_id].name)} · {page.day(since)} to {page.day(until)}</small>"
        f"<form method=post>{page.hidden(do='fetch', consent=artefact.id)}<div class=row>{forms}"
        "<label class=tick><input type=checkbox name=forced value=1><span>even after its end, as no consent manager "
        "would let it</span></label><button>Fetch records</button></div></form></div>"
    )


def _received(network: "Network") -> str:
    moved = [each for each in network.transfers.values() if each.hiu_id != screens.APP_HIU][-_SHOWN_AT_MOST:]
    return "".join(screens.transfer(network, each) for each in reversed(moved)) or "<p class=soft>Nothing yet.</p>"


async def _act(request: Request) -> Response:
    network: Network = request.app.state.sandbox
    network.served_at = network.served_at or f"{request.url.scheme}://{request.headers.get('host', 'localhost')}"
    pairs = await page.form(request)
    given = dict(pairs)
    try:
        if given.get("do") == "ask":
            return page.back(network, "/hius", _ask(network, given, tuple(v for k, v in pairs if k == "chosen")))
        return page.back(network, "/hius", await _fetch(network, given))
    except (LookupError, ValueError) as wrong:
        return page.back(network, "/hius", str(wrong), good=False)


def _ask(network: "Network", given: dict[str, str], kinds: tuple[str, ...]) -> str:
    if not kinds:
        raise ValueError("choose at least one kind of records")
    wanted = Wanted(
        given.get("purpose", ""), since=f"{given.get('since')}T00:00:00.000Z", until=f"{given.get('until')}T23:59:59.999Z",
        erase_at=f"{given.get('erase_at')}T23:59:59.999Z", hi_types=kinds,
    )  # fmt: skip
    network.ask_consent(given.get("address", ""), given.get("hiu", ""), wanted)
    return "The patient sees the request in their app."


async def _fetch(network: "Network", given: dict[str, str]) -> str:
    asked = Asked(key_form=given.get("key_form") or None, forced=given.get("forced") == "1")
    moved = await network.request_records(given.get("consent", ""), asked)
    with suppress(TimeoutError):
        await network.until(lambda: moved.state in ("refused", "TRANSFERRED", "FAILED"), _WAIT_SECONDS)
    return "The request went to the hospital."


ROUTES: Final = (Route("/hius", _seen, methods=["GET"]), Route("/hius", _act, methods=["POST"]))
