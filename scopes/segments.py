"""Count the SMS that a text becomes, and how it travels (3GPP TS 23.038 and 23.040). Sends and shortens nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from scopes.wording import Encoding

# TS 23.038 6.2.1. Its escape, 0x1B, is no character of a text.
BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION: Final = frozenset("\f^{}\\[~]|€")
"""TS 23.038 6.2.1.1: each takes two places, and the two stay in one SMS."""
GSM7: Final = BASIC | EXTENSION
# TS 23.040 9.2.3.24: six octets of each SMS of several say which one it is.
_ALONE: Final = {Encoding.GSM7: 160, Encoding.UCS2: 70}
_JOINED: Final = {Encoding.GSM7: 153, Encoding.UCS2: 67}


@dataclass(frozen=True, slots=True)
class Count:
    """What a text costs; `units` are septets of GSM-7 or 16-bit units of UCS-2."""

    encoding: Encoding
    units: int
    segments: int


def count(text: str) -> Count:
    """How many SMS a text becomes; none for an empty one."""
    encoding = Encoding.GSM7 if GSM7.issuperset(text) else Encoding.UCS2
    sizes = list(_sizes(text, encoding))
    units = sum(sizes)
    segments = min(units, 1) if units <= _ALONE[encoding] else _joined(sizes, _JOINED[encoding])
    return Count(encoding, units, segments)


def _sizes(text: str, encoding: Encoding) -> Iterator[int]:
    """The places that each character takes."""
    if encoding is Encoding.GSM7:
        return (2 if character in EXTENSION else 1 for character in text)
    return (2 if ord(character) > 0xFFFF else 1 for character in text)


def _joined(sizes: Iterable[int], room: int) -> int:
    """The SMS of a long text: no character is torn in two."""
    segments, left = 1, room
    for size in sizes:
        if size > left:
            segments, left = segments + 1, room
        left -= size
    return segments
