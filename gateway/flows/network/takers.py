"""Who takes what a network says: for each kind of letter one function, entered here and nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from connectors.told import (
    ConsentTold,
    ContextNoted,
    LinkConfirmed,
    Linked,
    LinkTokenCame,
    LinkWanted,
    PatientInvited,
    ProfileShared,
    RecordsWanted,
    Sought,
)
from gateway.flows.network import artefacts, desk, discovery, linking, transfers
from gateway.flows.network.heard import Heard
from gateway.flows.rooms import Rooms

Taker = Callable[[Heard, Any, Rooms], Awaitable[None]]
"""`async def f(heard: Heard, told: T, rooms: Rooms) -> None`. May be called again for the same letter; whatever it raises,
the letter comes again."""

TAKERS: Final[Mapping[type, Taker]] = MappingProxyType(
    {
        ProfileShared: desk.shared,
        Sought: discovery.sought,
        LinkWanted: discovery.link_wanted,
        LinkConfirmed: discovery.link_confirmed,
        LinkTokenCame: linking.token_came,
        Linked: linking.linked,
        ContextNoted: linking.noted,
        PatientInvited: linking.invited,
        ConsentTold: artefacts.told,
        RecordsWanted: transfers.wanted,
    }
)
