"""WhatsApp's webhooks: genuine or refused, Meta's own examples as intended, hostile ones as nothing, STOP never lost."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Arrival, CallbackEvent, CallbackRefused, Wish
from connectors.messaging.whatsapp import callback
from connectors.messaging.whatsapp.numbers import e164
from scopes.consent import Channel
from tests.connectors.messaging.whatsapp_corpus import WEBHOOKS, examples

SECRET = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
URL = "https://gateway.example/hooks/0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"
NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
ACCOUNT = "106540352242922"
KEY = "cg_0198f2c47d1e7b3a9c550d6f1a2b3c4d"
ID = "wamid.HBgLMTQxNTU1NTAxMjMVAgARGBI3QTQxQkM5RDJFNjA4RjEzQzUA"
TOKEN = "7d1e7b3a9c550d6f1a2b3c4d0198f2c47d1e7b3a"
UNUSED: list[tuple[str, str | None]] = []
#: What is meant to become of each of Meta's examples: for each event its meaning and the words that `replies` shows.
INTENDED: dict[str, list[tuple[str, str | None]]] = {
    "Text Message": [("other", "Does it come in another color?")],
    "Text Message with Context (Product Inquiry)": [("other", "Is this still available?")],
    "Text Message from Click to WhatsApp Ad": [("other", "Hello! Can I get more info on this?")],
    "Reaction Message": [("other", "👍")],
    "Image Message": [("other", "Taj Mahal")],
    "Location Message": [("other", None)],
    "Contact Sharing Message": [("other", None)],
    "Unsupported Message": [("other", None)],
    "Button Message": [("stop", "Unsubscribe")],
    "Interactive List Reply Message": [("other", "Priority Mail Express")],
    "Interactive Button Reply Message": [("decline", "Cancel")],
    "Order Message": [("other", None)],
    "System Message": UNUSED,
    "Group Create Message": UNUSED,
    "Group Settings Update": UNUSED,
    "Group Remove Participants": UNUSED,
}
#: What of a person stands in Meta's examples and must not come through, whatever the clinic switched on.
PERSONAL = (
    "16505551234",
    "Sheena",
    "Lucía",
    "12195555358",
    "19835552319",
    "37.44",
    "Philz",
    "ctwa",
    "fb.me",
    "Succulents",
    "15550783881",
    "1003383421387256",
    "Next Day",
)


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()


def verified(body: bytes, header: str, *secrets: str, name: str = "X-Hub-Signature-256") -> None:
    callback.verify(body, {name: header}, URL, secrets or (SECRET,), now=NOW)


def webhook(*values: dict[str, Any], field: Any = "messages") -> bytes:
    """One webhook with a change for each value."""
    metadata = {"display_phone_number": "15550783881", "phone_number_id": ACCOUNT}
    changes = [
        {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **each}} for each in values
    ]
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}).encode()


def status(word: str = "delivered", **more: Any) -> dict[str, Any]:
    return {"id": ID, "status": word, "timestamp": "1768469460", "recipient_id": "14155550123", **more}


def message(kind: str = "text", **more: Any) -> dict[str, Any]:
    return {"from": "14155550123", "id": ID, "timestamp": "1768469460", "type": kind, **more}


def written(text: str) -> dict[str, Any]:
    return message(text={"body": text})


def only(body: bytes) -> CallbackEvent:
    first, *rest = callback.translate(body, URL)
    assert [each.type for each in rest] in ([], ["message.reply_text"])
    return first


def code_of(body: bytes) -> str:
    with pytest.raises(CallbackRefused) as refused:
        callback.translate(body, URL)
    return refused.value.code


def test_all_of_meta_s_examples_are_taken_as_intended(specs: Path) -> None:
    corpus = examples(specs, WEBHOOKS)
    assert corpus.keys() == INTENDED.keys()
    assert len(corpus) == 16
    for name, example in corpus.items():
        body = json.dumps(example).encode()
        verified(body, signature(body))
        events = callback.translate(body, URL)
        replied = [event for event in events if event.type == "message.replied"]
        texts = {event.vendor_id: event.data["text"] for event in events if event.type == "message.reply_text"}
        assert [(each.data["meaning"], texts.get(each.vendor_id)) for each in replied] == INTENDED[name], name
        assert len(events) == len(replied) + len(texts)
        assert callback.identity(body)
        for event in events:
            assert event.account == ACCOUNT
            assert event.occurred_at is not None
            assert not [each for each in PERSONAL if each in json.dumps(dict(event.data))], name
            assert "16505551234" not in repr(event)
        for event in replied:
            assert event.answered is not None
            assert (event.answered.address, event.answered.channel) == ("+16505551234", Channel.WHATSAPP)
            assert (event.answered.wish is Wish.STOP) == (name == "Button Message")


def test_meta_s_examples_are_refused_once_they_are_no_longer_signed(specs: Path) -> None:
    for example in examples(specs, WEBHOOKS).values():
        body = json.dumps(example).encode()
        header = signature(body)
        for spoilt in (body + b" ", body[:-1], body.replace(b"whatsapp", b"whatsapP", 1), b""):
            with pytest.raises(CallbackRefused):
                verified(spoilt, header)


def test_a_signature_is_of_these_bytes_by_one_of_the_secrets() -> None:
    body = b'{"a": 1}'
    for secrets in ((SECRET,), (OTHER, SECRET), (SECRET, OTHER), ("", SECRET)):
        verified(body, signature(body), *secrets)
    for name in ("x-hub-signature-256", "X-HUB-SIGNATURE-256"):
        verified(body, signature(body), name=name)
    # openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef, of the eight bytes above
    verified(body, "sha256=bcadbfb547a03832fd07c02d3937dba9a92392aeec2b4ac9e95acbb856a47a8b")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: "",
        lambda good: good.removeprefix("sha256="),
        lambda good: good.upper(),
        lambda good: good.replace("sha256", "sha1"),
        lambda good: good[:-1],
        lambda good: good[:-1] + format(int(good[-1], 16) ^ 1, "x"),
        lambda good: good + "0",
        lambda good: f" {good}",
        lambda good: f"{good}\n",
        lambda good: f"{good},{good}",
        lambda good: f"sha256={'0' * 64}",
        lambda good: f"sha256={'é' * 64}",
        lambda good: "sha256=" + "\u0660" * 64,
        lambda good: "sha256=",
        lambda good: "\x00",
        lambda good: "sha256=" + "f" * 100_000,
    ],
)
def test_a_spoilt_header_is_refused(spoil: Any) -> None:
    with pytest.raises(CallbackRefused):
        verified(b"{}", spoil(signature(b"{}")))


@pytest.mark.parametrize("secrets", [(), ("",), ("  ",), (OTHER,), (SECRET.upper(),), (SECRET + "0",), ("é\ud800",)])
def test_another_secret_or_none_opens_nothing(secrets: tuple[str, ...]) -> None:
    with pytest.raises(CallbackRefused) as refused:
        callback.verify(b"{}", {"X-Hub-Signature-256": signature(b"{}")}, URL, secrets, now=NOW)
    assert refused.value.code == "bad_signature"
    with pytest.raises(CallbackRefused):  # what an empty secret signs is nobody's
        callback.verify(b"{}", {"X-Hub-Signature-256": signature(b"{}", "")}, URL, secrets, now=NOW)


def test_the_old_sha1_header_counts_for_nothing() -> None:
    old = "sha1=" + hmac.new(SECRET.encode(), b"{}", "sha1").hexdigest()
    with pytest.raises(CallbackRefused) as refused:
        callback.verify(b"{}", {"X-Hub-Signature": old}, URL, (SECRET,), now=NOW)
    assert refused.value.code == "signature_missing"


def asked(method: str = "GET", *, token: str = TOKEN, **changed: str | None) -> str | None:
    given = {"hub.mode": "subscribe", "hub.verify_token": TOKEN, "hub.challenge": "1158201444"}
    named = {name.replace("_", ".", 1): value for name, value in changed.items()}
    query = {name: value for name, value in {**given, **named}.items() if value is not None}
    return callback.handshake(method, f"{URL}?{urlencode(query)}", token)


def test_meta_gets_its_challenge_back_for_our_token_only() -> None:
    assert asked() == "1158201444"
    assert asked(hub_challenge="a" * 100) == "a" * 100
    assert asked("POST") is None
    for token in ("", "x", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "é", "\x00"):
        with pytest.raises(CallbackRefused) as refused:
            asked(hub_verify_token=token)
        assert refused.value.code == "wrong_token"
    with pytest.raises(CallbackRefused):
        asked(token="", hub_verify_token="")


@pytest.mark.parametrize(
    "changed",
    [
        {"hub_challenge": None},
        {"hub_challenge": ""},
        {"hub_challenge": "a" * 101},
        {"hub_challenge": "<script>alert(1)</script>"},
        {"hub_challenge": "1\r\nSet-Cookie: a=b"},
        {"hub_challenge": "١٢٣"},
        {"hub_mode": None},
        {"hub_mode": "unsubscribe"},
        {"hub_mode": "Subscribe"},
    ],
)
def test_a_handshake_of_another_form_is_refused(changed: dict[str, str | None]) -> None:
    with pytest.raises(CallbackRefused) as refused:
        asked(**changed)
    assert refused.value.code == "malformed_handshake"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "?hub.mode=subscribe",
        f"?hub.mode=subscribe&hub.challenge=1&hub.verify_token=wrong&hub.verify_token={TOKEN}",
        f"?hub.mode=subscribe&hub.challenge=1&hub.challenge=2&hub.verify_token={TOKEN}",
        f"#?hub.mode=subscribe&hub.challenge=1&hub.verify_token={TOKEN}",
        "?" + "&".join(f"a{at}=1" for at in range(100)),
        "?%ff%00=[::&\ud800",
    ],
)
def test_a_hostile_handshake_is_refused_and_nothing_else(query: str) -> None:
    with pytest.raises(CallbackRefused):
        callback.handshake("GET", URL + query, TOKEN)


@pytest.mark.parametrize(
    ("word", "arrival"),
    [
        ("sent", Arrival.SENT),
        ("delivered", Arrival.DELIVERED),
        ("read", Arrival.READ),
        ("failed", Arrival.UNDELIVERED),
    ],
)
def test_a_status_with_our_key_settles_our_disclosure(word: str, arrival: Arrival) -> None:
    event = only(webhook({"statuses": [status(word, biz_opaque_callback_data=KEY, errors=[{"code": 131026}])]}))
    assert event.type == f"message.{arrival}"
    assert event.settles is not None
    assert (event.settles.key, event.settles.arrival) == (KEY, arrival)
    assert event.settles.detail == ("131026" if word == "failed" else None)
    assert event.occurred_at == datetime(2026, 1, 15, 9, 31, tzinfo=UTC)
    assert event.answered is None


@pytest.mark.parametrize(
    "key",
    [None, "", "order-4711", KEY.upper(), KEY[:-1], f"{KEY}0", f" {KEY}", f"{KEY}\n", KEY.replace("cg_", "CG_"), 7, [KEY],
     {"key": KEY}, "cg_" + "g" * 32, "cg_" + "\u0660" * 32]
)  # fmt: skip
def test_a_key_that_is_not_ours_settles_nothing_and_the_status_is_heard_all_the_same(key: Any) -> None:
    event = only(webhook({"statuses": [status(biz_opaque_callback_data=key)]}))
    assert (event.type, event.settles) == ("message.delivered", None)
    assert dict(event.data) == {"id": ID, "status": "delivered"}


@pytest.mark.parametrize("errors", [None, [], {}, [None], [{}], [{"code": "131026"}], [{"code": True}], [{"code": -1}],
                                    [{"code": 10**12}], "CANARY"])  # fmt: skip
def test_only_a_number_says_why_a_message_did_not_arrive(errors: Any) -> None:
    event = only(webhook({"statuses": [status("failed", biz_opaque_callback_data=KEY, errors=errors)]}))
    assert event.settles is not None
    assert event.settles.code == "undelivered"
    assert "code" not in event.data


@pytest.mark.parametrize(
    ("text", "means", "wish"),
    [
        ("STOP", "stop", Wish.STOP),
        (" stop. ", "stop", Wish.STOP),
        ("Stopp", "stop", Wish.STOP),
        ("रोकें", "stop", Wish.STOP),
        ("START", "start", Wish.START),
        ("yes", "confirm", None),
        ("Nein", "decline", None),
        ("Please do not stop the treatment", "other", None),
        ("", "other", None),
        ("x" * 70_000, "other", None),
    ],
)
def test_a_reply_comes_down_to_one_word(text: str, means: str, wish: Wish | None) -> None:
    event = only(webhook({"messages": [written(text)]}))
    assert dict(event.data) == {"id": ID, "meaning": means}
    assert event.answered is not None
    assert event.answered.wish is wish


@pytest.mark.parametrize(
    "held",
    [
        message("button", button={"text": "No more of this", "payload": "STOP"}),
        message("button", button={"payload": "stop"}),
        message("button", button={"text": "Yes", "payload": "STOP"}),
        message("interactive", interactive={"type": "button_reply", "button_reply": {"id": "1", "title": "Stop"}}),
        message("interactive", interactive={"type": "list_reply", "list_reply": {"id": "stop", "title": "Enough"}}),
        message("image", image={"id": "1", "caption": "STOP"}),
        message("order", order={"text": "stop"}),
    ],
)
def test_a_stop_counts_however_it_is_said(held: dict[str, Any]) -> None:
    event = only(webhook({"messages": [held]}))
    assert event.answered is not None
    assert event.answered.wish is Wish.STOP


def test_what_was_written_is_shown_only_beside_the_reply_screened_and_cut() -> None:
    text = "Call +91 98765 43210. " + "word " * 200
    replied, shown = callback.translate(webhook({"messages": [written(text)]}), URL)
    assert "98765" not in repr(replied.data) + repr(shown.data)
    assert (shown.type, shown.answered, shown.settles) == ("message.reply_text", None, None)
    assert shown.data["text"].startswith("Call +[removed]. word")
    assert len(shown.data["text"]) == 300
    # Screened before it is cut: half a number looks like none.
    _, shown = callback.translate(webhook({"messages": [written("y" * 292 + " 9876543210 and more")]}), URL)
    assert "98765" not in shown.data["text"]


def test_a_stop_is_not_lost_for_a_neighbour_s_sake() -> None:
    for neighbour in ({"statuses": "x"}, {"messages": [{"type": "text"}]}, {"messages": [{**written("x"), "id": 7}]}):
        for values in ((neighbour, {"messages": [written("STOP")]}), ({"messages": [written("STOP")]}, neighbour)):
            event = only(webhook(*values))
            assert event.answered is not None
            assert event.answered.wish is Wish.STOP


def test_several_changes_are_several_events_each_of_its_own_number() -> None:
    other = {"metadata": {"phone_number_id": "99"}, "statuses": [status("read")]}
    events = callback.translate(webhook({"statuses": [status("sent"), status()]}, other), URL)
    assert [(event.type, event.account) for event in events] == [
        ("message.sent", ACCOUNT),
        ("message.delivered", ACCOUNT),
        ("message.read", "99"),
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_an_event"),
        (b"[]", "not_an_event"),
        (json.dumps({"object": "page", "entry": []}).encode(), "not_an_event"),
        (json.dumps({"object": "whatsapp_business_account"}).encode(), "malformed_event"),
        (json.dumps({"object": "whatsapp_business_account", "entry": [1]}).encode(), "malformed_event"),
        (webhook({}, field="feed"), "unknown_event"),
        (webhook({}, field=None), "unknown_event"),
        (webhook({"statuses": [status()], "metadata": {}}), "malformed_event"),
        (webhook({"statuses": [status()], "metadata": {"phone_number_id": 7}}), "malformed_event"),
        (webhook({"statuses": [status()], "metadata": {"phone_number_id": "1 or 2"}}), "malformed_event"),
        (webhook({"statuses": [{**status(), "id": "<b>"}]}), "malformed_event"),
        (webhook({"statuses": [{**status(), "status": 7}]}), "malformed_event"),
        (webhook({"messages": [{**written("x"), "type": None}]}), "malformed_event"),
        (webhook({"messages": {}}), "malformed_event"),
    ],
)
def test_what_is_not_whatsapp_s_or_cannot_be_read_is_refused(body: bytes, code: str) -> None:
    assert code_of(body) == code


@pytest.mark.parametrize(
    "body",
    [
        webhook({}),
        webhook({"errors": [{"code": 130429}]}),
        webhook({"statuses": [status("played")]}),
        webhook({"messages": [message("reaction", reaction={"message_id": ID})]}),
        webhook({"messages": [message("system", system={"type": "user_changed_number", "body": "STOP"})]}),
        webhook({"user_preferences": [{"wa_id": "1", "value": "stop"}]}, field="user_preferences"),
        webhook({"calls": []}, field="calls"),
        webhook({"event": "APPROVED"}, field="message_template_status_update"),
        webhook({"event": "DISABLED_UPDATE"}, field="account_update"),
    ],
)
def test_what_is_whatsapp_s_and_not_used_says_nothing(body: bytes) -> None:
    assert callback.translate(body, URL) == ()
    assert callback.identity(body).startswith(("body|", "items|"))


def test_a_webhook_is_known_by_what_it_is_about() -> None:
    first = webhook({"statuses": [status()]})
    again = webhook({"statuses": [status(conversation={"id": "other"})]})
    assert callback.identity(first) == callback.identity(again)
    others = [
        webhook({"statuses": [status("read")]}),
        webhook({"statuses": [{**status(), "id": "wamid.other"}]}),
        webhook({"statuses": [status()], "metadata": {"phone_number_id": "99"}}),
        webhook({"statuses": [status(), status("read")]}),
        webhook({"messages": [written("x")]}),
        webhook({"statuses": [status()]}, {"messages": [written("x")]}),
        webhook({"statuses": [status(), {"id": None}]}),
        webhook({"statuses": [status(), {"id": None, "a": 1}]}),
        webhook({"statuses": [status()]}, {"statuses": "unreadable"}),
        webhook({"errors": []}),
        webhook({"errors": [{}]}),
    ]
    assert len({callback.identity(body) for body in (first, *others)}) == len(others) + 1
    assert ID not in callback.identity(first)


@pytest.mark.parametrize(
    ("wa_id", "number"),
    [
        ("14155550123", "+14155550123"),
        ("919876543210", "+919876543210"),
        ("5215512345678", "+525512345678"),
        ("525512345678", "+525512345678"),
        ("553187654321", "+5531987654321"),
        ("5531987654321", "+5531987654321"),
        ("551132654321", "+551132654321"),  # a landline in São Paulo has eight digits
        ("5491123456789", "+5491123456789"),
        ("", None),
        ("0123456789", None),
        ("+14155550123", None),
        ("1234", None),
        ("1" * 16, None),
        ("١٤١٥٥٥٥٠١٢٣", None),
        ("US.13491208655302741918", None),
        (14155550123, None),
    ],
)
def test_a_number_is_the_one_that_messages_are_sent_to(wa_id: Any, number: str | None) -> None:
    assert e164(wa_id) == number


def test_a_reply_without_a_number_is_heard_and_stops_nobody_else() -> None:
    event = only(webhook({"messages": [{**written("STOP"), "from": "US.13491208655302741918"}]}))
    assert (event.data["meaning"], event.answered) == ("stop", None)


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 10**20) | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["id", "status", "timestamp", "errors", "code", "type", "text", "body", "from",
                                         "button", "interactive", "button_reply", "metadata", "phone_number_id"]),
                        inner, max_size=5), max_leaves=20))  # fmt: skip
def test_no_change_of_any_shape_breaks_the_reading(held: Any) -> None:
    for body in (webhook({"statuses": [held], "messages": [held]}), webhook({"statuses": held, "metadata": held})):
        for read in (callback.identity, lambda raw: callback.translate(raw, URL)):
            try:
                read(body)
            except CallbackRefused:
                continue
