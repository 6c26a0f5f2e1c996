"""The consent manager: an HIU asks, the patient says yes or no or takes it back, and each hospital hears of its own part."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from connectors.abdm.simulator import rules
from connectors.abdm.simulator.clock import instant, stamp
from connectors.abdm.simulator.people import Hiu, Patient, all_types, new_id
from connectors.abdm.simulator.record import Told
from connectors.abdm.simulator.refusals import bad

if TYPE_CHECKING:
    from connectors.abdm.simulator.desk import Ask
    from connectors.abdm.simulator.network import Network

NOTIFY: Final = "/api/v3/consent/request/hip/notify"
_PURPOSES: Final = {
    "CAREMGT": "Care Management", "BTG": "Break the Glass", "PUBHLTH": "Public Health",
    "HPAYMT": "Healthcare Payment", "DSRCH": "Disease Specific Healthcare Research", "PATRQT": "Self Requested",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a consent is to be for; instants as ABDM writes them."""

    purpose: str
    since: str
    until: str
    erase_at: str
    hi_types: tuple[str, ...] = rules.HI_TYPES
    service_id: str | None = None
    """One facility's records, or everybody's."""
    references: tuple[str, ...] | None = None
    """These care contexts, or all that are linked."""
    frequency: tuple[str, int, int] = ("HOUR", 1, 0)
    """Unit, value, repeats."""

    def __post_init__(self) -> None:
        """Refuse what no app lets anybody choose; raises ValueError."""
        all_types(self.hi_types)
        if self.purpose not in _PURPOSES:
            raise ValueError(f"no purpose: {self.purpose}; there are {', '.join(_PURPOSES)}")
        for each in (self.since, self.until, self.erase_at):
            instant(each)


@dataclass(slots=True)
class ConsentRequest:
    """What an HIU asked, and what the patient said."""

    id: str
    address: str
    hiu: Hiu
    wanted: Wanted
    status: str = "REQUESTED"
    artefacts: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Artefact:
    """One hospital's part of a consent."""

    id: str
    request_id: str
    address: str
    service_id: str
    hiu: Hiu
    detail: dict[str, Any]
    signature: str
    status: str = "GRANTED"
    told: dict[str, str] = field(default_factory=dict)
    """REQUEST-ID -> the status that the hospital was told."""
    acknowledged: set[str] = field(default_factory=set)
    """Statuses that it acknowledged through the gateway."""
    end_is_known: bool = False
    """Whether the hospital took the news of its end: nothing may come after that."""

    @property
    def references(self) -> set[str]:
        """The care contexts in it."""
        return {each["careContextReference"] for each in self.detail["careContexts"]}

    @property
    def dates(self) -> tuple[str, str]:
        """What was granted, which may be less than what was asked."""
        dates = self.detail["permission"]["dateRange"]
        return dates["from"], dates["to"]


def ask(network: "Network", patient: Patient, hiu: Hiu, wanted: Wanted) -> ConsentRequest:
    """An HIU's request comes into the patient's app."""
    request = ConsentRequest(new_id(), patient.address, hiu, wanted)
    network.asked[request.id] = request
    network.note()
    return request


def deny(request: ConsentRequest) -> ConsentRequest:
    """The patient says no."""
    _still_open(request)
    request.status = "DENIED"
    return request


async def grant(network: "Network", request: ConsentRequest, narrowed: tuple[str, str] | None) -> list[Artefact]:
    """The patient says yes: one artefact for each facility that has something linked, and each is told of its own."""
    _still_open(request)
    patient, wanted = network.patient(request.address), request.wanted
    dates = narrowed or _dates(network, wanted)
    parts = [
        _artefact(network, request, service_id, dates)
        for service_id in patient.linked
        if wanted.service_id in (None, service_id)
    ]
    made = [each for each in parts if each.detail["careContexts"]]
    if not made:
        raise ValueError("nothing of this is linked: link a care context first")
    request.status = "GRANTED"
    for artefact in made:
        network.artefacts[artefact.id] = artefact
        request.artefacts.append(artefact.id)
        _expire_in_time(network, artefact)
    for artefact in made:
        await _notify(network, artefact)
    return made


async def end(network: "Network", artefact: Artefact, status: str) -> Told:
    """A consent ends: the patient took it back, or its time is over."""
    if artefact.status != "GRANTED":
        raise ValueError(f"this consent is {artefact.status}")
    artefact.status = status
    told = await _notify(network, artefact)
    artefact.end_is_known = told.taken and not network.bridge.stolen
    return told


async def _notify(network: "Network", artefact: Artefact) -> Told:
    granted = artefact.status == "GRANTED"
    body: dict[str, Any] = {"status": artefact.status, "consentId": artefact.id}
    if granted or not network.quirks.bare_revocation:
        detail = dict(artefact.detail)
        if network.quirks.consent_without_hiu:
            del detail["hiu"]
        body |= {"consentDetail": detail, "signature": artefact.signature}
    body["grantAcknowledgement"] = granted
    identity = new_id()
    artefact.told[identity] = artefact.status
    return await network.tell(NOTIFY, {"notification": body}, artefact.service_id, identity)


def _still_open(request: ConsentRequest) -> None:
    if request.status != "REQUESTED":
        raise ValueError(f"this request is {request.status}")


def _dates(network: "Network", wanted: Wanted) -> tuple[str, str]:
    if not network.quirks.narrowed_dates:
        return wanted.since, wanted.until
    return stamp((instant(wanted.since) + instant(wanted.until)) / 2), wanted.until


def _artefact(network: "Network", request: ConsentRequest, service_id: str, dates: tuple[str, str]) -> Artefact:
    patient, wanted = network.patient(request.address), request.wanted
    contexts = [
        {"patientReference": each.patient_reference, "careContextReference": each.reference}
        for each in patient.linked[service_id]
        if each.hi_types & set(wanted.hi_types) and (wanted.references is None or each.reference in wanted.references)
    ]
    unit, value, repeats = wanted.frequency
    identity = new_id()
    detail = {
        "schemaVersion": "v3", "consentId": identity, "createdAt": network.stamp(),
        "patient": {"id": request.address}, "careContexts": contexts,
        "purpose": {"text": _PURPOSES[wanted.purpose], "code": wanted.purpose, "refUri": "www.abdm.gov.in"},
        "hip": {"id": service_id, "name": network.facilities[service_id].name, "type": "HIP"},
        "hiu": {"id": request.hiu.id, "name": request.hiu.name, "type": "HIU"},
        "consentManager": {"id": "sbx"},
        "requester": {
            "name": request.hiu.name,
            "identifier": {"type": "REGNO", "value": request.hiu.id, "system": "https://www.mciindia.org"},
        },
        "hiTypes": list(wanted.hi_types),
        "permission": {
            "accessMode": "VIEW", "dateRange": {"from": dates[0], "to": dates[1]}, "dataEraseAt": wanted.erase_at,
            "frequency": {"unit": unit, "value": value, "repeats": repeats},
        },
    }  # fmt: skip
    signature = network.keys.sign(json.dumps(detail, sort_keys=True).encode())
    return Artefact(identity, request.id, request.address, service_id, request.hiu, detail, signature)


def _expire_in_time(network: "Network", artefact: Artefact) -> None:
    async def expire() -> None:
        if artefact.status == "GRANTED":
            await end(network, artefact, "EXPIRED")

    left = instant(artefact.detail["permission"]["dataEraseAt"]) - network.clock.outside()
    if left > 0:
        network.clock.after(left, expire)


async def _on_notify(request: "Ask") -> Response:
    """The hospital's acknowledgement: of a consent that it was told of, under the id of that very message."""
    named = request.body["response"]["requestId"]
    artefact = next((each for each in request.network.artefacts.values() if named in each.told), None)
    if artefact is None:
        request.fault("4.1", "response.requestId is the REQUEST-ID of no consent that was told")
        raise bad("ABDM-1006", "No request of this id")
    request.answers_for(artefact.service_id, "4.1")
    if not request.body.get("error") and request.body["acknowledgement"]["consentId"] != artefact.id:
        request.fault("4.1", "acknowledgement.consentId is another consent's")
        raise bad("ABDM-1006", "consentId does not match the request")
    artefact.acknowledged.add(artefact.told[named])
    return Response(status_code=202)


CALLS: Final = (("POST", "/api/hiecm/consent/v3/request/hip/on-notify", rules.CONSENT_ON_NOTIFY, _on_notify),)
