"""What a clinic lets a network of health records find: patients, their visits, and documents as they were handed over."""

from gateway.records.documents import Document, Frozen
from gateway.records.patients import NewPatient, Patient
from gateway.records.room import Context, NewContext, Records

__all__ = ["Context", "Document", "Frozen", "NewContext", "NewPatient", "Patient", "Records"]
