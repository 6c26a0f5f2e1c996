"""One integration on one page: what would leave, to whom, under what, how it fares. The deeds beside it are their own files'."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.contract import Manifest
from connectors.registry import Connector
from gateway.connections import Clinic, Connection
from gateway.errors import Conflict, NotFound
from gateway.flows import look
from gateway.tallies import Period
from gateway.web import sketch, words
from gateway.web.page import INTEGRATIONS, Page, View, Visit
from gateway.web.settings.integration_leaves import Leaving, leaving
from gateway.web.settings.integration_scopes import reported, why_again
from gateway.web.settings.integration_watches import watched
from gateway.web.settings.integrations import DAYS, READ, WRITE
from gateway.web.settings.integrations_state import agreement_needed, agreements_with, lacks_scopes, standing
from scopes.agreement import Agreement
from scopes.scope import Area, Scope, Verb
from scopes.vocabulary import ConnectionState, CredentialKind

BASE: Final = INTEGRATIONS
ONE: Final = f"{BASE}{{connector:path}}"
_LOG: Final = Scope(Area.LOG, Verb.READ)
_AGREEMENTS: Final = Scope(Area.AGREEMENTS, Verb.READ)


def connector_of(visit: Visit) -> Connector:
    """The connector that the path names; raises NotFound."""
    found = visit.rooms.registry.connectors.get(str(visit.path["connector"]))
    if found is None:
        raise NotFound("there is no such integration", fix="The integrations' page lists them.")
    return found


async def live(visit: Visit, connector: Connector) -> Connection:
    """The clinic's connection; raises Conflict where it has none."""
    clinic = await visit.rooms.connections.present(visit.tenant)
    found = clinic.connections.get(connector.id)
    if found is None:
        raise Conflict(f"{connector.manifest.title} is not connected", fix="Connect it first.")
    return found


def at_home(connector: Connector) -> str:
    """The page of an integration."""
    return f"{BASE}{connector.id}"


async def show(visit: Visit) -> View:
    """Everything about one integration."""
    connector = connector_of(visit)
    manifest, now = connector.manifest, visit.rooms.clock()
    clinic = await visit.rooms.connections.present(visit.tenant)
    connection = clinic.connections.get(connector.id)
    told = await reported(connector, connection, visit.rooms)
    words_: dict[str, Any] = {
        **told,
        "connector": connector,
        "manifest": manifest,
        "here": at_home(connector),
        "family": words.family(connector.family),
        "connection": connection,
        "changes": visit.may(WRITE),
        "agreement": _agreement(connector, clinic, visit),
        "recipient": _recipient(manifest, clinic),
        "features": list(_features(connector, clinic, visit, told.get("asked", frozenset()))),
        "optional": _optional(connector, clinic),
        "free_text": _free_text(connector, clinic),
        "by_page": by_page(connector),
        "by_operator": by_operator(connector),
        "page_host": _page_host(connector),
        "why_again": why_again(connection) if connection is not None and connection.reconnect_needed else None,
        "settings": _settings(visit, connector, connection),
        "at_network": connector.network is not None and connection is not None,
        "log": f"/auditor?connector={connector.id}" if visit.may(_LOG) else "",
        **await _health(visit, connector),
    }
    words_["standing"] = standing(connector, clinic, words_.pop("sums"), now)
    words_["watched"] = await watched(visit, connector, connection)
    words_["callback"] = await _callback(visit, connector, connection)
    return View(words_, title=manifest.title)


def by_operator(connector: Connector) -> bool:
    """Whether the vendor knows the gateway alone, and its operator links the clinic's account."""
    return connector.manifest.credential.kind is CredentialKind.SESSION


def by_page(connector: Connector) -> bool:
    """Whether it is connected on the vendor's own page, and holds tokens instead of a key."""
    return connector.manifest.credential.kind is CredentialKind.OAUTH2


def _recipient(manifest: Manifest, clinic: Clinic) -> dict[str, Any]:
    """To whom, as the law sees it."""
    recipient = manifest.recipient
    return {
        "name": recipient.legal_name,
        "role": words.role(recipient.role),
        "country": words.country(recipient.country),
        "regions": words.countries(recipient.regions),
        "address": recipient.address,
        "transfer": recipient.transfer,
        "privacy_url": str(recipient.privacy_url),
        "subprocessors_url": str(recipient.subprocessors_url) if recipient.subprocessors_url else None,
        "outside": words.countries(clinic.standing.policy.outside(recipient.regions)),
    }


def _agreement(connector: Connector, clinic: Clinic, visit: Visit) -> dict[str, Any]:
    """Whether one is needed and on file, and where it is recorded."""
    now, rule = visit.rooms.clock(), connector.manifest.agreements
    needed = any(agreement_needed(action, clinic.standing.policy) for action in connector.actions.values())
    every: tuple[Agreement, ...] = clinic.standing.agreements.get(connector.id, ())
    counting = [each for each in agreements_with(connector, clinic) if each.in_force(now)]
    known = counting or list(every)
    return {
        "needed": needed,
        "why": rule.why,
        "kinds": " or ".join(str(each).upper() for each in rule.kinds),
        "last": known[-1] if known else None,
        "holds": bool(counting),
        "soon": bool(counting) and counting[-1].expires_soon(now),
        "link": visit.may(_AGREEMENTS),
    }


def _features(connector: Connector, clinic: Clinic, visit: Visit, asked: frozenset[str]) -> Iterator[dict[str, Any]]:
    """Each feature with what leaves through it."""
    connection = clinic.connections.get(connector.id)
    grant = clinic.connection(connector.id).grant
    wished = visit.form.all("features")
    told: dict[tuple[Leaving, ...], str] = {}  # what is shown already, and where
    for name, feature in connector.manifest.features.items():
        actions = [connector.actions[each] for each in feature.actions]
        kinds = dict.fromkeys(leaf.category for action in actions for leaf in action.shape.walk())
        yield {
            "name": name,
            "title": feature.title,
            "why": feature.why,
            "on": connection is not None and name in grant.features,
            "wished": name in wished,
            "kinds": [words.kind(each) for each in kinds],
            "purposes": [words.purpose(each) for each in sorted({p for action in actions for p in action.purposes})],
            "actions": [
                (
                    words.spoken(action.name),
                    rows,
                    said if (said := told.setdefault(rows, feature.title)) != feature.title else "",
                )
                for action in actions
                for rows in (tuple(leaving(action, grant)),)
            ],
            "events": [words.spoken(event) for event in feature.events],
            **_lacking(connector, connection, name, asked),
        }


def _lacking(
    connector: Connector, connection: Connection | None, feature: str, asked: frozenset[str]
) -> dict[str, Any]:
    """What a feature that is on needs at the vendor and has not; and whether the vendor was asked for it at all."""
    if connection is None or connection.state is ConnectionState.PENDING:
        return {"lacks": [], "was_asked": False}
    names = lacks_scopes(connector, connection, feature)
    titles = [connector.manifest.provider_scopes[each].title for each in names]
    return {"lacks": titles, "was_asked": any(connector.lattice.includes(asked, each) for each in names)}


def _settings(visit: Visit, connector: Connector, connection: Connection | None) -> list[dict[str, Any]]:
    """What the clinic sets for its connection, as it stands; after a fault as it was typed."""
    stands = connection.settings if connection is not None else {}
    return [
        {
            "name": f"settings.{name}",
            "id": f"setting-{name}",
            "label": name.replace("_", " ").capitalize(),
            "hint": f"{rule.title[:1].upper()}{rule.title[1:]}. Such as {rule.example}",
            "needed": rule.needed,
            "stands": stands.get(name, ""),
            "value": visit.form.text(key) if (key := f"settings.{name}") in visit.form else stands.get(name, ""),
        }
        for name, rule in connector.manifest.settings.items()
    ]


def _page_host(connector: Connector) -> str:
    """Where somebody allows it: the host of the vendor's page."""
    oauth = connector.manifest.credential.oauth
    return urlsplit(oauth.authorize_url or oauth.admin_consent_url or "").hostname or "" if oauth is not None else ""


def _optional(connector: Connector, clinic: Clinic) -> list[dict[str, Any]]:
    """Every field that the clinic may hold back, once, with the features that it belongs to."""
    grant = clinic.connection(connector.id).grant
    found: dict[str, dict[str, Any]] = {}
    for action in connector.actions.values():
        title = connector.manifest.features[action.feature].title
        for node in action.shape.nodes():
            one = found.setdefault(
                node.path,
                {
                    "path": node.path, "name": words.spoken(node.path), "kind": words.kind(node.category), "why": node.why,
                    "in": [], "required": [], "held": node.path in grant.withheld,
                },
            )  # fmt: skip
            side = "required" if node.path in action.shape.required_paths else "in"
            if title not in one[side]:
                one[side].append(title)
    return [one for one in found.values() if one["in"] or one["held"]]


def _free_text(connector: Connector, clinic: Clinic) -> list[dict[str, Any]]:
    """Every field of free text, once."""
    grant = clinic.connection(connector.id).grant
    leaves = {
        leaf.path: leaf
        for action in connector.actions.values()
        for leaf in action.shape.walk()
        if leaf.path in action.shape.free_text_paths
    }
    return [
        {"path": path, "name": words.spoken(path), "why": leaf.why, "on": path in grant.free_text}
        for path, leaf in leaves.items()
    ]


async def _callback(visit: Visit, connector: Connector, connection: Connection | None) -> dict[str, Any] | None:
    """Where the vendor calls, for whoever sets that up; nothing where it does not call."""
    if connection is None or connector.manifest.callback is None or not visit.may(WRITE):
        return None
    callbacks = visit.rooms.callbacks
    door = await callbacks.door(connection.id, since=0.0)
    return {
        "url": callbacks.url_of(connection.id),
        "by_us": connector.manifest.callback.token,
        "token": door.token if connector.handshake is not None else None,
        "secrets": await callbacks.secrets(visit.tenant, connection.id),
        "deadline": connector.manifest.callback.deadline_seconds,
    }


async def _health(visit: Visit, connector: Connector) -> dict[str, Any]:
    """The last days: what was taken, what was not, what was refused, and why."""
    rooms, now = visit.rooms, visit.rooms.clock()
    period = Period.of_last(DAYS, now=now.astimezone(UTC))
    sums = {each.connector: each for each in (await rooms.tallies.by_connector(visit.tenant, period)).items}
    came = await rooms.tallies.outcomes(visit.tenant, connector.id, period)
    refusals = (await rooms.tallies.refusals(visit.tenant, period, connector.id)).items
    refused = tuple(sum(each.days[day] for each in refusals) for day in range(period.days))
    since = datetime.combine(period.since, time(), tzinfo=UTC)
    series = {"taken": came.taken, "open": came.open, "missed": came.not_taken, "refused": refused}
    days = [
        {"day": date.fromordinal(period.since.toordinal() + at), **{name: each[at] for name, each in series.items()}}
        for at in range(period.days)
    ]
    return {
        "sums": sums.get(connector.id),
        "counts": sums.get(connector.id),
        "bars": sketch.bars(series),
        "health": [each for each in days if any(each[name] for name in series)],
        "totals": {name: sum(each) for name, each in series.items()},
        "reasons": [(words.spoken(each.reason), each.count) for each in refusals],
        "failures": [
            (words.OUTCOMES[each.outcome], each) for each in await look.faults(visit.tenant, connector.id, since, rooms)
        ],
        "first_day": period.since,
    }


PAGES = (Page(path=ONE, act=show, needs=READ, title="Integration", template="settings/integration.html"),)
