"""Two environments of one network: what one of them signs or says counts for nothing in the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.folder import HERE
from gateway import keyfiles
from gateway.app import opened
from gateway.config import Settings
from gateway.errors import Conflict, InvalidRequest
from gateway.flows.broker import broker
from gateway.flows.connect import set_up
from gateway.flows.network.facility import link_facility
from gateway.serve import listening, serving
from scopes.vocabulary import Outcome
from tests.gateway.listener import Clock
from tests.gateway.network.house import LIVE, NETWORK, PUBLIC, ROOT, TRIAL, Bridge
from tests.gateway.network.office import Office, key_of, post


@pytest.fixture
async def both(fresh_dsn: str, tmp_path: Path, clock: Clock) -> AsyncIterator[tuple[Bridge, Office]]:
    """A gateway that is registered in both, and the one for trials."""
    live, trial = Office(clock), Office(clock)
    trial.keys = {"k2": key_of("k2")}
    settings = Settings.from_environment({}, data_dir=tmp_path, database_url=fresh_dsn, public_url=PUBLIC)
    keyfiles.make(settings)
    async with (
        serving(live.app, listening("127.0.0.1", 0)) as here,
        serving(trial.app, listening("127.0.0.1", 0)) as there,
        opened(settings, sandboxes={NETWORK: here, TRIAL: there}, connectors=[HERE, ROOT], clock=clock) as house,
    ):
        bridge = Bridge(house, live, clock)
        await bridge.registered()
        await bridge.registered(line=TRIAL)
        yield bridge, trial


async def test_a_facility_of_one_is_nobody_s_in_the_other(both: tuple[Bridge, Office]) -> None:
    bridge, trial = both
    bridge.office.serves("IN01")
    trial.serves("IN01")
    real = await bridge.clinic("IN01", environment="live")
    tried = await bridge.clinic("IN01", environment="trial")
    async with bridge.over_http() as network:
        for _ in range(2):  # whichever key is known by then
            assert (await post(network, "/consents", trial.headers("IN01", kid="k2"))).status_code == 202
        assert (await bridge.letters(real), len(await bridge.letters(tried))) == ([], 2)
        assert (await post(network, "/consents", bridge.office.headers("IN01"))).status_code == 202
        forged = bridge.office.headers("IN01", kid="k1", key=trial.keys["k2"])
        assert (await post(network, "/consents", forged)).status_code == 400
    assert (len(await bridge.letters(real)), len(await bridge.letters(tried))) == (1, 2)


async def test_a_facility_that_is_known_in_one_only_is_refused_from_the_other(both: tuple[Bridge, Office]) -> None:
    bridge, trial = both
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01", environment="live")
    async with bridge.over_http() as network:
        assert (await post(network, "/consents", trial.headers("IN01", kid="k2"))).status_code == 400
    assert await bridge.letters(clinic) == []


async def test_each_has_a_session_of_its_own(both: tuple[Bridge, Office]) -> None:
    bridge, trial = both
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01", environment="live")
    await bridge.house.rooms.networks.sessions.token(TRIAL)
    assert (await broker(bridge.call(clinic), bridge.house.rooms)).outcome is Outcome.ACCEPTED
    assert len(bridge.office.logins) == len(trial.logins) == 1
    assert await bridge.house.rooms.networks.sessions.token(LIVE) in bridge.office.tokens
    assert await bridge.house.rooms.networks.sessions.token(TRIAL) in trial.tokens


async def test_a_connection_that_acts_for_a_facility_stays_in_its_environment(both: tuple[Bridge, Office]) -> None:
    bridge, trial = both
    bridge.office.serves("IN01")
    trial.serves("IN01")
    clinic = await bridge.clinic("IN01", environment="live")
    with pytest.raises(InvalidRequest) as refused:
        await set_up(clinic.actor, clinic.connection, {"environment": "trial"}, bridge.house.rooms)
    assert [fault.path for fault in refused.value.faults] == ["settings.environment"]
    with pytest.raises(Conflict, match="in the environment live"):
        await link_facility(clinic.tenant, NETWORK, "IN01", bridge.house.rooms, environment="trial")
