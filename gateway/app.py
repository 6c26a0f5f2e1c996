"""Put the house together and take it apart again: the one place that knows every room. Holds no logic of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

from connectors.registry import HERE, Registry
from gateway.agreements import Agreements
from gateway.callback_keys import CallbackKeys
from gateway.callbacks import Callbacks
from gateway.callers import Callers
from gateway.config import Settings
from gateway.connections import Connections
from gateway.consents import Consents
from gateway.contacts import Contacts
from gateway.egress import CurlEngine, Door, Route
from gateway.errors import GatewayError
from gateway.flows.register import Registers
from gateway.flows.rooms import Rooms
from gateway.ids import new_id
from gateway.keyfiles import add_master_key, log_keys, master_keys
from gateway.ledger.log import Ledger
from gateway.ledger.proofs import Proofs
from gateway.ledger.writer import Writer
from gateway.log import Log
from gateway.network.artefacts import Artefacts
from gateway.network.lines import Line, Send, id_of
from gateway.network.room import Networks
from gateway.network.sessions import Login
from gateway.oauth.room import OAuth
from gateway.people import People
from gateway.records import Records
from gateway.store import keys
from gateway.store import people as people_rows
from gateway.store.embedded import Embedded
from gateway.store.migrate import migrate
from gateway.store.pool import Store
from gateway.subjects import Subjects
from gateway.tallies import Tallies
from gateway.templates import Templates
from gateway.vault import Vault
from gateway.web import auditor, pages, vendors
from gateway.web import settings as settings_pages
from gateway.web.api.app import application
from gateway.web.site import Site
from gateway.webhooks.endpoints import Endpoints
from gateway.webhooks.kinds import Kinds

if TYPE_CHECKING:
    from starlette.types import ASGIApp

log = Log("gateway")

PAGES = (*pages.PAGES, *settings_pages.PAGES, *vendors.PAGES, *auditor.PAGES)
TABS = (*settings_pages.TABS, *vendors.TABS, *auditor.TABS, *pages.TABS)

_WATCH_SECONDS = 1.0
_TOKEN_SECONDS = 20.0
_MOST_TOKEN_BYTES = 1 << 18
_MOST_FILE_BYTES = 1 << 22  # a network's list of every facility behind one bridge


def now() -> datetime:
    """The clock of the house."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class House:
    """A gateway that is open for calls."""

    settings: Settings
    rooms: Rooms
    callers: Callers
    writer: Writer
    web: ASGIApp


@asynccontextmanager
async def opened(
    settings: Settings,
    *,
    sandboxes: Mapping[str, str] | None = None,
    connectors: Iterable[Path] = (HERE,),
    clock: Callable[[], datetime] = now,
) -> AsyncIterator[House]:
    """Open the house: database, ledger, rooms, pages. Refuses to open without a ledger that can be written.

    `sandboxes` maps a connector to a base URL on loopback; only the demo and tests give any.
    """
    sandboxes = dict(sandboxes or {})
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(_store(settings))
        registry = Registry.load(connectors)
        vault = Vault(master_keys(settings))
        lattices = {connector.id: connector.lattice for connector in registry.connectors.values()}
        connections = Connections(store, vault, lattices, clock=clock)
        callers = Callers(store, keyed=connections.clinic, clock=clock)
        subjects = Subjects(store)
        callbacks = Callbacks(
            store, connections, clock=clock, public_url=settings.public_url, trusts_host=bool(sandboxes)
        )

        def standing_moved(tenant: UUID, standing: int) -> None:
            connections.forget(tenant, standing)
            callers.forget(tenant)
            subjects.forget(tenant)

        writer = Writer(store, moved=standing_moved)
        await writer.start()
        stack.push_async_callback(writer.stop)
        ledger = Ledger(store, writer, clock=clock)
        await ledger.sweep()
        door = Door(CurlEngine(), loopback_hosts=_loopback_hosts(sandboxes), today=clock)
        stack.push_async_callback(door.close)
        consents = Consents(store, connections, subjects, clock=clock)
        oauth = OAuth.of(store, connections, clock=clock, sandboxes=sandboxes, public_url=settings.public_url)
        stack.push_async_callback(oauth.tokens.close)

        async def login_of(line: str) -> Login:
            client = await oauth.clients.of(line)
            return Login(client.id, client.secret or "")

        lines = _lines(registry, sandboxes, door)
        networks = Networks.of(store, connections, lines, login_of, turn=oauth.tokens.turns.turn, clock=clock)
        stack.push_async_callback(networks.sessions.close)
        rooms = Rooms(
            registry=registry,
            kinds=Kinds(registry),
            connections=connections,
            consents=consents,
            artefacts=Artefacts(store, connections, consents, clock=clock),
            contacts=Contacts(store, consents, clock=clock),
            agreements=Agreements(store, connections, clock=clock),
            records=Records(store, connections, subjects, clock=clock),
            templates=Templates(store, connections, clock=clock),
            registers=Registers(store, registry, clock=clock),
            callers=callers,
            people=People(store, vault, connections.clinic, clock=clock),
            callbacks=callbacks,
            callback_keys=CallbackKeys(store, connections, clock=clock),
            endpoints=Endpoints(store, connections, clock=clock),
            subjects=subjects,
            ledger=ledger,
            proofs=Proofs(store, log_keys(settings)),
            tallies=Tallies(store),
            egress=door,
            store=store,
            clock=clock,
            routes={
                connector: _route(registry, connector, sandboxes.get(connector)) for connector in registry.connectors
            },
            oauth=oauth,
            networks=networks,
            token_routes=_token_routes(registry, sandboxes),
        )
        site = Site(rooms, settings, PAGES, TABS)
        yield House(settings, rooms, callers, writer, application(rooms, settings, site))


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[str]:
    """The address of the database that the settings name, or of the embedded one, which runs until the block ends."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    starting = asyncio.create_task(asyncio.to_thread(Embedded.start, settings.data_dir))
    try:
        embedded = await asyncio.shield(starting)
    except asyncio.CancelledError:  # the thread goes on all the same: what it starts would be left behind
        (await starting).stop()
        raise
    watch = asyncio.create_task(_watched(embedded), name="embedded-watch")
    try:
        yield embedded.dsn()
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await asyncio.to_thread(embedded.stop)


async def _watched(embedded: Embedded) -> None:
    """Start the embedded server again when it died; until it is back nothing is sent."""
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        if not embedded.alive:
            try:
                await asyncio.to_thread(embedded.revive)
                log.warning("embedded_database_revived")
            except (GatewayError, OSError) as failure:
                log.error("embedded_database_down", failure=failure)


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Store]:
    async with database(settings) as dsn:
        for applied in await migrate(dsn):
            log.info("migrated", migration=applied)
        store = await Store.open(dsn)
        try:
            yield store
        finally:
            await store.close()


async def rotate(settings: Settings, *, tell: Callable[[str], None]) -> None:
    """Put a new master key in front and wrap every data key under it; gateways that run read the file when they start."""
    add_master_key(settings)
    vault = Vault(master_keys(settings))
    async with _store(settings) as store:
        async with store.nobody() as connection:
            tenants = await keys.tenants(connection)
        for done, tenant in enumerate(tenants, start=1):
            async with store.tenant(tenant) as connection:
                for row in await keys.all_of(connection, tenant):
                    await keys.rewrap(connection, tenant, vault.rewrapped(tenant, row))
            tell(f"{done} of {len(tenants)} clinics rewrapped")
        async with store.nobody() as connection:
            known = await people_rows.all_keys(connection)
        for person, key in known:
            async with store.person(person) as connection:
                await people_rows.rewrap(connection, person, vault.rewrapped(person, key))
        tell(f"{len(known)} people rewrapped")


def _route(registry: Registry, connector: str, sandbox: str | None) -> Route:
    """Where a connector may go: the hosts of its manifest, or its sandbox and nothing else."""
    manifest = registry.connectors[connector].manifest
    if sandbox is None:
        return Route(frozenset(manifest.hosts), manifest.base_url, account_header=manifest.credential.account_header)
    return Route(frozenset({urlsplit(sandbox).netloc}), sandbox, account_header=manifest.credential.account_header)


def _token_routes(registry: Registry, sandboxes: Mapping[str, str]) -> dict[str, Route]:
    """Where the gateway itself goes for tokens: the manifest's addresses for them, or the sandbox and nothing else."""
    found: dict[str, Route] = {}
    for name, connector in registry.connectors.items():
        rule = connector.manifest.credential.oauth
        if rule is not None and name in sandboxes:
            hosts, base = frozenset({urlsplit(sandboxes[name]).netloc}), sandboxes[name]
        elif rule is not None:
            hosts, base = rule.hosts(), f"https://{urlsplit(rule.token_url).hostname}"
        else:
            continue
        found[name] = Route(hosts, base, timeout_seconds=_TOKEN_SECONDS, max_answer_bytes=_MOST_TOKEN_BYTES)
    return found


def _lines(registry: Registry, sandboxes: Mapping[str, str], door: Door) -> dict[str, Line]:
    """Where the gateway asks networks on its own behalf, in each of their environments; a sandbox stands for all of them."""
    found: dict[str, Line] = {}
    for connector in registry.connectors.values():
        rule = connector.manifest.credential.session
        for environment in rule.bases if rule is not None and connector.network is not None else ():
            assert rule is not None
            assert connector.network is not None
            sandbox = sandboxes.get(id_of(connector.id, environment)) or sandboxes.get(connector.id)
            base = sandbox or rule.base_of(environment)
            hosts = frozenset({urlsplit(base).netloc})
            route = Route(hosts, base, timeout_seconds=_TOKEN_SECONDS, max_answer_bytes=_MOST_FILE_BYTES)
            line = Line(connector.id, environment, connector.network, base, partial(_passage, door, route))
            found[line.id] = line
    return found


def _passage(door: Door, route: Route) -> Send:
    return door.through(route, credential=None, idempotency_key=str(new_id())).send


def _loopback_hosts(sandboxes: Mapping[str, str]) -> frozenset[str]:
    """Where the demo may go without TLS: to its sandboxes, and to an endpoint that somebody tries out beside it."""
    hosts = {urlsplit(url).hostname for url in sandboxes.values()}
    return frozenset(host for host in (*hosts, "localhost") if host is not None) if hosts else frozenset()
