"""Opaque cursors of lists. A cursor says where a page ends and gives no right to anything."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from gateway.errors import InvalidRequest
from scopes.fault import Fault

_Item = TypeVar("_Item")


def written(last: UUID | str) -> str:
    """The cursor after an item."""
    return _spelled(last.bytes if isinstance(last, UUID) else last.encode())


def after_id(cursor: str | None) -> UUID | None:
    """The id that a page begins after; raises InvalidRequest for what is no cursor of ours."""
    raw = _raw(cursor)
    if raw is None:
        return None
    if len(raw) != 16:
        raise _no_cursor()
    return UUID(bytes=raw)


def after_name(cursor: str | None) -> str | None:
    """The same for a list that is ordered by short names."""
    raw = _raw(cursor)
    if raw is None:
        return None
    if not raw.isalnum():
        raise _no_cursor()
    return raw.decode("ascii")


def next_cursor(
    found: Sequence[_Item], limit: int, last_of: Callable[[_Item], UUID | str]
) -> tuple[Sequence[_Item], str | None]:
    """A page of at most `limit` items and its cursor, from one item more than the page has."""
    if len(found) <= limit:
        return found, None
    page = found[:limit]
    return page, written(last_of(page[-1]))


def _raw(cursor: str | None) -> bytes | None:
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _no_cursor() from None
    if _spelled(raw) != cursor:
        raise _no_cursor()
    return raw


def _spelled(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _no_cursor() -> InvalidRequest:
    return InvalidRequest(faults=[Fault("cursor", "must be the next_cursor of the page before")])
