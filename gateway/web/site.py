"""Take a browser's request to its page and back: session, gate, form, work, template, errors. Knows no page by name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.config import Settings
from gateway.errors import Conflict, Forbidden, GatewayError, InvalidRequest
from gateway.flows.rooms import Rooms
from gateway.people import Session
from gateway.people.roles import TITLES
from gateway.people.sessions import form_token, new_token
from gateway.people.throttle import TooOften
from gateway.web.browser import (
    Cookies,
    address_of,
    check_form,
    device_of,
    origin_of,
    own_path,
    page_headers,
    token_in,
)
from gateway.web.dress import STATIC, Dress, Statics
from gateway.web.forms import MOST_BYTES, Form, form_of
from gateway.web.page import Content, Gate, Go, Page, Tab, View, Visit
from gateway.web.problems import known
from gateway.web.reading import ClientGone, Headers, Limits, request_id
from scopes.scope import Scope, includes

SIGN_IN: Final = "/sign-in"
CONFIRM: Final = "/confirm"
_HTML: Final = "text/html; charset=utf-8"


class Site:
    """Turns pages into routes."""

    def __init__(self, rooms: Rooms, settings: Settings, pages: Iterable[Page], tabs: Sequence[Tab]) -> None:
        self._rooms = rooms
        self._settings = settings
        self._tabs = tabs
        self._cookies = Cookies(secure=(settings.public_url or "").startswith("https://"))
        self._limits = Limits(min(settings.max_body_bytes, MOST_BYTES), settings.body_seconds)
        self._statics = Statics()
        self._dress = Dress(self._statics, prefix=urlsplit(settings.public_url or "").path)
        self._by_path: dict[str, dict[str, Page]] = {}
        for page in pages:
            self._by_path.setdefault(page.path, {})[page.method] = page

    def routes(self) -> list[Route]:
        """One route per path, and the files beside the pages."""
        found = [self._route(path, methods) for path, methods in self._by_path.items()]
        return [*found, Route(f"{STATIC}{{name:path}}", self._statics.serve, methods=["GET"])]

    async def missing(self, request: Request, error: GatewayError) -> Response:
        """A page for an address where nothing is."""
        try:
            return await self._problem(request, None, error, request_id(request.scope["headers"]))
        except Exception as failure:
            return self._bare(failure, request_id(request.scope["headers"]))

    def _route(self, path: str, methods: Mapping[str, Page]) -> Route:
        async def endpoint(request: Request) -> Response:
            asked = request_id(request.scope["headers"])
            page = methods["GET" if request.method == "HEAD" else request.method]
            try:
                return await self._answered(page, request, asked)
            except ClientGone:
                return Response(status_code=400)  # nobody reads it
            except Exception as failure:
                try:
                    return await self._problem(request, page, failure, asked)
                except Exception as second:  # the database is away: not even the session can be looked up
                    return self._bare(second, asked)

        return Route(path, endpoint, methods=list(methods))

    async def _answered(self, page: Page, request: Request, asked: str) -> Response:
        """The steps in their order; no form is read before its sender may send it."""
        session = await self._session(request, seen=not page.quiet)
        if page.needs is not Gate.OPEN and (session is None or session.waits):
            return self._to_sign_in(request)
        _let_in(page, session)
        visit = await self._visit(page, request, session, asked)
        if page.recent and not visit.known.is_recent(self._rooms.clock()):
            return self._to(f"{CONFIRM}?next={quote(self._back(request), safe='/')}", visit, asked)
        try:
            found = await page.act(visit)
        except (InvalidRequest, Conflict) as error:
            if page.again is None:
                raise
            visit, found = await self._once_more(page, visit, error)
        return await self._response(page, visit, found, asked)

    async def _session(self, request: Request, *, seen: bool = True) -> Session | None:
        token = token_in(request, self._cookies.session)
        return await self._rooms.people.sessions.find(token, seen=seen) if token is not None else None

    async def _visit(self, page: Page, request: Request, session: Session | None, asked: str) -> Visit:
        origin, prefix = origin_of(request, self._settings.public_url)
        cookie = session.token if session is not None else token_in(request, self._cookies.browser) or new_token()
        form = Form()
        if page.method == "POST":
            headers = Headers(request.scope["headers"])
            raw = await headers.body(request.receive, self._limits)
            form = form_of(request.headers.get("content-type", "").encode("latin-1"), raw)
            check_form(request, cookie, form.exact("csrf"), origin=origin)
        return Visit(
            rooms=self._rooms, request_id=asked, path=dict(request.path_params), query=dict(request.query_params),
            form=form, cookie=cookie, address=address_of(request, proxies=self._settings.trusted_proxies),
            device=device_of(request), origin=origin, base=origin + prefix, session=session,
        )  # fmt: skip

    async def _once_more(self, page: Page, visit: Visit, error: GatewayError) -> tuple[Visit, View | Go]:
        """The form again, with what was typed and what is wrong with it."""
        assert page.again is not None
        faults = {fault.path: sentence(fault.message) for fault in getattr(error, "faults", ())}
        told = sentence(error.detail) if not faults else None
        visit = replace(visit, faults=faults, problem=told)
        found = await page.again(visit)
        return visit, replace(found, status=error.status) if isinstance(found, View) else found

    async def _response(self, page: Page, visit: Visit, found: View | Go | Content, asked: str) -> Response:
        if isinstance(found, Go):
            return await self._gone(visit, found, asked)
        if isinstance(found, View) and found.token is not None:
            session = await self._rooms.people.sessions.find(found.token)
            visit = replace(visit, cookie=found.token, session=replace(session, is_new=True) if session else None)
        headers = self._headers(visit.session, asked)
        response: Response
        if isinstance(found, View):
            response = Response(await self._written(page, visit, found), found.status, headers, _HTML)
        elif isinstance(found.body, AsyncIterator):
            response = StreamingResponse(found.body, found.status, {**headers, **found.headers}, found.media)
        else:
            response = Response(found.body, found.status, {**headers, **found.headers}, found.media)
        self._keep_cookie(response, visit)
        return response

    async def _gone(self, visit: Visit, go: Go, asked: str) -> Response:
        if go.said is not None and visit.session is not None and not go.ends:
            await self._rooms.people.sessions.say(visit.session, {"text": go.said.text, "tone": go.said.tone})
        response = self._to(go.to, visit, asked, elsewhere=go.elsewhere)
        if go.token is not None or go.ends:
            embedded = go.embedded or (visit.session is not None and bool(visit.session.frames))
            written = self._cookies.written(self._cookies.session, go.token, embedded=embedded)
            response.headers.append("set-cookie", written)
            response.headers.append("set-cookie", self._cookies.written(self._cookies.browser, None))
        else:
            self._keep_cookie(response, visit)
        return response

    def _to(self, path: str, visit: Visit | None, asked: str, *, elsewhere: bool = False) -> Response:
        if not elsewhere:
            page, mark, part = path.partition("#")  # which part of the page, where that is said
            path = urlsplit(self._settings.public_url or "").path + (own_path(page) or "/") + mark + quote(part)
        headers = {**self._headers(visit.session if visit is not None else None, asked), "location": path}
        return Response(b"", 303, headers)

    def _to_sign_in(self, request: Request) -> Response:
        asked = request_id(request.scope["headers"])
        back = self._back(request)
        path = SIGN_IN if back == "/" else f"{SIGN_IN}?next={quote(back, safe='/')}"
        return self._to(path, None, asked)

    def _back(self, request: Request) -> str:
        """Where to come back to: this page; of a form the page that it stands on."""
        path: str = request.url.path
        if request.method in ("GET", "HEAD"):
            return own_path(f"{path}?{request.url.query}" if request.url.query else path) or "/"
        while path and "GET" not in self._by_path.get(path, {}):
            path = path.rpartition("/")[0]
        return path or "/"

    def _keep_cookie(self, response: Response, visit: Visit) -> None:
        """Tell the browser a token that is new to it."""
        if visit.session is None:
            response.headers.append("set-cookie", self._cookies.written(self._cookies.browser, visit.cookie))
        elif visit.session.is_new:
            embedded = bool(visit.session.frames)
            written = self._cookies.written(self._cookies.session, visit.session.token, embedded=embedded)
            response.headers.append("set-cookie", written)

    async def _written(self, page: Page | None, visit: Visit, view: View) -> str:
        template = view.template or (page.template if page is not None else None) or "problem.html"
        words = {
            **await self._around(visit, tells=page is None or not page.quiet),
            "title": view.title or (page.title if page is not None else ""),
            "wide": page is not None and page.wide,
            "faults": visit.faults,
            "problem": visit.problem,
            "form": visit.form,
            **view.words,
        }
        return self._dress.page(template, words)

    async def _around(self, visit: Visit, *, tells: bool) -> dict[str, Any]:
        """What the base template shows around every page."""
        session = visit.session if visit.session is not None and not visit.session.waits else None
        words: dict[str, Any] = {"csrf": form_token(visit.cookie), "session": session, "may": visit.may, "said": None}
        words |= {"tabs": (), "clinic": None, "role_title": ""}
        if session is not None:
            words["tabs"] = [tab for tab in self._tabs if includes(session.actor.scopes, tab.needs)]
            words["clinic"] = (await self._rooms.connections.clinic(session.tenant)).name
            words["role_title"] = TITLES[session.role]
            words["said"] = session.said if tells else None
            if session.said is not None and tells:
                await self._rooms.people.sessions.say(session, None)
        return words

    async def _problem(self, request: Request, page: Page | None, failure: Exception, asked: str) -> Response:
        """A calm page that says what happened and what to do."""
        error, quiet = known(failure, asked), page is not None and page.quiet
        session = await self._session(request, seen=not quiet)
        origin, prefix = origin_of(request, self._settings.public_url)
        cookie = session.token if session is not None else token_in(request, self._cookies.browser) or new_token()
        visit = Visit(
            rooms=self._rooms, request_id=asked, path={}, query={}, form=Form(), cookie=cookie, address="",
            device="", origin=origin, base=origin + prefix, session=session,
        )  # fmt: skip
        view = View(_told(error, asked), error.status, "problem.html", _TITLES.get(error.status, "That did not work"))
        response = await self._response(Page(path="", act=_nothing, needs=Gate.OPEN, quiet=quiet), visit, view, asked)
        if isinstance(error, TooOften):
            response.headers["retry-after"] = str(error.seconds)
        return response

    def _bare(self, failure: Exception, asked: str) -> Response:
        """The same without a session, when even that cannot be found."""
        error = known(failure, asked)
        words = {
            "csrf": "", "session": None, "said": None, "tabs": (), "clinic": None, "role_title": "", "wide": False,
            "faults": {}, "problem": None, "form": Form(), "title": _TITLES.get(error.status, "That did not work"),
            **_told(error, asked),
        }  # fmt: skip
        headers = {**self._headers(None, asked), **({"retry-after": "2"} if error.status == 503 else {})}
        return Response(self._dress.page("problem.html", words), error.status, headers, _HTML)

    def _headers(self, session: Session | None, asked: str) -> dict[str, str]:
        frames = session.frames if session is not None else ()
        return {**page_headers(frames, secure=self._cookies.secure), "x-request-id": asked}


_TITLES: Final = {
    400: "This cannot be done as asked",
    401: "Sign in first",
    403: "This is not open to you",
    404: "There is nothing here",
    405: "This cannot be done here",
    408: "That took too long",
    409: "This does not fit any more",
    413: "That is too much at once",
    429: "Wait a little",
    503: "Not available right now",
}


async def _nothing(visit: Visit) -> View:
    return View()


def _told(error: GatewayError, asked: str) -> dict[str, Any]:
    return {
        "status": error.status, "detail": sentence(error.detail), "fix": sentence(error.fix), "request_id": asked,
    }  # fmt: skip


def sentence(text: str) -> str:
    """A message of ours as a page tells it."""
    text = text[:1].upper() + text[1:]
    return text if not text or text.endswith((".", "?")) else f"{text}."


def _let_in(page: Page, session: Session | None) -> None:
    if isinstance(page.needs, Scope) and (session is None or not includes(session.actor.scopes, page.needs)):
        raise Forbidden("your role in this clinic does not open this page", fix="Ask an owner of the clinic.")
