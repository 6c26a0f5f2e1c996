"""One coroutine per action: our fields to a template message of WhatsApp's, its answer to ours. No credential, no retry."""

from typing import Final

import orjson

from connectors.contract import Egress, Rejected, VendorAnswer
from connectors.message import Message
from connectors.messaging.actions import SendConfirmationRequest, SendNotice, SendPaymentLink, SendReminder
from connectors.messaging.whatsapp import answers
from connectors.messaging.whatsapp.components import template_message
from connectors.wire import build_request, wording_of

_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json"}


async def send_reminder(fields: SendReminder, egress: Egress) -> VendorAnswer:
    """Remind somebody of an appointment."""
    return await _say(fields, egress)


async def send_confirmation_request(fields: SendConfirmationRequest, egress: Egress) -> VendorAnswer:
    """Remind somebody and ask whether they will come."""
    return await _say(fields, egress)


async def send_payment_link(fields: SendPaymentLink, egress: Egress) -> VendorAnswer:
    """Send the address of a page where something is paid."""
    return await _say(fields, egress)


async def send_notice(fields: SendNotice, egress: Egress) -> VendorAnswer:
    """Send a word of the clinic's."""
    return await _say(fields, egress)


async def _say(fields: Message, egress: Egress) -> VendorAnswer:
    """Send one template message. Raises the contract's errors.

    The ledger gets no reference: WhatsApp's ids spell the number of the person in base 64. Ours comes back instead.
    """
    if egress.account is None:
        raise Rejected("account_missing")
    content = orjson.dumps(template_message(fields, wording_of(egress), egress.idempotency_key))
    address = f"{egress.base_url}/{egress.account}/messages"
    response = await egress.send(build_request("POST", address, headers=_HEADERS, content=content))
    if refusal := answers.refusal_in(response):
        raise refusal
    return VendorAnswer(answers.sent(response), None, response.status_code)
