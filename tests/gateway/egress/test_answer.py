"""What may come in."""

import gzip
import tracemalloc
import zlib

import httpx2
import pytest

from connectors.contract import AnswerRefused
from gateway.egress.answer import accept
from tests.gateway.egress.doubles import received

REQUEST = httpx2.Request("GET", "https://api.vendor.test/")
LIMIT = 10_000
TEXT = b'{"id": "pi_1"}'


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 402, 404, 409, 422, 429, 500, 503])
def test_an_answer_of_any_status_reaches_the_connector(status: int) -> None:
    answer = accept(received(status, TEXT, request_id="req_1"), REQUEST, LIMIT)
    assert (answer.status_code, answer.content, answer.headers["request-id"]) == (status, TEXT, "req_1")
    assert answer.json() == {"id": "pi_1"}
    assert answer.text == TEXT.decode()
    assert answer.read() == TEXT
    assert answer.request is REQUEST


async def test_an_answer_reads_like_any_other() -> None:
    answer = accept(received(200, "é".encode("latin-1"), content_type="text/plain; charset=latin-1"), REQUEST, LIMIT)
    assert (answer.text, answer.is_success, await answer.aread()) == ("é", True, b"\xe9")
    assert b"".join([part async for part in answer.aiter_bytes()]) == b"\xe9"
    assert "é" not in repr(answer)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 399])
def test_a_redirect_is_not_an_answer(status: int) -> None:
    with pytest.raises(AnswerRefused) as refused:
        accept(received(status, b"", location="https://evil.test/"), REQUEST, LIMIT)
    assert refused.value.code == "redirect"


def test_a_switch_of_protocols_is_not_an_answer() -> None:
    with pytest.raises(AnswerRefused):
        accept(received(101, b"", upgrade="h2c"), REQUEST, LIMIT)


def test_cookies_do_not_come_in() -> None:
    answer = accept(received(200, b"", set_cookie="a=b", etag="x"), REQUEST, LIMIT)
    assert dict(answer.headers) == {"etag": "x"}
    assert not answer.cookies


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)),
        (" GZip ", gzip.compress(TEXT, mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("identity", TEXT),
    ],
)
def test_an_answer_that_was_packed_unasked_is_unpacked(coding: str, body: bytes) -> None:
    answer = accept(received(200, body, content_encoding=coding), REQUEST, LIMIT)
    assert answer.json() == {"id": "pi_1"}
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("br", b"x"),
        ("zstd", b"x"),
        ("gzip, gzip", gzip.compress(gzip.compress(TEXT, mtime=0), mtime=0)),
        ("gzip", TEXT),
        ("gzip", gzip.compress(TEXT, mtime=0)[:-4]),
        ("gzip", gzip.compress(TEXT, mtime=0) + b"more"),
        ("deflate", b"x"),
        ("unreadable", b"x"),
    ],
)
def test_what_cannot_be_unpacked_whole_is_refused(coding: str, body: bytes) -> None:
    with pytest.raises(AnswerRefused) as refused:
        accept(received(200, body, content_encoding=coding), REQUEST, LIMIT)
    assert refused.value.code == "bad_encoding"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("size", [LIMIT + 1, 50_000_000])
def test_a_small_answer_that_grows_when_unpacked_is_refused(coding: str, size: int) -> None:
    bomb = gzip.compress(bytes(size)) if coding == "gzip" else raw_deflate(bytes(size))
    tracemalloc.start()
    with pytest.raises(AnswerRefused) as refused:
        accept(received(200, bomb, content_encoding=coding), REQUEST, LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.code == "too_large"
    assert peak < 1_000_000


def test_an_answer_of_just_the_limit_is_taken() -> None:
    packed = gzip.compress(bytes(LIMIT))
    assert len(accept(received(200, packed, content_encoding="gzip"), REQUEST, LIMIT).content) == LIMIT
    assert accept(received(204, b"", content_encoding="gzip"), REQUEST, LIMIT).content == b""
