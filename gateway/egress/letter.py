"""What may leave: one request in plain parts, header by header, and the seam to the engine. Opens no connection."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import httpx2

from connectors.contract import AnswerRefused
from gateway.egress.refused import RequestRefused
from gateway.egress.route import MinTls, Origin, Route
from scopes.tracking import tracks

if TYPE_CHECKING:
    from gateway.egress.stream import Stream

Header = tuple[str, str]

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")  # RFC 9110 5.6.2, lower case
# The engine writes these itself: from the checked target, the body that it has and the codings that it can read.
_WRITTEN_BY_THE_ENGINE: Final = frozenset({"host", "content-length", "accept-encoding"})
# RFC 9110 7.6.1: these speak to the next hop; cookies would carry state from one disclosure to another.
_REFUSED: Final = frozenset(
    {
        "connection",
        "cookie",
        "expect",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# RFC 3986 5.2.4: dot segments climb out of the prefix; engines also read the encoded ones (WHATWG URL 4.4).
_CLIMBS: Final = re.compile(r"(/|%2f)(\.|%2e){1,2}(/|%2f|$)|\\|%5c", re.IGNORECASE)
_MAY_CLIMB: Final = re.compile(r"[.%\\]")


class Letter(NamedTuple):
    """One request as the engine needs it; headers in lower case, none of the engine's own among them."""

    method: str
    url: str
    headers: list[Header]
    body: "bytes | Stream"


class Target(NamedTuple):
    """Where the engine connects: the checked address, under the name that certificate and Host must carry."""

    scheme: str
    host: str
    port: int
    address: str
    min_tls: MinTls


class Limits(NamedTuple):
    """How long one attempt may take, and how much may come back."""

    seconds: float
    answer_bytes: int


class Received(NamedTuple):
    """One answer, whole, within its limits and as it came: not decoded. `headers` reads them, names in lower case."""

    status: int
    coding: str | None  # its content-encoding
    body: bytes
    headers: Callable[[], list[Header]]


class Engine(Protocol):
    """What carries a letter. It follows nothing, repeats nothing, decodes nothing and resolves no name."""

    async def send(self, letter: Letter, target: Target, limits: Limits) -> Received:
        """Raise Unreachable only where not a byte left; Ambiguous and AnswerRefused otherwise."""

    async def close(self) -> None:
        """Let go of every connection."""


def place_of(request: httpx2.Request, route: Route) -> tuple[Origin, str]:
    """The origin that a request goes to, and its path with query; raises where the manifest does not name it."""
    url = request.url
    text = str(url)
    # httpx2 has written scheme, host and port in one normal form: a text that begins so goes there and nowhere else.
    if text.startswith(route.base_root) and "#" not in text:
        origin, path = route.base_origin, text[len(route.base_root) - 1 :]
    else:
        origin, path = _named_origin(url, route), url.raw_path.decode("ascii")
    if _MAY_CLIMB.search(path) and _CLIMBS.search(path.partition("?")[0]):
        raise RequestRefused("path_not_allowed")
    prefix = origin.prefix
    if prefix and not (path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/", "?")):
        raise RequestRefused("path_not_allowed")
    if origin.watched and tracks(origin.host, path):
        raise RequestRefused("tracking_refused")
    return origin, path


def _named_origin(url: httpx2.URL, route: Route) -> Origin:
    origin = route.origins.get((url.scheme, url.raw_host, url.port))
    if origin is not None and not url.userinfo:
        return origin
    secure = ("https", url.raw_host, None) in route.origins
    raise AnswerRefused("insecure_scheme" if secure and url.scheme == "http" else "host_not_allowed")


def write_letter(request: httpx2.Request, body: "bytes | Stream", *, url: str, own: Mapping[str, str]) -> Letter:
    """The letter for one request; `own` are the headers that only the door may write."""
    if request.method not in _METHODS:
        raise RequestRefused("method_not_allowed")
    headers = [*own.items()]
    for raw_name, raw_value in request.headers.raw:
        name = _header_name(raw_name)
        if name is None:
            continue
        value = raw_value.decode("latin-1")
        if name not in own:
            headers.append((name, value))
        elif own[name] != value:
            raise RequestRefused("header_refused")
    if not fits_a_header("".join([value for _, value in headers])):
        raise RequestRefused("header_refused")
    return Letter(request.method, url, headers, body)


def fits_a_header(value: str) -> bool:
    """Whether a value stays one value in a header: no line break, no control, nothing beyond ASCII."""
    return value.isascii() and value.isprintable()


@lru_cache(maxsize=512)
def _header_name(raw_name: bytes) -> str | None:
    """The name in lower case; None where the engine writes this header itself."""
    name = raw_name.decode("latin-1").lower()
    if name in _REFUSED or not _TOKEN.fullmatch(name):
        raise RequestRefused("header_refused")
    return None if name in _WRITTEN_BY_THE_ENGINE else name
