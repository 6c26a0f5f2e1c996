"""Have a token for a call: the one that is there, or the next one, asked for once however many wait. And ahead of time, by job.

A renewal, in the order in which a crash may cut it off:
1. take the connection's turn, among all gateways, and look again: somebody may have been faster;
2. note that the next generation is asked for, in a transaction of its own;
3. ask the vendor;
4. store the answer and the end of the asking in one transaction.
Whoever finds 2 without 4 asks with the old refresh token once more: many vendors take it for a while. Where the vendor does
not, nobody has the new one, and the connection says at once that somebody must connect again. It is never asked in a loop:
after trouble there is a pause that grows, and after four days with nothing but trouble it is given up.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from gateway.calls import Actor
from gateway.connections import Connection
from gateway.errors import GatewayError, Unavailable
from gateway.flows.publish import NewEvent, prepared, put
from gateway.flows.rooms import Rooms
from gateway.ids import new_id
from gateway.ledger.writer import StandingChanged
from gateway.log import Log
from gateway.oauth.answer import Answer, GrantEnded, TokenTrouble
from gateway.oauth.asking import Vendor
from gateway.oauth.comparison import Comparison, compare
from gateway.oauth.tokens import Held, keep, opened
from gateway.store import notices
from gateway.store import oauth as rows
from gateway.webhooks.kinds import GATEWAY, RECONNECT_NEEDED

log = Log("gateway.tokens")

GIVES_UP_AFTER_DAYS: Final = 4
_FIRST_PAUSE: Final = timedelta(seconds=15)
_LONGEST_PAUSE: Final = timedelta(minutes=15)
_AT_ONCE: Final = 200
_SIDE_BY_SIDE: Final = 4


class NoToken(Unavailable):
    """The vendor gives no token at the moment; nothing was sent, and the grant stands."""

    code = "no_token"
    title = "The vendor does not renew its access just now, so nothing was sent; repeat the request in a moment"


async def bearer(connection: Connection, rooms: Rooms) -> str:
    """The token for one call. Raises NoToken, or StandingChanged where the grant turns out to have ended."""
    held = await rooms.oauth.tokens.held(connection)
    if held is not None and rooms.oauth.tokens.good(connection.id, held, rooms.clock()):
        return held.access
    try:
        return (await renewed(connection, held, rooms)).access
    except GrantEnded:
        raise StandingChanged from None  # decided anew, it is refused with the reason
    except GatewayError:
        if held is not None and held.lasts_just(rooms.clock()):
            return held.access
        raise


async def renewed(connection: Connection, seen: Held | None, rooms: Rooms) -> Held:
    """The next generation after the one that was seen. Raises GrantEnded or NoToken."""
    return await rooms.oauth.tokens.once(connection.id, lambda: _renew(connection, seen, rooms))


async def renew_due(rooms: Rooms) -> int:
    """Renew ahead of time what runs out soon, for every clinic; says how many were looked at."""
    async with rooms.store.nobody() as session:
        found = await rows.due(session, rooms.clock(), _AT_ONCE)
    few = asyncio.Semaphore(_SIDE_BY_SIDE)
    await asyncio.gather(*(_renew_one(each, few, rooms) for each in found))
    return len(found)


async def _renew_one(due: rows.DueRow, few: asyncio.Semaphore, rooms: Rooms) -> None:
    async with few:
        try:
            clinic = await rooms.connections.clinic(due.tenant)
            connection = clinic.connection(due.connector)
            if connection.id == due.connection:
                await renewed(connection, await rooms.oauth.tokens.held(connection), rooms)
        except (GrantEnded, NoToken):
            return  # written down where it happened
        except Exception as failure:  # the other clinics' tokens run out all the same
            log.error("token_not_renewed", failure=failure, connection=due.connection)


async def vendor_of(connector: str, account: str | None, rooms: Rooms) -> Vendor:
    """A connector's vendor as one clinic meets it. Raises Conflict where the gateway is not registered there."""
    rule = rooms.registry.connectors[connector].manifest.credential.oauth
    assert rule is not None  # asked for connectors of that kind only
    passage = rooms.egress.through(rooms.token_routes[connector], credential=None, idempotency_key=str(new_id()))
    client = await rooms.oauth.clients.of(connector)
    return Vendor(rule, account, client, passage.send, rooms.oauth.sandboxes.get(connector))


def compared(connector: str, asked: frozenset[str], answer: Answer, rooms: Rooms) -> Comparison:
    """What a vendor granted of what it was asked for."""
    found = rooms.registry.connectors[connector]
    untold = [name for name, scope in found.manifest.provider_scopes.items() if not scope.told]
    return compare(found.lattice, asked, answer.granted, untold)


def by_itself(tenant: UUID) -> Actor:
    """The gateway, as the ledger names it where nobody asked."""
    return Actor("system", "oauth", tenant, ())


async def tell(
    session: asyncpg.Connection, connection: Connection, kind: str, detail: dict[str, str], rooms: Rooms
) -> None:
    """A notice to the clinic, in the caller's transaction: codes, so that it can be shown and sent in any language."""
    row = notices.NoticeRow(new_id(), rooms.clock(), kind, connection.id, {"connector": connection.connector, **detail})
    await notices.add(session, connection.clinic.tenant, row)


async def _renew(connection: Connection, seen: Held | None, rooms: Rooms) -> Held:
    async with rooms.oauth.tokens.turns.turn(connection.id):
        row = await _row(connection, rooms)
        now = rooms.clock()
        held = opened(connection.clinic, row)
        if held is not None and held.generation != (seen.generation if seen is not None else -1) and held.lasts(now):
            rooms.oauth.tokens.remember(connection, held)
            return held
        if row.retry_at is not None and now < row.retry_at:
            raise NoToken
        answer = await _asked(connection, row, held, rooms)
        return await _kept(connection, row, answer, rooms)


async def _row(connection: Connection, rooms: Rooms) -> rows.TokensRow:
    """How the tokens stand now. Raises GrantEnded where there is nothing to renew."""
    tenant = connection.clinic.tenant
    async with rooms.store.tenant(tenant) as session:
        row = await rows.tokens(session, tenant, connection.id)
    if row is None or row.sealed is None:
        rooms.connections.forget(tenant)
        raise GrantEnded("no_tokens")
    return row


async def _asked(connection: Connection, row: rows.TokensRow, held: Held | None, rooms: Rooms) -> Answer:
    """Ask the vendor for the next generation; what goes wrong is written down before it is raised."""
    vendor = await vendor_of(connection.connector, connection.account, rooms)
    resumed = row.begun_at is not None
    tenant = connection.clinic.tenant
    async with rooms.store.tenant(tenant) as session:
        if not await rows.begin(session, tenant, connection.id, row.generation, rooms.clock()):
            raise NoToken  # somebody connected anew or revoked, this very moment
    if resumed:
        log.warning("renewal_resumed", connection=connection.id, generation=row.generation)
    try:
        if vendor.rule.flow == "client_credentials":
            return await vendor.by_client(now=rooms.clock())
        if held is None or held.refresh is None:
            raise GrantEnded("no_refresh_token")
        return await vendor.by_refresh(held.refresh, scopes=frozenset(row.asked), now=rooms.clock())
    except GrantEnded as ended:
        reason = "rotation_lost" if resumed and vendor.rule.refresh == "rotates" else ended.code
        await grant_ended(connection, reason, rooms)
        raise GrantEnded(reason) from None
    except TokenTrouble as trouble:
        await _troubled(connection, row, trouble, rooms)
        raise NoToken from None


async def _kept(connection: Connection, row: rows.TokensRow, answer: Answer, rooms: Rooms) -> Held:
    """Store the answer, then see whether the vendor grants something else than before."""
    tenant, asked = connection.clinic.tenant, frozenset(row.asked)
    if answer.granted is None:  # the vendor does not say: as before (RFC 6749 6)
        comparison = Comparison(frozenset(row.granted), frozenset(), frozenset())
    else:
        comparison = compared(connection.connector, asked, answer, rooms)
    async with rooms.store.tenant(tenant) as session:
        held = await keep(
            session, connection.clinic, connection.id, answer, generation=row.generation, granted=comparison.granted,
            now=rooms.clock(),
        )  # fmt: skip
    if held is None:
        raise NoToken
    log.info("token_renewed", connection=connection.id, generation=held.generation)
    if comparison.excess:
        await grant_ended(connection, "scope_excess", rooms)
        raise GrantEnded("scope_excess")
    if comparison.granted != connection.provider_scopes:
        await rooms.oauth.changes.narrowed(by_itself(tenant), connection, comparison.granted)
    else:
        rooms.oauth.tokens.remember(connection, held)
    return held


async def _troubled(connection: Connection, row: rows.TokensRow, trouble: TokenTrouble, rooms: Rooms) -> None:
    """Count the failure by its day, put the next question off, and give up after the fourth day without a token."""
    now = rooms.clock()
    today = now.astimezone(UTC).date()
    days = row.failing_days if row.failed_on == today else row.failing_days + 1
    pause = min(_FIRST_PAUSE * 2 ** min(row.failures, 10), _LONGEST_PAUSE)
    log.warning("token_trouble", connection=connection.id, code=trouble.code, failing_days=days)
    tenant = connection.clinic.tenant
    async with rooms.store.tenant(tenant) as session:
        failure = rows.Failure(now + pause, today, days)
        # Where an answer may have been lost, an earlier question may have been, too: its mark stays.
        unsent = trouble.unsent and row.begun_at is None
        await rows.fail(session, tenant, connection.id, failure, unsent=unsent)
    if days >= GIVES_UP_AFTER_DAYS:
        await grant_ended(connection, "vendor_failing", rooms)


async def grant_ended(connection: Connection, reason: str, rooms: Rooms) -> None:
    """Say everywhere, once, that somebody must connect again: the connection, the ledger, a notice, an event."""
    tenant = connection.clinic.tenant
    told = {"id": str(connection.id), "reason": reason}
    event = await prepared(NewEvent(tenant, RECONNECT_NEEDED, told, GATEWAY), rooms)

    async def also(session: asyncpg.Connection) -> None:
        await tell(session, connection, RECONNECT_NEEDED, {"reason": reason}, rooms)
        await put(session, event)

    if await rooms.oauth.changes.ended(by_itself(tenant), connection, reason, also):
        log.warning("reconnect_needed", connection=connection.id, reason=reason)
