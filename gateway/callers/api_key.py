"""The form of an API key and the hash that is kept of it. Knows no tenant and stores nothing.

`cgk_<id>_<secret>`: the id (12 letters and digits) is no secret, finds the row and stands in the ledger; the secret is
32 random bytes in base64url. The fixed prefix lets scanners of leaked secrets recognise a key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass, field
from typing import Self

PREFIX = "cgk_"
_ID_CHARACTERS = string.ascii_letters + string.digits
_ID_LENGTH = 12
_SECRET_BYTES = 32
_FORM = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{_ID_LENGTH}}})_([0-9A-Za-z_-]{{43}})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One API key in the clear; lives as long as the request that carries or makes it."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        """A fresh key."""
        key_id = "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))
        return cls(key_id, secrets.token_urlsafe(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a key; None when the text has not its form."""
        found = _FORM.fullmatch(text)
        return cls(found[1], found[2]) if found else None

    @property
    def text(self) -> str:
        """The key as its holder keeps it."""
        return f"{PREFIX}{self.id}_{self.secret}"

    @property
    def digest(self) -> bytes:
        """What is stored of the key."""
        # A plain hash is right here: nobody guesses 256 random bits, so slowing guesses down would gain nothing, and no
        # two secrets are alike, so a salt would keep nothing apart. Both are for passwords.
        return hashlib.sha256(self.secret.encode("ascii")).digest()

    def matches(self, digest: bytes) -> bool:
        """Compare with a stored hash, in constant time."""
        return hmac.compare_digest(self.digest, digest)
