"""What each role may do, in our scopes. A page asks for a scope and never for a role."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from scopes.scope import Area, Scope, Verb


class Role(StrEnum):
    """What somebody is to a clinic. Append-only: the names stand in the ledger."""

    OWNER = "owner"
    INTEGRATIONS = "integrations"
    VENDOR = "vendor"
    AUDITOR = "auditor"
    SUPPORT = "support"


TITLES: Final[Mapping[Role, str]] = MappingProxyType(
    {
        Role.OWNER: "Owner",
        Role.INTEGRATIONS: "Integrations",
        Role.VENDOR: "Vendor",
        Role.AUDITOR: "Auditor",
        Role.SUPPORT: "Support",
    }
)
MEANS: Final[Mapping[Role, str]] = MappingProxyType(
    {
        Role.OWNER: "Everything, the team and the keys included",
        Role.INTEGRATIONS: "Connects vendors, decides what may leave, keeps consents and agreements, sees to visits at a network",
        Role.VENDOR: "Webhook endpoints and their deliveries",
        Role.AUDITOR: "Reads, exports and verifies the disclosure log; changes nothing",
        Role.SUPPORT: "Sees whether integrations work; nothing about any patient",
    }
)
_EVERYTHING: Final = frozenset(Scope(area, verb) for area in Area for verb in Verb)


def _scopes(text: str) -> frozenset[Scope]:
    return frozenset(map(Scope.parse, text.split()))


_MAY: Final[Mapping[Role, frozenset[Scope]]] = MappingProxyType(
    {
        Role.OWNER: _EVERYTHING,
        Role.INTEGRATIONS: _scopes(
            "catalog:read calls:read connections:read connections:write consents:read consents:write "
            "agreements:read agreements:write templates:read templates:write records:read records:write"
        ),
        Role.VENDOR: _scopes("endpoints:read endpoints:write events:read events:write"),
        Role.AUDITOR: _scopes("disclosures:read log:read bundles:read bundles:write agreements:read catalog:read"),
        Role.SUPPORT: _scopes("catalog:read connections:read endpoints:read"),
    }
)


def scopes_of(role: Role) -> tuple[Scope, ...]:
    """What somebody with this role may do."""
    return tuple(sorted(_MAY[role]))
