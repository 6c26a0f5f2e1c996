"""The sandbox's messages: what a request may hold, how one is answered, what is told of it. Never imported in production."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Final

from scopes.segments import count

#: Of the parameters that Twilio knows, those that a message in words may have.
_KNOWN: Final = frozenset(
    {
        "To",
        "From",
        "MessagingServiceSid",
        "Body",
        "StatusCallback",
        "ContentRetention",
        "AddressRetention",
        "ValidityPeriod",
    }
)
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_SERVICE: Final = re.compile(r"MG[0-9a-f]{32}")
_NAME: Final = re.compile(r"(?=.*[A-Za-z])[0-9A-Za-z _&+-]{1,11}|[0-9]{3,8}")
_ADDRESS: Final = re.compile(r"https?://[^\s#]{1,1900}")
_LONGEST: Final = 1600
#: https://www.twilio.com/docs/iam/test-credentials
_REFUSED_RECIPIENTS: Final = {
    "+15005550001": (21211, "The 'To' number is not a valid phone number"),
    "+15005550002": (21612, "The 'To' phone number cannot be reached from the 'From' phone number"),
    "+15005550003": (21408, "Permission to send an SMS has not been enabled for the region of the 'To' number"),
    "+15005550004": (21610, "Attempt to send to unsubscribed recipient"),
    "+15005550009": (21614, "'To' number is not a valid mobile number"),
}
_REFUSED_SENDERS: Final = {
    "+15005550001": (21212, "The 'From' number is not a valid phone number"),
    "+15005550007": (21606, "The 'From' phone number is not a valid, message-capable number of this account"),
    "+15005550008": (21611, "This 'From' number has exceeded the maximum number of queued messages"),
}


class Refused(Exception):
    """Twilio's refusal: an HTTP status, its number and its words."""

    def __init__(self, status: int, code: int, message: str) -> None:
        """The body of the answer is made here."""
        super().__init__(message)
        self.status = status
        more = f"https://www.twilio.com/docs/errors/{code}"
        self.body = {"code": code, "message": message, "more_info": more, "status": status}


@dataclass
class Held:
    """One message, to a phone or from one. What stands on the phone stays there; what Twilio keeps may be less."""

    account: str
    to: str
    sender: str
    text: str
    at: float
    inbound: bool = False
    status: str = "queued"
    error_code: int | None = None
    callback: str | None = None
    discards: bool = False
    obfuscates: bool = False
    carriers: bool = False
    sid: str = field(default_factory=lambda: f"SM{secrets.token_hex(16)}")

    def told(self) -> dict[str, str]:
        """The parameters of a status callback."""
        parameters = {
            "AccountSid": self.account,
            "ApiVersion": "2010-04-01",
            "From": _number_of(self.sender),
            "MessageSid": self.sid,
            "MessageStatus": self.status,
            "SmsSid": self.sid,
            "SmsStatus": self.status,
            "To": hidden(self.to) if self.obfuscates else self.to,
        }
        if _SERVICE.fullmatch(self.sender):
            parameters["MessagingServiceSid"] = self.sender
        if self.error_code is not None:
            parameters["ErrorCode"] = str(self.error_code)
        return parameters

    def heard(self) -> dict[str, str]:
        """The parameters of an answer's callback, with all that Twilio guesses about a number."""
        return {
            "AccountSid": self.account,
            "ApiVersion": "2010-04-01",
            "Body": self.text,
            "From": self.sender,
            "FromCity": "SAN FRANCISCO",
            "FromCountry": "US",
            "FromState": "CA",
            "FromZip": "94105",
            "MessageSid": self.sid,
            "NumMedia": "0",
            "NumSegments": str(count(self.text).segments),
            "SmsMessageSid": self.sid,
            "SmsSid": self.sid,
            "SmsStatus": "received",
            "To": _number_of(self.to),
            "ToCity": "",
            "ToCountry": "US",
            "ToState": "",
            "ToZip": "",
        }


def checked(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """The parameters of a new message, or Twilio's 400."""
    given = dict(pairs)
    if len(given) != len(pairs) or given.keys() - _KNOWN:
        raise Refused(400, 20001, "Unknown or repeated parameter")
    if not given.get("To"):
        raise Refused(400, 21604, "A 'To' phone number is required.")
    if not given.get("From") and not given.get("MessagingServiceSid"):
        raise Refused(400, 21603, "A 'From' phone number is required.")
    if not given.get("Body"):
        raise Refused(400, 21602, "Message body is required.")
    if len(given["Body"]) > _LONGEST:
        raise Refused(400, 21617, "The concatenated message body exceeds the 1600 character limit")
    _check_numbers(given)
    _check_choices(given)
    return given


def _check_numbers(given: Mapping[str, str]) -> None:
    if not _NUMBER.fullmatch(given["To"]):
        raise Refused(400, *_REFUSED_RECIPIENTS["+15005550001"])
    sender, service = given.get("From", ""), given.get("MessagingServiceSid", "")
    if service and not _SERVICE.fullmatch(service):
        raise Refused(400, 21705, "The Messaging Service Sid is invalid")
    if sender and not _NUMBER.fullmatch(sender) and not _NAME.fullmatch(sender):
        raise Refused(400, *_REFUSED_SENDERS["+15005550001"])
    for refused in (_REFUSED_SENDERS.get(sender), _REFUSED_RECIPIENTS.get(given["To"])):
        if refused is not None:
            raise Refused(400, *refused)


def _check_choices(given: Mapping[str, str]) -> None:
    if "StatusCallback" in given and not _ADDRESS.fullmatch(given["StatusCallback"]):
        raise Refused(400, 21609, "The 'StatusCallback' URL is not a valid URL")
    seconds = given.get("ValidityPeriod", "1")
    if not re.fullmatch("[0-9]{1,5}", seconds) or not 1 <= int(seconds) <= 36000:
        raise Refused(400, 20001, "ValidityPeriod must be from 1 to 36000")
    if given.get("ContentRetention", "retain") not in ("retain", "discard"):
        raise Refused(400, 20001, "ContentRetention must be retain or discard")
    if given.get("AddressRetention", "retain") not in ("retain", "obfuscate"):
        raise Refused(400, 20001, "AddressRetention must be retain or obfuscate")


def shown(message: Held) -> dict[str, Any]:
    """A message as Twilio answers it: what was to be dropped is dropped once it is sent."""
    service = bool(_SERVICE.fullmatch(message.sender))
    passed, date = message.status != "queued", formatdate(message.at).replace("-0000", "+0000")
    path = f"/2010-04-01/Accounts/{message.account}/Messages/{message.sid}"
    return {
        "account_sid": message.account,
        "api_version": "2010-04-01",
        "body": "" if message.discards and passed else message.text,
        "date_created": date,
        "date_sent": date if passed else None,
        "date_updated": date,
        "direction": "inbound" if message.inbound else "outbound-api",
        "error_code": message.error_code,
        "error_message": None,
        "from": None if service else message.sender,
        "messaging_service_sid": message.sender if service else None,
        "num_media": "0",
        "num_segments": "0" if service else str(count(message.text).segments),
        "price": None,
        "price_unit": "USD",
        "sid": message.sid,
        "status": message.status,
        "subresource_uris": {"media": f"{path}/Media.json"},
        "to": hidden(message.to) if message.obfuscates and passed else message.to,
        "uri": f"{path}.json",
    }


def _number_of(sender: str) -> str:
    """The sender's number; a Messaging Service lends one of its own."""
    return "+15005550006" if _SERVICE.fullmatch(sender) else sender


def hidden(number: str) -> str:
    """A number without its last digits, as AddressRetention leaves it."""
    return f"{number[:-4]}XXXX"
