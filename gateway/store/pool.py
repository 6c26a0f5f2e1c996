"""Connections that see one tenant's rows and nothing else. No statements of any table; outages become StoreUnavailable.

Every connection works as the role gateway_request, which owns nothing and is subject to row-level security. A
transaction names its tenants in the setting `gateway.tenants` (uuids, comma-separated, empty for none); the policies
compare each row with it, and the setting ends with the transaction. What is a person's own is seen in the same way by a
transaction that names the person in `gateway.person`. An auditor's pages read as gateway_auditor, which can only select.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from gateway.store.errors import StoreRefused, connecting, outages

ROLE = "gateway_request"
AUDITOR_ROLE = "gateway_auditor"
SET_TENANTS = "SELECT set_config('gateway.tenants', $1, true)"
SET_PERSON = "SELECT set_config('gateway.person', $1, true)"

_CONNECT_SECONDS = 10
_ACQUIRE_SECONDS = 10
_CLOSE_SECONDS = 5
_IDLE_IN_TRANSACTION = "60s"  # a stuck task must not keep a tenant's head locked

_EFFECTIVE_ROLE = """
SELECT current_user::text AS role, r.rolsuper OR r.rolbypassrls AS bypasses,
       (SELECT min(c.relname::text) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
           AND n.nspname NOT LIKE 'pg\\_t%' AND pg_has_role(c.relowner, 'MEMBER')) AS owned
  FROM pg_roles r WHERE r.rolname = current_user
"""


def tenants_setting(tenants: Iterable[UUID]) -> str:
    """What `gateway.tenants` holds for these tenants; anything but a UUID is a mistake of the caller."""
    listed = tuple(tenants)
    if not all(isinstance(tenant, UUID) for tenant in listed):
        raise TypeError("a tenant is a UUID")
    return ",".join(str(tenant) for tenant in listed)


class Store:
    """A pool of connections of the request role; opens with `Store.open`, recovers by itself after an outage."""

    def __init__(self, pool: asyncpg.Pool, dsn: str, settings: dict[str, str]) -> None:
        self._pool = pool
        self._dsn = dsn
        self._settings = settings

    @classmethod
    async def open(cls, dsn: str, *, size: int = 8, name: str = "clinic-gateway") -> Store:
        """Connect; raises StoreUnavailable when the database is away, StoreRefused when the role could see too much."""
        settings = {
            "role": ROLE,
            "application_name": name,
            "timezone": "UTC",
            "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION,
        }
        pool = asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            init=_prepare,
            reset=_reset,
            timeout=_CONNECT_SECONDS,
            server_settings=settings,
        )
        with connecting(), _role_errors():
            await pool
        return cls(pool, dsn, settings)

    @asynccontextmanager
    async def tenants(self, tenants: Iterable[UUID]) -> AsyncIterator[asyncpg.Connection]:
        """A transaction that sees these tenants' rows; commits when the block ends, rolls back when it raises."""
        setting = tenants_setting(tenants)
        connection = await self._acquire()
        try:
            with outages(connection):
                async with connection.transaction():
                    await connection.fetchval(SET_TENANTS, setting)
                    yield connection
        finally:
            await self._release(connection)

    def tenant(self, tenant: UUID) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A transaction that sees one tenant's rows: `async with store.tenant(tenant) as connection`."""
        return self.tenants((tenant,))

    def nobody(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A transaction that sees no tenant's rows, only those that belong to none."""
        return self.tenants(())

    @asynccontextmanager
    async def person(self, person: UUID, *tenants: UUID) -> AsyncIterator[asyncpg.Connection]:
        """A transaction that sees what is this person's own, and these tenants' rows."""
        async with self.tenants(tenants) as connection:
            await connection.fetchval(SET_PERSON, str(person))
            yield connection

    @asynccontextmanager
    async def reading(self, tenant: UUID) -> AsyncIterator[asyncpg.Connection]:
        """A transaction that sees one tenant's rows and can change nothing, by the database's own word."""
        setting = tenants_setting((tenant,))
        connection = await self._acquire()
        try:
            with outages(connection):
                async with connection.transaction(readonly=True):
                    await connection.execute(f"SET LOCAL ROLE {AUDITOR_ROLE}")
                    await connection.fetchval(SET_TENANTS, setting)
                    yield connection
        finally:
            await self._release(connection)

    async def dedicated(
        self, *, name: str = "clinic-gateway ledger", plain: bool = False, command_seconds: float | None = None
    ) -> asyncpg.Connection:
        """One more connection outside the pool, for its owner to close; it sees nothing until it sets its tenants.

        A `plain` one gives and takes jsonb as text.
        """
        settings = self._settings | {"application_name": name}
        with connecting(), _role_errors():
            connection = await asyncpg.connect(
                self._dsn, timeout=_CONNECT_SECONDS, server_settings=settings, command_timeout=command_seconds
            )
            try:
                await (_check_role if plain else _prepare)(connection)
            except BaseException:
                connection.terminate()
                raise
        return connection

    async def ping(self) -> None:
        """Ask the database anything; raises StoreUnavailable when it does not answer."""
        async with self.nobody() as connection:
            await connection.fetchval("SELECT 1")

    async def close(self) -> None:
        """Close every connection; what does not close in time is cut."""
        try:
            await asyncio.wait_for(self._pool.close(), _CLOSE_SECONDS)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._pool.terminate()

    async def _acquire(self) -> Any:
        with connecting(), _role_errors():
            return await self._pool.acquire(timeout=_ACQUIRE_SECONDS)

    async def _release(self, connection: Any) -> None:
        # The pool has already cut a connection that it cannot reset, and makes a new one when next asked.
        with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self._pool.release(connection)


async def _prepare(connection: Any) -> None:
    """Make a new connection fit for use: jsonb as Python values, and proof that row-level security binds it."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + orjson.dumps(value),  # jsonb on the wire: one version byte, then the text
        decoder=lambda raw: orjson.loads(raw[1:]),
    )
    await _check_role(connection)


async def _check_role(connection: Any) -> None:
    """Prove that row-level security binds the connection."""
    row = await connection.fetchrow(_EFFECTIVE_ROLE)
    if row["role"] != ROLE or row["bypasses"]:
        raise StoreRefused(
            f"The role {row['role']} is not bound by row-level security: connect through {ROLE}, "
            "which must be neither superuser nor BYPASSRLS"
        )
    if row["owned"]:
        raise StoreRefused(
            f"The role {ROLE} owns the table {row['owned']}, or may act as its owner, so tenants are not kept apart: "
            "revoke that membership, and let another role own the tables"
        )


async def _reset(connection: Any) -> None:
    """Forget everything that a session can keep, the role included."""
    await connection.execute(connection.get_reset_query() + "\nRESET ROLE;")


@contextmanager
def _role_errors() -> Iterator[None]:
    """Say what to do when the database answers but does not let the gateway in."""
    try:
        yield
    except (asyncpg.InvalidParameterValueError, asyncpg.InvalidCatalogNameError) as error:
        raise StoreRefused(
            f"The database or its role {ROLE} does not exist yet: run `gateway migrate` first"
        ) from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise StoreRefused(
            "The database does not let this user in: check the user and password of its address"
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise StoreRefused(
            f"This database user may not connect or may not act as {ROLE}: "
            f"run `GRANT {ROLE} TO <user>` as an administrator"
        ) from error
