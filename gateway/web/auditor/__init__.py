"""Pages: what was disclosed, searched, charted, exported and verified. Nothing here can send or change anything."""

from gateway.web.auditor import account, charted, export, log, odd, one, refused
from gateway.web.page import Tab

PAGES = (
    *log.PAGES,
    *charted.PAGES,
    *account.PAGES,
    *refused.PAGES,
    *odd.PAGES,
    *export.PAGES,
    *one.PAGES,
)
TABS = (Tab("Disclosure log", "/auditor", "log", log.READ),)
