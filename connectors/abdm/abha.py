"""The ABHA service, as far as a desk needs it: bodies, the tokens of a patient's login, and the one way of asking it.

A code to a mobile gives a transfer token, with which one of the mobile's accounts is chosen; a code by Aadhaar gives the login
itself. Which of the two came is told by what came with it: a refresh token means that nothing is left to choose.
"""

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from connectors.abdm.actions import RequestLoginCode
from connectors.abdm.certificates import ENROLMENT_AND_PROFILE, PHR
from connectors.abdm.errors import refusal_in
from connectors.abdm.headers import abha_base, environment_in, headers, request_id
from connectors.abdm.identifiers import check_aadhaar, check_address, check_mobile, check_number, dashed
from connectors.contract import ConnectorError, Egress, Rejected
from connectors.wire import build_request, parse_object

if TYPE_CHECKING:
    import httpx2

CONSENT: Final = {"code": "abha-enrollment", "version": "1.4"}
_LOGIN_HINTS: Final = {
    "mobile": "mobile",
    "aadhaar": "aadhaar",
    "abha_number": "abha-number",
    "abha_address": "abha-address",
}
_SYSTEMS: Final = {"mobile": "abdm", "aadhaar": "aadhaar"}


async def ask(
    egress: Egress,
    method: Literal["GET", "POST"],
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    further: Mapping[str, str] | None = None,
    step: str = "",
) -> "httpx2.Response":
    """One request to the ABHA service; its answer of any status."""
    environment = environment_in(egress.settings)
    own = headers(
        request_id=request_id(egress.idempotency_key, step),
        now=egress.now,
        environment=environment,
        account=egress.account,
    )
    content = None if body is None else orjson.dumps(body)
    address = abha_base(egress.base_url, environment) + path
    return await egress.send(build_request(method, address, headers={**own, **(further or {})}, content=content))


async def ask_as_patient(egress: Egress, path: str, session: str) -> "httpx2.Response":
    """Read something of a patient's who is logged in. NHA's pages differ on the form of the token: once more, without a word."""
    token = session.partition(".")[2]
    answer = await ask(egress, "GET", path, further={"X-token": f"Bearer {token}"})
    if is_user_token_refused(refusal_in(answer)):
        answer = await ask(egress, "GET", path, further={"X-token": token}, step="bare")
    return answer


def is_user_token_refused(refusal: ConnectorError | None) -> bool:
    """Whether it was the token of the patient's login that was not taken."""
    return isinstance(refusal, Rejected) and refusal.code == "user_token_refused"


def login_paths(by: str) -> tuple[str, str, str]:
    """Where a login is begun, where it is finished, and where the key for it is."""
    if by == "abha_address":
        return "/v3/phr/web/login/abha/request/otp", "/v3/phr/web/login/abha/verify", PHR
    return "/v3/profile/login/request/otp", "/v3/profile/login/verify", ENROLMENT_AND_PROFILE


def login_scope(by: str, code_to: str) -> list[str]:
    """What a login is for, in the service's words; the same where it is begun and where it is finished."""
    first = "abha-address-login" if by == "abha_address" else "abha-login"
    return [first, f"{code_to}-verify"]


def login_id(fields: RequestLoginCode) -> str:
    """What is encrypted: an ABHA number with dashes, everything else in its plain form."""
    if fields.by == "abha_number":
        return dashed(check_number(fields.identifier))
    if fields.by == "mobile":
        return check_mobile(fields.identifier)
    if fields.by == "aadhaar":
        return check_aadhaar(fields.identifier)
    return check_address(fields.identifier)


def login_code(fields: RequestLoginCode, encrypted: str) -> dict[str, Any]:
    """Have a code sent to a patient."""
    return {
        "scope": login_scope(fields.by, fields.code_to),
        "loginHint": _LOGIN_HINTS[fields.by],
        "loginId": encrypted,
        "otpSystem": _SYSTEMS[fields.code_to],
    }


def with_code(transaction: str, encrypted: str) -> dict[str, Any]:
    """What proves a code."""
    return {"authMethods": ["otp"], "otp": {"txnId": transaction, "otpValue": encrypted}}


def check_outcome(found: Mapping[str, Any]) -> None:
    """Raise Rejected where an answer of status 200 says that the code was not right."""
    if str(found.get("authResult", "success")).lower() != "success":
        raise Rejected("code_refused")


def is_transfer(found: Mapping[str, Any], by: str) -> bool:
    """Whether a token only serves to choose an account."""
    if _type_of(found.get("token")) == "transfer":
        return True
    return by != "abha_address" and not found.get("refreshToken")


def _type_of(token: object) -> str:
    """What a token says that it is. Unverified: it is handed back to whoever made it, and trusted with nothing."""
    middle = token.split(".")[1] if isinstance(token, str) and token.count(".") == 2 else ""
    try:
        claims = parse_object(urlsafe_b64decode(middle.encode("ascii", "replace") + b"=" * (-len(middle) % 4)))
    except (binascii.Error, ValueError):
        return ""
    return str((claims or {}).get("typ", "")).lower()
