"""The header that a secret becomes. Keeps the secret for one call, never shows it."""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.egress.letter import fits_a_header
from gateway.egress.refused import RequestRefused

Renew = Callable[[], Awaitable[str | None]]
_BEARER = "bearer"
_BASIC = "basic"
_HEADER = "header:"


@dataclass(frozen=True, slots=True)
class Credential:
    """An opened secret and how its vendor wants it: `bearer`, `basic` (secret is `user:password`) or `header:NAME`."""

    apply: str
    secret: bytes | str = field(repr=False)
    renew: Renew | None = field(default=None, repr=False, compare=False)

    async def another(self) -> "Credential | None":
        """The credential to send in place of this one where the vendor does not take it; None where there is none."""
        secret = None if self.renew is None else await self.renew()
        return None if secret is None else Credential(self.apply, secret)

    def header(self) -> tuple[str, str]:
        """Name (lower case) and value; raises RequestRefused where the secret cannot stand in a header."""
        secret = self.secret if isinstance(self.secret, bytes) else self.secret.encode()
        if self.apply == _BASIC:
            return "authorization", f"Basic {b64encode(secret).decode()}"
        value = secret.decode("latin-1")
        if not value or not fits_a_header(value):
            raise RequestRefused("credential_unusable")
        if self.apply == _BEARER:
            return "authorization", f"Bearer {value}"
        if self.apply.startswith(_HEADER):
            return self.apply.removeprefix(_HEADER).lower(), value
        raise RequestRefused("credential_unusable")
