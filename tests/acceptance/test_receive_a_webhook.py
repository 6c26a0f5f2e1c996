"""The page for those who receive our webhooks tells the truth: its code runs, accepts what we sign and refuses the rest.

Beside it stand the reference verifiers, which must judge the same.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook

from gateway.flows import schedule
from gateway.flows.challenge import CHALLENGE_SECONDS, DELIVERY_SECONDS
from gateway.ids import new_id
from gateway.webhooks.signing import Signer, new_secret, public_of
from tests.acceptance.reference import NPM, Message, in_node, in_python
from tests.npm import ROOT, laid

PAGE = (ROOT / "docs" / "receive-a-webhook.md").read_text(encoding="utf-8")
BLOCKS = {
    (language, kind): code for language, kind, code in re.findall(r"```(python|js) (\w+)\n(.*?)\n```", PAGE, re.DOTALL)
}
BODY = orjson.dumps({"type": "appointment.moved", "timestamp": "2026-11-22T11:02:59Z", "data": {"id": "apt_7Hq2ZkW9"}})
Judge = Callable[[list[Message]], list[bool]]


def signed(secret: str, *more: str, at: int | None = None) -> Message:
    """A message as the gateway sends it, for a receiver that has the first secret; the newest secret comes first."""
    at, webhook_id = int(time.time()) if at is None else at, str(new_id())
    signature = Signer.of([*more, secret]).signature(webhook_id, at, BODY)
    return Message(
        secret, {"webhook-id": webhook_id, "webhook-timestamp": str(at), "webhook-signature": signature}, BODY
    )


def _found(pattern: str) -> str:
    found = re.search(pattern, PAGE, re.DOTALL)
    assert found is not None, f"the page has no {pattern}"
    return found[1]


def by_page(kind: str) -> Judge:
    """The page's Python code of this kind."""
    scope: dict[str, Any] = {}
    exec(compile(BLOCKS["python", kind], f"docs/receive-a-webhook.md ({kind})", "exec"), scope)

    def accepts(message: Message) -> bool:
        try:
            scope["verify"](message.secret, dict(message.headers), message.body)
        except Exception:
            return False
        return True

    return lambda messages: [accepts(message) for message in messages]


def by_page_in_node(kind: str) -> Judge:
    """The page's JavaScript of this kind."""

    def judged(messages: list[Message]) -> list[bool]:
        module = laid(NPM) / f"page-{kind}-{new_id()}.mjs"
        module.write_text(BLOCKS["js", kind], encoding="utf-8")
        try:
            return in_node(messages, module)
        finally:
            module.unlink()

    return judged


SHARED_SECRET: Mapping[str, Judge] = {
    "Python": by_page("v1"),
    "Python package, as the page uses it": by_page("package"),
    "JavaScript": by_page_in_node("v1"),
    "JavaScript package, as the page uses it": by_page_in_node("package"),
    "PyPI reference": lambda messages: [in_python(message) for message in messages],
    "npm reference": in_node,
}
KEY_PAIR: Mapping[str, Judge] = {"Python": by_page("v1a"), "JavaScript": by_page_in_node("v1a")}


def bent(message: Message, stranger: str) -> dict[str, Message]:
    """A genuine message, spoiled in every way that comes to mind."""
    at = int(message.headers["webhook-timestamp"])
    signature = message.headers["webhook-signature"]
    version, _, encoded = signature.partition(",")
    other = "B" if encoded[0] == "A" else "A"
    return {
        "another body": message.but(body=BODY.replace(b"moved", b"noved")),
        "the body written anew": message.but(body=orjson.dumps(orjson.loads(BODY), option=orjson.OPT_INDENT_2)),
        "an empty body": message.but(body=b""),
        "another id": message.but(id=str(new_id())),
        "no id": message.but(id=None),
        "no time": message.but(timestamp=None),
        "no signature": message.but(signature=None),
        "an empty signature": message.but(signature=""),
        "another second": message.but(timestamp=str(at + 1)),
        "a time that is no number": message.but(timestamp="now"),
        "an endless time": message.but(timestamp="9" * 5000),
        "another letter in the signature": message.but(signature=f"{version},{other}{encoded[1:]}"),
        "half a signature": message.but(signature=signature[:20]),
        "a signature of another kind": message.but(signature=f"v9,{encoded}"),
        "a signature without its kind": message.but(signature=encoded),
        "ten thousand wrong signatures": message.but(signature=" ".join([f"{version},{other}{encoded[1:]}"] * 10_000)),
        "another's secret": message.but(secret=stranger),
    }


@pytest.mark.parametrize("judge", SHARED_SECRET.values(), ids=SHARED_SECRET)
def test_what_the_gateway_signs_is_accepted_and_what_is_spoiled_is_not(judge: Judge) -> None:
    secret = new_secret("v1")
    genuine, spoiled = signed(secret), bent(signed(secret), new_secret("v1"))

    verdicts = judge([genuine, *spoiled.values()])

    assert verdicts[0] is True
    assert [name for name, accepted in zip(spoiled, verdicts[1:], strict=True) if accepted] == []


@pytest.mark.parametrize("judge", SHARED_SECRET.values(), ids=SHARED_SECRET)
def test_a_message_is_good_for_five_minutes_before_and_after_its_time(judge: Judge) -> None:
    secret, now = new_secret("v1"), int(time.time())
    moments = {-3600: False, -330: False, -270: True, 0: True, 270: True, 330: False, 3600: False}

    assert judge([signed(secret, at=now + offset) for offset in moments]) == list(moments.values())


@pytest.mark.parametrize("judge", SHARED_SECRET.values(), ids=SHARED_SECRET)
def test_while_a_secret_is_rotated_the_old_and_the_new_one_fit_the_same_message(judge: Judge) -> None:
    old, new = new_secret("v1"), new_secret("v1")
    message = signed(old, new)

    assert len(message.headers["webhook-signature"].split(" ")) == 2
    assert judge([message, message.but(secret=new), message.but(secret=new_secret("v1"))]) == [True, True, False]


@pytest.mark.parametrize("judge", SHARED_SECRET.values(), ids=SHARED_SECRET)
def test_what_the_reference_package_signs_is_accepted_too(judge: Judge) -> None:
    message = signed(new_secret("v1"))
    at = datetime.fromtimestamp(int(message.headers["webhook-timestamp"]), UTC)
    signature = Webhook(message.secret).sign(message.headers["webhook-id"], at, BODY.decode())

    assert signature == message.headers["webhook-signature"]
    assert judge([message.but(signature=signature)]) == [True]


@pytest.mark.parametrize("judge", KEY_PAIR.values(), ids=KEY_PAIR)
def test_a_key_pairs_signature_is_verified_with_the_public_half_alone(judge: Judge) -> None:
    secret, stranger = new_secret("v1a"), public_of(new_secret("v1a"))
    genuine = signed(secret).but(secret=public_of(secret))
    rotated = signed(secret, new_secret("v1a")).but(secret=public_of(secret))
    late = signed(secret, at=int(time.time()) - 330).but(secret=public_of(secret))
    spoiled = bent(genuine, stranger)

    verdicts = judge([genuine, rotated, late, *spoiled.values()])

    assert verdicts[:3] == [True, True, False]
    assert [name for name, accepted in zip(spoiled, verdicts[3:], strict=True) if accepted] == []


@pytest.mark.parametrize("language", ["python", "js"])
def test_ten_lines_are_enough_to_verify_with_the_standard_library(language: str) -> None:
    lines = [line for line in BLOCKS[language, "v1"].splitlines() if line.strip()]

    assert len(lines) <= 10


def test_the_message_on_the_page_is_genuine() -> None:
    head, _, body = _found(r"```http\n(.*?)\n```").partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    secret = _found(r"secret of this example is `(.*?)`")

    signer, at = Signer.of([secret]), int(headers["webhook-timestamp"])

    assert headers == signer.headers(headers["webhook-id"], at, body.encode())
    assert orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS).decode() == body


def test_the_page_tells_the_schedule_that_is_kept() -> None:
    units = {"s": 1, "min": 60, "h": 3600}
    told = [
        int(number) * units[unit]
        for number, unit in re.findall(r"(\d+) (s|min|h)\b", _found(r"tries again: after (.*?) \|"))
    ]

    assert told == [delay.total_seconds() for delay in schedule.DELAYS[1:]]
    assert f"± {schedule.SPREAD:.0%}".replace("%", " %") in PAGE
    assert (schedule.SHORTEST_WISH.total_seconds(), schedule.LONGEST_WISH.total_seconds()) == (1, 3600)
    assert DELIVERY_SECONDS == 15
    assert "2xx within 15 seconds" in PAGE
    assert CHALLENGE_SECONDS == 10
    assert "within\nten seconds" in PAGE


def test_the_readme_shows_the_pages_python() -> None:
    assert f"```python\n{BLOCKS['python', 'v1']}\n```" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_npm_lock_pins_each_package_by_hash_and_names_no_address() -> None:
    lock = (NPM / "package-lock.json").read_text(encoding="utf-8")
    packages = {name: one for name, one in orjson.loads(lock)["packages"].items() if name}

    assert "://" not in lock
    assert "resolved" not in lock
    assert packages
    assert [name for name, one in packages.items() if not one["integrity"].startswith("sha512-")] == []
