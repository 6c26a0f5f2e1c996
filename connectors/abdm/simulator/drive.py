"""The verbs of the network by HTTP, under `/sim/...`: for a program in another process, such as a run of test cases.

Each takes and answers JSON. What a verb does not take is 400 with the reason, what it does not find 404.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.abdm.simulator.abha import Citizen
from connectors.abdm.simulator.artefacts import Artefact, ConsentRequest, Wanted
from connectors.abdm.simulator.linked import pull_now
from connectors.abdm.simulator.people import Patient
from connectors.abdm.simulator.quirks import ABOUT, Quirks
from connectors.abdm.simulator.refusals import Shape
from connectors.abdm.simulator.sharing import read_code
from connectors.abdm.simulator.transfers import Asked

if TYPE_CHECKING:
    from connectors.abdm.simulator.network import Network

_MOST_WAIT_SECONDS: Final = 30
Verb = Callable[["Network", Request, dict[str, Any]], Awaitable[Any]]


def _driven(verb: Verb) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        network: Network = request.app.state.sandbox
        network.served_at = network.served_at or f"{request.url.scheme}://{request.headers.get('host', 'localhost')}"
        try:
            raw = await request.body()
            given = await request.json() if raw else {}
            if not isinstance(given, dict):
                raise ValueError("the body must be an object")
            return JSONResponse(await verb(network, request, given))
        except LookupError as missing:
            return JSONResponse({"error": f"not found: {missing}"}, 404)
        except (ValueError, TypeError) as wrong:
            return JSONResponse({"error": str(wrong)}, 400)

    return endpoint


async def _add_patient(network: "Network", _: Request, given: dict[str, Any]) -> Any:
    return _patient(network.add_patient(given.pop("name"), **given))


async def _add_citizen(network: "Network", _: Request, given: dict[str, Any]) -> Any:
    citizen = Citizen(**given)
    network.abha.citizens[citizen.aadhaar] = citizen
    return asdict(citizen)


async def _add_facility(network: "Network", _: Request, given: dict[str, Any]) -> Any:
    return asdict(network.add_facility(given["name"], hfr_id=given["hfr_id"]))


async def _add_hiu(network: "Network", _: Request, given: dict[str, Any]) -> Any:
    return asdict(network.add_hiu(given["id"], given["name"]))


async def _discover(network: "Network", _: Request, given: dict[str, Any]) -> Any:
    return asdict(await network.discover(given["address"], given["service_id"], given.get("unverified", ())))


async def _init(network: "Network", request: Request, given: dict[str, Any]) -> Any:
    return asdict(await network.init_link(request.path_params["transaction"], given.get("references")))


async def _confirm(network: "Network", request: Request, given: dict[str, Any]) -> Any:
    return asdict(await network.confirm_link(request.path_params["transaction"], given["otp"]))


async def _discovery(network: "Network", request: Request, _: dict[str, Any]) -> Any:
    return asdict(network.discoveries[request.path_params["transaction"]])


async def _ask_consent(network: "Network", _: Request, given: dict[str, Any]) -> Any:
    address, hiu_id = given.pop("address"), given.pop("hiu")
    lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return _request(network.ask_consent(address, hiu_id, Wanted(**{**given, **lists})))


async def _answer_consent(network: "Network", request: Request, given: dict[str, Any]) -> Any:
    identity, verb = request.path_params["id"], request.path_params["verb"]
    if verb == "grant":
        narrowed = given.get("narrowed")
        return [
            _artefact(each) for each in await network.grant(identity, narrowed=tuple(narrowed) if narrowed else None)
        ]
    if verb == "deny":
        return _request(network.deny(identity))
    ends = {"revoke": network.revoke, "expire": network.expire}
    told = await ends[verb](identity)
    return told.shown()


async def _consent(network: "Network", request: Request, _: dict[str, Any]) -> Any:
    return _artefact(network.artefacts[request.path_params["id"]])


async def _request_records(network: "Network", _: Request, given: dict[str, Any]) -> Any:
    consent_id = given.pop("consent")
    return (await network.request_records(consent_id, Asked(**given))).shown()


async def _pull(network: "Network", _: Request, given: dict[str, Any]) -> Any:
    return {"transaction": await pull_now(network, network.patient(given["address"]), given["service_id"])}


async def _received(network: "Network", request: Request, _: dict[str, Any]) -> Any:
    return network.received(request.path_params["transaction"]).shown()


async def _share(network: "Network", _: Request, given: dict[str, Any]) -> Any:
    if "code" in given:
        given["service_id"], given["counter"] = read_code(given.pop("code"))
    return asdict(await network.share_profile(**given))


async def _shared(network: "Network", request: Request, _: dict[str, Any]) -> Any:
    return asdict(network.shares[request.path_params["id"]])


async def _heard(network: "Network", request: Request, _: dict[str, Any]) -> Any:
    """What hospitals asked since a number; with `wait`, for so many seconds until there is something."""
    since, path = int(request.query_params.get("since", 0)), request.query_params.get("path")
    wait = min(float(request.query_params.get("wait", 0)), _MOST_WAIT_SECONDS)

    def new() -> list[Any]:
        return [each for each in network.heard(path) if each.number >= since and each.status]

    if wait and not new():
        try:
            await network.until(new, wait)
        except TimeoutError:
            return []
    return [each.shown() for each in new()]


async def _told(network: "Network", request: Request, _: dict[str, Any]) -> Any:
    since = int(request.query_params.get("since", 0))
    return [each.shown() for each in network.told if each.number >= since]


async def _quirks(network: "Network", request: Request, given: dict[str, Any]) -> Any:
    if request.method == "POST":
        if given == {"everything": True}:
            given = Quirks.everything().shown()
        network.switch(given)
    return {
        name: {"on": on, "section": ABOUT[name][0], "what": ABOUT[name][1]}
        for name, on in network.quirks.shown().items()
    }  # fmt: skip


async def _advance(network: "Network", _: Request, given: dict[str, Any]) -> Any:
    await network.clock.advance(float(given["seconds"]))
    return {"now": network.clock.now()}


async def _fail(network: "Network", _: Request, given: dict[str, Any]) -> Any:
    network.fail_next(Shape(given["shape"]), times=int(given.get("times", 1)), path=given.get("path", "/"))
    return {"failing": len(network.failing)}


async def _steal(network: "Network", _: Request, __: dict[str, Any]) -> Any:
    network.steal_bridge()
    return {"url": network.bridge.url}


async def _latency(network: "Network", _: Request, given: dict[str, Any]) -> Any:
    network.latency_seconds = float(given["seconds"])
    return given


async def _phone(network: "Network", request: Request, _: dict[str, Any]) -> Any:
    return [asdict(each) for each in network.phones.get(request.path_params["mobile"][-10:], ())]


async def _state(network: "Network", _: Request, __: dict[str, Any]) -> Any:
    """Who is in the network, and how far everything is."""
    await asyncio.sleep(0)
    return {
        "now": network.clock.now(), "bridge": {"url": network.bridge.url, "stolen": network.bridge.stolen},
        "patients": [_patient(each) for each in network.patients.values()],
        "facilities": [asdict(each) for each in network.facilities.values()],
        "hius": [asdict(each) for each in network.hius.values()],
        "consent_requests": [_request(each) for each in network.asked.values()],
        "consents": [_artefact(each) for each in network.artefacts.values()],
        "transfers": [each.shown() for each in network.transfers.values()],
        "faults": sum(len(each.faults) for each in network.requests),
    }  # fmt: skip


def _patient(patient: Patient) -> dict[str, Any]:
    linked = {
        service_id: [{**asdict(each), "hi_types": sorted(each.hi_types)} for each in contexts]
        for service_id, contexts in patient.linked.items()
    }
    told = {
        "abha_number": patient.abha_number,
        "address": patient.address,
        "name": patient.name,
        "mobile": patient.mobile,
    }
    return {**told, "gender": patient.gender, "year_of_birth": patient.year_of_birth, "linked": linked}


def _request(request: ConsentRequest) -> dict[str, Any]:
    return asdict(request)


def _artefact(artefact: Artefact) -> dict[str, Any]:
    return {**asdict(artefact), "acknowledged": sorted(artefact.acknowledged)}


_VERBS: Final[tuple[tuple[str, str, Verb], ...]] = (
    ("POST", "/patients", _add_patient),
    ("POST", "/citizens", _add_citizen),
    ("POST", "/facilities", _add_facility),
    ("POST", "/hius", _add_hiu),
    ("POST", "/discoveries", _discover),
    ("GET", "/discoveries/{transaction}", _discovery),
    ("POST", "/discoveries/{transaction}/init", _init),
    ("POST", "/discoveries/{transaction}/confirm", _confirm),
    ("POST", "/consents", _ask_consent),
    ("GET", "/consents/{id}", _consent),
    ("POST", "/consents/{id}/{verb}", _answer_consent),
    ("POST", "/requests", _request_records),
    ("POST", "/pulls", _pull),
    ("GET", "/received/{transaction}", _received),
    ("POST", "/shares", _share),
    ("GET", "/shares/{id}", _shared),
    ("GET", "/heard", _heard),
    ("GET", "/told", _told),
    ("GET", "/quirks", _quirks),
    ("POST", "/quirks", _quirks),
    ("POST", "/clock/advance", _advance),
    ("POST", "/latency", _latency),
    ("POST", "/fail", _fail),
    ("POST", "/bridge/steal", _steal),
    ("GET", "/phones/{mobile}", _phone),
    ("GET", "/state", _state),
)
ROUTES: Final = tuple(Route(f"/sim{path}", _driven(verb), methods=[method]) for method, path, verb in _VERBS)
