"""/v1/patients: whom a network of health records may find. A host's own reference and identifiers go in and in bodies only."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from connectors.message import PhoneNumber
from connectors.told import Identifier, Proof
from gateway.errors import NotFound
from gateway.flows.network.keeping import network_of
from gateway.flows.network.linking import invite
from gateway.records import NewPatient, Patient
from gateway.records.patients import normal
from gateway.web.api.answers import Told
from gateway.web.api.models import Given, Name, Reference, is_plain
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.scope import Area, Scope, Verb

_READ: Final = Scope(Area.RECORDS, Verb.READ)
_WRITE: Final = Scope(Area.RECORDS, Verb.WRITE)
_OWN: Final = "The patient, as the host knows them. Only a keyed hash of it can be searched for; the rest is sealed."
_Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(is_plain)]
_Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}-?[0-9]{4}-?[0-9]{4}-?[0-9]{4}$")]
_Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._!-]{1,100}@[a-z]{2,20}$")]
_Email = Annotated[str, StringConstraints(pattern=r"^[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,190}$")]
Gender = Literal["M", "F", "O"]


class PatientBody(Given):
    """A patient to register, in place of what was known of them."""

    subject: Annotated[Reference, Field(description=_OWN)]
    name: _Text
    gender: Gender
    year_of_birth: Annotated[int, Field(strict=True, ge=1850, le=2200)]
    address: Annotated[_Address | None, Field(description="Their address at the network.", examples=["asha@abdm"])] = (
        None
    )
    number: Annotated[_Digits | None, Field(description="Their number at the network, 14 digits.")] = None
    mobile: Annotated[PhoneNumber | None, Field(description="Codes that prove a link go there, and nowhere else.")] = (
        None
    )
    record_number: Annotated[_Text | None, Field(description="The clinic's own number of the patient.")] = None
    email: _Email | None = None

    def identifiers(self) -> tuple[Identifier, ...]:
        """What the patient is found by."""
        given = {
            Proof.ADDRESS: self.address, Proof.NUMBER: self.number, Proof.MOBILE: self.mobile,
            Proof.RECORD_NUMBER: self.record_number, Proof.EMAIL: self.email,
        }  # fmt: skip
        return tuple(normal(Identifier(proof, value)) for proof, value in given.items() if value is not None)


class PatientSearchBody(Given):
    """A patient as the host knows them, which must not stand in an address."""

    subject: Reference


class InvitationBody(Given):
    """A patient whom the network is to write to, as the host knows them."""

    connector: Annotated[Name, Field(examples=["abdm"])]
    subject: Reference


class PatientAnswer(Told):
    """A registered patient; of the identifiers which there are, not what they are."""

    subject: UUID = Field(description="The subject's pseudonym.")
    found_by: list[Proof]
    registered_at: datetime


async def register(asked: Asked) -> Reply:
    """Register a patient."""
    body: PatientBody = asked.body
    new = NewPatient(
        subject=body.subject, name=body.name, gender=body.gender, year_of_birth=body.year_of_birth,
        identifiers=body.identifiers(),
    )  # fmt: skip
    return Reply(_told(await asked.rooms.records.register(asked.actor, new)))


async def search(asked: Asked) -> Reply:
    """A patient as the host knows them; the look is recorded."""
    body: PatientSearchBody = asked.body
    clinic = await asked.rooms.connections.clinic(asked.tenant)
    subject = await asked.rooms.subjects.known(asked.tenant, body.subject, keyed=clinic)
    found = None if subject is None else await asked.rooms.records.patient(asked.tenant, subject)
    sought = {"subject": str(subject) if subject is not None else None}
    await asked.rooms.ledger.accessed(asked.actor, what="patients", query=sought, count=int(found is not None))
    if found is None:
        raise NotFound("this patient is not registered", fix="PUT /v1/patients registers them.")
    return Reply(_told(found))


async def write_to(asked: Asked) -> Reply:
    """Let the network write to a patient that there are records to link."""
    body: InvitationBody = asked.body
    network_of(body.connector, asked.rooms)
    clinic = await asked.rooms.connections.clinic(asked.tenant)
    subject = await asked.rooms.subjects.known(asked.tenant, body.subject, keyed=clinic)
    if subject is None:
        raise NotFound("this patient is not registered", fix="PUT /v1/patients registers them.")
    await invite(asked.actor, body.connector, subject, asked.rooms)
    return Reply()


async def forget(asked: Asked) -> Reply:
    """Let a network find a patient no more."""
    await asked.rooms.records.forget(asked.actor, asked.path["subject"])
    return Reply()


def _told(patient: Patient) -> PatientAnswer:
    return PatientAnswer(
        subject=patient.subject,
        found_by=[each.proof for each in patient.identifiers],
        registered_at=patient.registered_at,
    )


OPERATIONS = (
    Operation(
        method="PUT", path="/v1/patients", summary="Register a patient whom a network of health records may find",
        act=register, needs=_WRITE, body=PatientBody, answer=PatientAnswer,
    ),
    Operation(
        method="POST", path="/v1/patients/search", summary="Read a patient's registration, as the host knows them",
        act=search, needs=_READ, body=PatientSearchBody, answer=PatientAnswer, problems=(404,),
    ),
    Operation(
        method="POST", path="/v1/patients/invite", act=write_to, needs=_WRITE, body=InvitationBody, status=204,
        summary="Let the network write to a patient that there are records to link", problems=(404, 409),
    ),
    Operation(
        method="DELETE", path="/v1/patients/{subject:uuid}", summary="Let a network find a patient no more", act=forget,
        needs=_WRITE, status=204, problems=(404,),
    ),
)  # fmt: skip
