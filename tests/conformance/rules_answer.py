"""What comes back: errors that say what to do, nothing quoted, recorded exchanges, the sandbox."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import pytest

from connectors.contract import (
    Action,
    Ambiguous,
    AnswerRefused,
    ConnectorError,
    ProviderScopeMissing,
    ReconnectNeeded,
    Rejected,
    TryLater,
    Unreachable,
    VendorAnswer,
)
from connectors.example import example_of
from connectors.folder import Connector
from connectors.review import recordings
from scopes.minimize import minimize, minimize_answer
from scopes.vocabulary import Outcome
from tests.conformance.harness import (
    CANARY,
    GARBAGE,
    CapturingEgress,
    answering,
    carried,
    payloads,
    perform,
    performed,
    sandbox_egress,
)

SEALED = "<encrypted>"


async def rule_statuses_become_errors_that_say_what_to_do(connector: Connector) -> None:
    expected: dict[int, type[ConnectorError]] = {
        400: Rejected,
        401: ReconnectNeeded,
        403: ProviderScopeMissing,
        404: Rejected,
        422: Rejected,
        429: TryLater,
        500: Ambiguous,
        502: Ambiguous,
        503: Ambiguous,
        504: Ambiguous,
    }
    for action, status, body in _unfriendly(connector, expected):
        error = await _error(action, answering(status, body, {"Retry-After": "7"}))
        assert isinstance(error, expected[status]), f"{action.name}: {status} became {type(error).__name__}"
        _says_nothing_of_the_answer(error)
        if isinstance(error, TryLater):
            assert error.retry_after_seconds == 7


async def rule_redirects_are_not_followed(connector: Connector) -> None:
    for action in carried(connector):
        for status in (301, 302, 303, 307, 308):
            error = await _error(action, answering(status, b"", {"Location": f"https://{CANARY}.example"}))
            assert isinstance(error, AnswerRefused)
            assert error.code == "redirect"


async def rule_an_unreadable_success_is_an_unknown_outcome(connector: Connector) -> None:
    for action in carried(connector):
        says_something = any(leaf.required for leaf in action.answer.fields)
        for body in GARBAGE[:8] if says_something else GARBAGE[1:8]:  # "taken" may be said by a status alone
            error = await _error(action, answering(200, body))
            assert isinstance(error, Ambiguous), f"{action.name} took garbage for an answer"
            assert error.outcome is Outcome.UNKNOWN
            _says_nothing_of_the_answer(error)


async def rule_hostile_answers_are_read_or_refused_and_never_break_anything(connector: Connector) -> None:
    hostile: list[Any] = [None, True, -1, 10**30, 1.5, CANARY, "\ud83d", [], [CANARY], {}, {"id": {"id": CANARY}}]
    for action in carried(connector):
        names = [*_names_in(recordings(connector, action.name)), *(leaf.name for leaf in action.answer.fields)]
        for value in hostile:
            body = json.dumps(dict.fromkeys(names, value)).encode()
            egress = CapturingEgress(connector.manifest, answering(200, body))
            try:
                answer = await performed(action, minimize(action.shape, example_of(action.shape)).model, egress)
            except ConnectorError as error:
                _says_nothing_of_the_answer(error)
            else:
                minimize_answer(action.answer, answer.body)


async def rule_the_door_s_own_errors_pass_unchanged(connector: Connector) -> None:
    for action in carried(connector):
        for raised in (Unreachable(), Ambiguous("timeout"), AnswerRefused("too_large"), TryLater(3)):

            def fails(_: httpx2.Request, raised: ConnectorError = raised) -> httpx2.Response:
                raise raised

            assert await _error(action, fails) is raised


async def rule_recorded_exchanges_play_as_recorded(connector: Connector) -> None:
    for action in carried(connector):
        held = recordings(connector, action.name) or {}
        for recorded in (*held.get("good", ()), *held.get("bad", ())):
            await _play(connector, action, recorded)


async def rule_the_sandbox_answers_every_action(connector: Connector) -> None:
    if connector.network is not None:
        return  # a network answers what fits an exchange that is under way: its own tests play each from its beginning
    for action in carried(connector):
        for payload in payloads(action):
            answer = await perform(action, payload, sandbox_egress(connector))
            kept = minimize_answer(action.answer, answer.body)
            missing = {leaf.name for leaf in action.answer.fields if leaf.required} - kept.keys()
            assert not missing, f"{action.name}: the sandbox's answer lacks {missing}"


async def rule_the_sandbox_refuses_a_wrong_credential(connector: Connector) -> None:
    egress = sandbox_egress(connector, credential="wrong")
    for action in carried(connector):
        with pytest.raises(ReconnectNeeded):
            await perform(action, example_of(action.shape), egress)


async def _error(action: Action, answering: Callable[[httpx2.Request], httpx2.Response]) -> ConnectorError:
    egress = CapturingEgress(action.manifest, answering)
    with pytest.raises(ConnectorError) as raised:
        await performed(action, minimize(action.shape, example_of(action.shape)).model, egress)
    return raised.value


def _unfriendly(connector: Connector, statuses: Any) -> Iterator[tuple[Action, int, bytes]]:
    for action in carried(connector):
        for status in statuses:
            for body in GARBAGE:
                yield action, status, body


def _says_nothing_of_the_answer(error: BaseException | None) -> None:
    """Neither the error nor what it came from quotes the answer."""
    while error is not None:
        assert CANARY not in f"{error!r} {error} {error.args} {vars(error)}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _names_in(recorded: Any) -> set[str]:
    """Every name that a recorded answer uses, at any depth."""
    names: set[str] = set()
    for exchange in (recorded or {}).get("good", ()):
        waiting = [exchange["answer"].get("body")]
        while waiting:
            at = waiting.pop()
            if isinstance(at, dict):
                names |= at.keys()
            waiting += at.values() if isinstance(at, dict) else at if isinstance(at, list) else ()
    return names


async def _play(connector: Connector, action: Action, recorded: dict[str, Any]) -> None:
    response = _recorded(recorded["answer"])
    egress = CapturingEgress(connector.manifest, lambda _: response, account=recorded.get("account"))
    model = minimize(action.shape, recorded["payload"]).model
    if "error" in recorded["gives"]:
        with pytest.raises(ConnectorError) as raised:
            await performed(action, model, egress)
        assert {"error": type(raised.value).__name__, "code": raised.value.code} == recorded["gives"]
        _says_nothing_of_the_answer(raised.value)
    else:
        answer = await performed(action, model, egress)
        assert isinstance(answer, VendorAnswer)
        kept = minimize_answer(action.answer, answer.body)
        assert {"reference": answer.reference, "answer": kept} == recorded["gives"]
        assert CANARY not in json.dumps(kept)
    _is_as_recorded(egress.requests, recorded["request"])


def _without_sealed(sent: Any, recorded: Any) -> Any:
    """What was sent, with each value that is encrypted anew each time in the place where the recording says so."""
    if isinstance(sent, dict) and isinstance(recorded, dict):
        return {name: _without_sealed(value, recorded.get(name)) for name, value in sent.items()}
    return SEALED if recorded == SEALED and isinstance(sent, str) and len(sent) >= 300 else sent


def _recorded(given: dict[str, Any]) -> httpx2.Response:
    """An answer as JSON, as text, in base 64, or with nothing in it."""
    if "base64" in given:
        return httpx2.Response(given["status"], content=b64decode(given["base64"]), headers=given.get("headers"))
    if "text" in given:
        return httpx2.Response(given["status"], text=given["text"], headers=given.get("headers"))
    return httpx2.Response(given["status"], json=given.get("body"), headers=given.get("headers"))


def _is_as_recorded(requests: list[httpx2.Request], recorded: dict[str, Any]) -> None:
    (request,) = requests
    assert (request.method, request.url.raw_path.decode()) == (recorded["method"], recorded["path"])
    for name, value in recorded.get("headers", {}).items():
        assert request.headers.get(name) == value, name
    if "form" in recorded:
        assert dict(parse_qsl(request.content.decode(), strict_parsing=True)) == recorded["form"]
    elif "json" in recorded:
        assert _without_sealed(json.loads(request.content), recorded["json"]) == recorded["json"]
    elif recorded.get("body") != "any":
        assert request.content == b""
