"""Read the forms that Twilio posts to us, and sign them. Knows every parameter's name, and takes no other.

Twilio's signature runs over names and values without anything between them: `Body=STOP` and `BodyST=OP` have the same one.
So a name that is not Twilio's, or is there twice, refuses the whole message, and what is used must have its own form.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from connectors.contract import CallbackRefused

_MOST_PAIRS: Final = 100
_LONGEST_NAME: Final = 40
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}

_BOTH: Final = "AccountSid ApiVersion From MessageSid MessagingServiceSid NumSegments SmsSid SmsStatus To"
_STATUS: Final = """
Body ChannelInstallSid ChannelPrefix ChannelStatusCode ChannelStatusMessage ChannelToAddress ErrorCode ErrorMessage
EventType MessageStatus NumMedia RawDlrDoneDate StructuredMessage
"""
_INBOUND: Final = """
AddOns Address Body ButtonPayload ButtonText ButtonType ChannelMetadata FlowData Forwarded FrequentlyForwarded FromCity
FromCountry FromState FromZip InteractiveData Label Latitude ListDescription ListId ListTitle Longitude MessageType
NumMedia OptOutType OriginalRepliedMessageSender OriginalRepliedMessageSid ProfileName ReferralBody ReferralCtwaClid
ReferralHeadline ReferralMediaContentType ReferralMediaId ReferralMediaUrl ReferralNumMedia ReferralSourceId
ReferralSourceType ReferralSourceUrl SmsMessageSid ToCity ToCountry ToState ToZip WaId
"""
#: https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
STATUS: Final = frozenset(_BOTH.split()) | frozenset(_STATUS.split())
#: https://www.twilio.com/docs/messaging/guides/webhook-request
INBOUND: Final = frozenset(_BOTH.split()) | frozenset(_INBOUND.split())
_NUMBERED: Final = re.compile(r"Media(Url|ContentType)[0-9]{1,2}")

#: The forms of what is used, and of what stands next to it in the signature.
_SID: Final = "[0-9a-fA-F]{32}"
#: A number, whole or with some digits hidden as AddressRetention does, a short code, a name, or another channel's address.
_ADDRESS: Final = re.compile(r"\+?[0-9Xx*]{3,16}|[0-9A-Za-z _&.+-]{1,11}|[a-z]{2,20}:[0-9A-Za-z+_.@:*-]{1,100}")
_FORMS: Final = {
    "AccountSid": re.compile(f"AC{_SID}"),
    "MessageSid": re.compile(f"(SM|MM){_SID}"),
    "MessageStatus": re.compile("[a-z_]{1,30}"),
    "ErrorCode": re.compile("[0-9]{1,6}"),
    "From": _ADDRESS,
    "To": _ADDRESS,
    "OptOutType": re.compile("START|STOP|HELP"),
}
_NEEDED: Final = frozenset({"AccountSid", "MessageSid", "From"})


def read(raw_body: bytes) -> dict[str, str]:
    """The parameters of a message. Raises CallbackRefused for what is no form, and for any name that is not known."""
    given: dict[str, str] = {}
    for name, value in _pairs(raw_body):
        if name in given:
            raise CallbackRefused("repeated_parameter")
        given[name] = value
    known = STATUS if "MessageStatus" in given else INBOUND if "Body" in given else None
    if known is None:
        raise CallbackRefused("not_a_message")
    if not all(name in known or (known is INBOUND and _NUMBERED.fullmatch(name)) for name in given):
        raise CallbackRefused("unknown_parameter")
    _check_forms(given)
    return given


def _check_forms(given: Mapping[str, str]) -> None:
    """Raise CallbackRefused unless what is used has its form. Twilio leaves the others out, or sends them empty."""
    needed = _NEEDED | (given.keys() & {"MessageStatus"})
    for name, form in _FORMS.items():
        value = given.get(name, "")
        if (value or name in needed) and not form.fullmatch(value):
            raise CallbackRefused("malformed_message")


def _pairs(raw_body: bytes) -> Iterator[tuple[str, str]]:
    """The pairs of a form, strictly: percent-encoded ASCII that holds UTF-8."""
    parts = raw_body.split(b"&", _MOST_PAIRS)
    if len(parts) > _MOST_PAIRS:
        raise CallbackRefused("too_many_parameters")
    for part in parts:
        raw_name, equals, raw_value = part.partition(b"=")
        if not equals or not part.isascii() or not raw_name or len(raw_name) > _LONGEST_NAME:
            raise CallbackRefused("not_a_form")
        try:
            yield _plain(raw_name), _plain(raw_value)
        except UnicodeDecodeError:
            raise CallbackRefused("not_a_form") from None


def _plain(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")


def sign(url: str, parameters: Mapping[str, str], token: str) -> str:
    """Twilio's signature: HMAC-SHA1 under the Auth Token, over the address and the sorted names with their values."""
    signed = url + "".join(name + parameters[name] for name in sorted(parameters))
    raw = hmac.digest(token.encode("utf-8", "surrogatepass"), signed.encode("utf-8", "surrogatepass"), "sha1")
    return b64encode(raw).decode("ascii")


def addresses(url: str) -> tuple[str, ...]:
    """The address as Twilio may have signed it: as it is, without its port, and with the scheme's own port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise CallbackRefused("address_unreadable") from None
    own = _DEFAULT_PORTS.get(parts.scheme)
    if own is None or not parts.hostname:
        raise CallbackRefused("address_unreadable")
    return (url, _with_port(url, parts, f":{own}") if port is None else _with_port(url, parts, ""))


def _with_port(url: str, parts: SplitResult, port: str) -> str:
    """The address with another port; everything else stays to the letter, since it was signed."""
    host, colon, digits = parts.netloc.rpartition(":")
    bare = host if colon and digits.isdecimal() else parts.netloc
    return url.replace(parts.netloc, bare + port, 1)
