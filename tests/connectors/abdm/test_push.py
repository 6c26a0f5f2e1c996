"""One page on its way: its form by the specification, its length, its keys, and a record that is another than announced."""

import hashlib
import json
import random
import re
import tracemalloc
from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from connectors.abdm.crypto import CryptoError, RecordDiffers, generate, unseal
from connectors.abdm.push import Chunks, Page, Peer, push_request
from connectors.network import Entry
from tests.connectors.abdm.slow import BOUNCY_CASTLE_PREFIX

ASKING = generate()
PEER = Peer(ASKING.public, ASKING.nonce)
EXPIRY = datetime(2026, 12, 1, 10, 30, 0, 125_999, tzinfo=timezone(timedelta(hours=5, minutes=30)))
PAGE = Page("0c5ba1b8-9f5e-4a3c-9d4e-0d5c2f5f1a11", 0, 1, EXPIRY)
BUNDLE = json.dumps({"resourceType": "Bundle", "type": "document", "note": "é"}, ensure_ascii=False).encode()


def entry(record: bytes, context: str = "V-1042") -> Entry:
    return Entry(context, len(record), hashlib.md5(record).hexdigest())


def cut(record: bytes, size: int = 1000) -> Chunks:
    async def _chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(record), size):
            yield record[start : start + size]

    return _chunks


async def made(record: bytes = BUNDLE, page: Page = PAGE, announced: Entry | None = None, size: int = 1000) -> bytes:
    body = page.body(announced or entry(record), cut(record, size), PEER)
    whole = b"".join([piece async for piece in body.chunks()])
    assert len(whole) == body.length
    return whole


def opened(page: dict[str, Any]) -> bytes:
    """The record in a page, as whoever asked opens it."""
    keys = page["keyMaterial"]
    return unseal(
        b64decode(page["entries"][0]["content"], validate=True),
        own=ASKING,
        peer_public=b64decode(keys["dhPublicKey"]["keyValue"], validate=True),
        peer_nonce=b64decode(keys["nonce"], validate=True),
    )


async def test_a_page_has_the_fields_of_the_specification_and_no_others() -> None:
    page = json.loads(await made())
    content = page["entries"][0].pop("content")
    key_value, nonce = page["keyMaterial"]["dhPublicKey"].pop("keyValue"), page["keyMaterial"].pop("nonce")
    assert page == {
        "pageNumber": 0,
        "pageCount": 1,
        "transactionId": "0c5ba1b8-9f5e-4a3c-9d4e-0d5c2f5f1a11",
        "entries": [
            {
                "media": "application/fhir+json",
                "checksum": hashlib.md5(BUNDLE).hexdigest(),
                "careContextReference": "V-1042",
            }
        ],
        "keyMaterial": {
            "cryptoAlg": "ECDH",
            "curve": "Curve25519",
            "dhPublicKey": {"expiry": "2026-12-01T05:00:00.125Z", "parameters": "Curve25519/32byte random key"},
        },
    }
    assert len(b64decode(content)) == len(BUNDLE) + 16
    assert b64decode(key_value).startswith(BOUNCY_CASTLE_PREFIX)
    assert (len(b64decode(key_value)), len(b64decode(nonce))) == (309, 32)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 49_151, 49_152, 49_153, 200_000])
async def test_a_page_opens_and_is_as_long_as_it_says(size: int) -> None:
    record = random.Random(size).randbytes(size)
    assert opened(json.loads(await made(record, size=7001))) == record


async def test_pages_are_numbered_from_where_the_network_begins() -> None:
    for first, number in ((0, 3), (1, 4)):
        page = json.loads(await made(page=Page("t", 3, 12, EXPIRY, first_number=first)))
        assert (page["pageNumber"], page["pageCount"]) == (number, 12)


async def test_a_participant_that_reads_no_x509_gets_the_point_alone() -> None:
    page = json.loads(await made(page=Page("t", 0, 1, EXPIRY, raw_key=True)))
    assert len(b64decode(page["keyMaterial"]["dhPublicKey"]["keyValue"])) == 65
    assert opened(page) == BUNDLE


async def test_a_reference_of_any_characters_stays_one_value() -> None:
    reference = 'V\\1042 "é" \n अ'
    page = json.loads(await made(announced=entry(BUNDLE, reference)))
    assert page["entries"][0]["careContextReference"] == reference


async def test_every_making_of_a_page_has_keys_and_a_nonce_of_its_own() -> None:
    body = PAGE.body(entry(BUNDLE), cut(BUNDLE), PEER)
    pages = [json.loads(b"".join([piece async for piece in body.chunks()])) for _ in range(2)]
    one, other = (page["keyMaterial"] for page in pages)
    assert one["nonce"] != other["nonce"]
    assert one["dhPublicKey"]["keyValue"] != other["dhPublicKey"]["keyValue"]
    assert [opened(page) for page in pages] == [BUNDLE, BUNDLE]


@pytest.mark.parametrize(
    "announced",
    [
        Entry("V", len(BUNDLE) + 1, hashlib.md5(BUNDLE).hexdigest()),
        Entry("V", len(BUNDLE) - 1, hashlib.md5(BUNDLE).hexdigest()),
        Entry("V", len(BUNDLE), hashlib.md5(b"another").hexdigest()),
    ],
    ids=["shorter", "longer", "another"],
)
async def test_a_record_that_is_another_than_announced_is_never_a_page(announced: Entry) -> None:
    given = b""
    with pytest.raises(RecordDiffers):
        async for piece in PAGE.body(announced, cut(BUNDLE), PEER).chunks():
            given += piece
    assert given == b""


async def test_a_large_record_that_is_another_than_announced_lacks_its_end() -> None:
    record = bytes(200_000)
    announced = Entry("V", len(record), hashlib.md5(b"another").hexdigest())
    given = b""
    with pytest.raises(RecordDiffers):
        async for piece in PAGE.body(announced, cut(record), PEER).chunks():
            given += piece
    assert not given.endswith(b'"}]}')


async def test_a_page_that_nobody_wants_any_more_lets_its_record_go() -> None:
    let_go = []

    async def chunks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(100_000)
        finally:
            let_go.append(True)

    making = PAGE.body(Entry("V", 1 << 30, ""), chunks, PEER).chunks()
    await anext(making)
    await making.aclose()  # type: ignore[attr-defined]
    assert let_go == [True]


@pytest.mark.parametrize(
    ("public", "nonce"),
    [(b"\x04" + bytes(64), ASKING.nonce), (ASKING.public, bytes(16)), (b"", ASKING.nonce)],
    ids=["a point off the curve", "a short nonce", "no key"],
)
def test_a_key_or_a_nonce_that_is_none_is_refused_before_anything_is_made(public: bytes, nonce: bytes) -> None:
    with pytest.raises(CryptoError):
        Peer(public, nonce)


def test_the_text_of_what_travels_shows_no_key() -> None:
    assert repr(PEER) == "Peer()"


async def test_a_record_of_fifty_megabytes_is_sealed_in_flat_memory() -> None:
    size, piece = 50 << 20, bytes(64 << 10)
    digest = hashlib.md5(bytes(size)).hexdigest()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(size // len(piece)):
            yield piece

    body = PAGE.body(Entry("V", size, digest), chunks, PEER)
    tracemalloc.start()
    total = 0
    async for part in body.chunks():
        total += len(part)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == body.length
    assert most < 2 << 20


def test_the_request_goes_to_the_address_that_asked_with_its_exact_length() -> None:
    body = PAGE.body(entry(BUNDLE), cut(BUNDLE), PEER)
    request = push_request("https://hiu.test/push?x=1", body, token="tok")
    assert (request.method, str(request.url)) == ("POST", "https://hiu.test/push?x=1")
    assert request.headers["content-length"] == str(body.length)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer tok"
    assert "authorization" not in push_request("https://hiu.test/push", body, token=None).headers


def test_a_moment_is_written_in_utc_to_the_millisecond() -> None:
    page = Page("t", 0, 1, datetime(2026, 1, 2, 3, 4, 5, 999, tzinfo=UTC))
    before, _ = page._around(entry(BUNDLE), generate())
    assert re.search(rb'"expiry":"2026-01-02T03:04:05\.000Z"', before)
