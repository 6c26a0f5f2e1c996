"""What a connection is refused for before anything is stored, whoever asks: the API, a page or the command line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.registry import Registry
from gateway.app import House
from gateway.calls import Actor
from gateway.demo import EVERYTHING
from gateway.errors import Conflict, InvalidRequest
from gateway.flows.connect import Terms, Wish, connect, excess_scopes, regrant
from scopes.provider import Lattice, ProviderScope
from tests.gateway.house import Clinic, entries_of

WISH = Wish(connector="payments", secret="rk_test_0123456789abcdef", features=frozenset({"card_payments"}))
WRITE, READ, REFUND = "rak_payment_intent_write", "rak_payment_intent_read", "rak_charge_write"


@pytest.fixture
async def actor(house: House) -> Actor:
    """Somebody of a clinic that has connected nothing yet."""
    return Actor("system", "test", await house.rooms.connections.create_tenant("a clinic"), EVERYTHING)


async def test_without_stated_scopes_the_least_are_assumed(house: House, actor: Actor) -> None:
    made = await connect(actor, WISH, house.rooms)
    assert made.provider_scopes == {WRITE}
    with pytest.raises(Conflict):
        await connect(actor, WISH, house.rooms)


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ({"connector": "payments/strype"}, ["connector"]),
        ({"account": "Ada Lovelace"}, ["account"]),
        ({"expires_at": datetime(2001, 1, 1, tzinfo=UTC)}, ["expires_at"]),
        ({"withheld": ("receipt_email", "recipt_email")}, ["withheld[1]"]),
        ({"free_text": ("reference",)}, ["free_text[0]"]),
        ({"provider_scopes": frozenset({WRITE, REFUND})}, ["provider_scopes"]),
        ({"provider_scopes": frozenset({"rak_everything"})}, ["provider_scopes"]),
        ({"features": frozenset({"all"})}, ["features"]),
        ({"account": "x", "withheld": ("x",), "provider_scopes": frozenset({REFUND})},
         ["account", "provider_scopes", "withheld[0]"]),
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_named_and_nothing_is_stored(
    house: House, actor: Actor, given: dict[str, Any], paths: list[str]
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await connect(actor, replace(WISH, **given), house.rooms)
    assert [fault.path for fault in refused.value.faults] == paths
    assert "Ada" not in str(refused.value.faults)
    assert await entries_of(house, actor.tenant) == []


async def test_a_key_of_more_power_than_the_features_need_is_refused_by_name(house: House, actor: Actor) -> None:
    status = replace(WISH, features=frozenset({"payment_status"}), provider_scopes=frozenset({WRITE, REFUND}))
    with pytest.raises(InvalidRequest) as refused:
        await connect(actor, status, house.rooms)
    assert [fault.message for fault in refused.value.faults] == [
        f"scope_excess: more than these features need; leave out {REFUND}, {WRITE}"
    ]


@pytest.mark.parametrize("stated", [{WRITE}, {WRITE, READ}, {READ}, set[str]()])
async def test_a_key_of_no_more_power_than_needed_is_taken(house: House, actor: Actor, stated: set[str]) -> None:
    made = await connect(actor, replace(WISH, provider_scopes=frozenset(stated)), house.rooms)
    assert made.provider_scopes == stated


def test_another_choice_of_the_same_power_is_no_excess_and_a_wider_one_is() -> None:
    payments = Registry.load().connector("payments")
    status = payments.actions["get_payment"]
    either = replace(status, provider_scopes=(frozenset({"one", "other", "wide"}),))
    lattice = Lattice(map(ProviderScope, ["one", "other", "wide", "narrow"]), [("wide", "narrow")])
    connector = replace(payments, lattice=lattice, actions={"get_payment": either})
    for stated, excess in [
        ({"one"}, set[str]()),
        ({"other"}, set()),
        ({"wide"}, {"wide"}),
        ({"one", "other"}, {"other"}),
    ]:
        assert excess_scopes(connector, frozenset({"payment_status"}), frozenset(stated)) == excess


async def test_a_grant_of_paths_that_no_action_declares_changes_nothing(house: House, clinic: Clinic) -> None:
    before = await entries_of(house, clinic.tenant)
    terms = Terms(features=frozenset({"refunds"}), withheld=("receipt_email", "x"), free_text=("reference",))
    with pytest.raises(InvalidRequest) as refused:
        await regrant(clinic.actor, clinic.connection, terms, house.rooms)
    assert [fault.path for fault in refused.value.faults] == ["withheld[1]", "free_text[0]"]
    assert await entries_of(house, clinic.tenant) == before


async def test_a_grant_replaces_what_was_there(house: House, clinic: Clinic) -> None:
    terms = Terms(features=frozenset({"refunds"}), withheld=("receipt_email",))
    granted = await regrant(clinic.actor, clinic.connection, terms, house.rooms)
    assert (granted.features, granted.withheld, granted.version) == ({"refunds"}, {"receipt_email"}, 2)
    assert (await house.rooms.connections.active(clinic.tenant, "payments/stripe")).grant == granted
