"""What flows ask of the network's module besides telling and hearing: documents, and pages of a push."""

import json
from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import md5
from typing import Any
from uuid import uuid4

import pytest

from connectors.abdm import crypto, network
from connectors.contract import CallbackRefused
from connectors.network import Entry, Place
from connectors.told import Party, RecordKind, RecordsWanted
from scopes.vocabulary import Category
from tests.connectors.abdm import records

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
CLINIC = Party("IN2710001234_1", "Lake Clinic")
RECORD = b'{"resourceType":"Bundle","note":"' + b"x" * 70_000 + b'"}'


def document(kind: RecordKind) -> dict[str, Any]:
    plain = records.record(kind).model_dump(exclude_none=True)
    return network.document_of(kind, plain, document=str(uuid4()), now=NOW, facility=CLINIC)


@pytest.mark.parametrize("kind", list(RecordKind))
def test_a_plain_record_of_each_kind_becomes_a_document_that_fits_and_says_what_it_is(kind: RecordKind) -> None:
    made = document(kind)
    assert network.check(made) == []
    assert network.kind_of(made) is kind
    assert ("Patient", Category.IDENTITY) in network.contents_of(made)
    assert network.dates_of(made) is not None
    assert CLINIC.id in json.dumps(made)


@pytest.mark.parametrize("nothing", [{}, {"resourceType": "Patient"}, {"entry": 7}, {"entry": [None]}])
def test_what_is_no_document_is_of_no_kind_and_no_time_and_fits_nothing(nothing: dict[str, Any]) -> None:
    assert network.check(nothing) != []
    assert network.kind_of(nothing) is None
    assert network.dates_of(nothing) is None


def test_a_wrong_record_is_told_by_its_fields() -> None:
    from pydantic import ValidationError

    with pytest.raises(ValidationError):
        network.document_of(RecordKind.PRESCRIPTION, {}, document=str(uuid4()), now=NOW, facility=CLINIC)


async def _chunks() -> AsyncIterator[bytes]:
    for start in range(0, len(RECORD), 20_000):
        yield RECORD[start : start + 20_000]


def wanted(peer: Any, **changed: Any) -> RecordsWanted:
    given = {"key": peer.public, "nonce": peer.nonce, **changed}
    return RecordsWanted(str(uuid4()), "c-1", NOW, NOW, "https://hiu.example/push", **given)


async def page(peer: Any, settings: dict[str, str], number: int = 0) -> Any:
    entry = Entry("V-1", len(RECORD), md5(RECORD).hexdigest())
    body = network.sealed(entry, _chunks, wanted(peer), place=Place(number, 3, NOW, settings))
    parts = [part async for part in body.chunks()]
    assert sum(map(len, parts)) == body.length
    return json.loads(b"".join(parts))


@pytest.mark.parametrize(("settings", "first", "raw"), [
    ({}, 0, False), ({"first_page": "1"}, 1, False), ({"key_form": "raw"}, 0, True), ({"key_form": "x509"}, 0, False),
])  # fmt: skip
async def test_a_page_opens_for_whoever_asked_in_each_form_that_a_clinic_may_set(
    settings: dict[str, str], first: int, raw: bool
) -> None:
    peer = crypto.generate()
    sent = await page(peer, settings, number=2)
    material = sent["keyMaterial"]
    key = b64decode(material["dhPublicKey"]["keyValue"])
    assert (sent["pageNumber"], sent["pageCount"], len(key) == 65) == (first + 2, 3, raw)
    opened = crypto.unseal(
        b64decode(sent["entries"][0]["content"]), own=peer, peer_public=key, peer_nonce=b64decode(material["nonce"])
    )
    assert opened == RECORD
    assert material["dhPublicKey"]["expiry"] == "2026-01-16T09:30:00.000Z"


async def test_no_two_pages_have_a_key_or_a_nonce_in_common() -> None:
    peer = crypto.generate()
    materials = [(await page(peer, {}, number))["keyMaterial"] for number in range(3)]
    assert len({each["nonce"] for each in materials}) == 3
    assert len({each["dhPublicKey"]["keyValue"] for each in materials}) == 3


@pytest.mark.parametrize("changed", [{"key": b""}, {"key": b"\x04" + b"\x01" * 64}, {"nonce": b"short"}])
def test_a_page_for_a_key_that_cannot_be_used_is_refused(changed: dict[str, bytes]) -> None:
    entry = Entry("V-1", len(RECORD), md5(RECORD).hexdigest())
    with pytest.raises(CallbackRefused) as refused:
        network.sealed(entry, _chunks, wanted(crypto.generate(), **changed), place=Place(0, 1, NOW, {}))
    assert refused.value.code == "key_refused"


@pytest.mark.parametrize(("settings", "carried"), [
    ({}, True), ({"push_token": "session"}, True), ({"push_token": "none"}, False)])  # fmt: skip
def test_a_push_carries_the_session_s_token_unless_the_clinic_takes_it_off(
    settings: dict[str, str], carried: bool
) -> None:
    entry = Entry("V-1", len(RECORD), md5(RECORD).hexdigest())
    body = network.sealed(entry, _chunks, wanted(crypto.generate()), place=Place(0, 1, NOW, settings))
    request = network.push_request("https://hiu.example/push", body, token="t" * 30, settings=settings)
    assert ("authorization" in request.headers) is carried
    bare = network.push_request("https://hiu.example/push", body, token=None, settings=settings)
    assert "authorization" not in bare.headers
