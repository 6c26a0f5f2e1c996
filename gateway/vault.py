"""Seal and open what must not be readable in a database dump. Never logs, never keeps an opened secret.

Envelope: a data key per tenant, wrapped under a master key that has an id and never enters the database. AES-256-GCM
(NIST SP 800-38D) with a random 96-bit nonce; the associated data binds tenant, purpose and row, so that a sealed value
opens nowhere else.

Sealed value: version (1 byte) | data key id (16) | nonce (12) | ciphertext and tag.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.store.keys import DataKeyRow

_VERSION = b"\x01"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class VaultError(Exception):
    """A key is missing or a sealed value was changed; says which, never what was inside."""


@dataclass(frozen=True)
class MasterKeys:
    """The master keys by id; new data keys are wrapped under `current`."""

    current: str
    keys: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        if self.current not in self.keys:
            raise VaultError(f"master key {self.current!r} is named as current but not given")
        for name, key in self.keys.items():
            if len(key) != _KEY_BYTES:
                raise VaultError(f"master key {name!r} must be {_KEY_BYTES} bytes; make one with `gateway keys new`")

    @classmethod
    def parse(cls, text: str) -> MasterKeys:
        """Read `id:base64` lines; the first one is current."""
        keys: dict[str, bytes] = {}
        for line in filter(None, (line.strip() for line in text.splitlines())):
            name, colon, encoded = line.partition(":")
            try:
                keys[name] = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                colon = ""
            if not colon:
                raise VaultError("a master key line must read `id:base64 of 32 bytes`")
        if not keys:
            raise VaultError("there is no master key; make one with `gateway keys new`")
        return cls(next(iter(keys)), keys)

    @classmethod
    def new(cls, name: str) -> tuple[MasterKeys, str]:
        """A fresh master key and the line to keep it in."""
        key = secrets.token_bytes(_KEY_BYTES)
        return cls(name, {name: key}), f"{name}:{base64.b64encode(key).decode()}\n"

    @classmethod
    def from_file(cls, path: Path) -> MasterKeys:
        """Read the key file; refuse one that others can read."""
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise VaultError(f"{path} can be read by others; run: chmod 600 {path}")
        return cls.parse(path.read_text(encoding="ascii"))


@dataclass(frozen=True)
class Keyring:
    """One tenant's opened data keys: seals with the newest, opens with any."""

    tenant: UUID
    current: UUID
    keys: Mapping[UUID, bytes] = field(repr=False)

    def seal(self, plaintext: bytes, *, purpose: str, row: str) -> bytes:
        """Seal a value for one place: `purpose` is what it is for, `row` the id of the row that holds it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self.current.bytes].encrypt(nonce, plaintext, self._binding(purpose, row))
        return b"".join((_VERSION, self.current.bytes, nonce, sealed))

    def open(self, sealed: bytes, *, purpose: str, row: str) -> bytes:
        """Open a sealed value in its own place; raises VaultError anywhere else."""
        if sealed[:1] != _VERSION or len(sealed) < 1 + 16 + _NONCE_BYTES + 16:
            raise VaultError("a sealed value has an unknown form")
        cipher = self._ciphers.get(sealed[1:17])
        if cipher is None:
            raise VaultError("a value is sealed under a data key that is not there")
        nonce, ciphertext = sealed[17 : 17 + _NONCE_BYTES], sealed[17 + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, ciphertext, self._binding(purpose, row))
        except InvalidTag:
            raise VaultError("a sealed value was changed or moved to another place") from None

    @cached_property
    def _ciphers(self) -> dict[bytes, AESGCM]:
        return {key_id.bytes: AESGCM(key) for key_id, key in self.keys.items()}

    def fingerprint(self, text: bytes) -> bytes:
        """HMAC-SHA256 under a key of this tenant: equal texts show, nothing else does.

        The key is drawn from the tenant's first data key, so that rotation changes no fingerprint.
        """
        fingerprint = self._keyed.copy()  # hmac.digest would let go of the interpreter for each of these few bytes
        fingerprint.update(text)
        return fingerprint.digest()

    @cached_property
    def _keyed(self) -> hmac.HMAC:
        first = self.keys[min(self.keys)]
        return hmac.new(hmac.digest(first, b"clinic-gateway fingerprints v1", hashlib.sha256), digestmod=hashlib.sha256)

    def _binding(self, purpose: str, row: str) -> bytes:
        return b"|".join((self.tenant.bytes, purpose.encode(), row.encode()))


class Vault:
    """Opens tenants' keyrings with the master keys."""

    def __init__(self, masters: MasterKeys) -> None:
        self._masters = masters

    def new_data_key(self, tenant: UUID, key_id: UUID) -> DataKeyRow:
        """A fresh data key for a tenant, wrapped."""
        return self._wrap(tenant, key_id, secrets.token_bytes(_KEY_BYTES))

    def keyring(self, tenant: UUID, rows: list[DataKeyRow]) -> Keyring:
        """Open a tenant's data keys; the last row is the current one."""
        if not rows:
            raise VaultError("the tenant has no data key")
        return Keyring(tenant, rows[-1].id, {row.id: self._unwrap(tenant, row) for row in rows})

    def rewrapped(self, tenant: UUID, row: DataKeyRow) -> DataKeyRow:
        """The same data key under the current master key."""
        return self._wrap(tenant, row.id, self._unwrap(tenant, row))

    def _wrap(self, tenant: UUID, key_id: UUID, key: bytes) -> DataKeyRow:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        master = self._masters.current
        wrapped = AESGCM(self._masters.keys[master]).encrypt(nonce, key, tenant.bytes + key_id.bytes)
        return DataKeyRow(key_id, master, nonce + wrapped)

    def _unwrap(self, tenant: UUID, row: DataKeyRow) -> bytes:
        master = self._masters.keys.get(row.master)
        if master is None:
            raise VaultError(f"master key {row.master!r} is not given; add its line to the key file")
        try:
            return AESGCM(master).decrypt(
                row.wrapped[:_NONCE_BYTES], row.wrapped[_NONCE_BYTES:], tenant.bytes + row.id.bytes
            )
        except InvalidTag:
            raise VaultError(f"master key {row.master!r} does not open this tenant's data key") from None
