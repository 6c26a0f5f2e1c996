"""Where these pages begin."""

from __future__ import annotations

from typing import Final

from gateway.web.page import Page, View, Visit
from scopes.scope import Area, Scope, Verb

READ: Final = Scope(Area.CONNECTIONS, Verb.READ)


async def landing(visit: Visit) -> View:
    """The first page."""
    return View()


PAGES = (Page(path="/settings", act=landing, needs=READ, title="Settings", template="settings/landing.html"),)
