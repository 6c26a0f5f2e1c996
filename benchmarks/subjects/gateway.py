"""(A) A brokered call: token, decision, minimizing, durable intent and outcome on PostgreSQL with fsync."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.programs import Program
from benchmarks.subjects import Target


@contextmanager
def running(upstream: str) -> Iterator[Target | None]:
    """Run a gateway in front of the upstream."""
    with Program("benchmarks.subjects.gateway_server", upstream) as server:
        told = server.hear(60)
        yield Target(
            url=told["url"], headers=told["headers"], body=told["body"], server=(server.id,),
            database=(told["database"],), commits=lambda: _commits(server),
        )  # fmt: skip


def _commits(server: Program) -> int:
    server.tell("commits")
    return int(server.hear())
