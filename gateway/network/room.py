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
from gateway.network.asking import Asking
from gateway.network.facilities import Facilities
from gateway.network.keys import Keys
from gateway.network.sessions import Line, Login, Sessions, Turn
from gateway.store.pool import Store


@dataclass(slots=True)
class Networks:
    """What connecting to networks of records needs; `known` are those that there are, by connector."""

    known: Mapping[str, Network]
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
            known={name: line.network for name, line in lines.items()},
            sessions=sessions,
            asking=asking,
            keys=Keys(asking.keys, seconds=monotonic),
            facilities=Facilities(store, connections, clock=clock),
        )

    def url_of(self, connector: str, base: str | None) -> str | None:
        """Where a network is to call a gateway that is reached at `base`; None where nobody said so."""
        return None if base is None else f"{base}{self.known[connector].PREFIX}"

    def at(self, path: str) -> str | None:
        """Which network calls at this path of ours."""
        for connector, network in self.known.items():
            if path.startswith(f"{network.PREFIX}/"):
                return connector
        return None
