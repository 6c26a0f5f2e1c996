"""One page of records on its way to whoever asked: the JSON of it, made while it is sent. Opens no connection.

One entry to a page, and a pair of keys and a nonce of its own for each time that the page is made: ABDM's scheme derives key and
vector from those alone, so that two entries of one page, or two makings of it, would be sealed under the same.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from connectors.abdm.crypto import (
    NONCE_BYTES,
    KeyPair,
    NonceRefused,
    RecordDiffers,
    Sealing,
    generate,
    sealed_size,
    spki,
)
from connectors.abdm.curve import POINT_BYTES, u_of
from connectors.network import Body, Entry
from connectors.wire import build_streamed

if TYPE_CHECKING:
    import httpx2

_MEDIA: Final = "application/fhir+json"
_NOBODYS: Final = KeyPair(bytes(32), bytes(POINT_BYTES), bytes(NONCE_BYTES))  # as long as any
Chunks = Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Peer:
    """Whoever asked: their key, a raw point or X.509, and their nonce. Raises KeyRefused or NonceRefused at once."""

    public: bytes = field(repr=False)
    nonce: bytes = field(repr=False)

    def __post_init__(self) -> None:
        u_of(self.public)
        if len(self.nonce) != NONCE_BYTES:
            raise NonceRefused()


@dataclass(frozen=True, slots=True)
class Page:
    """Which page of which exchange; `index` counts from 0, `first_number` is what the network calls the first one.

    Sources disagree whether that is 0 or 1, and whether every participant reads our key as X.509 (`raw_key` gives the point
    alone), so both can be set.
    """

    transaction: str
    index: int
    count: int
    keys_expire_at: datetime
    first_number: int = 0
    raw_key: bool = False

    def body(self, entry: Entry, chunks: Chunks, peer: Peer) -> Body:
        """The page with a record in it: its exact length, and its bytes, sealed anew each time that they are asked for.

        `chunks` gives the record from its start. What it gives is no page, and never whole, where that is not the record that
        `entry` announces: then RecordDiffers is raised before the last bytes.
        """
        before, after = self._around(entry, _NOBODYS)
        length = len(before) + sealed_size(entry.length) + len(after)
        return Body(length, lambda: self._pieces(entry, chunks(), peer))

    async def _pieces(self, entry: Entry, chunks: AsyncIterator[bytes], peer: Peer) -> AsyncIterator[bytes]:
        own = generate()
        sealing = Sealing(entry.length, own=own, peer_public=peer.public, peer_nonce=peer.nonce)
        before, after = self._around(entry, own)
        try:
            async for chunk in chunks:
                for block in sealing.take(chunk):
                    yield before + block
                    before = b""
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()  # at once where nobody wants the rest: a record may be held open behind it
        last = sealing.end()
        if sealing.checksum != entry.digest:
            raise RecordDiffers()
        yield before + last + after

    def _around(self, entry: Entry, own: KeyPair) -> tuple[bytes, bytes]:
        """What stands before the sealed record, and what after it."""
        public = own.public if self.raw_key else spki(own.public)
        page = {
            "pageNumber": self.first_number + self.index,
            "pageCount": self.count,
            "transactionId": self.transaction,
            "keyMaterial": {
                "cryptoAlg": "ECDH",
                "curve": "Curve25519",
                "dhPublicKey": {
                    "expiry": _written(self.keys_expire_at),
                    "parameters": "Curve25519/32byte random key",
                    "keyValue": b64encode(public).decode(),
                },
                "nonce": b64encode(own.nonce).decode(),
            },
            "entries": [
                {
                    "media": _MEDIA,
                    "checksum": entry.digest,
                    "careContextReference": entry.context,
                    "content": "",
                }
            ],
        }
        text = json.dumps(page, separators=(",", ":")).encode()
        return text[: -len(_CLOSE)], _CLOSE


_CLOSE: Final = b'"}]}'


def push_request(url: str, body: Body, *, token: str | None) -> httpx2.Request:
    """The request that carries a page to the address that asked for it, past the network; `token` is what it is let in by."""
    headers = {"content-type": "application/json"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return build_streamed("POST", url, headers=headers, length=body.length, chunks=body.chunks)


def _written(at: datetime) -> str:
    """As ABDM writes a moment: UTC, milliseconds, Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
