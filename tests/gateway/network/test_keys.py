"""The network's keys: remembered, asked for anew at most once a minute, and never more than what it has."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from connectors.network import Key
from gateway.errors import Unavailable
from gateway.network.asking import NotTold
from gateway.network.keys import Keys
from tests.gateway.network.house import Bridge
from tests.gateway.network.office import post

K1, K2 = Key("k1", "RS256", b"1"), Key("k2", "RS256", b"2")


@dataclass
class Asked:
    """A network's keys, and how often they were asked for."""

    keys: tuple[Key, ...] = (K1,)
    times: int = 0
    seconds: float = 0.0
    silent: bool = False

    async def __call__(self, connector: str) -> tuple[Key, ...]:
        """Give them."""
        self.times += 1
        if self.silent:
            raise NotTold
        return self.keys

    def known(self) -> Keys:
        """Somebody who remembers them."""
        return Keys(self, seconds=lambda: self.seconds)


async def test_a_known_key_is_asked_for_once_an_hour() -> None:
    asked = Asked()
    known = asked.known()
    for _ in range(100):
        assert await known.of("n", "k1") == (K1,)
    assert asked.times == 1
    asked.seconds, asked.keys = 3700, (K2,)
    assert await known.of("n", "k1") == (K2,)  # withdrawn


async def test_unknown_keys_are_asked_for_once_a_minute_whoever_sends_them() -> None:
    asked = Asked()
    known = asked.known()
    for at in range(600):
        asked.seconds = at / 10
        assert await known.of("n", f"made-up-{at}") == (K1,)
    assert asked.times == 1
    asked.seconds, asked.keys = 61, (K1, K2)
    assert await known.of("n", "k2") == (K1, K2)
    assert asked.times == 2


async def test_a_network_that_does_not_answer_takes_no_key_away_for_a_day() -> None:
    asked = Asked()
    known = asked.known()
    await known.of("n", "k1")
    asked.silent = True
    asked.seconds = 80_000
    assert await known.of("n", "k1") == (K1,)
    asked.seconds = 90_000
    with pytest.raises(Unavailable):
        await known.of("n", "k1")


async def test_without_any_key_it_is_asked_every_other_second_and_nothing_is_taken() -> None:
    asked = Asked(silent=True)
    known = asked.known()
    for at in range(100):
        asked.seconds = at / 10
        with pytest.raises(Unavailable):
            await known.of("n", "k1")
    assert asked.times == 5
    asked.silent, asked.seconds = False, 100
    assert await known.of("n", "k1") == (K1,)


async def test_a_letter_under_a_new_key_is_taken_and_one_under_none_is_refused(bridge: Bridge) -> None:
    bridge.office.serves("IN01")
    await bridge.clinic("IN01")
    bridge.office.keys = {"k9": bridge.office.keys["k1"]}
    async with bridge.over_http() as network:
        assert (await post(network, "/consents", bridge.office.headers("IN01", kid="k9"))).status_code == 202
        for _ in range(5):
            headers = bridge.office.headers("IN01", kid="kX", key=bridge.office.strangers)
            assert (await post(network, "/consents", headers)).status_code == 400
    assert bridge.office.asked.count("certs") == 1


async def test_while_the_keys_cannot_be_had_the_network_is_told_to_come_again(bridge: Bridge) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    bridge.office.certs_failing = True
    async with bridge.over_http() as network:
        assert (await post(network, "/consents", bridge.office.headers("IN01"))).status_code == 503
    assert await bridge.letters(clinic) == []
