"""Whom a record is about, who wrote it and where: the parts that every kind of record has."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from connectors.abdm.fhir.fields import (
    AbhaAddress,
    AbhaNumber,
    Day,
    File,
    Identifier,
    Loinc,
    MediaType,
    Moment,
    Phone,
    Snomed,
    Text,
)
from scopes.field import Disclosed, Unfit, discloses
from scopes.vocabulary import Category

_BOTH = "a code needs the terminology's own words for it, and these need the code"


class Gender(StrEnum):
    """FHIR's administrative gender."""

    MALE = "male"
    FEMALE = "female"
    OTHER = "other"
    UNKNOWN = "unknown"


class VisitKind(StrEnum):
    """What kind of visit it was: HL7 v3 ActEncounterCode."""

    AMBULATORY = "AMB"
    INPATIENT = "IMP"
    EMERGENCY = "EMER"
    HOME = "HH"
    VIRTUAL = "VR"


class Patient(Disclosed):
    """The person that the record is about; one of the three identifiers at least."""

    name: Annotated[Text, discloses(Category.IDENTITY, "whose record it is")]
    gender: Annotated[Gender, discloses(Category.IDENTITY, "whose record it is")] = Gender.UNKNOWN
    birth_date: Annotated[Day | None, discloses(Category.IDENTITY, "whose record it is")] = None
    abha_number: Annotated[AbhaNumber | None, discloses(Category.IDENTIFIER, "the patient's ABHA number")] = None
    abha_address: Annotated[AbhaAddress | None, discloses(Category.IDENTIFIER, "the patient's ABHA address")] = None
    record_number: Annotated[Identifier | None, discloses(Category.IDENTIFIER, "the clinic's own number")] = None
    phone: Annotated[Phone | None, discloses(Category.CONTACT, "reaching the patient")] = None
    address: Annotated[Text | None, discloses(Category.LOCATION, "where the patient lives")] = None

    @model_validator(mode="after")
    def _is_identified(self) -> Self:
        if not (self.abha_number or self.abha_address or self.record_number):
            raise Unfit("needs abha_number, abha_address or record_number")
        return self


class Doctor(Disclosed):
    """Who wrote the record, by a registration; the council's, the national register's, or both."""

    name: Annotated[Text, discloses(Category.STAFF, "who wrote the record")]
    registration: Annotated[Identifier | None, discloses(Category.STAFF, "the medical council's number")] = None
    hpr_id: Annotated[Identifier | None, discloses(Category.STAFF, "the id in the professionals' registry")] = None

    @model_validator(mode="after")
    def _is_registered(self) -> Self:
        if not (self.registration or self.hpr_id):
            raise Unfit("needs registration or hpr_id")
        return self


class Facility(Disclosed):
    """The clinic, as the network knows it."""

    name: Annotated[Text, discloses(Category.OPERATIONAL, "which clinic keeps the record")]
    hip_id: Annotated[Identifier, discloses(Category.OPERATIONAL, "the clinic's id in the network")]
    phone: Annotated[Phone | None, discloses(Category.OPERATIONAL, "reaching the clinic")] = None


class Visit(Disclosed):
    """The visit that the record comes from."""

    kind: Annotated[VisitKind, discloses(Category.APPOINTMENT, "what kind of visit it was")] = VisitKind.AMBULATORY
    started_at: Annotated[Moment, discloses(Category.APPOINTMENT, "when the visit began")]
    ended_at: Annotated[Moment | None, discloses(Category.APPOINTMENT, "when the visit ended")] = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.ended_at is not None and self.ended_at < self.started_at:
            raise Unfit("ended_at must not be before started_at")
        return self


class Attachment(Disclosed):
    """A file that belongs to the record: a scan, a PDF."""

    title: Annotated[Text, discloses(Category.CLINICAL, "what the file is")]
    media_type: Annotated[MediaType, discloses(Category.OPERATIONAL, "how to show the file")]
    data: Annotated[File, discloses(Category.CLINICAL, "the file, in base64")]
    created_at: Annotated[Moment | None, discloses(Category.CLINICAL, "when the file was made")] = None


class ClinicalConcept(Disclosed):
    """A condition, an allergy, a procedure: in words, with SNOMED CT's code where the clinic has one."""

    text: Annotated[Text, discloses(Category.CLINICAL, "what was found or done")]
    snomed: Annotated[Snomed | None, discloses(Category.CLINICAL, "the same as a code of SNOMED CT")] = None
    term: Annotated[Text | None, discloses(Category.CLINICAL, "SNOMED CT's own words for the code")] = None

    @model_validator(mode="after")
    def _code_and_term(self) -> Self:
        if (self.snomed is None) != (self.term is None):
            raise Unfit(_BOTH)
        return self


class MedicationConcept(Disclosed):
    """A medicine, a vaccine, a way of taking it: in words, with SNOMED CT's code where the clinic has one."""

    text: Annotated[Text, discloses(Category.MEDICATION, "which medicine, or how it is taken")]
    snomed: Annotated[Snomed | None, discloses(Category.MEDICATION, "the same as a code of SNOMED CT")] = None
    term: Annotated[Text | None, discloses(Category.MEDICATION, "SNOMED CT's own words for the code")] = None

    @model_validator(mode="after")
    def _code_and_term(self) -> Self:
        if (self.snomed is None) != (self.term is None):
            raise Unfit(_BOTH)
        return self


class ResultConcept(Disclosed):
    """What was measured, examined or taken: in words, with a code of LOINC or of SNOMED CT where the clinic has one."""

    text: Annotated[Text, discloses(Category.RESULT, "what was measured or examined")]
    loinc: Annotated[Loinc | None, discloses(Category.RESULT, "the same as a code of LOINC")] = None
    snomed: Annotated[Snomed | None, discloses(Category.RESULT, "the same as a code of SNOMED CT")] = None
    term: Annotated[Text | None, discloses(Category.RESULT, "the terminology's own words for the code")] = None

    @model_validator(mode="after")
    def _code_and_term(self) -> Self:
        if self.loinc is not None and self.snomed is not None:
            raise Unfit("takes one code: loinc or snomed")
        if (self.loinc is None and self.snomed is None) != (self.term is None):
            raise Unfit(_BOTH)
        return self


class ReportName(Disclosed):
    """Which report it is: in words, with LOINC's code where the clinic has one. A report takes no other terminology."""

    text: Annotated[Text, discloses(Category.RESULT, "which report it is")]
    loinc: Annotated[Loinc | None, discloses(Category.RESULT, "the same as a code of LOINC")] = None
    term: Annotated[Text | None, discloses(Category.RESULT, "LOINC's own words for the code")] = None

    @model_validator(mode="after")
    def _code_and_term(self) -> Self:
        if (self.loinc is None) != (self.term is None):
            raise Unfit(_BOTH)
        return self


Some = Field(max_length=100)
"""As many of one thing as one record holds at most."""
OneAtLeast = Field(min_length=1, max_length=100)
