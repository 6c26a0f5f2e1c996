"""A clinic's parts as FHIR resources, each as NRCeS' profile of it wants. Which record holds which is document.py's."""

from typing import Any, Final

from connectors.abdm.fhir.draft import LOINC, UCUM, V2_0203, Body, Draft, coded, coding, concept, instant, there
from connectors.abdm.fhir.fields import MediaType
from connectors.abdm.fhir.parts import (
    FollowUp,
    Habit,
    Medicine,
    Picture,
    Procedure,
    Relative,
    Report,
    ReportKind,
    Result,
    Specimen,
    Vaccine,
    VaccineDue,
)
from connectors.abdm.fhir.people import (
    Attachment,
    ClinicalConcept,
    Doctor,
    Facility,
    MedicationConcept,
    Patient,
    ReportName,
    ResultConcept,
    Visit,
    VisitKind,
)
from connectors.abdm.fhir.records import Record

_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"
_CLASSES: Final = {
    VisitKind.AMBULATORY: "ambulatory",
    VisitKind.INPATIENT: "inpatient encounter",
    VisitKind.EMERGENCY: "emergency",
    VisitKind.HOME: "home health",
    VisitKind.VIRTUAL: "virtual",
}
_PROFESSIONALS: Final = "https://doctor.ndhm.gov.in"
_FACILITIES: Final = "https://facility.ndhm.gov.in"


class Resources:
    """Makes the resources of one document; all are about its patient and by its doctor."""

    def __init__(self, draft: Draft, record: Record, facility: Facility) -> None:
        """Put in the three that every document has."""
        self.draft = draft
        self._written_at = record.written_at
        self._patient = draft.add("Patient", _patient(record.patient))
        self._doctor = draft.add("Practitioner", _doctor(record.author))
        self._facility = draft.add("Organization", organization(facility))

    @property
    def patient(self) -> Body:
        """A reference to the patient, each time one of its own."""
        return dict(self._patient)

    @property
    def doctor(self) -> Body:
        """A reference to the doctor."""
        return dict(self._doctor)

    @property
    def facility(self) -> Body:
        """A reference to the clinic."""
        return dict(self._facility)

    def visit(self, visit: Visit) -> Body:
        """The visit that the document comes from."""
        period = {"start": instant(visit.started_at), "end": instant(visit.ended_at) if visit.ended_at else None}
        body = {
            "status": "finished" if visit.ended_at else "in-progress",
            "class": coding(f"{_TERMINOLOGY}/v3-ActCode", visit.kind.value, _CLASSES[visit.kind]),
            "subject": self.patient,
            "period": there(period),
            "serviceProvider": self.facility,
        }
        return self.draft.add("Encounter", body)

    def medicine(self, medicine: Medicine) -> Body:
        """One medicine that was prescribed."""
        repeat: Body = {}
        if medicine.times_a_day is not None:
            repeat = {"frequency": medicine.times_a_day, "period": 1, "periodUnit": "d"}
        if medicine.days is not None:
            repeat["boundsDuration"] = {"value": medicine.days, "unit": "day", "system": UCUM, "code": "d"}
        dosage = {
            "text": medicine.dosage,
            "timing": {"repeat": repeat} if repeat else None,
            "route": _concept(medicine.route) if medicine.route else None,
        }
        body = {
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": _concept(medicine.drug),
            "subject": self.patient,
            "authoredOn": instant(self._written_at),
            "requester": self.doctor,
            "reasonCode": [_concept(medicine.reason)] if medicine.reason else None,
            "note": [{"text": medicine.note}] if medicine.note else None,
            "dosageInstruction": [there(dosage)],
        }
        return self.draft.add("MedicationRequest", body)

    def result(self, result: Result, *, profile: str = "Observation", words: str = "valueString") -> Body:
        """One value; `words` is the element that takes a finding without a number, which differs by profile."""
        range_ = {"low": _quantity(result.low, result.unit), "high": _quantity(result.high, result.unit)}
        body: dict[str, Any] = {
            "status": "final",
            "code": _concept(result.name),
            "subject": self.patient,
            "effectiveDateTime": instant(result.measured_at) if result.measured_at else None,
            "performer": [self.doctor],
            "valueQuantity": _quantity(result.number, result.unit),
            "referenceRange": [there(range_)] if result.low or result.high else None,
        }
        if result.text is not None:
            body[words] = {"text": result.text} if words == "valueCodeableConcept" else result.text
        return self.draft.add("Observation", body, profile=profile)

    def habit(self, habit: Habit) -> Body:
        """One answer about how somebody lives."""
        body = {
            "status": "final",
            "code": _concept(habit.name),
            "subject": self.patient,
            "effectiveDateTime": instant(habit.measured_at) if habit.measured_at else None,
            "performer": [self.doctor],
            "valueCodeableConcept": _concept(habit.answer),
        }
        return self.draft.add("Observation", body, profile="ObservationLifestyle")

    def condition(self, condition: ClinicalConcept) -> Body:
        """A complaint or an illness."""
        return self.draft.add("Condition", {"code": _concept(condition), "subject": self.patient})

    def allergy(self, allergy: ClinicalConcept) -> Body:
        """What the patient does not bear."""
        system = f"{_TERMINOLOGY}/allergyintolerance-clinical"
        body = {
            "clinicalStatus": coded(system, "active", "Active"),
            "code": _concept(allergy),
            "patient": self.patient,
            "recorder": self.doctor,
        }
        return self.draft.add("AllergyIntolerance", body)

    def relative(self, relative: Relative) -> Body:
        """A relative's illnesses."""
        body = {
            "status": "completed",
            "patient": self.patient,
            "relationship": {"text": relative.relation},
            "condition": [{"code": _concept(each)} for each in relative.conditions],
        }
        return self.draft.add("FamilyMemberHistory", body)

    def advised(self, examination: ClinicalConcept) -> Body:
        """An examination that was asked for."""
        body = {
            "status": "active",
            "intent": "order",
            "code": _concept(examination),
            "subject": self.patient,
            "authoredOn": instant(self._written_at),
            "requester": self.doctor,
        }
        return self.draft.add("ServiceRequest", body)

    def procedure(self, procedure: Procedure) -> Body:
        """What was done."""
        body = {
            "status": "completed",
            "code": _concept(procedure.name),
            "subject": self.patient,
            "performedDateTime": procedure.done_on.isoformat() if procedure.done_on else None,
        }
        return self.draft.add("Procedure", body)

    def follow_up(self, appointment: FollowUp) -> Body:
        """The next appointment."""
        body = {
            "status": "booked",
            "description": appointment.reason,
            "start": instant(appointment.starts_at),
            "end": instant(appointment.ends_at),
            "participant": [
                {"actor": self.patient, "status": "accepted"},
                {"actor": self.doctor, "status": "accepted"},
            ],
        }
        return self.draft.add("Appointment", body)

    def care_plan(self, text: str) -> Body:
        """What is to be done at home."""
        body = {"status": "active", "intent": "plan", "subject": self.patient, "description": text}
        return self.draft.add("CarePlan", body)

    def report(self, report: Report) -> Body:
        """A report with its values, its images and what was taken for it."""
        name = "DiagnosticReportLab" if report.kind is ReportKind.LAB else "DiagnosticReportImaging"
        body = {
            "status": "final",
            "code": _concept(report.name),
            "subject": self.patient,
            "issued": instant(report.issued_at),
            "performer": [self.facility],
            "resultsInterpreter": [self.doctor],
            "specimen": [self.specimen(report.specimen)] if report.specimen else None,
            "result": [self.result(each) for each in report.results],
            "media": [{"link": self.picture(each)} for each in report.pictures],
            "conclusion": report.conclusion,
        }
        return self.draft.add("DiagnosticReport", body, profile=name)

    def specimen(self, specimen: Specimen) -> Body:
        """What was taken for a laboratory."""
        body = {
            "type": _concept(specimen.name),
            "subject": self.patient,
            "receivedTime": instant(specimen.received_at),
            "collection": {"collectedDateTime": instant(specimen.collected_at)},
        }
        return self.draft.add("Specimen", body)

    def picture(self, picture: Picture) -> Body:
        """One image."""
        content = _file(picture.media_type, picture.data, picture.title)
        taken = instant(picture.taken_at) if picture.taken_at else None
        body = {"status": "completed", "subject": self.patient, "createdDateTime": taken, "content": content}
        return self.draft.add("Media", body)

    def vaccine(self, vaccine: Vaccine) -> Body:
        """One vaccine that was given."""
        body = {
            "status": "completed",
            "vaccineCode": _concept(vaccine.vaccine),
            "patient": self.patient,
            "occurrenceDateTime": vaccine.given_on.isoformat(),
            "primarySource": True,
            "lotNumber": vaccine.lot,
            "expirationDate": vaccine.expires_on.isoformat() if vaccine.expires_on else None,
            "protocolApplied": [{"doseNumberPositiveInt": vaccine.dose}] if vaccine.dose else None,
        }
        return self.draft.add("Immunization", body)

    def due(self, vaccines: tuple[VaccineDue, ...]) -> Body:
        """The vaccines that are due; a record holds one recommendation at most, so they are one."""
        recommended = [
            {
                "vaccineCode": [_concept(each.vaccine)],
                "forecastStatus": coded(f"{_TERMINOLOGY}/immunization-recommendation-status", "due", "Due"),
                "dateCriterion": [
                    {"code": coded(LOINC, "30980-7", "Date vaccine due"), "value": each.due_on.isoformat()}
                ],
            }
            for each in vaccines
        ]
        body = {"patient": self.patient, "date": instant(self._written_at), "authority": self.facility}
        return self.draft.add("ImmunizationRecommendation", {**body, "recommendation": recommended})

    def file(self, file: Attachment) -> Body:
        """A file that belongs to the record."""
        attachment = _file(file.media_type, file.data, file.title)
        if file.created_at:
            attachment["creation"] = instant(file.created_at)
        body = {
            "status": "current",
            "docStatus": "final",
            "type": {"text": file.title},
            "subject": self.patient,
            "content": [{"attachment": attachment}],
        }
        return self.draft.add("DocumentReference", body)

    def binary(self, file: Attachment) -> Body:
        """A file as nothing but itself."""
        return self.draft.add("Binary", {"contentType": file.media_type.value, "data": file.data})


def _concept(it: ClinicalConcept | MedicationConcept | ResultConcept | ReportName) -> Body:
    snomed, loinc = getattr(it, "snomed", None), getattr(it, "loinc", None)
    return concept(it.text, snomed=snomed, loinc=loinc, term=it.term)


def _patient(patient: Patient) -> Body:
    identifiers = [
        # The terminology of these two has changed with the guide's versions, so the code stands alone; readers look for it.
        patient.abha_number and _identifier({"code": "HIN", "display": "ABHA number"}, patient.abha_number),
        patient.abha_address and _identifier({"code": "ABHA", "display": "ABHA address"}, patient.abha_address),
        patient.record_number and _identifier(coding(V2_0203, "MR", "Medical record number"), patient.record_number),
    ]
    return {
        "identifier": [each for each in identifiers if each],
        "name": [{"text": patient.name}],
        "telecom": [{"system": "phone", "value": patient.phone}] if patient.phone else None,
        "gender": patient.gender.value,
        "birthDate": patient.birth_date.isoformat() if patient.birth_date else None,
        "address": [{"text": patient.address}] if patient.address else None,
    }


def _doctor(doctor: Doctor) -> Body:
    identifiers = [
        doctor.registration and _licence(doctor.registration),
        doctor.hpr_id and {**_licence(doctor.hpr_id), "system": _PROFESSIONALS},
    ]
    return {"identifier": [each for each in identifiers if each], "name": [{"text": doctor.name}]}


def _licence(number: str) -> Body:
    return _identifier(coding(V2_0203, "MD", "Medical License number"), number)


def organization(facility: Facility) -> Body:
    """The clinic, by its id in the network."""
    identifier = {**_identifier(coding(V2_0203, "PRN", "Provider number"), facility.hip_id), "system": _FACILITIES}
    phone = [{"system": "phone", "value": facility.phone}] if facility.phone else None
    return {"identifier": [identifier], "name": facility.name, "telecom": phone}


def _identifier(kind: Body, value: str) -> Body:
    return {"type": {"coding": [kind]}, "value": value}


def _quantity(number: str | None, unit: str | None) -> Body | None:
    if number is None:
        return None
    # At most fifteen digits, which a double keeps as they are written.
    return there({"value": float(number) if "." in number else int(number), "unit": unit})


def _file(media_type: MediaType, data: str, title: str) -> Body:
    return {"contentType": media_type.value, "data": data, "title": title}
