"""The sandbox behaves as Graph does where it matters, and the connector against it keeps what it promises."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from connectors.contract import ConnectorError, ProviderScopeMissing, ReconnectNeeded, Rejected, TryLater
from connectors.teams import sandbox
from connectors.teams.codes import LABELS, NOTICES
from connectors.teams.fields import Label, Notice
from connectors.teams.sandbox_directory import ACCOUNT, DOCTOR, NURSE, OTHER_TEAM, PAGE, TEAM, shift
from scopes.vocabulary import Category, Repeat
from tests.connectors.teams.graph import TEAMS, Graph

DAY = {"team": TEAM, "starts_at": "2026-01-15T00:00:00Z", "ends_at": "2026-01-16T00:00:00Z"}
GROUP = "TAG_228940ed-ff84-4e25-b129-1b395cf78be0"
NEW = {
    "team": TEAM,
    "person": NURSE,
    "group": GROUP,
    "starts_at": "2026-01-15T10:00:00+01:00",
    "ends_at": "2026-01-15T17:00:00Z",
}
WATCHING = {"team": TEAM, "minutes": 360}
REMARKS = ("Roe", "Dialysis", "sick", "dentist", "s3cret", "123456789", "darkPink", "results")


@pytest.fixture
def graph() -> Graph:
    return Graph()


async def refusal(work: Any) -> ConnectorError:
    with pytest.raises(ConnectorError) as raised:
        await work
    return raised.value


async def test_a_shift_is_made_seen_moved_and_taken_out(graph: Graph) -> None:
    made = await graph.call("create_shift", {**NEW, "label": "night"})
    assert made["starts_at"] == "2026-01-15T09:00:00+00:00"
    held = graph.directory.team(TEAM).shifts[made["id"]]
    assert held["sharedShift"]["displayName"] == "Night shift"
    assert held["sharedShift"]["notes"] is None
    seen = await graph.call("list_shifts", DAY)
    assert made["id"] in {each["id"] for each in seen["shifts"]}
    moved = await graph.call("move_shift", {**NEW, "person": DOCTOR, "shift": made["id"]})
    assert (moved["id"], moved["person"]) == (made["id"], DOCTOR)
    assert await graph.call("delete_shift", {"team": TEAM, "shift": made["id"]}) == {"id": made["id"]}
    gone = await refusal(graph.call("delete_shift", {"team": TEAM, "shift": made["id"]}))
    assert (type(gone), gone.code) == (Rejected, "not_found")


async def test_what_people_wrote_is_in_no_answer(graph: Graph) -> None:
    answers = [
        await graph.call("list_shifts", DAY),
        await graph.call("sync_shifts", {"team": TEAM}),
        await graph.call("list_time_off", DAY),
        await graph.call("get_presence", {"people": [NURSE, DOCTOR]}),
        await graph.call("list_chats", {"person": NURSE}),
        await graph.call(
            "create_meeting",
            {"organizer": DOCTOR, "reference": "appt_7Hq2ZkW9", **{n: NEW[n] for n in ("starts_at", "ends_at")}},
        ),
    ]
    assert all(any(part for part in answer.values()) for answer in answers), "an answer without anything shows nothing"
    for remark in REMARKS:
        assert remark not in str(answers)


async def test_drafts_that_the_team_has_not_seen_are_left_out(graph: Graph) -> None:
    found = await graph.call("sync_shifts", {"team": TEAM})
    assert len(found["shifts"]) == 2
    assert len(graph.directory.team(TEAM).shifts) == 3


async def test_all_shifts_are_read_page_by_page_to_the_end(graph: Graph) -> None:
    shifts = graph.directory.team(TEAM).shifts
    for at in range(2 * PAGE):
        part = {"startDateTime": "2026-02-01T08:00:00Z", "endDateTime": "2026-02-01T16:00:00Z"}
        given = {"userId": NURSE, "schedulingGroupId": GROUP, "sharedShift": part}
        made = shift(given, graph.directory.now, f"SHFT_{at}")
        shifts[made["id"]] = made
    found: list[str] = []
    page = await graph.call("sync_shifts", {"team": TEAM})
    while "cursor" in page:
        found += [each["id"] for each in page["shifts"]]
        page = await graph.call("sync_shifts", {"team": TEAM, "cursor": page["cursor"]})
    found += [each["id"] for each in page["shifts"]]
    assert sorted(found) == sorted(name for name, each in shifts.items() if each["sharedShift"])
    broken = await refusal(graph.call("sync_shifts", {"team": TEAM, "cursor": "bm9ib2R5cw"}))
    assert (type(broken), broken.code) == (Rejected, "bad_request")


async def test_the_same_reference_is_the_same_meeting_and_another_person_s_is_another(graph: Graph) -> None:
    asked = {
        "organizer": DOCTOR,
        "reference": "appt_7Hq2ZkW9",
        "starts_at": NEW["starts_at"],
        "ends_at": NEW["ends_at"],
    }
    first = await graph.call("create_meeting", asked)
    assert await graph.call("create_meeting", asked) == first
    assert (await graph.call("create_meeting", {**asked, "organizer": NURSE}))["id"] != first["id"]
    assert {each["subject"] for each in graph.directory.meetings.values()} == {"Appointment"}
    graph.directory.organizers.clear()
    assert isinstance(await refusal(graph.call("create_meeting", asked)), ProviderScopeMissing)


async def test_a_notice_is_fixed_words_without_parameters_for_whoever_has_the_app(graph: Graph) -> None:
    for notice in Notice:
        await graph.call("send_activity", {"person": NURSE, "notice": notice.value})
    assert graph.directory.notices == [(NURSE, activity) for activity, _ in NOTICES.values()]
    assert {tuple(sorted(httpx2.Response(200, content=each.content).json())) for each in graph.requests} == {
        ("activityType", "previewText", "templateParameters", "topic")
    }
    graph.directory.installed.discard(NURSE)
    lacking = await refusal(graph.call("send_activity", {"person": NURSE, "notice": "task_waiting"}))
    assert isinstance(lacking, ProviderScopeMissing)


def test_every_word_of_a_list_has_its_text() -> None:
    assert LABELS.keys() == set(Label)
    assert NOTICES.keys() == set(Notice)
    assert len({activity for activity, _ in NOTICES.values()}) == len(Notice)
    assert not any(mark in text for _, text in NOTICES.values() for mark in "{}%<>")


async def test_a_watch_is_made_once_renewed_and_ended(graph: Graph) -> None:
    made = await graph.call("watch_shifts", WATCHING)
    ends = datetime.fromisoformat(made["expires_at"])
    assert timedelta(hours=5, minutes=59) < ends - datetime.now(UTC) <= timedelta(hours=6)
    second = await refusal(graph.call("watch_shifts", WATCHING))
    assert isinstance(second, ProviderScopeMissing)  # Graph's 403 for its quota
    renewed = await graph.call("renew_watch", {"team": TEAM, "subscription": made["id"], "minutes": 60})
    assert datetime.fromisoformat(renewed["expires_at"]) < ends
    assert await graph.call("stop_watching", {"subscription": made["id"]}) == {"id": made["id"]}
    assert made["id"] not in graph.directory.watches


async def test_graph_takes_no_longer_watch_than_six_hours_and_none_of_the_past(graph: Graph) -> None:
    for now in (datetime.now(UTC) + timedelta(minutes=10), datetime.now(UTC) - timedelta(hours=7)):
        refused = await refusal(graph.call("watch_shifts", WATCHING, now=now))
        assert (type(refused), refused.code) == (Rejected, "bad_request")


async def test_no_watch_is_asked_for_where_nobody_can_be_told(graph: Graph) -> None:
    for lacking in ({"callback_url": None}, {"callback_token": None}):
        refused = await refusal(graph.call("watch_shifts", WATCHING, **lacking))
        assert (type(refused), refused.code) == (Rejected, "callback_url_missing")
    assert graph.requests == []


async def test_no_watch_is_made_on_presence_or_on_a_plain_address() -> None:
    graph = Graph()
    given = {"resource": f"/communications/presences/{NURSE}", "expirationDateTime": "2026-01-15T10:00:00Z"}
    bearer = {"Authorization": f"Bearer {sandbox.CREDENTIAL}"}
    answer = await graph.http.post("/subscriptions", json=given, headers=bearer)
    assert answer.status_code == 403, "Graph offers presence to persons only"
    refused = await refusal(graph.call("watch_shifts", WATCHING, callback_url="http://gateway.example/hooks/1"))
    assert (type(refused), refused.code) == (Rejected, "bad_request")


async def test_trouble_at_graph_says_what_to_do_next(graph: Graph) -> None:
    graph.app.state.sandbox.switches["rate_limited"] = True
    waiting = await refusal(graph.call("list_shifts", DAY))
    assert isinstance(waiting, TryLater)
    assert (waiting.retry_after_seconds, waiting.code) == (2, "rate_limit")
    gone = await refusal(graph.call("list_shifts", DAY, credential="expired"))
    assert (type(gone), gone.code) == (ReconnectNeeded, "token_refused")


async def test_one_directory_s_token_is_what_the_sandbox_gives_and_says() -> None:
    graph = Graph()
    rule = TEAMS.manifest.credential.oauth
    assert rule is not None
    client_id, secret = sandbox.OAUTH_CLIENT
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": secret,
        "scope": rule.application_scope,
    }
    answer = (await graph.http.post(rule.at(rule.token_url, ACCOUNT), data=form)).json()
    await graph.call("list_shifts", DAY, credential=answer["access_token"])
    wrong = await graph.http.post(rule.at(rule.token_url, ACCOUNT), data={**form, "scope": "Schedule.Read.All"})
    assert wrong.status_code == 400, "application permissions come through .default only"
    for shared in ("common", "organizations", "consumers"):
        with pytest.raises(ValueError, match="no clinic's own"):
            rule.at(rule.token_url, shared)


def test_what_can_be_repeated_is_what_graph_makes_once() -> None:
    once = {"create_shift", "send_activity", "watch_shifts"}
    repeats = {name: action.repeat for name, action in TEAMS.actions.items()}
    assert {name for name, repeat in repeats.items() if repeat is Repeat.IF_UNSENT} == once
    assert {name for name, repeat in repeats.items() if repeat is Repeat.ALWAYS} == repeats.keys() - once


def test_nothing_about_a_patient_and_no_free_text_is_declared() -> None:
    for action in TEAMS.actions.values():
        for shape in (action.shape, action.answer):
            assert not shape.categories & {Category.FREE_TEXT, Category.CLINICAL, Category.CONTACT, Category.IDENTITY}
            assert not {"notes", "activities", "reason", "topic", "subject"} & {leaf.name for leaf in shape.walk()}


def test_members_of_staff_are_staff() -> None:
    for action in TEAMS.actions.values():
        for shape in (action.shape, action.answer):
            for leaf in shape.walk():
                if leaf.name in ("person", "people", "organizer", "availability"):
                    assert leaf.category is Category.STAFF, f"{action.name}.{leaf.path}"


async def test_a_busy_sandbox_keeps_its_teams_apart(graph: Graph) -> None:
    await asyncio.gather(*(graph.call("create_shift", NEW) for _ in range(10)))
    assert len(graph.directory.team(TEAM).shifts) == 13
    assert len(graph.directory.team(OTHER_TEAM).shifts) == 3
