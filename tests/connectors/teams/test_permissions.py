"""What is asked of a directory is the least that Microsoft names, by Microsoft's own file; and no name is trusted for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.contract import Action, ProviderScopeMissing
from connectors.example import example_of
from connectors.oauth import APPLICATION
from connectors.teams import sandbox
from connectors.teams.sandbox_permissions import NEEDS, WATCHED
from scopes.minimize import minimize
from scopes.provider import Content, Extent, Lattice, ProviderScope, Reach
from tests.conformance.harness import CapturingEgress, answering, performed
from tests.connectors.teams.graph import TEAMS, Graph, Permissions, pattern_of

A, D = "Application", "DelegatedWork"
#: Requests that permissions.json does not have, and what their permission is that of: Microsoft's page "Create
#: subscription" names for each resource the permission to read it. A renewal and an end need no other one.
NOT_IN_THE_FILE = {
    "watch_shifts": ("GET", "/teams/{id}/schedule/shifts"),
    "renew_watch": ("GET", "/teams/{id}/schedule/shifts"),
    "stop_watching": ("GET", "/teams/{id}/schedule/shifts"),
}
#: What the permission to make meetings reaches besides: recordings of broadcasts. Nothing less makes a meeting.
BROADCAST = ("recording", "alternativerecording")
ACTIONS = pytest.mark.parametrize("action", TEAMS.actions.values(), ids=lambda action: action.name)


@pytest.fixture(scope="module")
def permissions(specs: Path) -> Permissions:
    return Permissions(specs)


async def sent(action: Action) -> tuple[str, str]:
    """The method and path that an action asks with."""
    egress = CapturingEgress(TEAMS.manifest, answering(500, b""))
    with pytest.raises(Exception, match="outcome"):
        await performed(action, minimize(action.shape, example_of(action.shape)).model, egress)
    return pattern_of(egress.requests[0])


def needed(action: Action) -> set[str]:
    """What the manifest says that an action needs: one permission, and no choice."""
    ((scope,),) = action.provider_scopes
    assert scope.startswith(APPLICATION)
    return {scope.removeprefix(APPLICATION)}


@ACTIONS
async def test_each_request_is_in_microsoft_s_file_and_its_permission_is_the_least_of_applications(
    action: Action, permissions: Permissions
) -> None:
    method, path = await sent(action)
    if action.name in NOT_IN_THE_FILE:
        assert permissions.enough(method, path, A) == frozenset(), "it is in the file by now: take the exception out"
        method, path = NOT_IN_THE_FILE[action.name]
    enough, least = permissions.enough(method, path, A), permissions.least(method, path, A)
    assert enough, f"{method} {path} is not there"
    assert needed(action) <= least
    # Of several that are marked so, ours reaches no more than any other one that does the same.
    (ours,) = needed(action)
    others = [name for name in least if permissions.reached(name, A) < permissions.reached(ours, A)]
    assert not others


def test_no_permission_reaches_content_of_chats(permissions: Permissions) -> None:
    reached = {
        method
        for name in TEAMS.manifest.provider_scopes
        for method in permissions.reached(name.removeprefix(APPLICATION), A)
    }
    words = ("message", "transcript", "recording", "report")
    content = {method for method in reached if any(word in method for word in words)}
    assert content == {f"GET /users/{{id}}/onlinemeetings/{{id}}/{name}" for name in BROADCAST}


def test_what_the_sandbox_takes_is_what_microsoft_takes(permissions: Permissions) -> None:
    known = {name.removeprefix(APPLICATION) for name in TEAMS.manifest.provider_scopes}
    for (method, path), taken in NEEDS.items():
        assert taken == permissions.enough(method, path, A), f"{method} {path}"
        assert taken & known, f"{method} {path} is of no use to us"
    assert set(WATCHED) == {"shifts"}


async def test_the_sandbox_s_table_has_every_request_that_an_action_makes() -> None:
    for action in TEAMS.actions.values():
        asked = await sent(action)
        assert asked in NEEDS or action.name in NOT_IN_THE_FILE, asked


def test_what_we_say_includes_another_reaches_every_method_of_it(permissions: Permissions) -> None:
    assert TEAMS.lattice.edges == (("application:Schedule.ReadWrite.All", "application:Schedule.Read.All"),)
    reach = {
        name: Reach(permissions.reached(name.removeprefix(APPLICATION), A), Extent.ALL, Content.FULL)
        for name in TEAMS.lattice.scopes
    }
    assert all(each.methods for each in reach.values()), "a permission that reaches nothing is misspelt"
    assert TEAMS.lattice.check_edges(reach) == ()


@pytest.mark.parametrize(
    ("wider", "narrower", "scheme"),
    [
        ("Presence.ReadWrite", "Presence.Read", D),
        ("Calendars.ReadWrite", "Calendars.Read", D),
        ("Group.ReadWrite.All", "Schedule.Read.All", D),
        ("Chat.ReadWrite", "Chat.Read", D),
        ("Chat.ReadWrite.All", "Chat.ReadBasic.All", A),
    ],
)
def test_an_edge_that_only_the_names_suggest_is_refused_by_the_file(
    wider: str, narrower: str, scheme: str, permissions: Permissions
) -> None:
    lattice = Lattice([ProviderScope(wider), ProviderScope(narrower)], [(wider, narrower)])
    reach = {name: Reach(permissions.reached(name, scheme), Extent.ALL, Content.FULL) for name in (wider, narrower)}
    assert reach[wider].methods
    assert reach[narrower].methods
    assert {fault.narrower for fault in lattice.check_edges(reach)} == {narrower}


def test_a_person_s_presence_read_write_reads_no_presence_at_all(permissions: Permissions) -> None:
    reads = {"GET /users/{id}/presence", "GET /communications/presences", "POST /communications/getpresencesbyuserid"}
    assert permissions.reached("Presence.Read.All", D) >= reads
    assert not permissions.reached("Presence.ReadWrite", D) & reads


def test_a_person_s_permission_is_not_the_application_s_of_the_same_name(permissions: Permissions) -> None:
    name = "Presence.Read.All"
    person, application = ProviderScope(name), ProviderScope(name, "application")
    lattice = Lattice([person, application])
    assert person.key != application.key
    assert not lattice.includes([person.key], application.key)
    assert not lattice.includes([application.key], person.key)
    assert not TEAMS.lattice.includes([name], f"{APPLICATION}{name}")
    assert permissions.reached(name, D) != permissions.reached(name, A)
    drift = TEAMS.lattice.drift([f"{APPLICATION}{name}"], [name])
    assert (drift.missing, drift.excess) == ({f"{APPLICATION}{name}"}, {name})


@ACTIONS
async def test_the_sandbox_refuses_a_request_without_its_permission_and_takes_it_with_it(action: Action) -> None:
    (ours,) = needed(action)
    every = frozenset().union(*NEEDS.values())
    wider = {name for taken in NEEDS.values() if ours in taken for name in taken}
    graph = Graph(granted=every - wider)
    if ours == "TeamsActivity.Send.User":  # comes with the app and not with the directory's permissions
        graph.directory.installed.clear()
    with pytest.raises(ProviderScopeMissing):
        await graph.call(action.name, example_of(action.shape))
    await Graph(granted=frozenset({ours})).call(action.name, example_of(action.shape))


async def test_reading_permissions_write_nothing() -> None:
    graph = Graph(granted=frozenset({"Schedule.Read.All"}))
    before = dict(graph.directory.teams[sandbox.SETTINGS["teams"]].shifts)
    for name in ("create_shift", "move_shift", "delete_shift"):
        with pytest.raises(ProviderScopeMissing):
            await graph.call(name, example_of(TEAMS.actions[name].shape))
    assert graph.directory.teams[sandbox.SETTINGS["teams"]].shifts == before
