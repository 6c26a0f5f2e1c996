"""Consent artefacts and requests for records: read as the network sends them, answered in its form. Pure.

The signature of an artefact is kept with the letter and not verified: which bytes are signed, how, and with which key is
not published.
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from connectors.abdm.errors import problem
from connectors.abdm.headers import timestamp
from connectors.abdm.identifiers import address_in
from connectors.abdm.linking import answers
from connectors.abdm.reading import instant, listed, malformed, part, text, word
from connectors.errors import CallbackRefused
from connectors.records import AnswerConsent, AnswerRecords, ReportTransfer
from connectors.told import (
    Artefact,
    ArtefactStatus,
    ConsentTold,
    ContextName,
    Frequency,
    Party,
    RecordKind,
    RecordsWanted,
)

_HOURS: Final = {"HOUR": 1, "DAY": 24, "WEEK": 168, "MONTH": 730, "YEAR": 8760}
_NONCE_BYTES: Final = 32
_MOST_CONTEXTS: Final = 20_000
_MOST_KINDS: Final = 100
_MOST_KEY: Final = 4000
_MOST_TIMES: Final = 1_000_000


def told(body: Mapping[str, Any]) -> ConsentTold:
    """A consent that was granted or that ended. An ended one need not say what it was. Raises CallbackRefused."""
    notice = part(body, "notification")
    if not notice:
        raise malformed()
    try:
        status = ArtefactStatus(str(notice.get("status")).lower())
    except ValueError:
        raise CallbackRefused("unknown_status") from None
    detail = part(notice, "consentDetail")
    consent = word(notice.get("consentId")) or word(detail.get("consentId"))
    if consent is None:
        raise malformed()
    if (within := word(detail.get("consentId"))) is not None and within != consent:
        raise malformed()
    artefact = None
    if status is ArtefactStatus.GRANTED:
        artefact = _artefact(consent, detail)
    return ConsentTold(consent, status, artefact)


def wanted(body: Mapping[str, Any]) -> RecordsWanted:
    """A request for records. Key material that can't be used is said in `fault`: such a request is answered, by a no."""
    request = part(body, "hiRequest")
    dates, keys = part(request, "dateRange"), part(request, "keyMaterial")
    transaction, consent = word(body.get("transactionId")), word(part(request, "consent").get("id"))
    since, until = instant(dates.get("from")), instant(dates.get("to"))
    url = text(request.get("dataPushUrl"), 2000)
    if transaction is None or consent is None or since is None or until is None or url is None:
        raise malformed()
    public = part(keys, "dhPublicKey")
    key, nonce = _bytes(public.get("keyValue")), _bytes(keys.get("nonce"))
    fault = _fault(keys, key, nonce)
    return RecordsWanted(transaction, consent, since, until, url, key or b"", nonce or b"", fault)


def noted(fields: AnswerConsent) -> dict[str, Any]:
    """That a consent was taken note of, or that it could not be."""
    if fields.problem is not None:
        return {"error": problem(fields.problem), **answers(fields.answers)}
    return {"acknowledgement": {"status": "OK", "consentId": fields.consent}, **answers(fields.answers)}


def agreed(fields: AnswerRecords) -> dict[str, Any]:
    """That records will be sent, or why not."""
    if fields.problem is not None:
        return {"error": problem(fields.problem), **answers(fields.answers)}
    return {
        "hiRequest": {"transactionId": fields.transaction, "sessionStatus": "ACKNOWLEDGED"},
        **answers(fields.answers),
    }


def transferred(fields: ReportTransfer, account: str, arrived: str) -> dict[str, Any]:
    """What arrived, visit by visit; `arrived` is the word for a record that did."""
    listed_ = [
        {
            "careContextReference": each.context_reference,
            "hiStatus": arrived if each.arrived else "ERRORED",
            "description": "Delivered" if each.arrived else f"Not delivered ({each.code or 'failed'})",
        }
        for each in fields.entries
    ]
    return {
        "notification": {
            "consentId": fields.consent,
            "transactionId": fields.transaction,
            "doneAt": timestamp(fields.done_at),
            "notifier": {"type": "HIP", "id": account},
            "statusNotification": {
                "sessionStatus": "TRANSFERRED" if fields.complete else "FAILED",
                "hipId": account,
                "statusResponses": listed_,
            },
        }
    }


def _artefact(consent: str, detail: Mapping[str, Any]) -> Artefact:
    """What a patient consented to. Whatever bounds it must be there: nothing stands in for a date that is missing."""
    permission = part(detail, "permission")
    dates = part(permission, "dateRange")
    address = text(part(detail, "patient").get("id"), 200)
    purpose = word(part(detail, "purpose").get("code"))
    since, until = instant(dates.get("from")), instant(dates.get("to"))
    # Some bodies have the end and the frequency beside the permission; of two ends the earlier one holds.
    ends = [at for at in map(instant, (permission.get("dataEraseAt"), detail.get("dataEraseAt"))) if at is not None]
    known = None if address is None else address_in(address)
    if known is None or purpose is None or since is None or until is None or not ends or since > until:
        raise malformed()
    requester = part(detail, "requester")
    return Artefact(
        id=consent,
        address=known,
        purpose=purpose,
        hiu=_party(part(detail, "hiu")),
        requester=text(requester.get("name"), 200),
        contexts=_contexts(detail),
        kinds=_kinds(detail),
        since=since,
        until=until,
        erase_at=min(ends),
        frequency=_frequency(permission.get("frequency")) or _frequency(detail.get("frequency")),
        created_at=instant(detail.get("createdAt")),
    )


def _contexts(detail: Mapping[str, Any]) -> tuple[ContextName, ...]:
    """The visits that it names. One that can't be read is no visit of ours; none of them is ever sent."""
    found = []
    for each in listed(detail, "careContexts", _MOST_CONTEXTS):
        patient, reference = text(each.get("patientReference"), 255), text(each.get("careContextReference"), 255)
        if patient is not None and reference is not None:
            found.append(ContextName(patient, reference))
    return tuple(dict.fromkeys(found))


def _kinds(detail: Mapping[str, Any]) -> frozenset[RecordKind]:
    """The kinds that it names and that we know; another one allows nothing."""
    given = detail.get("hiTypes")
    if not isinstance(given, list):
        return frozenset()
    return frozenset(kind for kind in RecordKind if str(kind) in given[:_MOST_KINDS])


def _party(found: Mapping[str, Any]) -> Party | None:
    name = word(found.get("id"))
    return None if name is None else Party(name, text(found.get("name"), 200))


def _frequency(found: object) -> Frequency | None:
    """How often records may be asked for; None where that is not said, and nought says nothing: a consent is not for never."""
    if not found:
        return None
    if not isinstance(found, Mapping):
        raise malformed()  # a bound that can't be read is not taken for none
    value, repeats = found.get("value"), found.get("repeats") or 0
    if not _is_count(value) or not _is_count(repeats):
        raise malformed()
    if not value and not repeats:
        return None
    unit = _HOURS.get(str(found.get("unit")).upper())
    if unit is None:
        raise malformed()
    return Frequency(value or repeats, unit, repeats)  # no rate, and so many in all: as many at once


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TIMES


def _bytes(value: object) -> bytes | None:
    """What stands in base 64, of either alphabet and with padding or without."""
    if not isinstance(value, str) or len(value) > _MOST_KEY or not value.isascii():
        return None
    text = "".join(value.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _fault(keys: Mapping[str, Any], key: bytes | None, nonce: bytes | None) -> str | None:
    """A word for what is wrong with the key material; whether the point lies on the curve is asked last."""
    if str(keys.get("cryptoAlg")).upper() != "ECDH":
        return "algorithm_unknown"
    if str(keys.get("curve")).lower() != "curve25519":
        return "curve_unknown"
    if key is None:
        return "key_unreadable"
    if nonce is None or len(nonce) != _NONCE_BYTES:
        return "nonce_unusable"
    return _key_fault(key)


def _key_fault(key: bytes) -> str | None:
    from connectors.abdm.curve import KeyRefused, u_of

    try:
        u_of(key)
    except KeyRefused:
        return "key_refused"
    return None
