"""What the network tells us: one reader for each path, the other spellings of a path among them. Minimized, nothing quoted.

What comes is strict where something would be done by it, and tolerant where pages and practice differ in spelling.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from connectors.abdm import consent
from connectors.abdm.actions import SharedProfile
from connectors.abdm.errors import ALREADY_LINKED, normalised
from connectors.abdm.identifiers import address_in, gender_in, mobile_in, number_in
from connectors.abdm.reading import listed, malformed, part, text, whole, word
from connectors.errors import CallbackRefused
from connectors.told import (
    ContextName,
    ContextNoted,
    Identifier,
    LinkConfirmed,
    Linked,
    LinkTokenCame,
    LinkWanted,
    PatientInvited,
    Problem,
    ProfileShared,
    Proof,
    Sought,
    Told,
)
from connectors.wire import parse_object
from scopes.field import shape_of
from scopes.minimize import minimize_answer

Reader = Callable[[Mapping[str, Any]], Told]

_INTENTS: Final = ("PROFILE_SHARE", "RECORD_SHARE", "PAYMENT_SHARE")
_COUNTER: Final = re.compile(r"[!-~]{1,50}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}")
_CODE: Final = re.compile(r"[0-9]{1,10}")
_MOST_IDENTIFIERS: Final = 50
_MOST_CONTEXTS: Final = 5000
_PROOFS: Final = {
    "MR": Proof.RECORD_NUMBER,
    "MOBILE": Proof.MOBILE,
    "ABHANUMBER": Proof.NUMBER,
    "NDHMHEALTHNUMBER": Proof.NUMBER,
    "HEALTHNUMBER": Proof.NUMBER,
    "ABHAADDRESS": Proof.ADDRESS,
    "HEALTHID": Proof.ADDRESS,
    "EMAIL": Proof.EMAIL,
}
_PROFILE: Final = shape_of(SharedProfile)


def read(path: str, raw_body: bytes) -> Told | None:
    """What a message says; None where nothing is done with its kind. Raises CallbackRefused."""
    reader = READERS.get(_path(path))
    if reader is None:
        return None
    body = parse_object(raw_body)
    if body is None:
        raise CallbackRefused("not_an_object")
    return reader(body)


def _path(path: str) -> str:
    """A path in its one spelling: small letters, dashes, no slash at its end."""
    return path.partition("?")[0].rstrip("/").lower().replace("_", "-")


def _shared(body: Mapping[str, Any]) -> ProfileShared:
    meta, given = part(body, "metaData"), part(part(body, "profile"), "patient")
    address = text(given.get("abhaAddress"), 200)
    known = None if address is None else address_in(address)
    counter, intent = text(meta.get("context"), 50), body.get("intent")
    if known is None or counter is None or not _COUNTER.fullmatch(counter) or intent not in _INTENTS:
        raise malformed()
    return ProfileShared(counter, str(intent), minimize_answer(_PROFILE, _profile(given, known)), known)


def _profile(given: Mapping[str, Any], address: str) -> dict[str, Any]:
    """Under the names of SharedProfile; what can't be read is left out, the place of the phone is not looked at at all."""
    lives, number, phone = part(given, "address"), given.get("abhaNumber"), given.get("phoneNumber")
    found = {
        "address": address,
        "number": number_in(str(number)) if isinstance(number, str | int) else None,
        "name": text(given.get("name"), 200),
        "gender": gender_in(given.get("gender")),
        "day_of_birth": whole(given.get("dayOfBirth"), 1, 31),
        "month_of_birth": whole(given.get("monthOfBirth"), 1, 12),
        "year_of_birth": whole(given.get("yearOfBirth"), 1850, 2200),
        "mobile": mobile_in(phone) if isinstance(phone, str) else None,
        "address_line": text(lives.get("line"), 500),
        "district": text(lives.get("district"), 100),
        "state": text(lives.get("state"), 100),
        "pincode": text(lives.get("pincode"), 10) or text(lives.get("pinCode"), 10),
    }
    return {name: value for name, value in found.items() if value is not None}


def _sought(body: Mapping[str, Any]) -> Sought:
    patient, transaction = part(body, "patient"), word(body.get("transactionId"))
    address = text(patient.get("id"), 200)
    known = None if address is None else address_in(address)
    if transaction is None or known is None:
        raise malformed()
    return Sought(
        transaction=transaction,
        address=known,
        verified=tuple(_identifiers(patient, "verifiedIdentifiers")),
        unverified=tuple(_identifiers(patient, "unverifiedIdentifiers")),
        name=text(patient.get("name"), 200),
        gender=gender_in(patient.get("gender")),
        year_of_birth=whole(patient.get("yearOfBirth"), 1850, 2200),
    )


def _identifiers(patient: Mapping[str, Any], name: str) -> Iterator[Identifier]:
    """Those of a kind that we know and with a value of its form: another one could match nobody."""
    for each in listed(patient, name, _MOST_IDENTIFIERS):
        proof = _PROOFS.get(str(each.get("type")).upper().replace("_", "").replace("-", "")[:40])
        value = text(each.get("value"), 200)
        if proof is None or value is None:
            continue
        written = _FORMS[proof](value)
        if written is not None:
            yield Identifier(proof, written)


_FORMS: Final[Mapping[Proof, Callable[[str], str | None]]] = {
    Proof.RECORD_NUMBER: lambda value: value,
    Proof.MOBILE: mobile_in,
    Proof.NUMBER: number_in,
    Proof.ADDRESS: address_in,
    Proof.EMAIL: str.lower,
}


def _link_wanted(body: Mapping[str, Any]) -> LinkWanted:
    transaction, address = word(body.get("transactionId")), text(body.get("abhaAddress"), 200)
    known = None if address is None else address_in(address)
    contexts = tuple(dict.fromkeys(_chosen(body)))
    if transaction is None or known is None or not contexts:
        raise malformed()
    return LinkWanted(transaction, known, contexts)


def _chosen(body: Mapping[str, Any]) -> Iterator[ContextName]:
    """The visits in the blocks; a visit with documents of several kinds stands in several of them."""
    for block in listed(body, "patient", _MOST_CONTEXTS):
        patient = text(block.get("referenceNumber"), 255)
        for each in listed(block, "careContexts", _MOST_CONTEXTS):
            reference = text(each.get("referenceNumber"), 255)
            if patient is not None and reference is not None:
                yield ContextName(patient, reference)


def _link_confirmed(body: Mapping[str, Any]) -> LinkConfirmed:
    confirmation = part(body, "confirmation")
    reference, given = word(confirmation.get("linkRefNumber")), confirmation.get("token")
    typed = given if isinstance(given, str) else str(given) if isinstance(given, int) else ""
    code = typed.strip() if len(typed) <= 40 else ""
    if reference is None or isinstance(given, bool) or not code.isascii() or not _CODE.fullmatch(code):
        raise malformed()
    return LinkConfirmed(reference, code)


def _token_came(body: Mapping[str, Any]) -> LinkTokenCame:
    problem, address, token = _problem(body), text(body.get("abhaAddress"), 200), body.get("linkToken")
    good = isinstance(token, str) and len(token) <= 8000 and _TOKEN.fullmatch(token) is not None
    if problem is None and not good:
        raise malformed()
    return LinkTokenCame(
        to_request=_to_request(body),
        address=None if address is None else address_in(address),
        token=str(token) if good and problem is None else None,
        problem=problem,
    )


def _linked(body: Mapping[str, Any]) -> Linked:
    """Linked unless there is an error: what `status` says is prose. One that was linked before is linked."""
    problem = _problem(body)
    return Linked(_to_request(body), None if problem is not None and problem.code == ALREADY_LINKED else problem)


def _context_noted(body: Mapping[str, Any]) -> ContextNoted:
    return ContextNoted(_to_request(body), _acknowledged(body))


def _patient_invited(body: Mapping[str, Any]) -> PatientInvited:
    return PatientInvited(_to_request(body), _acknowledged(body))


def _acknowledged(body: Mapping[str, Any]) -> Problem | None:
    """A problem where an error is there, or an acknowledgement that is none."""
    problem = _problem(body)
    if problem is not None:
        return problem
    status = str(part(body, "acknowledgement").get("status")).upper()
    return None if status in ("SUCCESS", "OK", "ACKNOWLEDGED") else Problem("unknown")


def _problem(body: Mapping[str, Any]) -> Problem | None:
    error = body.get("error")
    if error is None or error == {} or error == "":
        return None
    code = normalised(error.get("code")) if isinstance(error, Mapping) else None
    return Problem(code or "unknown")


def _to_request(body: Mapping[str, Any]) -> str:
    """Which request of ours is answered: under `response`, of some messages under `resp`."""
    for name in ("response", "resp"):
        if found := word(part(body, name).get("requestId")):
            return found
    raise malformed()


READERS: Final[Mapping[str, Reader]] = {
    "/api/v3/hip/patient/share": _shared,
    "/api/v3/patient-share/share": _shared,
    "/api/v3/patient-share/v3/share": _shared,
    "/patient-share/v3/share": _shared,
    "/api/v3/hip/patient/care-context/discover": _sought,
    "/api/v3/hip/link/care-context/init": _link_wanted,
    "/api/v3/hip/link/care-context/confirm": _link_confirmed,
    "/api/v3/hip/token/on-generate-token": _token_came,
    "/api/v3/link/on-carecontext": _linked,
    "/api/v3/hip/link/on-carecontext": _linked,
    "/api/v3/links/context/on-notify": _context_noted,
    "/api/v3/link/context/on-notify": _context_noted,
    "/api/v3/patients/sms/on-notify": _patient_invited,
    "/api/v3/consent/request/hip/notify": consent.told,
    "/api/v3/hip/health-information/request": consent.wanted,
}
