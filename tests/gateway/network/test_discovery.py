"""A patient finds and links their visits from their app: matched, shown, proved by a code to the clinic's own number."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.abdm.simulator.people import Discovery
from connectors.abdm.simulator.quirks import Quirks
from gateway.records import Context
from tests.gateway.network.ward import ADDRESS, Ward, ward


@pytest.fixture
async def at_abdm(fresh_dsn: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Ward]:
    async with ward(fresh_dsn, tmp_path, getattr(request, "param", None)) as made:
        yield made


async def found(at: Ward, address: str = ADDRESS, **given: object) -> Discovery:
    asked = await at.network.discover(address, at.service, **given)  # type: ignore[arg-type]
    return await until(at, asked, "found", "none")


async def until(at: Ward, asked: Discovery, *states: str) -> Discovery:
    async def there() -> bool:
        return asked.state in states

    await at.until(there)
    return asked


async def refused(at: Ward, asked: Discovery) -> str:
    """What the patient reads where a code does not count."""

    async def there() -> bool:
        return asked.error is not None

    await at.until(there)
    error, asked.error = asked.error, None
    assert error is not None
    return str(error["message"])


async def code_of(at: Ward, count: int = 1) -> str:
    async def sent() -> list[str]:
        texts = [each.text for each in at.texts.messages if "is your code" in each.text]
        return texts if len(texts) >= count else []

    text = (await at.until(sent))[-1]
    code = re.match(r"\d{6}", text)
    assert code is not None
    return code[0]


def references(asked: Discovery) -> list[str]:
    return [each["referenceNumber"] for block in asked.blocks for each in block["careContexts"]]


async def linked(at: Ward, context: Context) -> bool:
    row = await at.link_of(context)
    return row is not None and row.state == "linked"


@pytest.mark.parametrize("at_abdm", [None, Quirks.everything()], ids=["calm", "every_quirk"], indirect=True)
async def test_a_patient_links_a_visit_with_a_code(at_abdm: Ward) -> None:
    await at_abdm.registered()
    first, second = await at_abdm.visited("visit-1", link=False), await at_abdm.visited("visit-2", link=False)
    asked = await at_abdm.network.discover(ADDRESS, at_abdm.service)
    await at_abdm.pass_time(seconds=10)
    await until(at_abdm, asked, "found")
    assert (set(references(asked)), asked.matched_by) == ({str(first.id), str(second.id)}, ["ABHA_ADDRESS"])
    await at_abdm.network.init_link(asked.transaction, [str(first.id)])
    await at_abdm.pass_time(seconds=10)
    await until(at_abdm, asked, "otp")
    assert asked.hint is not None
    assert asked.hint.endswith("3210")
    await at_abdm.network.confirm_link(asked.transaction, await code_of(at_abdm))
    await at_abdm.pass_time(seconds=10)
    await until(at_abdm, asked, "linked")
    await at_abdm.until(lambda: linked(at_abdm, first))
    assert await at_abdm.link_of(second) is None
    assert at_abdm.network.faulty() == []
    later = await at_abdm.network.discover(ADDRESS, at_abdm.service)
    await at_abdm.pass_time(seconds=10)
    assert references(await until(at_abdm, later, "found")) == [str(second.id)]


async def test_nobody_and_several_are_told_nothing(at_abdm: Ward) -> None:
    assert (await found(at_abdm)).state == "none"
    await at_abdm.registered("patient-1", address=None)
    await at_abdm.registered("patient-2", address=None)
    await at_abdm.visited(subject="patient-1", link=False)
    asked = await found(at_abdm)
    assert (asked.state, asked.blocks) == ("none", [])


async def test_a_mobile_counts_only_with_name_gender_and_year(at_abdm: Ward) -> None:
    await at_abdm.registered(address=None, name="Rao Aasha", year_of_birth=1986)
    await at_abdm.visited(link=False)
    asked = await found(at_abdm)
    assert (asked.state, asked.matched_by) == ("found", ["MOBILE"])
    for other in ({"name": "Bhavna Mehta"}, {"gender": "M"}, {"year_of_birth": 1990}):
        await at_abdm.registered(**{"address": None, "year_of_birth": 1986, **other})
        assert (await found(at_abdm)).state == "none", other


async def test_a_wrong_code_links_nothing_and_three_end_the_attempt(at_abdm: Ward) -> None:
    await at_abdm.registered()
    context = await at_abdm.visited(link=False)
    asked = await found(at_abdm)
    await at_abdm.network.init_link(asked.transaction, None)
    await until(at_abdm, asked, "otp")
    code = await code_of(at_abdm)
    for _ in range(3):
        await at_abdm.network.confirm_link(asked.transaction, str((int(code) + 1) % 10**6).zfill(6))
        assert await refused(at_abdm, asked) == "Code is not correct"
    await at_abdm.network.confirm_link(asked.transaction, code)
    assert await refused(at_abdm, asked) == "Too many attempts"
    assert await at_abdm.link_of(context) is None


async def test_a_code_holds_ten_minutes(at_abdm: Ward) -> None:
    await at_abdm.registered()
    context = await at_abdm.visited(link=False)
    asked = await found(at_abdm)
    await at_abdm.network.init_link(asked.transaction, None)
    await until(at_abdm, asked, "otp")
    code = await code_of(at_abdm)
    await at_abdm.pass_time(minutes=10, seconds=1)
    await at_abdm.network.confirm_link(asked.transaction, code)
    assert await refused(at_abdm, asked) == "Code expired"
    assert await at_abdm.link_of(context) is None


async def test_each_code_is_an_attempt_of_its_own_and_six_an_hour_are_too_many(at_abdm: Ward) -> None:
    await at_abdm.registered()
    context = await at_abdm.visited(link=False)
    asked = await found(at_abdm)
    used = set()
    for _ in range(5):
        await at_abdm.network.init_link(asked.transaction, None)
        await until(at_abdm, asked, "otp")
        used.add(asked.link_reference)
    assert len(used) == 5
    await at_abdm.network.confirm_link(asked.transaction, await code_of(at_abdm, 5))
    await until(at_abdm, asked, "linked")
    await at_abdm.until(lambda: linked(at_abdm, context))
    asked.state = "found"
    await at_abdm.network.init_link(asked.transaction, None)
    await until(at_abdm, asked, "refused")
    assert len(at_abdm.texts.messages) == 5
    assert at_abdm.network.faulty() == []


async def test_the_code_goes_to_the_clinics_own_number_and_stands_nowhere_in_the_rows(at_abdm: Ward) -> None:
    await at_abdm.registered(mobile="+919812345678")
    await at_abdm.visited(link=False)
    asked = await found(at_abdm)
    await at_abdm.network.init_link(asked.transaction, None)
    await until(at_abdm, asked, "otp")
    code = await code_of(at_abdm)
    assert [each.to for each in at_abdm.texts.messages] == ["+919812345678"]
    async with at_abdm.house.rooms.store.tenant(at_abdm.tenant) as session:
        rows = [str(row[0]) for row in await session.fetch("SELECT a::text FROM link_attempts a")]
    assert rows
    assert not any(code in row for row in rows)


async def test_what_was_not_shown_cannot_be_linked(at_abdm: Ward) -> None:
    await at_abdm.registered()
    await at_abdm.visited(link=False)
    asked = await found(at_abdm)
    hidden = await at_abdm.visited("visit-2", link=False)
    for block in asked.blocks:
        block["careContexts"][0]["referenceNumber"] = str(hidden.id)
    await at_abdm.network.init_link(asked.transaction, None)
    await until(at_abdm, asked, "refused")
    assert at_abdm.texts.messages == []


async def test_a_clinic_that_sends_no_codes_says_that_it_cannot(at_abdm: Ward) -> None:
    await at_abdm.registered()
    await at_abdm.visited(link=False)
    await at_abdm.house.rooms.templates.remove(at_abdm.actor, "code")
    asked = await found(at_abdm)
    await at_abdm.network.init_link(asked.transaction, None)
    await until(at_abdm, asked, "refused")
    assert asked.error is not None
    assert asked.error["code"] == "ABDM-1048"


async def test_a_profile_shared_at_the_desk_gets_a_place_and_keeps_it_for_half_an_hour(at_abdm: Ward) -> None:
    from gateway.flows.network import desk

    tokens = []
    for minutes in (0, 10, 25):
        await at_abdm.pass_time(minutes=minutes)
        share = await at_abdm.network.share_profile(ADDRESS, at_abdm.service, "A1")

        async def acknowledged(share: object = share) -> bool:
            return share.state == "acknowledged"  # type: ignore[attr-defined]

        await at_abdm.until(acknowledged)
        tokens.append(share.token)
    assert tokens == ["1", "1", "2"]
    ravi = await at_abdm.network.share_profile("ravi.k@sbx", at_abdm.service, "A1")

    async def placed() -> str | None:
        return ravi.token

    assert await at_abdm.until(placed) == "3"
    queue = await desk.queue(at_abdm.actor, "abdm", at_abdm.house.rooms)
    assert [profile["name"] for _, profile in queue.waiting] == ["Asha Rao", "Asha Rao", "Ravi Kulkarni"]
    assert at_abdm.network.faulty() == []


@pytest.mark.parametrize("at_abdm", [Quirks(late_repeat=True)], indirect=True)
async def test_a_scan_that_comes_late_gets_no_place_since_its_app_has_given_up(at_abdm: Ward) -> None:
    at_abdm.network.bridge.url = f"{at_abdm.url}/nowhere"
    share = await at_abdm.network.share_profile(ADDRESS, at_abdm.service, "A1")
    at_abdm.network.bridge.url = f"{at_abdm.url}/abdm"
    await at_abdm.pass_time(seconds=964)
    assert [each.status for each in at_abdm.network.tellings("/hip/patient/share")][-1] == 202

    async def worked_off() -> bool:
        async with at_abdm.house.rooms.store.tenant(at_abdm.tenant) as session:
            return bool(await session.fetchval("SELECT bool_and(ended = 'taken') FROM network_letters"))

    await at_abdm.until(worked_off)
    assert (share.state, at_abdm.network.heard("/on-share")) == ("timed_out", [])
