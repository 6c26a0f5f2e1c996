"""The team of a clinic: who may do what, who is invited. For owners."""

from __future__ import annotations

from typing import Any, Final

from gateway.errors import InvalidRequest, NotFound
from gateway.people import Role
from gateway.people.accounts import Member
from gateway.people.roles import MEANS, TITLES
from gateway.web.page import Go, Page, Said, View, Visit
from scopes.fault import Fault
from scopes.scope import Area, Scope, Verb

_READ: Final = Scope(Area.PEOPLE, Verb.READ)
_WRITE: Final = Scope(Area.PEOPLE, Verb.WRITE)
_HERE: Final = "/team"


async def show(visit: Visit) -> View:
    """Everybody who belongs to the clinic, and who is invited."""
    people = visit.rooms.people
    return View(
        {
            "members": await people.accounts.members(visit.tenant),
            "waiting": await people.invitations.waiting(visit.tenant),
            "titles": {str(role): title for role, title in TITLES.items()},
            "roles": [(str(role), title) for role, title in TITLES.items()],
            "means": [(str(role), TITLES[role], MEANS[role]) for role in Role],
            "own": visit.known.person,
            "changes": visit.may(_WRITE),
        }
    )


async def invite(visit: Visit) -> View:
    """Invite an address; the link is shown once, for the owner to hand on."""
    role = _role(visit)
    invited = await visit.rooms.people.invitations.invite(visit.actor, visit.form.text("email"), role)
    words = {
        "link": f"{visit.base}/invitation?token={invited.token}", "email": visit.form.text("email"),
        "role_given": TITLES[role], "until": invited.expires_at,
    }  # fmt: skip
    return View(words, template="people/invited.html", title="Invitation")


async def change_role(visit: Visit) -> Go:
    """Give somebody another role."""
    await visit.rooms.people.accounts.set_role(visit.actor, visit.id(), _role(visit))
    return Go(_HERE, Said("The role is changed. It counts from their next request on."))


async def ask_remove(visit: Visit) -> View:
    """Ask once more."""
    member = await _member(visit)
    return View(
        {
            "heading": f"Remove {member.name}?",
            "text": "They lose access to this clinic at once. What they did stays in the log.",
            "pairs": [("E-mail", member.email or "none"), ("Role", TITLES[Role(member.role)])],
            "action": f"/team/{member.person}/remove", "submit": "Remove from the team", "back": _HERE,
        }
    )  # fmt: skip


async def remove(visit: Visit) -> Go:
    """Let somebody belong to the clinic no more."""
    await visit.rooms.people.accounts.remove(visit.actor, visit.id())
    return Go(_HERE, Said("They do not belong to the team any more."))


async def withdraw(visit: Visit) -> Go:
    """Take an invitation back."""
    await visit.rooms.people.invitations.withdraw(visit.actor, visit.id())
    return Go(_HERE, Said("The invitation is taken back; its link opens nothing."))


def _role(visit: Visit) -> Role:
    try:
        return Role(visit.form.text("role"))
    except ValueError:
        raise InvalidRequest(faults=[Fault("role", "Choose a role.")]) from None


async def _member(visit: Visit) -> Member:
    for member in await visit.rooms.people.accounts.members(visit.tenant):
        if member.person == visit.id():
            return member
    raise NotFound("there is no such person in this clinic")


_PAGE: Final[dict[str, Any]] = {"title": "Team", "template": "people/team.html"}
PAGES = (
    Page(path=_HERE, act=show, needs=_READ, **_PAGE),
    Page(method="POST", path="/team/invite", act=invite, needs=_WRITE, recent=True, again=show, **_PAGE),
    Page(method="POST", path="/team/{id:uuid}/role", act=change_role, needs=_WRITE, recent=True, again=show, **_PAGE),
    Page(path="/team/{id:uuid}/remove", act=ask_remove, needs=_WRITE, title="Remove", template="confirm.html"),
    Page(method="POST", path="/team/{id:uuid}/remove", act=remove, needs=_WRITE, recent=True, again=show, **_PAGE),
    Page(method="POST", path="/team/invitations/{id:uuid}/withdraw", act=withdraw, needs=_WRITE, recent=True),
)
