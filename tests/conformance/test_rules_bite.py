"""Each rule finds the connector that breaks it. A good folder is spoiled in one place; the rule that should notice does."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.contract import CallbackRefused
from connectors.folder import Connector
from connectors.network import Bridge, Network, Session
from connectors.registry import Registry
from connectors.scaffold import write_connector
from tests.conformance.harness import CANARY
from tests.conformance.rules import obey, rules

OAUTH_ROOT = Path(__file__).parent / "oauth_root"
BY_NAME = {rule.__name__.removeprefix("rule_"): rule for rule in rules()}
SEND = 'build_request("POST", egress.base_url + path, headers=headers, content=content)'

#: The rule; the file; what stands there; what is put there instead.
SPOILT = [
    ("requests_go_only_to_named_hosts", "client.py", "egress.base_url + path", '"https://elsewhere.example" + path'),
    (
        "requests_go_only_to_named_hosts",
        "client.py",
        "egress.base_url + path",
        'egress.base_url.replace("s:", ":") + path',
    ),
    (
        "no_connector_adds_a_credential",
        "client.py",
        'headers = {"Content-Type"',
        'headers = {"Authorization": "x", "Content-Type"',
    ),
    (
        "writes_that_may_be_repeated_carry_the_idempotency_key",
        "client.py",
        '"Idempotency-Key": egress.idempotency_key',
        "",
    ),
    (
        "writes_that_may_be_repeated_carry_the_idempotency_key",
        "client.py",
        "egress.idempotency_key}",
        'egress.idempotency_key, "X-Once": str(id(object()) + __import__("time").time_ns())}',
    ),
    ("statuses_become_errors_that_say_what_to_do", "client.py", "response.status_code, response.headers", "400, {}"),
    (
        "statuses_become_errors_that_say_what_to_do",
        "client.py",
        "raise error",
        "raise error from ValueError(response.text)",
    ),
    ("statuses_become_errors_that_say_what_to_do", "client.py", "raise error", "raise ValueError(response.text)"),
    ("redirects_are_not_followed", "client.py", "if error :=", "if response.status_code >= 400 and (error :="),
    ("an_unreadable_success_is_an_unknown_outcome", "client.py", "object_in(response)", "{'id': response.text}"),
    (
        "hostile_answers_are_read_or_refused_and_never_break_anything",
        "client.py",
        "reference if isinstance(reference, str) else None",
        "reference.strip()",
    ),
    (
        "the_door_s_own_errors_pass_unchanged",
        "client.py",
        "    response = await egress.send(",
        "    from contextlib import suppress\n    with suppress(Exception):\n        response = await egress.send(",
    ),
    ("recorded_exchanges_play_as_recorded", "client.py", '"/v1/send"', '"/v1/sent"'),
    ("recorded_exchanges_play_as_recorded", "tests/send.json", '"reference": "msg_7Hq2ZkW9"', '"reference": "x"'),
    ("the_sandbox_answers_every_action", "sandbox.py", '"id": "msg_7Hq2ZkW9"', '"identity": "x"'),
    ("the_sandbox_answers_every_action", "client.py", "exclude_none=True)", 'exclude_none=True) | {"surplus": 1}'),
    (
        "the_sandbox_refuses_a_wrong_credential",
        "sandbox.py",
        "if request.headers.get",
        "if False and request.headers.get",
    ),
    ("the_sandbox_credential_has_an_accepted_form", "sandbox.py", "_test_0123456789abcdef", "-key"),
    ("hostile_callbacks_are_refused_and_nothing_else", "callback.py", "if not genuine:", "if False:"),
    ("hostile_callbacks_are_refused_and_nothing_else", "callback.py", "if not found:", "if False:"),
    ("unreadable_events_are_refused_and_nothing_else", "callback.py", "if event is None:", "if False:"),
    (
        "unreadable_events_are_refused_and_nothing_else",
        "callback.py",
        "not isinstance(value, str) or not _ID.fullmatch(value)",
        "not _ID.fullmatch(value)",
    ),
    (
        "bytes_of_every_kind_are_read_or_refused_and_nothing_else",
        "callback.py",
        "event = parse_object(raw_body)",
        "event = __import__('json').loads(raw_body.decode('utf-8', 'replace'))",
    ),
    ("bytes_of_every_kind_are_read_or_refused_and_nothing_else", "callback.py", "if not genuine:", "if False:"),
    (
        "recorded_events_can_be_published",
        "callback.py",
        "minimize_answer(EVENTS[kind], data)",
        '{"id": "nobody in particular"}',
    ),
    (
        "recorded_events_give_what_is_recorded_and_only_declared_fields",
        "callback.py",
        "minimize_answer(EVENTS[kind], data)",
        "data",
    ),
    ("the_folder_is_whole", "README.md", "## How to revoke", "## Revoking"),
    ("the_folder_is_whole", "tests/send.json", '"bad"', '"sad"'),
    ("every_field_says_what_it_is_and_why", "../actions.py", '"finding the request again"', '"needed"'),
]


#: The same for a folder that sends messages.
SPOILT_MESSAGES = [
    ("a_message_says_what_its_template_says_and_nothing_else", "wording_of(egress).text", '"Hello"'),
    (
        "a_message_says_what_its_template_says_and_nothing_else",
        "wording_of(egress).text",
        "f\"{wording_of(egress).text} {getattr(fields, 'given_name', None)}\"",
    ),
]


#: The same for connectors that connect by OAuth, spoilt from the tests' own calendar.
SPOILT_OAUTH = [
    ("the_sandbox_connects_as_the_manifest_says", "sandbox.py", "return server.approve(url)", "return url"),
    (
        "the_sandbox_connects_as_the_manifest_says",
        "sandbox.py",
        "server = OAuthServer(_RULE, OAUTH_CLIENT)",
        "server = OAuthServer(_RULE, OAUTH_CLIENT); server.answers.grants = lambda asked: frozenset()",
    ),
    (
        "the_sandbox_connects_as_the_manifest_says",
        "sandbox.py",
        "server = OAuthServer(_RULE, OAUTH_CLIENT)",
        "server = OAuthServer(_RULE.model_copy(update={'refresh': 'none'}), OAUTH_CLIENT)",
    ),
    ("the_sandbox_credential_is_a_token_that_it_takes", "sandbox.py", "calendar-token", "calendar\\ntoken"),
]


def _breaks(*_: Any, **__: Any) -> Any:
    raise KeyError("x")


def _quotes(*_: Any, **__: Any) -> Any:
    raise Quoting


#: The same for a network of health records: the rule, and what one function of its network.py is instead.
SPOILT_NETWORK: list[tuple[str, str, Callable[..., Any]]] = [
    ("recorded_letters_say_what_is_recorded", "read", lambda *_: None),
    ("a_letter_is_read_or_refused_and_nothing_else", "read", _breaks),
    ("a_letter_is_read_or_refused_and_nothing_else", "read", _quotes),
    ("the_outside_of_a_letter_is_read_or_refused_and_nothing_else", "outside", _breaks),
    ("the_outside_of_a_letter_is_read_or_refused_and_nothing_else", "verify", lambda *_, **__: 0.0),
    ("the_sandbox_gives_a_session_and_answers_only_in_one", "read_session", lambda _: Session("x" * 40, 900)),
    ("the_sandbox_gives_a_session_and_answers_only_in_one", "read_keys", lambda _: ()),
    ("the_sandbox_sends_everything_where_it_is_told_to", "read_bridge", lambda _: Bridge("x", None, True, ())),
    ("hostile_answers_to_the_gateway_itself_are_errors", "read_bridge", _breaks),
    ("hostile_answers_to_the_gateway_itself_are_errors", "read_keys", _quotes),
]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a good folder."""
    root = tmp_path_factory.mktemp("good")
    write_connector(root, "labs/one")
    return root


@pytest.fixture
def copied(good: Path, tmp_path: Path) -> Path:
    shutil.copytree(good, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "copy"


def spoilt(root: Path, file: str, old: str, new: str) -> Connector:
    path = root / "labs" / "one" / file
    text = path.read_text()
    assert old in text, f"{file} has changed; {old!r} is not in it"
    text = text.replace(old, new)
    if "and (error :=" in new:
        text = text.replace("response.headers):\n", "response.headers)):\n")
    path.write_text(text)
    return Registry.load([root]).connector("labs/one")


@pytest.mark.parametrize(("rule", "file", "old", "new"), SPOILT)
async def test_a_spoilt_folder_is_noticed(copied: Path, rule: str, file: str, old: str, new: str) -> None:
    connector = spoilt(copied, file, old, new)
    with pytest.raises((Exception, pytest.fail.Exception)):
        await obey(BY_NAME[rule], connector)


@pytest.mark.parametrize(("rule", "old", "new"), SPOILT_MESSAGES)
async def test_a_messaging_vendor_that_finds_words_of_its_own_is_noticed(
    tmp_path: Path, rule: str, old: str, new: str
) -> None:
    write_connector(tmp_path, "messaging/acme")
    path = tmp_path / "messaging" / "acme" / "client.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(AssertionError, match=r"leaves the wording out|beside the wording"):
        await obey(BY_NAME[rule], Registry.load([tmp_path]).connector("messaging/acme"))


@pytest.mark.parametrize(("rule", "file", "old", "new"), SPOILT_OAUTH)
async def test_a_spoilt_folder_that_connects_by_oauth_is_noticed(
    tmp_path: Path, rule: str, file: str, old: str, new: str
) -> None:
    shutil.copytree(OAUTH_ROOT, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "copy" / "plan" / "calendar" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    connector = Registry.load([tmp_path / "copy"]).connector("plan/calendar")
    with pytest.raises((Exception, pytest.fail.Exception)):
        await obey(BY_NAME[rule], connector)


@pytest.mark.parametrize(("rule", "name", "instead"), SPOILT_NETWORK)
async def test_a_network_s_module_that_breaks_or_quotes_or_proves_nothing_is_noticed(
    rule: str, name: str, instead: Callable[..., Any]
) -> None:
    network = Registry.load().connectors["abdm"]
    offered = {each: getattr(network.network, each) for each in dir(Network) if not each.startswith("_")}
    spoilt_form: Any = SimpleNamespace(PREFIX="/abdm", **{**offered, name: instead})
    with pytest.raises((AssertionError, KeyError, Quoting, pytest.fail.Exception)):
        await obey(BY_NAME[rule], replace(network, network=spoilt_form))


async def test_a_good_copy_keeps_every_rule(copied: Path) -> None:
    connector = Registry.load([copied]).connector("labs/one")
    for rule in rules():
        await obey(rule, connector)


async def test_a_connector_that_smuggles_by_way_of_a_closed_shape_finds_nothing(copied: Path) -> None:
    """Even code that reads every attribute of its fields has nothing undeclared to send."""
    connector = spoilt(
        copied,
        "client.py",
        'fields.model_dump(mode="json", exclude_none=True)',
        '{"all": repr([vars(fields), fields.__dict__, fields.model_extra, fields.__pydantic_fields_set__, dir(fields)])}',
    )
    await obey(BY_NAME["what_is_not_declared_never_leaves"], connector)


@pytest.mark.parametrize("raised", [KeyError("x"), UnicodeError("x"), CallbackRefused])
async def test_an_envelope_that_breaks_on_headers_or_quotes_them_is_noticed(raised: Any) -> None:
    def envelope(raw_body: bytes, headers: Mapping[str, str]) -> bytes:
        raise Quoting() if raised is CallbackRefused else raised

    spoiled = replace(Registry.load().connector("google"), envelope=envelope)
    with pytest.raises((AssertionError, KeyError, UnicodeError)):
        await obey(BY_NAME["an_envelope_is_read_or_refused_and_nothing_else"], spoiled)


class Quoting(CallbackRefused):
    """A refusal that says what was in the message."""

    def __init__(self) -> None:
        super().__init__("refused")

    def __str__(self) -> str:
        return CANARY


def test_every_rule_is_tried_here_or_by_the_echo() -> None:
    tried = {rule for rule, *_ in (*SPOILT, *SPOILT_MESSAGES)}
    elsewhere = {
        "an_envelope_is_read_or_refused_and_nothing_else",
        "identifiers_are_opaque_where_the_family_says_so",
        "what_is_not_declared_never_leaves",
        "what_the_clinic_withholds_never_leaves",
        *(rule for rule, *_ in (*SPOILT_OAUTH, *SPOILT_NETWORK)),
    }
    assert BY_NAME.keys() == tried | elsewhere
