"""The data map as a page: what is drawn is what stands in the table, and both are what left."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.app import House
from gateway.flows.broker import broker
from gateway.people import Role
from gateway.tallies import Counts, Flow, Party, Through
from tests.gateway.house import Clinic
from tests.gateway.web.pages.conftest import SignedIn
from tests.gateway.web.pages.test_matrix import HOSTILE

MAP = "/settings/map"


def rows_of(page: str) -> list[list[str]]:
    """The table's cells."""
    body = re.search(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    assert body is not None
    rows = re.findall(r"<tr>(.*?)</tr>", body[1], re.DOTALL)
    return [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        for row in rows
    ]


async def test_what_left_is_in_the_picture_and_in_the_table(holder: SignedIn, house: House, clinic: Clinic) -> None:
    owner = await holder()
    assert "Nothing left in these days" in (await owner.get(MAP)).text
    for _ in range(2):
        await broker(clinic.call(), house.rooms)
    page = (await owner.get(MAP)).text
    assert sorted(row[:6] for row in rows_of(page)) == [
        ["Billing", "Stripe", "Stripe, Inc.", "United States", "2", "0"],
        ["Reference numbers", "Stripe", "Stripe, Inc.", "United States", "2", "0"],
    ]
    assert (
        len(
            re.findall(r'<a href="[^"]+" aria-label="[^"]+" class="band kind-\w+"><title>[^<]+</title><path d="M', page)
        )
        == 2
    )
    assert 'aria-label="Billing through Stripe to Stripe, Inc., United States: 2 disclosures"' in page
    assert ">Stripe</text>" in page  # two disclosures of two kinds each are not four
    for day in ("days=7", "days=365", "from=2020-01-01&until=2030-01-01"):
        assert "Stripe, Inc." in (await owner.get(f"{MAP}?{day}")).text, day
    assert "Nothing left" in (await owner.get(f"{MAP}?from=2020-01-01&until=2020-02-01")).text


async def test_a_band_leads_where_the_person_may_go(holder: SignedIn, house: House, clinic: Clinic) -> None:
    await broker(clinic.call(), house.rooms)
    log = (
        "/auditor?connector=payments%2Fstripe&amp;category=billing&amp;since=2026-01-01&amp;until=2030-01-01"
        "&amp;recipient=Stripe%2C+Inc."
    )
    to = {
        Role.OWNER: log,
        Role.AUDITOR: log,
        Role.INTEGRATIONS: "/settings/integrations/payments/stripe",
    }
    for role, path in to.items():
        browser = await holder(role)
        page = (await browser.get(f"{MAP}?from=2026-01-01&until=2030-01-01")).text
        assert f'<a href="{path}" aria-label="Billing' in page, role
        assert (await browser.get(path.replace("&amp;", "&"))).status_code == 200


@pytest.mark.parametrize(
    "query",
    ["days=31", "days=", "days=x", "from=yesterday", "from=2026-02-01&until=2026-01-01", "until=9999-12-31",
     "from=0001-01-01&until=2026-01-01", f"from={HOSTILE}"],
)  # fmt: skip
async def test_a_period_that_is_none_is_told_beside_the_usual_one(holder: SignedIn, clinic: Clinic, query: str) -> None:
    response = await (await holder()).get(f"{MAP}?{query}")
    assert response.status_code == 400
    assert "30 days" in response.text
    assert "<script>alert" not in response.text


async def test_names_that_others_gave_are_shown_and_never_run(
    holder: SignedIn, house: House, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = [
        Flow(HOSTILE, Party(HOSTILE, HOSTILE, HOSTILE, HOSTILE), 7, 1),
        Flow("billing", Party("webhook", "e1", "Lab & Söhne <b>", "N"), 3, 0),
        Flow("contact", Party("outside", "outside", "", ""), 1, 0),
        Flow("clinical", Party("../x?y=1", "x", "\u202edrawkcab\0", "US"), 1, 0),
    ]

    async def flows(*given: Any) -> Counts[Flow]:
        return Counts(Through(5, 9), tuple(hostile))

    monkeypatch.setattr(house.rooms.tallies, "flows", flows)
    for role in (Role.OWNER, Role.INTEGRATIONS):
        page = (await (await holder(role)).get(MAP)).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;" in page
        assert not re.search(r"class=\"[^\"]*[<>&]", page)
        assert "5 of 9 entries" in page
        assert len(rows_of(page)) == 4
