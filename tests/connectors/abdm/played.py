"""The ABDM connector, the network that the simulator plays, and a door between them; letters come in through `network.py`."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import httpx2
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from connectors.abdm import network as form
from connectors.abdm.simulator.abha import Citizen
from connectors.abdm.simulator.app import serve
from connectors.abdm.simulator.clock import Clock
from connectors.abdm.simulator.keys import Keyring
from connectors.abdm.simulator.network import CLIENT, Network
from connectors.abdm.simulator.quirks import Quirks
from connectors.contract import VendorAnswer
from connectors.network import Key
from connectors.registry import Registry
from connectors.told import Told
from scopes.minimize import minimize_answer
from tests.conformance.harness import DirectEgress, perform, with_length

ABDM: Final = Registry.load().connectors["abdm"]
BASE: Final = ABDM.manifest.base_url
GATEWAY: Final = "https://dev.abdm.gov.in"
KEYS: Final = Keyring()
NOW: Final = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
OURS: Final = "https://gateway.example/abdm"
AADHAAR: Final = "234123412346"
NEWCOMER: Final = "345123412340"
#: What comes as a letter and what the connector cannot mend: tried by themselves.
_APART: Final = (
    "outage",
    "bridge_thief",
    "eager_app",
    "push_needs_token",
    "bare_x_token",
    "error_shapes",
    "narrowed_dates",
)


class Played:
    """One network with a facility, two patients who share a mobile, and somebody who has no ABHA number yet."""

    def __init__(self, **switched: bool) -> None:
        quirks = Quirks.everything()
        quirks.switch({**dict.fromkeys(_APART, False), **switched})
        self.network = Network(
            clock=Clock(NOW),
            quirks=quirks,
            keys=KEYS,
            chance=random.Random(7),
            transport=httpx2.ASGITransport(app=self._hear),
        )
        self.letters: list[tuple[str, dict[str, str], bytes]] = []
        self.facility = self.network.add_facility("Lake Clinic", hfr_id="IN2910000123").service_id
        self.asha = self.network.add_patient(
            "Asha Rao", mobile="9876543210", year_of_birth=1984, address="asha.rao@sbx", aadhaar=AADHAAR
        )
        self.ravi = self.network.add_patient("Ravi Rao", mobile="9876543210", year_of_birth=1979, gender="M")
        for citizen in (
            Citizen(AADHAAR, "Asha Rao", "F", 1984, "9876543210"),
            Citizen(NEWCOMER, "Nita Shah", "F", 1990, "9811111111"),
        ):
            self.network.abha.citizens[citizen.aadhaar] = citizen
        self.web = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=serve(self.network)))
        self.token = ""
        self.taken = 202

    async def _hear(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = request.url.path.removeprefix("/abdm")
        self.letters.append((path, dict(request.headers), await request.body()))
        await Response(status_code=self.taken)(scope, receive, send)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.network.clock.outside(), UTC)

    async def sign_in(self) -> None:
        """A session, and our address as the one where everything goes."""
        asked = form.session_request(GATEWAY, *CLIENT, request_id=str(uuid4()), now=self.now)
        self.token = form.read_session(await self.web.send(with_length(asked))).token
        moved = form.move_request(GATEWAY, OURS, token=self.token, request_id=str(uuid4()), now=self.now)
        form.read_moved(await self.web.send(with_length(moved)))

    async def keys(self) -> tuple[Key, ...]:
        asked = form.keys_request(GATEWAY, token=self.token, request_id=str(uuid4()), now=self.now)
        return form.read_keys(await self.web.send(with_length(asked)))

    def door(self, **given: Any) -> DirectEgress:
        usual = {
            "credential": self.token,
            "base_url": BASE,
            "account": self.facility,
            "idempotency_key": str(uuid4()),
            "now": self.now,
        }
        return DirectEgress(ABDM.manifest, self.web, **{**usual, **given})

    async def call(self, name: str, payload: Mapping[str, Any], **given: Any) -> dict[str, Any]:
        answer: VendorAnswer = await perform(ABDM.actions[name], payload, self.door(**given))
        return minimize_answer(ABDM.actions[name].answer, answer.body)

    async def go(self, seconds: float = 10) -> None:
        await self.network.clock.advance(seconds)

    async def heard(self, at: int = -1) -> tuple[str, Told, float]:
        """A letter that came: the id that an answer refers to, what it says, and how late its token was."""
        path, headers, body = self.letters[at]
        outside = form.outside(path, headers)
        late = form.verify(outside, await self.keys(), now=self.now)
        told = form.read(path, outside, body)
        assert told is not None, path
        assert outside.account == self.facility
        return outside.request_id, told, late

    def code(self, mobile: str = "9876543210") -> str:
        """The last code on somebody's phone."""
        found = re.search(r"[0-9]{4,8}", self.network.phones[mobile][-1].text)
        assert found is not None
        return found[0]

    def faults(self) -> list[Any]:
        return [(each.path, each.faults) for each in self.network.faulty()]


async def played(**switched: bool) -> Played:
    """A network in which we are signed in."""
    found = Played(**switched)
    await found.sign_in()
    return found
