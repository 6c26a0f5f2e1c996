"""A number is E.164 or nothing, a language is spelled as BCP 47 spells it, and a message is known by its request."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.checks import RegistryError
from connectors.message import Message, region_of
from connectors.registry import Registry
from connectors.scaffold import write_connector
from connectors.wire import wording_of
from scopes.consent import Channel
from scopes.field import shape_of
from scopes.minimize import InvalidPayload, minimize

SHAPE = shape_of(Message)


def number(text: Any) -> str:
    return str(minimize(SHAPE, {"phone": text}).values["phone"])


@pytest.mark.parametrize(
    ("text", "e164", "region"),
    [
        ("+14155550123", "+14155550123", "US"),
        ("+1 (415) 555-0123", "+14155550123", "US"),
        ("+91 98765 43210", "+919876543210", "IN"),
        ("+49 1512 3456789", "+4915123456789", "DE"),
        ("+442083661177", "+442083661177", "GB"),
        ("+870773111632", "+870773111632", None),  # Inmarsat: of no country
    ],
)
def test_a_number_is_written_as_e164_and_has_a_country(text: str, e164: str, region: str | None) -> None:
    assert number(text) == e164
    assert number(e164) == e164
    assert region_of(e164) == region


@pytest.mark.parametrize(
    "text",
    [
        "9876543210",
        "09876543210",
        "0049151123456",
        "(415) 555-0123",
        "+91 12345",
        "+1415555012",
        "+910000000000",
        "+999123456789",
        "+14155550123;ext=5",
        "+14155550123 x5",
        "+1415555CALL",
        "tel:+14155550123",
        "+٩١٩٨٧٦٥٤٣٢١٠",
        "+14155550123\n",
        "",
        "+",
        14155550123,
    ],
)
def test_anything_else_is_refused_without_being_repeated(text: Any) -> None:
    with pytest.raises(InvalidPayload) as refused:
        number(text)
    assert [fault.path for fault in refused.value.faults] == ["phone"]
    assert not str(text) or str(text).strip() not in str(refused.value).replace("+14155550123", "")


@given(st.text(max_size=40))
@example("+" + "1" * 39)
def test_no_text_breaks_the_reading_of_numbers(text: str) -> None:
    try:
        found = number(text)
    except InvalidPayload:
        return
    assert found == number(found)
    assert region_of(found) is None or len(str(region_of(found))) == 2


@pytest.mark.parametrize("text", ["", "hello", "+1", "+999123"])
def test_what_is_no_number_has_no_country(text: str) -> None:
    assert region_of(text) is None


@pytest.mark.parametrize(
    ("text", "tag"),
    [("en", "en"), ("EN-in", "en-IN"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419"), ("fil", "fil")],
)
def test_a_language_is_spelled_as_bcp_47_spells_it(text: str, tag: str) -> None:
    assert minimize(SHAPE, {"phone": "+14155550123", "language": text}).values["language"] == tag


@pytest.mark.parametrize("text", ["", "e", "english", "en_US", "en-", "en-USA", "en-US-x-a", "еn"])
def test_another_spelling_of_a_language_is_refused(text: str) -> None:
    with pytest.raises(InvalidPayload) as refused:
        minimize(SHAPE, {"phone": "+14155550123", "language": text})
    assert [fault.path for fault in refused.value.faults] == ["language"]


@pytest.mark.parametrize("name", ["", "Reminder", "re minder", "../x", "1st", "a" * 65])
def test_a_template_has_a_plain_name(name: str) -> None:
    with pytest.raises(InvalidPayload):
        minimize(SHAPE, {"phone": "+14155550123", "template": name})


def spoilt(root: Path, name: str, old: str, new: str) -> Path:
    write_connector(root, name)
    manifest = root / name / "manifest.toml"
    assert old in manifest.read_text()
    manifest.write_text(manifest.read_text().replace(old, new))
    return root


def test_an_action_whose_request_is_a_message_is_one(tmp_path: Path) -> None:
    write_connector(tmp_path, "messaging/acme")
    actions = Registry.load([tmp_path]).connector("messaging/acme").actions.values()
    assert all((action.message, action.channel) == (True, Channel.SMS) for action in actions)
    assert not any(action.message for action in Registry.load().connector("payments/stripe").actions.values())


def test_a_message_without_a_channel_does_not_load(tmp_path: Path) -> None:
    spoilt(tmp_path, "messaging/acme", 'channel = "sms"\n', "")
    with pytest.raises(RegistryError, match=r"actions\.send_\w+\.channel: Send\w+ is a Message; name the channel"):
        Registry.load([tmp_path])


@pytest.mark.parametrize("channel", ["sms", "whatsapp"])
def test_nothing_but_a_message_goes_out_on_a_channel_for_messages(tmp_path: Path, channel: str) -> None:
    spoilt(tmp_path, "labs/one", 'repeat = "always"', f'repeat = "always"\nchannel = "{channel}"')
    with pytest.raises(RegistryError, match=f"derive Send from Message: over {channel} go templates only"):
        Registry.load([tmp_path])


def test_a_connector_without_words_makes_none_up() -> None:
    from connectors.contract import Rejected
    from tests.conformance.harness import CapturingEgress

    manifest = Registry.load().connector("payments/stripe").manifest
    with pytest.raises(Rejected, match="wording_missing"):
        wording_of(CapturingEgress(manifest))
