"""How deliveries went, day by day: attempts by what came of them, as the log counts them. Looks; changes nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from gateway.tallies import OPEN, Period
from gateway.web.page import Visit
from gateway.web.vendors.bars import Series, bars
from gateway.webhooks.endpoints import CONNECTOR

SPANS: Final = (7, 30, 90)
USUAL: Final = 30
_SERIES: Final = (("accepted", "Accepted"), ("rejected", "Rejected"), ("failed", "Failed"), ("unknown", "Unknown"))


async def attempts(visit: Visit, endpoint: UUID | None, *, days: int = USUAL) -> dict[str, Any]:
    """The words of the chart: at one endpoint, or at all of them."""
    period = Period.of_last(days, now=visit.rooms.clock())
    counted = await visit.rooms.tallies.by_outcome(
        visit.tenant, period, connector=CONNECTOR, recipient_id=str(endpoint) if endpoint is not None else None
    )
    by_outcome = {each.outcome: each.days for each in counted.items}
    nothing = (0,) * days
    series = [Series(name, title, by_outcome.get(name, nothing)) for name, title in _SERIES]
    if any(by_outcome.get(OPEN, nothing)):
        series.append(Series("open", "Under way", by_outcome[OPEN]))
    named = [period.since + timedelta(days=at) for at in range(days)]
    return {"chart": bars(named, series), "days": days, "behind": not counted.through.complete}
