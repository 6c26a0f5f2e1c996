"""Connecting on a vendor's page: the whole way, what is asked for, and what comes of too little and too much."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.errors import Conflict, InvalidRequest, Refused
from gateway.flows.broker import broker
from scopes.vocabulary import ConnectionState, Outcome
from tests.gateway.house import entries_of
from tests.gateway.oauth.house import CALENDAR, DIRECTORY, ROSTER, Oauth, gone, returned, through

PREFIX = "https://calendar.example/auth/"


async def test_a_connection_is_pending_until_somebody_allows_it_and_then_it_calls(oauth: Oauth) -> None:
    made = await oauth.begin()
    assert made.connection.state is ConnectionState.PENDING
    with pytest.raises(Refused) as refused:
        await broker(oauth.call(), oauth.house.rooms)
    assert refused.value.reasons[0].what == "pending"

    async with oauth.browser() as browser:
        answer = await through(browser, str(made.address), oauth.server)
    assert answer.status_code == 200, answer.text
    assert "Calendar is connected" in answer.text
    connection = await oauth.now()
    assert (connection.state, connection.provider_scopes) == (ConnectionState.ACTIVE, {"events", "freebusy"})
    for action in ("look", "book"):
        assert (await broker(oauth.call(action), oauth.house.rooms)).outcome is Outcome.ACCEPTED
    states = [each["state"] for each in await entries_of(oauth.house, oauth.tenant) if each["kind"] == "connection"]
    assert states == ["pending", "active"]


async def test_what_is_asked_for_is_the_least_that_the_features_need_with_pkce_and_without_what_was_before(
    oauth: Oauth,
) -> None:
    made = await oauth.begin(features=frozenset({"free_times"}))
    async with oauth.browser() as browser:
        page = await gone(browser, str(made.address))
    asked = dict(parse_qsl(urlsplit(page).query))
    assert asked["scope"] == f"{PREFIX}freebusy"
    assert asked["redirect_uri"] == "https://gateway.example/oauth/callback"
    assert (asked["response_type"], asked["code_challenge_method"], len(asked["code_challenge"])) == (
        "code",
        "S256",
        43,
    )
    assert (asked["include_granted_scopes"], asked["access_type"]) == ("false", "offline")


async def test_the_first_page_says_for_whom_and_to_whom_and_opening_it_uses_nothing_up(oauth: Oauth) -> None:
    made = await oauth.begin()
    async with oauth.browser() as browser:
        for _ in range(3):
            page = await browser.get(str(made.address))
            assert page.status_code == 200
        assert "Clinic &lt;One&gt;" in page.text
        assert "Calendar Example GmbH" in page.text
        assert "See free and busy times" in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "<script" not in page.text
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert (await through(browser, str(made.address), oauth.server)).status_code == 200


async def test_fewer_scopes_than_asked_leave_their_features_off_and_say_so(oauth: Oauth) -> None:
    oauth.server.answers.grants = lambda asked: asked - {f"{PREFIX}events"}
    made = await oauth.begin()
    async with oauth.browser() as browser:
        answer = await through(browser, str(made.address), oauth.server)
    assert answer.status_code == 200
    assert "Calendar did not grant Write events" in answer.text
    assert "Connect again" in answer.text
    assert (await broker(oauth.call("look"), oauth.house.rooms)).outcome is Outcome.ACCEPTED
    with pytest.raises(Refused) as refused:
        await broker(oauth.call("book"), oauth.house.rooms)
    assert [str(reason.code) for reason in refused.value.reasons] == ["scope_missing"]


async def test_nothing_of_what_was_asked_connects_nothing(oauth: Oauth) -> None:
    oauth.server.answers.grants = lambda asked: frozenset()
    made = await oauth.begin()
    async with oauth.browser() as browser:
        answer = await through(browser, str(made.address), oauth.server)
    assert answer.status_code == 400
    assert "nothing_granted" in answer.text
    assert (await oauth.now()).state is ConnectionState.PENDING


@pytest.mark.parametrize("surplus", [f"{PREFIX}everything", f"{PREFIX}contacts", "openid"])
async def test_more_scopes_than_asked_are_given_back_and_shown(oauth: Oauth, surplus: str) -> None:
    oauth.server.answers.grants = lambda asked: asked | {surplus}
    made = await oauth.begin()
    async with oauth.browser() as browser:
        answer = await through(browser, str(made.address), oauth.server)
    assert answer.status_code == 400
    assert "granted more than this clinic asked for" in answer.text
    connection = await oauth.now()
    row = await oauth.row(connection)
    assert (connection.state, connection.provider_scopes) == (ConnectionState.PENDING, frozenset())
    assert row.sealed is None
    assert row.excess == [surplus.removeprefix(PREFIX)]
    assert all(grant.ended for grant in oauth.server._grants if grant.account is None and grant.refresh)
    assert (await oauth.notices())[0] == (
        "connection.scope_excess", {"connector": CALENDAR, "excess": surplus.removeprefix(PREFIX)}
    )  # fmt: skip
    entry = (await entries_of(oauth.house, oauth.tenant))[-1]
    assert (entry["code"], entry["state"], entry["what"]) == ("scope_excess", "pending", [surplus.removeprefix(PREFIX)])


async def test_a_surplus_that_the_vendor_takes_off_is_taken_off(oauth: Oauth, monkeypatch: pytest.MonkeyPatch) -> None:
    _narrowing(oauth, monkeypatch)
    oauth.server.answers.grants = lambda asked: asked | {f"{PREFIX}everything"}
    connection = await oauth.connected()
    assert connection.provider_scopes == {"events", "freebusy"}


def _narrowing(oauth: Oauth, monkeypatch: pytest.MonkeyPatch) -> None:
    credential = oauth.house.rooms.registry.connector(CALENDAR).manifest.credential
    assert credential.oauth is not None
    narrows = credential.oauth.model_copy(update={"narrows_at_refresh": True})
    monkeypatch.setitem(credential.__dict__, "oauth", narrows)
    oauth.server.rule = narrows


async def test_an_administrator_allows_an_application_in_the_clinic_s_own_directory(oauth: Oauth) -> None:
    made = await oauth.begin(ROSTER)
    async with oauth.browser() as browser:
        page = await gone(browser, str(made.address))
        assert urlsplit(page).path == f"/{DIRECTORY}/v2.0/adminconsent"
        answer = await returned(browser, oauth.servers[ROSTER].approve(page))
    assert answer.status_code == 200, answer.text
    connection = await oauth.now(ROSTER)
    assert connection.provider_scopes == {"application:Roster.ReadWrite.All"}
    assert (await broker(oauth.call("book", ROSTER), oauth.house.rooms)).outcome is Outcome.ACCEPTED
    asked = oauth.servers[ROSTER].asked[0]
    assert (asked["scope"], asked["grant_type"]) == ("https://api.roster.example/.default", "client_credentials")


async def test_an_administrator_may_allow_it_for_everybody_first(oauth: Oauth, monkeypatch: pytest.MonkeyPatch) -> None:
    credential = oauth.house.rooms.registry.connector(CALENDAR).manifest.credential
    assert credential.oauth is not None
    rule = credential.oauth.model_copy(update={"admin_consent_url": "https://accounts.calendar.example/o/authorize"})
    monkeypatch.setitem(credential.__dict__, "oauth", rule)
    oauth.server.rule = rule
    made = await oauth.begin()
    async with oauth.browser() as browser:
        shown = await browser.get(str(made.address))
        assert "I am an administrator there" in shown.text
        page = await gone(browser, str(made.address), **{"as": "admin"})
        assert "response_type" not in page
        state = dict(parse_qsl(urlsplit(page).query))["state"]
        back = f"/oauth/callback?admin_consent=True&state={state}"
        assert (await browser.get(back.replace("True", "False"))).status_code == 400
        sent = await browser.get(back)
        assert sent.status_code == 303
        assert (await browser.get(back)).status_code == 404  # its state was used up
        answer = await returned(browser, oauth.server.approve(sent.headers["location"]))
    assert answer.status_code == 200, answer.text
    assert (await oauth.now()).state is ConnectionState.ACTIVE


async def test_a_permission_of_the_application_that_no_feature_needs_is_too_much(oauth: Oauth) -> None:
    made = await oauth.begin(ROSTER, frozenset({"shifts"}))
    async with oauth.browser() as browser:
        answer = await through(browser, str(made.address), oauth.servers[ROSTER])
    assert answer.status_code == 400
    assert "Read and write all rosters" in answer.text
    assert (await oauth.now(ROSTER)).state is ConnectionState.PENDING


@pytest.mark.parametrize("account", ["common", "organizations", "consumers", "6F0C8A52", "x/../common", None])
async def test_a_directory_that_is_not_the_clinic_s_own_is_refused(oauth: Oauth, account: str | None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await oauth.begin(ROSTER, account=account)
    assert [fault.path for fault in refused.value.faults] == ["account"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"secret": "a key"}, "credential"),
        ({"provider_scopes": frozenset({"events"})}, "provider_scopes"),
        ({"account": "somebody"}, "account"),
        ({"features": frozenset()}, "features"),
    ],
)
async def test_what_does_not_belong_to_a_page_of_the_vendor_s_is_refused(
    oauth: Oauth, given: dict[str, object], path: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await oauth.begin(**given)  # type: ignore[arg-type]
    assert path in [fault.path for fault in refused.value.faults]


async def test_without_a_registration_or_an_address_of_its_own_the_gateway_says_what_to_do(
    oauth: Oauth, open_more: object
) -> None:
    await oauth.house.rooms.oauth.clients.remove(CALENDAR)
    with pytest.raises(Conflict) as refused:
        await oauth.begin()
    assert "gateway clients add plan/calendar" in refused.value.fix
    assert (await oauth.now()).state is ConnectionState.REVOKED


async def test_a_connection_that_nobody_allowed_cannot_be_resumed(oauth: Oauth) -> None:
    made = await oauth.begin()
    with pytest.raises(Conflict):
        await oauth.house.rooms.connections.set_state(oauth.actor, made.connection.id, ConnectionState.ACTIVE)
