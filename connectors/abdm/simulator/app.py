"""The network as a web application: ABDM's own paths, the verbs under /sim, and pages for people."""

from typing import Final

from starlette.applications import Starlette
from starlette.routing import Route

from connectors.abdm.simulator import (
    accounts,
    artefacts,
    discovery,
    drive,
    enrolment,
    gateway,
    hiu,
    linking,
    page_app,
    page_hius,
    page_network,
    sharing,
    transfers,
)  # fmt: skip
from connectors.abdm.simulator.desk import nowhere, served
from connectors.abdm.simulator.network import Network

_SUBJECTS: Final = (gateway, linking, discovery, artefacts, transfers, sharing, enrolment, accounts, hiu)


def serve(network: Network) -> Starlette:
    """An ASGI application for one network, which is its `state.sandbox`."""
    calls = [
        Route(path, served(rule, act), methods=[method])
        for subject in _SUBJECTS
        for method, path, rule, act in subject.CALLS
    ]
    pages = (*page_app.ROUTES, *page_hius.ROUTES, *page_network.ROUTES)
    app = Starlette(routes=[*calls, *drive.ROUTES, *pages], exception_handlers={404: nowhere, 405: nowhere})
    app.state.sandbox = network
    return app
