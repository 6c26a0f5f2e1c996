"""Who plays in certification cases: invented patients and their visits. Each run can have its own, so that none is linked yet."""

import hashlib
from dataclasses import dataclass
from typing import Final

from connectors.abdm.simulator.network import CM_ID, Network

PRESCRIPTION: Final = "Prescription"
CONSULTATION: Final = "OPConsultation"


@dataclass(frozen=True, slots=True)
class Person:
    """An invented patient."""

    reference: str
    name: str
    gender: str
    year_of_birth: int
    address: str
    mobile: str
    tells_address: bool = True
    """Whether the hospital knows the ABHA address; otherwise it knows name, gender, year of birth and mobile."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit of one of them, with one document."""

    person: Person
    reference: str
    hi_type: str
    days_ago: int
    linked: bool = True
    """Whether the hospital is to link it by itself, or to leave it to the patient."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody who plays, and every visit."""

    asha: Person
    """Known by her ABHA address: the hospital links her visits."""
    binod: Person
    """Known by his mobile: he links his visit himself, with a code."""
    chitra: Person
    """Unknown to the hospital."""
    deepa: Person
    """Known by her mobile: the network writes to her."""

    @classmethod
    def of(cls, mark: str) -> "Cast":
        """The cast of one run; the same mark gives the same people."""
        return cls(
            _person(mark, "asha", "Asha Rao", "F", 1984),
            _person(mark, "binod", "Binod Pillai", "M", 1979, tells_address=False),
            _person(mark, "chitra", "Chitra Menon", "F", 1991),
            _person(mark, "deepa", "Deepa Joshi", "F", 1966, tells_address=False),
        )

    @property
    def known(self) -> tuple[Person, ...]:
        """Whom the hospital has in its file."""
        return self.asha, self.binod, self.deepa

    @property
    def first(self) -> Visit:
        """The visit that is linked first."""
        return Visit(self.asha, f"{self.asha.reference}-1", PRESCRIPTION, 3)

    @property
    def further(self) -> tuple[Visit, ...]:
        """One with a document of another kind, and one of long ago."""
        return (
            Visit(self.asha, f"{self.asha.reference}-2", CONSULTATION, 4),
            Visit(self.asha, f"{self.asha.reference}-3", PRESCRIPTION, 12),
        )

    @property
    def own(self) -> Visit:
        """The visit that a patient links."""
        return Visit(self.binod, f"{self.binod.reference}-1", PRESCRIPTION, 2, linked=False)

    @property
    def visits(self) -> tuple[Visit, ...]:
        """All of them."""
        return self.first, *self.further, self.own

    def enter(self, network: Network) -> None:
        """Make them citizens of a network."""
        for each in (self.asha, self.binod, self.chitra, self.deepa):
            network.add_patient(
                each.name, mobile=each.mobile[-10:], year_of_birth=each.year_of_birth, gender=each.gender,
                address=each.address,
            )  # fmt: skip


def _person(mark: str, first: str, name: str, gender: str, year: int, *, tells_address: bool = True) -> Person:
    drawn = int(hashlib.sha256(f"{mark} {first}".encode()).hexdigest(), 16) % 10**8
    reference = f"cert-{mark}-{first}"
    return Person(reference, name, gender, year, f"{first}.{mark}@{CM_ID}", f"+9198{drawn:08}", tells_address)


def in_words(cast: Cast) -> list[str]:
    """What the hospital under test is to have in its file, one sentence each."""
    said = []
    for each in cast.known:
        known = f"ABHA address {each.address}, mobile {each.mobile}" if each.tells_address else f"mobile {each.mobile}"
        rest = "" if each.tells_address else "; not the ABHA address"
        said.append(f"Patient {each.name}, gender {each.gender}, born {each.year_of_birth}, {known}{rest}.")
    for visit in cast.visits:
        who = "the hospital links it by itself" if visit.linked else "the hospital does not link it: the patient will"
        said.append(
            f"A visit of {visit.person.name}, {visit.days_ago} days ago, with one document of the kind {visit.hi_type} "
            f"of that day; {who}."
        )
    said.append(f"A text by ABDM to {cast.deepa.name}: notify her mobile that there are records to link.")
    said.append("Nothing about a patient named Chitra Menon.")
    return said
