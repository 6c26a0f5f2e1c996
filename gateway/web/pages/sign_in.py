"""Sign in: the password and then a code where codes are on, or a passkey; and proving oneself anew before what matters.

Whoever is wrong is told the same in the same time, whether there is an account or not.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from gateway.calls import Actor
from gateway.errors import InvalidRequest
from gateway.people import Role
from gateway.people.accounts import normal_email
from gateway.people.sessions import Opening
from gateway.web.browser import own_path
from gateway.web.page import Content, Gate, Go, Page, View, Visit
from gateway.web.pages.home import begins

WRONG = "That e-mail address and password do not belong together."
WRONG_CODE = "That code is not valid, or was used before. Wait for the next one."


def after(visit: Visit) -> str:
    """Where to go once signed in: a path of ours, or the start."""
    return own_path(visit.form.text("next") or visit.query.get("next", "")) or "/"


def _on(path: str, back: str) -> str:
    """A step further, keeping where to go in the end."""
    return path if back == "/" else f"{path}?next={back.replace('?', '%3F').replace('&', '%26')}"


async def show(visit: Visit) -> View | Go:
    """The form; whoever has signed in already goes on."""
    if visit.session is not None and not visit.session.waits:
        return Go(after(visit))
    return View({"next": after(visit), "out": visit.query.get("out") == "1"})


async def password(visit: Visit) -> View | Go:
    """Check the address and the password, and open a session: a whole one, or one that waits for a code."""
    people, email = visit.rooms.people, visit.form.text("email")
    account = normal_email(email) or email
    await people.throttle.attempt(account, visit.address)
    person = await people.accounts.by_password(email, visit.form.exact("password"))
    belongs = await people.accounts.memberships(person or UUID(int=0))
    asks_code = await people.totp.is_on(person or UUID(int=0))
    if person is None or not belongs:
        raise InvalidRequest(WRONG)
    opening = Opening(
        person=person, tenant=belongs[0].tenant, role=Role(belongs[0].role), via="password", device=visit.device,
        waits=asks_code,
    )  # fmt: skip
    await people.throttle.succeeded(account, visit.address)
    if asks_code:
        return Go(_on("/sign-in/code", after(visit)), token=await opened(visit, opening))
    return await _signed_in(visit, opening)


async def show_code(visit: Visit) -> View | Go:
    """The form for a code."""
    if visit.session is None or not visit.session.waits:
        return Go("/sign-in")
    return View({"next": after(visit), "recovery": visit.query.get("recovery") == "1" or "recovery" in visit.form})


async def code(visit: Visit) -> View | Go:
    """Check the code of an authenticator, or one of those that stand in for it."""
    people, session = visit.rooms.people, visit.session
    if session is None or not session.waits:
        return Go("/sign-in")
    await people.throttle.attempt(f"code|{session.person}", visit.address)
    if not await fits_code(visit, session.person):
        raise InvalidRequest(WRONG_CODE)
    await people.throttle.succeeded(f"code|{session.person}", visit.address)
    token = await people.sessions.complete(session)
    await noted(visit, session.person, session.tenant, "password")
    return Go(_start(visit, session.role), token=token)


async def fits_code(visit: Visit, person: UUID) -> bool:
    """Whether the form has a code of the person's, which is used up with this."""
    people = visit.rooms.people
    if "recovery" in visit.form:
        return await people.recovery.take(person, visit.form.text("recovery"))
    return await people.totp.check(person, visit.form.text("code"))


async def passkey_options(visit: Visit) -> Content:
    """What the browser's script needs to show a passkey."""
    return Content((await visit.rooms.people.passkeys.ask(origin=visit.origin, cookie=visit.cookie)).encode())


async def passkey(visit: Visit) -> View | Go:
    """Let in whoever shows a passkey: something they have and something that they are or know, in one."""
    people = visit.rooms.people
    await people.throttle.attempt(f"passkeys from {visit.address}", visit.address)
    person = await people.passkeys.shown(visit.form.exact("answer"), origin=visit.origin, cookie=visit.cookie)
    await people.throttle.succeeded(f"passkeys from {visit.address}", visit.address)
    belongs = await people.accounts.memberships(person)
    if not belongs:
        raise InvalidRequest("You belong to no clinic here. Ask for an invitation.")
    first = belongs[0]
    return await _signed_in(
        visit,
        Opening(person=person, tenant=first.tenant, role=Role(first.role), via="passkey", device=visit.device),
    )


async def show_confirm(visit: Visit) -> View:
    """The form that asks once more who is there."""
    totp = await visit.rooms.people.totp.is_on(visit.known.person)
    return View({"next": after(visit), "email": visit.known.email, "asks_code": totp})


async def confirm(visit: Visit) -> Go:
    """Prove oneself anew, by password (and code, where codes are on) or by passkey; the session gets another token."""
    people, session = visit.rooms.people, visit.known
    await people.throttle.attempt(f"confirm|{session.person}", visit.address)
    if "answer" in visit.form:
        shown = await people.passkeys.shown(visit.form.exact("answer"), origin=visit.origin, cookie=visit.cookie)
        fits = shown == session.person
    else:
        fits = await people.accounts.confirms(session.person, visit.form.exact("password"))
        if fits and await people.totp.is_on(session.person):
            fits = await fits_code(visit, session.person)
    if not fits:
        raise InvalidRequest("That did not fit. Try again.")
    await people.throttle.succeeded(f"confirm|{session.person}", visit.address)
    return Go(after(visit), token=await people.sessions.prove(session))


async def opened(visit: Visit, opening: Opening) -> str:
    """Begin a session in place of the one that was there; gives its token."""
    sessions = visit.rooms.people.sessions
    if visit.session is not None:
        await sessions.end(visit.session)
    return await sessions.open(opening)


async def noted(visit: Visit, person: UUID, tenant: UUID, via: str) -> None:
    """Write down that a person came in."""
    await visit.rooms.ledger.accessed(person_actor(person, tenant), what="signed_in", query={"via": via}, count=1)


async def _signed_in(visit: Visit, opening: Opening) -> Go:
    await noted(visit, opening.person, opening.tenant, opening.via)
    return Go(_start(visit, opening.role), token=await opened(visit, opening))


def person_actor(person: UUID, tenant: UUID) -> Actor:
    """A person as an entry names them."""
    return Actor("person", str(person), tenant, ())


def _start(visit: Visit, role: Role) -> str:
    return after(visit) if after(visit) != "/" else begins(role)


_FORM: dict[str, Any] = {"title": "Sign in", "template": "people/sign_in.html"}
_CODE: dict[str, Any] = {"title": "Enter a code", "template": "people/code.html"}
_CONFIRM: dict[str, Any] = {"title": "Confirm that it is you", "template": "people/confirm_self.html"}
PAGES = (
    Page(path="/sign-in", act=show, needs=Gate.OPEN, **_FORM),
    Page(method="POST", path="/sign-in", act=password, needs=Gate.OPEN, again=show, **_FORM),
    Page(path="/sign-in/code", act=show_code, needs=Gate.OPEN, **_CODE),
    Page(method="POST", path="/sign-in/code", act=code, needs=Gate.OPEN, again=show_code, **_CODE),
    Page(method="POST", path="/sign-in/passkey/options", act=passkey_options, needs=Gate.OPEN),
    Page(method="POST", path="/sign-in/passkey", act=passkey, needs=Gate.OPEN, again=show, **_FORM),
    Page(path="/confirm", act=show_confirm, needs=Gate.PERSON, **_CONFIRM),
    Page(method="POST", path="/confirm", act=confirm, needs=Gate.PERSON, again=show_confirm, **_CONFIRM),
)
