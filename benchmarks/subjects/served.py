"""Serve a bare proxy with uvicorn on a free port, as its own program, and be sent to."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from benchmarks.programs import Program, listen_to_parent, say
from benchmarks.subjects import BODY, Target

# What concerns one connection only and is not passed on.
HOP_BY_HOP = frozenset({"host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})


def serve(app: Starlette) -> None:
    """Serve until the parent is gone."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    say({"port": listener.getsockname()[1]})
    listen_to_parent()
    config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="warning", backlog=2048)
    uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def running(module: str, upstream: str) -> Iterator[Target]:
    """Run a proxy in front of the upstream."""
    with Program(module, upstream) as program:
        yield Target(
            url=f"http://127.0.0.1:{program.hear()['port']}/v1/payment_intents",
            headers={
                "Authorization": "Bearer sk_test_0000000000",
                "Content-Type": "application/x-www-form-urlencoded",
                "Idempotency-Key": "{n}",
            },
            body=BODY,
            server=(program.id,),
        )
