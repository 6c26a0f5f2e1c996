"""The case at the desk: a patient shares their profile at a counter, and has a place in its queue for half an hour."""

from typing import Final

from connectors.abdm.simulator.cases_cast import Person
from connectors.abdm.simulator.cases_stage import Case, Stage, Wrong
from connectors.abdm.simulator.people import Share
from connectors.abdm.simulator.sharing import WAITS_SECONDS

_COUNTER: Final = "CERT1"
_LASTS_SECONDS: Final = 1800


async def _shared(stage: Stage, person: Person) -> Share:
    """A scan that brought a token; who gets none scans again."""

    async def scans() -> Share:
        share = await stage.network.share_profile(person.address, stage.service_id, _COUNTER)
        what = f"no token within {WAITS_SECONDS} seconds"
        await stage.until(lambda: share.state != "waiting", 2 * WAITS_SECONDS, "2.6", what)
        if share.state != "acknowledged" or not share.token:
            said = (share.error or {}).get("message", share.state.replace("_", " "))
            raise Wrong("2.6", f"no token: {said}")
        return share

    return await stage.again(scans)


async def _gives_a_place(stage: Stage) -> None:
    first = await _shared(stage, stage.cast.asha)
    if not 0 < (first.expiry_seconds or 0) <= _LASTS_SECONDS:
        raise Wrong("1.7", f"a token holds for half an hour at most, and this one for {first.expiry_seconds} seconds")
    second = await _shared(stage, stage.cast.asha)
    if second.token != first.token:
        raise Wrong("1.7", "a second scan within the half hour brought another token")
    other = await _shared(stage, stage.cast.chitra)
    if other.token == first.token:
        raise Wrong("2.6", "two patients have one token at one counter")


async def _takes_it_back(stage: Stage) -> None:
    """After half an hour the place is gone: a scan brings another token. Only where time can go by."""
    assert stage.skip is not None
    first = await _shared(stage, stage.cast.binod)
    await stage.skip(_LASTS_SECONDS + 1)
    stage.mend()
    if (await _shared(stage, stage.cast.binod)).token == first.token:
        raise Wrong("1.7", "a token is good for longer than half an hour")


CASES: Final = (Case("SHARE_PATIENT_PROFILE_701", "Share patient profile: a token for 30 minutes", _gives_a_place),)
LONG_CASES: Final = (
    Case("SHARE_PATIENT_PROFILE_701_END", "The token ends after 30 minutes", _takes_it_back, official=False),
)
