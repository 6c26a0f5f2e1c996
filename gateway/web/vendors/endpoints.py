"""Endpoints: how they stand, register one, say what it hears, test, pause, resume, rotate, remove. A secret is shown once."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from gateway.errors import InvalidRequest, NotFound
from gateway.flows import endpoints as flow
from gateway.flows import fared
from gateway.flows.endpoints import Terms, Wish
from gateway.flows.place import LONGEST_URL
from gateway.web.page import Go, Page, Said, View, Visit
from gateway.web.typed import Typed
from gateway.web.vendors import hearing
from gateway.web.vendors.charted import attempts
from gateway.web.vendors.words import STATES, stands
from gateway.web.words import PURPOSES, country, every_country
from gateway.webhooks.endpoints import OVERLAP, Endpoint, Hearing, Recipient, Status
from scopes.decision import DENIED_PURPOSES
from scopes.scope import Area, Scope, Verb
from scopes.vocabulary import Purpose

READ: Final = Scope(Area.ENDPOINTS, Verb.READ)
_WRITE: Final = Scope(Area.ENDPOINTS, Verb.WRITE)
_DELIVERIES: Final = Scope(Area.EVENTS, Verb.READ)
_HERE: Final = "/vendor"
_ONE: Final = f"{_HERE}/{{id:uuid}}"
_PER_PAGE: Final = 200
_LONGEST_NAME: Final = 200
_SIGNINGS: Final = (("v1", "A shared secret (HMAC-SHA256)"), ("v1a", "A public key (Ed25519)"))
_COMMON: Final = (Purpose.TREAT, Purpose.HOPERAT, Purpose.PATADMIN, Purpose.CAREMGT, Purpose.HPAYMT)


async def listed(visit: Visit) -> View:
    """Every endpoint with how it stands; removed ones below."""
    found = await visit.rooms.endpoints.page(visit.tenant, after=None, limit=_PER_PAGE)
    health = await fared.health(visit.tenant, visit.rooms)
    now = visit.rooms.clock()
    told = [{"of": each, **stands(each, health.get(each.id), now)} for each in found]
    return View(
        {
            "endpoints": [each for each in told if each["of"].status is not Status.REMOVED],
            "removed": [each for each in told if each["of"].status is Status.REMOVED],
            "changes": visit.may(_WRITE), "sees": visit.may(_DELIVERIES),
        }
    )  # fmt: skip


async def show_new(visit: Visit) -> View:
    """The form for an endpoint."""
    purposes = [(str(each), f"{PURPOSES[each]} ({each})") for each in (*_COMMON, *sorted(set(Purpose) - set(_COMMON)))]
    return View(
        {
            "hearing": hearing.asked(None, visit.form, visit.rooms.kinds), "signings": _SIGNINGS,
            "purposes": [pair for pair in purposes if pair[0] not in DENIED_PURPOSES],
            "countries": [("", "Choose a country"), *every_country().items()],
        }
    )  # fmt: skip


async def create(visit: Visit) -> View:
    """Register an endpoint and challenge it; its secret is shown in the answer and never again."""
    typed = Typed(visit.form)
    url = typed.text("url", LONGEST_URL, "Write the address, such as https://vendor.example/webhooks.")
    name, where = (
        typed.text("recipient.name", _LONGEST_NAME, "Write who receives it."),
        typed.country("recipient.country"),
    )
    purpose = typed.choice("purpose", Purpose, "Choose what it is for.")
    wanted = _hearing(typed, visit)
    typed.check()
    wish = Wish(
        url=url, events=wanted.events, purpose=purpose, recipient=Recipient(name, where), categories=wanted.categories,
        fields=tuple(sorted(wanted.fields)), signing="v1a" if visit.form.text("signing") == "v1a" else "v1",
    )  # fmt: skip
    try:
        made = await flow.register(visit.actor, wish, visit.rooms)
    except InvalidRequest as error:
        _again(error)
    words = {"endpoint": made.endpoint, "secret": made.secret, "code": made.code, "hours": None}
    return View(words, template="vendors/secret.html", title="Endpoint registered")


async def show_one(visit: Visit) -> View:
    """One endpoint: how it stands, what it hears, what can be done with it."""
    one, now = await _one(visit), visit.rooms.clock()
    health = await fared.health(visit.tenant, visit.rooms)
    latest: list[fared.DeliveryRow] = []
    chart: dict[str, Any] = {}
    if visit.may(_DELIVERIES):
        chart = await attempts(visit, one.id)
        latest = await fared.deliveries(visit.tenant, fared.Sought(endpoint=one.id, limit=5), visit.rooms)
    return View(
        {
            "of": one, **stands(one, health.get(one.id), now), "country": country(one.recipient.country),
            "purpose": PURPOSES[one.purpose], "fields": hearing.told(_heard(one), visit.rooms.kinds), "latest": latest,
            "secrets": [row for row in one.secrets if row.expires_at is None or row.expires_at > now],
            "states": STATES,
            "changes": visit.may(_WRITE) and one.status is not Status.REMOVED, "sees": visit.may(_DELIVERIES),
            "there": one.status is not Status.REMOVED, **chart,
        }
    )  # fmt: skip


async def show_hearing(visit: Visit) -> View:
    """The form for what an endpoint hears."""
    one = await _one(visit)
    return View({"of": one, "hearing": hearing.asked(_heard(one), visit.form, visit.rooms.kinds)})


async def hear(visit: Visit) -> Go:
    """Replace what an endpoint hears."""
    typed = Typed(visit.form)
    wanted = _hearing(typed, visit)
    typed.check()
    terms = Terms(events=wanted.events, categories=wanted.categories, fields=tuple(sorted(wanted.fields)))
    try:
        await flow.regrant(visit.actor, visit.id(), terms, visit.rooms)
    except InvalidRequest as error:
        _again(error)
    return Go(f"{_HERE}/{visit.id()}", Said("It is in force, for every delivery that is not yet written."))


async def test(visit: Visit) -> Go:
    """Challenge a pending endpoint again, or send an active one a test."""
    tested = await flow.try_out(visit.actor, visit.id(), visit.rooms)
    if tested.event is not None:
        return Go(f"{_HERE}/{visit.id()}", Said("A test is on its way. Its delivery stands below in a moment.", "info"))
    if tested.code is None:
        return Go(f"{_HERE}/{visit.id()}", Said("It proved itself and hears from now on."))
    return Go(f"{_HERE}/{visit.id()}", Said(f"It did not prove itself: {tested.code}. Mend it and try again.", "warn"))


async def pause(visit: Visit) -> Go:
    """Let it hear nothing for now."""
    await flow.suspend(visit.actor, visit.id(), visit.rooms)
    return Go(f"{_HERE}/{visit.id()}", Said("It is paused. What happens from now on passes it by."))


async def resume(visit: Visit) -> Go:
    """Let it hear again."""
    await flow.resume(visit.actor, visit.id(), visit.rooms)
    return Go(f"{_HERE}/{visit.id()}", Said("It hears again."))


async def ask_rotate(visit: Visit) -> View:
    """Ask once more, and say how long the old secret still signs."""
    one = await _present(visit)
    hours = int(OVERLAP.total_seconds() // 3600)
    return View(
        {
            "heading": "Make a new signing secret?",
            "text": f"You see it once, on the next page. For {hours} hours each delivery is signed by both, so that the "
            "receiver can change over in its own time; then only the new one counts.",
            "pairs": [("Endpoint", one.url)], "action": f"{_HERE}/{one.id}/rotate", "submit": "Make a new secret",
            "back": f"{_HERE}/{one.id}",
        }
    )  # fmt: skip


async def rotate(visit: Visit) -> View:
    """Give it a new signing secret, shown this once."""
    secret = await visit.rooms.endpoints.rotate(visit.actor, visit.id())
    words = {
        "endpoint": await _one(visit),
        "secret": secret,
        "code": None,
        "hours": int(OVERLAP.total_seconds() // 3600),
    }
    return View(words, template="vendors/secret.html", title="New signing secret")


async def ask_remove(visit: Visit) -> View:
    """Ask once more."""
    one = await _present(visit)
    return View(
        {
            "heading": "Remove this endpoint?",
            "text": "It hears nothing more, its secrets are destroyed, and what waits for it is cancelled. It stays in the log.",
            "pairs": [("Address", one.url), ("Recipient", one.recipient.legal_name)],
            "action": f"{_HERE}/{one.id}/remove", "submit": "Remove the endpoint", "back": f"{_HERE}/{one.id}",
        }
    )  # fmt: skip


async def remove(visit: Visit) -> Go:
    """Remove it for good."""
    await visit.rooms.endpoints.remove(visit.actor, visit.id())
    return Go(_HERE, Said("The endpoint is removed."))


async def _one(visit: Visit) -> Endpoint:
    await visit.rooms.connections.present(visit.tenant)  # what is remembered may be another gateway's past
    return await visit.rooms.endpoints.one(visit.tenant, visit.id())


async def _present(visit: Visit) -> Endpoint:
    one = await _one(visit)
    if one.status is Status.REMOVED:
        raise NotFound("this endpoint is removed")
    return one


def _heard(one: Endpoint) -> Hearing:
    return Hearing(events=one.events, categories=one.categories, fields=one.fields)


def _hearing(typed: Typed, visit: Visit) -> Hearing:
    """What the form grants; what is wrong with it is noted."""
    try:
        return hearing.terms(visit.form, visit.rooms.kinds)
    except InvalidRequest as error:
        typed.faults += hearing.beside(error.faults)
        return Hearing(events=())


def _again(error: InvalidRequest) -> NoReturn:
    """What the flow found wrong, beside the fields of the form."""
    raise InvalidRequest(faults=hearing.beside(error.faults)) from None


_NEW: Final[dict[str, Any]] = {"title": "Register an endpoint", "template": "vendors/endpoint_new.html"}
_HEARING: Final[dict[str, Any]] = {"title": "What it hears", "template": "vendors/hearing.html"}
_SHOWN: Final[dict[str, Any]] = {"title": "Endpoint", "template": "vendors/endpoint.html"}
PAGES = (
    Page(path=_HERE, act=listed, needs=READ, title="Endpoints", template="vendors/endpoints.html"),
    Page(path=f"{_HERE}/new", act=show_new, needs=_WRITE, recent=True, **_NEW),
    Page(method="POST", path=f"{_HERE}/new", act=create, needs=_WRITE, recent=True, again=show_new, **_NEW),
    Page(path=_ONE, act=show_one, needs=READ, **_SHOWN),
    Page(path=f"{_ONE}/hearing", act=show_hearing, needs=_WRITE, **_HEARING),
    Page(method="POST", path=f"{_ONE}/hearing", act=hear, needs=_WRITE, again=show_hearing, **_HEARING),
    Page(method="POST", path=f"{_ONE}/test", act=test, needs=_WRITE, again=show_one, **_SHOWN),
    Page(method="POST", path=f"{_ONE}/pause", act=pause, needs=_WRITE, again=show_one, **_SHOWN),
    Page(method="POST", path=f"{_ONE}/resume", act=resume, needs=_WRITE, again=show_one, **_SHOWN),
    Page(path=f"{_ONE}/rotate", act=ask_rotate, needs=_WRITE, recent=True, title="Rotate", template="confirm.html"),
    Page(method="POST", path=f"{_ONE}/rotate", act=rotate, needs=_WRITE, recent=True, again=show_one, **_SHOWN),
    Page(path=f"{_ONE}/remove", act=ask_remove, needs=_WRITE, title="Remove", template="confirm.html"),
    Page(method="POST", path=f"{_ONE}/remove", act=remove, needs=_WRITE),
)
