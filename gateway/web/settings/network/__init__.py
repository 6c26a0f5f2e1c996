"""Pages of a network of health records: how the clinic stands there, its desk, its visits, and what was sent to whom."""

from gateway.web.settings.network import desk, patient, standing, transfers, visits

PAGES = (*desk.PAGES, *visits.PAGES, *patient.PAGES, *transfers.PAGES, *standing.PAGES)
