"""Where a call goes and the headers that every call needs. Keeps the network's rules for both, and no credential."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from connectors.errors import Rejected

PRODUCTION: Final = "abdm"
SANDBOX: Final = "sbx"
_GATEWAYS: Final = {PRODUCTION: "https://apis.abdm.gov.in", SANDBOX: "https://dev.abdm.gov.in"}
_ABHA: Final = {PRODUCTION: "https://abha.abdm.gov.in", SANDBOX: "https://abhasbx.abdm.gov.in"}
_ABHA_PATHS: Final = {PRODUCTION: "/api/abha", SANDBOX: "/abha/api"}
_SCANNED: Final = {PRODUCTION: "https://phr.abdm.gov.in", SANDBOX: "https://phrsbx.abdm.gov.in"}
_COUNTER: Final = re.compile(r"[A-Za-z0-9]{1,20}")
_SERVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,63}")


def environment_of(base_url: str) -> str:
    """The environment behind a base address; a stand-in's, on an address of its own, is a sandbox."""
    return PRODUCTION if base_url == _GATEWAYS[PRODUCTION] else SANDBOX


def gateway_base(base_url: str, environment: str) -> str:
    """Where the network's gateway of an environment is. A stand-in, where the base address leads to one, is all of them."""
    return _GATEWAYS[environment] if base_url in _GATEWAYS.values() else base_url


def abha_base(base_url: str, environment: str) -> str:
    """Where the ABHA service of an environment is, with its path."""
    host = _ABHA[environment] if base_url in _GATEWAYS.values() else base_url
    return host + _ABHA_PATHS[environment]


def scanned_text(environment: str, account: str, counter: str) -> str:
    """What the code at a counter says; a patient's app takes it only at the network's own address. Raises ValueError."""
    if not _COUNTER.fullmatch(counter) or not _SERVICE.fullmatch(account):
        raise ValueError("a counter is 1 to 20 letters and digits, and a facility as the network names it")
    return f"{_SCANNED[environment]}/share-profile?hip-id={account}&counter-id={counter}"


def timestamp(now: datetime) -> str:
    """The one form that is taken: UTC, milliseconds, Z. Another zone is refused, at times as a 404."""
    return f"{now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def request_id(idempotency_key: str, step: str = "") -> str:
    """A version 4 UUID drawn from the key of a disclosure, and another one for each further step of it."""
    digest = hashlib.sha256(f"{idempotency_key}\n{step}".encode("utf-8", "surrogatepass")).digest()
    return str(UUID(bytes=digest[:16], version=4))


def headers(*, request_id: str, now: datetime, environment: str, account: str | None = None) -> dict[str, str]:
    """What every call to the network's gateway says besides its credential, which the door adds."""
    usual = {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "REQUEST-ID": request_id,
        "TIMESTAMP": timestamp(now),
        "X-CM-ID": environment,
    }
    return usual if account is None else {**usual, "X-HIP-ID": account}


def account_of(account: str | None) -> str:
    """The facility that a call is for. With another's id it is taken and never answered, so none is never sent."""
    if account is None or not _SERVICE.fullmatch(account):
        raise Rejected("account_missing")
    return account


def environment_in(settings: Mapping[str, str]) -> str:
    """The environment that a clinic's connection is in. Raises Rejected."""
    environment = settings.get("environment", "")
    if environment not in _GATEWAYS:
        raise Rejected("environment_missing")
    return environment
