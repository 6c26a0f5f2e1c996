"""Sign in: the password, then a second factor where there is one; and proving oneself anew before what matters.

Whoever is wrong is told the same in the same time, whether there is an account or not.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.calls import Actor
from gateway.errors import InvalidRequest
from gateway.log import Log
from gateway.people import Role
from gateway.people.accounts import normal_email
from gateway.people.sessions import Opening
from gateway.web.browser import own_path
from gateway.web.page import Gate, Go, Page, View, Visit
from gateway.web.pages.home import begins

log = Log("gateway.people")

WRONG = "That e-mail address and password do not belong together."


def after(visit: Visit) -> str:
    """Where to go once signed in: a path of ours, or the start."""
    return own_path(visit.form.text("next") or visit.query.get("next", "")) or "/"


async def show(visit: Visit) -> View | Go:
    """The form; whoever has signed in already goes on."""
    if visit.session is not None and not visit.session.waits:
        return Go(after(visit))
    return View({"next": after(visit), "out": visit.query.get("out") == "1"})


async def password(visit: Visit) -> View | Go:
    """Check the address and the password, and open a session: a whole one, or one that waits for a second factor."""
    people, email = visit.rooms.people, visit.form.text("email")
    account = normal_email(email) or email
    await people.throttle.attempt(account, visit.address)
    person = await people.accounts.by_password(email, visit.form.exact("password"))
    belongs = await people.accounts.memberships(person) if person is not None else []
    if person is None or not belongs:
        raise InvalidRequest(WRONG)
    first = belongs[0]
    opening = Opening(person=person, tenant=first.tenant, role=Role(first.role), via="password", device=visit.device)
    await people.throttle.succeeded(account, visit.address)
    if visit.session is not None:
        await people.sessions.end(visit.session)
    token = await people.sessions.open(replace(opening, waits=False))
    await visit.rooms.ledger.accessed(_actor(opening), what="signed_in", query={"via": "password"}, count=1)
    return Go(after(visit) if after(visit) != "/" else begins(Role(first.role)), token=token)


def _actor(opening: Opening) -> Actor:
    return Actor("person", str(opening.person), opening.tenant, ())


PAGES = (
    Page(path="/sign-in", act=show, needs=Gate.OPEN, title="Sign in", template="people/sign_in.html"),
    Page(
        method="POST", path="/sign-in", act=password, needs=Gate.OPEN, title="Sign in",
        template="people/sign_in.html", again=show,
    ),
)  # fmt: skip
