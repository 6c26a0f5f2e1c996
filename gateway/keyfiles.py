"""The two secrets that never enter the database: the master keys and the ledger's signing key. Makes them once."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.config import Settings
from gateway.ledger.proofs import LogKeys
from gateway.log import Log
from gateway.vault import MasterKeys, VaultError

log = Log("gateway.keys")


def master_keys(settings: Settings) -> MasterKeys:
    """The master keys of the vault; made on first use beside an embedded database, required otherwise."""
    path = settings.master_key_file
    if not path.exists():
        _may_make(settings, path)
        write_once(path, _master_line())
    return MasterKeys.from_file(path)


def log_keys(settings: Settings) -> LogKeys:
    """The key that signs the ledger's heads; made on first use beside an embedded database, required otherwise."""
    path = settings.ledger_key_file
    if not path.exists():
        _may_make(settings, path)
        write_once(path, _seed_line())
    try:
        seed = base64.b64decode(path.read_text(encoding="ascii").strip(), validate=True)
        return LogKeys(settings.origin, Ed25519PrivateKey.from_private_bytes(seed))
    except (binascii.Error, ValueError):
        raise VaultError(f"{path} must hold one line: base64 of the 32 bytes of an Ed25519 key") from None


def _may_make(settings: Settings, path: Path) -> None:
    if settings.database_url is not None:
        raise VaultError(
            f"{path} is missing; make the key files once with `gateway keys new` and give every gateway the same"
        )
    log.info("key_made", file=path.name)


def make(settings: Settings) -> list[Path]:
    """Make the key files that are missing; returns those made."""
    files = ((settings.master_key_file, _master_line()), (settings.ledger_key_file, _seed_line()))
    return [path for path, line in files if write_once(path, line)]


def add_master_key(settings: Settings) -> str:
    """Put a new master key first in the file, before the ones that are still needed to open; returns its id."""
    path = settings.master_key_file
    before = path.read_text(encoding="ascii")
    name = f"m{datetime.now(UTC):%Y%m%d%H%M%S}"
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_once(draft, MasterKeys.new(name)[1] + before)
    draft.replace(path)
    return name


def _master_line() -> str:
    return MasterKeys.new(f"m{datetime.now(UTC):%Y%m%d}")[1]


def _seed_line() -> str:
    return base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode() + "\n"


def write_once(path: Path, text: str) -> bool:
    """Create a file that only its owner can read, whole or not at all; another gateway may have been faster."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, text.encode("ascii"))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(draft, path)
        return True
    except FileExistsError:
        return False
    finally:
        draft.unlink()
