"""Tell the network something until it takes it: each time under a key of its own. When again is the caller's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from gateway.calls import Actor, Call
from gateway.errors import GatewayError, Unavailable
from gateway.flows.network.made import made
from gateway.flows.network.telling import Word, tell
from gateway.flows.rooms import Rooms
from gateway.log import Log
from scopes.vocabulary import Outcome, Purpose

log = Log("gateway.network")

_MOST: Final = 12


class NotTaken(Unavailable):
    """The network did not take what it was told."""

    code = "not_taken"
    title = "The network did not take what it was told"


@dataclass(frozen=True, slots=True)
class Heeded:
    """How the network took something: whether it has it, and whether it may have it."""

    taken: bool
    in_doubt: bool = False


async def once(tenant: UUID, connector: str, word: Word, rooms: Rooms, *, key: str) -> Heeded:
    """Tell it once under this key. Raises Unavailable where nothing can be told just now."""
    try:
        answer = await tell(tenant, connector, word, rooms, key=key)
    except Unavailable:
        raise
    except GatewayError as failure:  # the clinic does not let it, or nothing of the sort can be told
        log.warning("network_not_told", connector=connector, action=word.action, code=failure.code)
        return Heeded(taken=False)
    return Heeded(answer.outcome is Outcome.ACCEPTED, in_doubt=answer.outcome is Outcome.UNKNOWN)


async def insist(tenant: UUID, connector: str, word: Word, rooms: Rooms, *, key: str) -> None:
    """Tell it unless it was taken; one more attempt each time that this is called.

    Raises NotTaken, and Unavailable where nothing can be told just now. After a dozen attempts nothing is said any more.
    """
    for attempt in range(_MOST):
        own = f"{key} {attempt}"
        known = await made(_call(tenant, connector, word, own), rooms)
        if known is None:
            if not (await once(tenant, connector, word, rooms, key=own)).taken:
                raise NotTaken
            return
        if known.outcome == Outcome.ACCEPTED:
            return
    log.error("network_not_told", connector=connector, action=word.action, code="given_up")


def _call(tenant: UUID, connector: str, word: Word, key: str) -> Call:
    """The call that telling it makes, as far as its key goes."""
    return Call(
        Actor("system", "network", tenant, ()), connector, word.action, word.purpose, word.payload, key,
        idempotency_key=key,
    )  # fmt: skip


def purpose_for(connector: str, action: str, wished: Purpose | None, rooms: Rooms) -> Purpose:
    """What a step of an exchange is for: what the consent says, where the action serves that, else what it serves at all."""
    served = rooms.registry.action(connector, action).purposes
    if wished is not None and wished in served:
        return wished
    return Purpose.PATADMIN if Purpose.PATADMIN in served else min(served)
