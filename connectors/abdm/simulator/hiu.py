"""An HIU: takes pages, opens what is in them, checks it against the consent and against what was asked."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from connectors.abdm.simulator import peerkeys, rules
from connectors.abdm.simulator.artefacts import Artefact
from connectors.abdm.simulator.clock import instant
from connectors.abdm.simulator.refusals import Refused, bad
from connectors.abdm.simulator.transfers import PUSH_SECONDS, Received, Transfer

if TYPE_CHECKING:
    from connectors.abdm.simulator.desk import Ask

_DAY: Final = 86_400
#: The SNOMED code or the text of a document's type (specification, 5.2) -> HI type.
_TYPES: Final = {
    "371530004": "OPConsultation", "440545006": "Prescription", "721981007": "DiagnosticReport",
    "373942005": "DischargeSummary", "41000179103": "ImmunizationRecord", "419891008": "HealthDocumentRecord",
    "Wellness Record": "WellnessRecord", "Invoice Record": "Invoice",
}  # fmt: skip


async def _push(ask: "Ask") -> Response:
    """Take one page, or refuse it; whatever is wrong stands in the transfer's faults as well."""
    network, body = ask.network, ask.body
    transfer = network.transfers.get(body["transactionId"]) if isinstance(body, dict) else None
    if transfer is None or transfer.hiu_id != ask.request.path_params["hiu_id"]:
        ask.fault("4.6", "transactionId is no transaction of this HIU's")
        raise Refused(404, "ABDM-1006", "No transaction of this id")
    before = len(ask.heard.faults)
    try:
        _refuse(ask, transfer)
        _take(ask, transfer)
    finally:
        transfer.faults += ask.heard.faults[before:]
        ask.heard.body = _without_content(body)
        network.note()
    return JSONResponse({}, 202)


def _without_content(body: dict[str, Any]) -> dict[str, Any]:
    """A page as it is kept: what was sealed in it may be fifty megabytes, and stands opened in the transfer."""
    entries = body.get("entries")
    if not isinstance(entries, list):
        return body
    return {**body, "entries": [{**each, "content": "..."} if isinstance(each, dict) else each for each in entries]}


def _refuse(ask: "Ask", transfer: Transfer) -> None:
    """Raise where the HIU takes nothing at all."""
    network = ask.network
    if any(not each.mild for each in ask.misfits):
        transfer.faults += ask.heard.faults
        raise bad("ABDM-1006", "Invalid request")
    if network.quirks.push_needs_token and not _is_gateways(ask):
        ask.fault("4.6", "this HIU takes no push without a bearer of the gateway")
        raise Refused(401, "ABDM-1401", "Unauthorized")
    if network.clock.now() - transfer.asked_at > PUSH_SECONDS:
        ask.fault("1.7", f"a push more than {PUSH_SECONDS // 60} minutes after the request")
        raise bad("ABDM-1006", "The request is too old")
    _check_page(ask, transfer)


def _is_gateways(ask: "Ask") -> bool:
    try:
        claims = ask.network.keys.read_token(ask.header("Authorization").removeprefix("Bearer "))
    except ValueError:
        return False
    return bool(claims["exp"] > ask.network.clock.outside())


def _check_page(ask: "Ask", transfer: Transfer) -> None:
    page, count = ask.body["pageNumber"], ask.body["pageCount"]
    quirks = ask.network.quirks
    first, last = (1 if quirks.one_based_pages else 0), (count - 1 if quirks.zero_based_pages else count)
    if count > 1 and not first <= page <= last:
        ask.fault("4.6", f"pageNumber {page} of {count}: this HIU counts from {first}")
        raise bad("ABDM-1006", "Invalid pageNumber")
    if transfer.page_count not in (None, count):
        ask.fault("4.6", f"pageCount was {transfer.page_count}, and is {count} now")
    transfer.page_count = count


def _take(ask: "Ask", transfer: Transfer) -> None:
    """Open every entry of a page, and note what is wrong with any."""
    body = ask.body
    artefact = ask.network.artefacts.get(transfer.consent_id)
    if artefact is None or artefact.end_is_known:
        ask.fault("4.1", "records under a consent that has ended, after the hospital was told so")
    if len(body["entries"]) > 1:
        ask.fault("4.7", "several entries of one page share a key and a nonce: send one entry to a page")
    peer = _peer(ask, body["keyMaterial"])
    for entry in body["entries"]:
        plain = None if peer is None else _opened(ask, transfer, entry, peer)
        received = Received(body["pageNumber"], entry["careContextReference"], plain)
        transfer.entries.append(received)
        if plain is not None and artefact is not None:
            _check_meaning(ask, transfer, artefact, received)
    transfer.pages.add(body["pageNumber"])


def _peer(ask: "Ask", material: dict[str, Any]) -> tuple[bytes, bytes] | None:
    """The hospital's point and nonce: on the curve, and never seen before."""
    network, value = ask.network, material["dhPublicKey"]["keyValue"]
    try:
        point, form = peerkeys.read(value)
        nonce = base64.b64decode(material["nonce"], validate=True)
    except ValueError as wrong:
        ask.fault("4.4", f"key or nonce: {wrong}")
        return None
    if len(nonce) != 32:
        ask.fault("4.4", f"the nonce has {len(nonce)} bytes, and needs 32")
        return None
    if form != peerkeys.X509:
        ask.fault("4.4", "a hospital's key is X.509 with explicit parameters: other HIUs read nothing else")
    if instant(material["dhPublicKey"]["expiry"]) <= network.clock.outside():
        ask.fault("4.4", "the hospital's key has expired")
    for what, seen in (("key pair", point.hex()), ("nonce", nonce.hex())):
        if seen in network.peer_keys_seen:
            ask.fault("4.7", f"the {what} was used before: it must be fresh for every page")
        network.peer_keys_seen.add(seen)
    return point, nonce


def _opened(ask: "Ask", transfer: Transfer, entry: dict[str, Any], peer: tuple[bytes, bytes]) -> bytes | None:
    try:
        sealed = base64.b64decode(entry["content"], validate=True)
        plain = bytes(ask.network.crypto.unseal(sealed, own=transfer.own, peer_public=peer[0], peer_nonce=peer[1]))
    except Exception as wrong:  # whatever another's cryptography raises, the entry is not to be read
        ask.fault("4.4", f"{entry['careContextReference']} cannot be opened: {type(wrong).__name__}")
        return None
    if hashlib.md5(plain, usedforsecurity=False).hexdigest() != entry["checksum"].lower():
        ask.fault("4.4", f"the checksum of {entry['careContextReference']} is not the MD5 of its plain bytes")
    return plain


def _check_meaning(ask: "Ask", transfer: Transfer, artefact: Artefact, received: Received) -> None:
    """Whether the consent names this context, allows this type of record, and was asked for its date."""
    reference = received.reference
    if reference not in artefact.references:
        ask.fault("4.3", f"{reference} is not in the consent")
    try:
        bundle = json.loads(received.plain or b"")
        resources = [each["resource"] for each in bundle["entry"]]
        composition = next(each for each in resources if each["resourceType"] == "Composition")
    except (ValueError, KeyError, TypeError, StopIteration):
        ask.fault("5.1", f"{reference} holds no FHIR document with a Composition")
        return
    received.hi_type = kind_of(composition)
    if received.hi_type is None:
        ask.fault("5.2", f"the document of {reference} has the type of no HI type")
    elif received.hi_type not in artefact.detail["hiTypes"]:
        ask.fault("4.3", f"{reference} is a {received.hi_type}, which the consent does not allow")
    since, until = instant(transfer.since), instant(transfer.until)
    try:
        spans = [*_spans(composition, resources)]
    except (ValueError, TypeError):
        ask.fault("5.1", f"a date in the document of {reference} is none")
        return
    if not any(start <= until and end >= since for start, end in spans):
        ask.fault("4.3", f"the date of {reference} lies outside what was asked")


def kind_of(composition: dict[str, Any]) -> str | None:
    """The HI type of a document, by what its Composition says that it is."""
    return next((_TYPES[name] for name in _names(composition) if name in _TYPES), None)


def _names(composition: dict[str, Any]) -> Iterator[str]:
    kind = composition.get("type", {})
    yield from (str(each.get("code")) for each in kind.get("coding", ()))
    yield str(kind.get("text"))


def _spans(composition: dict[str, Any], resources: list[dict[str, Any]]) -> Iterator[tuple[float, float]]:
    """When the document was written, and when the visit was that it is about."""
    if "date" in composition:
        yield _span(composition["date"], composition["date"])
    for each in resources:
        if each.get("resourceType") == "Encounter" and "start" in each.get("period", {}):
            yield _span(each["period"]["start"], each["period"].get("end", each["period"]["start"]))


def _span(start: str, end: str) -> tuple[float, float]:
    """From an instant or a day to another; a day without an hour is all of it, in UTC."""
    whole_day = len(end) == len("2026-01-01")
    first = instant(f"{start}T00:00:00Z" if len(start) == len("2026-01-01") else start)
    return first, instant(f"{end}T00:00:00Z") + _DAY if whole_day else instant(end)


CALLS: Final = (("POST", "/hiu/{hiu_id}/data/push", rules.PUSH, _push),)
