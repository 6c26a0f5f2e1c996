"""The eight records of a clinic, one for each health-information type of ABDM. document.py makes FHIR of them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Self

from pydantic import model_validator

from connectors.abdm.fhir.fields import Identifier, LongText, Moment
from connectors.abdm.fhir.parts import (
    FollowUp,
    Habit,
    InvoiceLine,
    InvoiceStatus,
    Medicine,
    Procedure,
    Relative,
    Report,
    Result,
    Vaccine,
    VaccineDue,
)
from connectors.abdm.fhir.people import Attachment, ClinicalConcept, Doctor, OneAtLeast, Patient, Some, Visit
from connectors.told import RecordKind
from scopes.field import Disclosed, Unfit, discloses
from scopes.money import Currency
from scopes.vocabulary import Category

Concepts = tuple[ClinicalConcept, ...]
Files = Annotated[tuple[Attachment, ...], Some, discloses(Category.CLINICAL, "files that belong to the record")]


class Record(Disclosed):
    """What every record has."""

    patient: Annotated[Patient, discloses(Category.IDENTITY, "whose record it is")]
    author: Annotated[Doctor, discloses(Category.STAFF, "who wrote it")]
    written_at: Annotated[Moment, discloses(Category.CLINICAL, "when it was written; consents are narrowed by it")]
    visit: Annotated[Visit | None, discloses(Category.APPOINTMENT, "the visit that it comes from")] = None


class PrescriptionRecord(Record):
    """The medicines that were prescribed, with a scan of the signed sheet where there is one."""

    medicines: Annotated[tuple[Medicine, ...], OneAtLeast, discloses(Category.MEDICATION, "what was prescribed")]
    scan: Annotated[Attachment | None, discloses(Category.CLINICAL, "the signed sheet")] = None


class DiagnosticReportRecord(Record):
    """One report of a laboratory or an imaging service, with its file where there is one."""

    report: Annotated[Report, discloses(Category.RESULT, "the report")]
    file: Annotated[Attachment | None, discloses(Category.CLINICAL, "the report as a file")] = None


class _Stay(Record):
    """What a consultation and a stay have in common."""

    visit: Annotated[Visit, discloses(Category.APPOINTMENT, "the visit that it comes from")]
    complaints: Annotated[Concepts, Some, discloses(Category.CLINICAL, "what the patient came with")] = ()
    examination: Annotated[tuple[Result, ...], Some, discloses(Category.RESULT, "what the examination showed")] = ()
    allergies: Annotated[Concepts, Some, discloses(Category.CLINICAL, "what the patient does not bear")] = ()
    history: Annotated[Concepts, Some, discloses(Category.CLINICAL, "earlier illnesses")] = ()
    family_history: Annotated[tuple[Relative, ...], Some, discloses(Category.CLINICAL, "relatives' illnesses")] = ()
    medicines: Annotated[tuple[Medicine, ...], Some, discloses(Category.MEDICATION, "what was prescribed")] = ()
    procedures: Annotated[tuple[Procedure, ...], Some, discloses(Category.CLINICAL, "what was done")] = ()
    files: Files = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(isinstance(value, tuple) and value for _, value in self) and not self._more():
            raise Unfit("needs at least one part, such as complaints or medicines")
        return self

    def _more(self) -> bool:
        return False


class ConsultationRecord(_Stay):
    """A consultation of an outpatient."""

    advised: Annotated[Concepts, Some, discloses(Category.CLINICAL, "examinations that were asked for")] = ()
    follow_up: Annotated[FollowUp | None, discloses(Category.APPOINTMENT, "the next appointment")] = None

    def _more(self) -> bool:
        return self.follow_up is not None


class DischargeRecord(_Stay):
    """The summary of a stay."""

    investigations: Annotated[tuple[Report, ...], Some, discloses(Category.RESULT, "reports of the stay")] = ()
    care_plan: Annotated[LongText | None, discloses(Category.FREE_TEXT, "what is to be done at home")] = None

    def _more(self) -> bool:
        return self.care_plan is not None


class VaccinationRecord(Record):
    """Vaccines that were given and that are due."""

    vaccines: Annotated[tuple[Vaccine, ...], Some, discloses(Category.MEDICATION, "what was given")] = ()
    due: Annotated[tuple[VaccineDue, ...], Some, discloses(Category.MEDICATION, "what is due")] = ()
    files: Files = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.vaccines or self.due or self.files):
            raise Unfit("needs vaccines, due or files")
        return self


class DocumentRecord(Record):
    """Files of any kind that belong to the patient's history."""

    files: Annotated[tuple[Attachment, ...], OneAtLeast, discloses(Category.CLINICAL, "the files")]


class WellnessRecord(Record):
    """What was measured between illnesses."""

    vital_signs: Annotated[tuple[Result, ...], Some, discloses(Category.RESULT, "pulse, temperature, pressure")] = ()
    body: Annotated[tuple[Result, ...], Some, discloses(Category.RESULT, "height, weight and the like")] = ()
    activity: Annotated[tuple[Result, ...], Some, discloses(Category.RESULT, "steps, sleep and the like")] = ()
    assessment: Annotated[tuple[Result, ...], Some, discloses(Category.RESULT, "how the person is altogether")] = ()
    women_health: Annotated[tuple[Result, ...], Some, discloses(Category.RESULT, "what concerns women only")] = ()
    lifestyle: Annotated[tuple[Habit, ...], Some, discloses(Category.CLINICAL, "how the person lives")] = ()
    others: Annotated[tuple[Result, ...], Some, discloses(Category.RESULT, "what fits nowhere else")] = ()
    files: Files = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(isinstance(value, tuple) and value for _, value in self):
            raise Unfit("needs at least one part, such as vital_signs")
        return self


class BillRecord(Record):
    """A bill."""

    number: Annotated[Identifier, discloses(Category.BILLING, "the bill's number")]
    status: Annotated[InvoiceStatus, discloses(Category.BILLING, "whether it was paid")] = InvoiceStatus.ISSUED
    currency: Annotated[Currency, discloses(Category.BILLING, "the currency of the amounts")] = "INR"
    lines: Annotated[tuple[InvoiceLine, ...], OneAtLeast, discloses(Category.BILLING, "what is charged")]
    file: Annotated[Attachment | None, discloses(Category.BILLING, "the bill as a file")] = None


MODELS: Final[Mapping[RecordKind, type[Record]]] = MappingProxyType(
    {
        RecordKind.PRESCRIPTION: PrescriptionRecord,
        RecordKind.DIAGNOSTIC_REPORT: DiagnosticReportRecord,
        RecordKind.OP_CONSULTATION: ConsultationRecord,
        RecordKind.DISCHARGE_SUMMARY: DischargeRecord,
        RecordKind.IMMUNIZATION_RECORD: VaccinationRecord,
        RecordKind.HEALTH_DOCUMENT_RECORD: DocumentRecord,
        RecordKind.WELLNESS_RECORD: WellnessRecord,
        RecordKind.INVOICE: BillRecord,
    }
)
"""The model of each type."""
