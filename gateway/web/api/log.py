"""/v1/log: the tenant's log as an auditor's tools read it: checkpoint, consistency, verification key."""

from __future__ import annotations

from typing import Final

from gateway.web.api.answers import ConsistencyAnswer, base64_of
from gateway.web.api.models import ConsistencyQuery
from gateway.web.api.operation import TEXT, Asked, Operation, Reply
from scopes.scope import Area, Scope, Verb

_READ: Final = Scope(Area.LOG, Verb.READ)


async def checkpoint(asked: Asked) -> Reply:
    """The log's head as a C2SP signed note."""
    return Reply(await asked.rooms.proofs.checkpoint(asked.tenant))


async def consistency(asked: Asked) -> Reply:
    """That the newer log begins with the older one."""
    query: ConsistencyQuery = asked.query
    proof = await asked.rooms.proofs.consistency(asked.tenant, query.old_size, query.new_size)
    return Reply(
        ConsistencyAnswer(
            old_size=proof.old_size,
            new_size=proof.new_size,
            old_root=base64_of(proof.old_root),
            new_root=base64_of(proof.new_root),
            hashes=[base64_of(each) for each in proof.hashes],
            checkpoint=proof.checkpoint,
        )
    )


async def key(asked: Asked) -> Reply:
    """The log's verification key. It is public: hand it to auditors by another way than the bundles."""
    return Reply(asked.rooms.proofs.signer(asked.tenant).vkey + "\n")


OPERATIONS = (
    Operation(
        method="GET", path="/v1/log/checkpoint", summary="The log's signed head (C2SP tlog-checkpoint)",
        act=checkpoint, needs=_READ, media=TEXT,
    ),
    Operation(
        method="GET", path="/v1/log/consistency", summary="Prove that the log only grew", act=consistency,
        needs=_READ, query=ConsistencyQuery, answer=ConsistencyAnswer,
    ),
    Operation(
        method="GET", path="/v1/log/key", summary="The key that the log's heads are checked with (C2SP vkey)",
        act=key, needs=_READ, media=TEXT,
    ),
)  # fmt: skip
