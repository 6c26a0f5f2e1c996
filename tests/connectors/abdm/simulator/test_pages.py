"""A person at the pages, without scripts: finds, links, allows, fetches, scans, and sees what was wrong."""

import re
from collections.abc import AsyncIterator
from html import unescape

import httpx2
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from tests.acceptance.chromium import chromium, executable
from tests.connectors.abdm.simulator.conftest import World
from tests.connectors.abdm.simulator.hip import Record

APP = "/app/asha.rao@sbx"


async def press(browser: httpx2.AsyncClient, path: str, **fields: str) -> str:
    """Press the one button with these fields, with whatever its form holds beside; the page that comes back."""
    page = (await browser.get(path)).text
    wanted = fields.pop("do")
    forms = [
        each
        for each in re.findall(r"<form.*?</form>", page, re.DOTALL)
        if f'"{wanted}"' in each or f"value={wanted}>" in each
    ]
    assert forms, f"{path} has no form that does {wanted}"
    held = re.findall(r'<input type=(?:hidden|date) name="?(\w+)"? value="([^"]*)"', forms[0])
    ticked = re.findall(r'<input type=checkbox name="(\w+)" value="([^"]*)" checked', forms[0])
    given = [(name, unescape(value)) for name, value in (*held, *ticked) if name not in fields]
    answer = await browser.post(path, data=_many([*given, *fields.items(), ("do", wanted)]))
    assert answer.status_code == 200
    return unescape(answer.text)


def _many(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    names = dict.fromkeys(name for name, _ in pairs)
    return {name: list(dict.fromkeys(value for key, value in pairs if key == name)) for name in names}


async def test_a_person_finds_links_and_fetches_their_records(world: World, browser: httpx2.AsyncClient) -> None:
    world.hip.records = [Record("V-1", 'OPD visit "14 Nov"'), Record("V-2", "Lab visit")]
    found = await press(browser, f"{APP}/find", do="look", service_id=world.hip.service_id)
    typed = await press(browser, f"{APP}/find", do="choose")
    wrong = await press(browser, f"{APP}/find", do="type", otp="999999")
    right = await press(browser, f"{APP}/find", do="type", otp="012345")
    fetched = await press(browser, f"{APP}/records", do="pull")

    assert 'OPD visit "14 Nov" · Prescription' in found
    assert "The OTP that the hospital sent to ******4321" in typed
    assert "ABDM-1035 The OTP is wrong" in wrong
    assert "Your records are linked." in right
    assert "TRANSFERRED" in fetched
    assert '"resourceType": "Bundle"' in fetched
    assert world.network.faulty() == []


async def test_a_person_allows_fewer_dates_takes_it_back_and_declines(
    world: World, browser: httpx2.AsyncClient
) -> None:
    await world.linked(Record("V-1"))
    none = await browser.post("/hius", data={"do": "ask", "hiu": "IN2910000999", "address": world.asha.address})
    await press(browser, "/hius", do="ask", hiu="IN2910000999", address=world.asha.address, purpose="CAREMGT")
    seen = (await browser.get(f"{APP}/requests")).text
    allowed = await press(browser, f"{APP}/requests", do="allow", since="2026-11-01")
    fetched = await press(browser, "/hius", do="fetch", key_form="x509")
    ended = await press(browser, f"{APP}/requests", do="revoke")
    refused = await press(browser, "/hius", do="fetch", key_form="raw")
    await press(browser, "/hius", do="ask", hiu="IN2910000999", address=world.asha.address, purpose="HPAYMT")
    declined = await press(browser, f"{APP}/requests", do="decline")

    assert "choose at least one kind" in none.text
    assert "Hill Hospital" in seen
    assert "2026-11-01 to" in allowed
    assert "Prescription · V-1" in fetched
    assert "You took it back. The hospital was told." in ended
    assert "this consent is REVOKED" in refused
    assert "DENIED" in declined


async def test_a_person_scans_a_code_and_sees_their_token_or_why_not(world: World, browser: httpx2.AsyncClient) -> None:
    code = f"https://phrsbx.abdm.gov.in/share-profile?hip-id={world.hip.service_id}&counter-id=OPD1"
    shown = await press(browser, f"{APP}/scan", do="scan", code=code)
    wrong = await press(browser, f"{APP}/scan", do="scan", code="https://example.org")

    assert "Token 1" in shown
    assert "it must lead to ABDM's domain" in wrong


async def test_the_network_shows_what_was_wrong_and_its_switches_switch(
    world: World, browser: httpx2.AsyncClient
) -> None:
    await world.hip.call("/api/hiecm/hip/v3/link/carecontext", {"patient": []})
    seen = unescape((await browser.get("/network")).text)
    switched = await press(browser, "/network", do="quirks", on="empty_400")
    before = world.clock.now()
    await press(browser, "/network", do="skip", seconds="970")
    await press(browser, "/network", do="fail", shape="text")
    stolen = await press(browser, "/network", do="steal")

    assert "3.2: X-LINK-TOKEN is missing" in seen
    assert "1 quirks are on." in switched
    assert [name for name, on in world.network.quirks.shown().items() if on] == ["empty_400"]
    assert world.clock.now() - before == 970
    assert (await world.hip.ask_token(world.asha.address)).text == "Access Denied"
    assert "another system has it" in stolen


async def test_otps_stand_on_the_phone_and_a_notice_is_shown_once(world: World, browser: httpx2.AsyncClient) -> None:
    world.network.text("9876543210", "ABDM", "123456 is the OTP")
    said = await press(browser, f"{APP}/scan", do="scan", code="x")
    again = unescape((await browser.get(f"{APP}/scan")).text)

    assert "123456 is the OTP" in (await browser.get("/phone")).text
    assert ("this is no code" in said, "this is no code" in again) == (True, False)


async def test_pages_run_no_script_and_load_nothing(browser: httpx2.AsyncClient) -> None:
    for path in ("/app", "/phone", "/hius", "/network"):
        answer = await browser.get(path)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "<script" not in answer.text


@pytest.mark.parametrize("path", ["/app/nobody@sbx/records", "/app/asha.rao@sbx/nothing"])
async def test_a_page_that_is_not_there_leads_to_one_that_is(browser: httpx2.AsyncClient, path: str) -> None:
    assert str((await browser.get(path)).url).endswith("/app/asha.rao@sbx/records")


@pytest.fixture
async def chrome() -> AsyncIterator[Browser]:
    executable()
    async with chromium() as launched:
        yield launched


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 390)])
async def test_axe_finds_nothing_on_any_page_of_the_simulator(
    world: World, browser: httpx2.AsyncClient, chrome: Browser, scheme: str, width: int
) -> None:
    await world.linked(Record("V-1"))
    world.hip.records.append(Record("V-2"))
    await press(browser, f"{APP}/find", do="look", service_id=world.hip.service_id)
    await press(browser, "/hius", do="ask", hiu="IN2910000999", address=world.asha.address, purpose="CAREMGT")
    await press(browser, f"{APP}/records", do="pull", service_id=world.hip.service_id)
    world.network.text("9876543210", "ABDM", "123456 is the OTP")
    await world.hip.call("/nowhere", {})
    context = await chrome.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True  # type: ignore[arg-type]
    )  # fmt: skip
    page = await context.new_page()
    found = []
    for path in (*(f"{APP}/{tab}" for tab in ("records", "find", "requests", "scan")), "/phone", "/hius", "/network"):
        await page.goto(world.url + path)
        results = await Axe().run(page)
        found += [f"{path}: {each['id']} {each['nodes'][0]['html'][:120]}" for each in results.response["violations"]]
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
    await context.close()

    assert found == []
