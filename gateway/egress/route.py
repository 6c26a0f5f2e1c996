"""Where one connector may go, as its manifest says. Pure: resolves nothing, connects to nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

import httpx2

from scopes.tracking import may_track

MinTls = Literal["1.2", "1.3"]
OriginKey = tuple[str, bytes, int | None]  # scheme, host as A-labels, port as httpx2 normalizes it

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
# WHATWG URL 3.5: a host whose last label reads as a number is taken for an IPv4 address, octal and hex included.
_ENDS_IN_A_NUMBER: Final = re.compile(r"(^|\.)([0-9]+|0[xX][0-9a-fA-F]*)\.?$")


class Origin(NamedTuple):
    """One place that a route reaches; `prefix` is the path that every request there starts with.

    `watched` are hosts with places of advertising or tracking (scopes/tracking.py): there each path is looked at.
    """

    scheme: str
    host: str
    port: int
    root: str
    prefix: str
    watched: bool = False


@dataclass(frozen=True)
class Route:
    """The hosts of one connector, its base address, and the limits of one exchange.

    `hosts` are names, or `name:port` where the port is not 443. The base address's own port is allowed besides.
    Raises ValueError where something named is not a host.
    """

    hosts: frozenset[str]
    base_url: str
    min_tls: MinTls = "1.2"
    timeout_seconds: float = 30.0
    max_answer_bytes: int = 1 << 20
    account_header: str | None = None

    def __post_init__(self) -> None:
        _origins(
            self.hosts, self.base_url
        )  # a route that cannot be used is told when it is made, not on the first call

    @cached_property
    def host(self) -> str:
        """The host of the base address: where the ledger says that a disclosure went."""
        return httpx2.URL(self.base_url).host

    @cached_property
    def origins(self) -> Mapping[OriginKey, Origin]:
        """What the route reaches."""
        return _origins(self.hosts, self.base_url)

    @cached_property
    def base_origin(self) -> Origin:
        """The origin of the base address."""
        base = httpx2.URL(self.base_url)
        return self.origins[base.scheme, base.raw_host, base.port]

    @cached_property
    def base_root(self) -> str:
        """How every address under the base origin begins."""
        return f"{self.base_origin.root}/"


@lru_cache(maxsize=512)
def _origins(hosts: frozenset[str], base_url: str) -> Mapping[OriginKey, Origin]:
    origins = dict(_named(host) for host in sorted(hosts))
    base = _parsed(base_url)
    if base.query or base.fragment or base.scheme not in _DEFAULT_PORTS:
        raise ValueError("a base_url is http(s)://host[:port][/path]")
    if not any(host == base.raw_host for _, host, _ in origins):
        raise ValueError("the host of base_url is not among the hosts")
    key, origin = _origin(base, base.raw_path.decode("ascii").rstrip("/"))
    origins[key] = origin
    return MappingProxyType(origins)


def _parsed(url: str) -> httpx2.URL:
    try:
        return httpx2.URL(url)
    except httpx2.InvalidURL:
        raise ValueError(f"not an address: {url!r}") from None


def _named(host: str) -> tuple[OriginKey, Origin]:
    url = _parsed(f"https://{host}/")
    if url.raw_path != b"/" or url.fragment:
        raise ValueError(f"not the name of a host: {host!r}")
    return _origin(url, "")


def _origin(url: httpx2.URL, prefix: str) -> tuple[OriginKey, Origin]:
    host = url.raw_host.decode("ascii")
    if url.userinfo or not _is_host(host):
        raise ValueError(f"not the name of a host: {host!r}")
    authority = url.netloc.decode("ascii")
    port, root = url.port or _DEFAULT_PORTS[url.scheme], f"{url.scheme}://{authority}"
    origin = Origin(url.scheme, host, port, root, prefix, may_track(host))
    return (url.scheme, url.raw_host, url.port), origin


def _is_host(host: str) -> bool:
    if is_literal(host):
        return True
    return bool(_NAME.fullmatch(host)) and not _ENDS_IN_A_NUMBER.search(host)


def is_literal(host: str) -> bool:
    """Whether a host is an address and not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
