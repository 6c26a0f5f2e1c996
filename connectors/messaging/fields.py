"""The kinds of value that a message may hold: names that are names, places, payment pages. Answers' words have forms."""

import re
import unicodedata
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from scopes.field import Unfit
from scopes.screen import findings

LONGEST_NAME: Final = 40
LONGEST_PLACE: Final = 80
LONGEST_NOTE: Final = 300
LONGEST_URL: Final = 500
_BESIDE_LETTERS: Final = frozenset(" -'’.")
_BESIDE_IN_PLACES: Final = frozenset(" -'’.,/()&#:")
_HOST: Final = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.IGNORECASE | re.ASCII)


class Meaning(StrEnum):
    """What a person's reply comes down to; the words themselves stay with the vendor."""

    CONFIRM = "confirm"
    DECLINE = "decline"
    STOP = "stop"
    START = "start"
    OTHER = "other"


def _check_name(name: str) -> str:
    """Raise Unfit unless it is made like a name: letters of any script and what stands between them."""
    if not all(_is_letter(each) or each in _BESIDE_LETTERS for each in name) or not any(map(str.isalpha, name)):
        raise Unfit("must be a name: letters, spaces, hyphens, apostrophes and full stops")
    return _spaced(name)


def _check_place(place: str) -> str:
    """Raise Unfit unless it reads like a place and holds no number that identifies somebody."""
    if not all(_is_letter(each) or each in "0123456789" or each in _BESIDE_IN_PLACES for each in place):
        raise Unfit("must be a place: letters, digits, spaces and - ' . , / ( ) & # :")
    if not place.strip() or findings(place):
        raise Unfit("must be a place, without a phone number or another number of a person")
    return _spaced(place)


def _is_letter(character: str) -> bool:
    """A letter, or a mark that belongs to one: Devanagari and Arabic write vowels as marks. ZWJ and ZWNJ join letters."""
    return unicodedata.category(character)[0] in "LM" or character in "\u200c\u200d"


def _spaced(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _check_url(url: str) -> str:
    """Raise Unfit unless the address is https on a named host, without a user in it."""
    if not url.isascii() or not url.isprintable() or " " in url:  # urlsplit drops line breaks without a word
        raise Unfit("must be plain ASCII without spaces or line breaks")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unfit("must be an address") from None
    if parts.scheme != "https" or port not in (None, 443) or "@" in parts.netloc or "\\" in url:
        raise Unfit("must be https://host/path without a port or a user")
    if not _HOST.fullmatch(parts.hostname or ""):
        raise Unfit("must have a public host name")
    return url


PersonName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_NAME),
    AfterValidator(_check_name),
    Field(examples=["Meenakshi"]),
]
Place = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_PLACE),
    AfterValidator(_check_place),
    Field(examples=["Lakeview Clinic, 2nd floor"]),
]
Note = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_NOTE), Field(examples=["Please bring your insurance card"])
]
PaymentUrl = Annotated[
    str,
    StringConstraints(min_length=12, max_length=LONGEST_URL),
    AfterValidator(_check_url),
    Field(examples=["https://pay.example.com/l/7Hq2ZkW9"]),
]
#: Vendors' own ids: Twilio's SM..., WhatsApp's wamid.... The latter spells the number in base 64, so it answers the host
#: and is no reference for the ledger.
MessageId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._=+/:-]{1,255}$"),
    Field(examples=["SM0123456789abcdef0123456789abcdef"]),
]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_-]{0,39}$"), Field(examples=["queued"])]
Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{4,8}$"), Field(examples=["402917"])]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,40}$"), Field(examples=["30003"])]
Segments = Annotated[int, Field(strict=True, ge=0, le=255, examples=[1])]
