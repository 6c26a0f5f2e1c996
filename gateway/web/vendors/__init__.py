"""Pages: endpoints and their deliveries."""

from gateway.web.page import Tab
from gateway.web.vendors import landing

PAGES = (*landing.PAGES,)
TABS = (Tab("Webhooks", "/vendor", "hook", landing.READ),)
