"""The parts of this room, put together once at start. Holds no logic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Self

from connectors.network import Network
from gateway.bursts import Bursts
from gateway.connections import Connections
from gateway.errors import InvalidRequest
from gateway.network.asking import Asking
from gateway.network.facilities import Facilities
from gateway.network.keys import Keys
from gateway.network.lines import Line, id_of
from gateway.network.sessions import Login, Sessions, Turn
from gateway.store.pool import Store
from scopes.fault import Fault


@dataclass(slots=True)
class Networks:
    """What connecting to networks of records needs; `known` are those that there are, by connector, `lines` by their ids."""

    known: Mapping[str, Network]
    lines: Mapping[str, Line]
    sessions: Sessions
    asking: Asking
    keys: Keys
    facilities: Facilities
    bursts: Bursts = field(default_factory=Bursts)

    @classmethod
    def of(
        cls, store: Store, connections: Connections, lines: Mapping[str, Line],
        login_of: Callable[[str], Awaitable[Login]], *, turn: Turn, clock: Callable[[], datetime],
    ) -> Self:  # fmt: skip
        """Put the parts together. `turn` is had by one gateway at a time."""
        sessions = Sessions(store, connections, lines.__getitem__, login_of, turn=turn, clock=clock)
        asking = Asking(sessions, lines.__getitem__, clock=clock)
        return cls(
            known={line.connector: line.network for line in lines.values()},
            lines=lines,
            sessions=sessions,
            asking=asking,
            keys=Keys(asking.keys, seconds=monotonic),
            facilities=Facilities(store, connections, clock=clock),
        )

    def url_of(self, connector: str, base: str | None) -> str | None:
        """Where a network is to call a gateway that is reached at `base`; None where nobody said so."""
        return None if base is None else f"{base}{self.known[connector].PREFIX}"

    def lines_of(self, connector: str) -> tuple[Line, ...]:
        """A network's environments."""
        return tuple(line for line in self.lines.values() if line.connector == connector)

    def line(self, connector: str, environment: str) -> Line:
        """One of them. Raises InvalidRequest that names those that there are."""
        found = self.lines.get(id_of(connector, environment))
        if found is None:
            known = ", ".join(line.environment for line in self.lines_of(connector)) or "none"
            raise InvalidRequest(faults=[Fault("environment", f"{connector} has these environments: {known}")])
        return found

    def at(self, path: str) -> str | None:
        """Which network calls at this path of ours."""
        for connector, network in self.known.items():
            if path.startswith(f"{network.PREFIX}/"):
                return connector
        return None
