"""What stands in for the outside: a resolver, a clock and an engine that do as written down. No sockets."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.egress import Letter, Limits, Received, Target


@dataclass
class Names:
    """A resolver that says what it is told, each name's answers in turn, and keeps what it was asked."""

    answers: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        await asyncio.sleep(0)
        said = self.answers.get(host)
        if not said:
            raise OSError("no such name")
        return said.pop(0) if len(said) > 1 else said[0]


@dataclass
class Clock:
    """A clock that goes on only when told, or when somebody sleeps by it."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Script:
    """An engine that connects to nothing: each sending ends as written down."""

    endings: list[Received | Exception]
    sent: list[tuple[Letter, Target, Limits]] = field(default_factory=list)

    async def send(self, letter: Letter, target: Target, limits: Limits) -> Received:
        self.sent.append((letter, target, limits))
        ending = self.endings.pop(0) if len(self.endings) > 1 else self.endings[0]
        if isinstance(ending, Exception):
            raise ending
        return ending

    async def close(self) -> None:
        """Nothing is open."""


def received(status: int = 200, body: bytes = b"", **headers: str) -> Received:
    """What an engine hands over."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Received(status, dict(pairs).get("content-encoding"), body, lambda: pairs)
