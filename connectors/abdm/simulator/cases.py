"""The certification cases of the second milestone, played against a hospital's software by the network. Never in production."""

from typing import Final

from connectors.abdm.simulator import cases_consents, cases_desk, cases_linking
from connectors.abdm.simulator.cases_stage import Case, Stage

#: What the network's plan has and nobody can play here: name, why.
NOT_PLAYED: Final = (
    ("HIP_INTI_LINK_2xx, 3xx, 4xx", "linking by OTP or by direct authentication has no call in V3"),
    ("USER_INIT_LINK_601", "it tries the patient's app, not the hospital"),
    ("HIP_INIT_ABHA_OPTOUT_DEACTIVATE", "no call of V3 tells a hospital of it"),
)


def cases_for(stage: Stage) -> tuple[Case, ...]:
    """Every case that can be played, in an order in which each finds what it needs."""
    long = cases_desk.LONG_CASES if stage.skip is not None else ()
    return (*cases_linking.CASES, *cases_consents.CASES, *cases_desk.CASES, *long)
