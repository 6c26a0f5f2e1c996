"""What a vendor watches for a clinic: opened, sealed again, and what is to be done for it next. Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson

from connectors.manifest import WatchRule
from gateway.calls import Actor
from gateway.connections import Clinic
from gateway.store.watches import Nudge, State, WatchRow
from scopes.vocabulary import Purpose

#: While nothing watches, reading is all there is.
ALONE: Final = timedelta(minutes=15)
_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(minutes=15)
_SEALED_AS: Final = "watch"
_HASH_BYTES: Final = 8


class Step(StrEnum):
    """What is to be done for a watch."""

    FORGET = "forget"
    STOP = "stop"
    """Stop one that is not wanted any more, or that another has taken the place of."""
    START = "start"
    RENEW = "renew"
    READ = "read"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Watch:
    """One watch with what is kept of it. `told` is what the vendor answered when it was begun, or nothing."""

    clinic: Clinic = field(repr=False)
    row: WatchRow = field(repr=False)
    actor: Actor
    payload: Mapping[str, Any] = field(repr=False)
    told: Mapping[str, Any] = field(default_factory=dict, repr=False)
    before: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The answer of the one that it took the place of, until that is stopped."""
    remembered: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Where the next reading goes on."""
    marks: Mapping[str, str] | None = field(default=None, repr=False)
    """What the last reading found: a keyed hash of each item by its id. None before the first."""

    @property
    def id(self) -> UUID:
        """Its id."""
        return self.row.id

    @property
    def purpose(self) -> Purpose:
        """What it is for."""
        return Purpose(self.row.purpose)

    def stands(self, now: datetime) -> str:
        """How it stands, in one word: starting, watching, lost or ending."""
        if self.row.state == State.ENDING:
            return "ending"
        if self.lives(now):
            return "watching"
        return "starting" if self.row.lost_at is None else "lost"

    def lives(self, now: datetime) -> bool:
        """Whether the vendor watches, as far as is known."""
        ends = self.row.expires_at
        return bool(self.told) and ends is not None and ends > now and self.row.nudge != Nudge.ENDED

    def kept(self, **changed: Any) -> WatchRow:
        """Its row with these columns changed, sealed anew."""
        held = {
            "actor": {"kind": self.actor.kind, "id": self.actor.id},
            "payload": dict(self.payload),
            "told": dict(self.told),
            "before": dict(self.before),
            "remembered": dict(self.remembered),
            "marks": self.marks if self.marks is None else dict(self.marks),
        }
        sealed = self.clinic.keyring.seal(orjson.dumps(held), purpose=_SEALED_AS, row=str(self.row.id))
        return self.row._replace(sealed=sealed, **changed)

    def mark(self, item: Mapping[str, Any]) -> str:
        """A short hash of an item: equal ones show, nothing else does."""
        text = orjson.dumps(dict(item), option=orjson.OPT_SORT_KEYS)
        return self.clinic.fingerprint(b"watch item|" + self.id.bytes + text)[:_HASH_BYTES].hex()


def opened(clinic: Clinic, row: WatchRow) -> Watch:
    """A watch as it is stored."""
    held = orjson.loads(clinic.keyring.open(row.sealed, purpose=_SEALED_AS, row=str(row.id)))
    actor = Actor(held["actor"]["kind"], held["actor"]["id"], clinic.tenant, ())
    return Watch(
        clinic, row, actor, held["payload"], held["told"], held["before"], held["remembered"], held["marks"]
    )  # fmt: skip


def vendor_id(clinic: Clinic, connector: str, named: str) -> bytes:
    """How a watch is found again that a vendor names in a message."""
    return clinic.fingerprint(f"watch|{connector}|{named}".encode("utf-8", "surrogatepass"))


def about(clinic: Clinic, payload: Mapping[str, Any]) -> bytes:
    """What tells two watches of one kind apart: what is watched."""
    return clinic.fingerprint(b"watched|" + orjson.dumps(dict(payload), option=orjson.OPT_SORT_KEYS))


def next_step(watch: Watch, rule: WatchRule, now: datetime) -> Step:
    """What is to be done first. A watch that cannot be begun just now is read meanwhile."""
    row, waits = watch.row, watch.row.retry_at is not None and watch.row.retry_at > now
    if row.state == State.ENDING:
        return Step.STOP if watch.lives(now) or watch.before else Step.FORGET
    if watch.before and not waits:
        return Step.STOP
    if not watch.lives(now) and not waits:
        return Step.START
    if watch.lives(now) and not waits and (row.nudge == Nudge.RENEW or now >= _renewed_at(row, rule)):
        return Step.RENEW if rule.renew is not None else Step.START
    if row.nudge == Nudge.MISSED or row.sync_at <= now:
        return Step.READ
    return Step.WAIT


def due_at(watch: Watch, rule: WatchRule, now: datetime) -> datetime:
    """When somebody has to see to it next."""
    row = watch.row
    keep_up = _renewed_at(row, rule) if watch.lives(now) else now
    if row.retry_at is not None:
        keep_up = max(keep_up, row.retry_at)
    return min(keep_up, row.sync_at)


def reads_at(watch: Watch, rule: WatchRule, now: datetime) -> datetime:
    """When to read after a reading: seldom while the vendor tells of changes, often while nothing does."""
    usual = timedelta(minutes=rule.poll_minutes)
    return now + (usual if watch.lives(now) else min(usual, ALONE))


def paused(watch: Watch, now: datetime) -> datetime:
    """Not before when to try again after one more failure."""
    pause: timedelta = min(_FIRST_PAUSE * 2 ** min(watch.row.failures, 10), _LONGEST_PAUSE)
    return now + pause


def from_answer(rule: WatchRule, told: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `renew` and `stop` that the vendor's answer holds."""
    return {name: told[there] for name, there in rule.answered.items() if there in told}


def begun(watch: Watch, told: Mapping[str, Any], *, replaces: bool) -> Watch:
    """The watch after it was begun; with the one before it, where that still stands and has to be stopped."""
    return replace(watch, told=told, before=watch.told if replaces else {})


def _renewed_at(row: WatchRow, rule: WatchRule) -> datetime:
    assert row.expires_at is not None
    return row.expires_at - timedelta(minutes=rule.renew_before_minutes)
