"""Names resolved once, every address checked, the checked ones kept for a short while. Opens no connection."""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.contract import AnswerRefused, Unreachable
from gateway.egress.address import is_loopback, is_public
from gateway.egress.route import is_literal

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

_TTL_SECONDS: Final = 30.0
_LOOKUP_SECONDS: Final = 5.0
_NAMES: Final = 512


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """Every address that the system's resolver knows for a name; raises OSError where there is none."""
    answers = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


@dataclass(slots=True)
class _Page:
    addresses: tuple[str, ...]
    valid_until: float


class AddressBook:
    """The checked addresses of each name. One bad address among good ones refuses the name."""

    def __init__(self, resolver: Resolver, loopback_hosts: frozenset[str], clock: Callable[[], float]) -> None:
        self._resolver = resolver
        self._loopback_hosts = loopback_hosts
        self._clock = clock
        self._pages: OrderedDict[str, _Page] = OrderedDict()
        self._lookups: dict[str, asyncio.Task[str]] = {}

    def known(self, host: str) -> str | None:
        """The address to connect to, where it was checked lately."""
        page = self._pages.get(host)
        return page.addresses[0] if page is not None and self._clock() < page.valid_until else None

    async def look_up(self, host: str, port: int) -> str:
        """Resolve and check a name; callers that wait for the same name share one look-up."""
        lookup = self._lookups.get(host)
        if lookup is None:
            lookup = self._lookups[host] = asyncio.create_task(self._checked(host, port))
            lookup.add_done_callback(lambda ended: self._end(host, ended))
        # Shielded: the caller that started the look-up may give up while others still wait for it.
        return await asyncio.shield(lookup)

    def pass_over(self, host: str, address: str) -> None:
        """Prefer another checked address of the name: this one did not answer."""
        page = self._pages.get(host)
        if page is not None and page.addresses[0] == address:
            page.addresses = (*page.addresses[1:], address)

    def _end(self, host: str, ended: asyncio.Task[str]) -> None:
        del self._lookups[host]
        if not ended.cancelled():
            ended.exception()  # taken note of, also where every caller has given up

    async def _checked(self, host: str, port: int) -> str:
        addresses = tuple(await self._addresses(host, port))
        if not addresses:
            raise Unreachable("dns_failed")
        allowed = is_loopback if host in self._loopback_hosts else is_public
        if not all(allowed(address) for address in addresses):
            self._pages.pop(host, None)
            raise AnswerRefused("private_address")
        page = self._pages.pop(host, None)
        if page is not None and page.addresses[0] in addresses:
            first = page.addresses[0]  # its connections are open already
            addresses = (first, *(address for address in addresses if address != first))
        self._pages[host] = _Page(addresses, self._clock() + _TTL_SECONDS)
        if len(self._pages) > _NAMES:
            self._pages.popitem(last=False)
        return addresses[0]

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        if is_literal(host):
            return (host,)
        try:
            async with asyncio.timeout(_LOOKUP_SECONDS):
                return await self._resolver(host, port)
        except (OSError, UnicodeError, TimeoutError):
            pass
        raise Unreachable("dns_failed")  # outside the block: the cause quotes the name that was asked for
