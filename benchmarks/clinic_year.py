"""A year of one clinic's ledger, laid down by COPY as the tables' owner: what an auditor's pages are measured on.

Forty recipients of very different size, one of which hardly ever received anything; kinds of data, outcomes and reasons that
are as rare. The bodies of entries are as the ledger writes them; their leaf hashes are all zero, and the tree stands over these.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from gateway.ids import id_of
from gateway.ledger.entry import timestamp
from gateway.ledger.merkle import Edge

CONNECTORS: Final = 40
SUBJECTS: Final = 20_000
RARE_RECIPIENT: Final = "Rare GmbH"
RARE_CATEGORY: Final = "imaging"
RARE_REASON: Final = "quiet_hours"
RARE: Final = 50_000  # one in so many
_PURPOSES: Final = ("TREAT", "HPAYMT", "HOPERAT", "PATADMIN", "COVERAGE", "PATRQT")
_CATEGORIES: Final = (
    "identity",
    "contact",
    "appointment",
    "billing",
    "identifier",
    "insurance",
    "operational",
    "clinical",
)
_REASONS: Final = ("consent_missing", "purpose_not_allowed", "feature_off", "agreement_missing")
_BEGAN: Final = datetime(2025, 11, 25, tzinfo=UTC)
_CHUNK: Final = 50_000
_COLUMNS: Final = {
    "entries": ("tenant", "index", "kind", "at", "body", "leaf"),
    "disclosures": (
        "tenant", "id", "at", "connector", "action", "connection", "recipient", "purpose", "categories", "subject", "actor",
        "salt", "idempotency", "fingerprint", "index", "writer",
    ),
    "outcomes": ("tenant", "disclosure", "at", "outcome", "code", "index"),
    "refusals": ("tenant", "id", "at", "connector", "action", "purpose", "subject", "reasons", "index"),
}  # fmt: skip


@dataclass
class Rows:
    """Rows of every table on their way down."""

    of: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: {table: [] for table in _COLUMNS})
    index: int = 0

    def entry(self, tenant: UUID, kind: str, at: datetime, fields: dict[str, Any]) -> int:
        """Add an entry; gives its index."""
        index = self.index
        body = {**fields, "at": timestamp(at), "index": index, "kind": kind, "tenant": str(tenant), "v": 1}
        self.of["entries"].append((tenant, index, kind, at, orjson.dumps(body, option=orjson.OPT_SORT_KEYS), bytes(32)))
        self.index += 1
        return index


@dataclass(frozen=True)
class Party:
    """One recipient and what it gets."""

    connector: str
    recipient: str
    country: str
    purposes: tuple[str, ...]
    sets: tuple[tuple[str, ...], ...]


def parties() -> tuple[list[Party], list[float]]:
    """The recipients, and how much of all goes to each."""
    chance = random.Random(7)
    found = []
    for number in range(CONNECTORS):
        sets = tuple(tuple(sorted(chance.sample(_CATEGORIES, chance.randint(1, 5)))) for _ in range(4))
        name = RARE_RECIPIENT if number == CONNECTORS - 1 else f"Recipient {number} Ltd"
        country = chance.choice(("US", "IE", "IN", "DE"))
        found.append(
            Party(f"family{number % 8}/vendor{number}", name, country, tuple(chance.sample(_PURPOSES, 2)), sets)
        )
    weights = [1 / (number + 1) for number in range(CONNECTORS - 1)]
    return found, [*weights, sum(weights) / RARE]


async def lay(connection: asyncpg.Connection, tenant: UUID, disclosures: int, refusals: int) -> None:
    """Lay the year down; the last ten disclosures are still under way."""
    rows = Rows()
    for table, ready in _batches(rows, tenant, disclosures, refusals):
        await connection.copy_records_to_table(table, records=ready, columns=_COLUMNS[table])
    edge = Edge()
    nodes = [(tenant, *node) for node in edge.extend(bytes(32) for _ in range(rows.index))]
    await connection.copy_records_to_table("nodes", records=nodes, columns=("tenant", "level", "index", "hash"))
    head = "UPDATE heads SET size = $2, edge = $3 WHERE tenant = $1"
    await connection.execute(head, tenant, rows.index, b"".join(edge.hashes))
    await connection.execute("VACUUM ANALYZE entries, nodes, disclosures, outcomes, refusals")


def _batches(rows: Rows, tenant: UUID, disclosures: int, refusals: int) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    chance = random.Random(11)
    everybody, weights = parties()
    step = timedelta(days=365) / disclosures
    each_refusal = disclosures // refusals if refusals else disclosures + 1
    for number in range(disclosures):
        at = _BEGAN + step * number + step * chance.random()
        party = chance.choices(everybody, weights)[0]
        _disclosure(rows, tenant, at, party, chance, under_way=number >= disclosures - 10)
        if number % each_refusal == 0:
            _refusal(rows, tenant, at, chance.choices(everybody, weights)[0], chance)
        if len(rows.of["entries"]) >= _CHUNK or number == disclosures - 1:
            for table, waiting in rows.of.items():
                yield table, waiting
                rows.of[table] = []


def _disclosure(
    rows: Rows, tenant: UUID, at: datetime, party: Party, chance: random.Random, *, under_way: bool
) -> None:
    identity, subject = id_of(int(at.timestamp() * 1000), chance.randbytes(10)), _subject(chance)
    categories = list(chance.choices(party.sets, (70, 20, 8, 2))[0])
    if chance.random() < 1 / RARE:
        categories = sorted({*categories, RARE_CATEGORY})
    action, purpose = f"action_{chance.randrange(2)}", chance.choices(party.purposes, (9, 1))[0]
    sent = [[f"{category}_{number}", category] for category in categories for number in range(2)]
    intent = rows.entry(tenant, "intent", at, {
        "disclosure": str(identity), "actor": {"kind": "jwt", "id": "u_0123456789abcdef"}, "request": str(identity),
        "connector": party.connector, "action": action, "feature": "feature", "connection": str(UUID(int=1)),
        "purpose": purpose, "subject": str(subject), "fields": sent, "withheld": ["patient_name"],
        "recipient": {"name": party.recipient, "role": "processor", "country": party.country},
        "endpoint": {"host": "api.example", "regions": [party.country]}, "transfer": "standard contractual clauses",
        "payload": {"commitment": "00" * 32, "length": 64}, "register": {"version": 1, "hash": "00" * 32},
        "rules": ["connection_active", "feature_on", "provider_scopes", "purpose_served"], "standing": 1, "version": 1,
    })  # fmt: skip
    rows.of["disclosures"].append((
        tenant, identity, at, party.connector, action, UUID(int=1), party.recipient, purpose, categories, subject,
        "jwt:u_0123456789abcdef", bytes(32), None, None, intent, 0,
    ))  # fmt: skip
    if under_way:
        return
    outcome = chance.choices(("accepted", "rejected", "failed", "unknown"), (95, 4, 1, 100 / RARE))[0]
    settled = at + timedelta(milliseconds=chance.randrange(50, 900))
    told = {"disclosure": str(identity), "intent": intent, "outcome": outcome, "attempts": 1}
    rows.of["outcomes"].append((tenant, identity, settled, outcome, None, rows.entry(tenant, "outcome", settled, told)))


def _refusal(rows: Rows, tenant: UUID, at: datetime, party: Party, chance: random.Random) -> None:
    identity, subject = id_of(int(at.timestamp() * 1000), chance.randbytes(10)), _subject(chance)
    reasons = [chance.choices((*_REASONS, RARE_REASON), (60, 30, 8, 2, 100 / RARE))[0]]
    purpose = chance.choices(party.purposes, (9, 1))[0]
    index = rows.entry(tenant, "refusal", at, {
        "disclosure": str(identity), "actor": {"kind": "jwt", "id": "u_0123456789abcdef"}, "request": str(identity),
        "connector": party.connector, "action": "action_0", "purpose": purpose, "subject": str(subject),
        "reasons": [[reason, "what"] for reason in reasons], "standing": 1,
    })  # fmt: skip
    rows.of["refusals"].append((tenant, identity, at, party.connector, "action_0", purpose, subject, reasons, index))


def _subject(chance: random.Random) -> UUID:
    """One of the subjects; the first of them comes more often than all others."""
    return UUID(int=1 if chance.random() < 1 / 500 else 2 + chance.randrange(SUBJECTS))
