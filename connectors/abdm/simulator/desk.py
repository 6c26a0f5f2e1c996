"""The front of every call: writes down what came, judges its form, and refuses what the network would refuse.

Judging is stricter than refusing: a wrong X-HIP-ID is a fault at once, and the network answers it with 202.
"""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response

from connectors.abdm.simulator import refusals
from connectors.abdm.simulator.clock import instant
from connectors.abdm.simulator.people import Facility, Unknown
from connectors.abdm.simulator.record import Fault, Heard
from connectors.abdm.simulator.refusals import Refused, Shape
from connectors.abdm.simulator.rules import UUID, Rule, Surface
from connectors.abdm.simulator.shapes import Misfit, misfits

if TYPE_CHECKING:
    from connectors.abdm.simulator.network import Network

CM_ID: Final = "sbx"
DRIFT_SECONDS: Final = 300
_IST_SECONDS: Final = 19_800
_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_EVERY_NINTH: Final = 9


@dataclass(slots=True)
class Ask:
    """One call, as the file of its subject sees it."""

    network: "Network"
    request: Request
    body: Any
    heard: Heard
    misfits: list[Misfit]

    def header(self, name: str) -> str:
        """A header's value, or nothing."""
        return self.request.headers.get(name, "")

    @property
    def facility(self) -> Facility | None:
        """The facility of X-HIP-ID, where it is one."""
        return self.network.facilities.get(self.header("X-HIP-ID"))

    def answers_for(self, service_id: str, section: str) -> None:
        """Note an answer under another facility's id than the one that was asked: one bridge serves many."""
        if self.header("X-HIP-ID") not in ("", service_id):
            self.fault(section, f"X-HIP-ID is {self.header('X-HIP-ID')}, and {service_id} was asked")

    def fault(self, section: str, what: str) -> None:
        """Note a breach that only the subject can see."""
        self.heard.faults.append(Fault(section, what))


Act = Callable[[Ask], Awaitable[Response]]


def served(rule: Rule, act: Act) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of one call: written down, judged, admitted, done."""

    async def endpoint(request: Request) -> Response:
        ask = await _taken_down(request)
        network, heard = ask.network, ask.heard
        try:
            _judge(ask, rule)
            _admit(ask, rule)
            response = await act(ask)
        except Refused as refused:
            response = _refused(ask, refused, rule)
        except Unknown:
            response = _refused(ask, refusals.bad("ABDM-1012", "No records found against ABHA address"), rule)
        heard.status = response.status_code
        network.note()
        return response

    return endpoint


def _refused(ask: Ask, refused: Refused, rule: Rule) -> Response:
    ask.heard.code = refused.code.strip(": ")
    return _dressed(ask.network, refused, rule).response(ask.network.stamp())


async def nowhere(request: Request, _: Exception) -> Response:
    """A path that ABDM does not have."""
    if request.url.path.startswith(("/sim", "/app", "/phone", "/hius", "/network")):
        return Response("Nothing is here.", 404)
    ask = await _taken_down(request)
    dead = "/v0.5/" in request.url.path
    ask.fault("1.1", "paths of V0.5 are dead" if dead else f"there is no {request.method} {request.url.path}")
    ask.heard.status = 404
    ask.network.note()
    return Refused(404, "404", "No matching resource found", Shape.WSO2).response(ask.network.stamp())


async def _taken_down(request: Request) -> Ask:
    network: Network = request.app.state.sandbox
    network.served_at = network.served_at or f"{request.url.scheme}://{request.headers.get('host', 'localhost')}"
    raw = await request.body()
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = raw.decode("utf-8", "replace")
    heard = Heard(
        len(network.requests), network.clock.now(), request.method, request.url.path, dict(request.headers), body
    )
    network.requests.append(heard)
    return Ask(network, request, body, heard, [])


def _judge(ask: Ask, rule: Rule) -> None:
    """Note everything that is wrong with a call's form."""
    for section, what in _header_faults(ask, rule):
        ask.fault(section, what)
    if rule.body is not None:
        ask.misfits = list(misfits(ask.body, rule.body))
        for misfit in ask.misfits:
            ask.fault(rule.section, f"{misfit.at} {misfit.what}")


def _header_faults(ask: Ask, rule: Rule) -> list[tuple[str, str]]:
    faults = []
    bearer = ask.header("Authorization")
    if rule.surface is Surface.SESSION and bearer:
        faults.append(("1.2", "the session call has no Authorization"))
    if rule.surface in (Surface.GATEWAY, Surface.ABHA, Surface.REGISTRY) and not bearer.startswith("Bearer "):
        faults.append(("1.3", "Authorization must be a Bearer token"))
    if rule.surface in (Surface.SESSION, Surface.GATEWAY, Surface.ABHA):
        if UUID(ask.header("REQUEST-ID")):
            faults.append(("1.3", "REQUEST-ID must be a UUID"))
        elif ask.header("REQUEST-ID") in ask.network.seen_ids:
            faults.append(("1.3", "REQUEST-ID must be fresh for every attempt"))
        if what := _wrong_time(ask.network, ask.header("TIMESTAMP")):
            faults.append(("1.3", what))
    if rule.surface in (Surface.SESSION, Surface.GATEWAY) and ask.header("X-CM-ID") != CM_ID:
        faults.append(("1.3", f"X-CM-ID must be {CM_ID}"))
    if rule.surface is Surface.GATEWAY and ask.header("X-HIU-ID"):
        faults.append(("1.3", "X-HIU-ID is for HIUs' calls"))
    if (rule.hip or ask.header("X-HIP-ID")) and rule.surface is Surface.GATEWAY and ask.facility is None:
        faults.append(("1.3", "X-HIP-ID must be a service id of the bridge"))
    faults += [(rule.section, f"{name} is missing") for name in rule.headers if not ask.header(name)]
    if ask.request.method in ("POST", "PATCH") and not ask.header("Content-Type").startswith("application/json"):
        faults.append(("1.3", "Content-Type must be application/json"))
    return faults


def _wrong_time(network: "Network", written: str) -> str | None:
    if not _STAMP.fullmatch(written):
        return "TIMESTAMP must be UTC with milliseconds and Z"
    drift = instant(written) - network.clock.outside()
    if abs(drift - _IST_SECONDS) < DRIFT_SECONDS:
        return "TIMESTAMP is IST, and says that it is UTC"
    return f"TIMESTAMP is {drift:.0f} seconds off" if abs(drift) > DRIFT_SECONDS else None


def _admit(ask: Ask, rule: Rule) -> None:
    """Raise what the network would answer to a call of this form; return where it takes it."""
    network = ask.network
    _fail_as_told(ask)
    if rule.surface is Surface.PUSH:
        return
    if rule.surface is Surface.GATEWAY:
        network.gateway_calls += 1
        if network.quirks.outage and network.gateway_calls % _EVERY_NINTH == 0:
            raise refusals.SUSPENDED
    if rule.surface is not Surface.SESSION and not (rule.section == "1.5" and not network.quirks.certs_behind_token):
        check_session(network, ask.header("Authorization"))
    if rule.surface is not Surface.REGISTRY:
        _admit_headers(ask, rule)
    if any(not each.mild for each in ask.misfits):
        _refuse_body(ask)


def _fail_as_told(ask: Ask) -> None:
    for index, (path, shape) in enumerate(ask.network.failing):
        if ask.heard.path.startswith(path):
            del ask.network.failing[index]
            raise refusals.an_example(shape)


def check_session(network: "Network", header: str) -> None:
    """Raise 900902 for no token, 900901 for one that is no good or too old."""
    kind, _, token = header.partition(" ")
    if kind != "Bearer" or not token:
        raise refusals.unauthenticated("900902", "Missing Credentials")
    ends = network.sessions.get(token, 0.0)
    if not ends or (network.quirks.session_expiry and ends <= network.clock.now()):
        raise refusals.unauthenticated("900901", "Invalid Credentials")


def _admit_headers(ask: Ask, rule: Rule) -> None:
    needed = ["REQUEST-ID", "TIMESTAMP", *rule.headers]
    if rule.surface in (Surface.SESSION, Surface.GATEWAY):
        needed.append("X-CM-ID")
    if rule.hip:
        needed.append("X-HIP-ID")
    if not all(ask.header(name) for name in needed):
        raise refusals.HEADERLESS
    if rule.surface in (Surface.SESSION, Surface.GATEWAY) and ask.header("X-CM-ID") != CM_ID:
        raise refusals.bad("ABDM-1032", "Invalid X-CM-ID")
    network, identity = ask.network, ask.header("REQUEST-ID")
    wrong = _wrong_time(network, ask.header("TIMESTAMP"))
    if wrong and network.quirks.strict_clock:
        ist = "IST" in wrong or "+05:30" in ask.header("TIMESTAMP")
        raise Refused(404, "", "", Shape.EMPTY) if ist else refusals.bad("ABDM-1016", "Invalid timestamp")
    repeated = identity in network.seen_ids
    network.seen_ids.add(identity)
    if UUID(identity):
        raise refusals.bad("ABDM-1032", "Invalid REQUEST-ID")
    if repeated and network.quirks.request_id_once:
        raise refusals.bad("ABDM-1064", "Duplicate REQUEST-ID")


def _refuse_body(ask: Ask) -> None:
    """What is answered to a body that does not fit: the network's own words where it has some."""
    first = next(each for each in ask.misfits if not each.mild)
    if ask.network.quirks.empty_400 and isinstance(ask.body, str):
        raise refusals.SILENT_400
    if ask.network.quirks.empty_400 and (first.at.endswith((".hiType", ".abhaNumber"))):
        if ask.heard.path.endswith("/link/carecontext"):
            ask.network.tokens.refused_link(ask)
        raise refusals.SILENT_400
    if first.at == "body.patient" and isinstance(ask.body, dict) and ask.body.get("patient") == []:
        raise refusals.bad("ABDM-9999", "patient attribute required in the payload")
    if "count is" in first.what:
        raise refusals.bad("ABDM-1037", "Count does not match the number of care contexts")
    raise refusals.bad("ABDM-1006", f"Invalid request: {first.at} {first.what}")


def _dressed(network: "Network", refused: Refused, rule: Rule) -> Refused:
    """The refusal in one of its shapes, where the network keeps to none."""
    if not network.quirks.error_shapes or refused.shape is not Shape.NESTED or rule.surface is not Surface.GATEWAY:
        return refused
    shape = (Shape.NESTED, Shape.FLAT, Shape.ARRAY)[len(network.requests) % 3]
    code = f"{refused.code}: " if len(network.requests) % 2 else refused.code
    return Refused(refused.status, code, refused.message, shape)
