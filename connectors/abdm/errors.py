"""What the network's errors mean, whichever of their six shapes they come in. Only listed codes are repeated, no words.

Shapes: {error: {code, message}} · flat {code, message} · {field: "..."} by name · WSO2's numbers · nothing at all · the
registry's {code: HIS-..., details: [{code}]}; each of the first two also as the first of a list, and plain text with 403.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from connectors.errors import Ambiguous, ConnectorError, ProviderScopeMissing, ReconnectNeeded, Rejected, TryLater
from connectors.told import Setback
from connectors.wire import error_for, retry_after_seconds

if TYPE_CHECKING:
    import httpx2

_ABDM: Final = re.compile(r"\s*(?:ABDM-)?([0-9]{4})(?![0-9])")  # some end in ": "
_CODE: Final = re.compile(r"ABDM-[0-9]{4}")
_WSO2: Final = re.compile(r"(9009[0-9]{2}|303[0-9]{3})")
_REGISTRY: Final = re.compile(r"HIS-[0-9]{3,4}")
_A_DAY: Final = 86_400.0
LINK_TOKEN_SECONDS: Final = 420.0  # a second request within about 6.2 minutes is a duplicate, answered or not

ALREADY_LINKED: Final = "ABDM-1056"
USER_UNKNOWN: Final = "ABDM-1114"

_LATER: Final[Mapping[str, tuple[str, float | None]]] = {
    "ABDM-1022": ("rate_limited", None),
    "ABDM-1027": ("patient_blocked_for_a_day", _A_DAY),  # follows the address at this facility, not the client
    "ABDM-1090": ("link_pending", 60.0),
    "ABDM-1092": ("link_token_pending", LINK_TOKEN_SECONDS),
    "ABDM-1100": ("too_many_codes", 60.0),  # a minute between two; half an hour after too many
    "ABDM-1007": ("service_behind_it_down", 30.0),
    "ABDM-1019": ("service_behind_it_down", 30.0),
    "ABDM-1024": ("service_behind_it_down", 30.0),
    "ABDM-1029": ("service_behind_it_down", 30.0),
    "ABDM-1048": ("service_behind_it_down", 30.0),
    "ABDM-9999": ("service_behind_it_down", 30.0),
}
_REFUSED: Final[Mapping[str, str]] = {
    "ABDM-1006": "body_refused",
    "ABDM-1010": "not_valid",
    "ABDM-1016": "timestamp_refused",
    "ABDM-1026": "link_token_refused",
    "ABDM-1028": "we_were_not_reached",
    "ABDM-1032": "header_refused",
    "ABDM-1035": "facility_unknown",
    "ABDM-1037": "count_wrong",
    "ABDM-1038": "link_token_refused",
    "ABDM-1043": "demographics_differ",
    "ABDM-1051": "link_token_not_given",
    "ABDM-1055": "facility_or_patient_unknown",
    "ABDM-1056": "already_linked",
    "ABDM-1057": "context_refused",
    "ABDM-1059": "count_wrong",
    "ABDM-1060": "patient_reference_refused",
    "ABDM-1061": "display_refused",
    "ABDM-1062": "link_token_refused",
    "ABDM-1063": "link_token_refused",
    "ABDM-1094": "user_token_refused",
    "ABDM-1114": "user_not_found",
    "ABDM-1204": "code_refused",
    "ABDM-2406": "out_of_sequence",
}
# The same number means another thing where data flows.
_REFUSED_OF_RECORDS: Final[Mapping[str, str]] = {
    **_REFUSED,
    "ABDM-1061": "consent_expired",
    "ABDM-1062": "consent_not_granted",
    "ABDM-1063": "dates_refused",
}
_FIELDS: Final[Mapping[str, str]] = {
    "loginId": "login_id",
    "otpValue": "code",
    "mobile": "mobile",
    "txnId": "transaction",
    "abhaAddress": "address",
    "ABHANumber": "number",
    "authData": "auth_data",
    "consent": "consent",
    "scope": "scope",
}
# WSO2, which stands before the gateway: what it refuses was not passed on.
_OUTER_GATE: Final[Mapping[str, Callable[[], ConnectorError]]] = {
    "900901": lambda: ReconnectNeeded("session_refused"),
    "900902": lambda: ReconnectNeeded("session_missing"),
    "900908": lambda: ProviderScopeMissing("subscription_inactive"),  # only the network's support mends it
    "303001": lambda: TryLater(30.0, "network_suspended"),
}
# Where the gateway answers the network with a problem: our word, its code, and what its pages may show.
PROBLEMS: Final[Mapping[Setback, tuple[str, str]]] = {
    Setback.PATIENT_NOT_FOUND: ("ABDM-1010", "Patient not found"),
    Setback.SEVERAL_PATIENTS: ("ABDM-1010", "More than one patient found"),
    Setback.NOTHING_TO_LINK: ("ABDM-1010", "No care context to link"),
    Setback.CONTEXT_UNKNOWN: ("ABDM-1057", "Care context not found"),
    Setback.LINK_UNKNOWN: ("ABDM-1035", "Link reference not found"),
    Setback.LINK_EXPIRED: ("ABDM-1035", "Code expired"),
    Setback.CODE_WRONG: ("ABDM-1035", "Code is not correct"),
    Setback.CODE_NOT_SENT: ("ABDM-1048", "Code could not be sent"),
    Setback.TOO_MANY_ATTEMPTS: ("ABDM-1022", "Too many attempts"),
    Setback.CONSENT_UNKNOWN: ("ABDM-1062", "Consent is not granted"),
    Setback.CONSENT_NOT_GRANTED: ("ABDM-1062", "Consent is not granted"),
    Setback.CONSENT_EXPIRED: ("ABDM-1061", "Consent artefact expired"),
    Setback.CONSENT_UNREADABLE: ("ABDM-1006", "Consent artefact not understood"),
    Setback.DATES_REFUSED: ("ABDM-1063", "Date range is not within the consent"),
    Setback.ASKED_TOO_OFTEN: ("ABDM-1022", "Frequency of the consent is used up"),
    Setback.KEY_REFUSED: ("ABDM-1006", "Key material is not usable"),
    Setback.ADDRESS_REFUSED: ("ABDM-1006", "Data push URL is not usable"),
    Setback.QUEUE_CLOSED: ("ABDM-1010", "No token can be given"),
    Setback.NOT_AVAILABLE: ("ABDM-1048", "Not available"),
}
_OTHER_PROBLEM: Final = ("ABDM-1010", "Not possible")


@dataclass(frozen=True, slots=True)
class Said:
    """What an error of the network's says: its code in one spelling, and the fields that it names, of those we know."""

    code: str | None
    fields: tuple[str, ...] = ()
    is_error: bool = False
    """Whether it says itself that it is one, whatever code it has."""
    of_user_token: bool = False
    """Whether it is about the token of a patient's login."""


def normalised(code: object) -> str | None:
    """A code in its one spelling: `ABDM-1056`, `900901`, `HIS-400`. None where it is none that we know the form of."""
    if isinstance(code, bool) or not isinstance(code, str | int):
        return None
    text = str(code)[:40]
    if wso2 := _WSO2.fullmatch(text.strip()):
        return wso2[0]
    if registry := _REGISTRY.match(text.strip()):
        return registry[0]
    match = _ABDM.match(text)
    return f"ABDM-{match[1]}" if match else None


def said_in(raw_body: bytes) -> Said | None:
    """What an error says; None where nothing in it looks like one. Never raises, and never quotes it."""
    try:
        parsed = orjson.loads(raw_body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(parsed, list):
        parsed = parsed[0] if parsed else None
    return _said(parsed) if isinstance(parsed, Mapping) else None


def refusal_in(response: "httpx2.Response", *, of_records: bool = False) -> ConnectorError | None:
    """What an answer means where it is no success; None where it is one. An error may come with status 200 too."""
    status, headers = response.status_code, response.headers
    said = said_in(response.content)
    if 200 <= status < 300:
        if said is None or (said.code is None and not said.is_error):
            return None
        return _by_code(said, status, headers, of_records=of_records) if said.code else Rejected("refused_with_200")
    if status < 400 or status == 408:
        return error_for(status, headers)
    if said is not None and said.of_user_token:
        return Rejected("user_token_refused")
    if said is not None and (said.code is not None or said.fields):
        return _by_code(said, status, headers, of_records=of_records)
    if status == 400 and not response.content:
        return Rejected("body_not_understood")  # a field of another type than expected: the network says nothing
    return error_for(status, headers, "access_denied" if status == 403 else None)


def problem(word: str) -> dict[str, str]:
    """The network's error for what went wrong here: by our word, or by the network's own code."""
    if _CODE.fullmatch(word):
        return {"code": word, "message": _OTHER_PROBLEM[1]}
    code, message = PROBLEMS.get(Setback(word), _OTHER_PROBLEM) if word in set(Setback) else _OTHER_PROBLEM
    return {"code": code, "message": message}


def _said(found: Mapping[str, Any]) -> Said | None:
    inner = found.get("error")
    if isinstance(inner, Mapping) and inner:
        return replace(_coded(inner), is_error=True)
    details = found.get("details")
    if isinstance(details, list) and details and isinstance(details[0], Mapping):
        nested = _coded(details[0])
        if nested.code is not None:
            return nested
    coded = _coded(found)
    if coded.of_user_token or ("code" in found and coded.code is not None):
        return coded
    known = tuple(word for name, word in _FIELDS.items() if isinstance(found.get(name), str))
    if known and len(found) <= len(known) + 1 and ("timestamp" in found or len(found) == len(known)):
        return Said(None, known)
    return None


def _coded(found: Mapping[str, Any]) -> Said:
    message = found.get("message")
    text = message.lower() if isinstance(message, str) else ""
    code = normalised(found.get("code")) or (normalised(message) if text.startswith("abdm-") else None)
    return Said(code, of_user_token="x-token" in text or "t-token" in text)


def _by_code(said: Said, status: int, headers: Mapping[str, str], *, of_records: bool) -> ConnectorError:
    code = said.code
    if code is None:
        return Rejected(f"field_refused.{said.fields[0]}") if status < 500 else Ambiguous()
    if code in _OUTER_GATE:
        return _OUTER_GATE[code]()
    if code == "ABDM-1064":
        return Ambiguous("request_id_seen")  # an earlier attempt of this one arrived
    if status >= 500:
        return Ambiguous(_LATER.get(code, (None, None))[0])
    if status == 429 or code in _LATER:
        word, seconds = _LATER.get(code, ("rate_limited", None))
        return TryLater(retry_after_seconds(headers) or seconds, word)
    if known := (_REFUSED_OF_RECORDS if of_records else _REFUSED).get(code):
        return Rejected(known)
    return error_for(status, headers) or Rejected("refused_with_200")
