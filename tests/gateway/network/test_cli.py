"""What an operator sees of the bridge: the session, the address, whose facilities they are, and what to do."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from gateway.cli_abdm import CONNECTOR, link, move_here, show_facilities, show_status
from gateway.errors import Conflict, InvalidRequest
from gateway.flows.network.facility import line_of
from tests.gateway.network.house import LIVE, NETWORK, PUBLIC, TRIAL, Bridge


class Screen(Console):
    """A screen whose words can be looked at."""

    def __init__(self) -> None:
        """Wide enough for a table of ids."""
        self.paper = io.StringIO()
        super().__init__(file=self.paper, width=160, color_system=None)

    @property
    def said(self) -> str:
        """Everything that stands on it."""
        return self.paper.getvalue()


async def test_status_names_the_session_the_address_and_every_facility_with_its_clinic(bridge: Bridge) -> None:
    bridge.office.serves("IN01_1", "IN02", name="Clinic [red]Nine[/]")
    clinic = await bridge.clinic("IN01")
    screen = Screen()
    await show_status(bridge.house, bridge.line, screen)
    assert "good until 09:20 UTC" in screen.said
    assert f"{PUBLIC}/postbox" in screen.said
    (first,) = [line for line in screen.said.splitlines() if line.startswith("IN01_1")]
    assert str(clinic.tenant) in first
    assert first.rstrip().endswith("well")
    (second,) = [line for line in screen.said.splitlines() if line.startswith("IN02")]
    assert "nobody's here" in second
    assert "Clinic [red]Nine[/]" in second
    assert "as it should be" in screen.said


async def test_status_says_what_is_wrong_and_how_to_mend_it(bridge: Bridge) -> None:
    bridge.office.serves("IN01", "IN02")
    await bridge.clinic("IN01")
    bridge.office.url = "https://elsewhere.example"
    del bridge.office.services[0]
    screen = Screen()
    await show_status(bridge.house, bridge.line, screen)
    assert "https://elsewhere.example" in screen.said
    assert "service gone" in screen.said
    assert "Link the facility to the bridge in the register of facilities" in screen.said
    assert "stop it; then the operator tells the" in screen.said.replace("\n", " ")


async def test_status_shows_that_the_registration_is_refused_without_asking_again(bridge: Bridge) -> None:
    await bridge.registered("a wrong secret")
    screen = Screen()
    for _ in range(3):
        with pytest.raises(Exception, match="does not let the gateway in"):
            await show_status(bridge.house, bridge.line, Screen())
        bridge.clock.move(seconds=20)
    await show_status(bridge.house, bridge.line, screen)
    assert "refused 3 times in a row (bad_credentials)" in screen.said
    assert len(bridge.office.logins) == 3


async def test_the_address_is_moved_and_a_facility_linked_and_listed(bridge: Bridge) -> None:
    bridge.office.serves("IN01_4")
    bridge.office.url = None
    clinic = await bridge.clinic()
    screen = Screen()
    await move_here(bridge.house, bridge.line, screen)
    await link(bridge.house, bridge.line, screen, clinic.tenant, "IN01")
    await show_facilities(bridge.house, bridge.line, screen)
    assert f"sends everything to {PUBLIC}/postbox now" in screen.said
    assert "acts for IN01_4" in screen.said
    assert "its connection is active" in screen.said


async def test_the_environment_is_the_one_that_is_registered_or_has_to_be_named(bridge: Bridge) -> None:
    assert (await line_of(NETWORK, None, bridge.house.rooms)).id == LIVE
    await bridge.registered(line=TRIAL)
    with pytest.raises(Conflict, match="several environments"):
        await line_of(NETWORK, None, bridge.house.rooms)
    assert (await line_of(NETWORK, "trial", bridge.house.rooms)).id == TRIAL
    with pytest.raises(InvalidRequest):
        await line_of(NETWORK, "nowhere", bridge.house.rooms)
    with pytest.raises(Conflict, match="not registered"):
        await line_of(CONNECTOR, None, bridge.house.rooms)
