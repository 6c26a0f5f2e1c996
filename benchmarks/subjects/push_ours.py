"""(P) Pushes as the gateway makes them: the page made while it is sent, through the door, with every check on key and address."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import uvloop

from benchmarks.subjects.push_record import CONTEXT, EXPIRY, TRANSACTION, peer, serve
from connectors.abdm.push import Page, Peer, push_request
from connectors.network import Body, Entry
from gateway.egress import CurlEngine, Door, Route

_PIECE_BYTES = 64 << 10
_HOST = "127.0.0.1"


def page(record: bytes) -> Body:
    """One page, ready to be sent."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(record), _PIECE_BYTES):
            yield record[start : start + _PIECE_BYTES]

    asking = peer()
    digest = hashlib.md5(record).hexdigest()  # known since the record was linked; here it is part of what is measured
    return Page(TRANSACTION, 0, 1, EXPIRY).body(
        Entry(CONTEXT, len(record), digest), chunks, Peer(asking.public, asking.nonce)
    )


class Pushing:
    """One door for all pushes."""

    def __init__(self) -> None:
        """Nothing is open yet."""
        self._door = Door(CurlEngine(), loopback_hosts=frozenset({_HOST}))

    async def push(self, url: str, record: bytes) -> int:
        """Push one record; gives the status."""
        base = url.partition("/push")[0]
        route = Route(frozenset({_HOST}), base, timeout_seconds=60.0)
        passage = self._door.through(route, credential=None, idempotency_key=TRANSACTION)
        return (await passage.send(push_request(url, page(record), token=None))).status_code


async def main() -> None:
    """Work until the parent is gone."""
    await serve(Pushing().push)


if __name__ == "__main__":
    uvloop.run(main())
