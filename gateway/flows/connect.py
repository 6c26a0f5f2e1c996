"""Set one connection up, or its grant anew: which features, with which of the vendor's scopes at the least. Keys only, so far.

What is checked here needs the connector's declarations; Connections checks the credential and what stands in its rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connectors.contract import Manifest
from connectors.registry import Connector, UnknownAction
from gateway.calls import Actor
from gateway.connections import Connection, NewConnection
from gateway.errors import InvalidRequest
from gateway.flows.rooms import Rooms
from scopes.grant import Grant
from scopes.minimize import Fault
from scopes.vocabulary import Reason


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
    secret: str = field(repr=False)
    account: str | None = None
    provider_scopes: frozenset[str] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None


async def connect(actor: Actor, wish: Wish, rooms: Rooms) -> Connection:
    """Connect with a key; raises InvalidRequest or Conflict."""
    try:
        connector = rooms.registry.connector(wish.connector)
    except UnknownAction as unknown:
        raise InvalidRequest(faults=[Fault("connector", str(unknown))]) from None
    faults = _faults(connector, wish, now=rooms.clock())
    _refuse([*faults, *_setting_faults(connector.manifest, wish.settings), *_path_faults(connector, wish)])
    scopes = wish.provider_scopes
    return await rooms.connections.connect(
        actor,
        NewConnection(
            manifest=connector.manifest,
            secret=wish.secret,
            account=wish.account,
            provider_scopes=least_scopes(connector, wish.features) if scopes is None else scopes,
            features=wish.features,
            withheld=frozenset(wish.withheld),
            free_text=frozenset(wish.free_text),
            settings=wish.settings,
            expires_at=wish.expires_at,
        ),
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
    _refuse(_setting_faults(rooms.registry.connector(connection.connector).manifest, settings))
    await rooms.connections.set_settings(actor, connection.id, settings)


def least_scopes(connector: Connector, features: frozenset[str]) -> frozenset[str]:
    """The vendor's scopes of least power that the actions of these features need."""
    return connector.lattice.least(_needs(connector, features))


def excess_scopes(connector: Connector, features: frozenset[str], stated: frozenset[str]) -> frozenset[str]:
    """Those of the stated scopes that go beyond what the features need; another choice of equal power does not."""
    lattice, needs = connector.lattice, _needs(connector, features)
    met = [need for need in needs if any(lattice.includes(stated, scope) for scope in need)]
    chosen, asked = lattice.least(met, stated), lattice.least(needs)
    if len(lattice.power(chosen)) == len(lattice.power(lattice.least(met))):
        asked |= chosen
    return lattice.drift(asked, stated).excess


def _needs(connector: Connector, features: frozenset[str]) -> list[frozenset[str]]:
    return [
        need for action in connector.actions.values() if action.feature in features for need in action.provider_scopes
    ]


def _refuse(faults: Iterable[Fault]) -> None:
    found = list(faults)
    if found:
        raise InvalidRequest(faults=found)


def _faults(connector: Connector, wish: Wish, *, now: datetime) -> Iterator[Fault]:
    """What does not fit the manifest about the account and the key's power, or an expiry that is past."""
    if wish.expires_at is not None and wish.expires_at <= now:
        yield Fault("expires_at", "must lie in the future")
    rule = connector.manifest.credential
    if wish.account is None and rule.account_needed:
        yield Fault("account", f"is needed: {rule.account_title or 'the account at the vendor'}")
    elif wish.account is not None and not rule.has_accounts:
        yield Fault("account", f"{connector.id} has no accounts to act for")
    elif wish.account is not None and rule.account_pattern and not re.fullmatch(rule.account_pattern, wish.account):
        yield Fault("account", f"must have the form {rule.account_pattern}")
    known = (wish.provider_scopes or frozenset()) & connector.lattice.scopes
    if excess := excess_scopes(connector, wish.features, known):
        named = ", ".join(sorted(excess))
        yield Fault("provider_scopes", f"{Reason.SCOPE_EXCESS}: more than these features need; leave out {named}")


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
