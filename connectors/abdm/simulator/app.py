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
    app = Starlette(
        routes=[*calls, *drive.ROUTES], exception_handlers={404: nowhere, 405: nowhere}
    )  # fmt: skip
    app.state.sandbox = network
    return app
