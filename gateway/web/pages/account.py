"""One's own account: name, password, codes, passkeys, recovery codes, sessions. Nobody sees or changes another's."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from gateway.errors import InvalidRequest
from gateway.web.page import Content, Gate, Go, Page, Said, View, Visit
from scopes.fault import Fault

_HERE = "/account"


async def show(visit: Visit) -> View:
    """Everything about one's sign-in, on one page."""
    people, session = visit.rooms.people, visit.known
    return View(
        {
            "totp": await people.totp.is_on(session.person),
            "codes_left": await people.recovery.left(session.person),
            "passkeys": await people.passkeys.of(session.person),
            "sessions": await people.sessions.of(session.person),
            "has_password": session.email is not None,
        }
    )


async def rename(visit: Visit) -> Go:
    """Be called by another name."""
    await visit.rooms.people.accounts.rename(visit.known.person, visit.form.text("name"))
    return Go(_HERE, Said("Your name is changed."))


async def change_password(visit: Visit) -> Go:
    """Another password: every other session ends, and this one gets another token."""
    people, session = visit.rooms.people, visit.known
    await people.throttle.attempt(f"confirm|{session.person}", visit.address)
    if not await people.accounts.confirms(session.person, visit.form.exact("password")):
        raise InvalidRequest(faults=[Fault("password", "That is not your present password.")])
    await people.throttle.succeeded(f"confirm|{session.person}", visit.address)
    await people.accounts.set_password(session.person, visit.form.exact("new_password"))
    return await _proved(visit, "password", "Your password is changed. Your other sessions have ended.")


async def begin_totp(visit: Visit) -> View:
    """Show the picture that an authenticator reads."""
    import segno  # drawing costs a start more than all else here

    session = visit.known
    proposal = await visit.rooms.people.totp.propose(session.person, session.email or session.name)
    drawn = segno.make(proposal.uri, error="m").svg_inline(border=2, omitsize=True, svgclass=None, lineclass=None)
    secret = " ".join(proposal.secret[at : at + 4] for at in range(0, len(proposal.secret), 4))
    return View({"picture": Markup(drawn), "secret": secret})  # noqa: S704 - drawn by segno, of squares only


async def confirm_totp(visit: Visit) -> View:
    """Turn codes on with a first one, and give the codes that stand in for them."""
    people, session = visit.rooms.people, visit.known
    if not await people.totp.confirm(session.person, visit.form.text("code")):
        raise InvalidRequest(faults=[Fault("code", "That code does not fit. Is your telephone's clock right?")])
    return await _codes(visit, "codes_on", "Codes are on. Your other sessions have ended.")


async def ask_totp_off(visit: Visit) -> View:
    """Ask once more."""
    return View(
        {
            "heading": "Turn codes off?",
            "text": "Your password alone will let you in, and your recovery codes will not work any more.",
            "action": "/account/totp/off", "submit": "Turn codes off", "back": _HERE,
        }
    )  # fmt: skip


async def totp_off(visit: Visit) -> Go:
    """Turn codes off."""
    await visit.rooms.people.totp.remove(visit.known.person)
    return await _proved(visit, "codes_off", "Codes are off.")


async def renew_codes(visit: Visit) -> View:
    """New recovery codes in place of the old ones."""
    return await _codes(visit, "recovery_codes", "Your old recovery codes do not work any more.")


async def passkey_options(visit: Visit) -> Content:
    """What the browser's script needs to make a passkey."""
    session = visit.known
    options = await visit.rooms.people.passkeys.offer(
        session.person, account=session.email or session.name, name=session.name, origin=visit.origin,
        cookie=visit.cookie,
    )  # fmt: skip
    return Content(options.encode())


async def add_passkey(visit: Visit) -> Go:
    """Take a new passkey."""
    await visit.rooms.people.passkeys.add(
        visit.known.person, visit.form.exact("answer"), visit.form.text("title"), origin=visit.origin,
        cookie=visit.cookie,
    )  # fmt: skip
    return await _proved(visit, "passkey_added", "The passkey is added.")


async def remove_passkey(visit: Visit) -> Go:
    """Forget a passkey."""
    await visit.rooms.people.passkeys.remove(visit.known.person, visit.id())
    return await _proved(visit, "passkey_removed", "The passkey is removed.")


async def revoke(visit: Visit) -> Go:
    """End one of one's sessions; one's own is a sign-out."""
    await visit.rooms.people.sessions.revoke(visit.known.person, visit.id())
    await _noted(visit, "session_ended")
    if visit.id() == visit.known.id:
        return Go("/sign-in?out=1", ends=True)
    return Go(f"{_HERE}#sessions", Said("The session has ended."))


async def revoke_others(visit: Visit) -> Go:
    """End all but this one."""
    await visit.rooms.people.sessions.revoke_others(visit.known)
    await _noted(visit, "sessions_ended")
    return Go(f"{_HERE}#sessions", Said("Your other sessions have ended."))


async def _codes(visit: Visit, what: str, text: str) -> View:
    people, session = visit.rooms.people, visit.known
    await _noted(visit, what)
    codes = await people.recovery.renew(session.person)
    await people.sessions.revoke_others(session)
    token = await people.sessions.prove(session)
    return View({"codes": codes, "told": text}, template="people/codes.html", title="Recovery codes", token=token)


async def _proved(visit: Visit, what: str, text: str) -> Go:
    """Who may sign in as this person has changed: other sessions end, and this one's token is another."""
    people, session = visit.rooms.people, visit.known
    await _noted(visit, what)
    await people.sessions.revoke_others(session)
    token = await people.sessions.prove(session)
    return Go(_HERE, Said(text), token=token)


async def _noted(visit: Visit, what: str) -> None:
    """Write down that the way in of one of a clinic's people has changed, in the log of the clinic that they look at."""
    await visit.rooms.ledger.accessed(visit.actor, what="account_changed", query={"what": what}, count=1)


_PAGE: dict[str, Any] = {"title": "Account and sign-in", "template": "people/account.html"}
_TOTP: dict[str, Any] = {"title": "Turn on codes", "template": "people/totp.html"}
PAGES = (
    Page(path=_HERE, act=show, needs=Gate.PERSON, **_PAGE),
    Page(method="POST", path="/account/name", act=rename, needs=Gate.PERSON, again=show, **_PAGE),
    Page(method="POST", path="/account/password", act=change_password, needs=Gate.PERSON, again=show, **_PAGE),
    Page(method="POST", path="/account/totp/begin", act=begin_totp, needs=Gate.PERSON, recent=True, **_TOTP),
    Page(
        method="POST", path="/account/totp", act=confirm_totp, needs=Gate.PERSON, recent=True, again=begin_totp, **_TOTP
    ),
    Page(
        path="/account/totp/off", act=ask_totp_off, needs=Gate.PERSON, title="Turn codes off?",
        template="confirm.html",
    ),
    Page(method="POST", path="/account/totp/off", act=totp_off, needs=Gate.PERSON, recent=True),
    Page(method="POST", path="/account/recovery", act=renew_codes, needs=Gate.PERSON, recent=True),
    Page(method="POST", path="/account/passkeys/options", act=passkey_options, needs=Gate.PERSON, recent=True),
    Page(
        method="POST", path="/account/passkeys", act=add_passkey, needs=Gate.PERSON, recent=True, again=show, **_PAGE
    ),
    Page(method="POST", path="/account/passkeys/{id:uuid}/remove", act=remove_passkey, needs=Gate.PERSON, recent=True),
    Page(method="POST", path="/account/sessions/{id:uuid}/revoke", act=revoke, needs=Gate.PERSON),
    Page(method="POST", path="/account/sessions/others", act=revoke_others, needs=Gate.PERSON),
)  # fmt: skip
