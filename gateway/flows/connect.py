"""Set one connection up, or its grant anew: which features, with which of the vendor's scopes at the least.

With a key it is active at once; where the vendor wants to be asked on a page of its own, flows/authorize.py goes on.

What is checked here needs the connector's declarations; Connections checks the credential and what stands in its rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from connectors.contract import Manifest
from connectors.registry import Connector, UnknownAction
from gateway.calls import Actor
from gateway.connections import Connection, NewConnection
from gateway.errors import InvalidRequest
from gateway.flows.authorize import check_address, link_for
from gateway.flows.rooms import Rooms
from gateway.flows.scopes import needs_of
from scopes.grant import Grant
from scopes.minimize import Fault
from scopes.vocabulary import CredentialKind, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a clinic lets a connection do. Paths are in the order in which they were given, so that a fault can say which."""

    features: frozenset[str]
    withheld: tuple[str, ...] = ()
    free_text: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish(Terms):
    """What a clinic wants to connect. Without `provider_scopes` the least that the features need are assumed."""

    connector: str
    secret: str | None = field(default=None, repr=False)
    account: str | None = None
    provider_scopes: frozenset[str] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None
    back: bool = False
    """Whether whoever connects sits at our own pages, and comes back to them from the vendor's."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A connection, and the address where somebody has to allow it, if anybody has to."""

    connection: Connection
    address: str | None = field(default=None, repr=False)


async def connect(actor: Actor, wish: Wish, rooms: Rooms) -> Connection:
    """Connect with a key; raises InvalidRequest or Conflict."""
    return (await begin(actor, wish, rooms)).connection


async def begin(actor: Actor, wish: Wish, rooms: Rooms) -> Begun:
    """Connect with a key, or begin to connect on the vendor's page; raises InvalidRequest or Conflict."""
    try:
        connector = rooms.registry.connector(wish.connector)
    except UnknownAction as unknown:
        raise InvalidRequest(faults=[Fault("connector", str(unknown))]) from None
    faults = _faults(connector, wish, now=rooms.clock())
    _refuse([*faults, *_setting_faults(connector.manifest, wish.settings), *_path_faults(connector, wish)])
    if connector.manifest.credential.oauth is not None:
        return await _by_page(actor, wish, connector, rooms)
    if (
        connector.manifest.credential.kind is CredentialKind.SESSION
    ):  # pending, until the operator has found its facility
        return Begun(await rooms.connections.connect(actor, _new(connector, wish, frozenset())))
    scopes = least_scopes(connector, wish.features) if wish.provider_scopes is None else wish.provider_scopes
    return Begun(await rooms.connections.connect(actor, _new(connector, wish, scopes)))


async def _by_page(actor: Actor, wish: Wish, connector: Connector, rooms: Rooms) -> Begun:
    """A pending connection and, in the same transaction, the attempt whose link somebody gets."""
    if not wish.features:
        raise InvalidRequest(
            faults=[Fault("features", "must name at least one: the vendor is asked for what it needs")]
        )
    check_address(rooms)
    await rooms.oauth.clients.of(connector.id)
    links: list[str] = []

    async def ask(session: asyncpg.Connection, connection_id: UUID) -> None:
        asked = least_scopes(connector, wish.features)
        links.append(await rooms.oauth.changes.ask(session, actor.tenant, connection_id, asked, back=wish.back))

    made = await rooms.connections.connect(actor, _new(connector, wish, frozenset()), ask)
    return Begun(made, link_for(links[0], rooms))


def _new(connector: Connector, wish: Wish, scopes: frozenset[str]) -> NewConnection:
    return NewConnection(
        manifest=connector.manifest,
        secret=wish.secret,
        account=wish.account,
        provider_scopes=scopes,
        features=wish.features,
        withheld=frozenset(wish.withheld),
        free_text=frozenset(wish.free_text),
        settings=wish.settings,
        expires_at=wish.expires_at,
    )


async def regrant(actor: Actor, connection: Connection, terms: Terms, rooms: Rooms) -> Grant:
    """Replace what a connection may be used for; raises InvalidRequest, NotFound or Conflict."""
    registry = rooms.registry
    _refuse(_path_faults(registry.connector(connection.connector), terms))
    wanted = Grant(terms.features, frozenset(terms.withheld), free_text=frozenset(terms.free_text))
    return await rooms.connections.grant(
        actor, connection.id, wanted, lambda connector: registry.connector(connector).manifest
    )


async def set_up(actor: Actor, connection: Connection, settings: Mapping[str, str], rooms: Rooms) -> None:
    """Replace what a clinic set for a connection; raises InvalidRequest, NotFound or Conflict."""
    manifest = rooms.registry.connector(connection.connector).manifest
    _refuse([*_setting_faults(manifest, settings), *_moved_faults(manifest, connection, settings)])
    await rooms.connections.set_settings(actor, connection.id, settings)


def least_scopes(connector: Connector, features: frozenset[str]) -> frozenset[str]:
    """The vendor's scopes of least power that the actions of these features need."""
    return connector.lattice.least(needs_of(connector, features))


def excess_scopes(connector: Connector, features: frozenset[str], stated: frozenset[str]) -> frozenset[str]:
    """Those of the stated scopes that go beyond what the features need; another choice of equal power does not."""
    lattice, needs = connector.lattice, needs_of(connector, features)
    met = [need for need in needs if any(lattice.includes(stated, scope) for scope in need)]
    chosen, asked = lattice.least(met, stated), lattice.least(needs)
    if len(lattice.power(chosen)) == len(lattice.power(lattice.least(met))):
        asked |= chosen
    return lattice.drift(asked, stated).excess


def _refuse(faults: Iterable[Fault]) -> None:
    found = list(faults)
    if found:
        raise InvalidRequest(faults=found)


def _faults(connector: Connector, wish: Wish, *, now: datetime) -> Iterator[Fault]:
    """What does not fit the manifest about the account and the key's power, or an expiry that is past."""
    if wish.expires_at is not None and wish.expires_at <= now:
        yield Fault("expires_at", "must lie in the future")
    rule = connector.manifest.credential
    yield from _credential_faults(connector, wish)
    if rule.kind is CredentialKind.SESSION:
        if wish.account is not None:
            yield Fault("account", "is found at the network by the operator, and never typed; leave it out")
    elif wish.account is None and rule.account_needed:
        yield Fault("account", f"is needed: {rule.account_title or 'the account at the vendor'}")
    elif wish.account is not None and not rule.has_accounts:
        yield Fault("account", f"{connector.id} has no accounts to act for")
    elif wish.account is not None and rule.account_pattern and not re.fullmatch(rule.account_pattern, wish.account):
        yield Fault("account", f"must have the form {rule.account_pattern}")
    known = (wish.provider_scopes or frozenset()) & connector.lattice.scopes
    if excess := excess_scopes(connector, wish.features, known):
        named = ", ".join(sorted(excess))
        yield Fault("provider_scopes", f"{Reason.SCOPE_EXCESS}: more than these features need; leave out {named}")


def _credential_faults(connector: Connector, wish: Wish) -> Iterator[Fault]:
    """A key where a key is taken; where a person or the operator allows it, neither a key nor a claim of what it may do."""
    by_page = connector.manifest.credential.oauth is not None
    if connector.manifest.credential.kind is CredentialKind.SESSION:
        if wish.secret is not None:
            yield Fault("credential", f"{connector.id} knows the gateway itself; leave it out")
        return
    if by_page and wish.secret is not None:
        yield Fault("credential", f"{connector.id} is connected on a page of the vendor's; leave it out")
    elif by_page and wish.provider_scopes is not None:
        yield Fault("provider_scopes", "are what the features need at the least; leave them out")
    elif not by_page and wish.secret is None:
        yield Fault(
            "credential", "is needed: " + " or ".join(form.title for form in connector.manifest.credential.accepts)
        )


def _moved_faults(manifest: Manifest, connection: Connection, settings: Mapping[str, str]) -> Iterator[Fault]:
    """An account of one environment is nobody, or somebody else, in another one."""
    rule = manifest.credential.session
    if rule is None or connection.account is None:
        return
    if settings.get(rule.setting) != connection.settings.get(rule.setting):
        yield Fault(f"settings.{rule.setting}", "stays as it is while the connection acts for a facility; connect anew")


def _setting_faults(manifest: Manifest, settings: Mapping[str, str]) -> Iterator[Fault]:
    for name in settings.keys() - manifest.settings.keys():
        known = ", ".join(sorted(manifest.settings)) or "none"
        yield Fault("settings", f"{manifest.id} has these settings: {known}; take out {name!r}")
    for name, rule in manifest.settings.items():
        if name not in settings and rule.needed:
            yield Fault(f"settings.{name}", f"is needed: {rule.title}")
        elif name in settings and not re.fullmatch(rule.pattern, settings[name]):
            yield Fault(f"settings.{name}", f"must have the form {rule.pattern}")


def _path_faults(connector: Connector, terms: Terms) -> list[Fault]:
    """A path that no action declares would withhold nothing, and the clinic would believe that it does."""
    shapes = [action.shape for action in connector.actions.values()]
    declared = {node.path for shape in shapes for node in shape.nodes()}
    free_text = {path for shape in shapes for path in shape.free_text_paths}
    return [
        *_unknown("withheld", terms.withheld, declared, "no action declares this field; the catalog names them"),
        *_unknown(
            "free_text", terms.free_text, free_text, "no action has free text here; the catalog names the fields"
        ),
    ]


def _unknown(name: str, given: Sequence[str], known: set[str], message: str) -> list[Fault]:
    return [Fault(f"{name}[{at}]", message) for at, path in enumerate(given) if path not in known]
