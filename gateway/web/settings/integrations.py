"""The clinic's first page: every integration as a card, what needs attention on top, and in which order vendors are tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from connectors.registry import Connector
from gateway.connections import Clinic
from gateway.errors import InvalidRequest, NotFound
from gateway.flows.attention import Notice, notices, waiting_messages
from gateway.network.asked import UNREPORTED
from gateway.network.drift import DRIFTED, MEND, WHAT
from gateway.tallies import ConnectorDays, Period
from gateway.web import sketch, words
from gateway.web.dress import moment
from gateway.web.page import Go, Page, Said, View, Visit
from gateway.web.settings.integrations_state import AGREEMENTS, Standing, standing
from gateway.webhooks.kinds import AGREEMENT_EXPIRING, CALLBACK_REFUSED, OFF
from scopes.scope import Area, Scope, Verb

READ: Final = Scope(Area.CONNECTIONS, Verb.READ)
WRITE: Final = Scope(Area.CONNECTIONS, Verb.WRITE)
_CALLS: Final = Scope(Area.CALLS, Verb.READ)
_ENDPOINTS: Final = Scope(Area.ENDPOINTS, Verb.READ)
_AGREEMENTS: Final = Scope(Area.AGREEMENTS, Verb.READ)
_HERE: Final = "/settings"
DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Card:
    """One integration as it is shown."""

    connector: Connector
    standing: Standing
    family: str
    country: str
    spark: sketch.Line | None = None
    count: int = 0
    settled: int = 0
    error_rate: float | None = None
    last_accepted_at: datetime | None = None


async def show(visit: Visit) -> View:
    """Every integration of the clinic, what is off too."""
    rooms, now = visit.rooms, visit.rooms.clock()
    clinic = await rooms.connections.present(visit.tenant)
    counted = await rooms.tallies.by_connector(visit.tenant, Period.of_last(DAYS, now=now.astimezone(UTC)))
    days = {each.connector: each for each in counted.items}
    cards = [_card(each, clinic, days.get(each.id), now) for each in rooms.registry.connectors.values()]
    cards.sort(key=lambda card: (card.standing.rank, card.connector.manifest.title))
    told = await notices(visit.tenant, rooms)
    return View(
        {
            "on": [card for card in cards if card.standing.tone != "off"],
            "off": [card for card in cards if card.standing.tone == "off"],
            "notices": [each for each in (_told(notice, visit) for notice in told) if each is not None],
            "waiting": await waiting_messages(visit.tenant, rooms) if visit.may(_CALLS) else 0,
            "orders": _orders(visit, clinic),
            "changes": visit.may(WRITE),
            "days": DAYS,
        }
    )


async def move(visit: Visit) -> Go:
    """Change in which order a family's vendors are tried: one place up or down, out of it or into it."""
    family, vendor, to = (visit.form.text(name) for name in ("family", "connector", "to"))
    vendors = [each.id for each in visit.rooms.registry.family(family)]
    if vendor not in vendors:
        raise NotFound("there is no such vendor in this family")
    clinic = await visit.rooms.connections.present(visit.tenant)
    tried = list(clinic.order(family))
    moved = _moved(tried, vendor, to)
    if moved != tried:
        # What is in the order and not connected now keeps its wish to be tried, after the others.
        others = [each for each in clinic.orders.get(family, ()) if each not in clinic.connections]
        await visit.rooms.connections.set_order(visit.actor, family, [*moved, *others])
    title = visit.rooms.registry.connectors[vendor].manifest.title
    return Go(_HERE, Said(_SAID[to].format(title)))


_SAID: Final = {
    "up": "{} is tried earlier from now on.",
    "down": "{} is tried later from now on.",
    "out": "{} is not tried any more, unless a call names it.",
    "in": "{} is tried last from now on.",
}


def _moved(tried: Sequence[str], vendor: str, to: str) -> list[str]:
    """The order with one vendor elsewhere. Raises InvalidRequest for what cannot be done."""
    order = list(tried)
    if to not in _SAID:
        raise InvalidRequest("say whether to move it up, down, out or in")
    if (vendor in order) is (to == "in"):
        raise InvalidRequest("the order has changed meanwhile", fix="Look at it once more.")
    if to == "in":
        return [*order, vendor]
    at = order.index(vendor)
    if to == "out":
        if len(order) == 1:
            raise InvalidRequest("one vendor has to be tried", fix="Suspend it to let nothing through.")
        return [each for each in order if each != vendor]
    other = at - 1 if to == "up" else at + 1
    if 0 <= other < len(order):
        order[at], order[other] = order[other], order[at]
    return order


def _card(connector: Connector, clinic: Clinic, days: ConnectorDays | None, now: datetime) -> Card:
    recipient = connector.manifest.recipient
    card = Card(
        connector=connector, standing=standing(connector, clinic, days, now), family=words.family(connector.family),
        country=words.country(recipient.country), spark=sketch.line(days.days if days is not None else (0,) * DAYS),
    )  # fmt: skip
    if days is None:
        return card
    return Card(
        connector=connector, standing=card.standing, family=card.family, country=card.country, spark=card.spark,
        count=days.count, settled=days.count - days.outcomes.get("open", 0), error_rate=days.error_rate,
        last_accepted_at=days.last_accepted_at,
    )  # fmt: skip


def _orders(visit: Visit, clinic: Clinic) -> list[dict[str, Any]]:
    """Each family with several connected vendors, as a call to the family tries them."""
    registry, found = visit.rooms.registry, []
    for family in dict.fromkeys(connector.family for connector in registry.connectors.values()):
        vendors = {each.id: each.manifest.title for each in registry.family(family) if each.id in clinic.connections}
        if len(vendors) > 1:
            tried = [each for each in clinic.order(family) if each in vendors]
            found.append(
                {
                    "family": family,
                    "title": words.family(family),
                    "tried": [(each, vendors[each]) for each in tried],
                    "untried": [(each, title) for each, title in vendors.items() if each not in tried],
                }
            )
    return found


def _told(notice: Notice, visit: Visit) -> dict[str, Any] | None:
    """A notice in words, with where to go; nothing for what the person may not see."""
    if notice.endpoint is not None and not visit.may(_ENDPOINTS):
        return None
    known = visit.rooms.registry.connectors.get(notice.connector or "")
    name = known.manifest.recipient.legal_name if known is not None else notice.endpoint or "a recipient"
    if notice.kind == AGREEMENT_EXPIRING:
        until = f" on {moment(notice.until)}" if notice.until is not None else " soon"
        link = AGREEMENTS if visit.may(_AGREEMENTS) else ""
        return _line(notice, f"The agreement with {name} ends{until}.", link, "Renew it")
    if notice.kind == CALLBACK_REFUSED:
        text = (
            f"{notice.count} messages in {name}'s name were refused: they were not signed with a secret that counts. "
            "If the secret was changed there, add the new one."
        )
        return _line(notice, text, f"/settings/integrations/{notice.connector}", "Look at its callback")
    if notice.kind == DRIFTED:
        said = " ".join(f"{WHAT[fault]} {MEND[fault]}" for fault in notice.faults)
        text = f"{name}: until this is mended, some of what the network says does not arrive, or is not taken. {said}"
        return _line(notice, text, f"/settings/integrations/{notice.connector}", "Look at the network")
    if notice.kind == UNREPORTED:
        link = f"/settings/integrations/{notice.connector}"
        return _line(notice, _unreported(notice.count, name), link, "Look at the network")
    if notice.kind == OFF:
        text = f"The webhook endpoint of {name} was switched off; what happens waits for it until it is resumed."
        return _line(notice, text, "/vendor", "Look at the endpoint")
    return _line(notice, f"The webhook endpoint of {name} keeps failing.", "/vendor", "Look at the endpoint")


def _unreported(count: int, name: str) -> str:
    """That a network does not know how requests for records fared."""
    what = "a request for records" if count == 1 else f"{count} requests for records"
    return (
        f"{name} did not take the report of how {what} fared, for a day. Nothing was lost, and nothing is sent again: the "
        "disclosure log says what arrived. If whoever asked has seen nothing, let them ask anew; if this goes on, tell the "
        "gateway's operator."
    )


def _line(notice: Notice, text: str, link: str, link_text: str) -> dict[str, Any]:
    return {"text": text, "at": notice.at, "link": link, "link_text": link_text}


PAGES = (
    Page(path=_HERE, act=show, needs=READ, title="Integrations", template="settings/integrations.html"),
    Page(method="POST", path="/settings/order", act=move, needs=WRITE),
)
