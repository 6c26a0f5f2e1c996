"""Where a page of a network stands: which network, what else there is of it, and how a page that looks by itself does so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from connectors.registry import Connector
from gateway.connections import Connection
from gateway.errors import Conflict, NotFound
from gateway.web.page import Content, Visit
from gateway.web.settings.integration import ONE, at_home, connector_of
from scopes.scope import Area, Scope, Verb

STANDS: Final = Scope(Area.CONNECTIONS, Verb.READ)
CHANGES: Final = Scope(Area.CONNECTIONS, Verb.WRITE)
READ: Final = Scope(Area.RECORDS, Verb.READ)
WRITE: Final = Scope(Area.RECORDS, Verb.WRITE)
LOG: Final = Scope(Area.LOG, Verb.READ)
BASE: Final = f"{ONE}/network"
_PLACES: Final = (
    ("", "How it stands", STANDS),
    ("/desk", "Desk", READ),
    ("/visits", "Visits", READ),
    ("/transfers", "Records sent", READ),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A network that the clinic is connected to, and whether its facility is known there."""

    connector: Connector
    connection: Connection
    linked: bool

    @property
    def home(self) -> str:
        """The first of its pages."""
        return f"{at_home(self.connector)}/network"

    @property
    def title(self) -> str:
        """What the network is called."""
        return self.connector.manifest.title

    def words(self, visit: Visit, here: str) -> dict[str, Any]:
        """What every page of it shows around its own; `here` is which of them it is."""
        shown = [
            (title, f"{self.home}{path}", path == here)
            for path, title, needs in _PLACES
            if visit.may(needs) and (self.linked or not path)
        ]
        return {
            "network": self.title, "home": self.home, "integration": at_home(self.connector), "places": shown,
            "logged": visit.may(LOG), "changes": visit.may(WRITE),
        }  # fmt: skip


async def place_of(visit: Visit, *, linked: bool = True) -> Place:
    """The network that the path names. Raises NotFound where the clinic takes part in none, Conflict where it is not linked."""
    connector = connector_of(visit)
    connection = (await visit.rooms.connections.present(visit.tenant)).connections.get(connector.id)
    if connector.network is None or connection is None:
        raise NotFound(
            "the clinic takes part in no such network of health records", fix="The integrations' page lists them."
        )
    facility = await visit.rooms.networks.facilities.of(visit.tenant, connector.id)
    if linked and facility is None:
        raise Conflict(
            "the clinic's facility is not linked yet", fix=f"The operator links it at {connector.manifest.title} first."
        )
    return Place(connector, connection, facility is not None)


def marked(mark: str) -> Content:
    """What a page that looks by itself compares with what it shows."""
    return Content(orjson.dumps({"mark": mark}))
