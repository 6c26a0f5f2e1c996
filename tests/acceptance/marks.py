"""Values that must not turn up, in every spelling in which they might; values that chance does not make, from 8 letters on."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import quote, quote_plus


def found(marks: Iterable[str], raw: bytes) -> list[str]:
    """Which of the marks stand in the bytes, in whatever spelling; letters' case does not matter."""
    lower = raw.lower()
    return [mark for mark in marks if any(spelling in lower for spelling in spellings(mark))]


def spellings(mark: str) -> set[bytes]:
    """A mark as text, quoted, backwards, in hexadecimal, and inside of longer base64."""
    plain = mark.encode()
    texts = {mark, quote(mark, safe=""), quote_plus(mark), mark[::-1], mark.encode("unicode_escape").decode()}
    return {text.lower().encode() for text in texts} | {plain.hex().encode()} | set(_in_base64(plain))


def _in_base64(plain: bytes) -> Iterable[bytes]:
    """What a mark leaves in base64, at each of three offsets, without the characters that its neighbours shape."""
    for offset in range(3):
        whole = b64encode(b"\0" * offset + plain)
        start, odd = (0, 2, 3)[offset], (offset + len(plain)) % 3
        inner = whole[start : len(whole) - (0, 3, 2)[odd]]
        yield inner.lower()
        yield inner.lower().translate(bytes.maketrans(b"+/", b"-_"))
