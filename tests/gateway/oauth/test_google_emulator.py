"""Google's connector through the whole gateway against an emulator that is not ours: connect, enter a time, ask who has time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from connectors.folder import HERE
from gateway import keyfiles
from gateway.app import opened
from gateway.calls import Call
from gateway.config import Settings
from gateway.flows import tokens
from gateway.flows.agree import Terms, agree
from gateway.flows.broker import broker
from gateway.flows.connect import Wish, begin
from gateway.oauth.clients import Client
from scopes.agreement import AgreementKind
from scopes.vocabulary import Outcome, Purpose
from tests.gateway.oauth.emulator import CLIENT, USER, Emulator, emulating
from tests.gateway.oauth.house import PUBLIC, Oauth, gone, new_actor, returned

CONNECTOR = "workspace"
#: Where the emulator keeps to other paths than Google.
MOVED = {
    "https://oauth2.googleapis.com/token": "https://google.emulate.localhost/oauth2/token",
    "https://oauth2.googleapis.com/revoke": "https://google.emulate.localhost/oauth2/revoke",
}
TIMES = {"starts_at": "2026-11-27T10:30:00Z", "ends_at": "2026-11-27T11:00:00Z"}


def write_connector(root: Path) -> None:
    """Google's own folder under another name, whose token addresses are the emulator's."""
    folder = root / CONNECTOR
    folder.mkdir(parents=True)
    manifest = (HERE / "google" / "manifest.toml").read_text()
    for address, moved in MOVED.items():
        assert address in manifest
        manifest = manifest.replace(address, moved)
    (folder / "manifest.toml").write_text(manifest)
    for name in ("client.py", "callback.py", "actions.py"):
        (folder / name).write_text((HERE / "google" / name).read_text())
    (folder / "actions.py").write_text("from connectors.google.actions import ACTIONS as ACTIONS, CONTENT as CONTENT\n")


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[Emulator]:
    """The emulator."""
    async with emulating(tmp_path) as emulator:
        yield emulator


@pytest.fixture
async def oauth(emulator: Emulator, fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Oauth]:
    """A gateway that is registered there, and a clinic with an agreement."""
    write_connector(tmp_path / "root")
    settings = Settings.from_environment({}, data_dir=tmp_path, database_url=fresh_dsn, public_url=PUBLIC)
    keyfiles.make(settings)
    sandboxes = {CONNECTOR: emulator.google}
    async with opened(settings, sandboxes=sandboxes, connectors=[HERE, tmp_path / "root"]) as house:
        await house.rooms.oauth.clients.add(CONNECTOR, Client(*CLIENT))
        actor = await new_actor(house)
        terms = Terms(kind=AgreementKind.BAA, services=("calendar",), since=datetime(2026, 1, 1, tzinfo=UTC))
        await agree(actor, CONNECTOR, terms, house.rooms)
        yield Oauth(house, {}, None, actor)  # type: ignore[arg-type]  # nobody moves this clock


async def test_a_time_is_entered_and_then_the_owner_is_busy(oauth: Oauth, emulator: Emulator) -> None:
    rooms = oauth.house.rooms
    made = await begin(oauth.actor, Wish(connector=CONNECTOR, features=frozenset({"calendar", "free_busy"})), rooms)
    async with oauth.browser() as browser:
        back = await emulator.signed_in(await gone(browser, str(made.address)))
        assert (await returned(browser, back)).status_code == 200
    assert (await oauth.now(CONNECTOR)).provider_scopes == {"calendar.events.owned", "calendar.freebusy"}

    def call(action: str, **payload: object) -> Call:
        return Call(oauth.actor, CONNECTOR, action, Purpose.HOPERAT, {**TIMES, **payload}, "test")

    staff = [{"alias": "dr_17", "address": USER}]
    before = await broker(call("free_busy", staff=staff), rooms)
    assert before.answer == {"staff": [{"alias": "dr_17", "busy": []}]}
    entered = await broker(call("create_event", reference="appt_7Hq2ZkW9"), rooms)
    assert entered.outcome is Outcome.ACCEPTED, entered.code
    after = await broker(call("free_busy", staff=staff), rooms)
    (one,) = after.answer["staff"]
    (busy,) = one["busy"]
    assert (busy["starts_at"], busy["ends_at"]) == ("2026-11-27T10:30:00+00:00", "2026-11-27T11:00:00+00:00")

    # What the emulator has kept is a time and a word.
    token = await _token(oauth)
    async with httpx2.AsyncClient(base_url=emulator.google, headers={"Authorization": f"Bearer {token}"}) as web:
        (event,) = (await web.get("/calendar/v3/calendars/primary/events")).json()["items"]
    assert event["summary"] == "Reserved"
    assert not event.get("attendees")
    assert not event.get("description")


async def _token(oauth: Oauth) -> str:
    return await tokens.bearer(await oauth.now(CONNECTOR), oauth.house.rooms)
