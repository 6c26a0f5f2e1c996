"""One coroutine per action: our fields to a request to ABDM, its answer to ours. No credential, no retry.

push_record is not here: it goes past the network, and the flow that makes it asks network.py for its request.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from connectors.abdm import abha, answers, consent, linking
from connectors.abdm.actions import (
    ChooseAccount,
    ChooseAddress,
    Enrol,
    FindAddress,
    ReadCard,
    ReadProfile,
    ReadQr,
    RequestEnrolmentCode,
    RequestLoginCode,
    RequestMobileCode,
    SuggestAddresses,
    VerifyLogin,
    VerifyMobile,
)
from connectors.abdm.certificates import ENROLMENT_AND_PROFILE, encrypted, forget
from connectors.abdm.errors import refusal_in
from connectors.abdm.headers import account_of, environment_in, gateway_base, headers, request_id, timestamp
from connectors.abdm.identifiers import check_number, dashed, passes_luhn
from connectors.contract import Ambiguous, Egress, Rejected, VendorAnswer
from connectors.records import (
    AnswerConfirmation,
    AnswerConsent,
    AnswerDiscovery,
    AnswerLink,
    AnswerRecords,
    AnswerShare,
    InvitePatient,
    LinkContexts,
    NotifyContext,
    ReportTransfer,
    RequestLinkToken,
)
from connectors.wire import build_request, parse_object

_API: Final = "/api/hiecm"
_BY_PATIENT: Final = f"{_API}/user-initiated-linking/v3"
_ENROL: Final = "/v3/enrollment"
_MOBILE_SCOPE: Final = ["abha-enrol", "mobile-verify"]


async def request_enrolment_code(fields: RequestEnrolmentCode, egress: Egress) -> VendorAnswer:
    """Have UIDAI send a code to the mobile that Aadhaar knows."""
    body = {
        "txnId": "",
        "scope": ["abha-enrol"],
        "loginHint": "aadhaar",
        "loginId": await encrypted(fields.aadhaar, ENROLMENT_AND_PROFILE, egress),
        "otpSystem": "aadhaar",
    }
    return await _code(egress, f"{_ENROL}/request/otp", body)


async def enrol(fields: Enrol, egress: Egress) -> VendorAnswer:
    """Make an account. It is made once: what is not clear afterwards is looked up by a login, never sent again."""
    proof = abha.with_code(fields.transaction, await encrypted(fields.code, ENROLMENT_AND_PROFILE, egress))
    proof["otp"]["mobile"] = fields.mobile
    response = await abha.ask(egress, "POST", f"{_ENROL}/enrol/byAadhaar", {"authData": proof, "consent": abha.CONSENT})
    found = answers.good(response)
    abha.check_outcome(found)
    return VendorAnswer(answers.enrolled(found), None, response.status_code)


async def request_mobile_code(fields: RequestMobileCode, egress: Egress) -> VendorAnswer:
    """Have a code sent to another mobile than Aadhaar's."""
    body = {
        "txnId": fields.transaction,
        "scope": _MOBILE_SCOPE,
        "loginHint": "mobile",
        "loginId": await encrypted(fields.mobile, ENROLMENT_AND_PROFILE, egress),
        "otpSystem": "abdm",
    }
    return await _code(egress, f"{_ENROL}/request/otp", body)


async def verify_mobile(fields: VerifyMobile, egress: Egress) -> VendorAnswer:
    """Prove another mobile with the code that went there."""
    proof = abha.with_code(fields.transaction, await encrypted(fields.code, ENROLMENT_AND_PROFILE, egress))
    response = await abha.ask(egress, "POST", f"{_ENROL}/auth/byAbdm", {"scope": _MOBILE_SCOPE, "authData": proof})
    found = answers.good(response)
    abha.check_outcome(found)
    transaction = answers.transaction(found)
    return VendorAnswer({"transaction": transaction, "verified": True}, transaction, response.status_code)


async def suggest_addresses(fields: SuggestAddresses, egress: Egress) -> VendorAnswer:
    """Ask which addresses would be free."""
    further = {"TRANSACTION_ID": fields.transaction}
    response = await abha.ask(egress, "GET", f"{_ENROL}/enrol/suggestion", further=further)
    kept = {"transaction": fields.transaction, "addresses": answers.suggested(answers.good(response))}
    return VendorAnswer(kept, fields.transaction, response.status_code)


async def choose_address(fields: ChooseAddress, egress: Egress) -> VendorAnswer:
    """Give a new account its address."""
    body = {"txnId": fields.transaction, "abhaAddress": fields.address, "preferred": 1}
    response = await abha.ask(egress, "POST", f"{_ENROL}/enrol/abha-address", body)
    return VendorAnswer(answers.chosen(answers.good(response)), fields.transaction, response.status_code)


async def find_address(fields: FindAddress, egress: Egress) -> VendorAnswer:
    """Ask whether there is an address, and how its owner can log in."""
    response = await abha.ask(egress, "POST", "/v3/phr/web/login/abha/search", {"abhaAddress": fields.address})
    if answers.user_is_unknown(response):
        return VendorAnswer({"found": False}, None, response.status_code)
    return VendorAnswer(answers.found_address(answers.good(response)), None, response.status_code)


async def request_login_code(fields: RequestLoginCode, egress: Egress) -> VendorAnswer:
    """Have a code sent to a patient who has an ABHA; that there is none is a result."""
    path, _, key = abha.login_paths(fields.by)
    plain = abha.login_id(fields)
    doubtful = fields.by == "abha_number" and not passes_luhn(plain.replace("-", ""))
    warning = {"warning": "number_check_digit"} if doubtful else {}
    response = await abha.ask(egress, "POST", path, abha.login_code(fields, await encrypted(plain, key, egress)))
    if answers.user_is_unknown(response):
        return VendorAnswer({"found": False, **warning}, None, response.status_code)
    kept = _sent(response, key, egress)
    return VendorAnswer({"found": True, **kept, **warning}, kept["transaction"], response.status_code)


async def verify_login(fields: VerifyLogin, egress: Egress) -> VendorAnswer:
    """Log a patient in; where their mobile has several accounts, one is still to be chosen."""
    _, path, key = abha.login_paths(fields.by)
    proof = abha.with_code(fields.transaction, await encrypted(fields.code, key, egress))
    scope = abha.login_scope(fields.by, fields.code_to)
    response = await abha.ask(egress, "POST", path, {"scope": scope, "authData": proof})
    found = answers.good(response)
    abha.check_outcome(found)
    nested = found.get("tokens")
    held = nested if isinstance(nested, Mapping) and "token" not in found else found
    waits = abha.is_transfer(held, fields.by)
    kept = {
        "complete": not waits,
        "session": f"{'T' if waits else 'X'}.{answers.token_in(held)}",
        "transaction": found.get("txnId") or fields.transaction,
        "accounts": answers.accounts(found) if waits else [],
    }
    return VendorAnswer(kept, fields.transaction, response.status_code)


async def choose_account(fields: ChooseAccount, egress: Egress) -> VendorAnswer:
    """Say which account it is; only the token that waits for a choice is good for that."""
    body = {"ABHANumber": dashed(check_number(fields.number)), "txnId": fields.transaction}
    further = {"T-token": f"Bearer {fields.session.partition('.')[2]}"}
    response = await abha.ask(egress, "POST", "/v3/profile/login/verify/user", body, further=further)
    kept: dict[str, Any] = {"session": f"X.{answers.token_in(answers.good(response))}"}
    if not passes_luhn(fields.number):
        kept["warning"] = "number_check_digit"
    return VendorAnswer(kept, fields.transaction, response.status_code)


async def read_profile(fields: ReadProfile, egress: Egress) -> VendorAnswer:
    """Read the profile of a patient who is logged in."""
    response = await abha.ask_as_patient(egress, "/v3/profile/account", fields.session)
    return VendorAnswer(answers.profile_of(response), None, response.status_code)


async def read_card(fields: ReadCard, egress: Egress) -> VendorAnswer:
    """Get the card of a patient who is logged in."""
    response = await abha.ask_as_patient(egress, "/v3/profile/account/abha-card", fields.session)
    return VendorAnswer(answers.picture(response), None, response.status_code)


async def read_qr(fields: ReadQr, egress: Egress) -> VendorAnswer:
    """Get the code on the card of a patient who is logged in."""
    response = await abha.ask_as_patient(egress, "/v3/profile/account/qrCode", fields.session)
    return VendorAnswer(answers.picture(response), None, response.status_code)


async def request_link_token(fields: RequestLinkToken, egress: Egress) -> VendorAnswer:
    """Ask for the right to link a patient's records. The token comes as a message, or never where the id is wrong."""
    return await _tell(egress, f"{_API}/v3/token/generate-token", linking.link_token(fields), own_id=fields.request_id)


async def link_contexts(fields: LinkContexts, egress: Egress) -> VendorAnswer:
    """Link visits; what was linked before is as good."""
    further = {"X-LINK-TOKEN": fields.link_token}
    path = f"{_API}/hip/v3/link/carecontext"
    try:
        return await _tell(egress, path, linking.link(fields), own_id=fields.request_id, further=further)
    except Rejected as refused:
        if refused.code != "already_linked":
            raise
        return _taken(egress, fields.request_id, 200)


async def notify_context(fields: NotifyContext, egress: Egress) -> VendorAnswer:
    """Say that a linked visit has documents of new kinds. Too soon after the link the network knows nothing of it yet."""
    body = linking.notice(fields, account_of(egress.account))
    return await _tell(egress, f"{_API}/hip/v3/link/context/notify", body, own_id=fields.request_id)


async def invite_patient(fields: InvitePatient, egress: Egress) -> VendorAnswer:
    """Let the network write to a patient."""
    body = linking.invitation(
        fields,
        account_of(egress.account),
        request_id=_id_of(egress, fields.request_id),
        sent_at=timestamp(egress.now),
    )
    return await _tell(egress, f"{_API}/hip/v3/link/patient/links/sms/notify2", body, own_id=fields.request_id)


async def answer_discovery(fields: AnswerDiscovery, egress: Egress) -> VendorAnswer:
    """Say which visits of a patient lie here."""
    return await _tell(egress, f"{_BY_PATIENT}/patient/care-context/on-discover", linking.discovered(fields))


async def answer_link(fields: AnswerLink, egress: Egress) -> VendorAnswer:
    """Say that a code is on its way."""
    return await _tell(egress, f"{_BY_PATIENT}/link/care-context/on-init", linking.initiated(fields))


async def answer_confirmation(fields: AnswerConfirmation, egress: Egress) -> VendorAnswer:
    """Say which visits are linked now."""
    return await _tell(egress, f"{_BY_PATIENT}/link/care-context/on-confirm", linking.confirmed(fields))


async def answer_share(fields: AnswerShare, egress: Egress) -> VendorAnswer:
    """Give a place in the queue; the patient's app waits half a minute for it."""
    return await _tell(egress, f"{_API}/patient-share/v3/on-share", linking.queued(fields))


async def answer_consent(fields: AnswerConsent, egress: Egress) -> VendorAnswer:
    """Say that a consent, or its end, was taken note of."""
    return await _tell(egress, f"{_API}/consent/v3/request/hip/on-notify", consent.noted(fields))


async def answer_records(fields: AnswerRecords, egress: Egress) -> VendorAnswer:
    """Say that records will be sent, or why not."""
    path = f"{_API}/data-flow/v3/health-information/hip/on-request"
    return await _tell(egress, path, consent.agreed(fields), of_records=True)


async def report_transfer(fields: ReportTransfer, egress: Egress) -> VendorAnswer:
    """Say what was sent, visit by visit."""
    body = consent.transferred(fields, account_of(egress.account), egress.settings.get("transfer_word", "OK"))
    return await _tell(egress, f"{_API}/data-flow/v3/health-information/notify", body, of_records=True)


async def _tell(
    egress: Egress,
    path: str,
    body: Mapping[str, Any],
    *,
    own_id: str | None = None,
    further: Mapping[str, str] | None = None,
    of_records: bool = False,
) -> VendorAnswer:
    """Tell the network's gateway something. That it was taken says only that: what came of it comes as a message."""
    environment = environment_in(egress.settings)
    own = headers(
        request_id=_id_of(egress, own_id), now=egress.now, environment=environment, account=account_of(egress.account)
    )
    address = gateway_base(egress.base_url, environment) + path
    content = orjson.dumps(body)
    response = await egress.send(build_request("POST", address, headers={**own, **(further or {})}, content=content))
    if refusal := refusal_in(response, of_records=of_records):
        raise refusal
    # Some pages answer 200 where others say 202; with 202 nothing needs to be said.
    if response.status_code != 202 and response.content and parse_object(response.content) is None:
        raise Ambiguous("unreadable_answer")
    return _taken(egress, own_id, response.status_code)


def _taken(egress: Egress, own_id: str | None, status: int) -> VendorAnswer:
    name = _id_of(egress, own_id)
    return VendorAnswer({"request_id": name}, name, status)


def _id_of(egress: Egress, own_id: str | None) -> str:
    """The id that whoever waits for an answer stored before, or one drawn from the disclosure's key."""
    return own_id or request_id(egress.idempotency_key)


async def _code(egress: Egress, path: str, body: Mapping[str, Any]) -> VendorAnswer:
    response = await abha.ask(egress, "POST", path, body)
    kept = _sent(response, ENROLMENT_AND_PROFILE, egress)
    return VendorAnswer(kept, kept["transaction"], response.status_code)


def _sent(response: Any, key: str, egress: Egress) -> dict[str, Any]:
    """That a code is on its way. A value that could not be read was perhaps encrypted for another key."""
    try:
        return answers.code_sent(answers.good(response))
    except Rejected as refused:
        if refused.code.startswith("field_refused"):
            forget(key, egress)
        raise
