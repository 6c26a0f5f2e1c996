"""The sandbox keeps to Google's scopes, to its partial answers and to its channels."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from connectors.contract import ConnectorError, ProviderScopeMissing, Rejected, TryLater
from connectors.example import example_of
from connectors.google import callback, sandbox
from connectors.google.sandbox_mask import masked
from connectors.google.sandbox_scopes import SCOPES
from tests.conformance.harness import HOOK, TOKEN, DirectEgress
from tests.connectors.google.google import BOOKING, EVENT, GOOGLE, OWN, TIMES, act
from tests.connectors.google.test_google_callback import NOW

PREFIX = "https://www.googleapis.com/auth/"


class Google:
    """A sandbox, tokens for it, and whatever it tells us."""

    def __init__(self) -> None:
        self.heard: list[httpx2.Request] = []
        self.app = sandbox.create(transport=httpx2.MockTransport(self._hear))
        self.state: sandbox.Sandbox = self.app.state.sandbox
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app))

    def _hear(self, request: httpx2.Request) -> httpx2.Response:
        self.heard.append(request)
        return httpx2.Response(200)

    def door(self, *scopes: str, key: str = "key-1") -> DirectEgress:
        """A door with a token of these scopes, or with the sandbox's own."""
        credential = "-".join(scopes) or sandbox.CREDENTIAL
        if scopes:
            self.app.state.oauth.give(credential, frozenset(PREFIX + scope for scope in scopes))
        return DirectEgress(
            GOOGLE.manifest, self.http, credential, GOOGLE.manifest.base_url, idempotency_key=key, callback_url=HOOK,
            callback_token=TOKEN,
        )  # fmt: skip

    async def told(self, count: int) -> list[httpx2.Request]:
        """That many messages, once they are there."""
        for _ in range(100):
            if len(self.heard) >= count:
                break
            await asyncio.sleep(0.01)
        assert len(self.heard) == count
        return self.heard


@pytest.fixture
def google() -> Google:
    return Google()


@pytest.mark.parametrize("name", GOOGLE.actions)
async def test_each_action_needs_its_scope_and_no_other(google: Google, name: str) -> None:
    action = GOOGLE.actions[name]
    (group,) = action.provider_scopes
    (needed,) = group
    others = {"calendar.freebusy", "gmail.send", "drive.file", "meetings.space.created", "calendar.settings"} - {needed}
    if name == "stop_watching":  # Google takes nearly every scope of Calendar's for it
        others -= {"calendar.settings"}
    with pytest.raises(ProviderScopeMissing) as raised:
        await act(name, example_of(action.shape), google.door(*sorted(others)))
    assert raised.value.code == "insufficient_permissions"
    await act(name, example_of(action.shape), google.door(needed))


async def test_a_client_of_its_own_calendars_finds_no_others(google: Google) -> None:
    with pytest.raises(Rejected) as raised:
        await act("create_event", {**BOOKING, "calendar": "primary"}, google.door("calendar.app.created"))
    assert raised.value.code == "not_found"
    await act("create_event", {**BOOKING, "calendar": OWN}, google.door("calendar.app.created", key="key-2"))


async def test_an_event_is_made_once_whatever_is_repeated(google: Google) -> None:
    made = await act("create_event", BOOKING, google.door())
    again = await act("create_event", BOOKING, google.door())
    assert made.body == again.body
    assert len(google.state.calendars.calendars["primary"].events) == 2  # the one that was there, and this
    await act("create_event", BOOKING, google.door(key="key-2"))
    assert len(google.state.calendars.calendars["primary"].events) == 3


async def test_an_event_is_moved_cancelled_and_seen_in_what_changed(google: Google) -> None:
    whole = await act("sync_calendar", {"calendar": OWN}, google.door())
    assert (whole.body["from_the_beginning"], len(whole.body["events"])) == (True, 1)
    made = await act("create_event", {**BOOKING, "calendar": OWN}, google.door())
    event, moved_to = made.body["id"], {"starts_at": "2026-01-16T09:30:00Z", "ends_at": "2026-01-16T10:00:00Z"}
    moved = await act(
        "move_event", {**moved_to, "event": event, "calendar": OWN, "etag": made.body["etag"]}, google.door()
    )
    assert (moved.body["reference"], moved.body["sequence"]) == ("appt_7Hq2ZkW9", 1)
    with pytest.raises(Rejected) as raised:
        await act("cancel_event", {"event": event, "calendar": OWN, "etag": made.body["etag"]}, google.door())
    assert raised.value.code == "changed_meanwhile"
    for _ in range(2):  # one that is out already is as good
        await act("cancel_event", {"event": event, "calendar": OWN}, google.door())
    since = {"calendar": OWN, "sync_token": whole.body["sync_token"]}
    told = await act("sync_calendar", since, google.door())
    assert [(each["id"], each["status"]) for each in told.body["events"]] == [(event, "cancelled")]
    assert told.body["from_the_beginning"] is False
    google.state.switches["forgets"] = True
    assert (await act("sync_calendar", since, google.door())).body["from_the_beginning"] is True


async def test_a_channel_tells_of_changes_until_it_is_stopped(google: Google) -> None:
    watched = (await act("watch_calendar", {"calendar": OWN, "hours": 24}, google.door())).body
    await act("create_event", {**BOOKING, "calendar": OWN}, google.door())
    await act("create_event", {**BOOKING, "calendar": "primary"}, google.door())  # nobody watches that one
    first, second = await google.told(2)
    assert {str(each.url) for each in (first, second)} == {HOOK}
    for message in (first, second):
        callback.verify(message.content, message.headers, HOOK, (TOKEN,), now=NOW)
    assert callback.translate(callback.envelope(b"", first.headers), HOOK) == ()
    (event,) = callback.translate(callback.envelope(b"", second.headers), HOOK)
    assert event.data == {"id": watched["channel"], "resource": watched["resource"]}
    await act("stop_watching", {"channel": watched["channel"], "resource": watched["resource"]}, google.door())
    await act("cancel_event", {"event": EVENT, "calendar": OWN}, google.door())
    await google.told(2)
    with pytest.raises(Rejected):
        await act("stop_watching", {"channel": watched["channel"], "resource": watched["resource"]}, google.door())


async def test_by_itself_the_sandbox_calls_nobody_beyond_this_machine() -> None:
    state = sandbox.create().state.sandbox
    channel = {"id": "c", "token": "t", "resourceId": "r", "calendar": OWN, "address": HOOK, "number": 0}
    await state.send(channel, "sync")  # would fail: there is no such host


@pytest.mark.parametrize("name", ["create_event", "free_busy", "create_meeting", "append_report", "send_notice"])
async def test_too_much_is_answered_as_google_does(google: Google, name: str) -> None:
    google.state.switches["rate_limited"] = True
    with pytest.raises(TryLater):
        await act(name, example_of(GOOGLE.actions[name].shape), google.door())


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({"summary": "x", "attendees": []}, ""), ({"id": "UPPER", "start": {}, "end": {}}, ""), ({}, ""),
        ({"start": {}, "end": {}}, "?sendMail=1"), ({"start": {}, "end": {}}, "?fields=id("), ([], ""),
    ],
)  # fmt: skip
async def test_the_sandbox_takes_nothing_that_we_should_not_send(google: Google, body: Any, query: str) -> None:
    address = f"https://www.googleapis.com/calendar/v3/calendars/primary/events{query}"
    response = await google.http.post(address, json=body, headers={"Authorization": f"Bearer {sandbox.CREDENTIAL}"})
    assert response.status_code == 400


def test_a_partial_answer_holds_what_was_asked_for() -> None:
    whole = {"items": [{"id": 1, "summary": "x", "start": {"a": 1, "b": 2}}], "next": "p", "summary": "y"}
    assert masked(whole, "items(id,start/a),next") == {"items": [{"id": 1, "start": {"a": 1}}], "next": "p"}
    assert masked(whole, None) == whole
    for unreadable in ("items(id", "id)", "id,é", "a b"):
        with pytest.raises(ValueError, match="fields"):
            masked(whole, unreadable)


async def test_of_an_answer_google_only_sends_what_was_asked_for(google: Google) -> None:
    seen: list[bytes] = []
    door = google.door()
    send = door.send

    async def listening(request: httpx2.Request) -> httpx2.Response:
        response = await send(request)
        seen.append(response.content)
        return response

    door.send = listening  # type: ignore[method-assign]
    await act("create_event", BOOKING, door)
    await act("move_event", {**TIMES, "event": EVENT}, door)
    await act("sync_calendar", {"calendar": OWN}, door)
    assert len(seen) == 3
    for content in seen:
        assert b"htmlLink" not in content
        assert b"owner@clinic.example" not in content
        assert b"summary" not in content


def test_every_method_of_the_sandbox_has_its_scopes() -> None:
    assert all(SCOPES[name] for name, *_ in sandbox.METHODS)
    assert issubclass(ProviderScopeMissing, ConnectorError)
