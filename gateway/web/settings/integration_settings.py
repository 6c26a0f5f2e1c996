"""What a clinic sets for its connection, such as a sender or a list of teams: changed here, in force for the next call."""

from __future__ import annotations

from gateway.errors import InvalidRequest
from gateway.flows.connect import set_up
from gateway.web.page import Go, Page, Said, Visit
from gateway.web.settings.integration import ONE, at_home, connector_of, live, show
from gateway.web.settings.integration_connect import in_words, settings_in
from gateway.web.settings.integrations import WRITE


async def save(visit: Visit) -> Go:
    """Set them all anew."""
    connector = connector_of(visit)
    connection = await live(visit, connector)
    try:
        await set_up(visit.actor, connection, settings_in(visit, connector.manifest), visit.rooms)
    except InvalidRequest as invalid:
        raise InvalidRequest(faults=[in_words(fault, connector.manifest) for fault in invalid.faults]) from None
    return Go(at_home(connector), Said("The settings are saved. They count from the next call on."))


PAGES = (
    Page(
        method="POST", path=f"{ONE}/settings", act=save, needs=WRITE, again=show, title="Integration",
        template="settings/integration.html",
    ),
)  # fmt: skip
