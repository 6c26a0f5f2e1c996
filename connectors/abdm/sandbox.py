"""ABDM for the demo and the tests: the simulator with a clinic, two patients and another hospital in it. Never in production.

`/app` is the patients' app and `/phone` their phones; `/network` shows what the gateway's side said and what was wrong with it,
and has a switch for each quirk of the real network. `/sim/...` does all of that for programs. See simulator/README.md.
"""

from typing import Any, Final

from starlette.applications import Starlette

from connectors.abdm.simulator.abha import Citizen
from connectors.abdm.simulator.app import serve
from connectors.abdm.simulator.network import CLIENT, Network

CREDENTIAL: Final = ":".join(CLIENT)
FACILITY: Final = "IN2910000123"
FACILITY_NAME: Final = "Lake Clinic"
PATIENT: Final = "asha.rao@sbx"
PHONE: Final = "/app"


def create(**given: Any) -> Starlette:
    """The sandbox as an ASGI application; what is given goes to the Network."""
    network = Network(**given)
    network.add_facility(FACILITY_NAME, hfr_id=FACILITY)
    network.add_hiu("IN2910000999", "Hill Hospital")
    network.add_patient(
        "Asha Rao", mobile="9876543210", year_of_birth=1984, address=PATIENT, aadhaar="234123412346"
    )  # fmt: skip
    network.add_patient(
        "Ravi Kulkarni", mobile="9876543211", year_of_birth=1979, gender="M", address="ravi.k@sbx"
    )  # fmt: skip
    nita = Citizen("345123412340", "Nita Shah", "F", 1990, "9811111111")
    network.abha.citizens[nita.aadhaar] = nita
    asha = Citizen("234123412346", "Asha Rao", "F", 1984, "9876543210")
    network.abha.citizens[asha.aadhaar] = asha
    return serve(network)
