"""Who a patient is to a network of health records: what is compared when somebody looks for them. Reads and writes no rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from connectors.told import Identifier, Proof
from gateway.connections import Clinic
from gateway.store.patients import KeyRow, PatientRow

_SEALED_AS: Final = "patient"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPatient:
    """A patient to register; `subject` is the host's own reference, and everything is as the host knows it."""

    subject: str = field(repr=False)
    name: str = field(repr=False)
    gender: str = field(repr=False)
    year_of_birth: int = field(repr=False)
    identifiers: tuple[Identifier, ...] = field(default=(), repr=False)
    """Normal forms: see `normal`."""

    def written(self) -> bytes:
        """Its bytes, to seal."""
        return orjson.dumps(
            {
                "reference": self.subject, "name": self.name, "gender": self.gender, "year_of_birth": self.year_of_birth,
                "identifiers": [[each.proof, each.value] for each in self.identifiers],
            }
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A patient, opened."""

    subject: UUID
    """The pseudonym."""
    reference: str = field(repr=False)
    """The host's own."""
    name: str = field(repr=False)
    gender: str = field(repr=False)
    year_of_birth: int = field(repr=False)
    identifiers: tuple[Identifier, ...] = field(repr=False)
    network_reference: str = field(repr=False)
    """What the network knows the file by: it tells nothing, and is not the pseudonym of the ledger."""
    registered_at: datetime

    def first(self, proof: Proof) -> str | None:
        """The patient's identifier of that sort."""
        return next((each.value for each in self.identifiers if each.proof is proof), None)


def normal(identifier: Identifier) -> Identifier:
    """An identifier in the one spelling that it is compared in. A mobile number is E.164 already."""
    value = identifier.value.strip()
    match identifier.proof:
        case Proof.ADDRESS | Proof.EMAIL:
            value = value.lower()
        case Proof.NUMBER:
            value = "".join(filter(str.isdecimal, value))
        case Proof.MOBILE | Proof.RECORD_NUMBER:
            pass
    return Identifier(identifier.proof, value)


def key_of(clinic: Clinic, identifier: Identifier) -> KeyRow:
    """What an identifier is found by."""
    at_home = normal(identifier)
    return KeyRow(str(at_home.proof), clinic.fingerprint(f"patient|{at_home.proof}|{at_home.value}".encode()))


def network_reference(clinic: Clinic, subject: UUID) -> str:
    """What the network knows a patient's file by."""
    return "P-" + clinic.fingerprint(b"network|" + subject.bytes).hex()[:24]


def seal(clinic: Clinic, subject: UUID, new: NewPatient) -> bytes:
    """A patient, sealed."""
    return clinic.keyring.seal(new.written(), purpose=_SEALED_AS, row=str(subject))


def opened(clinic: Clinic, row: PatientRow) -> Patient:
    """A patient from their row."""
    held: dict[str, Any] = orjson.loads(clinic.keyring.open(row.sealed, purpose=_SEALED_AS, row=str(row.subject)))
    return Patient(
        subject=row.subject,
        reference=held["reference"],
        name=held["name"],
        gender=held["gender"],
        year_of_birth=held["year_of_birth"],
        identifiers=tuple(Identifier(Proof(proof), value) for proof, value in held["identifiers"]),
        network_reference=network_reference(clinic, row.subject),
        registered_at=row.registered_at,
    )
