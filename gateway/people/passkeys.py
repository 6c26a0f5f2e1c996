"""Passkeys (W3C WebAuthn): registered and shown by discoverable credentials with user verification. Public halves only.

A challenge is random, bound to the browser's cookie and good once. The relying party is the host that the browser sees;
what the authenticator signed for another origin is refused.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.ids import new_id
from gateway.people.challenges import Challenges
from gateway.store import people as rows
from gateway.store.people import PasskeyRow
from gateway.store.pool import Store
from scopes.fault import Fault

_REGISTER: Final = "passkey-register"
_SIGN_IN: Final = "passkey-sign-in"
_CHALLENGE_BYTES: Final = 32
_MOST_KEYS: Final = 20
_MOST_TITLE: Final = 60
_WRONG: Final = "the passkey was not taken; try again"


class Passkeys:
    """Passkeys of people."""

    def __init__(self, store: Store, challenges: Challenges, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._challenges = challenges
        self._clock = clock

    async def of(self, person: UUID) -> list[PasskeyRow]:
        """A person's passkeys, oldest first."""
        async with self._store.person(person) as connection:
            return await rows.passkeys(connection, person)

    async def remove(self, person: UUID, passkey: UUID) -> None:
        """Forget a passkey. Raises NotFound."""
        async with self._store.person(person) as connection:
            if not await rows.drop_passkey(connection, person, passkey):
                raise NotFound("there is no such passkey")

    async def offer(self, person: UUID, *, account: str, name: str, origin: str, cookie: str) -> str:
        """What the browser needs to make a passkey, as JSON."""
        import webauthn  # brings attestation formats along, a tenth of a second of starting
        from webauthn.helpers import structs

        known = await self.of(person)
        if len(known) >= _MOST_KEYS:
            raise Conflict(f"{_MOST_KEYS} passkeys are enough; remove one first")
        challenge = secrets.token_bytes(_CHALLENGE_BYTES)
        options = webauthn.generate_registration_options(
            rp_id=_host(origin), rp_name="Clinic Gateway", user_id=person.bytes, user_name=account,
            user_display_name=name, challenge=challenge,
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.REQUIRED,
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=each.credential) for each in known],
        )  # fmt: skip
        await self._challenges.keep(challenge, _REGISTER, cookie=cookie, said={"person": str(person)})
        return webauthn.options_to_json(options)

    async def add(self, person: UUID, answer: str, title: str, *, origin: str, cookie: str) -> None:
        """Take a new passkey. Raises InvalidRequest for one that was not made for this."""
        import webauthn

        title = " ".join(title.split()) or "Passkey"
        if len(title) > _MOST_TITLE or not title.isprintable():
            raise InvalidRequest(faults=[Fault("title", f"Write 1 to {_MOST_TITLE} characters.")])
        credential = _read(answer)
        said = await self._challenges.take(challenge := _challenge(credential), _REGISTER, cookie=cookie)
        if said is None or said["person"] != str(person):
            raise InvalidRequest("that took too long; try again")
        try:
            made = webauthn.verify_registration_response(
                credential=credential, expected_challenge=challenge, expected_rp_id=_host(origin),
                expected_origin=origin, require_user_verification=True,
            )  # fmt: skip
        except Exception:  # the package has a tree of errors, and parses what anybody may have sent
            raise InvalidRequest(_WRONG) from None
        row = PasskeyRow(
            new_id(), made.credential_id, made.credential_public_key, made.sign_count, title, self._clock()
        )
        try:
            async with self._store.person(person) as connection:
                await rows.add_passkey(connection, person, row)
        except asyncpg.UniqueViolationError:
            raise Conflict("this passkey is known already") from None

    async def ask(self, *, origin: str, cookie: str) -> str:
        """What the browser needs to show any passkey of ours, as JSON."""
        import webauthn
        from webauthn.helpers import structs

        challenge = secrets.token_bytes(_CHALLENGE_BYTES)
        options = webauthn.generate_authentication_options(
            rp_id=_host(origin), challenge=challenge, user_verification=structs.UserVerificationRequirement.REQUIRED
        )
        await self._challenges.keep(challenge, _SIGN_IN, cookie=cookie, said={})
        return webauthn.options_to_json(options)

    async def shown(self, answer: str, *, origin: str, cookie: str) -> UUID:
        """The person whose passkey was shown. Raises InvalidRequest, whatever is wrong with it, in the same words."""
        import webauthn

        credential = _read(answer)
        challenge = _challenge(credential)
        known = await self._challenges.take(challenge, _SIGN_IN, cookie=cookie) is not None
        name = _bytes(credential, "rawId")
        async with self._store.nobody() as connection:
            person = await rows.passkey_person(connection, name)
        if not known or person is None:
            raise InvalidRequest(_WRONG)
        row = next((each for each in await self.of(person) if each.credential == name), None)
        if row is None:
            raise InvalidRequest(_WRONG)
        try:
            checked = webauthn.verify_authentication_response(
                credential=credential, expected_challenge=challenge, expected_rp_id=_host(origin),
                expected_origin=origin, credential_public_key=row.public_key,
                credential_current_sign_count=row.sign_count, require_user_verification=True,
            )  # fmt: skip
        except Exception:  # hostile input breaks the package in many ways, and its text may repeat it
            raise InvalidRequest(_WRONG) from None
        async with self._store.person(person) as connection:
            await rows.used_passkey(connection, person, row.id, checked.new_sign_count, self._clock())
        return person


def _host(origin: str) -> str:
    return urlsplit(origin).hostname or ""


def _read(answer: str) -> dict[str, Any]:
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidRequest(_WRONG)
    return found


def _challenge(credential: dict[str, Any]) -> bytes:
    """The challenge that was answered; what is claimed here is checked against the signature afterwards."""
    inner: Any = credential.get("response")
    said = _read(_bytes(inner, "clientDataJSON").decode("utf-8", "replace")) if isinstance(inner, dict) else {}
    return _bytes(said, "challenge")


def _bytes(fields: dict[str, Any], name: str) -> bytes:
    from webauthn.helpers import base64url_to_bytes

    try:
        return base64url_to_bytes(fields[name])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InvalidRequest(_WRONG) from None
