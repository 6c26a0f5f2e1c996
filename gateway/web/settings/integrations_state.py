"""How one integration stands, in words: on, off, and what needs somebody's attention. Decides nothing about any call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connectors.contract import Action
from connectors.registry import Connector
from gateway.connections import Clinic, Connection
from gateway.flows.connect import least_scopes
from gateway.tallies import ConnectorDays
from gateway.web.dress import moment
from gateway.web.words import countries
from scopes.agreement import Agreement, Need, lacking, of_kind
from scopes.policy import Policy
from scopes.vocabulary import ConnectionState, Reason

AGREEMENTS: Final = "/settings/agreements"
_MANY_ERRORS: Final = 0.1
_ENOUGH: Final = 5  # so many settled disclosures before their share of errors says anything
_SOON: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Todo:
    """One thing to do, and the page where it is done."""

    text: str
    link: str = ""
    link_text: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A word and its tone, and what there is to do."""

    word: str
    tone: str
    needs: tuple[Todo, ...] = ()

    @property
    def rank(self) -> int:
        """What somebody should look at comes first, what is off last."""
        return {"warn": 0, "wait": 1, "good": 2}.get(self.tone, 3)


def standing(connector: Connector, clinic: Clinic, days: ConnectorDays | None, now: datetime) -> Standing:
    """How a clinic's integration with this connector stands."""
    connection = clinic.connections.get(connector.id)
    if connection is None:
        return Standing("Off", "off")
    if connection.state is ConnectionState.SUSPENDED:
        return Standing("Suspended", "wait")
    if connection.state is not ConnectionState.ACTIVE:
        here = f"/settings/integrations/{connector.id}"
        todo = Todo(
            f"Nobody has allowed it at {connector.manifest.title} yet; nothing leaves.", here, "Go on to connect"
        )
        return Standing(str(connection.state).capitalize(), "wait", (todo,))
    needs = tuple(_needs(connector, connection, clinic, days, now))
    return Standing("Needs attention", "warn", needs) if needs else Standing("On", "good")


def agreement_needed(action: Action, policy: Policy) -> bool:
    """Whether the action sends nothing without an agreement with its recipient."""
    if action.agreement is Need.BY_LAW:
        return policy.demands_agreement(action.shape.categories)
    return action.agreement is Need.ALWAYS


def agreements_with(connector: Connector, clinic: Clinic) -> list[Agreement]:
    """What the recipient signed, of the kind that the clinic's law asks for."""
    standing_ = clinic.standing
    return of_kind(standing_.agreements.get(connector.id, ()), standing_.policy.agreement_kind)


def lacks_scopes(connector: Connector, connection: Connection, feature: str) -> list[str]:
    """What the feature needs at the vendor and the credential was connected without."""
    needed = least_scopes(connector, frozenset({feature}))
    return sorted(each for each in needed if not connection.includes(connection.provider_scopes, each))


def _needs(
    connector: Connector, connection: Connection, clinic: Clinic, days: ConnectorDays | None, now: datetime
) -> Iterator[Todo]:
    manifest, grant = connector.manifest, connection.grant
    here = f"/settings/integrations/{connector.id}"
    if connection.reconnect_needed:
        yield Todo(f"{manifest.title} has to be connected again; every call is refused.", here, "Connect it again")
    if not grant.features:
        yield Todo("No feature is switched on, so nothing can leave.", here, "Switch features on")
    if connection.expires_at is not None:
        if connection.expires_at <= now:
            yield Todo("The credential has run out; every call is refused. Revoke it and connect a new one.")
        elif connection.expires_at - now < _SOON:
            yield Todo(f"The credential runs out on {moment(connection.expires_at)}.")
    on = [action for action in connector.actions.values() if action.feature in grant.features]
    yield from _of_agreements(connector, clinic, on, now)
    if outside := clinic.standing.policy.outside(manifest.recipient.regions):
        yield Todo(f"The clinic's policy does not allow data in {countries(outside)}; every call is refused.")
    for feature in sorted(grant.features & manifest.features.keys()):
        if lacks_scopes(connector, connection, feature):
            title = manifest.features[feature].title
            if manifest.credential.oauth is None:
                yield Todo(f"It was connected without what {title} needs; its calls are refused.", here, "See what")
            else:
                yield Todo(
                    f"{manifest.title} did not grant what {title} needs; its calls are refused.",
                    here,
                    "Connect it again",
                )
    if (
        days is not None
        and (rate := days.error_rate) is not None
        and _settled(days) >= _ENOUGH
        and rate >= _MANY_ERRORS
    ):
        yield Todo(f"{rate:.0%} of the last 30 days failed.", f"{here}", "See why")


def _of_agreements(connector: Connector, clinic: Clinic, on: list[Action], now: datetime) -> Iterator[Todo]:
    needing = [action for action in on if agreement_needed(action, clinic.standing.policy)]
    if not needing:
        return
    signed, name = agreements_with(connector, clinic), connector.manifest.recipient.legal_name
    reason = lacking(signed, now=now)
    if reason is Reason.AGREEMENT_EXPIRED:
        yield Todo(f"The agreement with {name} has ended; its calls are refused.", AGREEMENTS, "Record a new one")
    elif reason is not None:
        yield Todo(f"No agreement with {name} is on file; its calls are refused.", AGREEMENTS, "Record one")
    elif soon := [each for each in signed if each.expires_soon(now)]:
        assert soon[-1].until is not None
        yield Todo(f"The agreement with {name} ends on {moment(soon[-1].until)}.", AGREEMENTS, "Renew it")


def _settled(days: ConnectorDays) -> int:
    return days.count - days.outcomes.get("open", 0)
