"""What each call of a hospital's must look like, by section of the specification. Keeps the rules; desk.py applies them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from connectors.abdm.simulator.shapes import (
    Either,
    Guarded,
    anything,
    either,
    exactly,
    moment,
    one_of,
    text,
    whole,
)  # fmt: skip

HI_TYPES: Final = (
    "Prescription", "DiagnosticReport", "OPConsultation", "DischargeSummary", "ImmunizationRecord",
    "HealthDocumentRecord", "WellnessRecord", "Invoice",
)  # fmt: skip
PURPOSES: Final = ("CAREMGT", "BTG", "PUBHLTH", "HPAYMT", "DSRCH", "PATRQT")
MATCHES: Final = ("MR", "MOBILE", "ABHA_NUMBER", "ABHA_ADDRESS")

ADDRESS: Final = text(r"[a-zA-Z0-9][a-zA-Z0-9_.]+[a-zA-Z0-9]@(abdm|sbx)")
REFERENCE: Final = text(r"[a-zA-Z0-9_\-@,. ()/:\\]{1,255}")
DISPLAY: Final = text(r"[a-zA-Z0-9_\-@,. \"':|()/]{1,255}")
UUID: Final = text(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
DIGITS: Final = text(r"[0-9]+")
SEALED: Final = text(r"[A-Za-z0-9+/]{100,}={0,2}")
ANSWERS: Final = {"requestId": UUID}
ERROR: Final = {"code": text(), "message": text()}
REFUSAL: Final = {"error": ERROR, "response": ANSWERS, "acknowledgement?": anything, "transactionId?": UUID}


class Surface(StrEnum):
    """Whose front a call comes to, which decides its headers."""

    SESSION = "session"
    GATEWAY = "gateway"
    ABHA = "abha"
    REGISTRY = "registry"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class Rule:
    """One call: where it is written, whose it is, which headers and body it has."""

    section: str
    surface: Surface = Surface.GATEWAY
    hip: bool = False
    body: Any = None
    headers: tuple[str, ...] = ()


def _counted(block: Any) -> str | None:
    contexts = len(block["careContexts"])
    return None if block["count"] == contexts else f"count is {block['count']}, and there are {contexts} careContexts"


BLOCK: Final = Guarded(
    {
        "referenceNumber": REFERENCE, "display": DISPLAY,
        "careContexts": [{"referenceNumber": REFERENCE, "display": DISPLAY}],
        "hiType": one_of(*HI_TYPES), "count": whole(1, 20),
    },
    _counted,
)  # fmt: skip

SESSION: Final = Rule(
    "1.2", Surface.SESSION,
    body={"clientId": text(), "clientSecret": text(), "grantType": exactly("client_credentials")},
)  # fmt: skip
READ: Final = Rule("1.4")
CERTS: Final = Rule("1.5")
BRIDGE_URL: Final = Rule("1.4", body={"url": text(r"https?://[^\s?#]+")})
LINKAGE: Final = Rule(
    "1.4", Surface.REGISTRY,
    body={
        "facilityId": text(), "facilityName": text(),
        "HRP": [{
            "bridgeId": text(), "hipName": text(), "type": one_of("HIP", "HIU"), "active": anything, "hipId?": text(),
        }],
    },
)  # fmt: skip
GENERATE_TOKEN: Final = Rule(
    "3.2", hip=True,
    body={
        "abhaNumber?": whole(10**13, 10**14 - 1), "abhaAddress": ADDRESS, "name": text(),
        "gender": one_of("M", "F", "O", "D", "T", "U"), "yearOfBirth": whole(1850, 2200),
    },
)  # fmt: skip
LINK: Final = Rule(
    "3.2", hip=True, headers=("X-LINK-TOKEN",),
    body={"abhaNumber?": either(text(r"[0-9]{14}"), whole(10**13, 10**14 - 1)), "abhaAddress": ADDRESS, "patient": [BLOCK]},
)  # fmt: skip
CONTEXT_NOTIFY: Final = Rule(
    "3.2", hip=True,
    body={"notification": {
        "patient": {"id": ADDRESS},
        "careContext": {"patientReference": REFERENCE, "careContextReference": REFERENCE},
        "hiTypes": [one_of(*HI_TYPES)], "date": moment, "hip": {"id": text()},
    }},
)  # fmt: skip
SMS_NOTIFY: Final = Rule(
    "3.2",
    body={
        "requestId?": UUID, "timestamp?": moment,
        "notification": {"phoneNo": text(r"(\+?91[- ]?)?[6-9][0-9]{9}"), "hip": {"id": text(), "name": text()}},
    },
)  # fmt: skip
ON_DISCOVER: Final = Rule(
    "3.3",
    body=Either(
        {"transactionId": UUID, "patient": [BLOCK], "matchedBy": [one_of(*MATCHES)], "response": ANSWERS},
        {"transactionId": UUID, "error": ERROR, "response": ANSWERS},
    ),
)
ON_INIT: Final = Rule(
    "3.3",
    body=Either(
        {
            "transactionId": UUID, "response": ANSWERS,
            "link": {
                "referenceNumber": UUID, "authenticationType": one_of("DIRECT", "MEDIATED"),
                "meta": {
                    "communicationMedium": one_of("MOBILE", "EMAIL"), "communicationHint": text(),
                    "communicationExpiry": moment,
                },
            },
        },
        REFUSAL,
    ),
)  # fmt: skip
ON_CONFIRM: Final = Rule("3.3", body=Either({"patient": [BLOCK], "response": ANSWERS}, REFUSAL))
ON_SHARE: Final = Rule(
    "2.6",
    body=Either(
        {
            "acknowledgement": {
                "status": exactly("SUCCESS"), "abhaAddress": ADDRESS,
                "profile": {"context": text(r"[a-zA-Z0-9]{1,20}"), "tokenNumber": text(), "expiry": DIGITS},
            },
            "response": ANSWERS,
        },
        REFUSAL,
    ),
)  # fmt: skip
CONSENT_ON_NOTIFY: Final = Rule(
    "4.1",
    body=Either({"acknowledgement": {"status": one_of("OK", "ok"), "consentId": UUID}, "response": ANSWERS}, REFUSAL),
)
ON_REQUEST: Final = Rule(
    "4.2",
    body=Either(
        {"hiRequest": {"transactionId": UUID, "sessionStatus": exactly("ACKNOWLEDGED")}, "response": ANSWERS}, REFUSAL
    ),
)
DATA_NOTIFY: Final = Rule(
    "4.6",
    body={"notification": {
        "consentId": UUID, "transactionId": UUID, "doneAt": moment,
        "notifier": {"type": exactly("HIP"), "id": text()},
        "statusNotification": {
            "sessionStatus": one_of("TRANSFERRED", "FAILED"), "hipId": text(),
            "statusResponses": [{
                "careContextReference": REFERENCE, "hiStatus": one_of("OK", "DELIVERED", "ERRORED"), "description?": text(),
            }],
        },
    }},
)  # fmt: skip
PUSH: Final = Rule(
    "4.6", Surface.PUSH,
    body={
        "pageNumber": whole(), "pageCount": whole(1), "transactionId": UUID,
        "entries": [{
            "content": text(r"[A-Za-z0-9+/]+={0,2}"), "media": exactly("application/fhir+json"),
            "checksum": text(r"[0-9a-fA-F]{32}"), "careContextReference": REFERENCE,
        }],
        "keyMaterial": {
            "cryptoAlg": exactly("ECDH"), "curve": text(r"(?i)curve25519"),
            "dhPublicKey": {"expiry": moment, "parameters": text(), "keyValue": text(r"[A-Za-z0-9+/]+={0,2}")},
            "nonce": text(),
        },
    },
)  # fmt: skip


def _scope(*words: str) -> Any:
    allowed = one_of(*words)
    return [allowed]


def _otp_request(scopes: tuple[str, ...], hints: tuple[str, ...]) -> dict[str, Any]:
    return {
        "txnId?": anything, "scope": _scope(*scopes), "loginHint": one_of(*hints), "loginId": SEALED,
        "otpSystem": one_of("aadhaar", "abdm"),
    }  # fmt: skip


def _otp_answer(*scopes: str) -> dict[str, Any]:
    otp = {"timeStamp?": anything, "txnId": UUID, "otpValue": SEALED, "mobile?": text(r"[6-9][0-9]{9}")}
    return {"scope": _scope(*scopes), "authData": {"authMethods": [exactly("otp")], "otp": otp}}


_LOGIN: Final = ("abha-login", "mobile-verify", "aadhaar-verify")
_PHR: Final = ("abha-address-login", "mobile-verify", "aadhaar-verify")
ENROL_OTP: Final = Rule("2.3", Surface.ABHA, body=_otp_request(("abha-enrol", "mobile-verify"), ("aadhaar", "mobile")))
ENROL: Final = Rule(
    "2.3", Surface.ABHA,
    body={
        "authData": {
            "authMethods": [exactly("otp")],
            "otp": {"timeStamp?": anything, "txnId": UUID, "otpValue": SEALED, "mobile": text(r"[6-9][0-9]{9}")},
        },
        "consent": {"code": exactly("abha-enrollment"), "version": exactly("1.4")},
    },
)  # fmt: skip
ENROL_MOBILE: Final = Rule("2.3", Surface.ABHA, body=_otp_answer("abha-enrol", "mobile-verify"))
SUGGESTION: Final = Rule("2.3", Surface.ABHA, headers=("TRANSACTION_ID",))
ENROL_ADDRESS: Final = Rule("2.3", Surface.ABHA, body={"txnId": UUID, "abhaAddress": text(), "preferred": exactly(1)})
LOGIN_OTP: Final = Rule("2.4", Surface.ABHA, body=_otp_request(_LOGIN, ("mobile", "aadhaar", "abha-number")))
LOGIN_VERIFY: Final = Rule("2.4", Surface.ABHA, body=_otp_answer(*_LOGIN))
LOGIN_USER: Final = Rule(
    "2.4", Surface.ABHA, headers=("T-token",),
    body={"ABHANumber": text(r"[0-9]{2}(-[0-9]{4}){3}"), "txnId": UUID},
)  # fmt: skip
SEARCH: Final = Rule("2.4", Surface.ABHA, body={"abhaAddress": ADDRESS})
PHR_OTP: Final = Rule("2.4", Surface.ABHA, body=_otp_request(_PHR, ("abha-address", "mobile-number")))
PHR_VERIFY: Final = Rule("2.4", Surface.ABHA, body=_otp_answer(*_PHR))
PROFILE: Final = Rule("2.5", Surface.ABHA, headers=("X-token",))
CERTIFICATE: Final = Rule("2.2", Surface.ABHA)
