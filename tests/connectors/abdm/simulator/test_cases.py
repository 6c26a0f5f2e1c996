"""The certification cases against hospitals that are not ours: what one does wrong is found, by its section, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from connectors.abdm.simulator.cases import cases_for
from connectors.abdm.simulator.cases_cast import Cast, Person, Visit, in_words
from connectors.abdm.simulator.cases_hospital import ByHand
from connectors.abdm.simulator.cases_run import network_for, shown
from connectors.abdm.simulator.cases_stage import Stage, Verdict, certify
from connectors.abdm.simulator.clock import Clock
from connectors.abdm.simulator.quirks import NAMES
from gateway.serve import listening, serving
from tests.connectors.abdm.simulator.hip import Hip, Record, bundle

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
#: What the small hospital of the tests lacks: it knows one patient, writes no real documents, weighs no dates, keys, addresses.
LACKS = {
    "Health_RECORD_CREATION_101": "5.2",
    "HIP_INIT_NOTIFY_HIECM": "3.2",
    "USER_INIT_LINK_603": "3.3",
    "REFUSE_DATES": "4.2",
    "REFUSE_KEY": "4.6",
    "REFUSE_ADDRESS": "4.2",
}


class Staff(ByHand):
    """Somebody at the small hospital, who enters visits and links them."""

    def __init__(self, hip: Hip) -> None:
        self.hip = hip

    async def visit(self, visit: Visit) -> None:
        """Enter a visit, and link it where that is the hospital's to do."""
        if any(each.reference == visit.reference for each in self.hip.records):
            return
        date = (NOW - timedelta(days=visit.days_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
        record = Record(visit.reference, hi_type=visit.hi_type, bundle=bundle(visit.hi_type, date))
        self.hip.records.append(record)
        if not visit.linked:
            return
        if not self.hip.told("on-generate-token"):
            await self.hip.ask_token(visit.person.address, name=visit.person.name)
            await self.hip.network.clock.advance(2)  # type: ignore[attr-defined]
        token = self.hip.told("on-generate-token")[-1].body["linkToken"]
        await self.hip.link(visit.person.address, token, record)
        await self.hip.network.clock.advance(40)  # type: ignore[attr-defined]
        await self.hip.notify(visit.person.address, visit.reference, hiTypes=[visit.hi_type])


class Told:
    """A phone on which the small hospital's one code stands."""

    async def before(self, person: Person) -> None:
        """Nothing to look at."""

    async def code(self, person: Person) -> str | None:
        """The code."""
        return "012345"


def _inside(_: httpx2.Request) -> httpx2.Response:
    """Somebody in the hospital's own network, who takes whatever comes."""
    return httpx2.Response(202)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    clock, cast = Clock(NOW), Cast.of("t")
    with_none = tuple(NAMES)
    app, network, service_id = network_for(
        "http://127.0.0.1:9/abdm", cast, facility=("IN2910000123", "Lake Clinic"), off=with_none, clock=clock
    )
    async with serving(app, listening("127.0.0.1", 0)) as url:
        hip = Hip(url, clock.outside, service_id)
        hip.http = httpx2.AsyncClient(
            base_url=url, timeout=20, trust_env=False, mounts={"http://10.0.0.7": httpx2.MockTransport(_inside)}
        )
        hip.network = network  # type: ignore[attr-defined]
        async with serving(hip.app, listening("127.0.0.1", 0)) as hospital:
            network.register(f"{hospital}/abdm")
            await hip.sign_in()

            async def rest() -> None:
                await asyncio.gather(*hip._tasks, return_exceptions=True)  # what it stumbles over, it says nothing to
                await clock.advance(2)

            yield Stage(
                network, f"{hospital}/abdm", service_id, cast, Staff(hip), Told(), rest=rest, skip=clock.advance
            )
            await hip.http.aclose()


async def played(stage: Stage) -> dict[str, Verdict]:
    verdicts: list[Verdict] = []
    await certify(stage, cases_for(stage), verdicts.append)
    return {each.case.name: each for each in verdicts}


async def test_a_hospital_that_lacks_something_fails_the_cases_of_that_with_their_sections(stage: Stage) -> None:
    found = await played(stage)
    failed = {name: each.reasons[0].section for name, each in found.items() if not each.passed}
    assert failed == LACKS | {"SHARE_PATIENT_PROFILE_701_END": "1.7"}, {n: v.reasons for n, v in found.items()}


async def test_a_hospital_that_forgets_no_consent_fails_where_one_ends(stage: Stage) -> None:
    assert isinstance(stage.hospital, Staff)
    kept = stage.hospital.hip.consents

    class Kept(dict[str, object]):
        def pop(self, *_: object) -> object:  # type: ignore[override]
            return None

    stage.hospital.hip.consents = Kept(kept)  # type: ignore[assignment]
    found = await played(stage)
    for name in ("HIP_INIT_REVOKE_CONSENT", "HIP_INIT_EXPIRE_CONSENT"):
        said = {(fault.section, fault.what) for fault in found[name].reasons}
        assert ("4.1", "records under a consent that has ended, after the hospital was told so") in said


async def test_a_hospital_that_says_nothing_fails_everything_and_each_failure_has_a_reason(stage: Stage) -> None:
    assert isinstance(stage.hospital, Staff)
    stage.hospital.hip.silent = True
    stage.hospital = ByHand()
    found = await played(stage)
    assert [name for name, each in found.items() if each.passed] == []
    told = shown(list(found.values()), stage.base_url)
    assert told["passed"] is False
    assert all(reason["section"] and reason["what"] for case in told["cases"] for reason in case["reasons"])


def test_what_a_hospital_needs_is_said_in_words_and_the_same_for_the_same_mark() -> None:
    said = in_words(Cast.of("t"))
    assert said == in_words(Cast.of("t"))
    assert said != in_words(Cast.of("u"))
    for each in Cast.of("t").known:
        assert any(each.name in line and each.mobile in line for line in said)
    assert sum("A visit of" in line for line in said) == len(Cast.of("t").visits)
