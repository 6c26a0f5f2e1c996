"""Who takes part: patients with what ABHA knows of them, facilities, other hospitals' software. Keeps values only."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from connectors.abdm.simulator.rules import HI_TYPES


class Unknown(LookupError):
    """Nobody has this address, or nobody has it any more."""


@dataclass(slots=True)
class Linked:
    """A care context in the patient's app."""

    patient_reference: str
    reference: str
    display: str
    hi_types: set[str]
    linked_at: float


@dataclass(slots=True)
class Patient:
    """A person with an ABHA number, and the care contexts linked to it, by facility."""

    abha_number: str
    address: str
    name: str
    gender: str
    year_of_birth: int
    mobile: str
    month_of_birth: int = 1
    day_of_birth: int = 1
    aadhaar: str | None = None
    kyc: bool = True
    line: str = "12 Lake Road"
    district: str = "Pune"
    state: str = "Maharashtra"
    pincode: str = "411001"
    linked: dict[str, list[Linked]] = field(default_factory=dict)

    @property
    def dashed(self) -> str:
        """The ABHA number as people read it."""
        number = self.abha_number
        return f"{number[:2]}-{number[2:6]}-{number[6:10]}-{number[10:]}"

    def context(self, service_id: str, reference: str) -> Linked | None:
        """A linked care context of one facility's."""
        return next((each for each in self.linked.get(service_id, ()) if each.reference == reference), None)

    def profile(self) -> dict[str, Any]:
        """What GET /v3/profile/account tells; the day of birth comes in strings."""
        first, _, last = self.name.partition(" ")
        return {
            "ABHANumber": self.dashed, "preferredAbhaAddress": self.address, "name": self.name, "firstName": first,
            "middleName": "", "lastName": last, "dayOfBirth": str(self.day_of_birth),
            "monthOfBirth": str(self.month_of_birth), "yearOfBirth": str(self.year_of_birth), "gender": self.gender,
            "mobile": self.mobile, "address": self.line, "districtName": self.district, "districtCode": "490",
            "stateName": self.state, "stateCode": "27", "pincode": self.pincode, "kycVerified": self.kyc,
            "verificationStatus": "VERIFIED", "authMethods": ["AADHAAR_OTP", "MOBILE_OTP"], "status": "ACTIVE",
            "photo": "",
        }  # fmt: skip

    def shared(self) -> dict[str, Any]:
        """What the patient's app hands over at a counter."""
        return {
            "abhaNumber": self.dashed, "abhaAddress": self.address, "name": self.name, "gender": self.gender,
            "dayOfBirth": f"{self.day_of_birth:02}", "monthOfBirth": f"{self.month_of_birth:02}",
            "yearOfBirth": str(self.year_of_birth), "phoneNumber": self.mobile,
            "address": {
                "line": self.line, "district": self.district, "state": self.state, "pincode": self.pincode,
            },
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facility:
    """A hospital or clinic under the bridge."""

    hfr_id: str
    service_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Hiu:
    """Somebody who asks for records: another hospital, an insurer, the patient's own app."""

    id: str
    name: str


@dataclass(slots=True)
class Message:
    """A text message on a phone."""

    at: float
    sender: str
    text: str


@dataclass(slots=True)
class Bridge:
    """One integration: its client, and where its callbacks go."""

    id: str
    client_id: str
    client_secret: str
    url: str | None = None
    stolen: bool = False
    """Whether another system with the same client id has put its own address there."""


@dataclass(slots=True)
class Discovery:
    """A patient who looks for their records at a hospital, and links them."""

    transaction: str
    address: str
    service_id: str
    state: str = "asked"
    """asked, found, none, init, otp, confirming, linked, refused."""
    blocks: list[dict[str, Any]] = field(default_factory=list)
    matched_by: list[str] = field(default_factory=list)
    chosen: list[dict[str, Any]] = field(default_factory=list)
    link_reference: str | None = None
    hint: str | None = None
    expires: str | None = None
    error: dict[str, Any] | None = None
    asked: dict[str, str] = field(default_factory=dict)
    """Which REQUEST-ID asked for what."""


@dataclass(slots=True)
class Share:
    """A profile handed over at a counter, and the token that came back."""

    request_id: str
    address: str
    service_id: str
    counter: str
    at: float
    state: str = "waiting"
    """waiting, acknowledged, refused, timed_out."""
    token: str | None = None
    expiry_seconds: int | None = None
    error: dict[str, Any] | None = None


def luhn(digits: str) -> str:
    """The check digit that makes a number an ABHA number."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if index % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def all_types(wanted: tuple[str, ...] | list[str] | None) -> list[str]:
    """The named HI types, or all; raises ValueError for one that does not exist."""
    unknown = set(wanted or ()) - set(HI_TYPES)
    if unknown:
        raise ValueError(f"no HI type: {', '.join(sorted(unknown))}; there are {', '.join(HI_TYPES)}")
    return list(wanted or HI_TYPES)


def new_id() -> str:
    """A fresh UUID."""
    return str(uuid.uuid4())
