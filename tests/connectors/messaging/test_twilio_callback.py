"""Twilio's messages: what is taken, what is refused, and how the `twilio` package judges the same ones."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from connectors.contract import Arrival, CallbackRefused, Wish
from connectors.messaging.twilio import callback, form
from scopes.consent import Channel
from scopes.vocabulary import Outcome
from tests.connectors.messaging.twilio import (
    ACCOUNT,
    FORM,
    KEY,
    OTHER,
    REPLY,
    SID,
    STATUS,
    TOKEN,
    URL,
    encoded,
    signature,
    signed,
)

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)


def verify(body: bytes, headers: dict[str, str], url: str = URL, secrets: Any = (TOKEN,)) -> None:
    callback.verify(body, headers, url, secrets, now=NOW)


def refusal(body: bytes, headers: dict[str, str], url: str = URL, secrets: Any = (TOKEN,)) -> str:
    with pytest.raises(CallbackRefused) as refused:
        verify(body, headers, url, secrets)
    return refused.value.code


def unreadable(parameters: dict[str, str]) -> str:
    with pytest.raises(CallbackRefused) as refused:
        callback.translate(encoded(parameters), URL)
    return refused.value.code


def test_the_published_signature_is_made() -> None:
    """The same from the packages for Python and Node."""
    assert form.sign("https://x.example/cb?b=1", {"A": "1", "B": "2"}, "tok") == "f5s4qc0cyjLfBUHMSh/UhA0GOxw="


@pytest.mark.parametrize("parameters", [STATUS, REPLY, {**REPLY, "Body": "नमस्ते & +1 é \r\n%"}])
def test_what_the_package_signs_is_taken(parameters: dict[str, str]) -> None:
    verify(encoded(parameters), signed(parameters))
    verify(encoded(parameters), signed(parameters), secrets=(OTHER, TOKEN))


@pytest.mark.parametrize(
    "url", [URL, f"{URL}?d={KEY}", f"{URL}?a=%20b&c", URL.replace(".example", ".example:443"),
            URL.replace(".example", ".example:8443"), URL.replace("https", "http"), "https://[2001:db8::1]/hooks/1",
            "https://[2001:db8::1]:443/hooks/1"],
)  # fmt: skip
def test_the_address_is_signed_with_and_without_its_port_as_the_package_has_it(url: str) -> None:
    body = encoded(STATUS)
    for address in form.addresses(url):
        made = signature(STATUS, address)
        verify(body, signed(STATUS, address), url)
        if "[" not in url:  # the package cuts such an address at its first colon
            assert RequestValidator(TOKEN).validate(url, dict(STATUS), made)
    for other in (f"{url}x", f"{url}&", url.replace("hooks", "Hooks"), f"https://other{url[7:]}"):
        assert refusal(body, signed(STATUS, other), url) == "bad_signature"


@pytest.mark.parametrize(
    ("signed_for", "called"),
    [
        ("https://gateway.example:443/hooks/1", "https://gateway.example/hooks/1"),
        ("https://gateway.example/hooks/1", "https://gateway.example:443/hooks/1"),
        ("https://gateway.example/hooks/1", "https://gateway.example:8443/hooks/1"),
        ("http://gateway.example:80/hooks/1", "http://gateway.example/hooks/1"),
        ("https://[2001:db8::1]/hooks/1", "https://[2001:db8::1]:443/hooks/1"),
        ("https://[2001:db8::1]:443/hooks/1", "https://[2001:db8::1]/hooks/1"),
    ],
)
def test_a_port_that_only_one_side_writes_changes_nothing(signed_for: str, called: str) -> None:
    verify(encoded(STATUS), signed(STATUS, signed_for), called)
    assert (
        refusal(encoded(STATUS), signed(STATUS, signed_for.replace("/hooks", ":444/hooks")), called) == "bad_signature"
    )


def test_the_query_is_signed_too_so_that_nobody_settles_another_s_message() -> None:
    headers = signed(STATUS, f"{URL}?d={KEY}")
    verify(encoded(STATUS), headers, f"{URL}?d={KEY}")
    for query in ("", f"?d={KEY[:-1]}2", f"?d={KEY}&d=", f"?D={KEY}"):
        assert refusal(encoded(STATUS), headers, URL + query) == "bad_signature"


def test_names_and_values_are_not_kept_apart_by_the_signature_but_by_us() -> None:
    """Finding: Body=STOP and BodyST=OP have the same signature. The package takes both."""
    shifted = {**{name: value for name, value in REPLY.items() if name != "Body"}, "BodyST": "OP"}
    made = signature(REPLY)
    assert signature(shifted) == made
    assert RequestValidator(TOKEN).validate(URL, shifted, made)
    verify(encoded(REPLY), signed(REPLY))
    assert refusal(encoded(shifted), signed(REPLY)) == "not_a_message"
    assert refusal(encoded({**shifted, "Body": ""}), signed(REPLY)) == "unknown_parameter"


@pytest.mark.parametrize(
    ("genuine", "moved"),
    [
        ({"FromCity": "PARIS"}, {"From": "+14155550123FromCityPARIS"}),
        ({"Body": "STOPFrom+16505550100"}, {"Body": "STOP", "From": "+16505550100From+14155550123"}),
        ({"OptOutType": "STOP"}, {"NumMedia": "0OptOutTypeSTOP", "ToCity": "x"}),
    ],
)
def test_a_border_that_is_moved_between_known_names_is_noticed(genuine: dict[str, str], moved: dict[str, str]) -> None:
    told = {**REPLY, **genuine}
    made = signature(told)
    forged = {name: value for name, value in told.items() if name not in genuine} | moved
    if "ToCity" not in moved:
        assert signature(forged) == made, "the signature is blind to this"
    assert refusal(encoded(forged), {"Content-Type": FORM, "X-Twilio-Signature": made}) in {
        "malformed_message",
        "bad_signature",
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (encoded(STATUS) + b"&To=%2B14155550123", "repeated_parameter"),
        (encoded(STATUS) + b"&FromCity=x", "unknown_parameter"),
        (encoded(STATUS) + b"&OptOutType=STOP", "unknown_parameter"),
        (encoded(REPLY) + b"&ErrorCode=30003", "unknown_parameter"),
        (encoded(REPLY) + b"&Diagnosis=x", "unknown_parameter"),
        (encoded(REPLY) + b"&MediaUrl100=x", "unknown_parameter"),
        (encoded(REPLY) + b"&body=x", "unknown_parameter"),
        (encoded(REPLY) + b"&ToCity", "not_a_form"),
        (encoded(REPLY) + b"&", "not_a_form"),
        (encoded(REPLY) + b"&=x", "not_a_form"),
        (encoded(REPLY) + b"&ToCity=%ff", "not_a_form"),
        (encoded(REPLY) + b"&ToCity=\xc3\xa9", "not_a_form"),
        (encoded(REPLY) + b"&" + b"a" * 41 + b"=x", "not_a_form"),
        (b"&".join(b"a%d=1" % number for number in range(200)), "too_many_parameters"),
        (b"", "not_a_form"),
        (b"{}", "not_a_form"),
        (b"AccountSid=x", "not_a_message"),
    ],
)
def test_what_is_no_form_of_twilio_s_is_refused_by_name_whoever_signed_it(body: bytes, code: str) -> None:
    assert refusal(body, signed(STATUS)) == code
    with pytest.raises(CallbackRefused):
        callback.identity(body)
    with pytest.raises(CallbackRefused):
        callback.translate(body, URL)


@pytest.mark.parametrize(
    ("changed", "value"),
    [("AccountSid", ""), ("AccountSid", "AC1"), ("MessageSid", ""), ("MessageSid", "XX" + SID[2:]), ("MessageStatus", ""),
     ("MessageStatus", "Delivered"), ("ErrorCode", "30003a"), ("ErrorCode", "1" * 7), ("From", ""), ("From", "+1" * 60),
     ("To", "+14155550123ToCityPARIS"), ("MessageSid", f"{SID}\n")],
)  # fmt: skip
def test_what_is_used_has_its_own_form(changed: str, value: str) -> None:
    assert unreadable({**STATUS, changed: value}) == "malformed_message"


@pytest.mark.parametrize("name", ["AccountSid", "MessageSid", "From"])
def test_what_is_needed_is_there(name: str) -> None:
    for message in (STATUS, REPLY):
        assert unreadable({key: value for key, value in message.items() if key != name}) == "malformed_message"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "signature_missing"),
        ({"X-Twilio-Signature": ""}, "signature_missing"),
        ({"X-Twilio-Signature": "é" * 28}, "bad_signature"),
        ({"X-Twilio-Signature": signature(STATUS)[:-1]}, "bad_signature"),
        ({"X-Twilio-Signature": signature(STATUS) + "\n"}, "bad_signature"),
        ({"X-Twilio-Signature": signature(STATUS, token=OTHER), "Content-Type": FORM}, "bad_signature"),
        ({"X-Twilio-Signature": signature(STATUS)}, "not_a_form"),
        ({"X-Twilio-Signature": signature(STATUS), "Content-Type": "application/json"}, "not_a_form"),
        ({"X-Twilio-Signature": signature(STATUS), "Content-Type": f"{FORM}; boundary=x"}, "not_a_form"),
    ],
)
def test_a_header_of_another_form_is_refused_by_name(headers: dict[str, str], code: str) -> None:
    assert refusal(encoded(STATUS), headers) == code


def test_the_headers_names_and_the_form_s_may_be_written_in_any_case() -> None:
    made = signature(STATUS)
    for kind in ("application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded;charset=utf-8"):
        verify(encoded(STATUS), {"x-TWILIO-signature": made, "content-TYPE": kind})


@pytest.mark.parametrize("secrets", [(), ("",), ("  ",), [OTHER]])
def test_without_the_right_token_nothing_is_taken(secrets: Any) -> None:
    assert refusal(encoded(STATUS), signed(STATUS), secrets=secrets) == "bad_signature"
    assert refusal(encoded(STATUS), signed(STATUS, token=""), secrets=secrets) == "bad_signature"


def test_the_scheme_for_json_is_not_used_and_so_refused() -> None:
    """There the form's parameters are not signed at all, only a hash that stands in the address."""
    url = f"{URL}?bodySHA256={'0' * 64}"
    assert refusal(encoded(STATUS), signed(STATUS, url), url) == "json_not_used"


@pytest.mark.parametrize("url", ["", "x", "\x00", "https://", "ftp://gateway.example/", "https://gateway.example:x/"])
def test_without_an_address_of_ours_nothing_is_taken(url: str) -> None:
    assert refusal(encoded(STATUS), signed(STATUS, url), url) == "address_unreadable"


_NAMES = st.sampled_from(sorted(form.STATUS | form.INBOUND)) | st.text(max_size=12)


@given(st.dictionaries(_NAMES, st.text(max_size=30), max_size=12), st.text(max_size=40), st.text(max_size=60))
def test_whatever_comes_is_read_or_refused_and_breaks_nothing(parameters: dict[str, str], made: str, url: str) -> None:
    parameters = {name: value.encode("utf-8", "replace").decode() for name, value in parameters.items()}
    body = b"&".join(b"=".join(part.encode("utf-8", "replace") for part in pair) for pair in parameters.items())
    for raw in (body, encoded({name: value for name, value in {**REPLY, **parameters}.items() if name.isascii()})):
        with pytest.raises(CallbackRefused):
            verify(raw, {"X-Twilio-Signature": made, "Content-Type": FORM}, url)
        for read in (callback.identity, lambda each: callback.translate(each, url)):
            try:
                read(raw)
            except CallbackRefused:
                continue


def test_a_message_is_known_again_by_its_id_and_how_far_it_came() -> None:
    """Not by the token in the headers, which nobody signs."""
    assert callback.identity(encoded(STATUS)) == f"{SID}|delivered"
    assert callback.identity(encoded({**STATUS, "MessageStatus": "sent"})) == f"{SID}|sent"
    assert callback.identity(encoded({**STATUS, "To": "+1415555XXXX"})) == f"{SID}|delivered"
    assert callback.identity(encoded(REPLY)) == SID


@pytest.mark.parametrize(
    ("status", "code", "arrival", "outcome"),
    [
        ("sent", None, Arrival.SENT, Outcome.ACCEPTED),
        ("delivered", None, Arrival.DELIVERED, Outcome.ACCEPTED),
        ("read", None, Arrival.READ, Outcome.ACCEPTED),
        ("undelivered", "30003", Arrival.UNDELIVERED, Outcome.FAILED),
        ("failed", "30007", Arrival.UNDELIVERED, Outcome.FAILED),
        ("canceled", None, Arrival.UNDELIVERED, Outcome.FAILED),
    ],
)
def test_a_status_settles_the_disclosure_that_the_address_names(
    status: str, code: str | None, arrival: Arrival, outcome: Outcome
) -> None:
    told = {**STATUS, "MessageStatus": status, **({"ErrorCode": code} if code else {})}
    (event,) = callback.translate(encoded(told), f"{URL}?d={KEY}")
    assert (event.type, event.account, event.occurred_at) == (f"message.{arrival}", ACCOUNT, None)
    assert event.data == {"id": SID, "status": status, **({"code": code} if code else {})}
    assert event.settles is not None
    assert (event.settles.key, event.settles.arrival.outcome) == (KEY, outcome)
    assert event.settles.code == (f"undelivered.{code}" if code else str(arrival))


@pytest.mark.parametrize("status", ["queued", "accepted", "sending", "scheduled", "partially_delivered", "of_tomorrow"])
def test_what_twilio_only_has_in_its_queue_says_nothing_yet(status: str) -> None:
    assert callback.translate(encoded({**STATUS, "MessageStatus": status}), f"{URL}?d={KEY}") == ()


@pytest.mark.parametrize(
    "query", ["", "?d=", "?d=cg_1", f"?d={KEY.upper()}", f"?d={KEY}&d={KEY}", f"?x={KEY}", f"?d={KEY}%0a"]
)
def test_an_address_that_names_no_attempt_of_ours_settles_nothing(query: str) -> None:
    (event,) = callback.translate(encoded(STATUS), URL + query)
    assert event.settles is None


@pytest.mark.parametrize(
    ("body", "found", "means", "wish"),
    [
        ("STOP", None, "stop", Wish.STOP),
        ("cancel", None, "stop", Wish.STOP),
        ("arrêt", None, "stop", Wish.STOP),
        ("leave it", "STOP", "stop", Wish.STOP),
        ("yes", "STOP", "stop", Wish.STOP),
        ("START", None, "start", Wish.START),
        ("hello", "START", "start", Wish.START),
        ("YES", "START", "confirm", None),
        ("YES", None, "confirm", None),
        ("stop", "HELP", "other", None),
        ("no", None, "decline", None),
        ("what time was it?", None, "other", None),
        ("what time was it?", "", "other", None),
    ],
)
def test_a_reply_is_what_it_comes_down_to(body: str, found: str | None, means: str, wish: Wish | None) -> None:
    told = {**REPLY, "Body": body} if found is None else {**REPLY, "Body": body, "OptOutType": found}
    replied, text = callback.translate(encoded(told), URL)
    assert replied.data == {"id": SID, "meaning": means}
    assert replied.answered is not None
    assert (replied.answered.address, replied.answered.channel, replied.answered.wish) == (
        "+14155550123",
        Channel.SMS,
        wish,
    )
    assert text.answered is None, "a wish counts once"
    assert text.data == {"id": SID, "meaning": means, "text": body}


def test_nothing_that_twilio_guesses_about_a_person_comes_through() -> None:
    told = dict(REPLY)
    for name in sorted(form.INBOUND - REPLY.keys() - {"OptOutType"}):
        told[name] = f"CANARY {name}"
    told |= {"MediaUrl0": "CANARY", "MediaContentType0": "CANARY"}
    verify(encoded(told), signed(told))
    assert "CANARY" not in repr([dict(event.data) for event in callback.translate(encoded(told), URL)])


def test_a_text_is_screened_before_it_is_cut() -> None:
    body = "x" * 290 + " 4111 1111 1111 1111 and more"
    _, text = callback.translate(encoded({**REPLY, "Body": body}), URL)
    assert "4111" not in text.data["text"]
    assert len(text.data["text"]) <= 300


def test_the_words_are_behind_a_feature_and_what_they_come_down_to_is_not() -> None:
    from tests.connectors.messaging.twilio import TWILIO

    assert TWILIO.manifest.feature_of("message.reply_text") == "replies"
    assert {name for name in callback.KNOWN if TWILIO.manifest.feature_of(name)} == {"message.reply_text"}


def test_an_answer_prints_no_address() -> None:
    assert "+14155550123" not in repr(callback.translate(encoded(REPLY), URL))


@pytest.mark.parametrize("sender", ["whatsapp:+14155550123", "rcs:agent", "messenger:123"])
def test_other_channels_of_twilio_s_are_not_ours(sender: str) -> None:
    assert callback.translate(encoded({**REPLY, "From": sender}), URL) == ()


@pytest.mark.parametrize("sender", ["72645", "SHOP", "+1415555XXXX"])
def test_who_has_no_number_has_no_wish(sender: str) -> None:
    replied, _ = callback.translate(encoded({**REPLY, "From": sender}), URL)
    assert replied.answered is None
