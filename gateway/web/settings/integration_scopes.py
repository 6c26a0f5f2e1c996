"""What an integration may do at its vendor, in plain words beside the vendor's own: needed at the least, or the whole report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from connectors.contract import Action
from connectors.registry import Connector
from gateway.connections import Connection
from gateway.flows.connect import least_scopes
from gateway.flows.rooms import Rooms
from gateway.flows.scopes import Report, report
from scopes.vocabulary import ConnectionState

_REASONS: Final[Mapping[str, str]] = {
    "invalid_grant": "It was taken back there, or has ended.",
    "rotation_lost": "A new key got lost on its way here, and the old one counts no more.",
    "vendor_failing": "It gave no access on four days in a row.",
    "scope_excess": "It granted more than was asked for, so nothing of it is used.",
    "no_refresh_token": "It gave access for a short time only, which is over.",
    "no_tokens": "There is nothing left here to ask with.",
    "admin_policy_enforced": "An administrator's rule there forbids it.",
    "access_denied": "It was not allowed there.",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One of the vendor's scopes, and where it stands between asked and used."""

    name: str
    title: str
    asked: bool
    granted: bool
    told: bool
    """Whether the vendor says what it granted; otherwise what was asked is taken for granted."""
    refused: bool
    """Granted beyond what was asked, and therefore not taken."""
    needed_by: tuple[str, ...]
    """The features that are on and need it."""
    used: date | None
    """The last day of the last 30 on which something was called that it is for."""


def why_again(connection: Connection) -> str:
    """Why somebody has to connect again, as the vendor's end of it is known."""
    return _REASONS.get(connection.reconnect_reason or "", "It accepts what it granted no more.")


async def reported(connector: Connector, connection: Connection | None, rooms: Rooms) -> dict[str, Any]:
    """The words of the report; of one that is connected with a key, or not at all, what it needs at the least."""
    if connection is None or connector.manifest.credential.oauth is None:
        return {"scopes": list(_least(connector, connection)), "report": None, "lines": ()}
    found = await report(connection, rooms)
    return {
        "scopes": (),
        "report": found,
        "lines": list(lines(connector, connection, found)),
        "surplus": sorted(_titles(connector, _surplus(connection, found))),
        "asked": found.asked,
    }


def lines(connector: Connector, connection: Connection, found: Report) -> Iterator[Line]:
    """Each scope that was asked, granted, refused or is needed, in the manifest's order."""
    manifest, lattice = connector.manifest, connector.lattice
    known = found.asked | found.granted | found.needed | found.refused
    for name in [*manifest.provider_scopes, *sorted(known - manifest.provider_scopes.keys())]:
        if name not in known:
            continue
        held = frozenset({name})
        does = [
            action for action in connector.actions.values()
            if any(lattice.includes(held, scope) for need in action.provider_scopes for scope in need)
        ]  # fmt: skip
        on = dict.fromkeys(action.feature for action in does if action.feature in connection.grant.features)
        yield Line(
            name=name,
            title=title_of(connector, name),
            asked=name in found.asked,
            granted=lattice.includes(found.granted, name),
            told=name not in manifest.provider_scopes or manifest.provider_scopes[name].told,
            refused=name in found.refused and not lattice.includes(found.granted, name),
            needed_by=() if name in found.surplus | found.refused else tuple(manifest.features[each].title for each in on),
            used=_last(does, found.last_used),
        )  # fmt: skip


def title_of(connector: Connector, scope: str) -> str:
    """What a scope is called in plain words; one that nobody declared by its own name."""
    rule = connector.manifest.provider_scopes.get(scope)
    return rule.title if rule is not None else f"“{scope}”"


def _titles(connector: Connector, scopes: Iterable[str]) -> list[str]:
    return [title_of(connector, scope) for scope in sorted(scopes)]


def _surplus(connection: Connection, found: Report) -> frozenset[str]:
    """What one button gives back: granted, and needed by nothing that is on."""
    connected = connection.state in (ConnectionState.ACTIVE, ConnectionState.SUSPENDED)
    return found.surplus if connected and not connection.reconnect_needed else frozenset()


def _last(does: Iterable[Action], last_used: Mapping[str, date]) -> date | None:
    return max((last_used[action.name] for action in does if action.name in last_used), default=None)


def _least(connector: Connector, connection: Connection | None) -> Iterator[dict[str, Any]]:
    """The vendor's scopes of least power that the features need, in plain words and by the vendor's name."""
    manifest = connector.manifest
    of_feature = {name: least_scopes(connector, frozenset({name})) for name in manifest.features}
    for scope, rule in manifest.provider_scopes.items():
        needing = [manifest.features[name].title for name, scopes in of_feature.items() if scope in scopes]
        if needing:
            held = connection is not None and connection.includes(connection.provider_scopes, scope)
            includes = [
                manifest.provider_scopes[each].title for each in rule.includes if each in manifest.provider_scopes
            ]
            yield {"name": scope, "title": rule.title, "for": needing, "held": held, "includes": includes}
