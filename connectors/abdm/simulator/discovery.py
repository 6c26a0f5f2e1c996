"""The hospital's answers to a patient who looks for records: what it found, that the OTP is out, what is linked."""

from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from connectors.abdm.simulator import linked, rules
from connectors.abdm.simulator.linking import acknowledged
from connectors.abdm.simulator.people import Discovery
from connectors.abdm.simulator.refusals import bad

if TYPE_CHECKING:
    from connectors.abdm.simulator.desk import Ask


def _answered(ask: "Ask", what: str) -> Discovery:
    """The discovery that an answer belongs to, by the REQUEST-ID of what was asked."""
    named = ask.body["response"]["requestId"]
    found = next((each for each in ask.network.discoveries.values() if each.asked.get(named) == what), None)
    if found is None:
        ask.fault("3.3", f"response.requestId is the REQUEST-ID of no {what} that was asked")
        raise bad("ABDM-1006", "No request of this id")
    ask.answers_for(found.service_id, "3.3")
    if ask.body.get("transactionId", found.transaction) != found.transaction:
        ask.fault("3.3", "transactionId is another transaction's")
        raise bad("ABDM-1006", "transactionId does not match the request")
    return found


async def _on_discover(ask: "Ask") -> Response:
    found = _answered(ask, "discover")
    if error := ask.body.get("error"):
        found.state, found.error = "none", error
        return acknowledged()
    patient = ask.network.patient(found.address)
    for block in ask.body["patient"]:
        for context in block["careContexts"]:
            known = patient.context(found.service_id, context["referenceNumber"])
            if known and block["hiType"] in known.hi_types:
                ask.fault("3.3", f"{context['referenceNumber']} is linked already and is not to be found again")
    found.state, found.blocks, found.matched_by = "found", ask.body["patient"], ask.body["matchedBy"]
    return acknowledged()


async def _on_init(ask: "Ask") -> Response:
    found = _answered(ask, "init")
    if error := ask.body.get("error"):
        found.state, found.error = "refused", error
        return acknowledged()
    link = ask.body["link"]
    others = [each for each in ask.network.discoveries.values() if each is not found or found.state != "otp"]
    if any(each.link_reference == link["referenceNumber"] for each in others):  # an answer that comes twice is no other
        ask.fault("3.3", "link.referenceNumber must be new for every init")
    found.state, found.link_reference = "otp", link["referenceNumber"]
    found.hint, found.expires = link["meta"]["communicationHint"], link["meta"]["communicationExpiry"]
    return acknowledged()


async def _on_confirm(ask: "Ask") -> Response:
    found = _answered(ask, "confirm")
    if error := ask.body.get("error"):
        found.state, found.error = "otp", error  # the patient may type it again; the hospital counts
        return acknowledged()
    chosen = {
        (block["hiType"], context["referenceNumber"]) for block in found.chosen for context in block["careContexts"]
    }
    for block in ask.body["patient"]:
        for context in block["careContexts"]:
            if (block["hiType"], context["referenceNumber"]) not in chosen:
                ask.fault("3.3", f"{context['referenceNumber']} was not chosen, and is not to be linked")
    patient = ask.network.patient(found.address)
    for block in ask.body["patient"]:
        linked.add(ask.network, patient, found.service_id, block)
    found.state = "linked"
    linked.pull_soon(ask.network, patient, found.service_id)
    return acknowledged()


_PREFIX: Final = "/api/hiecm/user-initiated-linking/v3"
CALLS: Final = (
    ("POST", f"{_PREFIX}/patient/care-context/on-discover", rules.ON_DISCOVER, _on_discover),
    ("POST", f"{_PREFIX}/link/care-context/on-init", rules.ON_INIT, _on_init),
    ("POST", f"{_PREFIX}/link/care-context/on-confirm", rules.ON_CONFIRM, _on_confirm),
)
