"""Open the encrypted content of a rich notification: the signature first, then the content. Holds no key, asks nobody.

Graph: "Set up change notifications that include resource data", decrypting.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Any, Final

from connectors.contract import CallbackRefused
from connectors.wire import parse_object

_KEY_BYTES: Final = 32
_BLOCK_BYTES: Final = 16
_LONGEST: Final = 1 << 20


def opened(content: Mapping[str, Any], private_keys: Mapping[str, bytes]) -> dict[str, Any]:
    """The resource in `encryptedContent`; `private_keys` are PEM by the certificate's id. Raises CallbackRefused.

    1. the private key by encryptionCertificateId, 2. the data key by RSA-OAEP (SHA-1), 3. HMAC-SHA256 over the data,
    compared before anything is decrypted: an unpadding that fails would otherwise tell an attacker about the content,
    4. AES-256-CBC with the first 16 bytes of the key as its vector, PKCS7, 5. a JSON object.
    """
    pem = private_keys.get(str(content.get("encryptionCertificateId")))
    if pem is None:
        raise CallbackRefused("unknown_certificate")
    data = _bytes(content, "data")
    key = _data_key(pem, _bytes(content, "dataKey"))
    expected = hmac.digest(key, data, "sha256")
    if not hmac.compare_digest(expected, _bytes(content, "dataSignature")):
        raise CallbackRefused("bad_signature")
    found = parse_object(_decrypted(key, data))
    if found is None:
        raise CallbackRefused("malformed_event")
    return found


def _data_key(pem: bytes, wrapped: bytes) -> bytes:
    """The symmetric key of one notification. Raises CallbackRefused, with the same word for every fault."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 (Graph's choice; OAEP needs no collision resistance)
    try:
        private = load_pem_private_key(pem, None)
        key = private.decrypt(wrapped, oaep) if isinstance(private, rsa.RSAPrivateKey) else b""
    except (ValueError, TypeError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise CallbackRefused("bad_signature")
    return key


def _decrypted(key: bytes, data: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    try:
        decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:_BLOCK_BYTES])).decryptor()
        unpadder = PKCS7(_BLOCK_BYTES * 8).unpadder()
        return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()
    except ValueError:
        raise CallbackRefused("malformed_event") from None


def _bytes(content: Mapping[str, Any], name: str) -> bytes:
    text = content.get(name)
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST:
        raise CallbackRefused("malformed_event")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise CallbackRefused("malformed_event") from None
