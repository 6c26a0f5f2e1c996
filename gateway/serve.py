"""Listen and serve: a socket that says clearly why it cannot be had, and uvicorn on it. Knows no room."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

_BACKLOG = 2048
_GRACE_SECONDS = 10
# A call makes some hundred objects and no cycles: looking for cycles every 700 objects (the default) is a tenth of its cost.
_COLLECT_AFTER = (50_000, 20, 50)


class CannotListen(Exception):
    """The address cannot be had; the message says what to do."""


def listening(host: str, port: int, *, otherwise_any: bool = False) -> socket.socket:
    """A listening socket; port 0 takes any, `otherwise_any` takes any when the wanted one is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, since asyncio turns Nagle's delay off only where it is: 40 ms on each answer but the first.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE and otherwise_any:
            return listening(host, 0)
        raise CannotListen(_why(host, port, error)) from None
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """The address that a listening socket is reached at."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def serving(web: Any, listener: socket.socket) -> AsyncIterator[str]:
    """Serve an application until the block ends; requests under way are finished first. Gives the URL."""
    server = _Server(
        uvicorn.Config(
            web, loop="none", http="httptools", ws="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, proxy_headers=False, backlog=_BACKLOG, timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )  # fmt: skip
    gc.set_threshold(*_COLLECT_AFTER)
    gc.freeze()  # what is loaded by now stays: the collector need not look at it again with every few calls
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        await server.ready(task)
        yield url_of(listener)
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
        listener.close()


class _Server(uvicorn.Server):
    """uvicorn without its signal hooks: the command decides when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the command."""
        yield

    async def ready(self, task: asyncio.Task[None]) -> None:
        """Wait until connections are accepted; raises what kept it from starting."""
        while not self.started:
            if task.done():
                task.result()
                raise CannotListen("the server stopped while it started")
            await asyncio.sleep(0.005)


def _why(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken; choose another one with --port"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights than this user has; choose one above 1023 with --port"
    return f"cannot listen on {host} port {port}: {error.strerror}"
