"""The receivers of webhooks in the benchmarks see what they are there to see: forgeries, doubles, changed bodies, tempers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from benchmarks.programs import Program
from benchmarks.sink import TEMPERS
from benchmarks.stage import ask
from gateway.ids import new_id
from gateway.webhooks.signing import Signer, new_secret

SECRET = new_secret("v1")
BODY = b'{"type":"appointment.moved"}'


class Sink:
    """The sink's program, and a client that posts to it."""

    def __init__(self, program: Program) -> None:
        """One receiver at /here."""
        self.program = program
        self.url = f"http://127.0.0.1:{program.hear()['port']}"

    def expect(self, temper: str = "well") -> None:
        """Set the receiver's temper."""
        ask(self.program, {"do": "expect", "path": "/here", "secret": SECRET, "temper": temper})

    def post(
        self, webhook_id: str, body: bytes = BODY, *, secret: str = SECRET, sent: bytes | None = None
    ) -> httpx2.Response:
        """Post a message; `sent` goes in place of the body that was signed."""
        at = int(time.time())
        signature = Signer.of([secret]).signature(webhook_id, at, body)
        headers = {"webhook-id": webhook_id, "webhook-timestamp": str(at), "webhook-signature": signature}
        with httpx2.Client(trust_env=False, timeout=0.5) as client:
            return client.post(f"{self.url}/here", content=body if sent is None else sent, headers=headers)

    def told(self) -> dict[str, Any]:
        """What the receiver knows."""
        told: dict[str, Any] = ask(self.program, {"do": "tell", "path": "/here"})
        return told


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A sink with one receiver that is well."""
    with Program("benchmarks.sink") as program:
        made = Sink(program)
        made.expect()
        yield made


def test_a_genuine_message_is_no_fault_and_a_forged_one_is(sink: Sink) -> None:
    sink.post("a")
    assert sink.told()["faults"] == []

    sink.post("b", secret=new_secret("v1"))
    sink.post("c", sent=b'{"type":"appointment.removed"}')

    assert sink.told()["faults"] == ["No matching signature found"] * 2
    assert sink.told()["arrivals"] == 3


def test_the_same_id_twice_is_a_double_and_with_another_body_a_fault(sink: Sink) -> None:
    sink.post("a")
    sink.post("a")
    assert (sink.told()["again"], sink.told()["faults"]) == ({"a": 1}, [])

    sink.post("a", b'{"type":"appointment.removed"}')

    assert sink.told()["again"] == {"a": 2}
    assert sink.told()["faults"] == ["the same id with another body"]


def test_each_temper_answers_as_it_is_called(sink: Sink) -> None:
    answered: dict[str, list[int | str]] = {}
    for temper in TEMPERS:
        sink.expect(temper)
        answered[temper] = []
        for _ in range(2):
            try:
                answered[temper].append(sink.post(str(new_id())).status_code)
            except httpx2.TimeoutException:
                answered[temper].append("nothing")

    assert answered == {
        "well": [200, 200],
        "hangs": ["nothing", "nothing"],
        "broken": [500, 500],
        "moved": [302, 302],
        "gone": [410, 410],
        "moody": [200, 500],
    }


def test_a_challenge_is_echoed_and_counts_for_nothing(sink: Sink) -> None:
    answer = sink.post("a", b'{"type": "endpoint.challenge", "challenge": "sixteen"}', secret=new_secret("v1"))

    assert answer.json() == {"challenge": "sixteen"}
    assert sink.told()["arrivals"] == 0


def test_the_parent_hears_when_so_many_have_arrived(sink: Sink) -> None:
    sink.program.tell({"do": "until", "arrivals": 2})
    sink.post("a")
    before = time.time()
    sink.post("b")

    assert before <= sink.program.hear()["at"] <= time.time()
