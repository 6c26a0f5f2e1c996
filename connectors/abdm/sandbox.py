"""ABDM for the demo and the tests: the simulator with a clinic, two patients and another hospital in it. Never in production.

`/app` is the patients' app and `/phone` their phones; `/network` shows what the gateway's side said and what was wrong with it,
and has a switch for each quirk of the real network. `/sim/...` does all of that for programs. See simulator/README.md.
"""

from datetime import datetime, timedelta
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
#: With the quirk consent_without_hiu nobody is named, and who tries the quirks is to see records arrive all the same.
SETTINGS: Final = {"environment": "sbx", "unnamed_recipient": "release"}
#: A patient as the demo's clinic has them in its file.
IN_THE_FILE: Final = {
    "subject": "patient-4711", "name": "Asha Rao", "gender": "F", "year_of_birth": 1984, "address": PATIENT,
    "mobile": "+919876543210",
}  # fmt: skip


def visits(now: datetime) -> list[dict[str, Any]]:
    """Her visits there: one that the clinic links by itself, and one that she is to find and link."""
    record = {
        "patient": {"name": "Asha Rao", "gender": "female", "abha_address": PATIENT},
        "author": {"name": "Dr Meera Nair", "registration": "KMC-1234"},
    }
    amlodipine = {"drug": {"text": "Amlodipine 5 mg"}, "dosage": "One in the morning", "times_a_day": 1, "days": 30}
    paracetamol = {
        "drug": {"text": "Paracetamol 500 mg"},
        "dosage": "One tablet after food",
        "times_a_day": 3,
        "days": 3,
    }
    last, before = ((now - timedelta(days=days)).isoformat(timespec="seconds") for days in (2, 9))
    return [
        {
            "reference": "visit-1", "display": "OP visit", "kind": "Prescription", "linked": True,
            "record": {**record, "written_at": before, "medicines": [amlodipine]},
        },
        {
            "reference": "visit-2", "display": "OP visit", "kind": "Prescription", "linked": False,
            "record": {**record, "written_at": last, "medicines": [paracetamol]},
        },
    ]  # fmt: skip


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
