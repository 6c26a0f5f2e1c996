"""Suspend, resume and revoke an integration: asked once more, with what it does here and what the vendor does not undo."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple

from connectors.registry import Connector
from gateway.connections import Connection
from gateway.errors import Conflict
from gateway.flows import leave
from gateway.web.page import Go, Page, Said, View, Visit
from gateway.web.settings.integration import ONE, at_home, by_page, connector_of, live
from gateway.web.settings.integrations import WRITE
from scopes.vocabulary import ConnectionState


class _Deed(NamedTuple):
    """One thing to do with a connection, and what it means: with a key, and where somebody allowed it at the vendor."""

    to: ConnectionState
    when: frozenset[ConnectionState]
    heading: str
    of_key: str
    of_grant: str
    submit: str
    said: str


_ANY: Final = frozenset(ConnectionState) - {ConnectionState.REVOKED}
DEEDS: Final[Mapping[str, _Deed]] = {
    "suspend": _Deed(
        ConnectionState.SUSPENDED,
        frozenset({ConnectionState.ACTIVE}),
        "Suspend {}?",
        "Every call is refused from now on, and its callbacks are not taken, until you resume it. The key stays sealed here.",
        "Every call is refused from now on, and its callbacks are not taken, until you resume it. What {} granted stays granted "
        "there, and its tokens stay sealed here: to take the grant back, revoke.",
        "Suspend",
        "{} is suspended. Nothing leaves until it is resumed.",
    ),
    "resume": _Deed(
        ConnectionState.ACTIVE,
        frozenset({ConnectionState.SUSPENDED}),
        "Resume {}?",
        "Calls are let through again at once, with the features and the key that it had.",
        "Calls are let through again at once, with the features that are on and what {} granted.",
        "Resume",
        "{} is resumed. What is switched on may leave again.",
    ),
    "revoke": _Deed(
        ConnectionState.REVOKED,
        _ANY,
        "Revoke {}?",
        "Every call is refused from now on, and the key is destroyed here. That is final: to use it again, connect anew with "
        "a key. What was disclosed stays in the log. Delete the key at the vendor too.",
        "Every call is refused from now on. {} is told that its grant is given back, and the tokens are destroyed here. That is "
        "final: to use it again, connect anew. What was disclosed stays in the log.",
        "Revoke for good",
        "{} is revoked and its key destroyed here. Delete the key at the vendor too.",
    ),
}
_NOBODY_TO_TELL: Final = (
    "Every call is refused from now on, and the tokens are destroyed here. {} has no way for a gateway to take back what it "
    "granted, so that stays until somebody does it there, as it says below. Revoking is final: to use it again, connect anew. "
    "What was disclosed stays in the log."
)
_TOLD: Final[Mapping[str | None, tuple[str, str]]] = {
    "revoked": ("{} is revoked: it took its grant back, and its tokens are destroyed here.", "good"),
    "not_told": ("{} is revoked here, but could not be told: take its grant back there yourself.", "warn"),
    "has_no_revocation": ("{} is revoked here. What it granted stays until somebody takes it back there.", "warn"),
    "nothing_held": ("{} is revoked. There was nothing of it to give back.", "good"),
}


async def ask(visit: Visit, *, name: str) -> View:
    """Ask once more, and say what it does."""
    connector, deed = connector_of(visit), DEEDS[name]
    connection = await live(visit, connector)
    _check(deed, connection)
    title = connector.manifest.title
    on = [connector.manifest.features[each].title for each in sorted(connection.grant.features)]
    oauth = connector.manifest.credential.oauth
    pairs = [
        ("Recipient", connector.manifest.recipient.legal_name),
        ("Account", connection.account or "none named"),
        ("Switched on", ", ".join(on) or "nothing"),
    ]
    if oauth is not None and deed.to is ConnectionState.REVOKED:
        pairs.append(("What this does not undo", oauth.not_undone))
    return View(
        {
            "heading": deed.heading.format(title),
            "text": _means(deed, connector).format(title),
            "pairs": pairs,
            "action": f"{at_home(connector)}/{name}",
            "submit": deed.submit,
            "back": at_home(connector),
        },
        title=deed.submit,
    )


async def act(visit: Visit, *, name: str) -> Go:
    """Suspend, resume or revoke."""
    connector, deed = connector_of(visit), DEEDS[name]
    connection = await live(visit, connector)
    _check(deed, connection)
    said, tone = deed.said, "good"
    if deed.to is ConnectionState.REVOKED:
        told = await leave.revoke(visit.actor, connection.id, visit.rooms)
        said, tone = _TOLD.get(told, (said, tone))
    else:
        await visit.rooms.connections.set_state(visit.actor, connection.id, deed.to)
    return Go(at_home(connector), Said(said.format(connector.manifest.title), tone))


def _means(deed: _Deed, connector: Connector) -> str:
    oauth = connector.manifest.credential.oauth
    if deed.to is ConnectionState.REVOKED and oauth is not None and oauth.revoke_url is None:
        return _NOBODY_TO_TELL
    return deed.of_grant if by_page(connector) else deed.of_key


def _check(deed: _Deed, connection: Connection) -> None:
    if connection.state not in deed.when:
        raise Conflict(f"it is {connection.state} now", fix="Look at the integration once more.")


PAGES = tuple(
    page
    for name in DEEDS
    for page in (
        Page(path=f"{ONE}/{name}", act=partial(ask, name=name), needs=WRITE, title="Change", template="confirm.html"),
        Page(method="POST", path=f"{ONE}/{name}", act=partial(act, name=name), needs=WRITE),
    )
)
