"""Pages: what is connected, what leaves, to whom; what people and recipients agreed to, and the clinic's own rules and texts."""

from gateway.web.page import Tab
from gateway.web.settings import (
    agreements,
    consents,
    integration,
    integration_callback,
    integration_connect,
    integration_deeds,
    integration_grant,
    integration_settings,
    integration_watching,
    integrations,
    map_page,
    network,
    policy,
    subprocessors,
    templates,
)

PAGES = (
    *integrations.PAGES,
    *map_page.PAGES,
    *subprocessors.PAGES,
    *consents.PAGES,
    *agreements.PAGES,
    *policy.PAGES,
    *templates.PAGES,
    # A connector's path may hold slashes, so what stands after it is looked for first.
    *integration_grant.PAGES,
    *integration_callback.PAGES,
    *integration_connect.PAGES,
    *integration_deeds.PAGES,
    *integration_settings.PAGES,
    *integration_watching.PAGES,
    *network.PAGES,
    *integration.PAGES,
)
TABS = (
    Tab("Integrations", "/settings", "plug", integrations.READ),
    Tab("Data map", "/settings/map", "map", map_page.READ),
    Tab("Consents", "/settings/consents", "consent", consents.READ),
    Tab("Agreements", "/settings/agreements", "paper", agreements.READ),
    Tab("Rules", "/settings/policy", "globe", policy.READ),
    Tab("Templates", "/settings/templates", "message", templates.READ),
    Tab("Subprocessors", "/settings/subprocessors", "list", subprocessors.READ),
)
