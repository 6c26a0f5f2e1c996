"""What a certification case is and what it is played with: the network, the hospital under test, its patients. Keeps no case."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from connectors.abdm.simulator.cases_cast import Cast, Person, Visit
from connectors.abdm.simulator.network import Network
from connectors.abdm.simulator.people import Patient
from connectors.abdm.simulator.record import Fault

_LOOK_SECONDS: Final = 0.1
Given = TypeVar("Given")


class Wrong(Exception):
    """What was to be seen and was not, by the section of the specification that asks for it."""

    def __init__(self, section: str, what: str) -> None:
        super().__init__(f"{section}: {what}")
        self.fault = Fault(section, what)


class Hospital(Protocol):
    """The side of the hospital's own staff: they enter patients and visits, by a program or by hand."""

    async def register(self, person: Person) -> None:
        """See to it that a patient is in the hospital's file."""

    async def visit(self, visit: Visit) -> None:
        """See to it that a visit is there, with its document."""

    async def invite(self, person: Person) -> None:
        """Have the network write to a patient of whom only the mobile is known."""


class Phone(Protocol):
    """The patient's phone, where the hospital's codes come."""

    async def before(self, person: Person) -> None:
        """Look at what is there already."""

    async def code(self, person: Person) -> str | None:
        """The code that came since then; None while there is none."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case: its name in the network's test plan (or one of ours beside it), and how it is played."""

    name: str
    title: str
    play: Callable[["Stage"], Awaitable[None]]
    official: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one case."""

    case: Case
    reasons: tuple[Fault, ...]
    tries: int
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether all that was to be seen was seen, and nothing was wrong."""
        return not self.reasons


@dataclass(slots=True)
class Stage:
    """What cases are played with. `rest` is called while one waits; `skip` lets time go by where that is possible."""

    network: Network
    base_url: str
    service_id: str
    cast: Cast
    hospital: Hospital
    phone: Phone
    rest: Callable[[], Awaitable[None]] | None = None
    skip: Callable[[float], Awaitable[None]] | None = None
    patience: float = 1.0
    tries: int = 2
    tried: int = 1
    seen: set[tuple[str, str, str]] = field(default_factory=set)

    async def until(self, look: Callable[[], Any], seconds: float, section: str, what: str) -> Any:
        """What a look finds, as soon as it finds anything. Raises Wrong after so many seconds of the network's time."""
        ends = self.network.clock.now() + seconds * self.patience
        while not (found := await _looked(look())):
            if self.network.clock.now() > ends:
                raise Wrong(section, f"{what} ({seconds:.0f} seconds)")
            await (self.rest() if self.rest is not None else asyncio.sleep(_LOOK_SECONDS))
        return found

    async def again(self, attempt: Callable[[], Awaitable[Given]]) -> Given:
        """What a person, an app or another hospital does once more where nothing came of it. Raises Wrong after the last."""
        for number in range(1, self.tries + 1):
            try:
                return await attempt()
            except Wrong:
                if number == self.tries:
                    raise
                self.tried = number + 1
                self.mend()
        raise AssertionError("nothing was tried")

    def mend(self) -> None:
        """Put the bridge's address back where another system took it, as an operator does who is told so."""
        if self.network.bridge.stolen or self.network.bridge.url is None:
            self.network.register(self.base_url)

    def patient(self, person: Person) -> Patient:
        """A person as the network has them."""
        return self.network.patient(person.address)

    def types_linked(self, person: Person) -> set[str]:
        """The kinds of documents that are linked to a person at the hospital under test."""
        return {kind for each in self.patient(person).linked.get(self.service_id, ()) for kind in each.hi_types}


async def _looked(found: Any) -> Any:
    return await found if isinstance(found, Awaitable) else found


async def certify(
    stage: Stage, cases: Sequence[Case], seen: Callable[[Verdict], None], begun: Callable[[Case], None] | None = None
) -> list[Verdict]:
    """Play cases one after the other; each verdict is handed on as soon as it stands."""
    verdicts = []
    for case in cases:
        if begun is not None:
            begun(case)
        stage.mend()
        verdict = await _judged(stage, case)
        verdicts.append(verdict)
        seen(verdict)
    return verdicts


async def _judged(stage: Stage, case: Case) -> Verdict:
    stage.tried, began, reasons = 1, time.monotonic(), []
    try:
        await case.play(stage)
    except Wrong as wrong:
        reasons.append(wrong.fault)
    except LookupError as missing:  # an earlier case failed, and what it was to bring is not there
        reasons.append(Fault("3", f"what earlier cases bring is not there: {missing}"))
    except ValueError as impossible:
        reasons.append(Fault("3", str(impossible)))
    reasons += _new_faults(stage)
    return Verdict(case, tuple(dict.fromkeys(reasons)), stage.tried, time.monotonic() - began)


def _new_faults(stage: Stage) -> Iterator[Fault]:
    """What was wrong with requests and transfers, each fault once: with the case during which it showed."""
    network = stage.network
    told = [(f"request {each.number}", fault) for each in network.requests for fault in each.faults]
    told += [(each.transaction, fault) for each in network.transfers.values() for fault in each.faults]
    for where, fault in told:
        key = (where, fault.section, fault.what)
        if key not in stage.seen:
            stage.seen.add(key)
            yield fault
