"""Graph's notifications: the handshake gives an attacker nothing, each item names the secret, changes are never lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from connectors.contract import CallbackRefused
from connectors.teams import callback
from connectors.teams.sandbox_directory import ACCOUNT, SHIFT, TEAM, WATCH

SECRET = "k3JtQ9vXw2ZpL7sYb5RcN8mF4hGdT6aE"
OLD = "an0therSecretOfTheSameClinic-0123456"
NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
URL = "https://gateway.example/hooks/0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"
RESOURCE = f"teams('{TEAM}')/schedule/shifts('{SHIFT}')"


def item(**given: Any) -> dict[str, Any]:
    usual = {
        "subscriptionId": WATCH, "subscriptionExpirationDateTime": "2026-01-15T15:30:00.0000000Z", "clientState": SECRET,
        "tenantId": ACCOUNT, "changeType": "updated", "resource": RESOURCE, "resourceData": {"id": SHIFT},
    }  # fmt: skip
    return {name: value for name, value in {**usual, **given}.items() if value is not None}


def body(*items: Any, **more: Any) -> bytes:
    return json.dumps({"value": list(items or (item(),)), **more}).encode()


def refused(raw_body: bytes, *secrets: str, now: datetime = NOW) -> str:
    with pytest.raises(CallbackRefused) as raised:
        callback.verify(raw_body, {}, URL, secrets or (SECRET,), now=now)
    return raised.value.code


def lifecycle(event: str, **given: Any) -> dict[str, Any]:
    return item(lifecycleEvent=event, changeType=None, resource=None, resourceData=None, **given)


# --- the handshake


def test_graph_gets_its_token_back() -> None:
    token = "Validation: Testing client application reachability for subscription Request-Id: 522a8e7e-096a"
    assert callback.handshake("POST", f"{URL}?validationToken={quote(token)}", "ours") == token
    spaced = quote(token).replace("%20", "+")
    assert callback.handshake("POST", f"{URL}?validationToken={spaced}", "ours") == token


def test_a_message_is_no_handshake() -> None:
    assert callback.handshake("POST", URL, "ours") is None
    assert callback.handshake("GET", f"{URL}?validationToken=abc", "ours") is None


@pytest.mark.parametrize(
    "query",
    [
        "validationToken=<script>alert(1)</script>", "validationToken=%3Cscript%3E", "validationToken=a%22b",
        "validationToken=a%27b", "validationToken=a%26b", "validationToken=%00", "validationToken=a%0D%0AX: 1",
        f"validationToken={'a' * 513}", "validationToken=", "validationToken", "validationToken=a&validationToken=b",
        "validationToken=a&x=1", "x=1", "validationtoken=a", "hub.challenge=1", "validationToken=%C3%BC",
        "validationToken=\u202eabc", "validationToken=%ff", "&".join("validationToken=a" for _ in range(500)),
    ],
)  # fmt: skip
def test_nothing_that_means_something_to_a_browser_is_echoed(query: str) -> None:
    with pytest.raises(CallbackRefused) as raised:
        callback.handshake("POST", f"{URL}?{query}", "ours")
    assert raised.value.code == "malformed_handshake"


# --- the secret in every item


def test_a_genuine_notification_is_taken_under_the_new_secret_and_the_old() -> None:
    for named in (SECRET, OLD):
        callback.verify(body(item(clientState=named)), {}, URL, (SECRET, OLD), now=NOW)
    callback.verify(body(item(), item(clientState=OLD), lifecycle("missed")), {}, URL, (SECRET, OLD), now=NOW)


@pytest.mark.parametrize(
    "state",
    ["", "wrong", SECRET[:-1], f"{SECRET}x", f" {SECRET}", SECRET.swapcase(), "\u00e9" * 32, "\ud800", None, 1, [SECRET],
     {"x": SECRET}, True, "x" * 10_000],
)  # fmt: skip
def test_an_item_that_does_not_name_the_secret_is_refused_alone_and_beside_genuine_ones(state: Any) -> None:
    raw_body = json.dumps({"value": [item(clientState=state)]}).encode()
    codes = ("secret_missing", "wrong_secret", "not_an_event")  # the last: what no JSON may hold
    assert refused(raw_body) in codes
    for items in ([item(), item(clientState=state)], [item(clientState=state), item()]):
        assert refused(json.dumps({"value": items}).encode()) in codes


def test_without_a_secret_nothing_is_genuine() -> None:
    for secrets in ((), ("",), (" ",)):
        with pytest.raises(CallbackRefused):
            callback.verify(body(item(clientState=" ")), {}, URL, secrets, now=NOW)


@pytest.mark.parametrize(
    "raw_body", [b"", b"{}", b"[]", b'{"value": {}}', b'{"value": []}', b'{"value": [1]}', b"\xff"]
)
def test_what_holds_no_item_is_refused(raw_body: bytes) -> None:
    assert refused(raw_body) in ("not_an_event", "malformed_event")


def test_a_body_of_thousands_of_items_is_refused() -> None:
    assert refused(body(*[item()] * 1001)) == "not_an_event"


@pytest.mark.parametrize(("hours", "code"), [(-5, "stale"), (8, "stale"), (24 * 365, "stale")])
def test_a_notification_of_a_watch_that_ended_long_ago_or_lasts_too_long_is_refused(hours: int, code: str) -> None:
    ends = (NOW + timedelta(hours=hours)).isoformat()
    assert refused(body(item(subscriptionExpirationDateTime=ends))) == code


@pytest.mark.parametrize("hours", [-3, 0, 1, 6])
def test_one_is_taken_as_long_as_graph_repeats_it(hours: int) -> None:
    ends = (NOW + timedelta(hours=hours)).isoformat()
    callback.verify(body(item(subscriptionExpirationDateTime=ends)), {}, URL, (SECRET,), now=NOW)


@pytest.mark.parametrize("ends", [None, "", "tomorrow", "2026-01-15", "2026-13-45T99:99:99Z", "2026-01-15T15:30:00", 1])
def test_one_that_does_not_say_when_its_watch_ends_is_refused(ends: Any) -> None:
    assert (
        refused(json.dumps({"value": [{**item(), "subscriptionExpirationDateTime": ends}]}).encode())
        == "malformed_event"
    )


# --- what it says


@pytest.mark.parametrize(
    "resource",
    [RESOURCE, f"teams/{TEAM}/schedule/shifts/{SHIFT}", f"/teams/{TEAM.upper()}/schedule/shifts/{SHIFT}",
     f"Teams('{TEAM}')/Schedule/Shifts('{SHIFT}')"],
)  # fmt: skip
def test_a_change_names_the_shift_its_team_and_its_directory(resource: str) -> None:
    (event,) = callback.translate(body(item(resource=resource)), URL)
    assert (event.type, event.vendor_id, event.account) == ("shift.changed", SHIFT, ACCOUNT)
    assert event.data == {"id": SHIFT, "team": TEAM, "change": "updated", "subscription": WATCH}


def test_several_items_are_several_events_in_their_order() -> None:
    told = callback.translate(body(item(changeType="deleted"), lifecycle("missed"), item(changeType="created")), URL)
    assert [event.type for event in told] == ["shift.changed", "watch.missed", "shift.changed"]
    assert [event.data.get("change") for event in told] == ["deleted", None, "created"]


@pytest.mark.parametrize(
    ("event", "ours"),
    [("reauthorizationRequired", "watch.reauthorization_required"), ("subscriptionRemoved", "watch.removed"),
     ("missed", "watch.missed")],
)  # fmt: skip
def test_a_watch_s_own_events_name_the_watch_and_its_end(event: str, ours: str) -> None:
    (told,) = callback.translate(body(lifecycle(event)), URL)
    assert (told.type, told.vendor_id) == (ours, WATCH)
    assert told.data == {"id": WATCH, "expires_at": "2026-01-15T15:30:00+00:00"}


def test_what_a_rich_notification_holds_besides_is_not_looked_at() -> None:
    held = {"data": "CANARY", "dataKey": "CANARY", "dataSignature": "CANARY"}
    rich = body(item(encryptedContent=held, resourceData={"id": SHIFT, "notes": "CANARY"}), validationTokens=["CANARY"])
    assert "CANARY" not in str(callback.translate(rich, URL))


@pytest.mark.parametrize(
    "given",
    [
        {"resource": f"users/{TEAM}/messages/1"}, {"resource": f"teams('{TEAM}')/channels('1')/messages('2')"},
        {"resource": f"communications/presences/{TEAM}"}, {"resource": f"{RESOURCE}/../x"}, {"resource": 1},
        {"changeType": "renamed"}, {"changeType": None}, {"tenantId": "common"}, {"tenantId": None},
        {"subscriptionId": "CANARY"}, {"subscriptionId": None},
    ],
)  # fmt: skip
def test_what_we_did_not_ask_for_is_refused_and_not_repeated(given: dict[str, Any]) -> None:
    with pytest.raises(CallbackRefused) as raised:
        callback.translate(json.dumps({"value": [{**item(), **given}]}).encode(), URL)
    assert "CANARY" not in str(raised.value)


# --- twice the same, or two things that happened


def test_two_changes_of_one_shift_in_the_same_bytes_are_not_taken_for_one() -> None:
    assert callback.identity(body(item())) is None
    assert callback.identity(body(lifecycle("missed"))) is None


def test_where_graph_gives_an_id_or_a_version_a_repetition_is_one() -> None:
    first, second = item(id="0c6f7a9e-1111"), item(id="0c6f7a9e-2222")
    assert callback.identity(body(first)) == callback.identity(body(first))
    assert callback.identity(body(first)) != callback.identity(body(second))
    assert callback.identity(body(first, second)) == callback.identity(body(second, first))
    assert callback.identity(body(first, item())) is None
    versions = [item(resourceData={"id": SHIFT, "@odata.etag": f'W/"{at}"'}) for at in range(2)]
    assert callback.identity(body(versions[0])) != callback.identity(body(versions[1]))
