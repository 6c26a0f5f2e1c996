"""Read the ABHA service's answers under our field names. Keeps what is declared, drops photographs, quotes nothing."""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from connectors.abdm.errors import USER_UNKNOWN, refusal_in, said_in
from connectors.abdm.identifiers import address_in, gender_in, mobile_in, number_in
from connectors.abdm.reading import text, whole
from connectors.contract import Ambiguous
from connectors.wire import object_in

if TYPE_CHECKING:
    import httpx2

_TXN: Final = re.compile(r"[A-Za-z0-9-]{8,64}")
_JWT: Final = re.compile(r"[A-Za-z0-9_-]{2,2000}\.[A-Za-z0-9_-]{2,8000}\.[A-Za-z0-9_-]{2,2000}")
_MASKED: Final = re.compile(r"[Xx*]{2,12}[ -]?[0-9]{2,4}")
_SUGGESTED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
_METHOD: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
_FORMS: Final = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"%PDF": "application/pdf"}
_MOST: Final = 100


def good(response: "httpx2.Response") -> dict[str, Any]:
    """The object in an answer that is a success. Raises the contract's errors."""
    if refusal := refusal_in(response):
        raise refusal
    return object_in(response)


def user_is_unknown(response: "httpx2.Response") -> bool:
    """Whether there is no such account: a result, and no error."""
    if response.status_code not in (404, 422, 400):
        return False
    said = said_in(response.content)
    return said is not None and said.code == USER_UNKNOWN


def transaction(found: Mapping[str, Any]) -> str:
    """The attempt that an answer begins or goes on with. Raises Ambiguous: without it nobody can go on."""
    name = found.get("txnId")
    if not isinstance(name, str) or not _TXN.fullmatch(name):
        raise Ambiguous("unreadable_answer")
    return name


def code_sent(found: Mapping[str, Any]) -> dict[str, Any]:
    """That a code is on its way, and the last digits of where; the rest of the sentence is dropped."""
    message = found.get("message")
    masked = _MASKED.search(message[:500]) if isinstance(message, str) else None
    return {"transaction": transaction(found), "sent_to": masked[0] if masked else None}


def token_in(found: Mapping[str, Any]) -> str:
    """A token of a patient's login. Raises Ambiguous."""
    token = found.get("token")
    if not isinstance(token, str) or not _JWT.fullmatch(token):
        raise Ambiguous("unreadable_answer")
    return token


def enrolled(found: Mapping[str, Any]) -> dict[str, Any]:
    """A new account, or the one that there was."""
    tokens, known = found.get("tokens"), found.get("ABHAProfile")
    if not isinstance(tokens, Mapping) or not isinstance(known, Mapping):
        raise Ambiguous("unreadable_answer")
    return {
        "transaction": transaction(found),
        "session": f"X.{token_in(tokens)}",
        "made": found.get("isNew") is True,
        "profile": _present(profile(known)),
    }


def profile(found: Mapping[str, Any]) -> dict[str, Any]:
    """A patient; of two spellings the first that is there. The photograph is dropped."""
    number = found.get("ABHANumber")
    addresses = found.get("phrAddress")
    first = addresses[0] if isinstance(addresses, list) and addresses else None
    parts = [text(found.get(name), 100) for name in ("firstName", "middleName", "lastName")]
    address = found.get("preferredAbhaAddress") or found.get("abhaAddress") or first
    mobile = found.get("mobile")
    return {
        "number": number_in(number) if isinstance(number, str) else None,
        "address": address_in(address) if isinstance(address, str) else None,
        "name": text(found.get("name"), 200) or " ".join(filter(None, parts)) or None,
        "gender": gender_in(found.get("gender")),
        "day_of_birth": whole(found.get("dayOfBirth"), 1, 31),
        "month_of_birth": whole(found.get("monthOfBirth"), 1, 12),
        "year_of_birth": whole(found.get("yearOfBirth"), 1850, 2200),
        "mobile": mobile_in(mobile) if isinstance(mobile, str) else None,
        "address_line": text(found.get("address"), 500),
        "district": text(found.get("districtName"), 100),
        "state": text(found.get("stateName"), 100),
        "pincode": text(found.get("pincode") or found.get("pinCode"), 10),
        "kyc_verified": _is_verified(found),
        "status": found.get("status") or found.get("abhaStatus"),
    }


def profile_of(response: "httpx2.Response") -> dict[str, Any]:
    """The profile of a patient who is logged in. Raises Ambiguous where it says of nobody whose it is."""
    found = profile(good(response))
    if found["number"] is None and found["address"] is None:
        raise Ambiguous("unreadable_answer")
    return found


def accounts(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The accounts of a mobile number: each is somebody, and none is taken for the other."""
    listed = found.get("accounts")
    known = listed[:_MOST] if isinstance(listed, list) else []
    read = [_present(profile(each)) for each in known if isinstance(each, Mapping)]
    return [each for each in read if "number" in each]


def suggested(found: Mapping[str, Any]) -> list[str]:
    """Addresses that are free."""
    listed = found.get("abhaAddressList")
    if not isinstance(listed, list):
        raise Ambiguous("unreadable_answer")
    return [each for each in listed[:_MOST] if isinstance(each, str) and _SUGGESTED.fullmatch(each)]


def chosen(found: Mapping[str, Any]) -> dict[str, Any]:
    """The address that an account has now."""
    for name in ("preferredAbhaAddress", "abhaAddress"):
        address = found.get(name)
        if isinstance(address, str) and (known := address_in(address)) is not None:
            number = found.get("healthIdNumber") or found.get("ABHANumber")
            return {"address": known, "number": number_in(number) if isinstance(number, str) else None}
    raise Ambiguous("unreadable_answer")


def found_address(found: Mapping[str, Any]) -> dict[str, Any]:
    """How the owner of an address can log in. Raises Ambiguous where it says of no account."""
    known = found.get("abhaAddress") or found.get("healthIdNumber")
    if not isinstance(known, str):
        raise Ambiguous("unreadable_answer")
    methods = found.get("authMethods")
    listed = methods[:_MOST] if isinstance(methods, list) else []
    return {
        "found": True,
        "methods": [each for each in listed if isinstance(each, str) and _METHOD.fullmatch(each)],
        "status": found.get("status"),
    }


def picture(response: "httpx2.Response") -> dict[str, Any]:
    """A picture, by what it begins with; what a header says of it counts for nothing. Raises Ambiguous."""
    if refusal := refusal_in(response):
        raise refusal
    for beginning, media in _FORMS.items():
        if response.content.startswith(beginning):
            return {"media": media, "content": b64encode(response.content).decode()}
    raise Ambiguous("unreadable_answer")


def _is_verified(found: Mapping[str, Any]) -> bool | None:
    said = found.get("kycVerified")
    if isinstance(said, bool):
        return said
    if isinstance(said, str):
        return said.lower() == "true"
    status = found.get("verificationStatus")
    return None if status is None else str(status).upper() == "VERIFIED"


def _present(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}
