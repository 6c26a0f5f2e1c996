"""/v1/refusals over HTTP: searched, read; and that looking for somebody is itself written down."""

from __future__ import annotations

import pytest

from gateway.app import House
from gateway.tallies import Tallies
from gateway.web.api.answers import RefusalDetail, RefusalPage
from tests.gateway.house import Clinic, entries_of
from tests.gateway.web.conftest import Api, problem


@pytest.fixture
async def made(api: Api) -> list[int]:
    """Two refusals by the places that callers were told, oldest first, beside a disclosure."""
    await api.call()
    told = [problem(await api.call(purpose=purpose), 403, "refused") for purpose in ("TREAT", "HMARKT")]
    return [document["index"] for document in told]


async def found(api: Api, **query: str) -> list[int]:
    response = await api.get("/v1/refusals", params=query)
    assert response.status_code == 200, response.text
    return [item.index for item in RefusalPage.model_validate(response.json()).items]


async def test_refusals_are_found_by_what_they_are(api: Api, made: list[int]) -> None:
    treat, marketing = made
    assert await found(api) == [marketing, treat]
    assert await found(api, reason="purpose_denied") == [marketing]
    assert await found(api, purpose="TREAT", connector="payments/stripe", reason="purpose_not_allowed") == [treat]
    for nothing in ({"reason": "quiet_hours"}, {"connector": "other"}, {"since": "2100-01-01T00:00:00Z"}):
        assert await found(api, **nothing) == []


async def test_pages_of_refusals_follow_each_other(api: Api, made: list[int]) -> None:
    first = (await api.get("/v1/refusals?limit=1")).json()
    second = (await api.get("/v1/refusals", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [page["items"][0]["index"] for page in (first, second)] == made[::-1]
    assert second["next_cursor"] is None


async def test_a_refusal_is_read_with_its_entry(api: Api, made: list[int]) -> None:
    item = (await api.get("/v1/refusals")).json()["items"][0]
    told = RefusalDetail.model_validate((await api.get(f"/v1/refusals/{item['id']}")).json())
    assert (told.index, told.entry.index, told.entry.kind) == (made[1], made[1], "refusal")
    assert told.entry.entry["disclosure"] == item["id"]
    assert [code for code, _ in told.entry.entry["reasons"]] == told.reasons
    assert "purpose_denied" in told.reasons


@pytest.mark.parametrize("refusal", ["0190163d-8694-7a3c-8f0e-6c7f3e8f7a01", "Ada"])
async def test_a_refusal_that_is_not_there_is_404(api: Api, refusal: str) -> None:
    response = await api.get(f"/v1/refusals/{refusal}")
    assert response.status_code == 404
    assert "Ada" not in response.text


async def test_only_a_look_at_a_subject_is_written_down(
    api: Api, made: list[int], house: House, clinic: Clinic
) -> None:
    subject = (await api.get("/v1/refusals")).json()["items"][0]["subject"]
    assert await found(api, subject=subject, reason="purpose_denied") == [made[1]]
    written = await entries_of(house, clinic.tenant)
    assert [(entry["what"], entry["query"], entry["count"]) for entry in written if entry["kind"] == "access"] == [
        ("refusals", {"subject": subject, "reason": "purpose_denied"}, 1)
    ]


async def test_a_log_that_is_not_counted_yet_is_searched_all_the_same(
    api: Api, made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tallies.roll, "__defaults__", (1,))
    assert await found(api, reason="purpose_denied") == [made[1]]
    assert len((await api.get("/v1/disclosures")).json()["items"]) == 1
