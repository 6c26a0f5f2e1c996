"""Giving back what was granted: all of it, or what is not needed; and the report that says which is which."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.errors import Conflict, GatewayError, Refused
from gateway.flows import leave
from gateway.flows.broker import broker
from gateway.flows.connect import Terms, regrant
from gateway.flows.leave import REVOKED, clear_left, reduce, revoke
from gateway.flows.scopes import report
from gateway.store import oauth as rows
from scopes.vocabulary import ConnectionState, Outcome
from tests.gateway.oauth.house import CALENDAR, DIRECTORY, ROSTER, Oauth, through


async def left(oauth: Oauth, connection: Any) -> Any:
    """What is kept of a connection's tokens."""
    async with oauth.house.rooms.store.tenant(oauth.tenant) as session:
        return await rows.tokens(session, oauth.tenant, connection.id)


async def test_revoking_tells_the_vendor_and_destroys_the_tokens(oauth: Oauth) -> None:
    connection = await oauth.connected()
    await revoke(oauth.actor, connection.id, oauth.house.rooms)
    assert all(grant.ended for grant in oauth.server._grants if grant.refresh)
    assert await left(oauth, connection) is None
    assert (await oauth.notices())[0] == (REVOKED, {"connector": CALENDAR, "vendor": "revoked"})
    asked = len(oauth.server.asked)
    await revoke(oauth.actor, connection.id, oauth.house.rooms)
    assert len(oauth.server.asked) == asked
    with pytest.raises(Refused):
        await broker(oauth.call(), oauth.house.rooms)


async def test_revoking_where_the_vendor_has_no_address_for_it_says_so(oauth: Oauth) -> None:
    connection = await oauth.connected(ROSTER)
    await revoke(oauth.actor, connection.id, oauth.house.rooms)
    assert await left(oauth, connection) is None
    assert (await oauth.notices())[0] == (REVOKED, {"connector": ROSTER, "vendor": "has_no_revocation"})


async def test_revoking_counts_although_the_vendor_is_away(oauth: Oauth, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = await oauth.connected()
    oauth.house.rooms.oauth.sandboxes[CALENDAR] = "http://127.0.0.1:9"  # type: ignore[index]
    await revoke(oauth.actor, connection.id, oauth.house.rooms)
    assert (await oauth.notices())[0] == (REVOKED, {"connector": CALENDAR, "vendor": "not_told"})
    assert await left(oauth, connection) is None


async def test_what_a_gateway_did_not_get_to_tell_is_told_by_the_next(
    oauth: Oauth, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await oauth.connected()

    async def dies(*_: Any) -> None:
        raise GatewayError

    with monkeypatch.context() as patch:
        patch.setattr(leave, "_tell_vendor", dies)
        with pytest.raises(GatewayError):
            await revoke(oauth.actor, connection.id, oauth.house.rooms)
    with pytest.raises(Refused):
        await broker(oauth.call(), oauth.house.rooms)
    assert (await left(oauth, connection)).sealed is not None
    assert await clear_left(oauth.house.rooms) in (0, 1)
    oauth.clock.now += timedelta(days=3650)  # rows are stamped by the database
    await clear_left(oauth.house.rooms)
    assert await left(oauth, connection) is None
    assert all(grant.ended for grant in oauth.server._grants if grant.refresh)
    assert await clear_left(oauth.house.rooms) == 0


async def test_suspending_keeps_the_grant(oauth: Oauth) -> None:
    connection = await oauth.connected()
    await oauth.house.rooms.connections.set_state(oauth.actor, connection.id, ConnectionState.SUSPENDED)
    with pytest.raises(Refused):
        await broker(oauth.call(), oauth.house.rooms)
    assert not any(grant.ended for grant in oauth.server._grants)
    await oauth.house.rooms.connections.set_state(oauth.actor, connection.id, ConnectionState.ACTIVE)
    assert (await broker(oauth.call(), oauth.house.rooms)).outcome is Outcome.ACCEPTED


async def test_the_report_says_what_was_asked_granted_needed_and_used(oauth: Oauth) -> None:
    oauth.clock.now = datetime.now(UTC)  # ids have the time of the machine in them
    await oauth.connected()
    await broker(oauth.call("look"), oauth.house.rooms)
    oauth.clock.move(minutes=1)
    found = await report(await oauth.now(), oauth.house.rooms)
    assert (found.asked, found.granted) == ({"events", "freebusy"}, {"events", "freebusy"})
    assert (found.needed, found.excess, found.missing) == ({"events", "freebusy"}, frozenset(), frozenset())
    assert found.used == {"freebusy"}
    assert set(found.last_used) == {"look"}
    await regrant(oauth.actor, await oauth.now(), Terms(features=frozenset({"free_times"})), oauth.house.rooms)
    found = await report(await oauth.now(), oauth.house.rooms)
    assert (found.needed, found.excess) == ({"freebusy"}, {"events"})


async def test_giving_back_at_a_vendor_that_takes_nothing_off_stops_the_connection_and_says_so(oauth: Oauth) -> None:
    await oauth.connected()
    with pytest.raises(Conflict):
        await reduce(oauth.actor, await oauth.now(), oauth.house.rooms)
    await regrant(oauth.actor, await oauth.now(), Terms(features=frozenset({"free_times"})), oauth.house.rooms)
    done = await reduce(oauth.actor, await oauth.now(), oauth.house.rooms)
    assert (done.given_back, done.stopped) == ({"events"}, True)
    assert all(grant.ended for grant in oauth.server._grants if grant.refresh)
    assert (await oauth.now()).state is ConnectionState.PENDING
    async with oauth.browser() as browser:
        assert (await through(browser, str(done.address), oauth.server)).status_code == 200
    connection = await oauth.now()
    assert (connection.state, connection.provider_scopes) == (ConnectionState.ACTIVE, {"freebusy"})
    assert (await broker(oauth.call("look"), oauth.house.rooms)).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("narrows", [True, False])
async def test_giving_back_elsewhere_goes_on_without_a_gap(
    oauth: Oauth, narrows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential = oauth.house.rooms.registry.connector(CALENDAR).manifest.credential
    assert credential.oauth is not None
    rule = credential.oauth.model_copy(update={"narrows_at_refresh": narrows, "ends_whole_grant": False})
    monkeypatch.setitem(credential.__dict__, "oauth", rule)
    oauth.server.rule = rule
    await oauth.connected()
    before = [grant for grant in oauth.server._grants if grant.refresh]
    await regrant(oauth.actor, await oauth.now(), Terms(features=frozenset({"free_times"})), oauth.house.rooms)
    done = await reduce(oauth.actor, await oauth.now(), oauth.house.rooms)
    assert done.stopped is False
    assert (done.address is None) == narrows
    assert (await broker(oauth.call("look"), oauth.house.rooms)).outcome is Outcome.ACCEPTED
    if not narrows:
        async with oauth.browser() as browser:
            assert (await through(browser, str(done.address), oauth.server)).status_code == 200
        assert all(grant.ended for grant in before)  # what was granted before is given back once the new one is here
    assert (await oauth.now()).provider_scopes == {"freebusy"}
    assert (await broker(oauth.call("look"), oauth.house.rooms)).outcome is Outcome.ACCEPTED


async def test_over_http_connect_report_reduce_and_revoke(oauth: Oauth) -> None:
    oauth.clock.now = datetime.now(UTC)  # replies are stamped by the database
    key, _ = await oauth.house.rooms.callers.create_key(oauth.actor, "test", oauth.actor.scopes)
    async with oauth.browser() as web, oauth.browser() as browser:
        web.headers["authorization"] = f"Bearer {key}"
        wish = {"connector": CALENDAR, "features": ["free_times"]}
        made = await web.post("/v1/connections", json=wish, headers={"idempotency-key": "once"})
        assert made.status_code == 201, made.text
        again = await web.post("/v1/connections", json=wish, headers={"idempotency-key": "once"})
        assert again.json() == made.json()
        told = made.json()
        assert told["state"] == "pending"
        place = f"/v1/connections/{told['id']}"
        assert (await web.get(place)).json()["authorize_url"] is None
        assert (await through(browser, told["authorize_url"], oauth.server)).status_code == 200
        assert (await web.get(place)).json()["state"] == "active"
        scopes = (await web.get(f"{place}/scopes")).json()
        assert (scopes["asked"], scopes["needed"], scopes["used"]) == (["freebusy"], ["freebusy"], [])
        assert "Events that were made stay" in scopes["not_undone"]
        grown = await web.put(f"{place}/grant", json={"features": ["free_times", "bookings"], "withheld": []})
        assert grown.status_code == 200, grown.text
        scopes = (await web.get(f"{place}/scopes")).json()
        assert (scopes["missing"], scopes["features_off"]) == (["events"], {"bookings": ["events"]})
        assert (await web.post(f"{place}/reduce")).status_code == 409
        renewed = await web.post(f"{place}/reconnect")
        assert renewed.status_code == 200, renewed.text
        assert (await through(browser, renewed.json()["authorize_url"], oauth.server)).status_code == 200
        assert (await web.get(place)).json()["provider_scopes"] == ["events", "freebusy"]
        assert (await web.delete(place)).status_code == 204
        assert (await web.get(place)).json()["state"] == "revoked"


async def test_over_http_a_directory_is_named_and_another_clinic_sees_nothing(oauth: Oauth) -> None:
    key, _ = await oauth.house.rooms.callers.create_key(oauth.actor, "test", oauth.actor.scopes)
    other = await oauth.house.rooms.connections.create_tenant("another")
    other_key, _ = await oauth.house.rooms.callers.create_key(
        type(oauth.actor)("system", "test", other, oauth.actor.scopes), "test", oauth.actor.scopes
    )
    wish = {"connector": ROSTER, "features": ["planning"], "account": DIRECTORY}
    async with oauth.browser() as web:
        made = await web.post("/v1/connections", json=wish, headers={"authorization": f"Bearer {key}"})
        assert made.status_code == 201, made.text
        for method, rest in (("GET", "/scopes"), ("POST", "/reconnect"), ("POST", "/reduce"), ("DELETE", "")):
            place = f"/v1/connections/{made.json()['id']}{rest}"
            answer = await web.request(method, place, headers={"authorization": f"Bearer {other_key}"})
            assert answer.status_code == 404, (method, rest)
        key_needed = await web.post(
            "/v1/connections", json={"connector": "payments/stripe", "features": ["refunds"]},
            headers={"authorization": f"Bearer {key}"},
        )  # fmt: skip
        assert key_needed.status_code == 400
        assert [fault["path"] for fault in key_needed.json()["faults"]] == ["credential"]
