"""What the demo's clinic says to its invented patients: the texts that a vendor's sandbox brings along. Sends nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.registry import Connector
from gateway.flows.template import Wish, WishedSlot, WishedVendor
from scopes.dlt import Registration

Values = Sequence[tuple[str, str, str, str]]  # component, kind, placeholder, the fixed beginning of a button's address


def texts_of(connector: Connector) -> Iterator[Wish]:
    """The texts for one messaging vendor; none where its sandbox brings none."""
    sandbox = connector.module("sandbox")
    registered = getattr(sandbox, "REGISTERED", {})
    for name, action, language, body, *vendor in getattr(sandbox, "TEXTS", ()):
        channel = connector.actions[action].channel
        assert channel is not None  # a message says on which channel it goes out, or its folder does not load
        yield Wish(
            name=name,
            action=f"{connector.family}/{action}",
            channel=channel,
            language=language,
            body=body,
            at_vendor=_at_vendor(*vendor[0]) if vendor else None,
            dlt=Registration(**registered[name]) if name in registered else None,
        )


def _at_vendor(name: str, language: str, values: Values) -> WishedVendor:
    slots = tuple(
        WishedSlot(component=component, kind=kind, placeholder=placeholder, base=base)
        for component, kind, placeholder, base in values
    )
    return WishedVendor(name=name, language=language, slots=slots)
