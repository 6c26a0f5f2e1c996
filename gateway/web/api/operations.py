"""/healthz, /readyz and /metrics, for whoever keeps the gateway running. Open to all; they say nothing of any clinic."""

from __future__ import annotations

from gateway import metrics
from gateway.errors import LedgerUnavailable
from gateway.web.api.answers import Health
from gateway.web.api.operation import Asked, Operation, Reply


async def alive(asked: Asked) -> Reply:
    """The gateway runs; restart it when this does not answer."""
    return Reply(Health(status="ok"))


async def ready(asked: Asked) -> Reply:
    """The database answers and the ledger can be written; send calls elsewhere while this is 503."""
    await asked.rooms.store.ping()
    if not asked.rooms.ledger.healthy:
        raise LedgerUnavailable
    return Reply(Health(status="ok"))


async def counted(asked: Asked) -> Reply:
    """What this process counted since it started."""
    return Reply(metrics.written())


OPERATIONS = (
    Operation(method="GET", path="/healthz", summary="Whether the gateway runs", act=alive, needs=None, answer=Health),
    Operation(
        method="GET", path="/readyz", summary="Whether calls can be taken", act=ready, needs=None, answer=Health,
        problems=(503,),
    ),
    Operation(
        method="GET", path="/metrics", summary="What this process counted, for Prometheus", act=counted, needs=None,
        media=metrics.MEDIA_TYPE,
    ),
)  # fmt: skip
