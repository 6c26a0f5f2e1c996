"""What a channel brings: its own token counts, for its own id; everything else is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.contract import CallbackRefused
from connectors.google import callback
from connectors.google.actions import WatchCalendar
from connectors.google.calendar import channel
from tests.conformance.harness import HOOK, KEY
from tests.connectors.google.google import GOOGLE, OWN

TOKEN, NOW = "0" * 40, datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
OPENED = channel(WatchCalendar(calendar=OWN), KEY, HOOK, TOKEN)
OTHER = channel(WatchCalendar(calendar=OWN), f"{KEY}-2", HOOK, TOKEN)


def headers(**changed: str) -> dict[str, str]:
    """What Google sends for that channel; a part that is changed to nothing is left out."""
    sent = {
        "id": OPENED["id"], "token": OPENED["token"], "resource": "o3hgv1538sdjfh8xZ2", "state": "exists", "number": "2",
        **changed,
    }  # fmt: skip
    names = {
        "id": "x-goog-channel-id", "token": "x-goog-channel-token", "resource": "x-goog-resource-id",
        "state": "x-goog-resource-state", "number": "x-goog-message-number",
    }  # fmt: skip
    return {names[name]: value for name, value in sent.items() if value}


def verify(given: dict[str, str], *secrets: str, body: bytes = b"") -> None:
    callback.verify(body, given, HOOK, secrets or (TOKEN,), now=NOW)


def test_a_channel_s_own_token_is_taken() -> None:
    verify(headers())
    verify(headers(), "1" * 40, TOKEN)
    verify(headers(), body=b"whatever is in a body, which Google never sends")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"token": ""}, "token_missing"),
        ({"token": "x" * 300}, "token_missing"),
        ({"token": TOKEN}, "token_wrong"),  # the connection's own never leaves as it is
        ({"token": OTHER["token"]}, "token_wrong"),  # one channel can't speak for another
        ({"id": OTHER["id"]}, "token_wrong"),
        ({"token": OPENED["token"].upper()}, "token_wrong"),
        ({"token": OPENED["token"] + "é"}, "token_wrong"),
        ({"id": ""}, "channel_unknown"),
        ({"id": "somebody-else-s-channel"}, "channel_unknown"),
        ({"resource": ""}, "resource_unreadable"),
        ({"state": "deleted"}, "state_unreadable"),
        ({"number": "0"}, "number_unreadable"),
        ({"number": "1e3"}, "number_unreadable"),
        ({"number": "\u0661"}, "number_unreadable"),
    ],
)
def test_everything_else_is_refused(changed: dict[str, str], code: str) -> None:
    with pytest.raises(CallbackRefused) as refused:
        verify(headers(**changed))
    assert refused.value.code == code


@pytest.mark.parametrize("secrets", [(" ",), ("",), ("1" * 40,)])
def test_another_connection_s_token_and_a_blank_one_open_nothing(secrets: tuple[str, ...]) -> None:
    with pytest.raises(CallbackRefused):
        verify(headers(), *secrets)


def test_the_first_message_says_nothing_and_the_others_that_something_changed() -> None:
    assert callback.translate(callback.envelope(b"", headers(state="sync", number="1")), HOOK) == ()
    for state in ("exists", "not_exists"):
        (event,) = callback.translate(callback.envelope(b"", headers(state=state)), HOOK)
        assert (event.type, event.vendor_id) == ("calendar.changed", OPENED["id"])
        assert event.data == {"id": OPENED["id"], "resource": "o3hgv1538sdjfh8xZ2"}


def test_a_message_is_the_same_one_by_its_channel_its_resource_and_its_number() -> None:
    def identity(**changed: str) -> str:
        return callback.identity(callback.envelope(b"", headers(**changed)))

    assert identity() == identity(state="not_exists")
    assert len({identity(), identity(number="3"), identity(resource="another1"), identity(id=OTHER["id"])}) == 4


def test_no_secret_is_handed_over() -> None:
    rule = GOOGLE.manifest.callback
    assert rule is not None
    assert rule.token
    assert GOOGLE.envelope is callback.envelope
