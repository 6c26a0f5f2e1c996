"""The patients' app: their records, finding more, saying yes and no, scanning a code. One screen for each."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.abdm.simulator import page, screens
from connectors.abdm.simulator.linked import pull_now
from connectors.abdm.simulator.people import Discovery, Patient
from connectors.abdm.simulator.sharing import read_code

if TYPE_CHECKING:
    from connectors.abdm.simulator.network import Network

_WAIT_SECONDS: Final = 3.0
_TABS: Final = (("records", "Records"), ("find", "Find"), ("requests", "Requests"), ("scan", "Scan"))
_SCREENS: Final[dict[str, Callable[["Network", Patient], str]]] = {
    "records": screens.records, "find": screens.find, "requests": screens.requests, "scan": screens.scan,
}  # fmt: skip
Given = dict[str, str]
Do = Callable[["Network", Patient, Given, list[str]], Awaitable[str]]


async def _home(request: Request) -> Response:
    network: Network = request.app.state.sandbox
    first = next(iter(network.patients), None)
    if first is not None:
        return page.back(network, f"/app/{first}/records")
    return page.shown("/app", "Patients' app", "<section><h1>Nobody is here yet</h1></section>")


async def _screen(request: Request) -> Response:
    network: Network = request.app.state.sandbox
    patient, tab = network.patients.get(request.path_params["address"]), request.path_params["tab"]
    if patient is None or tab not in _SCREENS:
        return page.back(network, "/app")
    path = f"/app/{patient.address}/{tab}"
    tabs = "".join(page.link(f"/app/{patient.address}/{name}", label, name == tab) for name, label in _TABS)
    device = (
        f'<section class=phone aria-label="The app of {escape(patient.name)}"><div class=screen><div class=bar>'
        f"<b>{escape(patient.name)}</b><small>{escape(patient.address)}<br>ABHA number {patient.dashed}</small></div>"
        f'<div class=body tabindex=0 role=region aria-label="{dict(_TABS)[tab]}">{page.notice(network, path)}'
        f"{_SCREENS[tab](network, patient)}</div><nav class=tabs aria-label=Screens>{tabs}</nav></div></section>"
    )
    return page.shown(path, patient.name, _about(network, patient, tab) + device, two=True)


def _about(network: "Network", current: Patient, tab: str) -> str:
    people = "".join(
        f"<li>{page.link(f'/app/{each.address}/{tab}', _named(each), each is current, 'card')}</li>"
        for each in network.patients.values()
    )
    return (
        "<section><h1>What a patient does</h1>"
        "<p class=soft>This simulator plays ABDM and the people in it. Nothing leaves this machine, and nobody here is real. "
        '<a href="">Look again</a> for what came meanwhile.</p>'
        "<ol class=soft><li><b>Find</b> asks the hospital for this patient's care contexts; the OTP is the hospital's own.</li>"
        "<li><b>Requests</b> shows who asks for records: allow, for fewer dates too, decline, or take it back later.</li>"
        "<li><b>Scan</b> hands the profile over at a counter and shows the queue token.</li>"
        "<li><b>Records</b> shows what is linked, and fetches it as the patient's own app does.</li></ol>"
        f"<h2>Patients</h2><ul class=list>{people}</ul></section>"
    )


def _named(patient: Patient) -> str:
    return f"<b>{escape(patient.name)}</b><small>{escape(patient.address)}</small>"


async def _act(request: Request) -> Response:
    """Do what a button says, wait a little for the hospital's answer, and return to the screen."""
    network: Network = request.app.state.sandbox
    network.served_at = network.served_at or f"{request.url.scheme}://{request.headers.get('host', 'localhost')}"
    patient, tab = network.patients.get(request.path_params["address"]), request.path_params["tab"]
    pairs = await page.form(request)
    given = dict(pairs)
    do = _DOES.get((tab, given.get("do", "")))
    if patient is None or do is None:
        return page.back(network, "/app")
    path = f"/app/{patient.address}/{tab}"
    try:
        return page.back(network, path, await do(network, patient, given, [v for k, v in pairs if k == "chosen"]))
    except (LookupError, ValueError) as wrong:
        return page.back(network, path, str(wrong), good=False)


async def _settled(network: "Network", found: Discovery, *waiting: str) -> None:
    with suppress(TimeoutError):
        await network.until(lambda: found.state not in waiting, _WAIT_SECONDS)


async def _look(network: "Network", patient: Patient, given: Given, _: list[str]) -> str:
    number = given.get("number", "").strip()
    unverified = [{"type": "MR", "value": number}] if number else []
    found = await network.discover(patient.address, given.get("service_id", ""), unverified)
    await _settled(network, found, "asked")
    return "" if found.state != "asked" else "The hospital has not answered yet. Look again in a moment."


async def _choose(network: "Network", _: Patient, given: Given, chosen: list[str]) -> str:
    found = await network.init_link(given.get("transaction", ""), chosen)
    await _settled(network, found, "init")
    return "" if found.state != "init" else "The hospital has not answered yet. Look again in a moment."


async def _type(network: "Network", _: Patient, given: Given, __: list[str]) -> str:
    found = await network.confirm_link(given.get("transaction", ""), given.get("otp", "").strip())
    await _settled(network, found, "confirming")
    return "Your records are linked." if found.state == "linked" else ""


async def _allow(network: "Network", _: Patient, given: Given, __: list[str]) -> str:
    since, until = f"{given.get('since', '')}T00:00:00.000Z", f"{given.get('until', '')}T23:59:59.999Z"
    await network.grant(given.get("request", ""), narrowed=(since, until))
    return "You allowed it. The hospital was told."


async def _decline(network: "Network", _: Patient, given: Given, __: list[str]) -> str:
    network.deny(given.get("request", ""))
    return "You declined. Nobody was told but the one who asked."


async def _revoke(network: "Network", _: Patient, given: Given, __: list[str]) -> str:
    told = await network.revoke(given.get("consent", ""))
    return (
        "You took it back. The hospital was told." if told.taken else "You took it back. The hospital did not hear it."
    )


async def _scan(network: "Network", patient: Patient, given: Given, _: list[str]) -> str:
    share = await network.share_profile(patient.address, *read_code(given.get("code", "")))
    with suppress(TimeoutError):
        await network.until(lambda: share.state != "waiting", _WAIT_SECONDS)
    return ""


async def _pull(network: "Network", patient: Patient, given: Given, _: list[str]) -> str:
    transaction = await pull_now(network, patient, given.get("service_id", ""))
    with suppress(TimeoutError):
        await network.until(
            lambda: network.transfers[transaction].state in ("refused", "TRANSFERRED", "FAILED"), _WAIT_SECONDS
        )
    return "You asked for your records."


_DOES: Final[dict[tuple[str, str], Do]] = {
    ("find", "look"): _look, ("find", "choose"): _choose, ("find", "type"): _type, ("requests", "allow"): _allow,
    ("requests", "decline"): _decline, ("requests", "revoke"): _revoke, ("scan", "scan"): _scan,
    ("records", "pull"): _pull,
}  # fmt: skip


async def _phones(request: Request) -> Response:
    network: Network = request.app.state.sandbox
    sections = "".join(_phone(mobile, network) for mobile in network.phones)
    empty = "<p class=soft>No message has come yet. OTPs of the ABHA service and ABDM's own texts come here.</p>"
    note = (
        "<p class=soft>Only what ABDM itself sends. The OTP with which a patient links records is the hospital's own, "
        "and comes by the hospital's messages.</p>"
    )
    return page.shown("/phone", "Phones", f"<section><h1>Phones</h1>{note}{sections or empty}</section>")


def _phone(mobile: str, network: "Network") -> str:
    items = "".join(
        f"<li class=card><span>{escape(each.text)}</span><small>{escape(each.sender)} · {page.clock(each.at)}</small></li>"
        for each in reversed(network.phones[mobile])
    )
    owner = next((each.name for each in network.patients.values() if each.mobile == mobile), "nobody yet")
    return f"<h2>{escape(mobile)} · {escape(owner)}</h2><ul class=list>{items}</ul>"


ROUTES: Final = (
    Route("/app", _home, methods=["GET"]),
    Route("/app/{address}/{tab}", _screen, methods=["GET"]),
    Route("/app/{address}/{tab}", _act, methods=["POST"]),
    Route("/phone", _phones, methods=["GET"]),
)
