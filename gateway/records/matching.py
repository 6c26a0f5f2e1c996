"""Which patient of the clinic's somebody at a network is. Pure: candidates come in, one comes out, or nobody, or several.

The network proved some of what is said and the patient typed the rest. What decides, in this order (ABDM's flow chart for
discovery): an address or a number of the network's own that is equal; else a verified mobile, else the clinic's own number
that the patient typed. Candidates of the second kind count only where gender, year of birth and name agree as well, since a
family shares a mobile and anybody can type a number.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.told import Identifier, Proof, Sought
from gateway.records.patients import Patient, normal

YEARS_APART: Final = 5
ALIKE: Final = 80.0
"""Of 100, by Levenshtein on the sorted words of both names: Asha Rao and Rao Aasha are alike, Asha and Usha Rao are, too."""
_DEFINITE: Final = (Proof.ADDRESS, Proof.NUMBER)


@dataclass(frozen=True, slots=True)
class Match:
    """The one patient, and by what they were found."""

    patient: Patient = field(repr=False)
    by: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Nobody, or more than one."""

    several: bool


def asked_by(sought: Sought) -> tuple[tuple[Identifier, ...], ...]:
    """What to look people up by, in the order in which it counts; the first round that finds anybody decides."""
    proved = {each.proof: each for each in sought.verified}
    definite = [Identifier(Proof.ADDRESS, sought.address)]
    if Proof.NUMBER in proved:
        definite.append(proved[Proof.NUMBER])
    mobile = tuple(each for each in sought.verified if each.proof is Proof.MOBILE)
    typed = tuple(each for each in (*sought.verified, *sought.unverified) if each.proof is Proof.RECORD_NUMBER)
    return tuple(map(tuple, filter(None, (definite, mobile, typed))))


def matched(sought: Sought, found: Mapping[Identifier, Sequence[Patient]]) -> Match | NoMatch:
    """The one who it is, among those who were found by each identifier."""
    for asked in asked_by(sought):
        by: dict[str, list[Proof]] = {}
        people: dict[str, Patient] = {}
        for identifier in asked:
            for patient in found.get(identifier, ()):
                if identifier.proof in _DEFINITE or agrees(sought, patient):
                    people[str(patient.subject)] = patient
                    by.setdefault(str(patient.subject), []).append(identifier.proof)
        if len(people) > 1:
            return NoMatch(several=True)
        if people:
            [(subject, patient)] = people.items()
            return Match(patient, tuple(by[subject]))
    return NoMatch(several=False)


def agrees(sought: Sought, patient: Patient) -> bool:
    """Whether who somebody says they are fits a patient: all three must be said, and each must fit."""
    if sought.name is None or sought.gender is None or sought.year_of_birth is None:
        return False
    if _network_address_differs(sought, patient):
        return False
    near = abs(sought.year_of_birth - patient.year_of_birth) <= YEARS_APART
    return near and sought.gender == patient.gender and names_alike(sought.name, patient.name)


def names_alike(one: str, other: str) -> bool:
    """Whether two names are spelled alike, whatever the order of their words, case and accents."""
    from rapidfuzz.fuzz import token_sort_ratio

    return token_sort_ratio(_plain(one), _plain(other)) >= ALIKE


def _network_address_differs(sought: Sought, patient: Patient) -> bool:
    """Whether the clinic knows the patient by another address: then it is somebody else, or has to be asked at the desk."""
    known = patient.first(Proof.ADDRESS)
    return known is not None and normal(Identifier(Proof.ADDRESS, sought.address)).value != known


def _plain(name: str) -> str:
    parts = unicodedata.normalize("NFKD", name.casefold())
    return "".join(char if char.isalnum() else " " for char in parts if not unicodedata.combining(char))
