"""FHIR R4 documents as NRCeS' guide for ABDM wants them: made from a clinic's record or of ready resources, and checked.

document   a record made a document bundle       check           what keeps a bundle from conforming
compose    resources made a document bundle
hi_type    which of the eight types it is        categories      the kinds of data that it holds
records    the models, one for each type         clinical_dates  from when to when it is
"""

from connectors.abdm.fhir.composed import compose
from connectors.abdm.fhir.conformance import check
from connectors.abdm.fhir.contents import categories, clinical_dates, contents
from connectors.abdm.fhir.document import document
from connectors.abdm.fhir.kinds import hi_type
from connectors.abdm.fhir.people import Facility
from connectors.abdm.fhir.records import MODELS, Record
from scopes.fault import Fault

__all__ = [
    "MODELS",
    "Facility",
    "Fault",
    "Record",
    "categories",
    "check",
    "clinical_dates",
    "compose",
    "contents",
    "document",
    "hi_type",
]
