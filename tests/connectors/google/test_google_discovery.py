"""Our requests and scopes, held against Google's own documents."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from pathlib import Path

import httpx2
import pytest

from connectors.contract import ConnectorError
from connectors.google.sandbox import METHODS
from connectors.google.sandbox_scopes import SCOPES
from connectors.review import recordings
from scopes.provider import Content, Extent, Reach
from tests.conformance.harness import CapturingEgress, payloads
from tests.connectors.google.discovery import method_of, methods, reached
from tests.connectors.google.google import GOOGLE, act

#: Where Google's list of methods says less than the scopes' own texts; each with its reason.
EXCEPTIONS = {
    ("calendar.events", "calendar.events.owned"): {
        "calendar.colors.get": "the palette of colours, which tells nothing of anybody; Google left it out of calendar.events",
    },
}
#: What a scope reaches and shows, as Google's texts for the page of consent say it; its methods come from the documents.
EXTENTS = {
    "calendar": (Extent.ALL, Content.FULL),
    "calendar.readonly": (Extent.ALL, Content.FULL),
    "calendar.events": (Extent.SHARED, Content.FULL),
    "calendar.events.owned": (Extent.OWNED, Content.FULL),
    "calendar.events.freebusy": (Extent.SHARED, Content.EXISTENCE),
    "calendar.freebusy": (Extent.SHARED, Content.EXISTENCE),
    "calendar.app.created": (Extent.OF_THE_APP, Content.FULL),
    "drive": (Extent.ALL, Content.FULL),
    "drive.file": (Extent.OF_THE_APP, Content.FULL),
    "gmail.modify": (Extent.ALL, Content.FULL),
    "gmail.compose": (Extent.OWNED, Content.FULL),
    "gmail.send": (Extent.OWNED, Content.EXISTENCE),
    "meetings.space.created": (Extent.OF_THE_APP, Content.FULL),
}


async def captured(name: str) -> list[httpx2.Request]:
    """Every request that an action makes: of its examples and of everything that is recorded, good and bad."""
    held = recordings(GOOGLE, name)
    requests = []
    for payload in (*payloads(GOOGLE.actions[name]), *(each["payload"] for each in chain(held["good"], held["bad"]))):
        for status in (200, 409, 410, 412):  # after some answers there is another request
            egress = CapturingEgress(GOOGLE.manifest, lambda _, status=status: httpx2.Response(status, json={}))
            with suppress(ConnectorError):
                await act(name, payload, egress)
            requests += egress.requests
    return requests


@pytest.mark.parametrize("name", GOOGLE.actions)
async def test_each_request_fits_the_method_and_its_scope_is_enough_for_it(name: str, specs: Path) -> None:
    requests = await captured(name)
    assert requests
    for request in requests:
        method = method_of(request, specs)
        assert list(method.faults(request)) == [], method.id
        for group in GOOGLE.actions[name].provider_scopes:
            assert group <= method.scopes, f"{method.id} does not take {sorted(group - method.scopes)}"


async def test_the_check_sees_what_is_wrong(specs: Path) -> None:
    (request, *_) = await captured("create_event")
    wrong = str(request.url).replace("sendUpdates=none", "sendUpdates=some&sendMail=1")
    spoiled = httpx2.Request("POST", wrong, json={"summary": 7, "guests": [], "start": {"dateTime": "x", "at": 1}})
    assert set(method_of(spoiled, specs).faults(spoiled)) == {
        "sendUpdates may not be some",
        "unknown parameter sendMail",
        "body.summary is no string",
        "body.guests is unknown",
        "body.start.at is unknown",
    }


def test_what_is_said_to_be_included_is(specs: Path) -> None:
    for wider, inner in GOOGLE.lattice.edges:
        lacking = reached(inner, specs) - reached(wider, specs)
        assert lacking == EXCEPTIONS.get((wider, inner), {}).keys(), f"{wider} lacks {sorted(lacking)} of {inner}"
    reach = {
        name: Reach(reached(name, specs), *EXTENTS[name])
        for name in GOOGLE.manifest.provider_scopes
    }  # fmt: skip
    faults = [fault for fault in GOOGLE.lattice.check_edges(reach) if (fault.wider, fault.narrower) not in EXCEPTIONS]
    assert faults == []


def test_every_scope_is_one_of_google_s(specs: Path) -> None:
    known = set().union(*(each.scopes for each in methods(specs)))
    assert GOOGLE.manifest.provider_scopes.keys() <= known


@pytest.mark.parametrize(
    ("held", "needed"),
    [
        ("calendar.events.owned", "calendar.events"),  # more methods, and fewer calendars
        ("calendar.app.created", "calendar.events.owned"),
        ("calendar.events.owned", "calendar.app.created"),
        ("calendar.events.freebusy", "calendar.events.owned"),
        ("calendar.readonly", "calendar.events.owned"),
        ("calendar.events", "calendar.freebusy"),
        ("gmail.send", "gmail.compose"),
        ("drive.file", "drive"),
    ],
)
def test_a_scope_that_only_looks_wider_includes_nothing(held: str, needed: str) -> None:
    assert not GOOGLE.lattice.includes({held}, needed)


def test_more_methods_do_not_make_a_scope_wider(specs: Path) -> None:
    assert reached("calendar.events.owned", specs) > reached("calendar.events", specs)


@pytest.mark.parametrize(
    ("features", "asked"),
    [
        ({"calendar"}, {"calendar.events.owned"}),
        ({"free_busy"}, {"calendar.freebusy"}),
        ({"calendar_sync"}, {"calendar.app.created"}),
        ({"calendar", "meet", "mail"}, {"calendar.events.owned", "meetings.space.created", "gmail.send"}),
        ({"reports"}, {"drive.file"}),
    ],
)
def test_each_feature_asks_for_the_least(features: set[str], asked: set[str]) -> None:
    needs = [
        group
        for action in GOOGLE.actions.values()
        if action.feature in features
        for group in action.provider_scopes
    ]  # fmt: skip
    assert GOOGLE.lattice.least(needs) == asked


def test_no_scope_of_ours_is_for_everything_of_mail_or_for_advertising() -> None:
    names = GOOGLE.manifest.provider_scopes.keys()
    asked = set().union(*chain.from_iterable(action.provider_scopes for action in GOOGLE.actions.values()))
    assert asked == {
        "calendar.events.owned", "calendar.freebusy", "calendar.app.created", "meetings.space.created", "drive.file",
        "gmail.send",
    }  # fmt: skip
    assert not {name for name in names if "ads" in name.split(".") or "adwords" in name or "datamanager" in name}


def test_the_sandbox_s_table_is_google_s(specs: Path) -> None:
    written = {each.id: each for each in methods(specs)}
    for name, scopes in SCOPES.items():
        assert written[name].scopes == scopes, name
    for name, method, *_ in METHODS:
        assert written[name].written["httpMethod"] == method
    assert {name for name, *_ in METHODS} == SCOPES.keys()
