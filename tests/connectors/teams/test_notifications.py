"""Encrypted content is opened only after its signature is right; vectors are made here as Graph makes them."""

from __future__ import annotations

import base64
import hmac
import json
import os
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.contract import CallbackRefused
from connectors.teams import notifications
from connectors.teams.notifications import opened

PRESENCE = {"@odata.type": "#microsoft.graph.presence", "id": "0b7d9a42", "availability": "Away"}
OLD, NEW = "certificate-2025", "certificate-2026"


def pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.fixture(scope="module")
def pair() -> dict[str, rsa.RSAPrivateKey]:
    return {name: rsa.generate_private_key(65537, 2048) for name in (OLD, NEW)}


@pytest.fixture(scope="module")
def keys(pair: dict[str, rsa.RSAPrivateKey]) -> dict[str, bytes]:
    return {name: pem(key) for name, key in pair.items()}


def sealed(
    private: rsa.RSAPrivateKey,
    plain: bytes = json.dumps(PRESENCE).encode(),
    name: str = NEW,
    hashing: Any = hashes.SHA1,
    key: bytes | None = None,
) -> dict[str, str]:
    """What Graph sends: AES-256-CBC under a fresh key, its HMAC, and the key under our certificate."""
    key = os.urandom(32) if key is None else key
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    data = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    wrapped = private.public_key().encrypt(key, padding.OAEP(padding.MGF1(hashing()), hashing(), None))
    return {
        "data": base64.b64encode(data).decode(), "dataKey": base64.b64encode(wrapped).decode(),
        "dataSignature": base64.b64encode(hmac.digest(key, data, "sha256")).decode(), "encryptionCertificateId": name,
    }  # fmt: skip


def refused(content: dict[str, Any], keys: dict[str, bytes]) -> str:
    with pytest.raises(CallbackRefused) as raised:
        opened(content, keys)
    return raised.value.code


def spoilt(content: dict[str, str], name: str, at: int = 0) -> dict[str, str]:
    raw = bytearray(base64.b64decode(content[name]))
    raw[at] ^= 1
    return {**content, name: base64.b64encode(bytes(raw)).decode()}


def test_what_graph_sealed_is_opened_under_the_certificate_that_it_names(
    pair: dict[str, rsa.RSAPrivateKey], keys: dict[str, bytes]
) -> None:
    for name in (OLD, NEW):
        assert opened(sealed(pair[name], name=name), keys) == PRESENCE


def test_under_another_certificate_s_key_it_stays_closed(
    pair: dict[str, rsa.RSAPrivateKey], keys: dict[str, bytes]
) -> None:
    assert refused(sealed(pair[OLD], name=NEW), keys) == "bad_signature"
    assert refused(sealed(pair[NEW], name="certificate-2027"), keys) == "unknown_certificate"
    assert refused({**sealed(pair[NEW]), "encryptionCertificateId": None}, keys) == "unknown_certificate"  # type: ignore[dict-item]
    assert refused(sealed(pair[NEW]), {NEW: pem(ec.generate_private_key(ec.SECP256R1()))}) == "bad_signature"
    assert refused(sealed(pair[NEW]), {NEW: b"no key at all"}) == "bad_signature"


@pytest.mark.parametrize(("name", "at"), [("data", 0), ("data", -1), ("dataSignature", 5), ("dataKey", 7)])
def test_a_changed_bit_is_refused_before_anything_is_decrypted(
    name: str, at: int, pair: dict[str, rsa.RSAPrivateKey], keys: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    decrypted: list[bytes] = []
    monkeypatch.setattr(notifications, "_decrypted", lambda key, data: decrypted.append(data) or b"{}")
    assert refused(spoilt(sealed(pair[NEW]), name, at), keys) == "bad_signature"
    assert decrypted == []
    assert opened(sealed(pair[NEW]), keys) == {}
    assert len(decrypted) == 1


def test_a_wrong_padding_under_a_right_signature_is_refused_like_any_other_fault(
    pair: dict[str, rsa.RSAPrivateKey], keys: dict[str, bytes]
) -> None:
    key = os.urandom(32)
    content = sealed(pair[NEW], key=key)
    data = os.urandom(48)
    content["data"] = base64.b64encode(data).decode()
    content["dataSignature"] = base64.b64encode(hmac.digest(key, data, "sha256")).decode()
    assert refused(content, keys) == "malformed_event"


def test_another_digest_or_a_shorter_key_is_refused(pair: dict[str, rsa.RSAPrivateKey], keys: dict[str, bytes]) -> None:
    assert refused(sealed(pair[NEW], hashing=hashes.SHA256), keys) == "bad_signature"
    assert refused(sealed(pair[NEW], key=os.urandom(16)), keys) == "bad_signature"


@pytest.mark.parametrize("plain", [b"[]", b"CANARY", b"", b"null", b"\xff"])
def test_content_that_is_no_object_is_refused_and_not_repeated(
    plain: bytes, pair: dict[str, rsa.RSAPrivateKey], keys: dict[str, bytes]
) -> None:
    assert refused(sealed(pair[NEW], plain), keys) == "malformed_event"


@pytest.mark.parametrize("value", [None, 1, "", "no base64!", "é", [], "A" * (2 << 20)])
@pytest.mark.parametrize("name", ["data", "dataKey", "dataSignature"])
def test_parts_of_another_form_are_refused(
    name: str, value: Any, pair: dict[str, rsa.RSAPrivateKey], keys: dict[str, bytes]
) -> None:
    assert refused({**sealed(pair[NEW]), name: value}, keys) == "malformed_event"
