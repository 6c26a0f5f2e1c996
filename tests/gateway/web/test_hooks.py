"""POST /hooks/{connection} over a real socket: what is taken, what is refused, and that nothing hostile leaves a trace."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import orjson
import pytest
import stripe

from connectors.payments.stripe import callback
from gateway import bursts, metrics
from gateway.app import House
from gateway.serve import listening, serving
from gateway.store import notices
from gateway.store.errors import StoreUnavailable
from gateway.store.pool import Store
from gateway.web import hooks
from scopes.vocabulary import ConnectionState
from tests.gateway.callbacks import (
    MARK,
    OTHER,
    PAYMENT,
    SECRET,
    Vendor,
    events_of,
    header,
    jobs_of,
    message,
    raw,
    ready,
    signed,
    stored,
)
from tests.gateway.house import Clinic, OpenHouse, connected
from tests.gateway.web.conftest import problem

NOWHERE = "0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"
GENUINE = message()


@pytest.fixture
async def url(house: House) -> AsyncIterator[str]:
    """The gateway on a port of loopback."""
    async with serving(house.web, listening("127.0.0.1", 0)) as url:
        yield url


@pytest.fixture
async def stripe_calls(house: House, clinic: Clinic, url: str) -> AsyncIterator[Vendor]:
    """Stripe, which calls the clinic's connection."""
    path = await ready(house, clinic)
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        yield Vendor(client, path)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that is logged, at the most talkative."""
    caplog.set_level(logging.DEBUG)
    return caplog


def counted(result: str, connector: str = "payments/stripe") -> float:
    """How many messages ended like this, in this process."""
    found = re.search(
        rf'^gateway_callbacks_total{{connector="{connector}",result="{result}"}} (\S+)$',
        metrics.written().decode(),
        re.M,
    )
    return float(found[1]) if found else 0.0


def refused(response: httpx2.Response) -> None:
    """The one answer to everything that is not taken: the same to all, and not a word of the message."""
    told = problem(response, 400, "callback_refused")
    assert set(told) == {"type", "title", "status", "detail", "code", "request_id"}
    assert told["detail"] == told["title"] == hooks.NotTaken.title


# --- What is taken ----------------------------------------------------------------------------------------------------


async def test_a_genuine_message_is_acknowledged_stored_sealed_and_enqueued(
    stripe_calls: Vendor, house: House, clinic: Clinic
) -> None:
    before = counted("accepted")
    response = await stripe_calls.post(GENUINE)
    assert (response.status_code, response.content) == (200, b"")
    (sealed,) = await stored(house, clinic.tenant)
    assert sealed is not None
    (job,) = await jobs_of(house, clinic)
    assert PAYMENT.encode() not in sealed + job
    door = await house.rooms.callbacks.door(clinic.connection.id)
    (told,) = orjson.loads(door.open(bytes.fromhex(job.split()[2].decode()), sealed))
    assert told["type"] == "payment_intent.succeeded"
    assert told["data"] == {
        "id": PAYMENT, "status": "succeeded", "amount_minor": 4250, "currency": "EUR", "reference": "inv_7Hq2ZkW9",
    } | {name: told["data"][name] for name in ("created_at",) if name in told["data"]}  # fmt: skip
    assert counted("accepted") == before + 1


async def test_a_message_that_comes_again_changes_nothing(stripe_calls: Vendor, house: House, clinic: Clinic) -> None:
    before = counted("duplicate")
    body = message(id="evt_1RkT2vLkdIwHu7ixAgain")
    for seconds in (0, -60, -120):
        assert (await stripe_calls.post(body, signed(body, seconds=seconds))).status_code == 200
    again = message(id="evt_1RkT2vLkdIwHu7ixAgain", pending_webhooks=0)
    assert (await stripe_calls.post(again)).status_code == 200
    assert len(await stored(house, clinic.tenant)) == len(await jobs_of(house, clinic)) == 1
    assert counted("duplicate") == before + 3


async def test_a_message_that_comes_many_times_at_once_is_stored_once(
    stripe_calls: Vendor, house: House, clinic: Clinic
) -> None:
    answers = await asyncio.gather(*(stripe_calls.post(GENUINE) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await stored(house, clinic.tenant)) == len(await jobs_of(house, clinic)) == 1


async def test_one_message_at_two_clinics_is_stored_at_each(stripe_calls: Vendor, house: House, clinic: Clinic) -> None:
    second = await connected(house)
    path = await ready(house, second)
    for vendor in (stripe_calls, Vendor(stripe_calls.client, path)):
        assert (await vendor.post(GENUINE)).status_code == 200
    assert [len(await stored(house, each.tenant)) for each in (clinic, second)] == [1, 1]


async def test_an_event_of_the_vendor_s_that_is_not_used_is_acknowledged_and_only_counted(
    stripe_calls: Vendor, house: House, clinic: Clinic
) -> None:
    before = counted("unused"), counted("refused")
    for kind in ("customer.updated", "invoice.paid", "payout.created"):
        body = message(kind)
        assert (await stripe_calls.post(body)).status_code == 200
        assert (await stripe_calls.post(body)).status_code == 200
    assert (counted("unused"), counted("refused")) == (before[0] + 6, before[1])
    assert await stored(house, clinic.tenant) == await jobs_of(house, clinic) == []


async def test_what_is_signed_but_not_the_vendor_s_is_refused(
    stripe_calls: Vendor, house: House, clinic: Clinic
) -> None:
    before = counted("unused"), counted("refused")
    hostile = [message("reminder.sent"), message(object="charge"), message(id=MARK), b"[]", b"null", b"{", b"",
               b"\xff\xfe", b"\x00", b"BodyST=OP", message(data=[]), message(created="soon"), b"[" * 100_000]  # fmt: skip
    for body in hostile:
        refused(await stripe_calls.post(body))
    assert (counted("unused"), counted("refused")) == (before[0], before[1] + len(hostile))
    assert await stored(house, clinic.tenant) == []


async def test_an_event_about_another_account_is_acknowledged_and_goes_nowhere(
    stripe_calls: Vendor, house: House, clinic: Clinic
) -> None:
    before = counted("other_account")
    assert (await stripe_calls.post(message(account="acct_1RkT2vLkdIwHu7ix"))).status_code == 200
    assert counted("other_account") == before + 1
    assert await stored(house, clinic.tenant) == []


async def test_a_connection_for_one_account_takes_that_account_s_events_and_no_other_s(
    stripe_calls: Vendor, house: House, clinic: Clinic
) -> None:
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        await connection.execute(
            "UPDATE connections SET account = 'acct_1RkT2vLkdIwHu7ix' WHERE tenant = $1", clinic.tenant
        )
    before = counted("other_account")
    for account in ("acct_9RkT2vLkdIwHu7ix", None):
        assert (await stripe_calls.post(message(account=account))).status_code == 200
    assert await stored(house, clinic.tenant) == []
    assert counted("other_account") == before + 2
    assert (await stripe_calls.post(message(account="acct_1RkT2vLkdIwHu7ix"))).status_code == 200
    assert len(await stored(house, clinic.tenant)) == 1


# --- Whose door it is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [f"/hooks/{NOWHERE}", f"/hooks/{NOWHERE.upper()}", f"/hooks/{{{NOWHERE}}}", f"/hooks/{NOWHERE}/", "/hooks/",
     "/hooks/CANARY%20Lovelace", "/hooks/%00", "/hooks/..%2fv1%2fcalls", f"/hooks/{NOWHERE}%0a"],
)  # fmt: skip
async def test_nobody_is_at_any_other_address(stripe_calls: Vendor, path: str) -> None:
    before = counted("nowhere", "none")
    told = problem(await Vendor(stripe_calls.client, path).post(GENUINE), 404, "not_found")
    assert told["detail"] == hooks.NoHook.title
    assert counted("nowhere", "none") == before + 1


async def test_a_revoked_connection_is_told_like_one_that_never_was(
    stripe_calls: Vendor, house: House, clinic: Clinic
) -> None:
    assert (await stripe_calls.post(message())).status_code == 200
    await house.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.REVOKED)
    # This gateway still remembers the door: only what it stores is checked against the database.
    gone = problem(await stripe_calls.post(message()), 404, "not_found")
    never = problem(await Vendor(stripe_calls.client, f"/hooks/{NOWHERE}").post(GENUINE), 404, "not_found")
    assert {**gone, "request_id": ""} == {**never, "request_id": ""}
    assert len(await stored(house, clinic.tenant)) == 1
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        assert await connection.fetch("SELECT 1 FROM callback_secrets WHERE tenant = $1", clinic.tenant) == []


async def test_a_suspended_connection_takes_nothing_and_the_vendor_is_told_to_come_again(
    stripe_calls: Vendor, house: House, clinic: Clinic
) -> None:
    assert (await stripe_calls.post(message())).status_code == 200
    await house.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.SUSPENDED)
    before = counted("suspended")
    for _ in range(2):
        response = await stripe_calls.post(GENUINE)
        problem(response, 503, "connection_suspended")
        assert response.headers["retry-after"]
    refused(await stripe_calls.post(GENUINE, signed(GENUINE, OTHER)))
    assert counted("suspended") == before + 2
    assert len(await stored(house, clinic.tenant)) == 1
    await house.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.ACTIVE)
    assert (await stripe_calls.post(GENUINE)).status_code == 200
    assert len(await stored(house, clinic.tenant)) == 2


async def test_other_methods_are_told_the_right_one(stripe_calls: Vendor) -> None:
    for method in ("GET", "PUT", "DELETE"):
        response = await stripe_calls.client.request(method, stripe_calls.path)
        problem(response, 405, "method_not_allowed")
        assert response.headers["allow"] == "POST"


# --- Secrets ----------------------------------------------------------------------------------------------------------


async def test_another_clinic_s_secret_opens_nothing(stripe_calls: Vendor, house: House, clinic: Clinic) -> None:
    second = await connected(house)
    await ready(house, second, OTHER)
    refused(await stripe_calls.post(GENUINE, signed(GENUINE, OTHER)))
    assert await stored(house, clinic.tenant) == await stored(house, second.tenant) == []


async def test_while_the_vendor_switches_secrets_both_count(stripe_calls: Vendor, house: House, clinic: Clinic) -> None:
    refused(await stripe_calls.post(message(), signed(GENUINE, OTHER)))
    await ready(house, clinic, OTHER)
    for secret in (SECRET, OTHER):
        body = message()
        assert (await stripe_calls.post(body, signed(body, secret))).status_code == 200
    body = message()  # as Stripe does while a secret is rolled: both signatures in one header
    both = f"{header(body)},{header(body, OTHER).partition(',')[2]}"
    assert (await stripe_calls.post(body, {"stripe-signature": both})).status_code == 200
    assert len(await stored(house, clinic.tenant)) == 3


async def test_a_secret_that_was_removed_counts_no_more_in_any_gateway(
    stripe_calls: Vendor, house: House, clinic: Clinic, open_house: OpenHouse
) -> None:
    second = await open_house()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(second.web, listening("127.0.0.1", 0)))
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=url, trust_env=False))
        there = Vendor(client, stripe_calls.path)
        assert (await there.post(message())).status_code == 200
        (old,) = await house.rooms.callbacks.secrets(clinic.tenant, clinic.connection.id)
        await ready(house, clinic, OTHER)
        body = message()  # the other gateway remembers one secret only, and looks again
        second.rooms.callbacks._doors[clinic.connection.id] = _older(second, clinic.connection.id)
        assert (await there.post(body, signed(body, OTHER))).status_code == 200
        await house.rooms.callbacks.remove_secret(clinic.actor, clinic.connection.id, old.id)
        for vendor in (there, stripe_calls):
            refused(await vendor.post(message()))
    assert len(await stored(house, clinic.tenant)) == 2


def _older(house: House, connection: UUID) -> Any:
    from dataclasses import replace

    door = house.rooms.callbacks._doors[connection]
    return replace(door, read_at=door.read_at - 2)


# --- Hostile input ----------------------------------------------------------------------------------------------------

STAMP = int(time.time())


def hostile_headers(body: bytes) -> dict[str, Any]:
    """Headers that are not the vendor's, each by what is wrong with it; every one has its mark."""
    good = header(body)
    stamp, signature = good[2:].split(",v1=")
    return {
        "no signature at all": {"x-patient": MARK},
        "an empty signature": {"stripe-signature": "", "x-patient": MARK},
        "a signature with another secret": signed(body, OTHER),
        "a signature of a body that was serialised anew": {
            "stripe-signature": header(orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS))
        },
        "a time of yesterday": signed(body, seconds=-86_400),
        "a time of ten minutes ago": signed(body, seconds=-600),
        "a time of tomorrow": signed(body, seconds=86_400),
        "a time of ten minutes from now": signed(body, seconds=600),
        "another time than was signed": {"stripe-signature": f"t={int(stamp) + 1},v1={signature}"},
        "a time that is no number": {"stripe-signature": f"t={MARK},v1={signature}"},
        "a time of 400 digits": {"stripe-signature": f"t={'9' * 400},v1={signature}"},
        "another scheme": {"stripe-signature": f"t={stamp},v0={signature}"},
        "half a signature": {"stripe-signature": f"t={stamp},v1={signature[:32]}"},
        "a signature that is none": {"stripe-signature": f"t={stamp},v1={MARK}"},
        "10,000 signatures": {"stripe-signature": f"t={stamp}" + f",v1={'0' * 64}" * 10_000},
        "10,000 signatures of which the last is right": {
            "stripe-signature": f"t={stamp}" + f",v1={'0' * 64}" * 10_000 + f",v1={signature}"
        },
        "400 signatures of which the last is right": {
            "stripe-signature": f"t={stamp}" + f",v1={'0' * 64}" * 400 + f",v1={signature}"
        },
        "a huge header beside a good one": {"stripe-signature": good, "x-patient": MARK * 10_000},
        "two signature headers, both good": [("stripe-signature", good), ("stripe-signature", good)],
        "two signature headers, the last good": [("stripe-signature", "t=1,v1=0"), ("Stripe-Signature", good)],
        "bytes that are no ASCII": {"stripe-signature": f"t={stamp},v1=é{signature[1:]}".encode("latin-1")},
        "bytes that are no UTF-8": {"stripe-signature": b"t=" + stamp.encode() + b",v1=\xff\xfe" + MARK.encode()},
        "Twilio's header": {"x-twilio-signature": signature, "x-patient": MARK},
        "GitHub's header": {"x-hub-signature-256": f"sha256={signature}"},
    }


HOSTILE = sorted(hostile_headers(GENUINE))


@pytest.mark.parametrize("what", HOSTILE)
async def test_it_is_refused_with(
    stripe_calls: Vendor, house: House, clinic: Clinic, logged: pytest.LogCaptureFixture, what: str
) -> None:
    before = counted("refused")
    response = await stripe_calls.post(GENUINE, hostile_headers(GENUINE)[what])
    refused(response)
    assert counted("refused") == before + 1
    assert await stored(house, clinic.tenant) == await jobs_of(house, clinic) == []
    assert_no_trace(response, logged)


BODIES = {
    "another byte at the end": GENUINE + b" ",
    "one byte less": GENUINE[:-1],
    "nothing": b"",
    "a NUL byte in it": GENUINE.replace(b"4250", b"42\x0050"),
    "only NUL bytes": b"\x00" * 1000,
    "another amount": GENUINE.replace(b"4250", b"4251"),
    "UTF-16": GENUINE.decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + GENUINE,
    "bytes that are no UTF-8": b'{"id": "\xff\xfe' + MARK.encode() + b'"}',
    "a form": b"Body=STOP&From=" + MARK.encode(),
    "a form that was cut elsewhere": b"BodyST=OP&From=" + MARK.encode(),
    "the same JSON, written otherwise": orjson.dumps(orjson.loads(GENUINE)),
    "a list": b"[" + GENUINE + b"]",
    "100,000 brackets": b"[" * 100_000,
    "a number of 100,000 digits": b"9" * 100_000,
}


@pytest.mark.parametrize("what", sorted(BODIES))
async def test_under_a_signature_of_something_else_it_is_refused_with_a_body_of(
    stripe_calls: Vendor, house: House, clinic: Clinic, logged: pytest.LogCaptureFixture, what: str
) -> None:
    response = await stripe_calls.post(BODIES[what], signed(GENUINE))
    refused(response)
    assert await stored(house, clinic.tenant) == []
    assert_no_trace(response, logged)


async def test_stripe_s_own_package_refuses_what_we_refuse_where_it_does_not_break(stripe_calls: Vendor) -> None:
    """It takes the future, and breaks on what is no ASCII or no UTF-8; ours does neither."""
    lenient = {"a time of tomorrow", "a time of ten minutes from now", "10,000 signatures of which the last is right",
               "400 signatures of which the last is right", "a huge header beside a good one"}  # fmt: skip
    for what, headers in hostile_headers(GENUINE).items():
        given = dict(headers).get("stripe-signature", b"")
        text = given.decode("latin-1") if isinstance(given, bytes) else given
        if what.startswith("two signature headers"):
            continue
        try:
            taken = bool(stripe.WebhookSignature.verify_header(GENUINE.decode(), text, SECRET, 300))
        except (stripe.SignatureVerificationError, TypeError, ValueError):
            taken = False
        assert taken is (what in lenient), what


async def test_headers_that_proxies_repeat_do_no_harm(stripe_calls: Vendor) -> None:
    headers = [("stripe-signature", header(GENUINE)), ("via", "1.1 a"), ("via", "1.1 b"), ("x-forwarded-for", "10.0.0.1"),
               ("x-forwarded-for", "10.0.0.2")]  # fmt: skip
    assert (await stripe_calls.post(GENUINE, headers)).status_code == 200


async def test_a_message_in_chunks_is_read_whole(stripe_calls: Vendor, url: str, house: House, clinic: Clinic) -> None:
    head = _head(stripe_calls.path, f"Stripe-Signature: {header(GENUINE)}", "Transfer-Encoding: chunked")
    pieces = [GENUINE[at : at + 100] for at in range(0, len(GENUINE), 100)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    assert (await raw(url, head + body)).startswith(b"HTTP/1.1 200 ")
    assert len(await stored(house, clinic.tenant)) == 1


async def test_a_chunk_less_and_it_is_not_the_message(stripe_calls: Vendor, url: str) -> None:
    head = _head(stripe_calls.path, f"Stripe-Signature: {header(GENUINE)}", "Transfer-Encoding: chunked")
    half = b"%x\r\n%s\r\n0\r\n\r\n" % (100, GENUINE[:100])
    assert (await raw(url, head + half)).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large_is_413(stripe_calls: Vendor, announced: bool) -> None:
    before = counted("too_large")
    large = message(note="x" * 1_100_000)

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(large), 65_536):
            yield large[at : at + 65_536]

    content: Any = large if announced else parts()
    response = await stripe_calls.client.post(stripe_calls.path, content=content, headers=signed(large))
    problem(response, 413, "body_too_large")
    assert counted("too_large") == before + 1


async def test_a_body_that_drips_is_cut_off(stripe_calls: Vendor, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_SHARE", 0.03)
    before = counted("too_slow")
    head = _head(stripe_calls.path, f"Stripe-Signature: {header(GENUINE)}", f"Content-Length: {len(GENUINE)}")
    began = time.monotonic()
    assert (await raw(url, head + GENUINE[:10])).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 2
    assert counted("too_slow") == before + 1


def _head(path: str, *more: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: gateway", *more]).encode("latin-1") + b"\r\n\r\n"


async def test_nul_bytes_in_a_header_never_reach_the_connector(stripe_calls: Vendor, url: str) -> None:
    head = _head(stripe_calls.path, f"Stripe-Signature: t=1\x00,v1={MARK}", f"Content-Length: {len(GENUINE)}")
    said = await raw(url, head + GENUINE)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert MARK.encode() not in said


def assert_no_trace(response: httpx2.Response, logged: pytest.LogCaptureFixture) -> None:
    """Neither the answer nor a log line nor a metric holds a word of the message."""
    said = response.text + str(response.headers) + metrics.written().decode()
    ours = [each for each in logged.records if each.name.startswith("gateway") or each.levelno >= logging.WARNING]
    said += "".join(str(vars(record)) for record in ours)
    for mark in ("CANARY", "Lovelace", PAYMENT, "inv_7Hq2ZkW9", SECRET, OTHER, "evt_"):
        assert mark not in said, mark


async def test_no_answer_no_log_line_and_no_metric_holds_a_word_of_any_message(
    stripe_calls: Vendor, house: House, clinic: Clinic, logged: pytest.LogCaptureFixture
) -> None:
    for headers in hostile_headers(GENUINE).values():
        assert_no_trace(await stripe_calls.post(GENUINE, headers, query=f"?patient={MARK}"), logged)
    for body in (
        *BODIES.values(),
        message(MARK),
        message(f"{MARK}.x"),
        message(id=MARK),
        message(account=MARK),
        GENUINE,
    ):
        assert_no_trace(await stripe_calls.post(body), logged)
    for path in (f"/hooks/{MARK}", f"/hooks/{NOWHERE}?{MARK}"):
        assert_no_trace(await Vendor(stripe_calls.client, path).post(GENUINE), logged)
    assert [record.msg for record in logged.records if record.msg == "callback_refused_burst"]
    assert not [sealed for sealed in await stored(house, clinic.tenant) if b"CANARY" in (sealed or b"")]


@pytest.mark.parametrize("part", ["verify", "identity", "translate"])
async def test_a_connector_that_breaks_refuses_the_message_and_tells_nothing_of_it(
    stripe_calls: Vendor, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def broken(*given: Any, **more: Any) -> Any:
        raise TypeError(MARK)

    monkeypatch.setattr(callback, part, broken)
    response = await stripe_calls.post(GENUINE)
    refused(response)
    assert_no_trace(response, logged)
    assert [record.msg for record in logged.records if record.levelno >= logging.ERROR] == ["callback_reader_broke"]


# --- Bursts -----------------------------------------------------------------------------------------------------------


async def test_a_burst_of_refusals_raises_one_alarm(
    stripe_calls: Vendor, house: House, clinic: Clinic, logged: pytest.LogCaptureFixture
) -> None:
    for _ in range(bursts.MANY - 1):
        refused(await stripe_calls.post(GENUINE, signed(GENUINE, OTHER)))
    assert await _notices(house, clinic) == await events_of(house, clinic.tenant) == []
    for _ in range(bursts.MANY):
        refused(await stripe_calls.post(GENUINE, signed(GENUINE, OTHER)))
    await asyncio.sleep(0.2)  # the alarm is raised after the answer
    about = clinic.connection.id
    assert [(each.kind, each.about, each.detail) for each in await _notices(house, clinic)] == [
        ("callback.refused", about, {"count": bursts.MANY, "seconds": 60})
    ]
    assert await events_of(house, clinic.tenant) == [
        ("callback.refused", "gateway", {"id": str(about), "count": bursts.MANY})
    ]
    lines = [record for record in logged.records if record.msg == "callback_refused_burst"]
    assert [record.__dict__["ids"] for record in lines] == [{"connection": about, "count": bursts.MANY}]
    assert (await stripe_calls.post(GENUINE)).status_code == 200


async def _notices(house: House, clinic: Clinic) -> list[notices.NoticeRow]:
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        return await notices.page(connection, clinic.tenant, before=None, limit=50)


def test_twenty_refusals_in_a_minute_are_a_burst_and_told_once_a_minute() -> None:
    counts, about = bursts.Bursts(), UUID(NOWHERE)
    assert [counts.refused(about, second) for second in range(20)] == [None] * 19 + [20]
    assert [counts.refused(about, 20 + second) for second in range(50)] == [None] * 50
    assert counts.refused(about, 79.5) == 51
    assert counts.refused(UUID(int=1), 79.5) is None


def test_refusals_that_are_spread_out_are_no_burst() -> None:
    counts, about = bursts.Bursts(), UUID(NOWHERE)
    assert not any(counts.refused(about, 3.2 * each) for each in range(500))
    assert [counts.refused(about, 10_000 + each) for each in range(20)][-1] == 20


# --- Trouble ----------------------------------------------------------------------------------------------------------


async def test_while_the_database_is_away_the_vendor_is_told_to_come_again(
    stripe_calls: Vendor, house: House, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await stripe_calls.post(message())).status_code == 200

    async def away(self: Store) -> Any:
        raise StoreUnavailable

    before = counted("unavailable")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "_acquire", away)
        for vendor in (stripe_calls, Vendor(stripe_calls.client, f"/hooks/{NOWHERE}")):
            response = await vendor.post(GENUINE)
            problem(response, 503, "store_unavailable")
            assert response.headers["retry-after"]
    assert counted("unavailable") == before + 1
    assert (await stripe_calls.post(GENUINE)).status_code == 200
    assert len(await stored(house, clinic.tenant)) == 2


async def test_a_slow_database_does_not_keep_the_vendor_beyond_its_deadline(
    stripe_calls: Vendor, house: House, clinic: Clinic, monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    assert (await stripe_calls.post(message())).status_code == 200
    monkeypatch.setattr(hooks, "_SHARE", 0.05)
    blocker = await asyncpg.connect(dsn)
    try:
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE callbacks IN ACCESS EXCLUSIVE MODE")
            began = time.monotonic()
            problem(await stripe_calls.post(GENUINE), 503, "unavailable")
            assert time.monotonic() - began < 2
    finally:
        await blocker.close()
    monkeypatch.undo()
    assert (await stripe_calls.post(GENUINE)).status_code == 200
    assert len(await stored(house, clinic.tenant)) == 2


# --- The address that was called -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "trusts", "called"),
    [
        ({"public_url": "https://hooks.clinic.example/gw"}, True, "https://hooks.clinic.example/gw{path}?a=%20b&c"),
        ({}, True, "http://gateway.example:8443{path}?a=%20b&c"),
        ({}, False, "{path}?a=%20b&c"),
    ],
)
async def test_the_connector_is_told_the_address_that_the_vendor_called(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch, settings: Any, trusts: bool, called: str
) -> None:
    """Only the demo believes what a request says its host is."""
    house = await open_house(**settings)
    house.rooms.callbacks.trusts_host = trusts
    path, urls = await ready(house, await connected(house)), []
    verify = callback.verify

    def noting(raw_body: bytes, headers: Any, url: str, secrets: Any, *, now: Any) -> None:
        urls.append(url)
        verify(raw_body, headers, url, secrets, now=now)

    monkeypatch.setattr(callback, "verify", noting)
    async with serving(house.web, listening("127.0.0.1", 0)) as url:
        host = {"host": "gateway.example:8443"}
        async with httpx2.AsyncClient(base_url=url, trust_env=False) as client:
            answer = await Vendor(client, path).post(GENUINE, {**signed(GENUINE), **host}, query="?a=%20b&c")
    assert answer.status_code == 200
    assert urls == [called.format(path=path)]


# --- /metrics ---------------------------------------------------------------------------------------------------------


async def test_what_was_counted_is_open_to_the_operator_and_names_nobody(
    stripe_calls: Vendor, house: House, clinic: Clinic
) -> None:
    counted_before = set(metrics.written().decode().splitlines())  # by other tests' connectors too
    await stripe_calls.post(GENUINE)
    await stripe_calls.post(GENUINE, signed(GENUINE, OTHER))
    response = await stripe_calls.client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert str(clinic.tenant) not in response.text
    assert str(clinic.connection.id) not in response.text
    counted_now = "\n".join(set(response.text.splitlines()) - counted_before)
    assert "payments/stripe" in counted_now
    for labels in re.findall(r"^gateway_\w+{(.*)} ", counted_now, re.M):
        pairs = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        assert pairs["connector"] in {*house.rooms.registry.connectors, "none"}
        assert pairs.get("result", "accepted") in set(metrics.Result)
        assert pairs.get("code", "other") in {*metrics.REFUSALS, "other"}


def test_a_code_that_nobody_listed_is_counted_as_other() -> None:
    metrics.callback("payments/stripe", metrics.Result.REFUSED, "ada_lovelace")
    assert "ada_lovelace" not in metrics.written().decode()
