"""Give back what a vendor granted: all of it (revoke), or what the features need no more (reduce).

Revoking destroys nothing before it counts, and counts before the vendor is told: from the first transaction on nothing goes
out, and the tokens are kept only to tell the vendor with. Whatever it answers, or if the gateway dies meanwhile, they are
destroyed; housekeeping does that for whoever was cut off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from gateway.calls import Actor
from gateway.connections import Clinic, Connection
from gateway.errors import Conflict, GatewayError
from gateway.flows.authorize import check_address, least_of, link_for, rule_of
from gateway.flows.rooms import Rooms
from gateway.flows.tokens import compared, vendor_of
from gateway.ids import new_id
from gateway.log import Log
from gateway.oauth.answer import GrantEnded, TokenTrouble
from gateway.oauth.tokens import Held, keep, opened
from gateway.store import notices
from gateway.store import oauth as rows
from scopes.vocabulary import ConnectionState

log = Log("gateway.leave")

REVOKED: Final = "connection.revoked"
_LEFT_BEHIND: Final = timedelta(minutes=2)
_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Reduced:
    """What was given back, and what remains to be done for it."""

    given_back: frozenset[str]
    address: str | None = field(default=None, repr=False)
    """Where somebody connects again, where the vendor takes nothing off by itself."""
    stopped: bool = False
    """Whether nothing goes out until then."""


async def revoke(actor: Actor, connection_id: UUID, rooms: Rooms) -> str | None:
    """Revoke a connection for good. Raises NotFound; a second time changes nothing.

    Says what became of telling the vendor: revoked, not_told, has_no_revocation or nothing_held; None where it had no tokens.
    """
    before = [
        each for each in (await rooms.connections.clinic(actor.tenant)).connections.values() if each.id == connection_id
    ]
    await rooms.connections.set_state(actor, connection_id, ConnectionState.REVOKED)
    rooms.oauth.tokens.forget(connection_id)
    if not before:
        return None
    return await _tell_vendor(before[0].clinic, connection_id, before[0].connector, before[0].account, rooms)


async def clear_left(rooms: Rooms) -> int:
    """Tell vendors of what was revoked when a gateway died before it could; says how many were found."""
    async with rooms.store.nobody() as session:
        found = await rows.left(session, rooms.clock() - _LEFT_BEHIND, _AT_ONCE)
    for each in found:
        clinic = await rooms.connections.clinic(each.tenant)
        account = next(
            (
                known.account
                for known in await rooms.connections.page(each.tenant, after=UUID(int=each.connection.int - 1), limit=1)
            ),
            None,
        )
        await _tell_vendor(clinic, each.connection, each.connector, account, rooms)
    return len(found)


async def reduce(actor: Actor, connection: Connection, rooms: Rooms, *, back: bool = False) -> Reduced:
    """Give back what the features need no more. Raises Conflict where there is nothing to give back."""
    rule, wanted = rule_of(connection.connector, rooms), least_of(connection, rooms)
    lattice = rooms.registry.connector(connection.connector).lattice
    excess = lattice.drift(wanted, connection.provider_scopes).excess
    if connection.state not in (ConnectionState.ACTIVE, ConnectionState.SUSPENDED):
        raise Conflict("only a connection that is connected has scopes to give back")
    if not excess:
        raise Conflict("everything that was granted is needed by the features that are on")
    if rule.narrows_at_refresh and await _narrowed(actor, connection, wanted, rooms):
        return Reduced(excess)
    check_address(rooms)
    if not rule.ends_whole_grant:
        link = await rooms.oauth.changes.ask_again(actor, connection.id, wanted, back=back)
        return Reduced(excess, link_for(link, rooms))
    held = await rooms.oauth.tokens.held(connection)
    link = await rooms.oauth.changes.cleared(actor, connection.id, wanted, back=back)
    if held is not None:
        await _told(connection.connector, connection.account, held, rooms)
    return Reduced(excess, link_for(link, rooms), stopped=True)


async def _narrowed(actor: Actor, connection: Connection, wanted: frozenset[str], rooms: Rooms) -> bool:
    """Ask for a token of less, in the connection's turn; whether the vendor gave one."""
    tenant = actor.tenant
    async with rooms.oauth.tokens.turns.turn(connection.id):
        async with rooms.store.tenant(tenant) as session:
            row = await rows.tokens(session, tenant, connection.id)
            held = None if row is None else opened(connection.clinic, row)
            if row is None or held is None or held.refresh is None:
                return False
            await rows.begin(session, tenant, connection.id, row.generation, rooms.clock())
        vendor = await vendor_of(connection.connector, connection.account, rooms)
        try:
            answer = await vendor.by_refresh(held.refresh, scopes=wanted, now=rooms.clock())
        except (GrantEnded, TokenTrouble):
            return False  # the next call finds out what there is to it
        found = compared(connection.connector, wanted, answer, rooms)
        async with rooms.store.tenant(tenant) as session:
            await rows.ask(session, tenant, connection.id, sorted(wanted))
            await keep(
                session, connection.clinic, connection.id, answer, generation=row.generation,
                granted=found.granted | found.excess, now=rooms.clock(),
            )  # fmt: skip
    await rooms.oauth.changes.narrowed(actor, connection, found.granted | found.excess)
    return not found.excess


async def _tell_vendor(
    clinic: Clinic, connection_id: UUID, connector: str, account: str | None, rooms: Rooms
) -> str | None:
    """Tell the vendor, then destroy the tokens whatever it said; the clinic is told which of the two it was."""
    async with rooms.store.tenant(clinic.tenant) as session:
        row = await rows.tokens(session, clinic.tenant, connection_id)
    if row is None:
        return None
    held = opened(clinic, row)
    told = "nothing_held" if held is None else await _told(connector, account, held, rooms)
    detail = {"connector": connector, "vendor": told}
    notice = notices.NoticeRow(new_id(), rooms.clock(), REVOKED, connection_id, detail)
    async with rooms.store.tenant(clinic.tenant) as session:
        await rows.drop_tokens(session, clinic.tenant, connection_id)
        await notices.add(session, clinic.tenant, notice)
    log.info("connection_revoked", connection=connection_id, vendor=told)
    return told


async def _told(connector: str, account: str | None, held: Held, rooms: Rooms) -> str:
    """Whether the vendor took note: revoked there, not revoked, or nothing there to tell."""
    try:
        vendor = await vendor_of(connector, account, rooms)
    except (GatewayError, KeyError):
        return "not_told"
    if vendor.rule.revoke_url is None:
        return "has_no_revocation"
    return "revoked" if await vendor.revoke(held.refresh or held.access) else "not_told"
