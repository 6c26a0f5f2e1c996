"""A clinic to try things on: embedded database, vendors' sandboxes on loopback, one example call. Never for real data."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import orjson

from connectors.registry import Connector, Registry
from gateway.app import House, opened
from gateway.calls import Actor
from gateway.config import Settings
from gateway.demo_network import registered, told_anew
from gateway.demo_texts import texts_of
from gateway.errors import Conflict, NotFound
from gateway.flows.agree import Terms, agree
from gateway.flows.authorize import again, finish, go
from gateway.flows.connect import Wish, begin
from gateway.flows.template import register
from gateway.flows.watching import Wanted, listed, want
from gateway.jobs import Jobs
from gateway.keyfiles import write_once
from gateway.oauth.clients import Client
from gateway.people import Role
from gateway.serve import listening, serving, url_of
from gateway.store.embedded.lock import FileLock
from scopes.agreement import AgreementKind
from scopes.scope import Area, Scope, Verb
from scopes.vocabulary import ConnectionState, Purpose

EVERYTHING = tuple(Scope(area, verb) for area in Area for verb in Verb)
_KEPT = "demo.json"  # the demo's tenant, key and people, in the data folder, readable by its owner only
_TURN = "demo.lock"
_TURN_SECONDS = 0.05
_DOMAIN = "demo.example"
_ORDERS = {
    "messaging": ("messaging/whatsapp", "messaging/twilio")
}  # a message goes by SMS where WhatsApp may not have it
_NAMES = {Role.OWNER: "Olena Marsh", Role.AUDITOR: "Anouk Reyes", Role.VENDOR: "Viktor Lind"}


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo clinic that is open for calls."""

    url: str
    api_key: str
    tenant: UUID
    house: House
    people: Mapping[str, Mapping[str, str]]  # role -> the address and password to sign in with
    phones: Mapping[str, str]  # messaging vendor -> the page that shows what a patient would read

    def line(self) -> dict[str, Any]:
        """What a first-time user needs."""
        sign_in = {"url": self.sign_in_url, **self.people[Role.OWNER]}
        return {"url": self.url, "api_key": self.api_key, "tenant": str(self.tenant), "sign_in": sign_in}

    @property
    def sign_in_url(self) -> str:
        """Where people sign in: by a name and not a number, since passkeys belong to a name."""
        return f"{by_name(self.url)}/sign-in"


def by_name(url: str) -> str:
    """The demo's address as people's browsers know it: a session is kept for a name, and who comes back has to find it."""
    return url.replace("//127.0.0.1:", "//localhost:")


@asynccontextmanager
async def running(
    settings: Settings, *, any_port: bool = False, elsewhere: Mapping[str, str] | None = None
) -> AsyncIterator[Demo]:
    """The demo, serving until the block ends. A second start on the same data folder finds the same clinic.

    `elsewhere` maps a connector to a sandbox that somebody else serves on loopback.
    """
    elsewhere = elsewhere or {}
    listener = listening(settings.host, settings.port, otherwise_any=any_port)
    async with AsyncExitStack() as stack:
        stack.callback(listener.close)
        vendors = {
            connector.id: connector.module("sandbox").create()
            for connector in Registry.load().connectors.values()
            if (connector.folder / "sandbox.py").is_file() and connector.id not in elsewhere
        }
        sandboxes = dict(elsewhere) | {
            connector_id: await stack.enter_async_context(serving(vendor, listening("127.0.0.1", 0)))
            for connector_id, vendor in vendors.items()
        }
        house = await stack.enter_async_context(opened(settings, sandboxes=sandboxes))
        house.rooms.oauth.served_at = by_name(url_of(listener))
        async with _alone(settings):
            tenant, api_key, people = await _clinic(house)
            for connector_id in sandboxes:
                connector = house.rooms.registry.connector(connector_id)
                await _connected(house, tenant, connector, vendors.get(connector_id))
        await stack.enter_async_context(Jobs(house.rooms).running())
        url = await stack.enter_async_context(serving(house.web, listener))
        house.rooms.callbacks.served_at = url
        for connector_id in sandboxes:
            connector = house.rooms.registry.connector(connector_id)
            await _calling_back(house, tenant, connector, vendors.get(connector_id), url)
        await _watching(house, tenant)
        phones = {
            house.rooms.registry.connector(connector_id).manifest.title: f"{base}{page}"
            for connector_id, base in sandboxes.items()
            if (page := getattr(house.rooms.registry.connector(connector_id).module("sandbox"), "PHONE", None))
        }
        yield Demo(url, api_key, tenant, house, people, phones)


@asynccontextmanager
async def _alone(settings: Settings) -> AsyncIterator[None]:
    """Demos that start on one folder at once furnish its clinic one after the other: the later ones find it there."""
    with closing(FileLock(settings.data_dir / _TURN)) as lock:
        while not lock.take():  # noqa: ASYNC110 (another process ends: there is no event to wait for)
            await asyncio.sleep(_TURN_SECONDS)
        yield


async def _clinic(house: House) -> tuple[UUID, str, Mapping[str, Mapping[str, str]]]:
    """The demo's clinic, its API key and its people, from the data folder or new."""
    kept = house.settings.data_dir / _KEPT
    if not kept.exists():
        tenant = await house.rooms.connections.create_tenant("Demo clinic")
        api_key, _ = await house.rooms.callers.create_key(_demo(tenant), "demo", EVERYTHING, expires_at=None)
        for family, vendors in _ORDERS.items():
            await house.rooms.connections.set_order(_demo(tenant), family, vendors)
        made = {"tenant": str(tenant), "api_key": api_key, "people": await _invented(house)}
        write_once(kept, orjson.dumps(made).decode())
    known = orjson.loads(kept.read_bytes())
    tenant = UUID(known["tenant"])
    try:
        await house.rooms.connections.clinic(tenant)
    except NotFound:
        fix = f"Remove {kept} to begin with a new clinic."
        raise NotFound("The clinic of the last demo is not in this database.", fix=fix) from None
    if "people" not in known:  # it was made before there were pages
        known["people"] = await _invented(house)
        draft = kept.with_suffix(".new")
        draft.unlink(missing_ok=True)
        write_once(draft, orjson.dumps(known).decode())
        draft.replace(kept)
    await _peopled(house, tenant, known["people"])
    return tenant, known["api_key"], known["people"]


async def _invented(house: House) -> dict[str, dict[str, str]]:
    """An address and a password for each of the demo's people; a database may hold another demo's already."""
    taken = await house.rooms.people.accounts.person_of(f"{Role.OWNER}@{_DOMAIN}") is not None
    domain = f"{secrets.token_hex(3)}.{_DOMAIN}" if taken else _DOMAIN
    return {str(role): {"email": f"{role}@{domain}", "password": secrets.token_urlsafe(12)} for role in _NAMES}


async def _peopled(house: House, tenant: UUID, people: Mapping[str, Mapping[str, str]]) -> None:
    """Make the accounts that are not there yet, unless the user removed them."""
    accounts = house.rooms.people.accounts
    for role, name in _NAMES.items():
        given = people[role]
        if await accounts.person_of(given["email"]) is not None:
            continue
        person = await accounts.create(name, email=given["email"], password=given["password"])
        await accounts.join(_demo(tenant), person, role)


async def _connected(house: House, tenant: UUID, connector: Connector, vendor: Any) -> None:
    """Every sandbox is connected with all its features, unless the user changed that."""
    sandbox = connector.module("sandbox")
    if connector.manifest.credential.session is not None:
        await registered(house, _demo(tenant), connector)
        return
    by_page = connector.manifest.credential.oauth is not None
    if by_page:
        await house.rooms.oauth.clients.add(connector.id, Client(*sandbox.OAUTH_CLIENT))
    known = [
        each for each in await house.rooms.connections.page(tenant, after=None, limit=500)
        if each.connector == connector.id
    ]  # fmt: skip
    if known:
        if by_page and known[-1].state is ConnectionState.ACTIVE:  # a sandbox keeps no token beyond its end
            await _allowed(house, await again(_demo(tenant), known[-1], house.rooms), sandbox, vendor)
        return
    rule = connector.manifest.agreements
    wish = Wish(
        connector=connector.id,
        secret=None if by_page else sandbox.CREDENTIAL,
        features=frozenset(connector.manifest.features),
        account=getattr(sandbox, "ACCOUNT", None),
        settings=getattr(sandbox, "SETTINGS", {}),
    )
    made = await begin(_demo(tenant), wish, house.rooms)
    if made.address is not None:
        await _allowed(house, made.address, sandbox, vendor)
    if any(connector.manifest.needs_agreement(action) for action in connector.manifest.actions.values()):
        signed = Terms(kind=AgreementKind.DPA, services=rule.services, since=house.rooms.clock())
        await agree(_demo(tenant), connector.id, signed, house.rooms)
    for text in texts_of(connector):
        await register(_demo(tenant), text, house.rooms)


async def _allowed(house: House, address: str, sandbox: Any, vendor: Any) -> None:
    """Say yes on the sandbox's page, as a person would in a browser."""
    going = await go(address.partition("link=")[2], house.rooms)
    back = sandbox.approve(vendor, going.url)
    await finish(dict(parse_qsl(urlsplit(back).query)), going.browser, house.rooms)


async def _calling_back(house: House, tenant: UUID, connector: Connector, vendor: Any, url: str) -> None:
    """Let the sandbox tell the gateway what happens there, as its vendor would; nothing where the user cut it off."""
    if connector.manifest.credential.session is not None:
        await told_anew(house, _demo(tenant), connector)
        return
    if connector.manifest.callback is None or connector.manifest.callback.token:
        return  # nothing calls, or an action says where to
    found = await house.rooms.connections.active(tenant, connector.id)
    if found.state is not ConnectionState.ACTIVE:
        return
    secret: str = connector.module("sandbox").CALLBACK_SECRET
    manifests = {connector.id: connector.manifest}
    with suppress(Conflict):  # the user put two of their own there
        await house.rooms.callbacks.add_secret(_demo(tenant), found.id, secret, manifests)
        vendor.state.sandbox.callback_url = f"{url}/hooks/{found.id}"


async def _watching(house: House, tenant: UUID) -> None:
    """Have each vendor watch what its sandbox names, unless the user stopped or cut that off: so it is asked for once."""
    for connector in house.rooms.registry.connectors.values():
        named = getattr(connector.module("sandbox"), "WATCHES", {}) if connector.manifest.watches else {}
        found = await house.rooms.connections.active(tenant, connector.id)
        if not named or found.state is not ConnectionState.ACTIVE:
            continue
        if any(each.row.connection == found.id for each in await listed(tenant, house.rooms)):
            continue
        for name, payload in named.items():
            await want(_demo(tenant), Wanted(connector.id, name, Purpose.HOPERAT, payload), house.rooms)


def _demo(tenant: UUID) -> Actor:
    return Actor("system", "demo", tenant, EVERYTHING)
