"""A document as it was handed over: frozen, sealed in parts, and read again part by part. Judges no document."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from connectors.told import RecordKind
from gateway.connections import Clinic
from gateway.store.records import RecordRow
from scopes.vocabulary import Category

_SEALED_AS: Final = "record"
_PART_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Frozen:
    """A document that was checked and may be kept: the bytes that will be sent are these."""

    kind: RecordKind
    content: bytes = field(repr=False)
    since: datetime
    until: datetime
    contents: tuple[tuple[str, Category], ...]
    """Which parts it has, by their types, each with each category of data that it holds."""

    @property
    def categories(self) -> frozenset[Category]:
        """Which categories of data are in it."""
        return frozenset(category for _, category in self.contents)

    def row(self, record: UUID, context: UUID, at: datetime) -> RecordRow:
        """Its row, without its bytes."""
        return RecordRow(
            record, context, str(self.kind), len(self.content),
            hashlib.md5(self.content, usedforsecurity=False).hexdigest(),  # the network's own checksum; GCM proves more
            hashlib.sha256(self.content).digest(), self.since, self.until, sorted(map(str, self.categories)), at,
            [f"{part} {category}" for part, category in self.contents],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a visit, without its bytes."""

    id: UUID
    context: UUID
    context_reference: str
    patient_reference: str = field(repr=False)
    subject: UUID
    subject_reference: str = field(repr=False)
    """The host's own."""
    kind: RecordKind
    length: int
    digest: str
    """MD5 in hex, as the network wants it."""
    since: datetime
    until: datetime
    categories: frozenset[Category]
    contents: tuple[tuple[str, Category], ...]
    """None of one that was kept when they were not written down."""


def contents_of(row: RecordRow) -> tuple[tuple[str, Category], ...]:
    """Which parts a document has, each with each category of data that it holds."""
    pairs = (each.rsplit(" ", 1) for each in row.contents)
    return tuple((part, Category(category)) for part, category in pairs)


def sealed_parts(clinic: Clinic, record: UUID, content: bytes) -> Iterator[bytes]:
    """A document's parts, each sealed for its place."""
    for number, start in enumerate(range(0, len(content), _PART_BYTES)):
        yield clinic.keyring.seal(content[start : start + _PART_BYTES], purpose=_SEALED_AS, row=f"{record}:{number}")


def opened_part(clinic: Clinic, record: UUID, number: int, sealed: bytes) -> bytes:
    """One part, opened; one of another document or place does not open."""
    return clinic.keyring.open(sealed, purpose=_SEALED_AS, row=f"{record}:{number}")
