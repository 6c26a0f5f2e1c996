"""Records of an invented clinic, one of each kind with everything that its model has, and the documents of them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from connectors.abdm.fhir import MODELS, Facility, Record, document
from connectors.told import RecordKind

NOW: Final = datetime(2026, 11, 17, 6, 30, tzinfo=UTC)
ID: Final = UUID("6f2d4c6b-9d1e-4a2f-8b8c-9d10e5b1c3a0")
FACILITY: Final = Facility(name="Lotus Clinic", hip_id="IN2710001234", phone="+91 22 5550 0100")
PDF: Final = "JVBERi0xLjQKJcTl8uXrCg=="
PATIENT: Final = {
    "name": "Asha Invented",
    "gender": "female",
    "birth_date": date(1984, 2, 29),
    "abha_number": "22722548295255",
    "abha_address": "asha.i@sbx",
    "record_number": "LC-2026-0117",
    "phone": "+91 98180 00000",
    "address": "12 Example Road, Pune",
}
DOCTOR: Final = {"name": "Dr Invented Rao", "registration": "MMC-2009-1234", "hpr_id": "71-1111-2222-3333"}
VISIT: Final = {"kind": "AMB", "started_at": NOW - timedelta(hours=2), "ended_at": NOW - timedelta(hours=1)}
FEVER: Final = {"text": "Fever", "snomed": "386661006", "term": "Fever"}
PLAIN: Final = {"text": "Burning on urination"}
DRUG: Final = {"text": "Paracetamol 500 mg", "snomed": "322236009", "term": "Paracetamol 500 mg oral tablet"}
FILE: Final = {"title": "Scan", "media_type": "application/pdf", "data": PDF, "created_at": NOW}
PULSE: Final = {
    "name": {"text": "Pulse", "loinc": "8867-4", "term": "Heart rate"},
    "number": "72",
    "unit": "/min",
    "low": "60",
    "high": "100.5",
    "measured_at": NOW,
}
WORDS: Final = {"name": {"text": "Throat"}, "text": "red, no coating"}
TABLET: Final = {
    "drug": DRUG,
    "dosage": "One tablet after food",
    "route": {"text": "by mouth", "snomed": "26643006", "term": "Oral route"},
    "times_a_day": 3,
    "days": 5,
    "reason": FEVER,
    "note": "Not more than four a day.",
}
SPECIMEN: Final = {
    "name": {"text": "Serum", "snomed": "119364003", "term": "Serum specimen"},
    "collected_at": NOW - timedelta(days=1),
    "received_at": NOW,
}
LAB: Final = {
    "kind": "lab",
    "name": {"text": "Lipid panel", "loinc": "24331-1", "term": "Lipid 1996 panel - Serum or Plasma"},
    "issued_at": NOW,
    "conclusion": "Within the usual range.",
    "results": (PULSE, WORDS),
    "specimen": SPECIMEN,
}
SCAN: Final = {
    "kind": "imaging",
    "name": {"text": "Chest X-ray"},
    "issued_at": NOW,
    "conclusion": "No finding.",
    "pictures": ({"title": "Chest", "media_type": "image/png", "data": PDF, "taken_at": NOW},),
}
_STAY: Final[dict[str, Any]] = {
    "complaints": (FEVER, PLAIN),
    "examination": (PULSE, WORDS),
    "allergies": (PLAIN,),
    "history": (FEVER,),
    "family_history": ({"relation": "mother", "conditions": (FEVER,)},),
    "medicines": (TABLET,),
    "procedures": ({"name": PLAIN, "done_on": date(2026, 11, 16)},),
    "files": (FILE,),
}
PARTS: Final[dict[RecordKind, dict[str, Any]]] = {
    RecordKind.PRESCRIPTION: {"medicines": (TABLET, {"drug": PLAIN, "dosage": "as before"}), "scan": FILE},
    RecordKind.DIAGNOSTIC_REPORT: {"report": LAB, "file": FILE},
    RecordKind.OP_CONSULTATION: {
        **_STAY,
        "advised": (PLAIN,),
        "follow_up": {"starts_at": NOW + timedelta(days=7), "ends_at": NOW + timedelta(days=7, hours=1), "reason": "again"},
    },
    RecordKind.DISCHARGE_SUMMARY: {**_STAY, "investigations": (LAB, SCAN), "care_plan": "Rest."},
    RecordKind.IMMUNIZATION_RECORD: {
        "vaccines": ({"vaccine": DRUG, "given_on": date(2026, 1, 2), "lot": "B12", "expires_on": date(2027, 1, 1), "dose": 1},),
        "due": ({"vaccine": {"text": "Tetanus"}, "due_on": date(2026, 12, 1)},),
        "files": (FILE,),
    },
    RecordKind.HEALTH_DOCUMENT_RECORD: {"files": (FILE, FILE)},
    RecordKind.WELLNESS_RECORD: {
        **dict.fromkeys(("vital_signs", "body", "activity", "assessment", "women_health", "others"), (PULSE, WORDS)),
        "lifestyle": ({"name": {"text": "Smoking"}, "answer": {"text": "never"}, "measured_at": NOW},),
        "files": (FILE,),
    },
    RecordKind.INVOICE: {
        "number": "INV/2026/17",
        "status": "issued",
        "currency": "INR",
        "lines": ({"text": "Consultation", "amount_minor": 60050, "tax_minor": 1801}, {"text": "Dressing", "amount_minor": 0}),
        "file": FILE,
    },
}  # fmt: skip


def record(kind: RecordKind, **changes: Any) -> Record:
    """A record with everything, or with some of it changed."""
    common = {"patient": PATIENT, "author": DOCTOR, "written_at": NOW - timedelta(minutes=5), "visit": VISIT}
    return MODELS[kind].model_validate({**common, **PARTS[kind], **changes})


def bundle(kind: RecordKind, **changes: Any) -> dict[str, Any]:
    """The document of such a record."""
    return document(kind, record(kind, **changes), id=ID, now=NOW, facility=FACILITY)
