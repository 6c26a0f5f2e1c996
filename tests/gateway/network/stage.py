"""A clinic at ABDM's simulator whose gateway is a program of its own at its most talkative, everybody around it on loopback.

No fixtures. The network and whoever sends texts stand behind doors that keep what they are asked, and echo it where told to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from connectors.abdm import sandbox as abdm_sandbox
from connectors.abdm.simulator.network import Network
from connectors.messaging.twilio import sandbox as twilio_sandbox
from gateway import keyfiles
from gateway.app import opened
from gateway.config import Settings
from gateway.serve import listening, serving
from tests.acceptance import spoiled
from tests.acceptance.marks import found
from tests.acceptance.programs import Program, running
from tests.gateway.network import marked
from tests.gateway.network.marked import GATEWAY, MARKS, WORD, Echoing
from tests.gateway.network.program import COMMAND
from tests.gateway.network.ward import clinic, joined

_TALKATIVE = {"GATEWAY_LOG_LEVEL": "DEBUG", "PYTHONWARNINGS": "default"}


@dataclass
class Stage:
    """A clinic at the network, everybody around it, and the database as its owner sees it."""

    program: Program
    client: httpx2.AsyncClient
    network: Network
    door: Echoing
    texts: Any
    texts_door: Echoing
    owner: asyncpg.Connection
    service: str
    key: str

    async def until(self, look: Callable[[], Awaitable[Any]], seconds: float = 20.0) -> Any:
        """What a look finds, as soon as it finds anything."""
        async with asyncio.timeout(seconds):
            while not (seen := await look()):
                await asyncio.sleep(0.05)
        return seen

    async def asked(self, method: str, path: str, body: Any = None, *, fits: bool = True) -> httpx2.Response:
        """Ask the gateway as its host; what it finds fault with repeats nothing."""
        said = await self.client.request(method, path, json=body, headers=spoiled.HEADERS)
        assert said.status_code < 500, said.text
        assert not fits or said.is_success, said.text
        if said.status_code >= 400:
            assert found(MARKS | {WORD}, said.content + str(said.headers).encode()) == [], said.text
        return said

    async def visited(self, number: int, *, link: bool) -> str:
        """The patient has a visit; its id."""
        return str((await self.asked("POST", "/v1/care-contexts", marked.visit(number, link=link))).json()["id"])

    async def linked(self, visit: str) -> None:
        """Wait until the network knows a visit."""

        async def is_linked() -> bool:
            link = (await self.asked("GET", f"/v1/care-contexts/{visit}")).json()["link"]
            return link is not None and link["state"] == "linked"

        await self.until(is_linked)

    async def worked_off(self) -> None:
        """Wait until every letter was worked on; some come again later."""
        query = "SELECT count(*) = 0 FROM pgqueuer WHERE entrypoint = 'letter' AND attempts = 0"
        await self.until(lambda: self.owner.fetchval(query), 40)

    async def told(self, action: str, *, times: int = 1) -> None:
        """Wait until the network took so many words of one kind; those for later are told now."""

        async def is_told() -> bool:
            await self.owner.execute("UPDATE network_requests SET due_at = now() WHERE action = $1", action)
            await self.owner.execute("UPDATE pgqueuer SET execute_after = now() WHERE entrypoint = 'network'")
            query = "SELECT count(*) >= $2 FROM network_requests WHERE action = $1 AND answered_at IS NOT NULL"
            return bool(await self.owner.fetchval(query, action, times))

        await self.until(is_told)


@asynccontextmanager
async def staged(dsn: str, folder: Path) -> AsyncIterator[Stage]:
    """Set a clinic up, and start the gateway that is watched; the network gives it no session yet."""
    app, texts = abdm_sandbox.create(), twilio_sandbox.create()
    network, door, texts_door = app.state.sandbox, Echoing(app), Echoing(texts)
    network.latency_seconds = 0.05
    marked.known(network)
    async with AsyncExitStack() as stack:
        places = {
            "abdm": await stack.enter_async_context(serving(door, listening("127.0.0.1", 0))),
            "messaging/twilio": await stack.enter_async_context(serving(texts_door, listening("127.0.0.1", 0))),
        }
        network.served_at = places["abdm"]
        settings = Settings.from_environment({}, data_dir=folder, database_url=dsn)
        keyfiles.make(settings)
        async with opened(settings, sandboxes=places) as house:
            actor = await clinic(house)
            service = await joined(house, actor)
            key, _ = await house.rooms.callers.create_key(actor, "the host", actor.scopes)
        owner = await asyncpg.connect(dsn)
        stack.push_async_callback(owner.close)
        await owner.execute("UPDATE network_sessions SET expires_at = received_at")  # the program needs another one
        door.below = (GATEWAY,)
        pairs = [word for pair in places.items() for word in pair]
        program = await stack.enter_async_context(
            running(dsn, folder, *pairs, err=folder / "err", command=COMMAND, **_TALKATIVE)
        )
        url = await program.line()
        assert url, program.said()
        network.register(f"{url}/abdm")
        client = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=url, headers={"authorization": f"Bearer {key}"}, trust_env=False, timeout=30)
        )
        yield Stage(program, client, network, door, texts.state.sandbox, texts_door, owner, service, key)
