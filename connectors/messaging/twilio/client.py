"""One coroutine per action: our fields to a request to Twilio, its answer to ours. No credential, no retry, no SDK.

Twilio keeps no idempotency key. What stands in for one is the attempt's own opaque id in the status callback's query,
which Twilio signs with the address: after a timeout the first callback says whether the message was taken.
"""

import re
from typing import Final
from urllib.parse import urlencode

from connectors.contract import Egress, ReconnectNeeded, Rejected, VendorAnswer
from connectors.messaging.actions import SendCode, SendConfirmationRequest, SendNotice, SendPaymentLink, SendReminder
from connectors.messaging.twilio import answers
from connectors.wire import build_request, wording_of

#: How long a reminder may wait in Twilio's queue: later it would come at night, or after the appointment.
REMINDER_SECONDS: Final = 4 * 3600
#: How long a code may: it holds no longer.
CODE_SECONDS: Final = 600
LONGEST_TEXT: Final = 1600
_HEADERS: Final = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_SERVICE: Final = re.compile(r"MG[0-9a-f]{32}")


async def send_reminder(fields: SendReminder, egress: Egress) -> VendorAnswer:
    """Remind somebody of an appointment."""
    return await _send(fields.phone, egress, valid_seconds=REMINDER_SECONDS)


async def send_confirmation_request(fields: SendConfirmationRequest, egress: Egress) -> VendorAnswer:
    """Remind somebody, and ask whether they will come."""
    return await _send(fields.phone, egress, valid_seconds=REMINDER_SECONDS)


async def send_payment_link(fields: SendPaymentLink, egress: Egress) -> VendorAnswer:
    """Send the address of a page where something is paid."""
    return await _send(fields.phone, egress)


async def send_notice(fields: SendNotice, egress: Egress) -> VendorAnswer:
    """Send a word of the clinic's."""
    return await _send(fields.phone, egress)


async def send_code(fields: SendCode, egress: Egress) -> VendorAnswer:
    """Send a code that somebody waits for; one that comes when it holds no more is of no use."""
    return await _send(fields.phone, egress, valid_seconds=CODE_SECONDS)


async def _send(phone: str, egress: Egress, *, valid_seconds: int | None = None) -> VendorAnswer:
    """Create one message and take the answer apart. Raises the contract's errors, and sends nothing without words."""
    if egress.account is None:
        raise ReconnectNeeded("account_missing")
    path = f"/2010-04-01/Accounts/{egress.account}/Messages.json"
    content = urlencode(parameters(phone, egress, valid_seconds)).encode("ascii")
    response = await egress.send(build_request("POST", egress.base_url + path, headers=_HEADERS, content=content))
    body = answers.of(response)
    return VendorAnswer(body, body["id"], response.status_code)


def parameters(phone: str, egress: Egress, valid_seconds: int | None) -> dict[str, str]:
    """The form's parameters, by Twilio's names. Raises Rejected where there are no words, too many, or no sender."""
    text, sender = wording_of(egress).text, egress.settings.get("sender", "")
    if not sender:
        raise Rejected("sender_missing")
    if not text.strip():
        raise Rejected("text_missing")
    if len(text) > LONGEST_TEXT:
        raise Rejected("text_too_long")
    given = {"To": phone, "MessagingServiceSid" if _SERVICE.fullmatch(sender) else "From": sender, "Body": text}
    if egress.callback_url is not None:
        given["StatusCallback"] = f"{egress.callback_url}?{urlencode({'d': egress.idempotency_key})}"
    if egress.settings.get("redaction") == "on":
        given |= {"ContentRetention": "discard", "AddressRetention": "obfuscate"}
    if valid_seconds is not None:
        given["ValidityPeriod"] = str(valid_seconds)
    return given
