"""A text says its own words and the declared fields, and nothing else: whatever a value holds, it is never read again."""

from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from connectors.messaging import actions
from scopes.consent import Channel
from scopes.dlt import Registration
from scopes.field import Disclosed, Shape, shape_of
from scopes.minimize import minimize
from scopes.template import (
    AtVendor,
    Gap,
    Slot,
    Template,
    Unfilled,
    cleaned,
    faults_of_body,
    faults_of_gaps,
    fill,
    fillable,
    read,
)
from scopes.wording import Dlt, Encoding, Parameter

REMINDER, LINK, NOTICE = map(shape_of, (actions.SendReminder, actions.SendPaymentLink, actions.SendNotice))
BASE = {
    REMINDER: {"phone": "+14155550123", "starts_at": "2026-11-27T10:30:00+05:30"},
    LINK: {"phone": "+14155550123", "url": "https://pay.example.com/l/7Hq2", "amount_minor": 4250, "currency": "EUR"},
    NOTICE: {"phone": "+14155550123"},
}
BODY = "Hi {given_name|there}, see you {starts_at:date} at {starts_at:time}."


class Plain:
    """Writes everything the same way in every language, so that a test can read it."""

    def moment(self, value: date, form: str, language: str) -> str:
        return f"<{form} {value:%d.%m.%Y}{f' {value:%H:%M}' if isinstance(value, datetime) else ''} {language}>"

    def amount(self, minor: int, currency: str, language: str) -> str:
        return f"<{minor} {currency} {language}>"


def template(body: str, **given: Any) -> Template:
    said = {"name": "reminder", "version": 3, "action": "messaging/send_reminder", "channel": Channel.SMS, **given}
    return Template(**{"language": "en", "pieces": read(body), **said})


def model(shape: Shape = REMINDER, withheld: frozenset[str] = frozenset(), **given: Any) -> Disclosed:
    return minimize(shape, {**BASE[shape], **given}, withheld).model


def text(body: str, shape: Shape = REMINDER, **given: Any) -> str:
    return fill(template(body), model(shape, **given), Plain()).text


def faults(body: str, shape: Shape = REMINDER) -> list[str]:
    pieces = read(body)
    gaps = tuple(piece for piece in pieces if isinstance(piece, Gap))
    return [fault.message for fault in faults_of_body(body, pieces)] + list(faults_of_gaps(gaps, shape))


def test_a_text_is_filled_with_the_fields_that_it_names() -> None:
    assert text(BODY, given_name="Asha") == (
        "Hi Asha, see you <date 27.11.2026 10:30 en> at <time 27.11.2026 10:30 en>."
    )
    assert text("{given_name|} owes {amount}: {url}", LINK, given_name="Asha") == (
        "Asha owes <4250 EUR en>: https://pay.example.com/l/7Hq2"
    )


def test_a_field_that_is_not_there_or_is_withheld_leaves_its_other_words() -> None:
    assert text(BODY).startswith("Hi there,")
    kept_back = model(withheld=frozenset({"given_name"}), given_name="Asha")
    assert fill(template(BODY), kept_back, Plain()).text.startswith("Hi there,")


def test_a_wording_says_what_it_is_and_prints_no_value() -> None:
    wording = fill(template(BODY), model(given_name="Meenakshi"), Plain())
    assert (wording.template, wording.version, wording.language, wording.channel) == ("reminder", 3, "en", Channel.SMS)
    assert (wording.encoding, wording.segments, wording.dlt, wording.parameters) == (Encoding.GSM7, 1, None, ())
    assert "Meenakshi" not in repr(wording)
    assert "27.11" not in repr(wording)
    assert "Meenakshi" not in repr(Parameter("body", "text", "Meenakshi", "given_name"))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("Hi {name}", "{name} is nothing that can be said here"),
        ("Hi {phone}", "{phone} is nothing that can be said here"),
        ("Hi {template|x}", "{template} is nothing that can be said here"),
        ("Hi {amount}", "{amount} is nothing that can be said here"),
        ("Hi {given_name}", "{given_name} may be missing; say what stands there then"),
        ("Hi {given_name:date|you}", "{given_name} must be written as {given_name}"),
        (
            "At {starts_at}",
            "{starts_at} must be written as {starts_at:date} or {starts_at:time} or {starts_at:datetime}",
        ),
        ("At {starts_at:year}", "{starts_at} must be written as {starts_at:date}"),
        ("At {starts_at:date|soon}", "{starts_at} is always there; take out what follows the |"),
        ("Hi {{given_name|x}}", "must have braces only around a gap"),
        ("Hi {Given_Name|x}", "must have braces only around a gap"),
        ("Hi {given_name|{place|}}", "must have braces only around a gap"),
        ("Hi {#var#}", "must have braces only around a gap"),
        ("Hi {given_name.__class__}", "must have braces only around a gap"),
        ("Hi {", "must have braces only around a gap"),
        ("", "must be a text of 1 to 1000 characters"),
        (" \n", "must be a text of 1 to 1000 characters"),
        ("x" * 1001, "must be a text of 1 to 1000 characters"),
        ("a\rb", "must have no control characters"),
        ("a\u202eb", "must have no control characters"),
        ("a\u2028b", "must have no control characters"),
        ("a\u200bb", "must have no control characters"),
        ("{given_name|a\u202eb}", "must have no control characters"),
    ],
)
def test_a_text_that_cannot_be_filled_is_told_why(body: str, why: str) -> None:
    assert [fault for fault in faults(body) if why in fault], faults(body)


def test_a_fault_names_everything_that_is_known() -> None:
    (fault,) = faults("{x}")
    assert fault.endswith(
        "known are {starts_at:date}, {starts_at:time}, {starts_at:datetime}, {given_name|...}, {practitioner|...}, {place|...}"
    )
    assert set(fillable(LINK)) == {"url", "given_name", "amount"}
    assert set(fillable(NOTICE)) == {"given_name", "note"}


@pytest.mark.parametrize("body", [BODY, "Closed today.\nNo need to call.", "{given_name|}", "क्लिनिक {place|}"])
def test_a_good_text_has_no_fault(body: str) -> None:
    assert faults(body) == []


def test_a_text_that_the_action_has_outgrown_is_not_sent() -> None:
    with pytest.raises(Unfilled, match="does not fit the action's fields any more"):
        fill(template("{note|}x"), model(), Plain())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a\nb", "a b"),
        ("a\r\n\tb", "a b"),
        ("a\u2028b\u0085c", "a b c"),
        ("a\x00b\x1b[31m", "a b [31m"),
        ("\u202eevil\u202c", "evil"),
        ("a\u200b\ufeffb", "ab"),
        ("\u2066a\u2069", "a"),
        ("e\u0301", "é"),
        ("क्\u200dष", "क्\u200dष"),
        ("\u200d", ""),
        (" \u200c a", "a"),
        ("\ue000a\U000e0041", "a"),
        ("{starts_at:date} {{x}}", "{starts_at:date} {{x}}"),
    ],
)
def test_a_value_is_cleaned_to_what_is_read(value: str, said: str) -> None:
    assert cleaned(value) == said
    assert cleaned(said) == said


def test_a_value_that_is_nothing_when_cleaned_is_not_there() -> None:
    assert text("Note: {note|none}", NOTICE, note="\u200b\n\u202e") == "Note: none"


def test_a_text_that_is_nothing_or_too_long_is_no_message() -> None:
    for body, note in (("{note|}", None), ("{note|}" * 10, "x" * 300)):
        with pytest.raises(Unfilled, match="empty, or longer"):
            text(body, NOTICE, note=note)


def test_a_vendor_that_keeps_the_text_takes_less_of_it() -> None:
    said = template("x" * 1_000 + "{note|}", at_vendor=AtVendor("notice", "en", ()))
    assert fill(said, model(NOTICE, note="x" * 24), Plain()).text == "x" * 1_024
    with pytest.raises(Unfilled, match="longer than 1024"):
        fill(said, model(NOTICE, note="x" * 25), Plain())


_SAID = st.text(
    st.one_of(st.sampled_from("{}|:#.'\"%$<>&\n\u202e"), st.characters(exclude_categories=["Cs"])),
    min_size=1,
    max_size=60,
)


@given(note=_SAID, around=st.lists(st.sampled_from(["", "a ", " b", "{given_name|x}"]), min_size=2, max_size=2))
@example(note="{given_name|}", around=["a ", " b"])
@example(note="{note|}{note|}", around=["", ""])
@example(note="{given_name.__init__.__globals__}", around=["", "{given_name|x}"])
def test_a_value_is_never_read_as_a_text_with_gaps(note: str, around: list[str]) -> None:
    held = model(NOTICE, note=note, given_name="Meenakshi")
    value = cleaned(held.note)  # type: ignore[attr-defined]  # NOTICE's model has one
    assume(value)
    before, after = (part.replace("{given_name|x}", "Meenakshi") for part in around)
    assert fill(template("{note|}".join(around)), held, Plain()).text == before + value + after


_WORDS = st.text(st.characters(categories=["Ll"], max_codepoint=0x24F), min_size=12, max_size=30)


@given(
    name=_WORDS,
    practitioner=_WORDS,
    place=_WORDS,
    named=st.sets(st.sampled_from(["given_name", "practitioner", "place"])),
)
def test_a_text_holds_only_the_values_of_the_fields_that_it_names(
    name: str, practitioner: str, place: str, named: set[str]
) -> None:
    values = {"given_name": name, "practitioner": practitioner, "place": place}
    assume(len(set(map(cleaned, values.values()))) == 3)
    body = "Hi. " + " / ".join(f"{{{field}|}}" for field in sorted(named)) + " {starts_at:time}"
    said = text(body, **values, diagnosis="Undeclared Qwertzuiop", PHONE="Qwertzuiop")
    expected = "Hi. " + " / ".join(cleaned(values[field]) for field in sorted(named)) + " <time 27.11.2026 10:30 en>"
    assert said == expected
    assert "Qwertzuiop" not in said
    assert "+14155550123" not in said


# What a vendor keeps itself -----------------------------------------------------------------------------------------------


def at_vendor(*slots: Slot) -> AtVendor:
    return AtVendor("appointment_reminder", "en_US", slots)


def test_a_vendor_that_keeps_the_text_gets_the_values_in_its_order() -> None:
    kept = at_vendor(
        Slot("body", "text", Gap("starts_at", "time")),
        Slot("body", "text", Gap("given_name", "", "there")),
        Slot("header", "date_time", Gap("starts_at", "date")),
    )
    wording = fill(template(BODY, at_vendor=kept), model(), Plain())
    assert (wording.vendor_name, wording.vendor_language) == ("appointment_reminder", "en_US")
    assert wording.parameters == (
        Parameter("body", "text", "<time 27.11.2026 10:30 en>", "starts_at"),
        Parameter("body", "text", "there", "given_name"),
        Parameter("header", "date_time", "<date 27.11.2026 10:30 en>", "starts_at"),
    )


def test_a_button_gets_what_follows_its_fixed_address() -> None:
    button = Slot("button:0", "url", Gap("url"), "https://pay.example.com/l/")
    amount = Slot("body", "currency", Gap("amount"))
    wording = fill(template("Pay {amount}", at_vendor=at_vendor(amount, button)), model(LINK), Plain())
    assert wording.parameters == (
        Parameter("body", "currency", "<4250 EUR en>", "amount_minor"),
        Parameter("button:0", "url", "7Hq2", "url"),
    )
    for url in ("https://elsewhere.example/l/7Hq2", "https://pay.example.com/l/"):
        with pytest.raises(Unfilled, match="fixed part"):
            fill(template("Pay {amount}", at_vendor=at_vendor(button)), model(LINK, url=url), Plain())


# India --------------------------------------------------------------------------------------------------------------------

REGISTERED = Registration(
    entity_id="1101234567890123456",
    header="CLINIC",
    template_id="1107123456789012345",
    text="Hi {#var#}, come to {#var#}.",
)


def test_a_registered_text_carries_what_the_register_knows_it_by() -> None:
    said = template("Hi {given_name|there}, come to {place|us}.", dlt=REGISTERED)
    wording = fill(said, model(given_name="Asha"), Plain(), registered=True)
    assert wording.dlt == Dlt("1101234567890123456", "CLINIC", "1107123456789012345")
    assert fill(said, model(), Plain()).dlt is None


@pytest.mark.parametrize(
    ("body", "given", "why"),
    [
        ("Hi {given_name|there}, come to {place|us}!", {}, "another text"),
        ("Hi {given_name|there}, come to {place|us}.", {"place": "x" * 41}, "more than 40"),
        ("Hi {given_name|}, come to {place|us}.", {}, "another text"),
    ],
)
def test_a_text_that_is_not_the_registered_one_is_not_filled(body: str, given: dict[str, str], why: str) -> None:
    said = template(body, dlt=REGISTERED)
    assert fill(said, model(**given), Plain()).text
    with pytest.raises(Unfilled, match=why):
        fill(said, model(**given), Plain(), registered=True)
    with pytest.raises(Unfilled, match="no DLT registration"):
        fill(template(body), model(**given), Plain(), registered=True)
