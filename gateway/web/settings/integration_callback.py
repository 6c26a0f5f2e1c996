"""The secrets that a vendor signs its messages to us with: add the next one, remove the last one. None is ever shown."""

from __future__ import annotations

from gateway.errors import InvalidRequest, NotFound
from gateway.web.page import Go, Page, Said, View, Visit
from gateway.web.settings.integration import ONE, at_home, connector_of, live, show
from gateway.web.settings.integrations import WRITE
from scopes.fault import Fault


async def add(visit: Visit) -> Go:
    """Let the vendor sign with one more secret."""
    connector = connector_of(visit)
    connection = await live(visit, connector)
    try:
        await visit.rooms.callbacks.add_secret(
            visit.actor, connection.id, visit.form.text("secret"), {connector.id: connector.manifest}
        )
    except InvalidRequest as invalid:
        if not any(fault.path == "secret" for fault in invalid.faults):
            raise
        told = f"This is no signing secret of {connector.manifest.title}. Copy it anew from there, whole."
        raise InvalidRequest(faults=[Fault("secret", told)]) from None
    return Go(at_home(connector), Said("What is signed with this secret is taken from now on."))


async def ask_remove(visit: Visit) -> View:
    """Ask once more."""
    connector = connector_of(visit)
    connection, wanted = await live(visit, connector), visit.id("secret")
    for secret in await visit.rooms.callbacks.secrets(visit.tenant, connection.id):
        if secret.id == wanted:
            return View(
                {
                    "heading": "Remove this signing secret?",
                    "text": f"What {connector.manifest.title} signs with it is refused from now on. Add the new secret first.",
                    "pairs": [("Added", f"{secret.created_at:%-d %b %Y, %H:%M} UTC")],
                    "action": f"{at_home(connector)}/callback/{wanted}/remove",
                    "submit": "Remove the secret",
                    "back": at_home(connector),
                }
            )
    raise NotFound("there is no such secret")


async def remove(visit: Visit) -> Go:
    """Destroy a secret."""
    connector = connector_of(visit)
    connection = await live(visit, connector)
    await visit.rooms.callbacks.remove_secret(visit.actor, connection.id, visit.id("secret"))
    return Go(at_home(connector), Said("The secret is removed; what is signed with it is refused."))


_SECRET = f"{ONE}/callback/{{secret:uuid}}/remove"
PAGES = (
    Page(path=_SECRET, act=ask_remove, needs=WRITE, title="Remove", template="confirm.html"),
    Page(method="POST", path=_SECRET, act=remove, needs=WRITE),
    Page(
        method="POST", path=f"{ONE}/callback", act=add, needs=WRITE, again=show, title="Integration",
        template="settings/integration.html",
    ),
)  # fmt: skip
