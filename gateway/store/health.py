"""What the database says of itself. Reads only."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import asyncpg


class State(NamedTuple):
    """What the database says of itself."""

    version: str
    migration: str
    role: str
    read_only: bool
    now: datetime


async def state(connection: asyncpg.Connection) -> State:
    """The server's version, the newest migration, the role in force, whether it can be written, and its clock."""
    row = await connection.fetchrow(
        "SELECT current_setting('server_version'), (SELECT max(name) FROM gateway_migrations), current_user::text, "
        "pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on', clock_timestamp()"
    )
    return State(*row)
