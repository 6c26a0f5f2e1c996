"""Facilities: found by the id that the operator types, one clinic's each, and what stands in the ledger of it."""

from __future__ import annotations

import asyncio

import pytest

from connectors.network import Service
from gateway.errors import Conflict, GatewayError, InvalidRequest, NotFound
from gateway.flows.connect import Wish, begin
from gateway.flows.network.facility import link_facility, move
from gateway.network.facilities import service_of
from scopes.vocabulary import ConnectionState
from tests.gateway.house import entries_of
from tests.gateway.network.conftest import OpenMore
from tests.gateway.network.house import NETWORK, PUBLIC, SETTINGS, Bridge


def _service(name: str, *, active: bool = True, records: bool = True) -> Service:
    return Service(name, f"Clinic {name}", active, records)


@pytest.mark.parametrize("name", ["IN01", "IN01_1", "IN01_42"])
def test_a_facility_is_found_by_its_id_or_by_one_with_a_number_behind(name: str) -> None:
    others = [_service(each) for each in ("IN011", "IN01_", "IN01_x", "XIN01", "IN01_1_2")]
    assert service_of("IN01", [*others, _service(name)]).id == name


@pytest.mark.parametrize(
    ("services", "error"),
    [
        ([], NotFound),
        ([_service("IN02")], NotFound),
        ([_service("IN01_1"), _service("IN01_2")], Conflict),
        ([_service("IN01", active=False)], Conflict),
        ([_service("IN01", records=False)], Conflict),
    ],
)
def test_what_cannot_be_found_for_sure_is_refused_with_what_to_do(
    services: list[Service], error: type[GatewayError]
) -> None:
    with pytest.raises(error) as refused:
        service_of("IN01", services)
    assert refused.value.fix


def test_of_several_the_one_that_may_give_records_is_meant_and_an_exact_name_wins() -> None:
    services = [_service("IN01_1", records=False), _service("IN01_2"), _service("IN01_3", active=False)]
    assert service_of("IN01", services).id == "IN01_2"
    assert service_of("IN01_2", services).id == "IN01_2"


@pytest.mark.parametrize("typed", ["", ".*", "IN01 or 1=1", "x" * 65])
def test_what_is_no_facility_id_is_not_looked_for(typed: str) -> None:
    with pytest.raises(InvalidRequest):
        service_of(typed, [_service("IN01")])


async def test_linking_makes_the_connection_or_completes_the_one_that_the_clinic_began(bridge: Bridge) -> None:
    bridge.office.serves("IN01_1", "IN02")
    begun = await bridge.clinic()
    assert (begun.connection.state, begun.connection.account) == (ConnectionState.PENDING, None)
    linked = await link_facility(begun.tenant, NETWORK, "IN01", bridge.house.rooms)
    assert (linked.connection.id, linked.connection.account) == (begun.connection.id, "IN01_1")
    assert linked.connection.state is ConnectionState.ACTIVE
    made = await bridge.clinic("IN02")
    assert (made.connection.account, made.connection.state) == ("IN02", ConnectionState.ACTIVE)
    *_, last = [entry for entry in await entries_of(bridge.house, begun.tenant) if entry["kind"] == "connection"]
    assert (last["state"], last["what"], last["actor"]["id"]) == ("active", ["account"], "operator")


async def test_a_second_clinic_cannot_claim_a_facility_not_even_at_the_same_moment(
    bridge: Bridge, open_more: OpenMore
) -> None:
    bridge.office.serves("IN01_1")
    rooms = [bridge.house.rooms, (await open_more()).rooms]
    clinics = [await bridge.clinic() for _ in range(6)]
    claims = [link_facility(each.tenant, NETWORK, "IN01", rooms[at % 2]) for at, each in enumerate(clinics)]
    found = await asyncio.gather(*claims, return_exceptions=True)
    assert len([each for each in found if not isinstance(each, BaseException)]) == 1
    refused = [each for each in found if isinstance(each, BaseException)]
    assert all(isinstance(each, Conflict) and "another clinic's" in each.detail for each in refused)
    (owned,) = await bridge.house.rooms.networks.facilities.all(bridge.line)
    winner = next(at for at, each in enumerate(found) if not isinstance(each, BaseException))
    assert owned.tenant == clinics[winner].tenant


async def test_a_suspended_connection_stays_suspended_when_its_facility_is_named_anew(bridge: Bridge) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    await bridge.house.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.SUSPENDED)
    bridge.office.services[0]["id"] = "IN01_7"
    linked = await link_facility(clinic.tenant, NETWORK, "IN01", bridge.house.rooms)
    assert (linked.connection.state, linked.connection.account) == (ConnectionState.SUSPENDED, "IN01_7")
    assert await bridge.house.rooms.networks.facilities.owner(bridge.line, "IN01") is None


@pytest.mark.parametrize("given", [{"account": "IN01"}, {"secret": "sk_1"}])
async def test_a_clinic_can_type_neither_an_account_nor_a_key(bridge: Bridge, given: dict[str, str]) -> None:
    clinic = await bridge.clinic()
    with pytest.raises(InvalidRequest) as refused:
        await begin(
            clinic.actor,
            Wish(connector=NETWORK, features=frozenset({"answers"}), settings=SETTINGS, **given),
            bridge.house.rooms,
        )
    assert {fault.path for fault in refused.value.faults} <= {"account", "credential"}


async def test_the_network_is_told_where_to_send_and_not_without_an_address_of_our_own(
    bridge: Bridge, open_more: OpenMore
) -> None:
    bridge.office.url = "https://somebody-else.example"
    assert await move(bridge.line, bridge.house.rooms) == f"{PUBLIC}/postbox"
    assert bridge.office.url == f"{PUBLIC}/postbox"
    nameless = await open_more(public_url=None)
    with pytest.raises(Conflict, match="own address"):
        await move(bridge.line, nameless.rooms)
