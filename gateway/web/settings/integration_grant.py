"""What one connection may be used for: features on and off, fields held back, free text. In force at once, and recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from connectors.registry import Connector
from gateway.connections import Connection
from gateway.errors import InvalidRequest
from gateway.flows.connect import Terms, regrant
from gateway.web import words
from gateway.web.page import Go, Page, Said, Visit
from gateway.web.settings.integration import ONE, at_home, connector_of, live
from gateway.web.settings.integrations import WRITE

_YES_OR_NO: Final = {"yes": True, "no": False}


async def feature(visit: Visit) -> Go:
    """Switch one feature on or off."""
    connector = connector_of(visit)
    connection, on, name = await live(visit, connector), _on(visit), visit.form.text("feature")
    rule = connector.manifest.features.get(name)
    if rule is None:
        raise InvalidRequest("there is no such feature")
    terms = _terms(connector, connection)
    features = terms.features | {name} if on else terms.features - {name}
    await regrant(visit.actor, connection, replace(terms, features=features), visit.rooms)
    what = "may leave from now on" if on else "does not leave any more"
    return Go(at_home(connector), Said(f"{rule.title}: {'on' if on else 'off'}. What it needs {what}."))


async def held_back(visit: Visit) -> Go:
    """Say anew which optional fields stay at home."""
    connector = connector_of(visit)
    connection = await live(visit, connector)
    held = tuple(dict.fromkeys(visit.form.all("withheld")))
    await regrant(visit.actor, connection, replace(_terms(connector, connection), withheld=held), visit.rooms)
    told = f"{len(held)} fields are held back from now on." if len(held) != 1 else "One field is held back from now on."
    return Go(at_home(connector), Said(told if held else "No field is held back any more."))


async def free_text(visit: Visit) -> Go:
    """Switch one field of free text on or off."""
    connector = connector_of(visit)
    connection, on, path = await live(visit, connector), _on(visit), visit.form.text("path")
    terms = _terms(connector, connection)
    paths = {*terms.free_text, path} if on else set(terms.free_text) - {path}
    await regrant(visit.actor, connection, replace(terms, free_text=tuple(sorted(paths))), visit.rooms)
    what = "leaves from now on, screened" if on else "does not leave any more"
    return Go(at_home(connector), Said(f"{words.spoken(path)}: it {what}."))


def _on(visit: Visit) -> bool:
    try:
        return _YES_OR_NO[visit.form.text("on")]
    except KeyError:
        raise InvalidRequest("say whether it is to be on or off") from None


def _terms(connector: Connector, connection: Connection) -> Terms:
    """The grant as it is now, without paths that nothing declares any more: what they were about cannot leave."""
    grant, shapes = connection.grant, [action.shape for action in connector.actions.values()]
    declared = {node.path for shape in shapes for node in shape.nodes()}
    free_text = {path for shape in shapes for path in shape.free_text_paths}
    return Terms(
        features=grant.features & connector.manifest.features.keys(),
        withheld=tuple(sorted(grant.withheld & declared)),
        free_text=tuple(sorted(grant.free_text & free_text)),
    )


PAGES = (
    Page(method="POST", path=f"{ONE}/features", act=feature, needs=WRITE),
    Page(method="POST", path=f"{ONE}/fields", act=held_back, needs=WRITE),
    Page(method="POST", path=f"{ONE}/free-text", act=free_text, needs=WRITE),
)
