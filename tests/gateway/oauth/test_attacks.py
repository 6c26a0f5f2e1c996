"""The attacks on OAuth that RFC 9700 names, one by one, through the whole gateway: each connects nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from starlette.routing import Route

from connectors.registry import Registry
from gateway.egress import Route as Way
from gateway.flows import authorize
from gateway.oauth.clients import Client
from gateway.serve import listening, serving
from scopes.vocabulary import ConnectionState
from tests.gateway.oauth.house import CALENDAR, OAUTH_ROOT, PUBLIC, ROSTER, Oauth, gone, new_actor, returned, through

ELSEWHERE = "https://evil.example/"
OTHER_DIRECTORY = "11111111-2222-4333-8444-555555555555"


async def nothing_is_connected(oauth: Oauth, connector: str = CALENDAR) -> None:
    """The connection still waits, and has no tokens."""
    connection = await oauth.now(connector)
    assert connection.state is ConnectionState.PENDING
    assert (await oauth.row(connection)).sealed is None


@pytest.mark.parametrize("state", ["", "x", "x" * 9000, ".", "0190163d-8694-7a3c-8f0e-6c7f3e8f7a01.guess", "é.\x00"])
async def test_an_answer_without_our_state_connects_nothing(oauth: Oauth, state: str) -> None:
    made = await oauth.begin()
    async with oauth.browser() as browser:
        answer = await through(browser, str(made.address), oauth.server, state=state)
        assert answer.status_code in (404, 413)
    await nothing_is_connected(oauth)


async def test_an_answer_in_another_browser_connects_nothing(oauth: Oauth) -> None:
    """Login CSRF: an attacker begins, and has somebody else's browser finish."""
    made = await oauth.begin()
    async with oauth.browser() as attacker, oauth.browser() as victim:
        back = oauth.server.approve(await gone(attacker, str(made.address)))
        assert (await returned(victim, back)).status_code == 404
    await nothing_is_connected(oauth)


async def test_the_state_of_another_attempt_connects_nothing_although_the_browser_is_the_same(oauth: Oauth) -> None:
    first, other = await oauth.begin(), await oauth.begin(ROSTER)
    async with oauth.browser() as browser:
        back = oauth.server.approve(await gone(browser, str(first.address)))
        foreign = oauth.servers[ROSTER].approve(await gone(browser, str(other.address)))
        state = dict(parse_qsl(urlsplit(foreign).query))["state"]
        answer = await returned(browser, back, state=state)
        assert answer.status_code == 400  # the roster's attempt, which is used up by it
        name, _, secret = dict(parse_qsl(urlsplit(back).query))["state"].partition(".")
        assert (await returned(browser, back, state=f"{name}.{secret[:-1]}")).status_code == 404
    await nothing_is_connected(oauth)
    await nothing_is_connected(oauth, ROSTER)


@pytest.mark.parametrize(
    ("told", "code"),
    [(ELSEWHERE, "wrong_issuer"), ("https://accounts.calendar.example/", "wrong_issuer"), ("", "issuer_missing")],
)
async def test_an_answer_of_another_issuer_connects_nothing(oauth: Oauth, told: str, code: str) -> None:
    """Mix-up: the code would go to the vendor that was asked, and is another one's."""
    made = await oauth.begin()
    async with oauth.browser() as browser:
        answer = await through(browser, str(made.address), oauth.server, iss=told)
    assert answer.status_code == 400
    assert code in answer.text
    assert oauth.server.asked == []  # the code was not even shown
    await nothing_is_connected(oauth)


async def test_a_code_of_somebody_else_s_attempt_connects_nothing(oauth: Oauth) -> None:
    """Code injection: the state is the victim's own, the code the attacker's. The verifier fits only one of them."""
    made = await oauth.begin()
    other = Oauth(oauth.house, oauth.servers, oauth.clock, await new_actor(oauth.house))
    attackers = await other.begin()
    async with oauth.browser() as browser, oauth.browser() as attacker:
        back = oauth.server.approve(await gone(browser, str(made.address)))
        stolen = oauth.server.approve(await gone(attacker, str(attackers.address)))
        code = dict(parse_qsl(urlsplit(stolen).query))["code"]
        answer = await returned(browser, back, code=code)
    assert answer.status_code == 400
    assert "code_refused.invalid_grant" in answer.text
    await nothing_is_connected(oauth)


async def test_a_code_counts_once_and_so_does_an_answer(oauth: Oauth) -> None:
    made = await oauth.begin()
    async with oauth.browser() as browser:
        back = oauth.server.approve(await gone(browser, str(made.address)))
        assert (await returned(browser, back)).status_code == 200
        assert (await returned(browser, back)).status_code == 404
        again = await oauth.house.rooms.connections.present(oauth.tenant)
        address = await authorize.again(oauth.actor, again.connection(CALENDAR), oauth.house.rooms)
        answer = await through(browser, address, oauth.server, code=dict(parse_qsl(urlsplit(back).query))["code"])
        assert answer.status_code == 400
        assert "code_refused" in answer.text
    assert len([form for form in oauth.server.asked if form["grant_type"] == "authorization_code"]) == 2


async def test_a_link_is_for_one_browser_once(oauth: Oauth) -> None:
    made = await oauth.begin()
    async with oauth.browser() as first, oauth.browser() as second:
        await gone(first, str(made.address))
        assert (await second.get(str(made.address))).status_code == 404
        assert (await first.get(str(made.address))).status_code == 404
    await nothing_is_connected(oauth)


async def test_nobody_is_sent_to_the_vendor_by_a_form_on_another_site(oauth: Oauth) -> None:
    made = await oauth.begin()
    link = str(made.address).partition("link=")[2]
    async with oauth.browser() as browser:
        blind = await browser.post("/oauth/start", data={"link": link, "offer": "guess"})
        assert blind.status_code == 400
        page = await browser.get(str(made.address))
        ours = page.text.partition('name="offer" value="')[2].partition('"')[0]
        form = {"link": link, "offer": ours}
        crossed = await browser.post("/oauth/start", data=form, headers={"sec-fetch-site": "cross-site"})
        assert crossed.status_code == 400
        assert (await browser.post("/oauth/start", data=form)).status_code == 303


@pytest.mark.parametrize(
    "path", ["/oauth/callback/", "/oauth/callback/x", "/oauth/callbackx", "/oauth/callback%2f..%2fx"]
)
async def test_the_address_to_come_back_to_is_one_and_no_other_that_begins_like_it(oauth: Oauth, path: str) -> None:
    made = await oauth.begin()
    async with oauth.browser() as browser:
        back = oauth.server.approve(await gone(browser, str(made.address)))
        assert (await browser.get(f"{path}?{urlsplit(back).query}")).status_code == 404
    await nothing_is_connected(oauth)


async def test_nothing_that_a_browser_says_moves_the_address_to_come_back_to(oauth: Oauth) -> None:
    made = await oauth.begin()
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=oauth.house.web), base_url=PUBLIC,
        headers={"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"},
    ) as browser:  # fmt: skip
        tempting = f"&redirect_uri={ELSEWHERE}&next={ELSEWHERE}&return_to={ELSEWHERE}&url={ELSEWHERE}"
        page = await gone(browser, f"{made.address}{tempting}")
        assert dict(parse_qsl(urlsplit(page).query))["redirect_uri"] == f"{PUBLIC}/oauth/callback"
        back = oauth.server.approve(page) + tempting
        answer = await returned(browser, back)
    assert answer.status_code == 200
    assert "location" not in answer.headers
    assert "evil" not in answer.text
    assert oauth.server.asked[0]["redirect_uri"] == f"{PUBLIC}/oauth/callback"


async def test_a_parameter_that_is_there_twice_is_refused_because_two_readers_may_pick_two(oauth: Oauth) -> None:
    made = await oauth.begin()
    async with oauth.browser() as browser:
        back = oauth.server.approve(await gone(browser, str(made.address)))
        answer = await browser.get(f"/oauth/callback?{urlsplit(back).query}&code=other")
        assert answer.status_code == 400
    await nothing_is_connected(oauth)


async def test_a_no_is_told_as_one_and_the_vendor_s_words_are_not_repeated(oauth: Oauth) -> None:
    oauth.server.answers.denies = "access_denied"
    made = await oauth.begin()
    async with oauth.browser() as browser:
        answer = await through(
            browser, str(made.address), oauth.server, error_description="<script>alert(1)</script>Ada"
        )
    assert answer.status_code == 400
    assert "It was not allowed at the vendor" in answer.text
    assert "script" not in answer.text
    assert "Ada" not in answer.text
    await nothing_is_connected(oauth)


@pytest.mark.parametrize("late", [timedelta(minutes=61), timedelta(days=2)])
async def test_an_answer_that_comes_late_connects_nothing(oauth: Oauth, late: timedelta) -> None:
    made = await oauth.begin()
    async with oauth.browser() as browser:
        back = oauth.server.approve(await gone(browser, str(made.address)))
        oauth.clock.move(seconds=late.total_seconds())
        assert (await returned(browser, back)).status_code == 404
    await nothing_is_connected(oauth)


async def test_an_answer_for_another_directory_connects_nothing(oauth: Oauth) -> None:
    made = await oauth.begin(ROSTER)
    async with oauth.browser() as browser:
        answer = await through(browser, str(made.address), oauth.servers[ROSTER], tenant=OTHER_DIRECTORY)
    assert answer.status_code == 400
    assert "another directory" in answer.text
    await nothing_is_connected(oauth, ROSTER)


async def test_a_token_of_another_directory_connects_nothing(oauth: Oauth) -> None:
    oauth.servers[ROSTER].answers.claims = {"tid": OTHER_DIRECTORY}
    made = await oauth.begin(ROSTER)
    async with oauth.browser() as browser:
        answer = await through(browser, str(made.address), oauth.servers[ROSTER])
    assert answer.status_code == 400
    assert "wrong_directory" in answer.text
    await nothing_is_connected(oauth, ROSTER)


@pytest.fixture
def identified(oauth: Oauth, monkeypatch: pytest.MonkeyPatch) -> Oauth:
    """The calendar as a vendor that proves whose account it is."""
    credential = oauth.house.rooms.registry.connector(CALENDAR).manifest.credential
    assert credential.oauth is not None
    proves = {"identity_scopes": ("openid",), "jwks_url": "https://tokens.calendar.example/o/keys"}
    rule = credential.oauth.model_copy(update=proves)
    monkeypatch.setitem(credential.__dict__, "oauth", rule)
    return oauth


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({}, None),
        ({"iss": ELSEWHERE}, "wrong_issuer"),
        ({"aud": "another-client"}, "wrong_audience"),
        ({"aud": ["calendar-client", "another-client"]}, "wrong_audience"),
        ({"azp": "another-client"}, "wrong_audience"),
        ({"nonce": "of-another-attempt"}, "wrong_nonce"),
        ({"exp": 1}, "not_fresh"),
        ({"iat": 4_000_000_000}, "not_fresh"),
    ],
)
async def test_a_proof_of_identity_that_is_not_for_this_attempt_connects_nothing(
    identified: Oauth, claims: dict[str, Any], code: str | None
) -> None:
    app = Registry.load([OAUTH_ROOT]).connector(CALENDAR).module("sandbox").create()
    server = app.state.oauth
    server.rule = identified.house.rooms.registry.connector(CALENDAR).manifest.credential.oauth
    server.clock = lambda: identified.clock().timestamp()
    server.answers.claims = claims
    app.router.routes.append(Route("/o/keys", server._jwks, methods=["GET"]))
    async with serving(app, listening("127.0.0.1", 0)) as place:
        await _moved(identified, place)
        made = await identified.begin()
        async with identified.browser() as browser:
            answer = await through(browser, str(made.address), server)
    if code is None:
        assert answer.status_code == 200, answer.text
        assert (await identified.now()).provider_scopes == {"events", "freebusy"}
    else:
        assert answer.status_code == 400
        assert code in answer.text
        assert all(grant.ended for grant in server._grants if grant.refresh)
        await nothing_is_connected(identified)


async def _moved(oauth: Oauth, place: str) -> None:
    """Let the calendar be at another address from now on."""
    rooms = oauth.house.rooms
    rooms.oauth.sandboxes[CALENDAR] = place  # type: ignore[index]
    rooms.token_routes[CALENDAR] = Way(frozenset({place.removeprefix("http://")}), place)  # type: ignore[index]


async def test_another_registration_than_ours_gets_no_token(oauth: Oauth) -> None:
    await oauth.house.rooms.oauth.clients.add(CALENDAR, Client("calendar-client", "another-secret"))
    made = await oauth.begin()
    async with oauth.browser() as browser:
        answer = await through(browser, str(made.address), oauth.server)
    assert answer.status_code == 400
    assert "client_refused.invalid_client" in answer.text
    await nothing_is_connected(oauth)
