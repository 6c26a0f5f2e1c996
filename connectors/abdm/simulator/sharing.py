"""A patient scans the code at a counter: their profile goes to the hospital, a queue token comes back, within 30 seconds."""

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from starlette.responses import Response

from connectors.abdm.simulator import rules
from connectors.abdm.simulator.linking import acknowledged
from connectors.abdm.simulator.people import Patient, Share, new_id
from connectors.abdm.simulator.refusals import bad

if TYPE_CHECKING:
    from connectors.abdm.simulator.desk import Ask
    from connectors.abdm.simulator.network import Network

WAITS_SECONDS: Final = 30
QR_HOSTS: Final = ("phrsbx.abdm.gov.in", "phr.abdm.gov.in")
INTENTS: Final = ("PROFILE_SHARE", "RECORD_SHARE", "PAYMENT_SHARE")


def read_code(text: str) -> tuple[str, str]:
    """The service id and the counter in a QR code's text; raises ValueError for a code that is not ABDM's."""
    url = urlsplit(text.strip())
    asked = parse_qs(url.query)
    service_id, counter = asked.get("hip-id", [""])[0], asked.get("counter-id", [""])[0]
    if url.scheme != "https" or url.hostname not in QR_HOSTS or url.path != "/share-profile":
        raise ValueError("this is no code for sharing a profile: it must lead to ABDM's domain")
    if not service_id or not (counter.isascii() and counter.isalnum() and len(counter) <= 20):
        raise ValueError("this code names no facility, or no counter of up to 20 letters and digits")
    return service_id, counter


async def share(network: "Network", patient: Patient, service_id: str, counter: str, intent: str) -> Share:
    """Hand the profile over, and wait for the acknowledgement as long as the app does."""
    if intent not in INTENTS:
        raise ValueError(f"no intent: {intent}; there are {', '.join(INTENTS)}")
    shared = Share(new_id(), patient.address, service_id, counter, network.clock.now())
    network.shares[shared.request_id] = shared
    body = {
        "intent": intent,
        "metaData": {
            "hipId": service_id, "context": counter, "hprId": "", "latitude": "18.5204", "longitude": "73.8567",
        },
        "profile": {"patient": patient.shared()},
    }  # fmt: skip
    network.clock.after(WAITS_SECONDS, lambda: _give_up(network, shared))
    await network.tell("/api/v3/hip/patient/share", body, service_id, shared.request_id)
    return shared


async def _give_up(network: "Network", shared: Share) -> None:
    if shared.state == "waiting":
        shared.state = "timed_out"
        network.note()


async def _on_share(ask: "Ask") -> Response:
    shared = ask.network.shares.get(ask.body["response"]["requestId"])
    if shared is None:
        ask.fault("2.6", "response.requestId is the REQUEST-ID of no share")
        raise bad("ABDM-1006", "No request of this id")
    ask.answers_for(shared.service_id, "2.6")
    if shared.state == "timed_out":
        ask.fault("2.6", f"the acknowledgement comes after {WAITS_SECONDS} seconds: the patient's app has given up")
        return acknowledged()
    if error := ask.body.get("error"):
        shared.state, shared.error = "refused", error
        return acknowledged()
    told = ask.body["acknowledgement"]
    _check_meaning(ask, shared, told)
    shared.state = "acknowledged"
    shared.token, shared.expiry_seconds = told["profile"]["tokenNumber"], int(told["profile"]["expiry"])
    return acknowledged()


def _check_meaning(ask: "Ask", shared: Share, told: dict[str, dict[str, str]]) -> None:
    if str(told["abhaAddress"]).lower() != shared.address:
        ask.fault("2.6", "acknowledgement.abhaAddress is another patient's")
        raise bad("ABDM-1006", "ABHA address does not match")
    if told["profile"]["context"] != shared.counter:
        ask.fault("2.6", "profile.context must be the counter that was scanned")
    earlier = [
        each for each in ask.network.shares.values()
        if each is not shared and each.token is not None and each.expiry_seconds is not None
        and (each.service_id, each.counter) == (shared.service_id, shared.counter)
        and shared.at - each.at < each.expiry_seconds
    ]  # fmt: skip
    mine = [each.token for each in earlier if each.address == shared.address]
    if mine and mine[-1] != told["profile"]["tokenNumber"]:
        ask.fault("1.7", "a second scan while the token is valid must bring the same token")
    if any(each.token == told["profile"]["tokenNumber"] for each in earlier if each.address != shared.address):
        ask.fault("2.6", "another patient has this token at this counter")


CALLS: Final = (("POST", "/api/hiecm/patient-share/v3/on-share", rules.ON_SHARE, _on_share),)
