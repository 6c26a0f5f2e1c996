"""Google through the whole gateway and its sandbox: each feature under its own scope, changes told, notices with consent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from connectors.google import sandbox
from connectors.sandbox_oauth import OAuthServer
from gateway import keyfiles
from gateway.app import House, opened
from gateway.calls import Actor, Answer, Call
from gateway.config import Settings
from gateway.consents import Evidence, NewConsent
from gateway.errors import Conflict, Refused
from gateway.flows.agree import Terms, agree
from gateway.flows.broker import broker
from gateway.flows.connect import Wish, begin
from gateway.jobs import Jobs
from gateway.oauth.clients import Client
from gateway.serve import listening, serving
from scopes.agreement import AgreementKind
from scopes.consent import Channel
from scopes.vocabulary import ConnectionState, Outcome, Purpose
from tests.gateway.callbacks import events_of
from tests.gateway.house import entries_of
from tests.gateway.oauth.house import new_actor, through

SINCE = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
SERVICES = ("calendar", "gmail", "drive", "meet")
BOOKING = {"reference": "appt_7Hq2ZkW9", "starts_at": "2026-11-27T10:30:00Z", "ends_at": "2026-11-27T11:00:00Z"}
NOTICE = {"to": "somebody@mail.example", "notice": "please_call"}


@dataclass
class Clinic:
    """A clinic at a gateway that is served, and Google's sandbox beside it."""

    house: House
    actor: Actor
    app: Any
    url: str

    @property
    def state(self) -> sandbox.Sandbox:
        state: sandbox.Sandbox = self.app.state.sandbox
        return state

    @property
    def server(self) -> OAuthServer:
        server: OAuthServer = self.app.state.oauth
        return server

    async def connects(self, *features: str) -> UUID:
        """Somebody allows these features on Google's page."""
        wish = Wish(connector="google", features=frozenset(features), settings={"staff_domains": "clinic.example"})
        made = await begin(self.actor, wish, self.house.rooms)
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False) as browser:
            answer = await through(browser, str(made.address), self.server)
        assert answer.status_code == 200, answer.text
        return made.connection.id

    async def agrees(self, *services: str) -> None:
        """The clinic's agreement with Google is on file."""
        await agree(
            self.actor, "google", Terms(kind=AgreementKind.BAA, services=services, since=SINCE), self.house.rooms
        )

    async def asks(self, action: str, payload: dict[str, Any], **given: Any) -> Answer:
        """One call."""
        purpose = given.pop("purpose", Purpose.HOPERAT)
        return await broker(Call(self.actor, "google", action, purpose, payload, "test", **given), self.house.rooms)

    async def refused(self, action: str, payload: dict[str, Any], **given: Any) -> list[str]:
        """One call that is not let through; gives the reasons. Nothing of it gets to Google."""
        before = (len(self.server.asked), [*self.state.refused], len(self.state.mails))
        with pytest.raises(Refused) as refused:
            await self.asks(action, payload, **given)
        assert (len(self.server.asked), self.state.refused, len(self.state.mails)) == before
        return [str(reason.code) for reason in refused.value.reasons]


@pytest.fixture
async def clinic(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Clinic]:
    """A gateway that is served, registered at Google's sandbox; nothing is connected yet."""
    app = sandbox.create()
    listener = listening("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = Settings.from_environment({}, data_dir=tmp_path, database_url=fresh_dsn, public_url=url)
    keyfiles.make(settings)
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(serving(app, listening("127.0.0.1", 0)))
        house = await stack.enter_async_context(opened(settings, sandboxes={"google": place}))
        await house.rooms.oauth.clients.add("google", Client(*sandbox.OAUTH_CLIENT))
        await stack.enter_async_context(serving(house.web, listener))
        await stack.enter_async_context(Jobs(house.rooms).running())
        yield Clinic(house, await new_actor(house), app, url)


async def test_an_appointment_is_entered_and_the_ledger_names_what_left(clinic: Clinic) -> None:
    await clinic.agrees(*SERVICES)
    await clinic.connects("calendar", "free_busy")
    answer = await clinic.asks("create_event", BOOKING)
    assert answer.outcome is Outcome.ACCEPTED
    assert answer.answer["reference"] == BOOKING["reference"]
    staff = [{"alias": "dr_17", "address": "somebody@clinic.example"}]
    free = await clinic.asks("free_busy", {**BOOKING, "staff": staff})
    assert [each["alias"] for each in free.answer["staff"]] == ["dr_17"]
    assert "reference" in free.withheld
    entries = [entry for entry in await entries_of(clinic.house, clinic.actor.tenant) if entry["kind"] == "intent"]
    assert [entry["action"] for entry in entries] == ["create_event", "free_busy"]
    assert "clinic.example" not in str(entries)


async def test_a_call_beyond_the_grant_never_gets_to_google(clinic: Clinic) -> None:
    await clinic.agrees(*SERVICES)
    clinic.server.answers.grants = lambda asked: frozenset(each for each in asked if "gmail" not in each)
    await clinic.connects("calendar", "mail")
    assert (await clinic.asks("create_event", BOOKING)).outcome is Outcome.ACCEPTED
    staff = {"to": "somebody@clinic.example", "notice": "please_sign_in"}
    assert await clinic.refused("send_staff_notice", staff) == ["scope_missing"]
    assert "feature_off" in await clinic.refused("create_meeting", {})
    assert clinic.state.refused == []

    # The sandbox would have refused it as well, for the same token.
    (token,) = [token for grant in clinic.server._grants for token in grant.tokens if token != sandbox.CREDENTIAL]
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=clinic.app), base_url="https://x.example") as web:
        headers = {"Authorization": f"Bearer {token}"}
        sent = await web.post("/gmail/v1/users/me/messages/send", json={"raw": "eA=="}, headers=headers)
    assert (sent.status_code, sent.json()["error"]["errors"][0]["reason"]) == (403, "insufficientPermissions")
    assert clinic.state.mails == []


async def test_more_than_was_asked_for_is_given_back(clinic: Clinic) -> None:
    clinic.server.answers.grants = lambda asked: asked | {"https://www.googleapis.com/auth/calendar"}
    with pytest.raises(AssertionError):
        await clinic.connects("calendar")
    found = (await clinic.house.rooms.connections.present(clinic.actor.tenant)).connection("google")
    assert found.state is ConnectionState.PENDING


async def test_an_agreement_covers_each_service_by_itself(clinic: Clinic) -> None:
    await clinic.connects("calendar", "meet")
    assert await clinic.refused("create_event", BOOKING) == ["agreement_missing"]
    await clinic.agrees("calendar")
    assert (await clinic.asks("create_event", BOOKING)).outcome is Outcome.ACCEPTED
    assert await clinic.refused("create_meeting", {}) == ["service_not_covered"]


async def test_a_patient_gets_a_notice_only_with_consent(clinic: Clinic) -> None:
    await clinic.agrees(*SERVICES)
    await clinic.connects("mail")
    about = {"purpose": Purpose.TREAT, "subject": "patient-4711"}
    assert await clinic.refused("send_notice", NOTICE, **about) == ["consent_missing"]
    new = NewConsent(
        subject="patient-4711", purposes=frozenset({Purpose.TREAT}), channels=frozenset({Channel.EMAIL}),
        evidence=Evidence("on paper", SINCE, "notices-1"),
    )  # fmt: skip
    await clinic.house.rooms.consents.give(clinic.actor, new)
    assert (await clinic.asks("send_notice", NOTICE, **about)).outcome is Outcome.ACCEPTED
    (mail,) = clinic.state.mails
    assert mail["To"] == NOTICE["to"]


async def test_a_change_in_the_calendar_is_told_once_and_what_changed_is_asked_for(clinic: Clinic) -> None:
    await clinic.agrees(*SERVICES)
    connection = await clinic.connects("calendar", "calendar_sync")
    calendar = (await clinic.asks("create_calendar", {})).answer["id"]
    before = (await clinic.asks("sync_calendar", {"calendar": calendar})).answer
    watched = (await clinic.asks("watch_calendar", {"calendar": calendar})).answer
    made = await clinic.asks("create_event", {**BOOKING, "calendar": calendar})
    told = await _told(clinic)
    assert told == [("google.calendar.changed", {"id": watched["channel"], "resource": watched["resource"]})]
    since = {"calendar": calendar, "sync_token": before["sync_token"]}
    after = (await clinic.asks("sync_calendar", since)).answer
    assert [each["id"] for each in after["events"]] == [made.answer["id"]]

    # The same message once more, one that somebody made up, and one under another channel's token.
    channel = clinic.state.calendars.channels[watched["channel"]]
    async with httpx2.AsyncClient(base_url=clinic.url, trust_env=False) as web:
        good = {
            "x-goog-channel-id": channel["id"], "x-goog-channel-token": channel["token"], "x-goog-message-number": "2",
            "x-goog-resource-id": channel["resourceId"], "x-goog-resource-state": "exists",
        }  # fmt: skip
        statuses = [
            (await web.post(f"/hooks/{connection}", headers={**good, **changed})).status_code
            for changed in ({}, {"x-goog-channel-token": "0" * 64}, {"x-goog-channel-id": f"gateway-{'0' * 32}"})
        ]
    assert statuses == [200, 400, 400]
    assert await _told(clinic) == told


async def test_no_signing_secret_is_handed_over_for_google(clinic: Clinic) -> None:
    connection = await clinic.connects("calendar_sync")
    manifest = clinic.house.rooms.registry.connector("google").manifest
    with pytest.raises(Conflict):
        await clinic.house.rooms.callbacks.add_secret(clinic.actor, connection, "whatever", {"google": manifest})
    door = await clinic.house.rooms.callbacks.door(connection)
    held = (await clinic.house.rooms.connections.present(clinic.actor.tenant)).connection("google")
    assert clinic.house.rooms.callbacks.token_of(held, manifest) == door.channel_token
    assert door.channel_token != door.token


async def _told(clinic: Clinic) -> list[tuple[str, Any]]:
    """What was published, once it is there."""
    end = time.monotonic() + 15
    while not (found := [(kind, told) for kind, _, told in await events_of(clinic.house, clinic.actor.tenant)]):
        assert time.monotonic() < end, "nothing was told"
        await asyncio.sleep(0.05)
    return found
