"""An address that somebody else names: in which form it may be one that data goes to. Connects to nothing.

What is refused here is refused at the door too; here somebody is there to be told.
"""

from __future__ import annotations

from typing import Final

import httpx2

from connectors.contract import ConnectorError
from gateway.egress.address import is_public
from gateway.egress.letter import place_of
from gateway.egress.route import is_literal
from gateway.flows.challenge import route_of
from gateway.flows.rooms import Rooms
from scopes.tracking import tracks

LONGEST_URL: Final = 500
_RULE: Final = f"at most {LONGEST_URL} ASCII characters, without a user, a fragment or dot segments"


def place(given: str, rooms: Rooms) -> tuple[httpx2.URL, str | None]:
    """The address in its normal form, and what is wrong with it."""
    try:
        url = httpx2.URL(given) if _is_plain(given) else httpx2.URL("")
        if tracks(url.raw_host.decode("ascii"), url.raw_path.decode("ascii")):
            return url, "is a place of advertising or tracking, where no integration may send anything"
        place_of(httpx2.Request("POST", url), route_of(str(url)))
    except (httpx2.InvalidURL, ValueError, ConnectorError):
        return httpx2.URL(""), f"must be an address like https://vendor.example/hooks, {_RULE}"
    if url.port is not None and not 0 < url.port < 1 << 16:
        return url, "must have a port between 1 and 65535"
    on_loopback = url.host in rooms.egress.loopback_hosts
    if url.scheme != "https" and not on_loopback:
        return url, "must begin with https://"
    if is_literal(url.host) and not is_public(url.host) and not on_loopback:
        return url, "must not be an address of a private network"
    return url, None


def _is_plain(given: str) -> bool:
    """Whether two readers of the address see the same: no control, space, backslash or dot segment, only ASCII."""
    printable = given.isascii() and given.isprintable() and not set(given) & set(' \\"<>^`{|}#')
    return printable and 0 < len(given) <= LONGEST_URL and not {".", ".."} & set(given.partition("?")[0].split("/"))
