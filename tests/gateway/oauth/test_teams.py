"""Teams through the whole gateway: what the directory did not grant, or the clinic did not name, never gets to Graph."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.sandbox_oauth import OAuthServer
from connectors.teams import sandbox
from connectors.teams.sandbox_directory import ACCOUNT, DOCTOR, NURSE, OTHER_TEAM, SHIFT, TEAM, Directory
from gateway import keyfiles
from gateway.app import House, opened
from gateway.calls import Answer, Call
from gateway.config import Settings
from gateway.demo import _allowed
from gateway.errors import Refused
from gateway.flows.broker import broker
from gateway.flows.connect import Wish, begin
from gateway.flows.inbound import publish_callback
from gateway.oauth.clients import Client
from gateway.serve import listening, serving
from scopes.vocabulary import Outcome, Purpose, Reason
from tests.gateway.callbacks import events_of
from tests.gateway.oauth.house import Oauth, new_actor

READS = frozenset({"roster", "changes"})
PLANS = READS | {"planning", "presence"}
SHIFTED = {
    "team": TEAM, "person": NURSE, "group": "TAG_1", "starts_at": "2026-01-15T09:00:00Z",
    "ends_at": "2026-01-15T17:00:00Z",
}  # fmt: skip


@dataclass
class Clinic:
    """A gateway, Graph's sandbox beside it with everything that it was asked, and a clinic."""

    oauth: Oauth
    graph: Any
    asked: list[tuple[str, str]]

    @property
    def house(self) -> House:
        return self.oauth.house

    @property
    def server(self) -> OAuthServer:
        found: OAuthServer = self.graph.state.oauth
        return found

    @property
    def directory(self) -> Directory:
        found: Directory = self.graph.state.sandbox.directory
        return found

    async def connected(self, features: frozenset[str], settings: Mapping[str, str] = sandbox.SETTINGS) -> None:
        """Connect, as an administrator of the directory does in a browser."""
        wish = Wish(connector="teams", features=features, account=ACCOUNT, settings=settings)
        made = await begin(self.oauth.actor, wish, self.house.rooms)
        await _allowed(self.house, str(made.address), sandbox, self.graph)

    async def call(self, action: str, payload: Mapping[str, Any]) -> Answer:
        call = Call(self.oauth.actor, "teams", action, Purpose.HOPERAT, payload, "test")
        answer = await broker(call, self.house.rooms)
        assert isinstance(answer, Answer)
        return answer

    async def refused(self, action: str, payload: Mapping[str, Any]) -> set[str]:
        """The reasons of a refusal; Graph was asked nothing for it."""
        before = list(self.asked)
        with pytest.raises(Refused) as raised:
            await self.call(action, payload)
        assert self.asked == before
        return {str(reason.code) for reason in raised.value.reasons}


def noting(app: ASGIApp, asked: list[tuple[str, str]]) -> ASGIApp:
    """The same application, which notes what is asked of Graph itself."""

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "oauth2" not in scope["path"]:
            asked.append((scope["method"], scope["path"]))
        await app(scope, receive, send)

    return noted


@pytest.fixture
async def clinic(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Clinic]:
    """A gateway on loopback, so that Graph can call it; only the demo's door goes there."""
    asked: list[tuple[str, str]] = []
    graph = sandbox.create()
    listener = listening("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = Settings.from_environment({}, data_dir=tmp_path, database_url=fresh_dsn, public_url=url)
    keyfiles.make(settings)
    async with (
        serving(noting(graph, asked), listening("127.0.0.1", 0)) as vendor,
        opened(settings, sandboxes={"teams": vendor}) as house,
        serving(house.web, listener),
    ):
        await house.rooms.oauth.clients.add("teams", Client(*sandbox.OAUTH_CLIENT))
        yield Clinic(Oauth(house, {}, lambda: None, await new_actor(house)), graph, asked)  # type: ignore[arg-type]


def granting(*names: str) -> Callable[[frozenset[str]], frozenset[str]]:
    """A directory whose administrator allowed these and no others."""
    return lambda _: frozenset(names)


async def test_what_the_directory_did_not_grant_never_gets_to_graph(clinic: Clinic) -> None:
    clinic.server.answers.grants = granting("Schedule.Read.All")
    await clinic.connected(PLANS)
    assert (await clinic.call("sync_shifts", {"team": TEAM})).outcome is Outcome.ACCEPTED
    for action, payload in (
        ("create_shift", SHIFTED),
        ("move_shift", {**SHIFTED, "shift": SHIFT}),
        ("delete_shift", {"team": TEAM, "shift": SHIFT}),
        ("get_presence", {"people": [NURSE]}),
    ):
        assert await clinic.refused(action, payload) == {Reason.SCOPE_MISSING}
    assert clinic.graph.state.sandbox.refused == 0


async def test_what_the_clinic_did_not_switch_on_never_gets_to_graph(clinic: Clinic) -> None:
    clinic.server.answers.grants = granting("Schedule.Read.All")
    await clinic.connected(READS)
    for action, payload in (("create_shift", SHIFTED), ("list_chats", {"person": NURSE})):
        assert Reason.FEATURE_OFF in await clinic.refused(action, payload)
    assert clinic.graph.state.sandbox.refused == 0


async def test_a_directory_that_grants_more_than_was_asked_is_not_connected(clinic: Clinic) -> None:
    clinic.server.answers.grants = granting("Schedule.Read.All", "Chat.Read.All")
    await clinic.connected(READS)
    assert Reason.CONNECTION_INACTIVE in await clinic.refused("sync_shifts", {"team": TEAM})


async def test_a_person_s_permission_of_the_same_name_is_none_of_the_application(clinic: Clinic) -> None:
    connector = clinic.house.rooms.registry.connector("teams")
    assert all(scope.startswith("application:") for scope in connector.manifest.provider_scopes)
    assert not connector.lattice.includes({"Schedule.ReadWrite.All"}, "application:Schedule.Read.All")


async def test_a_team_beyond_the_list_is_a_failure_of_which_the_ledger_knows_that_nothing_left(clinic: Clinic) -> None:
    clinic.server.answers.grants = granting("Schedule.ReadWrite.All", "Presence.Read.All")
    await clinic.connected(PLANS)
    before = list(clinic.asked)
    answer = await clinic.call("create_shift", {**SHIFTED, "team": OTHER_TEAM})
    assert (answer.outcome, answer.code) == (Outcome.FAILED, "team_not_allowed")
    assert clinic.asked == before
    assert len(clinic.directory.team(OTHER_TEAM).shifts) == 3
    assert (await clinic.call("create_shift", SHIFTED)).outcome is Outcome.ACCEPTED


async def test_the_notices_permission_is_in_no_token_and_counts_all_the_same(clinic: Clinic) -> None:
    clinic.server.answers.grants = granting("Schedule.Read.All")
    await clinic.connected(READS | {"notices"})
    told = await clinic.call("send_activity", {"person": DOCTOR, "notice": "task_waiting"})
    assert told.outcome is Outcome.ACCEPTED
    assert clinic.directory.notices == [(DOCTOR, "taskWaiting")]


async def test_a_shift_that_staff_change_is_heard_each_time_and_nobody_else_s_word_for_it(clinic: Clinic) -> None:
    clinic.server.answers.grants = granting("Schedule.Read.All")
    await clinic.connected(READS)
    rooms = clinic.house.rooms
    connection = (await rooms.connections.present(clinic.oauth.tenant)).connection("teams")
    watch = await clinic.call("watch_shifts", {"team": TEAM, "minutes": 360})
    assert watch.outcome is Outcome.ACCEPTED, (
        watch.code
    )  # the handshake went by way of the gateway's own door for vendors

    transport = httpx2.ASGITransport(app=clinic.graph)
    async with httpx2.AsyncClient(transport=transport, base_url="http://graph") as staff:
        for hour in ("08", "09"):
            moved = {"startDateTime": f"2026-01-15T{hour}:30:00Z"}
            assert (await staff.post(f"/_sandbox/teams/{TEAM}/shifts/{SHIFT}", json=moved)).status_code == 204
        assert (await staff.post("/_sandbox/lifecycle", json={"event": "missed"})).status_code == 204
    url = str(rooms.callbacks.url_of(connection.id))
    forged = {
        "value": [{**_item(clinic, str(watch.answer["id"])), "clientState": "guessed-by-somebody-0123456789abcdef"}]
    }
    other = {"value": [{**_item(clinic, str(watch.answer["id"])), "tenantId": OTHER_TEAM}]}
    async with httpx2.AsyncClient(trust_env=False) as anybody:
        assert (await anybody.post(url, json=forged)).status_code == 400
        assert (await anybody.post(url, json=other)).status_code == 200  # acknowledged, and dropped
        assert (await anybody.post(f"{url}?validationToken=<script>")).status_code == 400
        echoed = await anybody.post(url, params={"validationToken": "Validation: a b"})
        assert (echoed.text, echoed.headers["content-type"]) == ("Validation: a b", "text/plain; charset=utf-8")
        assert echoed.headers["x-content-type-options"] == "nosniff"
    assert await _told(clinic) == ["teams.shift.changed", "teams.shift.changed", "teams.watch.missed"]


async def _told(clinic: Clinic) -> list[str]:
    """Publish what was taken; the types of the events."""
    async with clinic.house.rooms.store.tenant(clinic.oauth.tenant) as session:
        rows = await session.fetch("SELECT payload FROM pgqueuer WHERE entrypoint = 'callback' ORDER BY id")
    for row in rows:
        await publish_callback(row[0], clinic.house.rooms)
    await asyncio.sleep(0)
    found = await events_of(clinic.house, clinic.oauth.tenant)
    for _, source, data in found:
        assert source == "teams"
        assert "Roe" not in orjson.dumps(data).decode()
    return [kind for kind, _, _ in found]


def _item(clinic: Clinic, watch: str) -> dict[str, Any]:
    return {
        "subscriptionId": watch,
        "subscriptionExpirationDateTime": clinic.directory.watches[watch]["expirationDateTime"],
        "clientState": clinic.directory.watches[watch]["clientState"], "tenantId": ACCOUNT, "changeType": "updated",
        "resource": f"teams('{TEAM}')/schedule/shifts('{SHIFT}')",
    }  # fmt: skip
