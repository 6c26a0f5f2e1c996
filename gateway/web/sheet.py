"""Rows as CSV (RFC 4180) in which a spreadsheet finds nothing to run. Knows no column by name."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Final

MEDIA: Final = "text/csv; charset=utf-8"
_STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_AT_ONCE: Final = 500


def cell(value: object) -> str:
    """One value as text. What a spreadsheet would take for a formula begins with an apostrophe, which it shows as text."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_STARTS_A_FORMULA) or text.startswith(_STARTS_A_FORMULA) else text


def lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Some rows, each a line; every cell in quotation marks."""
    written = StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows([map(cell, row) for row in rows])
    return written.getvalue().encode()


async def sheet(head: Sequence[str], rows: AsyncIterator[Sequence[object]]) -> AsyncIterator[bytes]:
    """A whole sheet, a few hundred rows at a time."""
    waiting: list[Sequence[object]] = [head]
    async for row in rows:
        waiting.append(row)
        if len(waiting) >= _AT_ONCE:
            yield lines(waiting)
            waiting = []
    if waiting:
        yield lines(waiting)
