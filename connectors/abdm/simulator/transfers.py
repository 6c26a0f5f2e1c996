"""Records on their way: an HIU asks through the consent manager, the hospital says that it heard, and what came of it."""

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from connectors.abdm.simulator import peerkeys, rules
from connectors.abdm.simulator.artefacts import Artefact
from connectors.abdm.simulator.clock import stamp
from connectors.abdm.simulator.people import new_id
from connectors.abdm.simulator.record import Fault
from connectors.abdm.simulator.refusals import bad

if TYPE_CHECKING:
    from connectors.abdm.simulator.desk import Ask
    from connectors.abdm.simulator.network import Network

PUSH_SECONDS: Final = 1200
_KEY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Asked:
    """How a request differs from an honest one for all that the consent allows; None where it does not."""

    since: str | None = None
    until: str | None = None
    key_form: str | None = None
    key_value: str | None = None
    nonce: str | None = None
    push_url: str | None = None
    curve: str = "Curve25519"
    crypto_alg: str = "ECDH"
    consent_id: str | None = None
    forced: bool = False
    """Even where the consent has ended, which the consent manager would not let through."""


@dataclass(slots=True)
class Received:
    """One entry that an HIU got."""

    page: int
    reference: str
    plain: bytes | None
    """None where it could not be opened."""
    hi_type: str | None = None


@dataclass(slots=True)
class Transfer:
    """One request for records, and everything that came of it."""

    transaction: str
    consent_id: str
    hiu_id: str
    service_id: str
    own: Any
    request_id: str
    since: str
    until: str
    asked_at: float
    key_form: str
    state: str = "asked"
    """asked, acknowledged, refused, TRANSFERRED, FAILED."""
    error: dict[str, Any] | None = None
    entries: list[Received] = field(default_factory=list)
    pages: set[int] = field(default_factory=set)
    page_count: int | None = None
    statuses: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def plain(self) -> dict[str, bytes]:
        """What could be opened, by care context; the last of each."""
        return {each.reference: each.plain for each in self.entries if each.plain is not None}

    def shown(self) -> dict[str, Any]:
        """For JSON."""
        entries = [
            {
                "page": each.page, "careContextReference": each.reference, "hiType": each.hi_type,
                "plain": None if each.plain is None else each.plain.decode("utf-8", "replace"),
            }
            for each in self.entries
        ]  # fmt: skip
        return {
            "transaction": self.transaction, "consent_id": self.consent_id, "hiu": self.hiu_id,
            "service_id": self.service_id, "state": self.state, "error": self.error, "entries": entries,
            "page_count": self.page_count, "statuses": self.statuses, "key_form": self.key_form,
            "faults": [{"section": each.section, "what": each.what} for each in self.faults],
        }  # fmt: skip


async def request(network: "Network", artefact: Artefact, asked: Asked) -> Transfer:
    """Ask the hospital for records, under a fresh key pair."""
    if artefact.status != "GRANTED" and not asked.forced:
        raise ValueError(f"the consent manager lets nothing through: this consent is {artefact.status}")
    own = network.crypto.generate()
    form = asked.key_form or _form(network)
    since, until = asked.since or artefact.dates[0], asked.until or artefact.dates[1]
    transfer = Transfer(
        new_id(), asked.consent_id or artefact.id, artefact.hiu.id, artefact.service_id, own, new_id(), since, until,
        network.clock.now(), form,
    )  # fmt: skip
    network.transfers[transfer.transaction] = transfer
    key = asked.key_value or peerkeys.shown(bytes(own.public), form)
    material = {
        "cryptoAlg": asked.crypto_alg, "curve": asked.curve,
        "dhPublicKey": {
            "expiry": stamp(network.clock.outside() + _KEY_SECONDS), "parameters": "Curve25519/32byte random key",
            "keyValue": key,
        },
        "nonce": asked.nonce or base64.b64encode(bytes(own.nonce)).decode(),
    }  # fmt: skip
    quiet = network.quirks.empty_request_ids
    body = {
        "requestId": "" if quiet else transfer.request_id, "timestamp": "" if quiet else network.stamp(),
        "transactionId": transfer.transaction,
        "hiRequest": {
            "consent": {"id": transfer.consent_id}, "dateRange": {"from": since, "to": until},
            "dataPushUrl": asked.push_url or f"{network.served_at}/hiu/{transfer.hiu_id}/data/push",
            "keyMaterial": material,
        },
    }  # fmt: skip
    network.clock.after(PUSH_SECONDS, lambda: _overdue(network, transfer))
    await network.tell("/api/v3/hip/health-information/request", body, transfer.service_id, transfer.request_id)
    return transfer


def _form(network: "Network") -> str:
    return peerkeys.FORMS[len(network.transfers) % 3] if network.quirks.mixed_peer_keys else peerkeys.RAW


async def _overdue(network: "Network", transfer: Transfer) -> None:
    if transfer.state in ("asked", "acknowledged"):
        transfer.faults.append(Fault("1.7", f"no end of it within {PUSH_SECONDS // 60} minutes"))
        network.note()


async def _on_request(ask: "Ask") -> Response:
    """The hospital heard it, or refuses; 200 and not 202 (4.2)."""
    named = ask.body["response"]["requestId"]
    transfer = next((each for each in ask.network.transfers.values() if each.request_id == named), None)
    if transfer is None:
        ask.fault("4.2", "response.requestId is the REQUEST-ID of no request for records")
        raise bad("ABDM-1006", "No request of this id")
    ask.answers_for(transfer.service_id, "4.2")
    if error := ask.body.get("error"):
        transfer.state, transfer.error = "refused", error
    elif ask.body["hiRequest"]["transactionId"] != transfer.transaction:
        ask.fault("4.2", "hiRequest.transactionId is another transaction's")
        raise bad("ABDM-1006", "transactionId does not match the request")
    elif transfer.state == "asked":
        transfer.state = "acknowledged"
    return JSONResponse({})


async def _notify(ask: "Ask") -> Response:
    """How it ended, by the hospital's own account, which is held against what the HIU has."""
    told = ask.body["notification"]
    transfer = ask.network.transfers.get(told["transactionId"])
    if transfer is None:
        ask.fault("4.6", "transactionId is no transaction's")
        raise bad("ABDM-1006", "No transaction of this id")
    ask.answers_for(transfer.service_id, "4.6")
    if told["consentId"] != transfer.consent_id:
        ask.fault("4.6", "consentId is not the transaction's")
    status = told["statusNotification"]
    if {status["hipId"], told["notifier"]["id"]} != {transfer.service_id}:
        ask.fault("4.6", "hipId and notifier.id must be the facility that was asked")
    statuses = {each["careContextReference"]: each["hiStatus"] for each in status["statusResponses"]}
    for what in _untruths(transfer, status["sessionStatus"], statuses):
        ask.fault("4.6", what)
    transfer.state, transfer.statuses = status["sessionStatus"], statuses
    return JSONResponse({"status": "Notification is Accepted"}, 202)


def _untruths(transfer: Transfer, session: str, statuses: dict[str, str]) -> list[str]:
    """Where the account and the HIU's own books differ."""
    got = set(transfer.plain)
    said = {reference for reference, status in statuses.items() if status != "ERRORED"}
    found = [f"{each} is reported as delivered, and did not arrive" for each in sorted(said - got)]
    found += [f"{each} arrived, and is not reported as delivered" for each in sorted(got - said)]
    if session == "TRANSFERRED" and transfer.page_count is not None and len(transfer.pages) != transfer.page_count:
        found.append(f"{len(transfer.pages)} of {transfer.page_count} pages came, and it is reported as TRANSFERRED")
    return found


_PREFIX: Final = "/api/hiecm/data-flow/v3/health-information"
CALLS: Final = (
    ("POST", f"{_PREFIX}/hip/on-request", rules.ON_REQUEST, _on_request),
    ("POST", f"{_PREFIX}/notify", rules.DATA_NOTIFY, _notify),
)
