"""The demo connects its OAuth sandboxes by itself, and again when they have forgotten everything."""

from __future__ import annotations

from types import SimpleNamespace

from gateway.demo import _connected
from gateway.flows.broker import broker
from scopes.vocabulary import ConnectionState, Outcome
from tests.gateway.oauth.house import CALENDAR, ROSTER, Oauth


async def test_the_demo_s_clinic_is_connected_and_stays_so_over_a_restart(oauth: Oauth) -> None:
    registry = oauth.house.rooms.registry
    for connector in (CALENDAR, ROSTER):
        vendor = SimpleNamespace(state=SimpleNamespace(oauth=oauth.servers[connector]))
        for _ in range(2):
            await _connected(oauth.house, oauth.tenant, registry.connector(connector), vendor)
            assert (await broker(oauth.call("look", connector), oauth.house.rooms)).outcome is Outcome.ACCEPTED
            oauth.servers[connector]._grants.clear()
        found = await oauth.now(connector)
        await oauth.house.rooms.connections.set_state(oauth.actor, found.id, ConnectionState.SUSPENDED)
        await _connected(oauth.house, oauth.tenant, registry.connector(connector), vendor)
        assert (await oauth.now(connector)).state is ConnectionState.SUSPENDED
