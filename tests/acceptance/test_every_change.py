"""Whoever changes anything in a clinic leaves an entry in its log: every route that is not a look, each asked to do its work.

The routes are the gateway's own lists. One that nobody thought of, one that leaves nothing, and one that is said to leave
nothing and leaves something each fail.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Final

import httpx2
import orjson
import pytest
import pytest_asyncio

from gateway.app import PAGES
from gateway.store import entries, ledger
from gateway.web.api.app import OPERATIONS
from gateway.web.api.operation import Operation
from gateway.web.page import Page
from tests.acceptance.furnished import furnished
from tests.acceptance.good_calls import CALLS
from tests.acceptance.good_forms import FORMS, shown, token_of
from tests.acceptance.scene import Good, Scene

pytestmark = pytest.mark.timeout(120)

ROUTES: Final[dict[str, Operation | Page]] = {
    f"{each.method} {each.path}": each for each in (*OPERATIONS, *PAGES) if each.method != "GET"
}
KNOWN: Final = {**CALLS, **FORMS}
LEAVES_NONE: Final = {
    "POST /v1/templates/preview": "shows what a text would say; nothing is stored or sent",
    "POST /settings/templates/preview": "the same on a page",
    "POST /v1/decisions": "says what would become of a call; nothing is sent",
    "POST /v1/events": "each delivery of it has an intent of its own, and without one nothing leaves",
    "POST /v1/connections/{id:uuid}/reconnect": "makes a link; whoever goes on there and allows it leaves the entry",
    "POST /settings/integrations/{connector:path}/again": "the same on a page",
    "POST /settings/consents": "finds whose page it is; the look at that page leaves the entry",
    "POST /settings/integrations/{connector:path}/network/visits": "the same at a network",
    "POST /clinics": "turns to another of one's own clinics; what is done there is in the log there",
    "POST /sign-out": "ends one's own session",
    "POST /confirm": "proves who one is; what is done after it leaves the entry",
    "POST /account/name": "one's own display name",
    "POST /account/totp/begin": "shows a secret that is in force only with its first code",
    "POST /account/passkeys/options": "a question to the browser; its answer adds the passkey",
    "POST /sign-in/passkey/options": "a question to the browser; its answer signs in",
    "POST /auditor/views": "a name for what one looks at, for oneself alone",
    "POST /auditor/views/{id:uuid}/remove": "the same",
}
_OF_CALLS: Final = {"intent", "outcome", "refusal"}  # what is carried out, at once or by a job: it changes nothing here


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(module_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        clinic = await stack.enter_async_context(furnished(module_dsn, tmp_path_factory.mktemp("changes")))
        client = httpx2.AsyncClient(base_url=clinic.url, trust_env=False, timeout=30)
        made = Scene(clinic, await stack.enter_async_context(client))
        yield made
        for receiver in made.receivers:
            receiver.close()


def test_each_route_that_is_not_a_look_is_asked_here() -> None:
    assert ROUTES.keys() - KNOWN.keys() == set(), "a way to ask them belongs into good_calls.py or good_forms.py"
    assert KNOWN.keys() - ROUTES.keys() == set(), "there are no such routes any more"
    assert {route for route, way in KNOWN.items() if way.kind is None} == LEAVES_NONE.keys()
    assert len(ROUTES) > 80


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("route", ROUTES)
async def test_a_change_leaves_an_entry_in_the_name_of_whoever_made_it(scene: Scene, route: str) -> None:
    good = await KNOWN[route].make(scene)
    before = await _size(scene)
    asker = await _asked(scene, ROUTES[route], good)
    fresh = await _since(scene, before)
    kinds = {each["kind"] for each in fresh if _is_by(asker, each) and each["kind"] not in _OF_CALLS}
    if route in LEAVES_NONE:
        assert kinds == set(), f"{route} leaves an entry: it does not belong among those that leave none"
    else:
        assert KNOWN[route].kind in kinds, f"{route} changes something, and nothing in the log says so"


async def _asked(scene: Scene, route: Operation | Page, good: Good) -> str | None:
    """Send a good request; gives who the log is to name, none where that is only known once they have come in."""
    path = re.sub(r"{(\w+)(?::\w+)?}", lambda found: str(good.path[found[1]]), route.path)
    if isinstance(route, Operation):
        told = await scene.clinic.software.request(route.method, path, json=good.body)
        assert told.status_code == route.status, (path, told.text)
        key = scene.clinic.demo.api_key
        return (await scene.rooms.callers.caller(f"Bearer {key}".encode())).id
    browser = good.browser or await scene.owner()
    hidden = token_of(browser) if good.page is None else await shown(browser, good.page)
    told = await browser.ask("POST", path, data={**hidden, **(good.body or {})})
    assert told.status_code in (200, 303), (path, told.text)
    assert not re.match(r"/(confirm|sign-in\?next)", told.headers.get("location", "")), (path, told.headers)
    return None if browser.person is None else str(browser.person)


async def _size(scene: Scene) -> int:
    """How many entries the clinic's log has."""
    async with scene.rooms.store.tenant(scene.tenant) as session:
        head = await ledger.head(session, scene.tenant)
    assert head is not None
    return head.size


async def _since(scene: Scene, index: int) -> list[dict[str, Any]]:
    """The entries of the clinic's log from an index on."""
    async with scene.rooms.store.tenant(scene.tenant) as session:
        return [orjson.loads(body) for body, _ in await entries.stored(session, scene.tenant, index, 1_000_000)]


def _is_by(asker: str | None, entry: dict[str, Any]) -> bool:
    actor = entry.get("actor", {})
    return actor.get("id") == asker or (asker is None and actor.get("kind") == "person")
