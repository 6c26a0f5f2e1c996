"""FHIR R4 documents as NRCeS' guide for ABDM wants them."""
