"""Pages: endpoints, the events that they may hear, and their deliveries."""

from gateway.web.page import Tab
from gateway.web.vendors import deliveries, endpoints, events

PAGES = (*endpoints.PAGES, *deliveries.PAGES, *events.PAGES)
TABS = (
    Tab("Webhook endpoints", "/vendor", "hook", endpoints.READ),
    Tab("Deliveries", "/vendor/deliveries", "truck", deliveries.READ),
    Tab("Events", "/vendor/events", "list", events.READ),
)
