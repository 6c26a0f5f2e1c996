"""Pages: what is connected, what leaves, to whom."""

from gateway.web.page import Tab
from gateway.web.settings import (
    integration,
    integration_callback,
    integration_grant,
    integrations,
    map_page,
    subprocessors,
)

PAGES = (
    *integrations.PAGES,
    *map_page.PAGES,
    *subprocessors.PAGES,
    # A connector's path may hold slashes, so what stands after it is looked for first.
    *integration_grant.PAGES,
    *integration_callback.PAGES,
    *integration.PAGES,
)
TABS = (
    Tab("Integrations", "/settings", "plug", integrations.READ),
    Tab("Data map", "/settings/map", "map", map_page.READ),
    Tab("Subprocessors", "/settings/subprocessors", "list", subprocessors.READ),
)
