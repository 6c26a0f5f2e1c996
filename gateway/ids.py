"""Ids that sort by time: UUID version 7 (RFC 9562 5.7). Nothing in them says anything about a person."""

from __future__ import annotations

import os
import time
from uuid import UUID

_VERSION_AND_VARIANT = (0x7 << 76) | (0b10 << 62)
_RANDOM_BITS = (1 << 76) - 1 & ~(0xF << 76) & ~(0b11 << 62)


def new_id() -> UUID:
    """A fresh id: 48 bits of milliseconds, 74 bits of randomness."""
    return id_of(time.time_ns() // 1_000_000, os.urandom(10))


def id_of(milliseconds: int, drawn: bytes) -> UUID:
    """The id of a moment since 1970; the rest of it is the first ten of the bytes that were drawn."""
    return UUID(int=(milliseconds << 80) | _VERSION_AND_VARIANT | int.from_bytes(drawn[:10]) & _RANDOM_BITS)
