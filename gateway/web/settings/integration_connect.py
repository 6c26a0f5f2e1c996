"""Connect an integration: with a key, or on the vendor's own page and back here; connect again; give back what is not needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from connectors.contract import Manifest
from gateway.errors import InvalidRequest
from gateway.flows import authorize, leave
from gateway.flows.connect import Wish, begin
from gateway.oauth.room import START
from gateway.web.page import Go, Page, Said, Visit
from gateway.web.settings.integration import ONE, at_home, by_operator, by_page, connector_of, live, show
from gateway.web.settings.integration_scopes import title_of
from gateway.web.settings.integrations import WRITE
from scopes.fault import Fault

_OPERATOR_NEXT: Final = "{} waits for the gateway's operator, who links your facility. Nothing leaves until then."


async def add(visit: Visit) -> Go:
    """Connect with a key, in force at once; or go on to where somebody allows it, and come back."""
    connector = connector_of(visit)
    form, manifest, pages = visit.form, connector.manifest, by_page(connector)
    keyless = pages or by_operator(connector)
    wish = Wish(
        connector=connector.id,
        secret=None if keyless else form.text("credential.secret"),
        features=frozenset(form.all("features")),
        account=form.text("account") or None,
        withheld=tuple(form.all("withheld")),
        settings=settings_in(visit, manifest),
        back=pages,
    )
    faults = list(_missing(wish, keyless=keyless))
    address = None
    try:
        if not faults:
            address = (await begin(visit.actor, wish, visit.rooms)).address
    except InvalidRequest as invalid:
        faults = [in_words(fault, manifest) for fault in invalid.faults]
        if not faults:
            raise
    if faults:
        raise InvalidRequest(faults=faults)
    if address is not None:
        return _on(address)
    said = _OPERATOR_NEXT if by_operator(connector) else "{} is connected. What is switched on may leave from now on."
    return Go(at_home(connector), Said(said.format(manifest.title)))


async def again(visit: Visit) -> Go:
    """Connect once more, for what the features that are on need now."""
    connector = connector_of(visit)
    return _on(await authorize.again(visit.actor, await live(visit, connector), visit.rooms, back=True))


async def reduce(visit: Visit) -> Go:
    """Give back what no feature needs; where the vendor wants to be asked anew, go on there."""
    connector = connector_of(visit)
    done = await leave.reduce(visit.actor, await live(visit, connector), visit.rooms, back=True)
    if done.address is not None:
        return _on(done.address)
    given = ", ".join(title_of(connector, scope) for scope in sorted(done.given_back))
    return Go(
        at_home(connector), Said(f"{connector.manifest.title} lets the gateway do less now. Given back: {given}.")
    )


def settings_in(visit: Visit, manifest: Manifest) -> dict[str, str]:
    """What was typed for the connection's settings; one that is left empty is not set."""
    return {name: text for name in manifest.settings if (text := visit.form.text(f"settings.{name}"))}


def in_words(fault: Fault, manifest: Manifest) -> Fault:
    """A fault that says what to type instead of a pattern."""
    rule = manifest.credential
    if fault.path == "account" and rule.has_accounts:
        example = f", such as {rule.account_example}" if rule.account_example else ""
        return Fault("account", f"Give {rule.account_title or 'the account at the vendor'}{example}.")
    name = fault.path.removeprefix("settings.")
    if name in manifest.settings:
        return Fault(fault.path, f"This does not fit. It looks like this: {manifest.settings[name].example}")
    return fault


def _on(address: str) -> Go:
    """Our own page before the vendor's, by the path alone: whoever is signed in stays at the address that they came by."""
    return Go(f"{START}?{urlsplit(address).query}")


def _missing(wish: Wish, *, keyless: bool) -> Iterator[Fault]:
    if not wish.features:
        yield Fault("features", "Switch on at least one feature above: nothing else may leave.")
    if not keyless and not wish.secret:
        yield Fault("credential.secret", "Paste the key here.")


PAGES = (
    Page(
        method="POST", path=f"{ONE}/connect", act=add, needs=WRITE, again=show, title="Integration",
        template="settings/integration.html",
    ),
    Page(method="POST", path=f"{ONE}/again", act=again, needs=WRITE),
    Page(method="POST", path=f"{ONE}/reduce", act=reduce, needs=WRITE),
)  # fmt: skip
