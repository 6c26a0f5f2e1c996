"""A network's pages without scripts: who may see what, what is found by a reference, what a look leaves in the log."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest

from gateway.calls import Actor
from gateway.flows.network.bridge import look
from gateway.people import Role
from gateway.people.sessions import Opening
from tests.gateway.house import entries_of
from tests.gateway.network.ward import ADDRESS, Ward, ward
from tests.gateway.web.pages.conftest import Browser, SignedIn

BASE = "/settings/integrations/abdm/network"


@dataclass
class Floor:
    """A clinic at the network, with browsers of people in every role; and what a quiet page leaves alone."""

    ward: Ward
    client: httpx2.AsyncClient

    async def browser(self, role: Role = Role.OWNER, tenant: UUID | None = None) -> Browser:
        people, where = self.ward.house.rooms.people, tenant or self.ward.tenant
        email = f"{uuid4().hex[:12]}@clinic.example"
        person = await people.accounts.create("Noor Haddad", email=email)
        await people.accounts.join(Actor("system", "test", where, ()), person, role)
        opening = Opening(person=person, tenant=where, role=role, via="password", device="A test")
        return Browser(self.client, {"gateway": await people.sessions.open(opening)}, person, email)

    async def looks(self) -> int:
        """How often the queue was looked at, as the log has it."""
        entries = await entries_of(self.ward.house, self.ward.tenant)
        return sum(each["kind"] == "access" and each["what"] == "desk" for each in entries)


@pytest.fixture
async def floor(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Floor]:
    async with ward(fresh_dsn, tmp_path) as made:
        transport = httpx2.ASGITransport(app=made.house.web, client=("10.9.8.7", 50_000))
        async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield Floor(made, client)


async def test_each_role_sees_of_a_network_what_it_may_and_another_clinic_nothing(floor: Floor) -> None:
    at = floor.ward
    subject = await at.registered()
    await at.visited()
    owner = await floor.browser()
    pages = [BASE, f"{BASE}/desk/code", f"{BASE}/desk", f"{BASE}/visits", f"{BASE}/transfers", f"{BASE}/of/{subject}"]
    for role, opens in {
        Role.OWNER: 6, Role.INTEGRATIONS: 6, Role.SUPPORT: 2, Role.AUDITOR: 0, Role.VENDOR: 0,
    }.items():  # fmt: skip
        browser = await floor.browser(role)
        statuses = [(await browser.get(path)).status_code for path in pages]
        assert statuses == [200] * opens + [403] * (6 - opens), role
    assert "Asha" not in (await owner.get(f"{BASE}/visits")).text
    other = await at.house.rooms.connections.create_tenant("Hill Clinic")
    stranger = await floor.browser(tenant=other)
    assert [(await stranger.get(path)).status_code for path in pages] == [404] * 6
    place = f"{BASE}/desk/{uuid4()}/taken"
    sent = await owner.send(f"{BASE}/visits", f"{BASE}/visits", {"reference": "nobody's"})
    assert (sent.status_code, "Nothing lies here" in sent.text) == (200, True)
    fields = {"csrf": re.findall(r'name="csrf" value="([0-9a-f]+)"', sent.text)[0]}
    assert (await owner.ask("POST", place, data=fields)).status_code == 404
    for path in (f"{BASE}/of/{uuid4()}", f"{BASE}/transfers/{uuid4()}", f"{BASE}/transfers/{uuid4()}/mark"):
        assert (await owner.get(path)).status_code == 404, path


async def test_a_reference_finds_its_patient_and_stands_in_no_address(floor: Floor) -> None:
    at = floor.ward
    subject = await at.registered()
    context = await at.visited("visit-77")
    owner = await floor.browser()
    for reference, found in (
        ("visit-77", f"{BASE}/of/{subject}#visit-{context.id}"), ("patient-1", f"{BASE}/of/{subject}"),
        (str(subject), f"{BASE}/of/{subject}"),
    ):  # fmt: skip
        sent = await owner.send(f"{BASE}/visits", f"{BASE}/visits", {"reference": reference})
        assert (sent.status_code, sent.headers["location"]) == (303, found)
    shown = (await owner.get(f"{BASE}/of/{subject}")).text
    assert "visit-77" in shown
    assert "Prescription" in shown
    assert "Amlodipine" not in shown
    assert "Asha" not in shown


async def test_only_a_queue_that_changed_is_a_look_at_somebody(floor: Floor) -> None:
    at, owner = floor.ward, await floor.browser()
    before = (await owner.get(f"{BASE}/desk/mark")).json()["mark"]
    shared = await at.network.share_profile(ADDRESS, at.service, "desk1")

    async def acknowledged() -> bool:
        return shared.token is not None

    await at.until(acknowledged)
    after = (await owner.get(f"{BASE}/desk/mark")).json()["mark"]
    assert before != after
    assert await floor.looks() == 0
    page = await owner.get(f"{BASE}/desk")
    assert await floor.looks() == 1
    assert f'data-mark="{after}"' in page.text
    assert "Asha Rao" in page.text
    [taken] = re.findall(rf'action="({BASE}/desk/[0-9a-f-]+/taken)"', page.text)
    assert (await owner.send(f"{BASE}/desk", taken)).headers["location"] == f"{BASE}/desk"
    assert (await owner.get(f"{BASE}/desk/mark")).json()["mark"] != after
    quiet = await owner.get(f"{BASE}/desk/again")
    assert "Taken today: 1" in quiet.text
    assert "Noted." not in quiet.text, "what is to be told waits for a page that somebody opened"
    assert "Noted." in (await owner.get(f"{BASE}/desk")).text


async def test_what_is_wrong_at_the_network_is_told_with_who_mends_it(floor: Floor) -> None:
    at, owner = floor.ward, await floor.browser(Role.SUPPORT)
    at.house.rooms.callbacks.served_at = at.url
    assert "All is well" in (await owner.get(BASE)).text
    at.network.steal_bridge()
    await at.network.clock.advance(5)
    await look(at.house.rooms.networks.lines["abdm@sbx"], at.house.rooms)
    shown = (await owner.get(BASE)).text
    assert "The network sends its messages to another address" in shown
    assert "operator does this" in shown


async def test_a_page_that_looks_by_itself_keeps_no_session_alive(signed_in: SignedIn, clock) -> None:  # type: ignore[no-untyped-def]
    browser = await signed_in()
    for _ in range(3):
        clock.forward(minutes=9)
        await browser.get("/settings/integrations/payments/stripe/network/desk/mark")
    clock.forward(minutes=4)
    assert (await browser.get("/settings")).status_code == 303
    browser = await signed_in()
    for _ in range(3):
        clock.forward(minutes=9)
        await browser.get("/settings/integrations/payments/stripe")
    clock.forward(minutes=4)
    assert (await browser.get("/settings")).status_code == 200
