"""Signing in on somebody else's word: a host's one-time link, a clinic's own sign-in. The flow does it; here it is led."""

from __future__ import annotations

from typing import Final

from gateway.errors import InvalidRequest, NotFound, Unauthenticated
from gateway.flows import sign_in
from gateway.flows.sign_in import LetIn
from gateway.web.browser import own_path
from gateway.web.page import Gate, Go, Page, Visit
from gateway.web.pages.home import begins

_BACK: Final = "/sign-in/oidc/callback"


class LinkRefused(InvalidRequest):
    """A link that opens nothing; why is in the log of whoever signs it, not on a page."""

    status = 400
    code = "link_refused"
    title = "This link opens nothing"


async def link(visit: Visit) -> Go:
    """Let in whom a host's link names, once."""
    try:
        let_in = await sign_in.by_link(visit.query.get("token", ""), visit.device, visit.rooms)
    except Unauthenticated as refused:
        fix = "Open the page from your clinic's system once more; each link is good once and for a minute."
        raise LinkRefused(str(refused.detail), fix=fix) from None
    return await _gone_in(visit, let_in)


async def begin(visit: Visit) -> Go:
    """Send the browser to the clinic's own sign-in."""
    back = own_path(visit.query.get("next")) or "/"
    address = await sign_in.begin(visit.id("provider"), visit.cookie, visit.base + _BACK, back, visit.rooms)
    return Go(address, elsewhere=True)


async def callback(visit: Visit) -> Go:
    """Take what the provider says."""
    if "error" in visit.query:
        raise InvalidRequest("the clinic's own sign-in said no", fix="Try again, or ask the clinic's administrators.")
    state, code = visit.query.get("state", ""), visit.query.get("code", "")
    try:
        let_in = await sign_in.finish(state, code, visit.cookie, visit.device, visit.rooms)
    except (Unauthenticated, NotFound) as refused:
        raise LinkRefused(str(refused.detail), fix="Begin again from your clinic's sign-in address.") from None
    return await _gone_in(visit, let_in)


async def _gone_in(visit: Visit, let_in: LetIn) -> Go:
    if visit.session is not None:
        await visit.rooms.people.sessions.end(visit.session)
    back = own_path(let_in.return_to)
    to = back if back not in (None, "/") else begins(let_in.role)
    return Go(str(to), token=let_in.token, embedded=let_in.embedded)


PAGES = (
    Page(path="/sign-in/link", act=link, needs=Gate.OPEN),
    Page(path=_BACK, act=callback, needs=Gate.OPEN),
    Page(path="/sign-in/with/{provider:uuid}", act=begin, needs=Gate.OPEN),
)
