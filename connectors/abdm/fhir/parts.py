"""What a visit brings about: medicines, results, reports, procedures, vaccines. Each becomes a resource or two."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from connectors.abdm.fhir.fields import Day, File, Identifier, LongText, MediaType, Minor, Moment, Number, Text
from connectors.abdm.fhir.people import (
    ClinicalConcept,
    MedicationConcept,
    OneAtLeast,
    ReportName,
    ResultConcept,
    Some,
)
from scopes.field import Disclosed, Unfit, discloses
from scopes.vocabulary import Category


class Medicine(Disclosed):
    """One medicine that was prescribed."""

    drug: Annotated[MedicationConcept, discloses(Category.MEDICATION, "which medicine")]
    dosage: Annotated[Text, discloses(Category.MEDICATION, "how to take it, as the patient reads it")]
    route: Annotated[MedicationConcept | None, discloses(Category.MEDICATION, "which way it is taken")] = None
    times_a_day: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=24)] | None, discloses(Category.MEDICATION, "how often a day")
    ] = None
    days: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=3650)] | None, discloses(Category.MEDICATION, "for how many days")
    ] = None
    reason: Annotated[ClinicalConcept | None, discloses(Category.CLINICAL, "what it is for")] = None
    note: Annotated[LongText | None, discloses(Category.FREE_TEXT, "what else the patient should know")] = None

    @model_validator(mode="after")
    def _days_of_a_rhythm(self) -> Self:
        if self.days is not None and self.times_a_day is None:
            raise Unfit("days needs times_a_day")
        return self


class Result(Disclosed):
    """One thing that was measured, as a number with its unit, or described in words."""

    name: Annotated[ResultConcept, discloses(Category.RESULT, "what was measured")]
    number: Annotated[Number | None, discloses(Category.RESULT, "the value")] = None
    unit: Annotated[Text | None, discloses(Category.RESULT, "the value's unit")] = None
    text: Annotated[Text | None, discloses(Category.RESULT, "the finding in words")] = None
    low: Annotated[Number | None, discloses(Category.RESULT, "the least that is usual")] = None
    high: Annotated[Number | None, discloses(Category.RESULT, "the most that is usual")] = None
    measured_at: Annotated[Moment | None, discloses(Category.RESULT, "when it was measured")] = None

    @model_validator(mode="after")
    def _number_or_text(self) -> Self:
        if (self.number is None) == (self.text is None):
            raise Unfit("needs number or text, one of them")
        if self.number is None and (self.unit or self.low or self.high):
            raise Unfit("unit, low and high need a number")
        return self


class Habit(Disclosed):
    """One answer about how somebody lives, in words."""

    name: Annotated[ResultConcept, discloses(Category.RESULT, "what was asked")]
    answer: Annotated[ClinicalConcept, discloses(Category.CLINICAL, "what was answered")]
    measured_at: Annotated[Moment | None, discloses(Category.RESULT, "when it was asked")] = None


class Picture(Disclosed):
    """One image of an examination."""

    title: Annotated[Text, discloses(Category.IMAGING, "what the image shows")]
    media_type: Annotated[MediaType, discloses(Category.OPERATIONAL, "how to show the image")]
    data: Annotated[File, discloses(Category.IMAGING, "the image, in base64")]
    taken_at: Annotated[Moment | None, discloses(Category.IMAGING, "when it was taken")] = None


class Specimen(Disclosed):
    """What was taken for a laboratory."""

    name: Annotated[ResultConcept, discloses(Category.RESULT, "what was taken")]
    collected_at: Annotated[Moment, discloses(Category.RESULT, "when it was taken")]
    received_at: Annotated[Moment, discloses(Category.RESULT, "when the laboratory had it")]

    @model_validator(mode="after")
    def _snomed_only(self) -> Self:
        if self.name.loinc is not None:
            raise Unfit("a specimen takes a code of SNOMED CT, not of LOINC")
        return self


class ReportKind(StrEnum):
    """Which of the two kinds of report."""

    LAB = "lab"
    IMAGING = "imaging"


class Report(Disclosed):
    """What a laboratory or an imaging service found."""

    kind: Annotated[ReportKind, discloses(Category.RESULT, "a laboratory's or an imaging report")]
    name: Annotated[ReportName, discloses(Category.RESULT, "which report it is")]
    issued_at: Annotated[Moment, discloses(Category.RESULT, "when it was issued")]
    conclusion: Annotated[LongText, discloses(Category.RESULT, "what follows from it")]
    results: Annotated[tuple[Result, ...], Some, discloses(Category.RESULT, "the values")] = ()
    pictures: Annotated[tuple[Picture, ...], Some, discloses(Category.IMAGING, "the images")] = ()
    specimen: Annotated[Specimen | None, discloses(Category.RESULT, "what was taken")] = None

    @model_validator(mode="after")
    def _holds_what_its_kind_does(self) -> Self:
        if self.kind is ReportKind.LAB and not self.results:
            raise Unfit("a lab report needs results")
        if self.kind is ReportKind.IMAGING and not self.pictures:
            raise Unfit("an imaging report needs pictures")
        return self


class Procedure(Disclosed):
    """What was done."""

    name: Annotated[ClinicalConcept, discloses(Category.CLINICAL, "what was done")]
    done_on: Annotated[Day | None, discloses(Category.CLINICAL, "when it was done")] = None


class Relative(Disclosed):
    """A relative's conditions, without the relative's name."""

    relation: Annotated[Text, discloses(Category.CLINICAL, "mother, brother, in words")]
    conditions: Annotated[tuple[ClinicalConcept, ...], OneAtLeast, discloses(Category.CLINICAL, "what they had")]


class FollowUp(Disclosed):
    """The next appointment."""

    starts_at: Annotated[Moment, discloses(Category.APPOINTMENT, "when it begins")]
    ends_at: Annotated[Moment, discloses(Category.APPOINTMENT, "when it ends")]
    reason: Annotated[Text | None, discloses(Category.CLINICAL, "what it is for")] = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise Unfit("ends_at must be after starts_at")
        return self


class Vaccine(Disclosed):
    """One vaccine that was given."""

    vaccine: Annotated[MedicationConcept, discloses(Category.MEDICATION, "which vaccine")]
    given_on: Annotated[Day, discloses(Category.CLINICAL, "when it was given")]
    lot: Annotated[Identifier | None, discloses(Category.MEDICATION, "the lot, for recalls")] = None
    expires_on: Annotated[Day | None, discloses(Category.MEDICATION, "until when the lot may be used")] = None
    dose: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=20)] | None,
        discloses(Category.CLINICAL, "which dose of the series it was"),
    ] = None


class VaccineDue(Disclosed):
    """One vaccine that is due."""

    vaccine: Annotated[MedicationConcept, discloses(Category.MEDICATION, "which vaccine")]
    due_on: Annotated[Day, discloses(Category.CLINICAL, "when it is due")]


class InvoiceLine(Disclosed):
    """One line of a bill."""

    text: Annotated[Text, discloses(Category.BILLING, "what is charged")]
    amount_minor: Annotated[Minor, discloses(Category.BILLING, "its price without tax, in the currency's minor unit")]
    tax_minor: Annotated[Minor | None, discloses(Category.BILLING, "the tax on it, in the same unit")] = None


class InvoiceStatus(StrEnum):
    """Whether a bill was paid."""

    ISSUED = "issued"
    BALANCED = "balanced"
    CANCELLED = "cancelled"
