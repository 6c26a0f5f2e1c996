"""The store's errors, and which of the database's count as an outage. Messages hold codes, never values.

GatewayError
├── Unavailable
│   └── StoreUnavailable   the database does not answer, or cannot write now; it recovers without a restart
└── StoreRefused           the database answers but must not be used as it is; a person has to change something
    ├── MigrationRefused   the migrations on disk and in the database do not belong together
    └── EmbeddedRefused    the embedded server cannot be started as things stand
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from gateway.errors import GatewayError, Unavailable

# SQLSTATE classes and codes that pass by themselves or by an operator's hand, and say nothing about the statement.
_CLASSES = ("08", "53", "58")  # connection lost, resources (53100 is a full disk), input or output failed
_CODES = {
    "25006": "it is read-only",
    "25P03": "the transaction waited too long",
    "53100": "its disk is full",
    "53300": "it has too many connections",
    "57P01": "it is being stopped",
    "57P02": "it crashed and restarts",
    "57P03": "it is starting or stopping",
    "57P04": "the database was dropped",
    "57P05": "the session waited too long",
}


class StoreUnavailable(Unavailable):
    """The database does not answer or cannot write; nothing was committed, repeat when it is back."""

    code = "store_unavailable"
    title = "The database is not available right now; repeat the request in a moment"


class StoreRefused(GatewayError):
    """The database must not be used as it is."""

    code = "store_refused"
    title = "The database must not be used as it is"


class MigrationRefused(StoreRefused):
    """The migrations on disk and in the database do not belong together."""

    code = "migration_refused"
    title = "The database's migrations do not belong to this version"


class EmbeddedRefused(StoreRefused):
    """The embedded server cannot be started as things stand; the message says what to do."""

    code = "embedded_refused"
    title = "The embedded database cannot be started"


def outage(error: BaseException, connection: Any = None) -> StoreUnavailable | None:
    """The outage behind an error of asyncpg, or None when the statement itself is to blame."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if state in _CODES or state[:2] in _CLASSES:
            return StoreUnavailable(f"The database is not available: {_CODES.get(state, 'it failed')} (code {state})")
        return None
    of_the_connection = isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError)
    if of_the_connection and connection is not None and _is_lost(connection):
        return StoreUnavailable("The database is not available: the connection was lost")
    return None


def _is_lost(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True  # the pool took it back when it broke


@contextmanager
def outages(connection: Any = None) -> Iterator[None]:
    """Raise StoreUnavailable in place of whatever asyncpg raises when the database is away."""
    try:
        yield
    except Exception as error:
        known = outage(error, connection)
        if known is None:
            raise
        raise known from error


@contextmanager
def connecting() -> Iterator[None]:
    """As `outages`, while a connection is being made: a socket that is missing, closed or silent is an outage too."""
    with outages():
        try:
            yield
        except (OSError, TimeoutError) as error:
            raise StoreUnavailable("The database is not available: no connection could be had in time") from error
