"""A new ABHA number by Aadhaar OTP: the one way that a private integrator must have (2.3)."""

import re
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, Response

from connectors.abdm.simulator import abha, keys, rules
from connectors.abdm.simulator.people import Patient
from connectors.abdm.simulator.refusals import Refused

if TYPE_CHECKING:
    from connectors.abdm.simulator.abha import Transaction
    from connectors.abdm.simulator.desk import Ask
    from connectors.abdm.simulator.network import Network

_NAME: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9]|[._](?![._])){6,16}[a-zA-Z0-9]")


async def _request_otp(ask: "Ask") -> Response:
    """Send an OTP to the number that Aadhaar knows, or to another one that is to be verified."""
    network, body = ask.network, ask.body
    value = abha.opened(ask, body["loginId"], bits=keys.PROFILE_BITS, name="loginId")
    if body["loginHint"] == "mobile":
        known = network.abha.transactions.get(body.get("txnId") or "")
        if known is None or known.patient is None:
            raise Refused(400, "ABDM-2406", "Enrol by Aadhaar first")
        mobile = value
    else:
        if not abha.aadhaar_holds(value):
            ask.fault("2.1", "an Aadhaar number that fails Verhoeff's check is not to be sent")
        citizen = network.abha.citizens.get(value)
        if citizen is None:
            raise abha.blamed("loginId", "Invalid LoginId")
        mobile, known = citizen.mobile, None
    opening = abha.opening(network, value, body["loginHint"], body["scope"])
    opening.patient = known.patient if known else None
    abha.send_otp(network, opening, mobile)
    return JSONResponse({"txnId": opening.id, "message": f"OTP sent to mobile number ending with ******{mobile[-4:]}"})


async def _by_aadhaar(ask: "Ask") -> Response:
    """Make the account, or find the one that this person has already."""
    network = ask.network
    transaction, right = abha.verified(ask)
    if not right:
        raise Refused(422, "ABDM-1204", "Please enter a valid OTP. Entered OTP is either expired or incorrect.")
    citizen = network.abha.citizens.get(transaction.subject)
    if citizen is None or transaction.hint != "aadhaar":
        raise Refused(400, "ABDM-2406", "This transaction is of another kind")
    known = next((each for each in network.patients.values() if each.aadhaar == citizen.aadhaar), None)
    patient = known or network.add_patient(
        citizen.name, mobile=citizen.mobile, year_of_birth=citizen.year_of_birth, gender=citizen.gender,
        aadhaar=citizen.aadhaar,
    )  # fmt: skip
    transaction.patient = patient
    told = {**patient.profile(), "phrAddress": [patient.address]}
    tokens = abha.user_tokens(network, patient)
    return JSONResponse(
        {
            "message": "Account created successfully" if known is None else "This account already exist",
            "txnId": transaction.id, "tokens": tokens, "ABHAProfile": told, "isNew": known is None,
        }
    )  # fmt: skip


async def _by_abdm(ask: "Ask") -> Response:
    """Another mobile, verified by its own OTP."""
    transaction, right = abha.verified(ask)
    if not right or transaction.patient is None:
        return JSONResponse({"txnId": transaction.id, "authResult": "failed", "message": "Please enter a valid OTP."})
    transaction.patient.mobile = transaction.subject
    told = {"ABHANumber": transaction.patient.dashed, "name": transaction.patient.name}
    return JSONResponse(
        {
            "txnId": transaction.id, "authResult": "success", "message": "Mobile number is now successfully linked",
            "accounts": [told],
        }
    )  # fmt: skip


def _enrolled(network: "Network", txn_id: str) -> "tuple[Transaction, Patient]":
    transaction = network.abha.transactions.get(txn_id)
    if transaction is None or transaction.patient is None:
        raise Refused(400, "ABDM-2406", "Enrol by Aadhaar first")
    return transaction, transaction.patient


async def _suggestion(ask: "Ask") -> Response:
    transaction, patient = _enrolled(ask.network, ask.header("TRANSACTION_ID"))
    stem = re.sub(r"[^a-z0-9]", "", patient.name.lower())[:10].ljust(4, "0")
    names = (f"{stem}{patient.year_of_birth}", f"{stem}.{patient.year_of_birth}", f"{stem}_{patient.mobile[-4:]}")
    free = [each for each in names if f"{each}@sbx" not in ask.network.patients]
    return JSONResponse({"txnId": transaction.id, "abhaAddressList": free})


async def _address(ask: "Ask") -> Response:
    """Give the account a name of its choice, with or without the domain behind it."""
    network = ask.network
    transaction, patient = _enrolled(network, ask.body["txnId"])
    name = ask.body["abhaAddress"].lower().removesuffix("@sbx")
    if not _NAME.fullmatch(name):
        raise abha.blamed("abhaAddress", "Abha address must have 8 to 18 letters and digits, a dot and an underscore")
    address = f"{name}@sbx"
    if network.patients.get(address, patient) is not patient:
        raise Refused(409, "ABDM-1102", "This ABHA address already exists")
    network.patients.pop(patient.address, None)
    patient.address = address
    network.patients[address] = patient
    return JSONResponse(
        {"txnId": transaction.id, "healthIdNumber": patient.dashed, "preferredAbhaAddress": address}
    )  # fmt: skip


_PREFIX: Final = "/abha/api/v3/enrollment"
CALLS: Final = (
    ("POST", f"{_PREFIX}/request/otp", rules.ENROL_OTP, _request_otp),
    ("POST", f"{_PREFIX}/enrol/byAadhaar", rules.ENROL, _by_aadhaar),
    ("POST", f"{_PREFIX}/auth/byAbdm", rules.ENROL_MOBILE, _by_abdm),
    ("GET", f"{_PREFIX}/enrol/suggestion", rules.SUGGESTION, _suggestion),
    ("POST", f"{_PREFIX}/enrol/abha-address", rules.ENROL_ADDRESS, _address),
)
