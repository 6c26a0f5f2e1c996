"""Bring callbacks to the hospital: to the bridge's address, under the gateway's token; and again where one was refused."""

import ssl
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import certifi
import httpx2

from connectors.abdm.simulator.people import new_id
from connectors.abdm.simulator.record import Told

if TYPE_CHECKING:
    from connectors.abdm.simulator.network import Network

ISSUER: Final = "https://dev.abdm.gov.in/auth/realms/central-registry"
TOKEN_SECONDS: Final = 1200
REPEAT_SECONDS: Final = 963
#: How old the gateway's own token may be when a callback is built: a repeat then always bears a dead one.
_AGED_SECONDS: Final = 540
_TIMEOUT_SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be said to one facility."""

    path: str
    body: Any
    service_id: str
    request_id: str


def gateway_token(network: "Network", *, aged_seconds: int = 0) -> str:
    """The gateway's own token: a client's, of twenty minutes, bound to nothing of what it comes with."""
    made = int(network.clock.outside()) - aged_seconds
    return network.keys.token(
        {
            "iss": ISSUER, "aud": "account", "sub": new_id(), "typ": "Bearer", "azp": "gateway", "clientId": "gateway",
            "preferred_username": "service-account-gateway", "iat": made, "exp": made + TOKEN_SECONDS, "jti": new_id(),
        }
    )  # fmt: skip


async def tell(network: "Network", letter: Letter) -> Told:
    """Call the hospital once, and once more after sixteen minutes where it does not take it."""
    token = gateway_token(network, aged_seconds=_AGED_SECONDS if network.quirks.late_repeat else 0)
    headers = {
        "Authorization": f"Bearer {token}", "REQUEST-ID": letter.request_id, "TIMESTAMP": network.stamp(),
        "X-HIP-ID": letter.service_id, "Content-Type": "application/json", "User-Agent": "ReactorNetty/1.1.19",
    }  # fmt: skip
    told = await _deliver(network, letter, headers, None)
    if network.quirks.late_repeat and not told.taken and told.to is not None:
        # The same bytes under the same bearer (1.5): nobody makes a new token for a repeat.
        async def again() -> None:
            await _deliver(network, letter, headers, told.number)

        network.clock.after(REPEAT_SECONDS, again)
    return told


async def _deliver(network: "Network", letter: Letter, headers: dict[str, str], repeats: int | None) -> Told:
    to = f"{network.bridge.url}{letter.path}" if network.bridge.url else None
    told = Told(
        len(network.told), network.clock.now(), letter.path, letter.service_id, dict(headers), letter.body, to,
        repeats=repeats,
    )  # fmt: skip
    network.told.append(told)
    if network.bridge.stolen:
        told.status = 202  # the other system takes it all, and says nothing to anybody
    elif to is not None:
        told.status = await _post(network, to, letter.body, headers)
    network.note()
    return told


async def _post(network: "Network", url: str, body: Any, headers: dict[str, str]) -> int | None:
    client = httpx2.AsyncClient(
        timeout=_TIMEOUT_SECONDS, trust_env=False, transport=network.transport, verify=_authorities()
    )  # fmt: skip
    async with client:
        try:
            return (await client.post(url, json=body, headers=headers)).status_code
        except httpx2.HTTPError:
            return None


@cache
def _authorities() -> ssl.SSLContext:
    """Who vouches for hospitals' addresses; read once, since that takes longer than a call."""
    return ssl.create_default_context(cafile=certifi.where())
