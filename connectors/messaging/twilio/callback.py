"""Twilio's messages to us: verify the raw bytes, then read them under our names. Keeps no reply and quotes nothing.

The `twilio` package's own check raises TypeError and IndexError on hostile messages and takes any parameter's name, so
this one stands on its own; the package is its oracle in the tests. Twilio signs no time: a message that comes again is
known by its id and status, which are signed, and never by the token in its headers, which is not.
"""

import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from connectors.contract import (
    Answered,
    Arrival,
    CallbackEvent,
    CallbackRefused,
    Settlement,
    Wish,
)
from connectors.messaging import words
from connectors.messaging.actions import MessageStatus, Reply, ReplyText
from connectors.messaging.fields import LONGEST_NOTE, Meaning
from connectors.messaging.twilio import form
from scopes.consent import Channel
from scopes.field import Shape, shape_of
from scopes.minimize import minimize_answer
from scopes.screen import screened

_SIGNATURE: Final = re.compile(r"[A-Za-z0-9+/]{27}=")
_FORM: Final = re.compile(r"application/x-www-form-urlencoded *(; *charset *= *\"?utf-8\"?)?", re.IGNORECASE)
_HASH_OF_JSON: Final = "bodySHA256"
_KEY: Final = re.compile(r"cg_[0-9a-f]{32}")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")

#: What each of Twilio's last words on a message means; before these it has only taken it.
_ARRIVALS: Final[Mapping[str, Arrival]] = MappingProxyType(
    {
        "sent": Arrival.SENT,
        "delivered": Arrival.DELIVERED,
        "read": Arrival.READ,
        "undelivered": Arrival.UNDELIVERED,
        "failed": Arrival.UNDELIVERED,
        "canceled": Arrival.UNDELIVERED,
    }
)
_REPLIED: Final = "message.replied"
_REPLY_TEXT: Final = "message.reply_text"
#: Twilio's own finding about a word, where the account has Advanced Opt-Out.
_FOUND: Final = {"STOP": Meaning.STOP, "START": Meaning.START, "HELP": Meaning.OTHER}
_WISHES: Final = {Meaning.STOP: Wish.STOP, Meaning.START: Wish.START}

EVENTS: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        **{f"message.{arrival}": shape_of(MessageStatus) for arrival in Arrival},
        _REPLIED: shape_of(Reply),
        _REPLY_TEXT: shape_of(ReplyText),
    }
)
KNOWN: Final = frozenset(EVENTS)


def verify(raw_body: bytes, headers: Mapping[str, str], url: str, secrets: Sequence[str], *, now: datetime) -> None:
    """Raise CallbackRefused unless an Auth Token signed this form for this address. Twilio signs no time."""
    named = {name.lower(): value for name, value in headers.items()}
    signature = named.get("x-twilio-signature", "")
    if not signature:
        raise CallbackRefused("signature_missing")
    if not _SIGNATURE.fullmatch(signature):
        raise CallbackRefused("bad_signature")
    if not _FORM.fullmatch(named.get("content-type", "")):
        raise CallbackRefused("not_a_form")
    addresses = form.addresses(url)
    if any(name == _HASH_OF_JSON for name, _ in _query(url)):
        raise CallbackRefused("json_not_used")
    given = form.read(raw_body)
    genuine = False
    for secret in secrets:
        if secret.strip():
            for address in addresses:  # every pair is compared: the time taken says nothing
                genuine |= hmac.compare_digest(form.sign(address, given, secret), signature)
    if not genuine:
        raise CallbackRefused("bad_signature")


def identity(raw_body: bytes) -> str:
    """The message's id and, where it is about one of ours, how far it came."""
    given = form.read(raw_body)
    return "|".join(filter(None, (given["MessageSid"], given.get("MessageStatus"))))


def translate(raw_body: bytes, url: str) -> tuple[CallbackEvent, ...]:
    """What became of a message of ours, or what an answer comes down to; none where Twilio only has it in its queue."""
    given = form.read(raw_body)
    return tuple(_status(given, url) if "MessageStatus" in given else _reply(given))


def _status(given: Mapping[str, str], url: str) -> Iterator[CallbackEvent]:
    arrival = _ARRIVALS.get(given["MessageStatus"])
    if arrival is None:
        return
    sid, code = given["MessageSid"], given.get("ErrorCode") or None
    kind = f"message.{arrival}"
    data = {"id": sid, "status": given["MessageStatus"], "code": code}
    keys = [value for name, value in _query(url) if name == "d"]
    settles = Settlement(keys[0], arrival, code) if len(keys) == 1 and _KEY.fullmatch(keys[0]) else None
    kept = minimize_answer(EVENTS[kind], data)
    yield CallbackEvent(kind, sid, given["AccountSid"], None, kept, settles=settles)


def _reply(given: Mapping[str, str]) -> Iterator[CallbackEvent]:
    """What somebody wrote to us: what it comes down to, and the screened text for a clinic that reads replies."""
    sid, account, address, text = given["MessageSid"], given["AccountSid"], given["From"], given["Body"]
    if ":" in address:
        return  # another channel of Twilio's; consents and agreements for it are another connector's
    means = _meaning(text, given.get("OptOutType") or None)
    about = {"id": sid, "meaning": means}
    answered = Answered(address, Channel.SMS, _WISHES.get(means)) if _PHONE.fullmatch(address) else None
    kept = minimize_answer(EVENTS[_REPLIED], about)
    yield CallbackEvent(_REPLIED, sid, account, None, kept, answered=answered)
    # Screened before it is cut, so that no number is cut into something that looks harmless.
    held = screened(text)[:LONGEST_NOTE].strip()
    data = {**about, "text": held or None}
    yield CallbackEvent(_REPLY_TEXT, sid, account, None, minimize_answer(EVENTS[_REPLY_TEXT], data))


def _meaning(text: str, found: str | None) -> Meaning:
    """What a reply comes down to. Twilio's own finding wins, but for a YES that answers a question.

    Twilio also takes YES for a START. Somebody who says that they will come has not asked for messages again.
    """
    own = Meaning.STOP if words.is_carrier_stop(text) else words.meaning(text)
    if found is None or (found == "START" and own is Meaning.CONFIRM):
        return own
    return _FOUND[found]


def _query(url: str) -> list[tuple[str, str]]:
    """The names and values of an address's query; none where it is unreadable."""
    try:
        return parse_qsl(urlsplit(url).query, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return []
