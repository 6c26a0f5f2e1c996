"""Pages: what was disclosed, searched, charted and verified."""

from gateway.web.auditor import landing
from gateway.web.page import Tab

PAGES = (*landing.PAGES,)
TABS = (Tab("Disclosure log", "/auditor", "log", landing.READ),)
