"""What recipients signed: who needs an agreement and why, what is on file, what ends soon. A clinic records it here."""

from __future__ import annotations

from typing import Any, Final

from gateway.errors import NotFound
from gateway.flows.agree import Terms, agree
from gateway.flows.covered import Covered, covered
from gateway.web.page import Go, Page, Said, View, Visit
from gateway.web.typed import Typed, local_day
from gateway.web.words import AGREEMENTS, country
from scopes.agreement import AgreementKind
from scopes.scope import Area, Scope, Verb

READ: Final = Scope(Area.AGREEMENTS, Verb.READ)
_WRITE: Final = Scope(Area.AGREEMENTS, Verb.WRITE)
_HERE: Final = "/settings/agreements"
_ONE: Final = f"{_HERE}/of/{{recipient:path}}"


async def show(visit: Visit) -> View:
    """Every recipient with its agreement: those that are in use, then those that might be."""
    found = await covered(visit.tenant, visit.rooms)
    policy = await visit.rooms.agreements.policy(visit.tenant)
    told = [_told(each, visit) for each in found]
    return View(
        {
            "used": [each for each in told if each["of"].in_use], "others": [each for each in told if not each["of"].in_use],
            "soon": [each for each in told if each["soon"]], "changes": visit.may(_WRITE),
            "law": AGREEMENTS[policy.agreement_kind] if policy.agreement_kind else None,
            "jurisdiction": country(policy.jurisdiction) if policy.jurisdiction else None,
        }
    )  # fmt: skip


async def show_one(visit: Visit) -> View:
    """One recipient's agreement, to record in place of the one before."""
    one = await _one(visit)
    policy, signed, form = await visit.rooms.agreements.policy(visit.tenant), one.signed, visit.form
    typed = "kind" in form or "from" in form
    kinds = [(str(kind), AGREEMENTS[kind]) for kind in one.rule.kinds]
    services = set(form.all("services")) if typed else signed.services if signed else set(one.rule.services)
    return View(
        {
            **_told(one, visit), "kinds": kinds, "unsigned": [AGREEMENTS[k] for k in AgreementKind if k not in one.rule.kinds],
            "kind": form.text("kind") or (str(signed.kind) if signed else kinds[0][0]), "services": services,
            "since": form.text("from") if typed else local_day(signed.since if signed else None, policy.time_zone),
            "until": form.text("until") if typed else local_day(signed.until if signed else None, policy.time_zone, last=True),
            "zone": policy.time_zone, "changes": visit.may(_WRITE),
        }
    )  # fmt: skip


async def record(visit: Visit) -> Go:
    """Record what was signed; a date that was not touched keeps its exact moment."""
    one = await _one(visit)
    policy, signed = await visit.rooms.agreements.policy(visit.tenant), one.signed
    typed = Typed(visit.form, policy.time_zone)
    kind = typed.choice("kind", AgreementKind, "Choose what was signed.")
    since, until = typed.day("from"), typed.last_day("until")
    typed.check()
    if signed is not None and visit.form.text("from") == local_day(signed.since, policy.time_zone):
        since = signed.since
    if signed is not None and visit.form.text("until") == local_day(signed.until, policy.time_zone, last=True):
        until = signed.until
    services = tuple(visit.form.all("services"))
    await agree(visit.actor, one.id, Terms(kind=kind, services=services, since=since, until=until), visit.rooms)
    return Go(_HERE, Said("The agreement is recorded. It counts from the next call on."))


async def _one(visit: Visit) -> Covered:
    wanted = str(visit.path["recipient"])
    for each in await covered(visit.tenant, visit.rooms):
        if each.id == wanted:
            return each
    raise NotFound("there is no such recipient")


def _told(one: Covered, visit: Visit) -> dict[str, Any]:
    """A recipient in words."""
    now, signed = visit.rooms.clock(), one.signed
    state, tone = _state(one, now)
    soon = signed is not None and signed.expires_soon(now)
    return {
        "of": one, "state": state, "tone": tone, "soon": soon, "days": signed.days_left(now) if signed else None,
        "signed_as": AGREEMENTS[signed.kind] if signed else None, "country": country(one.country),
        "because": _because(one), "missing": _missing(one),
    }  # fmt: skip


def _state(one: Covered, now: Any) -> tuple[str, str]:
    signed = one.signed
    if signed is None:
        return ("Missing", "bad") if one.needs and one.in_use else ("None on file", "off")
    if signed.expired(now):
        return "Expired", "bad" if one.needs else "off"
    if signed.expires_soon(now):
        return "Ends soon", "warn"
    return ("In force", "good") if signed.in_force(now) else ("Begins later", "wait")


def _because(one: Covered) -> str:
    """Why an agreement is needed, or that none is."""
    if not one.needs:
        return "Needs none, as things stand."
    if one.by_law is not None and one.always:
        return (
            f"Needed: the recipient handles data for the clinic, and the clinic's law asks for a {one.by_law.upper()}."
        )
    if one.by_law is not None:
        return f"Needed: the clinic's law asks for a {one.by_law.upper()} before data about patients leaves."
    return "Needed: the recipient handles data for the clinic."


def _missing(one: Covered) -> str:
    """What is refused today for want of an agreement."""
    if not one.in_use:
        return ""
    if one.lacking is not None:
        return f"Until one is in force, these are refused: {', '.join(one.needs)}."
    if one.uncovered:
        return f"Not covered, and so refused: {', '.join(one.uncovered)}."
    return ""


_PAGE: Final[dict[str, Any]] = {"title": "Agreement", "template": "settings/agreement.html"}
PAGES = (
    Page(path=_HERE, act=show, needs=READ, title="Agreements", template="settings/agreements.html"),
    Page(path=_ONE, act=show_one, needs=READ, **_PAGE),
    Page(method="POST", path=_ONE, act=record, needs=_WRITE, again=show_one, **_PAGE),
)
