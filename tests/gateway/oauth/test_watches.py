"""What a vendor watches, kept up by the gateway: begun, renewed before its end, read, told; through every kind of trouble."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connectors.google import sandbox as google_sandbox
from connectors.teams import sandbox
from connectors.teams.sandbox_directory import ACCOUNT, OTHER_TEAM, SHIFT, TEAM
from gateway import keyfiles
from gateway.app import House, opened
from gateway.calls import Answer, Call
from gateway.config import Settings
from gateway.demo import _allowed
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.flows import watching
from gateway.flows.agree import Terms, agree
from gateway.flows.broker import broker
from gateway.flows.connect import Wish, begin
from gateway.flows.inbound import publish_callback
from gateway.flows.leave import revoke
from gateway.flows.watching import Wanted, want
from gateway.oauth.clients import Client
from gateway.serve import listening, serving
from gateway.watches import Watch
from scopes.agreement import AgreementKind
from scopes.vocabulary import ConnectionState, Purpose
from tests.gateway.callbacks import events_of
from tests.gateway.house import entries_of
from tests.gateway.oauth.house import Oauth, new_actor

SHIFTS = Wanted("teams", "shifts", Purpose.HOPERAT, {"team": TEAM})
LOST, RESUMED = "connection.watch_lost", "connection.watch_resumed"


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **given: float) -> None:
        """Let time pass."""
        self.now += timedelta(**given)


@dataclass
class Watched:
    """A gateway whose time a test moves, both vendors' sandboxes beside it, and a clinic connected to both."""

    oauth: Oauth
    graph: Any
    google: Any
    clock: Clock
    dsn: str
    folder: Path
    at_graph: str

    @property
    def house(self) -> House:
        return self.oauth.house

    @property
    def watches(self) -> dict[str, dict[str, Any]]:
        """What Graph watches."""
        found: dict[str, dict[str, Any]] = self.graph.state.sandbox.directory.watches
        return found

    @property
    def shifts(self) -> dict[str, Any]:
        """The team's shifts, at Graph."""
        found: dict[str, Any] = self.graph.state.sandbox.directory.team(TEAM).shifts
        return found

    async def seen_to(self, **forward: float) -> int:
        """Let time pass, and see to what is due."""
        self.clock.forward(**forward)
        return await watching.see_to_due(self.house.rooms)

    async def one(self, watch: Watch) -> Watch:
        """The watch as it stands."""
        return await watching.one(self.oauth.tenant, watch.id, self.house.rooms)

    async def told(self) -> list[tuple[str, dict[str, Any]]]:
        """The events that were published, oldest first."""
        found = await events_of(self.house, self.oauth.tenant)
        return [(kind, data) for kind, _, data in found]

    async def intents(self) -> list[str]:
        """The actions that the ledger has intents of, in order."""
        found = await entries_of(self.house, self.oauth.tenant)
        return [entry["action"] for entry in found if entry["kind"] == "intent"]

    async def killed(self, watch: Watch, *, after: int) -> None:
        """Let another gateway see to it, which dies where it would store one more step than so many."""
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.gateway.oauth.killed_watching", self.dsn, str(self.folder), self.at_graph,
            str(self.house.rooms.callbacks.public_url), str(self.oauth.tenant), str(watch.id),
            self.clock().isoformat(), str(after), cwd=Path(__file__).parents[3],
        )  # fmt: skip
        assert await asyncio.wait_for(program.wait(), 60) == -signal.SIGKILL

    async def staff_move(self, hour: str) -> None:
        """Somebody moves a shift in Teams."""
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.graph), base_url="http://graph") as staff:
            moved = {"startDateTime": f"2026-01-15T{hour}:30:00Z"}
            assert (await staff.post(f"/_sandbox/teams/{TEAM}/shifts/{SHIFT}", json=moved)).status_code == 204

    async def graph_says(self, event: str) -> None:
        """Graph says something of its watches, and what came of it is published."""
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.graph), base_url="http://graph") as graph:
            assert (await graph.post("/_sandbox/lifecycle", json={"event": event})).status_code == 204
        async with self.house.rooms.store.tenant(self.oauth.tenant) as session:
            rows = await session.fetch("SELECT payload FROM pgqueuer WHERE entrypoint = 'callback' ORDER BY id")
        for row in rows:
            await publish_callback(row[0], self.house.rooms)


@pytest.fixture
async def watched(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Watched]:
    clock = Clock()
    graph = sandbox.create(clock=lambda: clock().timestamp())
    google = google_sandbox.create(clock=lambda: clock().timestamp())
    google.state.oauth.clock = lambda: clock().timestamp()
    listener = listening("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = Settings.from_environment({}, data_dir=tmp_path, database_url=fresh_dsn, public_url=url)
    keyfiles.make(settings)
    async with (
        serving(graph, listening("127.0.0.1", 0)) as at_graph,
        serving(google, listening("127.0.0.1", 0)) as at_google,
        opened(settings, sandboxes={"teams": at_graph, "google": at_google}, clock=clock) as house,
        serving(house.web, listener),
    ):
        oauth = Oauth(house, {}, clock, await new_actor(house))  # type: ignore[arg-type]
        for name, module, vendor, given in (
            ("teams", sandbox, graph, {"account": ACCOUNT, "settings": {"teams": f"{TEAM},{OTHER_TEAM}"}}),
            ("google", google_sandbox, google, {}),
        ):
            await house.rooms.oauth.clients.add(name, Client(*module.OAUTH_CLIENT))
            features = frozenset(house.rooms.registry.connector(name).manifest.features)
            made = await begin(oauth.actor, Wish(connector=name, features=features, **given), house.rooms)
            await _allowed(house, str(made.address), module, vendor)
            services = house.rooms.registry.connector(name).manifest.agreements.services
            signed = Terms(kind=AgreementKind.DPA, services=services, since=clock() - timedelta(days=1))
            await agree(oauth.actor, name, signed, house.rooms)
        graph.state.sandbox.directory.watches.clear()  # one that somebody else has there
        yield Watched(oauth, graph, google, clock, fresh_dsn, tmp_path, at_graph)


async def test_whoever_begins_or_stops_a_watch_stands_in_the_log_once_and_not_what_is_watched(watched: Watched) -> None:
    actor, rooms = watched.oauth.actor, watched.house.rooms
    for _ in range(2):
        watch = await want(actor, SHIFTS, rooms)
    for _ in range(2):
        await watching.leave_off(actor, watch.id, rooms)
    found = await entries_of(watched.house, watched.oauth.tenant)
    noted = [each for each in found if str(each.get("what")).startswith("watch_")]
    begun = {"watch": str(watch.id), "of": "teams/shifts", "purpose": "HOPERAT"}
    assert [(each["what"], each["query"]) for each in noted] == [
        ("watch_begun", begun), ("watch_stopped", {"watch": str(watch.id)}),
    ]  # fmt: skip
    assert {each["actor"]["id"] for each in noted} == {actor.id}


async def test_what_is_wanted_is_begun_and_read_and_each_step_is_a_disclosure(watched: Watched) -> None:
    watch = await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    assert watch.stands(watched.clock()) == "starting"
    assert await watched.seen_to() == 1
    watch = await watched.one(watch)
    assert watch.stands(watched.clock()) == "watching"
    assert watch.row.expires_at == watched.clock() + timedelta(minutes=355)
    assert len(watched.watches) == 1
    assert (await watched.intents())[-2:] == ["watch_shifts", "sync_shifts"]
    assert watch.marks is not None
    assert set(watch.marks) < set(watched.shifts)  # a draft is nobody's shift yet
    assert SHIFT in watch.marks
    assert await watched.told() == []
    assert await watched.seen_to() == 0
    again = await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    assert again.id == watch.id


async def test_it_is_renewed_before_its_end_day_and_night(watched: Watched) -> None:
    watch = await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.seen_to()
    (subscription,) = watched.watches
    for _ in range(48):  # two days, an hour each time
        await watched.seen_to(hours=1)
        assert (await watched.one(watch)).lives(watched.clock())
    assert list(watched.watches) == [subscription]
    done = await watched.intents()
    assert 11 <= done.count("renew_watch") <= 14
    assert 14 <= done.count("sync_shifts") <= 18
    assert await watched.told() == []


async def test_what_changed_unheard_is_found_by_reading_and_told_once(watched: Watched) -> None:
    watch = await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.seen_to()
    for each in watched.watches.values():
        each["notificationUrl"] = ""  # Graph loses its messages
    await watched.staff_move("08")
    gone = next(name for name in (await watched.one(watch)).marks or () if name != SHIFT)
    del watched.shifts[gone]
    await watched.seen_to(minutes=5)
    assert await watched.told() == []
    await watched.seen_to(hours=3)
    (subscription,) = watched.watches
    told = await watched.told()
    assert sorted((kind, data["id"], data["change"]) for kind, data in told) == sorted(
        [("teams.shift.changed", SHIFT, "updated"), ("teams.shift.changed", gone, "deleted")]
    )
    assert {(data["team"], data["subscription"]) for _, data in told} == {(TEAM, subscription)}
    await watched.seen_to(hours=4)  # longer than the watch lasted: begun anew and read
    assert len(await watched.told()) == 2


async def test_after_missed_it_is_read_at_once(watched: Watched) -> None:
    await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.seen_to()
    (watch,) = watched.watches.values()
    address, watch["notificationUrl"] = watch["notificationUrl"], ""
    await watched.staff_move("08")
    watch["notificationUrl"] = address
    await watched.graph_says("missed")
    assert await watched.seen_to(seconds=1) == 1
    assert [(kind, data["id"]) for kind, data in await watched.told() if kind.endswith("changed")] == [
        ("teams.shift.changed", SHIFT)
    ]


async def test_one_that_graph_removed_is_begun_anew_and_read(watched: Watched) -> None:
    watch = await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.seen_to()
    (first,) = watched.watches
    told = dict(watched.watches[first])
    await watched.graph_says("subscriptionRemoved")
    watched.watches.pop(first)
    await watched.seen_to(seconds=1)
    assert (await watched.one(watch)).stands(watched.clock()) == "watching"
    assert first not in watched.watches
    assert [each["resource"] for each in watched.watches.values()] == [told["resource"]]
    assert (await watched.intents())[-2:] == ["watch_shifts", "sync_shifts"]


async def test_graph_s_wish_for_a_renewal_is_met_at_once(watched: Watched) -> None:
    await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.seen_to()
    await watched.graph_says("reauthorizationRequired")
    await watched.seen_to(seconds=1)
    assert (await watched.intents())[-1] == "renew_watch"
    assert await watched.seen_to(seconds=1) == 0


async def test_a_renewal_that_is_refused_since_it_is_gone_begins_anew(watched: Watched) -> None:
    watch = await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.seen_to()
    watched.watches.clear()  # and nobody said so
    await watched.seen_to(hours=4)
    assert (await watched.intents())[-3:] == ["renew_watch", "watch_shifts", "sync_shifts"]
    assert (await watched.one(watch)).lives(watched.clock())
    assert len(watched.watches) == 1


async def test_while_graph_refuses_the_clinic_is_told_once_and_it_is_read_often(watched: Watched) -> None:
    watch = await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.seen_to()
    watched.watches.clear()
    other = {"resource": f"/teams/{TEAM}/schedule/shifts", "expirationDateTime": "2099-01-01T00:00:00.000Z"}
    watched.watches["another's"] = {**other, "notificationUrl": "", "clientState": "", "id": "another's"}
    await watched.seen_to(hours=4)
    lost = await watched.one(watch)
    assert lost.stands(watched.clock()) == "lost"
    assert lost.row.code is not None
    for _ in range(20):
        await watched.seen_to(minutes=5)
    assert [kind for kind, _ in await watched.told()] == [LOST]
    ((_, data),) = await watched.told()
    assert data["id"] == str(watch.id)
    before = await watched.intents()
    await watched.staff_move("07")
    await watched.seen_to(minutes=16)
    assert "sync_shifts" in (await watched.intents())[len(before) :]
    assert "teams.shift.changed" in [kind for kind, _ in await watched.told()]
    watched.watches.clear()
    await watched.seen_to(minutes=16)
    assert (await watched.one(watch)).stands(watched.clock()) == "watching"
    assert [kind for kind, _ in await watched.told() if kind in (LOST, RESUMED)] == [LOST, RESUMED]


async def test_one_of_a_suspended_connection_rests_and_comes_back(watched: Watched) -> None:
    watch = await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.seen_to()
    connection = watched.house.rooms.connections
    await connection.set_state(watched.oauth.actor, watch.row.connection, ConnectionState.SUSPENDED)
    asked = len(await watched.intents())
    for _ in range(8):
        await watched.seen_to(hours=1)
    assert len(await watched.intents()) == asked
    assert (await watched.one(watch)).row.code == "connection_inactive"
    await connection.set_state(watched.oauth.actor, watch.row.connection, ConnectionState.ACTIVE)
    watched.watches.clear()
    await watched.seen_to(minutes=16)
    assert (await watched.one(watch)).lives(watched.clock())


async def test_one_that_is_left_off_is_stopped_at_the_vendor_and_forgotten(watched: Watched) -> None:
    watch = await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.seen_to()
    await watching.leave_off(watched.oauth.actor, watch.id, watched.house.rooms)
    with pytest.raises(Conflict):
        await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.seen_to()
    assert watched.watches == {}
    with pytest.raises(NotFound):
        await watched.one(watch)
    with pytest.raises(NotFound):
        await watching.leave_off(watched.oauth.actor, watch.id, watched.house.rooms)


async def test_revoking_forgets_what_was_watched(watched: Watched) -> None:
    watch = await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.seen_to()
    await revoke(watched.oauth.actor, watch.row.connection, watched.house.rooms)
    with pytest.raises(NotFound):
        await watched.one(watch)
    assert await watched.seen_to(hours=9) == 0


async def test_two_gateways_see_to_one_watch_once(watched: Watched) -> None:
    watch = await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    rooms = watched.house.rooms
    await asyncio.gather(*(watching.see_to(watched.oauth.tenant, watch.id, rooms) for _ in range(8)))
    assert (await watched.intents()).count("watch_shifts") == 1


async def test_what_is_no_watch_or_not_for_it_is_refused(watched: Watched) -> None:
    rooms, actor = watched.house.rooms, watched.oauth.actor
    for wrong in (
        Wanted("teams", "presence", Purpose.HOPERAT, {}),
        Wanted("nobody", "shifts", Purpose.HOPERAT, {}),
        Wanted("teams", "shifts", Purpose.TREAT, {"team": TEAM}),
        Wanted("teams", "shifts", Purpose.HOPERAT, {"team": "no id"}),
    ):
        with pytest.raises(InvalidRequest):
            await want(actor, wrong, rooms)


async def test_a_channel_that_cannot_be_renewed_is_followed_by_another_and_stopped(watched: Watched) -> None:
    rooms, calendars = watched.house.rooms, watched.google.state.sandbox.calendars
    made = await broker(
        Call(watched.oauth.actor, "google", "create_calendar", Purpose.HOPERAT, {}, "test"), rooms
    )  # fmt: skip
    assert isinstance(made, Answer)
    wanted = Wanted("google", "calendar", Purpose.HOPERAT, {"calendar": made.answer["id"]})
    others = set(calendars.channels)
    watch = await want(watched.oauth.actor, wanted, rooms)
    await watched.seen_to()
    (first,) = set(calendars.channels) - others
    token = (await watched.one(watch)).remembered["sync_token"]
    await watched.seen_to(days=5)
    assert set(calendars.channels) - others == {first}
    calendars.channels[first]["address"] = ""  # Google loses its messages
    at = {"starts_at": "2026-01-15T09:00:00Z", "ends_at": "2026-01-15T10:00:00Z"}
    event = {"calendar": made.answer["id"], "reference": "appt_7Hq2ZkW9", **at}
    entered = await broker(
        Call(watched.oauth.actor, "google", "create_event", Purpose.HOPERAT, event, "test"), rooms
    )  # fmt: skip
    assert isinstance(entered, Answer)
    calendars.channels[first]["address"] = ""
    await watched.seen_to(days=1, hours=1)
    watch = await watched.one(watch)
    assert watch.lives(watched.clock() + timedelta(days=5))
    assert set(calendars.channels) - others == {watch.told["channel"]}
    assert watch.told["channel"] != first
    assert watch.remembered["sync_token"] != token
    assert [kind for kind, _ in await watched.told()] == ["google.calendar.changed"]


@pytest.mark.parametrize("after", [0, 1])
async def test_a_gateway_killed_while_it_begins_is_followed_by_one_that_begins_nothing_twice(
    watched: Watched, after: int
) -> None:
    watch = await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.killed(watch, after=after)
    (subscription,) = watched.watches  # Graph watches, and whoever asked is gone
    assert (await watched.one(watch)).lives(watched.clock()) == bool(after)
    assert await watched.seen_to(minutes=1) == 0  # it may still be at it
    await watched.seen_to(minutes=16)
    stands = await watched.one(watch)
    assert (list(watched.watches), stands.told["id"]) == ([subscription], subscription)
    assert stands.marks is not None
    assert (await watched.intents()).count("watch_shifts") == 1
    assert await watched.told() == []


@pytest.mark.parametrize("hours", [4, 3.01])
async def test_a_gateway_killed_between_the_vendor_s_answer_and_its_own_commit_loses_no_change(
    watched: Watched, hours: float
) -> None:
    watch = await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.seen_to()
    for each in watched.watches.values():
        each["notificationUrl"] = ""
    await watched.staff_move("08")
    watched.clock.forward(hours=hours)  # to renew and read; or to read alone
    await watched.killed(watch, after=0)
    await watched.seen_to(minutes=16)
    assert (await watched.one(watch)).lives(watched.clock())
    assert len(watched.watches) == 1
    assert [(kind, data["id"]) for kind, data in await watched.told()] == [("teams.shift.changed", SHIFT)]
