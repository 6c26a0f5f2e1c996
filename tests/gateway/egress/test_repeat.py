"""When an attempt is made again, and what remains in doubt."""

from dataclasses import replace
from itertools import pairwise

import pytest

from connectors.contract import Ambiguous, AnswerRefused, ConnectorError, Unreachable
from gateway.egress import Received, RequestRefused
from scopes.vocabulary import Repeat
from tests.gateway.egress.conftest import API, Scripted
from tests.gateway.egress.doubles import Clock, Names, Script, received
from tests.gateway.egress.vendor import ask

OK = received(200, b"{}")
Ending = Received | Exception


async def status(passage_of: Scripted, repeat: Repeat) -> int | str:
    """The status that the connector sees, or the code of the failure."""
    passage = passage_of(repeat)
    try:
        return (await passage.send(ask(passage))).status_code
    except ConnectorError as failure:
        return f"{failure.kind}:{failure.code}"


@pytest.mark.parametrize(
    "first", [Unreachable(), Ambiguous("timeout"), received(409), received(429), received(500), received(503)]
)
async def test_what_is_safe_to_repeat_is_repeated(first: Ending, scripted: Scripted, script: Script) -> None:
    script.endings = [first, OK]
    assert await status(scripted, Repeat.ALWAYS) == 200
    assert len(script.sent) == 2


@pytest.mark.parametrize("first", [Unreachable(), received(429)])
async def test_a_request_that_did_nothing_is_repeated_in_any_case(
    first: Ending, scripted: Scripted, script: Script
) -> None:
    script.endings = [first, OK]
    assert await status(scripted, Repeat.IF_UNSENT) == 200
    assert len(script.sent) == 2


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (Unreachable(), "unreachable:unreachable"),
        (received(429), 429),
        (received(503), 503),
        (Ambiguous("timeout"), "ambiguous:timeout"),
    ],
)
async def test_what_has_a_schedule_of_its_own_is_asked_once(
    first: Ending, expected: int | str, scripted: Scripted, script: Script
) -> None:
    script.endings = [first, OK]
    assert await status(scripted, Repeat.NEVER) == expected
    assert len(script.sent) == 1


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (Ambiguous("timeout"), "ambiguous:timeout"),
        (received(409), 409),
        (received(500), 500),
        (received(503), 503),
    ],
)
async def test_a_request_that_may_have_worked_is_not_repeated(
    first: Ending, expected: int | str, scripted: Scripted, script: Script
) -> None:
    script.endings = [first, OK]
    assert await status(scripted, Repeat.IF_UNSENT) == expected
    assert len(script.sent) == 1


@pytest.mark.parametrize("repeat", Repeat)
@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (received(200), 200),
        (received(304), 304),
        (received(400), 400),
        (received(401), 401),
        (received(402), 402),
        (received(404), 404),
        (received(422), 422),
        (received(307), "answer_refused:redirect"),
        (AnswerRefused("too_large"), "answer_refused:too_large"),
        (RequestRefused("header_refused"), "request_refused:header_refused"),
    ],
)
async def test_a_clear_answer_is_not_asked_for_again(
    first: Ending, expected: int | str, repeat: Repeat, scripted: Scripted, script: Script
) -> None:
    script.endings = [first, OK]
    assert await status(scripted, repeat) == expected
    assert len(script.sent) == 1


@pytest.mark.parametrize("last", [Unreachable("connect_failed"), received(503), Ambiguous("timeout"), received(429)])
async def test_three_attempts_are_the_most(last: Ending, scripted: Scripted, script: Script, clock: Clock) -> None:
    script.endings = [last]
    expected = {Unreachable: "unreachable:connect_failed", Ambiguous: "ambiguous:timeout"}
    assert await status(scripted, Repeat.ALWAYS) == (
        last.status if isinstance(last, Received) else expected[type(last)]  # type: ignore[index]
    )
    assert len(script.sent) == 3
    assert clock.slept == [0.2, 0.4]


async def test_every_attempt_is_the_same_letter(scripted: Scripted, script: Script) -> None:
    script.endings = [received(503)]
    passage = scripted(Repeat.ALWAYS)
    await passage.send(ask(passage, Idempotency_Key=passage.idempotency_key))
    assert [letter for letter, _, _ in script.sent] == [script.sent[0][0]] * 3
    assert ("idempotency-key", "key_1") in script.sent[0][0].headers
    assert (passage.attempts, passage.sent, passage.host, passage.method) == (3, True, "api.vendor.test", "POST")


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"retry_after": "3"}, 3.0),
        ({"retry_after": "0"}, 0.2),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after": "Mon, 01 Jan 2024 00:00:07 GMT", "date": "Mon, 01 Jan 2024 00:00:00 GMT"}, 7.0),
        ({"retry_after": "Mon, 01 Jan 2024 00:00:00 GMT", "date": "Mon, 01 Jan 2024 00:00:07 GMT"}, 0.2),
        ({"retry_after": "Mon, 01 Jan 2024 00:00:07 GMT"}, 0.2),
        ({"retry_after": "Mon, 01 Jan 2024 00:00:07 -0000", "date": "Mon, 01 Jan 2024 00:00:00 GMT"}, 0.2),
        ({"retry_after": "soon"}, 0.2),
        ({"retry_after": "-5"}, 0.2),
        ({"retry_after": "1e9"}, 0.2),
    ],
)
async def test_a_vendors_wish_to_wait_is_kept(
    headers: dict[str, str], waited: float, scripted: Scripted, script: Script, clock: Clock
) -> None:
    script.endings = [received(429, b"", **headers), OK]
    assert await status(scripted, Repeat.ALWAYS) == 200
    assert clock.slept == [waited]


async def test_a_wait_beyond_the_deadline_is_left_to_the_caller(
    scripted: Scripted, script: Script, clock: Clock
) -> None:
    script.endings = [received(429, retry_after="31"), OK]
    passage = scripted(Repeat.ALWAYS)
    response = await passage.send(ask(passage))
    assert (response.status_code, response.headers["retry-after"]) == (429, "31")
    assert clock.slept == []


async def test_all_attempts_share_one_deadline(scripted: Scripted, script: Script, clock: Clock) -> None:
    script.endings = [received(429, retry_after="20"), received(429, retry_after="5"), OK]
    assert await status(scripted, Repeat.ALWAYS) == 200
    assert [round(limits.seconds) for _, _, limits in script.sent] == [15, 10, 5]


async def test_a_request_that_is_not_repeated_has_all_the_time(scripted: Scripted, script: Script) -> None:
    await status(scripted, Repeat.IF_UNSENT)
    assert [limits.seconds for _, _, limits in script.sent] == [30.0]


@pytest.mark.parametrize("doubtful", [Ambiguous("timeout"), received(500)])
@pytest.mark.parametrize(
    "last", [Unreachable(), received(429), received(409), AnswerRefused("redirect"), RequestRefused("header_refused")]
)
async def test_an_attempt_that_may_have_worked_stays_in_doubt_when_a_later_one_does_not_work(
    doubtful: Ending, last: Ending, scripted: Scripted, script: Script
) -> None:
    script.endings = [doubtful, last]
    assert await status(scripted, Repeat.ALWAYS) == "ambiguous:earlier_attempt"


@pytest.mark.parametrize("clear", [200, 400, 402])
async def test_a_clear_answer_to_the_same_key_takes_the_doubt_away(
    clear: int, scripted: Scripted, script: Script
) -> None:
    script.endings = [Ambiguous("timeout"), received(clear)]
    assert await status(scripted, Repeat.ALWAYS) == clear


async def test_a_host_that_turns_private_between_attempts_leaves_the_first_in_doubt(
    scripted: Scripted, script: Script, names: Names
) -> None:
    names.answers["api.vendor.test"] = [["93.184.215.14"], ["10.0.0.1"]]
    script.endings = [received(503, retry_after="31"), OK]
    passage = scripted(Repeat.ALWAYS, route=replace(API, timeout_seconds=100.0))
    with pytest.raises(Ambiguous) as failed:
        await passage.send(ask(passage))
    assert failed.value.code == "earlier_attempt"
    assert len(script.sent) == 1


async def test_a_failed_connection_is_tried_at_the_names_other_addresses(scripted: Scripted, script: Script) -> None:
    script.endings = [Unreachable(), Unreachable(), OK]
    passage = scripted()
    assert (await passage.send(ask(passage))).status_code == 200
    addresses = [target.address for _, target, _ in script.sent]
    assert all(one != other for one, other in pairwise(addresses))
    assert passage.sent


async def test_what_never_left_is_not_counted_as_sent(scripted: Scripted, script: Script) -> None:
    for ending, attempts in ((Unreachable(), 3), (RequestRefused("request_unreadable"), 1)):
        script.endings = [ending]
        passage = scripted()
        with pytest.raises(type(ending)):
            await passage.send(ask(passage))
        assert (passage.attempts, passage.sent, passage.sent_bytes, passage.received_bytes) == (attempts, False, 0, 0)


async def test_bytes_of_every_attempt_are_counted(scripted: Scripted, script: Script) -> None:
    script.endings = [received(503, b"busy"), received(200, b"{}")]
    passage = scripted(Repeat.ALWAYS)
    await passage.send(ask(passage))
    assert (passage.sent_bytes, passage.received_bytes) == (6, 6)
