"""Residency and retention: whose law, which countries, when and how often people are reached, how long events are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.errors import InvalidRequest
from gateway.flows.covered import Covered, covered
from gateway.flows.retention import MOST_DAYS, keep_days, set_keep_days
from gateway.web.page import Go, Page, Said, View, Visit
from gateway.web.typed import Typed
from gateway.web.words import CHANNELS, country, every_country, zones
from scopes.cap import Cap
from scopes.consent import REACHING, Channel
from scopes.policy import BY_LAW, UTC, Policy
from scopes.quiet import QuietHours
from scopes.scope import Area, Scope, Verb
from scopes.vocabulary import Otherwise

READ: Final = Scope(Area.AGREEMENTS, Verb.READ)
_WRITE: Final = Scope(Area.AGREEMENTS, Verb.WRITE)
_KEEPS: Final = Scope(Area.EVENTS, Verb.READ)
_KEEP: Final = Scope(Area.EVENTS, Verb.WRITE)
_HERE: Final = "/settings/policy"
_MOST_CAPS: Final = 20
_SPARE: Final = 2
_MOST_MESSAGES: Final = 1000
_MOST_HOURS: Final = 366 * 24  # as far as any cap looks back
_MOST_COUNTRIES: Final = 300
_OTHERWISE: Final = ((str(Otherwise.WAIT), "Wait until it may go"), (str(Otherwise.REFUSE), "Refuse it"))


async def show(visit: Visit) -> View:
    """The clinic's rules, and what they refuse today."""
    policy = await visit.rooms.agreements.policy(visit.tenant)
    fields = _typed(visit) if "time_zone" in visit.form else _stored(policy)
    return await _shown(visit, policy, fields)


async def check(visit: Visit) -> View:
    """What the rules on the form would refuse. Nothing is stored."""
    wanted = _wanted(visit)
    return await _shown(visit, wanted, _typed(visit), tried=True)


async def save(visit: Visit) -> Go | View:
    """Replace the rules; `check` on the button only shows what they would refuse."""
    if visit.form.text("do") == "check":
        return await check(visit)
    await visit.rooms.agreements.set_policy(visit.actor, _wanted(visit))
    return Go(_HERE, Said("The rules are in force, for everything that is not yet written."))


async def keep(visit: Visit) -> Go:
    """Say how long what events said is kept."""
    typed = Typed(visit.form)
    days = typed.number("deliveries_days", 0, MOST_DAYS)
    typed.check()
    await set_keep_days(visit.actor, days, visit.rooms)
    return Go(_HERE, Said("It is kept for so long from now on."))


async def once_more(visit: Visit) -> View:
    """The page with what was wrong; who may not see the clinic's rules is told without them."""
    if not visit.may(READ):
        raise InvalidRequest(f"write a whole number of days from 0 to {MOST_DAYS}")
    return await show(visit)


async def _shown(visit: Visit, policy: Policy, fields: Mapping[str, Any], *, tried: bool = False) -> View:
    found = await covered(visit.tenant, visit.rooms, policy=policy)
    used = [each for each in found if each.in_use]
    kept = visit.may(_KEEPS)
    return View(
        {
            **fields, "tried": tried, "changes": visit.may(_WRITE), "keeps": kept, "keeps_changes": visit.may(_KEEP),
            "days": visit.form.text("deliveries_days") or (await keep_days(visit.tenant, visit.rooms) if kept else 0),
            "most_days": MOST_DAYS, "refused": [_refused(each) for each in used if each.refused], "used": len(used),
            "where": [(each.title, ", ".join(country(code) for code in each.regions)) for each in used],
            "codes": sorted({code for each in used for code in each.regions}), "otherwise": _OTHERWISE,
            "jurisdictions": [("", "Not said"), *every_country().items()], "zones": [(zone, zone) for zone in zones()],
            "channels": [("", "Each channel by itself"), *((str(each), CHANNELS[each]) for each in REACHING)],
            "law": BY_LAW.get(fields["jurisdiction"]), "law_name": country(fields["jurisdiction"] or ""),
        }
    )  # fmt: skip


def _refused(one: Covered) -> Mapping[str, Any]:
    """What the rules refuse of one recipient, in words."""
    why = list(_reasons(one))
    return {"title": one.title, "id": one.id, "why": why, "agreement": one.lacking is not None or bool(one.uncovered)}


def _reasons(one: Covered) -> Iterator[str]:
    if one.outside:
        named = (
            "no country of its own that it names"
            if one.outside == ("unknown",)
            else ", ".join(map(country, one.outside))
        )
        yield f"It processes data outside the allowed countries: {named}."
    if one.lacking is not None:
        kind = f"A {one.by_law.upper()}" if one.by_law else "An agreement"
        yield f"{kind} is missing or has ended."
    if one.uncovered:
        yield f"Its agreement does not cover: {', '.join(one.uncovered)}."
    if one.barred:
        yield f"The clinic's law lets no data about patients go by {', '.join(CHANNELS[each] for each in one.barred)}."


def _stored(policy: Policy) -> dict[str, Any]:
    """The fields of the form as they are stored."""
    hours = policy.quiet_hours
    return {
        "jurisdiction": policy.jurisdiction or "", "limited": policy.allowed_regions is not None,
        "regions": ", ".join(sorted(policy.allowed_regions or ())), "zone": policy.time_zone, "quiet": hours is not None,
        "begins": f"{hours.begins:%H:%M}" if hours else "21:00", "ends": f"{hours.ends:%H:%M}" if hours else "08:00",
        "quiet_otherwise": str(hours.otherwise if hours else Otherwise.WAIT),
        "caps": [*map(_row, policy.caps), *[_EMPTY] * min(_SPARE, _MOST_CAPS - len(policy.caps))],
    }  # fmt: skip


_EMPTY: Final[Mapping[str, str]] = {"most": "", "hours": "", "channel": "", "otherwise": str(Otherwise.WAIT)}


def _row(cap: Cap) -> Mapping[str, str]:
    return {
        "most": str(cap.most), "hours": str(cap.hours), "channel": str(cap.channel or ""), "otherwise": str(cap.otherwise)
    }  # fmt: skip


def _typed(visit: Visit) -> dict[str, Any]:
    """The fields of the form as they were typed."""
    form = visit.form
    caps = [{name: form.text(f"caps[{at}].{name}") for name in _EMPTY} for at in _rows(visit)]
    return {
        "jurisdiction": form.text("jurisdiction"), "limited": form.text("regions_rule") == "listed",
        "regions": form.text("allowed_regions"), "zone": form.text("time_zone"), "quiet": form.ticked("quiet"),
        "begins": form.text("quiet.from"), "ends": form.text("quiet.until"),
        "quiet_otherwise": form.text("quiet.otherwise"), "caps": caps,
    }  # fmt: skip


def _rows(visit: Visit) -> list[int]:
    return [at for at in range(_MOST_CAPS) if f"caps[{at}].most" in visit.form]


def _wanted(visit: Visit) -> Policy:
    """The rules that the form describes. Raises InvalidRequest."""
    typed, form = Typed(visit.form), visit.form
    jurisdiction = typed.country("jurisdiction") if form.text("jurisdiction") else None
    wanted = Policy(
        jurisdiction=jurisdiction,
        allowed_regions=_regions(typed, visit) if form.text("regions_rule") == "listed" else None,
        time_zone=typed.zone("time_zone") or UTC,
        quiet_hours=_quiet(typed) if form.ticked("quiet") else None,
        caps=tuple(cap for at in _rows(visit) for cap in _cap(typed, visit, at)),
    )
    typed.check()
    return wanted


def _regions(typed: Typed, visit: Visit) -> frozenset[str]:
    """Countries by their letters, apart by commas or spaces."""
    codes = visit.form.text("allowed_regions").upper().replace(",", " ").split()
    if len(codes) > _MOST_COUNTRIES or any(code not in every_country() for code in codes):
        typed.wrong("allowed_regions", "Name countries by their two letters, such as IN, NO.")
    return frozenset(codes)


def _quiet(typed: Typed) -> QuietHours | None:
    begins, ends = typed.clock("quiet.from"), typed.clock("quiet.until")
    otherwise = typed.choice("quiet.otherwise", Otherwise, "Choose what becomes of a message then.")
    if begins == ends:
        typed.wrong("quiet.until", "Let them end at another time than they begin.")
        return None
    return QuietHours(begins=begins, ends=ends, otherwise=otherwise)


def _cap(typed: Typed, visit: Visit, at: int) -> Iterator[Cap]:
    """One row of the caps; an empty one is none."""
    name = f"caps[{at}]"
    if not visit.form.text(f"{name}.most") and not visit.form.text(f"{name}.hours"):
        return
    most, hours = typed.number(f"{name}.most", 1, _MOST_MESSAGES), typed.number(f"{name}.hours", 1, _MOST_HOURS)
    channel = (
        typed.choice(f"{name}.channel", Channel, "Choose a channel.") if visit.form.text(f"{name}.channel") else None
    )
    otherwise = typed.choice(f"{name}.otherwise", Otherwise, "Choose what becomes of a message then.")
    yield Cap(most=most, hours=hours, channel=channel, otherwise=otherwise)


_PAGE: Final[dict[str, Any]] = {"title": "Residency and retention", "template": "settings/policy.html"}
PAGES = (
    Page(path=_HERE, act=show, needs=READ, **_PAGE),
    Page(method="POST", path=_HERE, act=save, needs=_WRITE, again=show, **_PAGE),
    Page(method="POST", path=f"{_HERE}/retention", act=keep, needs=_KEEP, again=once_more, **_PAGE),
)
