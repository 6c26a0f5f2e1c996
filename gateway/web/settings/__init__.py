"""Pages: what is connected, what leaves, to whom."""

from gateway.web.page import Tab
from gateway.web.settings import landing

PAGES = (*landing.PAGES,)
TABS = (Tab("Settings", "/settings", "plug", landing.READ),)
