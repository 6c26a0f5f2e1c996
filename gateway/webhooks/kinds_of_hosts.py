"""What hosts' events may tell, field by field. An id is always there; everything else leaves only where it is granted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final

from pydantic import AwareDatetime, Field, StringConstraints

from scopes.event_id import EventId
from scopes.field import Disclosed, discloses
from scopes.transform import to_minute
from scopes.vocabulary import Category

_Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$"), Field(examples=["follow_up"])]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=120), Field(examples=["Ada"])]
_Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$"), Field(examples=["+15550100123"])]
_Email = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$", max_length=254),
    Field(examples=["ada@clinic.example"]),
]
_Text = Annotated[str, StringConstraints(max_length=2000), Field(examples=["Comes by taxi"])]
_Amount = Annotated[int, Field(strict=True, ge=0, le=99_999_999_999, examples=[4250])]
_Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(examples=["EUR"])]

Id = Annotated[EventId, discloses(Category.IDENTIFIER, "what happened to which record; the receiver looks it up")]
_At = Annotated[AwareDatetime | None, discloses(Category.APPOINTMENT, "when the appointment is", to_minute)]
_Patient = Annotated[EventId | None, discloses(Category.IDENTIFIER, "the clinic's own id of the patient")]
_Staff = Annotated[EventId | None, discloses(Category.STAFF, "the clinic's own id of the clinician")]
_Place = Annotated[EventId | None, discloses(Category.LOCATION, "the clinic's own id of the site")]
_What = Annotated[_Word | None, discloses(Category.APPOINTMENT, "the sort of appointment, as one word of the clinic's")]
_Note = Annotated[_Text | None, discloses(Category.FREE_TEXT, "a remark on the appointment")]
_Why = Annotated[_Word | None, discloses(Category.APPOINTMENT, "why, as one word of the clinic's")]
_Due = Annotated[_Amount | None, discloses(Category.BILLING, "the amount, in the currency's minor unit")]
_In = Annotated[_Currency | None, discloses(Category.BILLING, "the currency of the amount")]
_Number = Annotated[EventId | None, discloses(Category.BILLING, "the number printed on the invoice")]
_Day = Annotated[date | None, discloses(Category.BILLING, "on which day")]


class Thin(Disclosed):
    """An event that says what happened to which record, and no more."""

    id: Id


class Undeclared(Disclosed):
    """An event of a type that nobody declared: which record, where there is one, and never more."""

    id: Annotated[EventId | None, discloses(Category.IDENTIFIER, "what happened to which record")] = None


class Appointment(Thin):
    """An appointment as it stands after the event."""

    patient: _Patient = None
    starts_at: _At = None
    ends_at: _At = None
    clinician: _Staff = None
    site: _Place = None
    sort: _What = None
    note: _Note = None


class AppointmentMoved(Appointment):
    """An appointment that was moved."""

    started_at: Annotated[
        AwareDatetime | None, discloses(Category.APPOINTMENT, "when the appointment was to be before", to_minute)
    ] = None


class AppointmentEnded(Appointment):
    """An appointment that will not be."""

    reason: _Why = None


class Patient(Thin):
    """A patient's record in its outline."""

    given_name: Annotated[_Name | None, discloses(Category.IDENTITY, "the greeting")] = None
    family_name: Annotated[_Name | None, discloses(Category.IDENTITY, "telling patients apart")] = None
    born_on: Annotated[date | None, discloses(Category.IDENTITY, "telling patients of one name apart")] = None
    phone: Annotated[_Phone | None, discloses(Category.CONTACT, "where messages go")] = None
    email: Annotated[_Email | None, discloses(Category.CONTACT, "where messages go")] = None
    changed: Annotated[list[_Word] | None, discloses(Category.OPERATIONAL, "which parts of the record changed")] = None


class Invoice(Thin):
    """An invoice as it stands after the event."""

    number: _Number = None
    patient: _Patient = None
    amount_minor: _Due = None
    currency: _In = None
    due_on: _Day = None
    paid_on: _Day = None


class Result(Thin):
    """That a result is there; what it says is fetched, never told."""

    patient: _Patient = None
    sort: Annotated[_Word | None, discloses(Category.RESULT, "the sort of result, as one word of the clinic's")] = None
    at: Annotated[AwareDatetime | None, discloses(Category.RESULT, "when it came", to_minute)] = None


class Prescription(Thin):
    """That something was prescribed; what it is is fetched, never told."""

    patient: _Patient = None
    at: Annotated[AwareDatetime | None, discloses(Category.MEDICATION, "when it was prescribed", to_minute)] = None


MODELS: Final[Mapping[str, tuple[str, type[Disclosed]]]] = {
    "appointment.booked": ("An appointment was booked", Appointment),
    "appointment.moved": ("An appointment was moved to another time or place", AppointmentMoved),
    "appointment.confirmed": ("An appointment was confirmed", Appointment),
    "appointment.cancelled": ("An appointment was cancelled", AppointmentEnded),
    "appointment.no_show": ("A patient did not come", Appointment),
    "appointment.completed": ("An appointment took place", Appointment),
    "invoice.issued": ("An invoice was issued", Invoice),
    "invoice.paid": ("An invoice was paid", Invoice),
    "invoice.cancelled": ("An invoice was cancelled", Invoice),
    "patient.registered": ("A patient was registered", Patient),
    "patient.updated": ("A patient's record changed", Patient),
    "prescription.issued": ("A prescription was issued", Prescription),
    "result.available": ("A result is there", Result),
}
