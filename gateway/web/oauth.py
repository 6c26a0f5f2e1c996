"""/oauth/start and /oauth/callback: where a person comes to allow a connection, and where the vendor sends them back.

Two small pages without a script. They take no address from anybody: where a person goes is the manifest's, and where they
end is here. Everything that is secret in an address is used up by then, and no page tells it on (no referrer).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connectors.oauth import OAuthRule
from gateway.errors import BodyTooLarge, InvalidRequest
from gateway.flows import authorize
from gateway.flows.authorize import AnswerRefusedHere, Back, Finished, Offer
from gateway.flows.rooms import Rooms
from gateway.log import Log
from gateway.oauth.room import CALLBACK, START
from gateway.web import browser
from gateway.web import oauth_pages as pages
from gateway.web.browser import token_in
from gateway.web.page import INTEGRATIONS
from gateway.web.problems import told
from gateway.web.reading import ClientGone, Headers, Limits, request_id

log = Log("gateway.web")

_SECONDS: Final = 3600
_MOST_FORM_BYTES: Final = 4096
_LONGEST_QUERY: Final = 8192
_SEE_OTHER: Final = 303
_FORM: Final = b"application/x-www-form-urlencoded"
_TAKEN: Final = frozenset({"state", "code", "iss", "error", "tenant", "admin_consent"})  # all else goes unread


@dataclass(frozen=True, slots=True)
class _Cookies:
    """The names and the manner of the cookies. Over TLS a name says that nobody but this very host has set it."""

    secure: bool

    def name(self, kind: str, attempt: str = "") -> str:
        """A cookie's name; each attempt has its own, so that two tabs do not get into each other's way."""
        return f"{'__Host-' if self.secure else ''}gateway-{kind}{'-' + attempt if attempt else ''}"

    def put(self, response: Response, name: str, value: str, *, strict: bool) -> None:
        """Set a cookie for an hour, out of every script's reach."""
        response.set_cookie(
            name, value, max_age=_SECONDS, path="/", secure=self.secure, httponly=True,
            samesite="strict" if strict else "lax",
        )  # fmt: skip

    def drop(self, response: Response, name: str) -> None:
        """Forget a cookie."""
        response.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite="lax")


class OAuthPages:
    """The two pages."""

    def __init__(self, rooms: Rooms, limits: Limits) -> None:
        self._rooms = rooms
        self._limits = Limits(_MOST_FORM_BYTES, limits.body_seconds)
        self._cookies = _Cookies(rooms.oauth.secure)

    def routes(self) -> list[Route]:
        """Their routes."""
        return [
            Route(START, self._told(self._start), methods=["GET", "POST"]),
            Route(CALLBACK, self._told(self._callback), methods=["GET"]),
        ]

    def _told(self, answer: Any) -> Any:
        """Whatever goes wrong is a page too: a person sees it, and nothing of the request is in it."""

        async def endpoint(request: Request) -> Response:
            asked = request_id(request.scope["headers"])
            try:
                response: Response = await answer(request)
            except ClientGone:
                return Response(status_code=400)
            except AnswerRefusedHere as refused:
                response = pages.page(pages.refused(refused.code), status=400)
            except Exception as failure:
                response = pages.page(pages.failed(failure), status=told(failure, asked).status)
            response.headers["x-request-id"] = asked
            return response

        return endpoint

    async def _start(self, request: Request) -> Response:
        return await (self._go(request) if request.method == "POST" else self._offer(request))

    async def _offer(self, request: Request) -> Response:
        """Say what for, and to whom. Looking uses nothing up: mail programs look at every link."""
        link = _parameters(request.scope["query_string"].decode("latin-1"), {"link"}).get("link", "")
        offer = await authorize.offer(link, self._rooms)
        ours = secrets.token_urlsafe(24)
        place = urlsplit(offer.page)
        response = pages.page(_offered(offer, link, ours), goes_to=f"{place.scheme}://{place.netloc}")
        self._cookies.put(response, self._cookies.name("offer"), ours, strict=True)
        return response

    async def _go(self, request: Request) -> Response:
        """Go on to the vendor, from our own page only: nobody is sent there by a form on somebody else's."""
        form = await self._form(request)
        cookie = request.cookies.get(self._cookies.name("offer"), "")
        if not cookie or not hmac.compare_digest(cookie.encode(), form.get("offer", "").encode()):
            raise AnswerRefusedHere("not_from_our_page")
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise AnswerRefusedHere("not_from_our_page")
        link = form.get("link", "")
        going = await authorize.go(link, self._rooms, as_admin=form.get("as") == "admin")
        response = _sent_on(going.url)
        self._cookies.put(response, self._cookies.name("oauth", _attempt_of(link)), going.browser, strict=False)
        self._cookies.drop(response, self._cookies.name("offer"))
        return response

    async def _callback(self, request: Request) -> Response:
        """What the vendor says, by way of the person's browser."""
        given = _parameters(request.scope["query_string"].decode("latin-1"), _TAKEN)
        name = self._cookies.name("oauth", _attempt_of(given.get("state", "")))
        try:
            finished = await authorize.finish(given, request.cookies.get(name, ""), self._rooms)
        except AnswerRefusedHere as refused:
            if refused.back is None:
                raise
            return await self._led_back(request, refused.back, pages.why(refused.code), "bad")
        if finished.again is not None:
            return _sent_on(finished.again)  # the cookie stays: the second answer is for the same browser
        if finished.back is not None:
            response = await self._led_back(request, finished.back, *_said(finished))
        else:
            response = pages.page(_shown(finished), status=200 if finished.connected else 400)
        self._cookies.drop(response, name)
        return response

    async def _led_back(self, request: Request, back: Back, text: str, tone: str) -> Response:
        """The integration's page again, with what came of it: told to whoever is signed in at that clinic."""
        token = token_in(request, browser.Cookies(self._rooms.oauth.secure).session)
        session = await self._rooms.people.sessions.find(token) if token is not None else None
        if session is not None and session.tenant == back.tenant:
            await self._rooms.people.sessions.say(session, {"text": text, "tone": tone})
        return _sent_on(f"{self._rooms.oauth.base}{INTEGRATIONS}{back.connector.id}")

    async def _form(self, request: Request) -> dict[str, str]:
        media = request.headers.get("content-type", "").encode("latin-1")
        if media.partition(b";")[0].strip().lower() != _FORM:
            raise InvalidRequest("this takes the form of the page")
        raw = await Headers(request.scope["headers"]).body(request.receive, self._limits)
        return _parameters(raw.decode("latin-1"), {"link", "offer", "as"})


def _parameters(text: str, known: Iterable[str]) -> dict[str, str]:
    """The known parameters. One that is there twice is refused: two readers may pick two (RFC 6749 3.1)."""
    if len(text) > _LONGEST_QUERY:
        raise BodyTooLarge("the address is longer than any vendor writes it")
    try:
        given = parse_qsl(text, keep_blank_values=True, max_num_fields=40)
    except ValueError:
        raise InvalidRequest("the parameters cannot be read") from None
    wanted = set(known)
    found: dict[str, str] = {}
    for name, value in given:
        if name in wanted and name in found:
            raise AnswerRefusedHere("parameter_twice")
        if name in wanted:
            found[name] = value
    return found


def _attempt_of(text: str) -> str:
    """The attempt that a link or a state names in front, in the letters that a cookie's name may have."""
    return "".join(letter for letter in text.partition(".")[0][:36] if letter in "0123456789abcdef")


def _sent_on(url: str) -> Response:
    response = RedirectResponse(url, _SEE_OTHER)
    for name, value in pages.HEADERS.items():
        response.headers[name] = value
    return response


def _offered(offer: Offer, link: str, ours: str) -> str:
    manifest = offer.connector.manifest
    oauth = manifest.credential.oauth
    features = [manifest.features[name] for name in sorted(offer.connection.grant.features)]
    return pages.offered(
        pages.Offered(
            clinic=offer.clinic,
            title=manifest.title,
            recipient=f"{manifest.recipient.legal_name}, {manifest.recipient.country}",
            features=[(feature.title, feature.why) for feature in features],
            scopes=_titles(manifest.provider_scopes, offer.asked),
            notes=_notes(oauth) if oauth is not None else [],
            host=authorize.host_of(offer.page),
            for_admins=offer.for_admins,
            own=offer.back,
            link=link,
            ours=ours,
        )
    )


def _notes(oauth: OAuthRule) -> list[str]:
    undone = f"Whoever revokes it later does not undo everything. {oauth.not_undone}"
    return [undone] if oauth.admin_note is None else [oauth.admin_note, undone]


def _shown(finished: Finished) -> str:
    manifest = finished.connector.manifest
    scopes = manifest.provider_scopes
    if not finished.connected:
        return pages.too_much(manifest.title, _titles(scopes, finished.compared.excess))
    off = [(manifest.features[name].title, _titles(scopes, lacking)) for name, lacking in finished.features_off.items()]
    return pages.connected(manifest.title, _titles(scopes, finished.compared.granted), off)


def _said(finished: Finished) -> tuple[str, str]:
    """The same in a sentence or two, and its tone, for the integration's own page."""
    manifest = finished.connector.manifest
    scopes, title = manifest.provider_scopes, manifest.title
    if not finished.connected:
        excess = ", ".join(_titles(scopes, finished.compared.excess))
        return (
            f"{title} granted more than was asked for: {excess}. It was given back, and nothing was connected.",
            "bad",
        )
    if not finished.features_off:
        return f"{title} is connected. What is switched on may leave from now on.", "good"
    lacking = dict.fromkeys(each for names in finished.features_off.values() for each in _titles(scopes, names))
    off = ", ".join(manifest.features[name].title for name in finished.features_off)
    return f"{title} is connected, but did not grant: {', '.join(lacking)}. {off}: off until you connect again.", "warn"


def _titles(declared: Mapping[str, Any], scopes: Iterable[str]) -> list[str]:
    """What scopes are called there; one that nobody declared by its own name."""
    return [declared[scope].title if scope in declared else f"“{scope}”" for scope in sorted(scopes)]
