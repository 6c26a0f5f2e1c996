"""Where each role begins, and which of a person's clinics is looked at."""

from __future__ import annotations

from gateway.errors import NotFound
from gateway.people import Role
from gateway.web.page import Gate, Go, Page, Said, View, Visit

_BEGINS = {Role.VENDOR: "/vendor", Role.AUDITOR: "/auditor"}


def begins(role: Role) -> str:
    """The first page of a role."""
    return _BEGINS.get(role, "/settings")


async def home(visit: Visit) -> Go:
    """Go where the person's role begins."""
    return Go(begins(visit.role))


async def clinics(visit: Visit) -> View:
    """The clinics that a person belongs to."""
    found = []
    for row in await visit.rooms.people.accounts.memberships(visit.known.person):
        clinic = await visit.rooms.connections.clinic(row.tenant)
        found.append({"id": str(row.tenant), "name": clinic.name, "role": row.role, "now": row.tenant == visit.tenant})
    return View({"clinics": found})


async def turn(visit: Visit) -> Go:
    """Look at another of one's clinics; the session gets another token."""
    people = visit.rooms.people
    wanted = visit.form.text("clinic")
    for row in await people.accounts.memberships(visit.known.person):
        if str(row.tenant) == wanted:
            role = Role(row.role)
            return Go(begins(role), token=await people.sessions.turn_to(visit.known, row.tenant, role))
    raise NotFound("you do not belong to such a clinic")


async def sign_out(visit: Visit) -> Go:
    """End the session."""
    await visit.rooms.people.sessions.end(visit.known)
    return Go("/sign-in?out=1", Said("You have signed out."), ends=True)


PAGES = (
    Page(path="/", act=home, needs=Gate.PERSON),
    Page(path="/clinics", act=clinics, needs=Gate.PERSON, title="Clinics", template="people/clinics.html"),
    Page(method="POST", path="/clinics", act=turn, needs=Gate.PERSON),
    Page(method="POST", path="/sign-out", act=sign_out, needs=Gate.PERSON),
)
