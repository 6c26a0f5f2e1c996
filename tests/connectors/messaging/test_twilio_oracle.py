"""Our requests to Twilio, held against the `twilio` package and Twilio's own specification."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import pytest
from twilio.base.exceptions import TwilioRestException

from connectors.contract import ConnectorError, Egress, Message, ReconnectNeeded, Rejected
from connectors.example import example_of, example_wording
from connectors.messaging.twilio import answers, client, codes
from scopes.field import Shape
from scopes.minimize import minimize
from scopes.vocabulary import Category
from tests.conformance.harness import CapturingEgress, performed
from tests.connectors.messaging.twilio import ANSWER, TWILIO, package

PATH = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
SERVICE = "MG0123456789abcdef0123456789abcdef"
#: Our parameter, and the package's name for it.
SAME = {
    "To": "to", "From": "from_", "MessagingServiceSid": "messaging_service_sid", "Body": "body",
    "StatusCallback": "status_callback", "ContentRetention": "content_retention", "AddressRetention": "address_retention",
    "ValidityPeriod": "validity_period",
}  # fmt: skip


class Door(CapturingEgress):
    """A capturing door whose clinic set something else than the manifest's examples."""

    given: dict[str, str] | None = None

    @property
    def settings(self) -> dict[str, str]:
        return super().settings if self.given is None else self.given


def door(**settings: str) -> Door:
    made = Door(TWILIO.manifest, lambda _: httpx2.Response(201, json=ANSWER))
    made.given = settings or None
    return made


async def sent(name: str, egress: Door, *, optional: bool = True) -> dict[str, str]:
    """The parameters that an action sends."""
    action = TWILIO.actions[name]
    await performed(action, minimize(action.shape, example_of(action.shape, optional=optional)).model, egress)
    (request,) = egress.requests
    return dict(parse_qsl(request.content.decode(), strict_parsing=True))


@pytest.mark.parametrize("settings", [{"sender": "+15005550006"}, {"sender": "Lakeview", "redaction": "off"},
                                      {"sender": SERVICE, "redaction": "on"}])  # fmt: skip
@pytest.mark.parametrize("optional", [True, False])
@pytest.mark.parametrize("name", TWILIO.actions)
async def test_we_send_what_the_package_sends_by_the_same_door(
    name: str, optional: bool, settings: dict[str, str]
) -> None:
    ours, theirs = door(**settings), door(**settings)
    given = await sent(name, ours, optional=optional)
    await package(theirs).messages.create_async(**{SAME[parameter]: value for parameter, value in given.items()})
    (sent_by_us,), (sent_by_package,) = ours.requests, theirs.requests
    assert (sent_by_us.method, str(sent_by_us.url)) == (sent_by_package.method, str(sent_by_package.url))
    assert sorted(parse_qsl(sent_by_us.content.decode())) == sorted(parse_qsl(sent_by_package.content.decode()))
    assert sent_by_us.headers["Content-Type"] == sent_by_package.headers["Content-Type"]


@pytest.mark.parametrize(
    ("status", "code"), [(400, 21211), (400, 21610), (401, 20003), (404, 20404), (429, 20429), (403, 70051)]
)
async def test_what_the_package_raises_we_raise_and_say_what_to_do(status: int, code: int) -> None:
    body = {"code": code, "message": "m", "more_info": "i", "status": status}
    theirs = CapturingEgress(TWILIO.manifest, lambda _: httpx2.Response(status, json=body))
    with pytest.raises(TwilioRestException) as raised:
        await package(theirs).messages.create_async(to="+14155550123", body="x", from_="+15005550006")
    assert (raised.value.status, raised.value.code) == (status, code)
    ours = answers.refusal_in(httpx2.Response(status, json=body))
    assert isinstance(ours, codes.KINDS.get(code, Rejected))
    assert ours.code == codes.WORDS[code]


def test_every_word_for_a_number_is_one_that_an_error_may_carry() -> None:
    assert set(codes.KINDS) <= set(codes.WORDS)
    for number, word in codes.WORDS.items():
        assert Rejected(word).code == word, number
        assert 10000 <= number <= 99999


@pytest.mark.parametrize("status", [500, 502, 503, 408])
def test_a_listed_number_beside_an_unclear_status_stays_unclear(status: int) -> None:
    ours = answers.refusal_in(httpx2.Response(status, json={"code": 20429}))
    assert ours is not None
    assert ours.kind == "ambiguous"


async def test_without_words_sender_or_account_nothing_leaves() -> None:
    action = TWILIO.actions["send_reminder"]
    model = minimize(action.shape, example_of(action.shape)).model
    words = example_wording("send_reminder", model)
    tried: list[tuple[Door, Any, str, type[ConnectorError]]] = [
        (door(), None, "wording_missing", Rejected),
        (door(), replace(words, text="  "), "text_missing", Rejected),
        (door(), replace(words, text="x" * 1601), "text_too_long", Rejected),
        (door(redaction="on"), words, "sender_missing", Rejected),
    ]
    for egress, wording, code, kind in tried:
        egress.wording = wording
        with pytest.raises(kind) as raised:
            await action.perform(model, egress)
        assert raised.value.code == code
        assert egress.requests == []
    nowhere = door()
    nowhere.account, nowhere.wording = None, words
    with pytest.raises(ReconnectNeeded):
        await action.perform(model, nowhere)
    assert nowhere.requests == []


async def test_the_status_callback_s_query_names_the_attempt_and_nobody() -> None:
    egress = door()
    given = await sent("send_reminder", egress)
    assert given["StatusCallback"] == f"{egress.callback_url}?d={egress.idempotency_key}"
    silent = door()
    silent.callback_url = None
    assert "StatusCallback" not in await sent("send_reminder", silent)


@pytest.mark.parametrize(
    ("settings", "kept"), [({"redaction": "on"}, True), ({"redaction": "off"}, False), ({}, False)]
)
async def test_redaction_is_asked_for_where_the_account_has_it(settings: dict[str, str], kept: bool) -> None:
    given = await sent("send_notice", door(sender="+15005550006", **settings))
    assert ({"ContentRetention", "AddressRetention"} <= given.keys()) is kept
    assert ("ContentRetention" in given) is ("AddressRetention" in given)


async def test_only_what_is_about_a_moment_grows_stale_in_a_queue() -> None:
    stale = {name for name in TWILIO.actions if "ValidityPeriod" in await sent(name, door())}
    assert stale == {"send_reminder", "send_confirmation_request", "send_code"}


# --- Twilio's own specification ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def specification(specs: Path) -> dict[str, Any]:
    file = specs / "twilio" / "twilio_api_v2010.json"
    if not file.is_file():
        pytest.skip(f"no {file}")
    found: dict[str, Any] = json.loads(file.read_bytes())
    return found


def resolved(specification: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = specification["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def parameters(specification: dict[str, Any]) -> dict[str, Any]:
    body = specification["paths"][PATH]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    found: dict[str, Any] = body["properties"]
    return found


def answered(specification: dict[str, Any]) -> dict[str, Any]:
    answer = specification["paths"][PATH]["post"]["responses"]["201"]["content"]["application/json"]["schema"]
    found: dict[str, Any] = resolved(specification, answer)["properties"]
    return found


@pytest.mark.parametrize("settings", [{}, {"sender": SERVICE}])
@pytest.mark.parametrize("name", TWILIO.actions)
async def test_each_request_fits_the_specification(
    specification: dict[str, Any], name: str, settings: dict[str, str]
) -> None:
    egress = door(**settings)
    given = await sent(name, egress)
    (request,) = egress.requests
    assert request.method.lower() in specification["paths"][PATH]
    (place,) = specification["paths"][PATH]["post"]["parameters"]
    assert re.fullmatch(place["schema"]["pattern"], egress.account or "")
    assert request.url.path == PATH.replace("{AccountSid}", str(egress.account))
    assert str(request.url).startswith(specification["paths"][PATH]["servers"][0]["url"])
    known = parameters(specification)
    assert given.keys() <= known.keys()
    assert "To" in given
    for parameter, value in given.items():
        _fits(value, resolved(specification, known[parameter]), parameter)


def _fits(value: str, schema: dict[str, Any], parameter: str) -> None:
    assert value in schema.get("enum", [value]), parameter
    assert re.search(schema.get("pattern", ""), value), parameter
    assert schema["type"] in ("string", "integer"), parameter
    if schema["type"] == "integer":
        assert value.isdecimal(), parameter
    if schema.get("format") == "uri":
        assert value.startswith("https://"), parameter
    if parameter == "ValidityPeriod":  # its bounds are in words only
        assert "`1` to `36000`" in schema["description"]
        assert 1 <= int(value) <= 36000


def test_the_longest_text_is_the_specification_s(specification: dict[str, Any]) -> None:
    (limit,) = re.findall(r"up to ([0-9,]+) characters", parameters(specification)["Body"]["description"])
    assert int(limit.replace(",", "")) == client.LONGEST_TEXT


#: Where the value of a parameter that Twilio marks as somebody's data comes from. A text comes from all declared fields;
#: the sender is the clinic's own, from its settings, and nobody's in particular.
TRACED: dict[str, str | None] = {"to": "phone", "body": "*", "from": None}


def test_whatever_twilio_marks_as_personal_carries_a_category_of_ours(specification: dict[str, Any]) -> None:
    marked = {name for name, schema in answered(specification).items() if "pii" in schema.get("x-twilio", {})}
    assert marked == set(TRACED), "Twilio marks something else by now: say where it comes from"
    for name in sorted(marked):
        assert any(parameter.lower() == name for parameter in parameters(specification))
        for action in TWILIO.actions.values():
            _is_declared(TRACED[name], action.shape)


def _is_declared(path: str | None, shape: Shape) -> None:
    leaves = {leaf.path: leaf.category for leaf in shape.walk()}
    if path == "*":
        said = {category for where, category in leaves.items() if where not in Message.model_fields}
        assert said
        assert said <= TWILIO.content.categories if TWILIO.content is not None else False
    elif path is not None:
        assert leaves[path] is Category.CONTACT
    else:
        assert "sender" in TWILIO.manifest.settings


async def test_a_parameter_that_is_marked_holds_what_its_trace_says(specification: dict[str, Any]) -> None:
    for name, action in TWILIO.actions.items():
        egress = door()
        given = await sent(name, egress)
        assert given["To"] == example_of(action.shape)["phone"]
        assert given["From"] == egress.settings["sender"]
        assert egress.wording is not None
        assert given["Body"] == egress.wording.text


def test_nothing_marked_is_kept_of_an_answer(specification: dict[str, Any]) -> None:
    schema = answered(specification)
    marked = {name for name in schema if "pii" in schema[name].get("x-twilio", {})}
    example = specification["paths"][PATH]["post"]["responses"]["201"]["content"]["application/json"]["examples"]
    for each in example.values():
        body = {**each["value"], "sid": ANSWER["sid"]}
        kept = json.dumps(answers.message(httpx2.Response(201, json=body)), default=str)
        for name in marked:
            assert not body[name] or str(body[name]) not in kept, name


def test_the_door_of_these_tests_is_the_contract_s() -> None:
    def takes(egress: Egress) -> Egress:
        return egress

    assert takes(door())
