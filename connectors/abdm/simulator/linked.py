"""What is linked to an ABHA address: adding to it, hearing of news in it, and the patient's app that pulls at once."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from connectors.abdm.simulator.artefacts import Wanted
from connectors.abdm.simulator.clock import stamp
from connectors.abdm.simulator.people import Linked, Patient

if TYPE_CHECKING:
    from connectors.abdm.simulator.desk import Ask
    from connectors.abdm.simulator.network import Network

RACE_SECONDS: Final = 30
PULL_SECONDS: Final = 7
_DAY: Final = 86_400
_FIFTY_YEARS: Final = 50 * 366 * _DAY


def add(network: "Network", patient: Patient, service_id: str, block: Mapping[str, Any]) -> bool:
    """Link the contexts of one block; whether anything in it was new."""
    new = False
    for told in block["careContexts"]:
        known = patient.context(service_id, told["referenceNumber"])
        if known is None:
            known = Linked(
                block["referenceNumber"], told["referenceNumber"], told["display"], set(), network.clock.now()
            )
            patient.linked.setdefault(service_id, []).append(known)
        new = new or block["hiType"] not in known.hi_types
        known.hi_types.add(block["hiType"])
    return new


def notified(ask: "Ask", notification: Mapping[str, Any], service_id: str) -> str | None:
    """What is wrong with a notification about a context, in the network's words; None where nothing is."""
    network, told = ask.network, notification["careContext"]
    if told["patientReference"].lower() == notification["patient"]["id"].lower():
        ask.fault("3.2", "patientReference must be the HIP's own, and is the ABHA address")
    if notification["hip"]["id"] != service_id:
        ask.fault("3.2", "hip.id must be the service id of X-HIP-ID")
    patient = network.patients.get(notification["patient"]["id"].lower())
    known = patient and patient.context(service_id, told["careContextReference"])
    if not known or known.patient_reference != told["patientReference"]:
        return "No care context linked"
    if network.clock.now() - known.linked_at < RACE_SECONDS:
        ask.fault("3.2", f"a notification within {RACE_SECONDS} seconds of the link comes too soon")
        if network.quirks.notify_race:
            return "No care context linked"
    known.hi_types.update(notification["hiTypes"])
    return None


def pull_soon(network: "Network", patient: Patient, service_id: str) -> None:
    """The patient's app gives itself a consent and pulls, seconds after a link (3.2)."""
    if not network.quirks.eager_app:
        return

    async def pull() -> None:
        await pull_now(network, patient, service_id)

    network.clock.after(PULL_SECONDS, pull)


async def pull_now(network: "Network", patient: Patient, service_id: str) -> str:
    """The patient's app asks for everything that one facility has linked; the transaction's id."""
    now = network.clock.outside()
    # The app asks from long ago to tomorrow: a record dated today must lie inside, wherever the clock of the hospital is.
    wanted = Wanted(
        "PATRQT", since=stamp(now - _FIFTY_YEARS), until=stamp(now + _DAY), erase_at=stamp(now + 30 * _DAY),
        service_id=service_id,
    )  # fmt: skip
    request = network.ask_consent(patient.address, "ABHA-APP", wanted)
    (artefact,) = await network.grant(request.id, narrowed=(wanted.since, wanted.until))
    return (await network.request_records(artefact.id)).transaction
