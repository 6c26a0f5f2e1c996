"""Care contexts come into the patient's app: at the hospital's wish (token, link, notify), or at the patient's (OTP)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from connectors.abdm.simulator import linked, refusals, rules
from connectors.abdm.simulator.desk import Ask
from connectors.abdm.simulator.people import Discovery, Patient, new_id
from connectors.abdm.simulator.record import Told
from connectors.abdm.simulator.refusals import bad

if TYPE_CHECKING:
    from connectors.abdm.simulator.network import Network

WINDOW_SECONDS: Final = 372
BLOCK_SECONDS: Final = 86_400
LINK_TOKEN_SECONDS: Final = 15_768_000
_DUPLICATES_TO_BLOCK: Final = 5
_REFUSED_LINKS_TO_BLOCK: Final = 20
_ACCEPTED: Final = 202


@dataclass(slots=True)
class _Account:
    """What the gateway remembers of one address at one HIP."""

    accepted_at: float = float("-inf")
    duplicates: int = 0
    refused: int = 0
    blocked_until: float = float("-inf")


@dataclass(slots=True)
class TokenBook:
    """Who asked for link tokens when: the window of 1092 and the block of 1027 (1.6)."""

    accounts: dict[tuple[str, str], _Account] = field(default_factory=dict)

    def of(self, address: str, service_id: str) -> _Account:
        """One address at one HIP: the block follows these two, never the client."""
        return self.accounts.setdefault((address.lower(), service_id), _Account())

    def refused_link(self, ask: Ask) -> None:
        """Count a link that was refused without a word."""
        address = ask.body.get("abhaAddress") if isinstance(ask.body, dict) else None
        if isinstance(address, str) and ask.network.quirks.block:
            account = self.of(address, ask.header("X-HIP-ID"))
            account.refused += 1
            if account.refused >= _REFUSED_LINKS_TO_BLOCK:
                self.block(account, ask.network.clock.now())

    def block(self, account: _Account, now: float) -> None:
        """No token for a day."""
        account.blocked_until, account.duplicates, account.refused = now + BLOCK_SECONDS, 0, 0


async def _generate_token(ask: Ask) -> Response:
    """Step 1: take the request, or say that there was one just now; the token comes by callback."""
    network, body = ask.network, ask.body
    _known_facility(ask)
    service_id = ask.header("X-HIP-ID")
    account = network.tokens.of(body["abhaAddress"], service_id)
    now = network.clock.now()
    if account.blocked_until > now:
        ask.fault("1.6", "a link token while this address is blocked at this HIP: stop for a day")
        _answer_token(
            ask, {"error": {"code": "ABDM-1027: ", "message": "You are blocked. Please try again after 24 hours."}}
        )
        return Response(status_code=_ACCEPTED)
    if now - account.accepted_at < WINDOW_SECONDS:
        ask.fault("1.6", f"a second link token within {WINDOW_SECONDS} seconds for one address at one HIP")
        if network.quirks.duplicate_window:
            account.duplicates += 1
            if network.quirks.block and account.duplicates >= _DUPLICATES_TO_BLOCK:
                network.tokens.block(account, now)
            raise bad("ABDM-1092", "Duplicate Link token request")
    account.accepted_at = now
    _answer_token(ask, _token_or_error(network, body, service_id))
    return Response(status_code=_ACCEPTED)


def _token_or_error(network: "Network", body: Mapping[str, Any], service_id: str) -> dict[str, Any]:
    """The token for values that are as ABHA has them: this is how the patient is authenticated."""
    patient = network.patients.get(body["abhaAddress"].lower())
    if patient is None:
        return {"error": {"code": "ABDM-1012", "message": "No records found against ABHA address"}}
    number = body.get("abhaNumber")
    if number is not None and f"{number:014}" != patient.abha_number:
        return {"error": {"code": "ABDM-1062", "message": "ABHA number does not match ABHA address"}}
    known = (patient.name.casefold(), patient.gender, patient.year_of_birth)
    if (body["name"].strip().casefold(), body["gender"], body["yearOfBirth"]) != known:
        return {"error": {"code": "ABDM-1043", "message": "ABHA address does not match with the KYC details"}}
    made = int(network.clock.outside())
    token = network.keys.link_token(
        {
            "hipId": service_id, "abhaNumber": None if number is None else int(number), "abhaAddress": patient.address,
            "sub": patient.address, "transactionId": new_id(), "iat": made, "exp": made + LINK_TOKEN_SECONDS,
        }
    )  # fmt: skip
    return {"linkToken": token}


def _answer_token(ask: Ask, result: Mapping[str, Any]) -> None:
    if ask.facility is None:
        return  # accepted, and silent for ever
    body = {
        "abhaAddress": ask.body["abhaAddress"], **result, "response": {"requestId": ask.header("REQUEST-ID")},
    }  # fmt: skip
    ask.network.tell_later("/api/v3/hip/token/on-generate-token", body, ask.header("X-HIP-ID"))


async def _link(ask: Ask) -> Response:
    """Step 2: check the token against what it is used for, then link; the callback says what came of it."""
    network, body = ask.network, ask.body
    _check_token(ask)
    _known_facility(ask)
    patient, service_id = network.patient(body["abhaAddress"]), ask.header("X-HIP-ID")
    new = [linked.add(network, patient, service_id, block) for block in body["patient"]]
    told = {"abhaAddress": body["abhaAddress"], "response": {"requestId": ask.header("REQUEST-ID")}}
    if any(new):
        told["status"] = "Successfully Linked care context" if network.quirks.prose_success else "SUCCESS"
        linked.pull_soon(network, patient, service_id)
    else:
        told["error"] = {"code": "ABDM-1056", "message": "Care context is already linked"}
    network.tell_later("/api/v3/link/on_carecontext", told, service_id)
    return Response(status_code=_ACCEPTED)


def _check_token(ask: Ask) -> None:
    network, body = ask.network, ask.body
    try:
        claims = network.keys.read_link_token(ask.header("X-LINK-TOKEN"))
    except ValueError:
        ask.fault("3.2", "X-LINK-TOKEN must be a bare link token of the gateway's")
        raise bad("ABDM-1026", "Invalid link token") from None
    if claims["exp"] <= network.clock.outside():
        raise bad("ABDM-1026", "Link token has expired")
    if claims["abhaAddress"] != body["abhaAddress"].lower():
        ask.fault("3.2", "the link token is another patient's")
        raise bad("ABDM-1038", "ABHA address does not match the link token")
    number = body.get("abhaNumber")
    if claims["abhaNumber"] is not None and (number is None or int(number) != claims["abhaNumber"]):
        ask.fault("3.2", "a token made with number and address needs both in the link")
        raise bad("ABDM-1062", "ABHA number does not match the link token")
    if claims["hipId"] != ask.header("X-HIP-ID"):
        ask.fault("3.2", "the link token was made for another HIP")
        raise bad("ABDM-1063", "HIP does not match the link token")


async def _notify(ask: Ask) -> Response:
    """Step 3: a linked context has something new. Too soon after the link, the network does not know it yet."""
    _known_facility(ask)
    network, notification = ask.network, ask.body["notification"]
    service_id = ask.header("X-HIP-ID")
    error = linked.notified(ask, notification, service_id)
    body: dict[str, Any] = {
        "acknowledgement": {"status": "ERRORED" if error else "SUCCESS"},
        "response": {"requestId": ask.header("REQUEST-ID")},
    }
    if error:
        body["error"] = {"code": "ABDM-1006", "message": error}
    else:
        linked.pull_soon(network, network.patient(notification["patient"]["id"]), service_id)
    network.tell_later("/api/v3/links/context/on-notify", body, service_id)
    return Response(status_code=_ACCEPTED)


async def _sms(ask: Ask) -> Response:
    """Step 4: a text to somebody of whom only a number is known."""
    network, notification = ask.network, ask.body["notification"]
    hip = network.facilities.get(notification["hip"]["id"])
    if ask.body.get("requestId") not in (None, ask.header("REQUEST-ID")):
        ask.fault("3.2", "requestId in the body must be the header's")
    if hip is None:
        ask.fault("3.2", "notification.hip.id must be a service id of the bridge")
        raise bad("ABDM-1035", "Invalid HIP id")
    network.text(
        notification["phoneNo"], "ABDM", f"{hip.name} has health records of yours. Link them in your ABHA app."
    )  # fmt: skip
    answers = {"requestId": ask.header("REQUEST-ID")}
    told = {"acknowledgement": {"status": "SUCCESS"}, "error": None}
    told["resp" if network.quirks.sms_resp else "response"] = answers
    network.tell_later("/api/v3/patients/sms/on-notify", told, hip.service_id)
    return Response(status_code=_ACCEPTED)


def _known_facility(ask: Ask) -> None:
    if ask.facility is None and not ask.network.quirks.silent_wrong_hip:
        raise bad("ABDM-1035", "Invalid HIP id")
    if ask.facility is None:
        raise _Silence


class _Silence(refusals.Refused):
    """Accepted with 202, and nothing ever comes (1.3)."""

    def __init__(self) -> None:
        super().__init__(_ACCEPTED, "", "", refusals.Shape.EMPTY)


# What the patient begins.


async def discover(
    network: "Network", patient: Patient, service_id: str, unverified: Sequence[Mapping[str, str]]
) -> Discovery:
    """Ask the hospital what it has of this patient."""
    found = Discovery(new_id(), patient.address, service_id)
    network.discoveries[found.transaction] = found
    verified = [
        {"type": "MOBILE", "value": patient.mobile}, {"type": "ABHA_NUMBER", "value": patient.dashed},
        {"type": "ABHA_ADDRESS", "value": patient.address},
    ]  # fmt: skip
    body = {
        "transactionId": found.transaction,
        "patient": {
            "id": patient.address, "verifiedIdentifiers": verified, "unverifiedIdentifiers": [*unverified],
            "name": patient.name, "gender": patient.gender, "yearOfBirth": patient.year_of_birth,
        },
    }  # fmt: skip
    await _asked(network, found, "discover", "/api/v3/hip/patient/care-context/discover", body)
    return found


async def init_link(network: "Network", found: Discovery, references: Sequence[str] | None) -> Discovery:
    """Choose some of the contexts: the hospital is to send an OTP to the number in its own record."""
    if found.state not in ("found", "init", "otp"):
        raise ValueError(f"nothing to choose from: this discovery is {found.state}")
    chosen = [_only(block, references) for block in found.blocks]
    found.chosen = [block for block in chosen if block["careContexts"]]
    if not found.chosen:
        raise ValueError("none of these references was found")
    found.state, found.error = "init", None
    asked = [
        {
            "referenceNumber": block["referenceNumber"], "hiType": block["hiType"], "count": block["count"],
            "careContexts": [{"referenceNumber": each["referenceNumber"]} for each in block["careContexts"]],
        }
        for block in found.chosen
    ]  # fmt: skip
    body = {"transactionId": found.transaction, "abhaAddress": found.address, "patient": asked}
    await _asked(network, found, "init", "/api/v3/hip/link/care-context/init", body)
    return found


async def confirm_link(network: "Network", found: Discovery, otp: str) -> Discovery:
    """Bring the OTP that the patient typed; as an integer, where the network makes one of it."""
    if found.link_reference is None:
        raise ValueError("the hospital has not asked for an OTP yet")
    found.state, found.error = "confirming", None
    token = int(otp) if network.quirks.integer_otp and otp.isdecimal() else otp
    body = {"confirmation": {"linkRefNumber": found.link_reference, "token": token}}
    await _asked(network, found, "confirm", "/api/v3/hip/link/care-context/confirm", body)
    return found


async def _asked(network: "Network", found: Discovery, what: str, path: str, body: Any) -> Told:
    identity = new_id()
    found.asked[identity] = what  # before it is sent: the answer may be here sooner than the acknowledgement
    return await network.tell(path, body, found.service_id, identity)


def _only(block: Mapping[str, Any], references: Sequence[str] | None) -> dict[str, Any]:
    contexts = [each for each in block["careContexts"] if references is None or each["referenceNumber"] in references]
    return {**block, "careContexts": contexts, "count": len(contexts)}


CALLS: Final = (
    ("POST", "/api/hiecm/v3/token/generate-token", rules.GENERATE_TOKEN, _generate_token),
    ("POST", "/api/hiecm/hip/v3/link/carecontext", rules.LINK, _link),
    ("POST", "/api/hiecm/hip/v3/link/context/notify", rules.CONTEXT_NOTIFY, _notify),
    ("POST", "/api/hiecm/hip/v3/link/patient/links/sms/notify2", rules.SMS_NOTIFY, _sms),
)


def acknowledged() -> Response:
    """What the gateway says to an answer."""
    return JSONResponse({}, _ACCEPTED)
