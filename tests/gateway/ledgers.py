"""A log that a test makes up at random, and what it comes to when it is counted by hand. No fixtures."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson

from gateway.ids import new_id
from gateway.ledger.writer import Draft, Writer
from gateway.store import entries, tenants
from gateway.store import ledger as rows
from gateway.store.pool import Store

ENDPOINT = uuid4()
_DAYS = (
    datetime(2026, 2, 27, 22, tzinfo=UTC),
    datetime(2026, 2, 28, 23, 59, tzinfo=UTC),
    datetime(2026, 3, 1, tzinfo=UTC),
)
_DEEDS = (
    ("payments/stripe", "refund", UUID(int=1), "Stripe, Inc.", "US"),
    ("payments/stripe", "link", UUID(int=1), "Stripe, Inc.", "US"),
    ("messaging/twilio", "remind", UUID(int=2), "Twilio Inc.", "US"),
    ("messaging/twilio", "remind", UUID(int=2), "Twilio Ireland", "IE"),  # it moved
    ("webhook", "appointment.booked", ENDPOINT, "Stripe, Inc.", "US"),
)
_FIELDS = (
    [],
    [["amount_minor", "billing"], ["reference", "identifier"]],
    [["phone", "contact"], ["given_name", "identity", "initials only"], ["family_name", "identity"]],
    [["reference", "identifier"]],
)
_PURPOSES = ("HPAYMT", "TREAT")
_REASONS = ("consent_missing", "feature_off", "quiet_hours")


async def clinic(store: Store) -> UUID:
    """A tenant with an empty log."""
    tenant = new_id()
    async with store.tenant(tenant) as connection:
        await tenants.add(connection, tenant, "a clinic")
    return tenant


@dataclass
class Log:
    """A log that grows at random, always in the same way for one seed."""

    store: Store
    writer: Writer
    tenant: UUID
    chance: random.Random
    made: list[tuple[UUID, int]] = field(default_factory=list)  # disclosures, with the index of each intent
    open: list[tuple[UUID, int]] = field(default_factory=list)
    subjects: tuple[UUID, ...] = (UUID(int=71), UUID(int=72))

    async def grow(self, steps: int) -> None:
        """Add entries of every kind: intents, outcomes soon and late, outcomes of what has one, refusals, others."""
        for _ in range(steps):
            kind = self.chance.choices(("intent", "outcome", "again", "refusal", "access"), (6, 5, 1, 2, 1))[0]
            if kind == "intent":
                await self._intend()
            elif kind == "outcome" and self.open:
                await self.settle(*self.open.pop(self.chance.randrange(len(self.open))))
            elif kind == "again" and self.made:
                await self.settle(*self.chance.choice(self.made))
            elif kind == "refusal":
                await self._refuse()
            else:
                await self.writer.append(Draft(self.tenant, "access", self._at(), {**_by(), "what": "nothing"}))

    async def settle(self, disclosure: UUID, intent: int, outcome: str | None = None) -> None:
        """Add an outcome."""
        said = outcome or self.chance.choice(("accepted", "accepted", "rejected", "failed", "unknown"))
        self.open = [each for each in self.open if each[0] != disclosure]
        fields = {"v": 1, "disclosure": str(disclosure), "intent": intent, "outcome": said}
        row = rows.OutcomeRow(self.tenant, disclosure, self._at(), said, None)
        await self.writer.append(Draft(self.tenant, "outcome", row.at, fields, outcome=row))

    async def _intend(self) -> None:
        connector, action, connection, name, country = self.chance.choice(_DEEDS)
        disclosure, at, purpose = new_id(), self._at(), self.chance.choice(_PURPOSES)
        sent, subject = self.chance.choice(_FIELDS), self.chance.choice((*self.subjects, None))
        fields = {
            **_by(), "disclosure": str(disclosure), "request": "r", "connector": connector, "action": action,
            "connection": str(connection), "purpose": purpose, "subject": str(subject) if subject else None,
            "recipient": {"name": name, "role": "processor", "country": country}, "fields": sent, "withheld": [],
            "payload": {"commitment": "00", "length": 1}, "standing": 1, "rules": [],
            "endpoint": {"host": self.chance.choice(("a.example", "b.example"))}, "call": str(new_id()),
        }  # fmt: skip
        row = rows.DisclosureRow(
            self.tenant, disclosure, at, connector, action, connection, name, purpose,
            list({category for _, category, *_ in sent}), subject, "x", b"", None, None,
        )  # fmt: skip
        appended = await self.writer.append(Draft(self.tenant, "intent", at, fields, disclosure=row))
        self.made.append((disclosure, appended.index))
        self.open.append((disclosure, appended.index))

    async def _refuse(self) -> None:
        connector, action, *_ = self.chance.choice(_DEEDS)
        refusal, at, purpose = new_id(), self._at(), self.chance.choice(_PURPOSES)
        reasons, subject = self.chance.sample(_REASONS, self.chance.randint(1, 2)), self.chance.choice(self.subjects)
        fields = {
            **_by(), "disclosure": str(refusal), "request": "r", "connector": connector, "action": action,
            "purpose": purpose, "subject": str(subject), "reasons": [[reason, "what"] for reason in reasons],
        }  # fmt: skip
        row = rows.RefusalRow(self.tenant, refusal, at, connector, action, purpose, subject, reasons)
        await self.writer.append(Draft(self.tenant, "refusal", at, fields, refusal=row))

    def _at(self) -> datetime:
        return self.chance.choice(_DAYS) + timedelta(microseconds=self.chance.randrange(3_600_000_000))

    async def stored(self) -> list[dict[str, Any]]:
        """Every entry."""
        async with self.store.tenant(self.tenant) as connection:
            return [orjson.loads(body) for body, _ in await entries.stored(connection, self.tenant, 0, 1_000_000)]


def _by() -> dict[str, Any]:
    return {"v": 1, "actor": {"kind": "system", "id": "test"}}


@dataclass
class ByHand:
    """What entries come to, counted one after the other."""

    sent: Counter[tuple[str, ...]] = field(default_factory=Counter)
    days: Counter[tuple[str, ...]] = field(default_factory=Counter)
    categories: Counter[tuple[str, ...]] = field(default_factory=Counter)
    fields: Counter[tuple[str, ...]] = field(default_factory=Counter)
    failed_fields: Counter[tuple[str, ...]] = field(default_factory=Counter)
    refused: Counter[tuple[str, ...]] = field(default_factory=Counter)

    @classmethod
    def of(cls, log: list[dict[str, Any]]) -> ByHand:
        """Count them."""
        counted = cls()
        outcomes = {entry["disclosure"]: entry["outcome"] for entry in log if entry["kind"] == "outcome"}
        for entry in log:
            day = entry["at"][:10]
            if entry["kind"] == "intent":
                counted._intent(entry, day, outcomes.get(entry["disclosure"], "open"))
            elif entry["kind"] == "refusal":
                for reason, _ in entry["reasons"]:
                    counted.refused[day, entry["connector"], entry["action"], reason] += 1
        return counted

    def _intent(self, entry: dict[str, Any], day: str, outcome: str) -> None:
        connector, action, name = entry["connector"], entry["action"], entry["recipient"]["name"]
        to = entry["connection"] if connector == "webhook" else connector
        party = (connector, to, name, entry["recipient"]["country"])
        self.sent[(day, *party, action, entry["purpose"], outcome)] += 1
        self.days[(day, *party, outcome)] += 1
        for category in {category for _, category, *_ in entry["fields"]}:
            self.categories[(day, *party, category)] += 1
        for path, category, *reduction in entry["fields"]:
            key = (day, to, action, path, category, *(reduction or [""]))
            self.fields[key] += 1
            if outcome == "failed":
                self.failed_fields[key] += 1
