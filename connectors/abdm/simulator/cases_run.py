"""One run of the certification cases: the network, served, and a hospital at some address that is configured to use it."""

from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette

from connectors.abdm.simulator.app import serve
from connectors.abdm.simulator.cases_cast import Cast
from connectors.abdm.simulator.clock import Clock
from connectors.abdm.simulator.network import CLIENT, Network
from connectors.abdm.simulator.quirks import Quirks


def network_for(
    base_url: str,
    cast: Cast,
    *,
    facility: tuple[str, str],
    client: tuple[str, str] = CLIENT,
    off: tuple[str, ...] = (),
    clock: Clock | None = None,
) -> tuple[Starlette, Network, str]:
    """A network with every quirk on but those named, its facility, whose service id is given, and everybody who plays.

    Raises ValueError for an unknown quirk.
    """
    quirks = Quirks.everything()
    quirks.switch(dict.fromkeys(off, False))
    network = Network(clock=clock, quirks=quirks)
    network.bridge.client_id, network.bridge.client_secret = client
    service_id = network.add_facility(facility[1], hfr_id=facility[0]).service_id
    cast.enter(network)
    network.register(base_url)
    return serve(network), network, service_id


def shown(verdicts: list[Any], base_url: str) -> Mapping[str, Any]:
    """What came of it, for programs."""
    cases = [
        {
            "name": each.case.name, "title": each.case.title, "official": each.case.official, "passed": each.passed,
            "tries": each.tries, "seconds": round(each.seconds, 1),
            "reasons": [{"section": fault.section, "what": fault.what} for fault in each.reasons],
        }
        for each in verdicts
    ]  # fmt: skip
    return {"base_url": base_url, "passed": all(each.passed for each in verdicts), "cases": cases}
