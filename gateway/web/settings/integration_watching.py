"""The two buttons of an integration's watches: begin one, stop one."""

from __future__ import annotations

from gateway.errors import NotFound
from gateway.flows import watching
from gateway.web.page import Go, Page, Said, Visit
from gateway.web.settings.integration import ONE, at_home, connector_of, live, show
from gateway.web.settings.integration_watches import begin
from gateway.web.settings.integrations import WRITE


async def start(visit: Visit) -> Go:
    """Have something watched from now on."""
    connector = connector_of(visit)
    await live(visit, connector)
    await begin(visit, connector)
    return Go(at_home(connector), Said("It is watched from now on. The gateway renews it and reads it by itself."))


async def stop(visit: Visit) -> Go:
    """Have it watched no more."""
    connector, wanted = connector_of(visit), visit.id("watch")
    connection = await live(visit, connector)
    if (await watching.one(visit.tenant, wanted, visit.rooms)).row.connection != connection.id:
        raise NotFound("there is no such watch")
    await watching.leave_off(visit.actor, wanted, visit.rooms)
    return Go(at_home(connector), Said("It is being stopped."))


PAGES = (
    Page(method="POST", path=f"{ONE}/watches/{{watch:uuid}}/stop", act=stop, needs=WRITE),
    Page(
        method="POST", path=f"{ONE}/watches", act=start, needs=WRITE, again=show, title="Integration",
        template="settings/integration.html",
    ),
)  # fmt: skip
