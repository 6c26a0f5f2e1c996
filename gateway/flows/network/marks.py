"""A word for how something stands, which is another as soon as that is: what a page that looks by itself compares."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def mark_of(parts: Iterable[object]) -> str:
    """A short digest; `parts` are ids, states, counts and times, never what somebody said."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode())
        digest.update(b"\n")
    return digest.hexdigest()[:24]
