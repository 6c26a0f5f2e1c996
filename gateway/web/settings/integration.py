"""One integration: what would leave, to whom, under what; connect it, suspend, resume and revoke it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from functools import partial
from typing import Any, Final, NamedTuple

from connectors.contract import Manifest
from connectors.registry import Connector
from gateway.connections import Clinic, Connection
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.flows import leave, look
from gateway.flows.connect import Wish, connect, least_scopes
from gateway.tallies import Period
from gateway.web import sketch, words
from gateway.web.page import Go, Page, Said, View, Visit
from gateway.web.settings.integration_leaves import Leaving, leaving
from gateway.web.settings.integrations import DAYS, READ, WRITE
from gateway.web.settings.integrations_state import agreement_needed, agreements_with, lacks_scopes, standing
from scopes.agreement import Agreement
from scopes.fault import Fault
from scopes.scope import Area, Scope, Verb
from scopes.vocabulary import ConnectionState, CredentialKind

BASE: Final = "/settings/integrations/"
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
    words_: dict[str, Any] = {
        "connector": connector,
        "manifest": manifest,
        "here": at_home(connector),
        "family": words.family(connector.family),
        "connection": connection,
        "changes": visit.may(WRITE),
        "agreement": _agreement(connector, clinic, visit),
        "recipient": _recipient(manifest, clinic),
        "features": list(_features(connector, clinic, visit)),
        "scopes": list(_scopes(connector, connection)),
        "optional": _optional(connector, clinic),
        "free_text": _free_text(connector, clinic),
        "by_api": _by_page(connector),
        "by_operator": _by_operator(connector),
        "at_network": connector.network is not None and connection is not None,
        "log": f"/auditor?connector={connector.id}" if visit.may(_LOG) else "",
        **await _health(visit, connector),
    }
    words_["standing"] = standing(connector, clinic, words_.pop("sums"), now)
    words_["callback"] = await _callback(visit, connector, connection)
    return View(words_, title=manifest.title)


async def add(visit: Visit) -> Go:
    """Connect with a key: in force at once."""
    connector = connector_of(visit)
    form, manifest = visit.form, connector.manifest
    if _by_page(connector):
        raise Conflict("this integration is connected by API for now")
    wish = Wish(
        connector=connector.id,
        secret=None if _by_operator(connector) else form.text("credential.secret"),
        features=frozenset(form.all("features")),
        account=form.text("account") or None,
        withheld=tuple(form.all("withheld")),
        settings={name: text for name in manifest.settings if (text := form.text(f"settings.{name}"))},
    )
    faults = list(_missing(wish, by_operator=_by_operator(connector)))
    try:
        if not faults:
            await connect(visit.actor, wish, visit.rooms)
    except InvalidRequest as invalid:
        faults = [_in_words(fault, manifest) for fault in invalid.faults]
        if not faults:
            raise
    if faults:
        raise InvalidRequest(faults=faults)
    said = _OPERATOR_NEXT if _by_operator(connector) else "{} is connected. What is switched on may leave from now on."
    return Go(at_home(connector), Said(said.format(manifest.title)))


def _missing(wish: Wish, *, by_operator: bool) -> Iterator[Fault]:
    if not wish.features:
        yield Fault("features", "Switch on at least one feature above: nothing else may leave.")
    if not wish.secret and not by_operator:
        yield Fault("credential.secret", "Paste the key here.")


def _in_words(fault: Fault, manifest: Manifest) -> Fault:
    """A fault that says what to type instead of a pattern."""
    rule = manifest.credential
    if fault.path == "account" and rule.has_accounts:
        example = f", such as {rule.account_example}" if rule.account_example else ""
        return Fault("account", f"Give {rule.account_title or 'the account at the vendor'}{example}.")
    name = fault.path.removeprefix("settings.")
    if name in manifest.settings:
        return Fault(fault.path, f"This does not fit. It looks like this: {manifest.settings[name].example}")
    return fault


class _Deed(NamedTuple):
    """One thing to do with a connection, and what it means."""

    to: ConnectionState
    when: frozenset[ConnectionState]
    heading: str
    means: str
    submit: str
    said: str


_ANY: Final = frozenset(ConnectionState) - {ConnectionState.REVOKED}
DEEDS: Final[Mapping[str, _Deed]] = {
    "suspend": _Deed(
        ConnectionState.SUSPENDED,
        frozenset({ConnectionState.ACTIVE}),
        "Suspend {}?",
        "Every call is refused from now on, and its callbacks are not taken, until you resume it. The key stays sealed here.",
        "Suspend",
        "{} is suspended. Nothing leaves until it is resumed.",
    ),
    "resume": _Deed(
        ConnectionState.ACTIVE,
        frozenset({ConnectionState.SUSPENDED}),
        "Resume {}?",
        "Calls are let through again at once, with the features and the key that it had.",
        "Resume",
        "{} is resumed. What is switched on may leave again.",
    ),
    "revoke": _Deed(
        ConnectionState.REVOKED,
        _ANY,
        "Revoke {}?",
        "Every call is refused from now on, and the key is destroyed here. That is final: to use it again, connect anew with "
        "a key. What was disclosed stays in the log. Delete the key at the vendor too.",
        "Revoke for good",
        "{} is revoked and its key destroyed here. Delete the key at the vendor too.",
    ),
}

_GIVEN_BACK: Final = (
    "Every call is refused from now on. The tokens are given back to the vendor and destroyed here. That is final: to use it "
    "again, connect anew. What was disclosed stays in the log."
)
_OPERATOR_NEXT: Final = "{} waits for the gateway's operator, who links your facility. Nothing leaves until then."
_GIVEN_BACK_SAID: Final = "{} is revoked; its tokens are given back to the vendor and destroyed here."


async def ask(visit: Visit, *, name: str) -> View:
    """Ask once more, and say what it does."""
    connector, deed = connector_of(visit), DEEDS[name]
    connection = await live(visit, connector)
    _check(deed, connection)
    title = connector.manifest.title
    on = [connector.manifest.features[each].title for each in sorted(connection.grant.features)]
    return View(
        {
            "heading": deed.heading.format(title),
            "text": _GIVEN_BACK if name == "revoke" and _by_page(connector) else deed.means,
            "pairs": [
                ("Recipient", connector.manifest.recipient.legal_name),
                ("Account", connection.account or "none named"),
                ("Switched on", ", ".join(on) or "nothing"),
            ],
            "action": f"{at_home(connector)}/{name}",
            "submit": deed.submit,
            "back": at_home(connector),
        },
        title=deed.submit,
    )


async def act(visit: Visit, *, name: str) -> Go:
    """Suspend, resume or revoke."""
    connector, deed = connector_of(visit), DEEDS[name]
    connection = await live(visit, connector)
    _check(deed, connection)
    title, told = connector.manifest.title, deed.said
    if deed.to is ConnectionState.REVOKED:
        await leave.revoke(visit.actor, connection.id, visit.rooms)
        told = _GIVEN_BACK_SAID if _by_page(connector) else told
    else:
        await visit.rooms.connections.set_state(visit.actor, connection.id, deed.to)
    return Go(at_home(connector), Said(told.format(title)))


def _by_page(connector: Connector) -> bool:
    """Whether it is connected on the vendor's own page, and holds tokens instead of a key."""
    return connector.manifest.credential.kind is CredentialKind.OAUTH2


def _by_operator(connector: Connector) -> bool:
    """Whether the vendor knows the gateway alone, and its operator links the clinic's account."""
    return connector.manifest.credential.kind is CredentialKind.SESSION


def _check(deed: _Deed, connection: Connection) -> None:
    if connection.state not in deed.when:
        raise Conflict(f"it is {connection.state} now", fix="Look at the integration once more.")


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


def _features(connector: Connector, clinic: Clinic, visit: Visit) -> Iterator[dict[str, Any]]:
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
            "lacks": [
                connector.manifest.provider_scopes[each].title for each in lacks_scopes(connector, connection, name)
            ]
            if connection is not None
            else [],
        }


def _scopes(connector: Connector, connection: Connection | None) -> Iterator[dict[str, Any]]:
    """The vendor's scopes of least power that the features need, in plain words and by the vendor's name."""
    manifest = connector.manifest
    of_feature = {name: least_scopes(connector, frozenset({name})) for name in manifest.features}
    for scope, rule in manifest.provider_scopes.items():
        needing = [manifest.features[name].title for name, scopes in of_feature.items() if scope in scopes]
        if needing:
            held = connection is not None and connection.includes(connection.provider_scopes, scope)
            includes = [
                manifest.provider_scopes[each].title for each in rule.includes if each in manifest.provider_scopes
            ]
            yield {"name": scope, "title": rule.title, "for": needing, "held": held, "includes": includes}


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


_PAGE: Final[dict[str, Any]] = {"title": "Integration", "template": "settings/integration.html"}
PAGES = (
    *(
        page
        for name in DEEDS
        for page in (
            Page(
                path=f"{ONE}/{name}", act=partial(ask, name=name), needs=WRITE, title="Change", template="confirm.html"
            ),
            Page(method="POST", path=f"{ONE}/{name}", act=partial(act, name=name), needs=WRITE),
        )
    ),
    Page(method="POST", path=f"{ONE}/connect", act=add, needs=WRITE, again=show, **_PAGE),
    Page(path=ONE, act=show, needs=READ, **_PAGE),
)
