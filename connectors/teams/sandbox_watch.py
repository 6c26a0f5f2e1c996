"""The sandbox's subscriptions: the handshake before one is made, and what is told to whoever watches. Graph's manners."""

import asyncio
import base64
import hmac
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import orjson

from connectors.teams.sandbox_directory import ACCOUNT, Directory, Refused, written

#: Where nobody listens: taken without a handshake, for tests without a gateway.
CALLBACK_URL: Final = "https://gateway.example/hooks/0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"
_LONGEST: Final = timedelta(minutes=360, seconds=30)
_TIMEOUT_SECONDS: Final = 10
_ATTEMPTS: Final = 4


def path_of(resource: str) -> tuple[str, str]:
    """The team and the collection that a resource names. Raises Refused."""
    parts = resource.strip("/").split("/")
    if len(parts) != 4 or (parts[0], parts[2]) != ("teams", "schedule"):
        raise Refused(400, "BadRequest", "This resource can't be watched")
    return parts[1].lower(), parts[3]


async def made(directory: Directory, given: dict[str, Any]) -> dict[str, Any]:
    """A subscription, once its address has answered. Raises Refused."""
    team, _ = path_of(str(given["resource"]))
    directory.team(team)
    _check_end(directory, str(given["expirationDateTime"]))
    address, state = str(given["notificationUrl"]), str(given.get("clientState", ""))
    secure = urlsplit(address).scheme == "https" or urlsplit(address).hostname in ("127.0.0.1", "localhost")
    if not secure or len(state) > 128:
        raise Refused(400, "BadRequest", "notificationUrl must be https and clientState at most 128 characters long")
    if any(
        each["resource"] == given["resource"] and not _ended(directory, each) for each in directory.watches.values()
    ):
        raise Refused(403, "Forbidden", "Subscription quota: one per application and resource")
    if address != CALLBACK_URL and not await _shaken(address):
        raise Refused(400, "ValidationError", "Subscription validation request failed")
    subscription = {"id": str(uuid4()), "applicationId": str(uuid4()), **given}
    directory.watches[subscription["id"]] = subscription
    return subscription


def renewed(directory: Directory, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A subscription that lasts longer. Raises Refused."""
    _check_end(directory, str(given.get("expirationDateTime")))
    watch = directory.watches[name]
    if _ended(directory, watch):
        raise Refused(404, "ResourceNotFound", "The object was not found")
    watch["expirationDateTime"] = given["expirationDateTime"]
    return watch


async def tell(directory: Directory, team: str, change: str, shift: str) -> None:
    """Tell whoever watches a team's shifts that one changed, as Graph does: without what is in it."""
    for watch in list(directory.watches.values()):
        if path_of(watch["resource"]) != (team.lower(), "shifts") or _ended(directory, watch):
            continue
        resource = f"teams('{team}')/schedule/shifts('{shift}')"
        held = {"@odata.type": "#Microsoft.Graph.shift", "@odata.id": resource, "id": shift}
        item = {**_about(watch), "changeType": change, "resource": resource, "resourceData": held}
        if watch.get("includeResourceData"):
            item["encryptedContent"] = sealed(watch, {**held, "notes": "With Mrs Roe"})
        await _post(watch, item)


async def tell_lifecycle(directory: Directory, event: str) -> None:
    """Tell whoever watches something that the watch itself needs care."""
    for watch in list(directory.watches.values()):
        await _post(watch, {**_about(watch), "lifecycleEvent": event})


def sealed(watch: Mapping[str, Any], resource: Mapping[str, Any]) -> dict[str, str]:
    """A resource as Graph encrypts it: AES-256-CBC under a fresh key, its HMAC, and the key under the certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    public = x509.load_der_x509_certificate(base64.b64decode(watch["encryptionCertificate"])).public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise Refused(400, "BadRequest", "encryptionCertificate must hold an RSA key")
    key, padder = os.urandom(32), PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    data = encryptor.update(padder.update(orjson.dumps(dict(resource))) + padder.finalize()) + encryptor.finalize()
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 (Graph's choice)
    return {
        "data": base64.b64encode(data).decode(),
        "dataKey": base64.b64encode(public.encrypt(key, oaep)).decode(),
        "dataSignature": base64.b64encode(hmac.digest(key, data, "sha256")).decode(),
        "encryptionCertificateId": str(watch["encryptionCertificateId"]),
    }


def _about(watch: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "subscriptionId": watch["id"],
        "subscriptionExpirationDateTime": watch["expirationDateTime"],
        "clientState": watch["clientState"],
        "tenantId": ACCOUNT,
    }


async def _post(watch: Mapping[str, Any], item: Mapping[str, Any]) -> None:
    """Deliver one notification, a few times if need be; nothing to an address where nobody listens."""
    if not watch["notificationUrl"] or watch["notificationUrl"] == CALLBACK_URL:
        return
    async with httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
        for attempt in range(_ATTEMPTS):
            try:
                answer = await client.post(str(watch["notificationUrl"]), json={"value": [item]})
            except httpx2.HTTPError:
                pass
            else:
                if answer.is_success:
                    return
            await asyncio.sleep(0.2 * 2**attempt)


async def _shaken(address: str) -> bool:
    token = f"Validation: Testing client application reachability for subscription Request-Id: {uuid4()}"
    try:
        async with httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            answer = await client.post(address, params={"validationToken": token})
    except httpx2.HTTPError:
        return False
    plain = answer.headers.get("content-type", "").startswith("text/plain")
    return answer.status_code == 200 and plain and answer.text == token


def _check_end(directory: Directory, text: str) -> None:
    try:
        end = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, "BadRequest", "expirationDateTime is no time") from None
    if not directory.now < end <= directory.now + _LONGEST:
        raise Refused(400, "BadRequest", "Subscription expiration can only be 360 minutes in the future")


def _ended(directory: Directory, watch: Mapping[str, Any]) -> bool:
    return str(watch["expirationDateTime"]) < written(directory.now)
