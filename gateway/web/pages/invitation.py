"""Accept an invitation: a new account with a password, or the account that the address has already."""

from __future__ import annotations

from gateway.errors import Conflict, InvalidRequest
from gateway.people.accounts import check_password, checked_name
from gateway.people.invitations import Invitation
from gateway.people.roles import MEANS, TITLES
from gateway.people.sessions import Opening
from gateway.web.page import Gate, Go, Page, View, Visit
from gateway.web.pages.home import begins
from gateway.web.pages.sign_in import WRONG_CODE, fits_code, noted, opened
from scopes.fault import Fault

_TITLE = "Accept your invitation"
_TEMPLATE = "people/invitation.html"


async def show(visit: Visit) -> View:
    """Who invites whom to do what, and the form to accept it."""
    token = visit.form.exact("token") or visit.query.get("token", "")
    people = visit.rooms.people
    found = await people.invitations.find(token)
    own = visit.session is not None and not visit.session.waits and visit.session.email == found.email
    return View(
        {
            "token": token, "clinic_name": (await visit.rooms.connections.clinic(found.tenant)).name,
            "email": found.email, "role": TITLES[found.role], "means": MEANS[found.role], "own": own,
            "known": await people.accounts.person_of(found.email) is not None,
        }
    )  # fmt: skip


async def accept(visit: Visit) -> Go:
    """Let in who was invited, once they have an account and proved it."""
    people, token = visit.rooms.people, visit.form.exact("token")
    found = await people.invitations.find(token)
    session = visit.session
    if session is not None and not session.waits and session.email == found.email:
        await people.invitations.accept(token, session.person)
        return Go(begins(found.role), token=await people.sessions.turn_to(session, found.tenant, found.role))
    person = await people.accounts.person_of(found.email)
    if person is None:
        name, password = checked_name(visit.form.text("name")), visit.form.exact("password")
        check_password(password, email=found.email)
        person = await people.accounts.create(name, email=found.email, password=password)
    else:
        await _prove(visit, found)
    await people.invitations.accept(token, person)
    opening = Opening(person=person, tenant=found.tenant, role=found.role, via="password", device=visit.device)
    await noted(visit, person, found.tenant, "password")
    return Go(begins(found.role), token=await opened(visit, opening))


async def _prove(visit: Visit, found: Invitation) -> None:
    """The address has an account: whoever holds the link has to hold that too."""
    people = visit.rooms.people
    await people.throttle.attempt(found.email, visit.address)
    person = await people.accounts.by_password(found.email, visit.form.exact("password"))
    if person is None:
        raise InvalidRequest(faults=[Fault("password", "That is not the password of this account.")])
    if await people.totp.is_on(person) and not await fits_code(visit, person):
        raise InvalidRequest(faults=[Fault("code", WRONG_CODE)])
    if found.tenant in {row.tenant for row in await people.accounts.memberships(person)}:
        raise Conflict("You belong to this clinic already.")
    await people.throttle.succeeded(found.email, visit.address)


PAGES = (
    Page(path="/invitation", act=show, needs=Gate.OPEN, title=_TITLE, template=_TEMPLATE),
    Page(
        method="POST", path="/invitation", act=accept, needs=Gate.OPEN, title=_TITLE, template=_TEMPLATE, again=show,
    ),
)  # fmt: skip
