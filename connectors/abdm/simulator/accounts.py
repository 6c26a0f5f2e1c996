"""A person shows that an ABHA is theirs (2.4), and what software may read then: profile, card, QR code (2.5)."""

import io
from typing import TYPE_CHECKING, Any, Final

import segno
from starlette.responses import JSONResponse, Response

from connectors.abdm.simulator import abha, keys, rules
from connectors.abdm.simulator.people import Patient
from connectors.abdm.simulator.refusals import Refused

if TYPE_CHECKING:
    from connectors.abdm.simulator.abha import Transaction
    from connectors.abdm.simulator.desk import Ask
    from connectors.abdm.simulator.network import Network

#: loginHint -> the field of a patient that it names.
_LOGINS: Final = {
    "mobile": "mobile", "mobile-number": "mobile", "aadhaar": "aadhaar", "abha-number": "dashed", "abha-address": "address",
}  # fmt: skip


async def _certificate(_: "Ask") -> Response:
    return JSONResponse(keys.field_certificate(keys.PROFILE_BITS))


async def _phr_certificate(_: "Ask") -> Response:
    return JSONResponse(keys.field_certificate(keys.PHR_BITS))


def _owners(network: "Network", hint: str, value: str) -> list[Patient]:
    """Whose login this is; several people may have one mobile."""
    field = _LOGINS[hint]
    return [each for each in network.patients.values() if getattr(each, field) == value]


def _check_login(ask: "Ask", hint: str, value: str) -> None:
    if hint == "abha-number" and value.count("-") != 3:
        ask.fault("2.1", "loginId needs the ABHA number with dashes")
        raise abha.blamed("loginId", "LoginId is invalid")
    if hint == "aadhaar" and not abha.aadhaar_holds(value):
        ask.fault("2.1", "an Aadhaar number that fails Verhoeff's check is not to be sent")
        raise abha.blamed("loginId", "LoginId is invalid")


async def _send(ask: "Ask", bits: int) -> Response:
    network, body = ask.network, ask.body
    value = abha.opened(ask, body["loginId"], bits=bits, name="loginId")
    _check_login(ask, body["loginHint"], value)
    by_aadhaar = "aadhaar-verify" in body["scope"]
    if (body["otpSystem"] == "aadhaar") != by_aadhaar:
        ask.fault("2.4", "otpSystem aadhaar belongs to the scope aadhaar-verify, abdm to mobile-verify")
        raise abha.blamed("otpSystem", "Invalid OtpSystem")
    owners = _owners(network, body["loginHint"], value.lower() if body["loginHint"] == "abha-address" else value)
    if not owners:
        raise abha.not_found()
    opening = abha.opening(network, value, body["loginHint"], body["scope"])
    opening.patient = owners[0]
    abha.send_otp(network, opening, owners[0].mobile)
    return JSONResponse({"txnId": opening.id, "message": f"OTP sent to ******{owners[0].mobile[-4:]}"})


async def _login_otp(ask: "Ask") -> Response:
    return await _send(ask, keys.PROFILE_BITS)


async def _phr_otp(ask: "Ask") -> Response:
    return await _send(ask, keys.PHR_BITS)


async def _verify(ask: "Ask") -> Response:
    """A wrong OTP is told with status 200. One by mobile brings a transfer token, one by Aadhaar the user's own."""
    transaction, right = abha.verified(ask)
    if not right:
        return JSONResponse(_failed(transaction))
    network, patient = ask.network, _owner(transaction)
    accounts = _owners(network, transaction.hint, transaction.subject)
    told = {"txnId": transaction.id, "authResult": "success", "message": "OTP verified successfully"}
    listed = [_account(each) for each in accounts]
    if "aadhaar-verify" in transaction.scope:
        return JSONResponse({**told, **abha.user_tokens(network, patient), "accounts": listed})
    transfer = abha.token(network, "Transfer", transaction.id, abha.TRANSFER_SECONDS)
    return JSONResponse({**told, "token": transfer, "expiresIn": abha.TRANSFER_SECONDS, "accounts": listed})


async def _verify_user(ask: "Ask") -> Response:
    """Choose one of the accounts behind a mobile, by the transfer token."""
    network = ask.network
    transaction = network.abha.transactions.get(abha.bearer_of(ask, "T-token", "Transfer"))
    if transaction is None or transaction.id != ask.body["txnId"]:
        raise Refused(400, "ABDM-1006", "Invalid txnId")
    owners = _owners(network, transaction.hint, transaction.subject)
    chosen = next((each for each in owners if each.dashed == ask.body["ABHANumber"]), None)
    if chosen is None:
        raise abha.not_found()
    return JSONResponse(abha.user_tokens(network, chosen))


async def _search(ask: "Ask") -> Response:
    patient = ask.network.patients.get(ask.body["abhaAddress"].lower())
    if patient is None:
        raise abha.not_found()
    hidden = f"{patient.dashed[:2]}-xxxx-xxxx-{patient.dashed[-4:]}"
    return JSONResponse(
        {
            "healthIdNumber": hidden, "abhaAddress": patient.address, "status": "ACTIVE", "fullName": patient.name,
            "authMethods": ["AADHAAR_OTP", "MOBILE_OTP"], "blockedAuthMethods": [],
        }
    )  # fmt: skip


async def _phr_verify(ask: "Ask") -> Response:
    """By address: the user's token at once. By mobile: whom it belongs to, self-declared addresses among them."""
    transaction, right = abha.verified(ask, bits=keys.PHR_BITS)
    if not right:
        return JSONResponse(_failed(transaction))
    users = [
        {"abhaAddress": each.address, "fullName": each.name, "abhaNumber": each.dashed, "status": "ACTIVE"}
        for each in _owners(ask.network, transaction.hint, transaction.subject.lower())
    ]
    tokens = abha.user_tokens(ask.network, _owner(transaction))
    told = {"txnId": transaction.id, "authResult": "success", "message": "OTP verified successfully", "users": users}
    return JSONResponse({**told, "tokens": tokens})


async def _account_told(ask: "Ask") -> Response:
    return JSONResponse(_whose(ask).profile())


async def _card(ask: "Ask") -> Response:
    return _picture(_whose(ask), 6)


async def _qr_code(ask: "Ask") -> Response:
    return _picture(_whose(ask), 4)


def _picture(patient: Patient, scale: int) -> Response:
    drawn = io.BytesIO()
    segno.make(f"{patient.dashed}\n{patient.address}\n{patient.name}", error="m").save(drawn, kind="png", scale=scale)
    return Response(drawn.getvalue(), media_type="image/png")


def _whose(ask: "Ask") -> Patient:
    number = abha.bearer_of(ask, "X-token", "Transaction")  # and not the address, which may be chosen anew meanwhile
    return next(each for each in ask.network.patients.values() if each.abha_number == number)


def _owner(transaction: "Transaction") -> Patient:
    if transaction.patient is None:
        raise Refused(400, "ABDM-2406", "This transaction is of another kind")
    return transaction.patient


def _failed(transaction: "Transaction") -> dict[str, Any]:
    return {"txnId": transaction.id, "authResult": "failed", "message": "Please enter a valid OTP."}


def _account(patient: Patient) -> dict[str, Any]:
    return {
        "ABHANumber": patient.dashed, "preferredAbhaAddress": patient.address, "name": patient.name,
        "gender": patient.gender, "dob": f"{patient.day_of_birth:02}-{patient.month_of_birth:02}-{patient.year_of_birth}",
        "status": "ACTIVE", "kycVerified": patient.kyc,
    }  # fmt: skip


_PROFILE: Final = "/abha/api/v3/profile"
_WEB: Final = "/abha/api/v3/phr/web/login/abha"
_APP: Final = "/abha/api/v3/phr/app/login"
CALLS: Final = (
    ("GET", f"{_PROFILE}/public/certificate", rules.CERTIFICATE, _certificate),
    ("POST", f"{_PROFILE}/login/request/otp", rules.LOGIN_OTP, _login_otp),
    ("POST", f"{_PROFILE}/login/verify", rules.LOGIN_VERIFY, _verify),
    ("POST", f"{_PROFILE}/login/verify/user", rules.LOGIN_USER, _verify_user),
    ("GET", f"{_PROFILE}/account", rules.PROFILE, _account_told),
    ("GET", f"{_PROFILE}/account/abha-card", rules.PROFILE, _card),
    ("GET", f"{_PROFILE}/account/qrCode", rules.PROFILE, _qr_code),
    ("POST", f"{_WEB}/search", rules.SEARCH, _search),
    ("POST", f"{_WEB}/request/otp", rules.PHR_OTP, _phr_otp),
    ("POST", f"{_WEB}/verify", rules.PHR_VERIFY, _phr_verify),
    ("GET", f"{_APP}/public/certificate", rules.CERTIFICATE, _phr_certificate),
    ("POST", f"{_APP}/request/otp", rules.PHR_OTP, _phr_otp),
    ("POST", f"{_APP}/verify", rules.PHR_VERIFY, _phr_verify),
)
