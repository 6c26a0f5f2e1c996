"""Microsoft's permissions reach every team; ours are those that the clinic named, whoever asks and however it is spelt."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.contract import Action, OutOfBounds
from connectors.example import example_of
from connectors.teams.allowed import allowed
from connectors.teams.sandbox_directory import OTHER_TEAM, TEAM
from scopes.minimize import InvalidPayload, minimize
from scopes.vocabulary import Outcome
from tests.conformance.harness import CapturingEgress
from tests.connectors.teams.graph import TEAMS, Graph

OF_TEAMS = [action for action in TEAMS.actions.values() if "team" in {leaf.path for leaf in action.shape.fields}]
ACTIONS = pytest.mark.parametrize("action", OF_TEAMS, ids=lambda action: action.name)


class Named(CapturingEgress):
    """A door of a clinic that named these teams."""

    named: str | None = None

    @property
    def settings(self) -> dict[str, str]:
        return {} if self.named is None else {"teams": self.named}


def door(named: str | None) -> Named:
    made = Named(TEAMS.manifest)
    made.named = named
    return made


def test_every_action_about_a_schedule_names_its_team() -> None:
    others = {"stop_watching", "get_presence", "create_meeting", "send_activity", "list_chats"}
    assert TEAMS.actions.keys() - {action.name for action in OF_TEAMS} == others


@ACTIONS
@pytest.mark.parametrize(
    "named", [None, "", ",", OTHER_TEAM, TEAM[:-1], f"{TEAM}0", f"x{TEAM}", f"{OTHER_TEAM};{TEAM}"]
)
async def test_nothing_is_sent_for_a_team_that_the_clinic_did_not_name(action: Action, named: str | None) -> None:
    egress = door(named)
    model = minimize(action.shape, example_of(action.shape)).model
    with pytest.raises(OutOfBounds) as refused:
        await action.perform(model, egress)
    assert egress.requests == []
    assert (refused.value.code, refused.value.outcome) == ("team_not_allowed", Outcome.FAILED)
    assert TEAM not in str(refused.value)


@ACTIONS
async def test_a_team_of_the_same_directory_that_the_permission_reaches_stays_out_of_reach(action: Action) -> None:
    graph = Graph()
    payload = {**example_of(action.shape), "team": OTHER_TEAM}
    with pytest.raises(OutOfBounds):
        await graph.call(action.name, payload)
    assert graph.requests == []


@pytest.mark.parametrize("named", [TEAM, f"{OTHER_TEAM},{TEAM}", f"{TEAM}, {OTHER_TEAM}", TEAM.upper()])
@pytest.mark.parametrize("asked", [TEAM, TEAM.upper()])
def test_a_named_team_is_reached_in_any_spelling_of_its_id(named: str, asked: str) -> None:
    assert allowed(asked, door(named)) == TEAM


@pytest.mark.parametrize(
    "team",
    [
        f"{TEAM}/../{OTHER_TEAM}", f"{TEAM}/schedule/shifts?x=", f"{TEAM}%2f", f"{TEAM}\n", f" {TEAM}", f"{TEAM}#",
        "*", "", "all", "me", TEAM.replace("-", ""), f"{TEAM},{OTHER_TEAM}", f"{{{TEAM}}}", TEAM.replace("0", "٠"),
    ],
)  # fmt: skip
def test_what_is_no_id_of_a_team_is_refused_before(team: str) -> None:
    action = TEAMS.actions["list_shifts"]
    with pytest.raises(InvalidPayload) as refused:
        minimize(action.shape, {**example_of(action.shape), "team": team})
    assert not team.strip() or team not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "field", "hostile"),
    [
        ("move_shift", "shift", "../../../users"),
        ("delete_shift", "shift", "SHFT_1?x=1"),
        ("delete_shift", "shift", "SHFT_1/../SHFT_2"),
        ("renew_watch", "subscription", "../me"),
        ("send_activity", "person", "jane.roe@clinic.example"),
        ("create_meeting", "organizer", "me"),
        ("list_chats", "person", "0b7d9a42-8c1f-4e53-a6d0-5f3e2c1b9a87/messages"),
        ("list_shifts", "cursor", "x&$expand=members"),
        ("list_chats", "cursor", "https://evil.example/?$skiptoken"),
        ("list_chats", "cursor", "a b"),
        ("watch_shifts", "minutes", 361),
        ("renew_watch", "minutes", 0),
        ("get_presence", "people", []),
        ("create_meeting", "reference", "Jane Roe"),
        ("create_shift", "label", "Dialysis"),
        ("send_activity", "notice", "Mrs Roe waits"),
    ],
)
def test_what_could_lead_elsewhere_or_say_more_is_refused(name: str, field: str, hostile: Any) -> None:
    action = TEAMS.actions[name]
    with pytest.raises(InvalidPayload):
        minimize(action.shape, {**example_of(action.shape), field: hostile})


async def test_a_cursor_never_leads_to_another_address() -> None:
    action = TEAMS.actions["sync_shifts"]
    token = "https://evil.example/x".replace("?", "")
    egress = CapturingEgress(TEAMS.manifest)
    model = minimize(action.shape, {"team": TEAM, "cursor": token}).model
    with pytest.raises(Exception, match="not known"):
        await action.perform(model, egress)
    (request,) = egress.requests
    assert request.url.host == "graph.microsoft.com"
    assert request.url.path == f"/v1.0/teams/{TEAM}/schedule/shifts"
    assert dict(request.url.params) == {"$skiptoken": token}
