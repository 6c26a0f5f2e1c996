"""What people agreed to: look somebody up, record a consent, withdraw one. The host's reference never stands in an address."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from gateway.consents import ConsentRow, Evidence, NewConsent, consent_of, faults_of
from gateway.errors import InvalidRequest
from gateway.flows.due import cancel
from gateway.flows.waiting import of_subject
from gateway.web.page import Go, Page, Said, View, Visit
from gateway.web.typed import Typed, id_in, local_day, local_minute
from gateway.web.words import CHANNELS, PURPOSES, purposes, zones
from scopes.consent import REACHING, Channel, Consent
from scopes.scope import Area, Scope, Verb
from scopes.vocabulary import Purpose

READ: Final = Scope(Area.CONSENTS, Verb.READ)
_WRITE: Final = Scope(Area.CONSENTS, Verb.WRITE)
_CALL_BACK: Final = Scope(Area.CALLS, Verb.WRITE)
_WAITING: Final = Scope(Area.CALLS, Verb.READ)
_HERE: Final = "/settings/consents"
_MOST: Final = 200
_LONGEST_REFERENCE: Final = 255
_LONGEST_EVIDENCE: Final = 256
# What messages to people are for, as a person at the desk would begin the list; the rest follows.
_FIRST: Final = (Purpose.TREAT, Purpose.HOPERAT, Purpose.PATADMIN, Purpose.CAREMGT, Purpose.HPAYMT)


async def show(visit: Visit) -> View:
    """Where somebody is looked up."""
    return View({"changes": visit.may(_WRITE)})


async def search(visit: Visit) -> View | Go:
    """Find somebody by the host's reference or by their pseudonym; who has no consent yet may be given one."""
    typed = Typed(visit.form)
    reference = typed.text("subject", _LONGEST_REFERENCE, "Write how your system knows the person, or a pseudonym.")
    typed.check()
    clinic = await visit.rooms.connections.clinic(visit.tenant)
    pseudonym = id_in(reference)
    for subject in (await visit.rooms.subjects.known(visit.tenant, reference, keyed=clinic), pseudonym):
        if subject is not None and await _found(visit, subject, at_most=1):
            return Go(f"{_HERE}/of/{subject}")
    await _record(visit, None, 0)
    words = {"unknown": True} if visit.may(_WRITE) else {"nobody": True}
    if not visit.may(_WRITE):
        return View({"changes": False, **words})
    return View({**await _form(visit), **words}, template="settings/consent_new.html", title="Record a consent")


async def of_person(visit: Visit) -> View:
    """Everything that one person agreed to or took back, and what waits for them. The look is recorded."""
    subject, now = visit.id(), visit.rooms.clock()
    found = await _found(visit, subject, at_most=_MOST)
    await _record(visit, subject, len(found))
    waiting = await of_subject(visit.actor, subject, _MOST, visit.rooms) if visit.may(_WAITING) else []
    return View(
        {
            "subject": subject, "consents": [_told(each, now) for each in reversed(found)], "waiting": waiting,
            "changes": visit.may(_WRITE), "calls_back": visit.may(_CALL_BACK),
            "holding": _holding([consent_of(each) for each in found], now),
        }
    )  # fmt: skip


async def show_new(visit: Visit) -> View:
    """The form for a consent of somebody new."""
    return View(await _form(visit))


async def show_again(visit: Visit) -> View:
    """The form for one more consent of somebody who is known."""
    return View(await _form(visit, visit.id()))


async def give(visit: Visit) -> Go:
    """Record a consent of a person as the host knows them."""
    row = await visit.rooms.consents.give(visit.actor, await _new(visit, None))
    return Go(f"{_HERE}/of/{row.subject}", Said("The consent is recorded. It counts from the next message on."))


async def give_again(visit: Visit) -> Go:
    """Record one more consent of somebody who is known."""
    await visit.rooms.consents.give(visit.actor, await _new(visit, visit.id()))
    return Go(f"{_HERE}/of/{visit.id()}", Said("The consent is recorded. It counts from the next message on."))


async def ask_withdraw(visit: Visit) -> View:
    """Ask once more, and say from when it counts."""
    row = await visit.rooms.consents.one(visit.tenant, visit.id())
    told = _told(row, visit.rooms.clock())
    return View(
        {
            "heading": "Withdraw this consent?",
            "text": "It takes effect at once, on every message that is not yet written: what waits is not sent either. "
            "What went out before stays in the log. A new consent can be recorded at any time.",
            "pairs": [("For", told["for"]), ("By", told["by"]), ("Now", told["state"])],
            "action": f"{_HERE}/{row.id}/withdraw", "submit": "Withdraw the consent", "back": f"{_HERE}/of/{row.subject}",
        }
    )  # fmt: skip


async def withdraw(visit: Visit) -> Go:
    """Take a consent back."""
    row = await visit.rooms.consents.one(visit.tenant, visit.id())
    await visit.rooms.consents.withdraw(visit.actor, row.id)
    return Go(f"{_HERE}/of/{row.subject}", Said("The consent is withdrawn. Nothing more is sent that needs it."))


async def call_back(visit: Visit) -> Go:
    """Call back a message that waits."""
    await cancel(visit.actor, visit.id(), visit.rooms)
    subject = id_in(visit.form.text("subject"))
    return Go(f"{_HERE}/of/{subject}" if subject else _HERE, Said("The message is called back. It is not sent."))


async def _form(visit: Visit, subject: UUID | None = None) -> dict[str, Any]:
    """What the form shows: what reaches people here, and the clinic's own clock."""
    policy = await visit.rooms.agreements.policy(visit.tenant)
    rules = [each.rule for connector in visit.rooms.registry.connectors.values() for each in connector.actions.values()]
    served = {purpose for rule in rules if rule.channel is not None for purpose in rule.purposes}
    ordered = [*(each for each in _FIRST if each in served), *sorted(served - set(_FIRST))]
    used = {rule.channel for rule in rules if rule.channel is not None}
    now = visit.rooms.clock()
    return {
        "purposes": [(str(each), PURPOSES[each]) for each in ordered],
        "channels": [(str(each), CHANNELS[each], each in used) for each in REACHING],
        "zones": [("", f"The clinic's own ({policy.time_zone})"), *((zone, zone) for zone in zones())],
        "zone": policy.time_zone, "now": local_minute(now, policy.time_zone), "today": local_day(now, policy.time_zone),
        "subject": subject, "unknown": False,
        "action": f"{_HERE}/new" if subject is None else f"{_HERE}/of/{subject}/new",
    }  # fmt: skip


async def _new(visit: Visit, subject: UUID | None) -> NewConsent:
    """The consent that the form describes. Raises InvalidRequest."""
    policy = await visit.rooms.agreements.policy(visit.tenant)
    typed = Typed(visit.form, policy.time_zone)
    reference = (
        typed.text("subject", _LONGEST_REFERENCE, "Write how your system knows the person.") if subject is None else ""
    )
    when = typed.moment("evidence.when")
    new = NewConsent(
        subject=subject or reference,
        purposes=typed.choices("purposes", Purpose, "Choose at least one purpose."),
        channels=typed.choices("channels", Channel, "Choose at least one channel."),
        evidence=Evidence(
            typed.text("evidence.how", _LONGEST_EVIDENCE, "Write how it was given, such as: on paper, at the desk."),
            when or visit.rooms.clock(),
            typed.text(
                "evidence.wording", _LONGEST_EVIDENCE, "Name the wording that the person saw, such as: sms-2026-03."
            ),
        ),
        expires_at=typed.last_day("expires_at"),
        time_zone=typed.zone("time_zone"),
    )
    typed.check()
    faults = list(faults_of(new, visit.rooms.clock()))
    if faults:
        raise InvalidRequest(faults=faults)
    return new


async def _found(visit: Visit, subject: UUID, *, at_most: int) -> list[ConsentRow]:
    return await visit.rooms.consents.page(visit.tenant, subject=subject, after=None, limit=at_most)


async def _record(visit: Visit, subject: UUID | None, count: int) -> None:
    """Write down who looked for whom."""
    sought = {"subject": str(subject) if subject is not None else None}
    await visit.rooms.ledger.accessed(visit.actor, what="consents", query=sought, count=count)


def _told(row: ConsentRow, now: datetime) -> dict[str, Any]:
    """A consent in words."""
    state, tone, since = _state(consent_of(row), now)
    by = ", ".join(CHANNELS[each] for each in row.channels)
    return {
        "id": row.id, "for": purposes(row.purposes), "by": by, "state": state, "tone": tone, "since": since,
        "given_at": row.given_at, "expires_at": row.expires_at, "zone": row.time_zone, "live": row.withdrawn_at is None,
        "stopped": row.stopped,
    }  # fmt: skip


def _state(consent: Consent, now: datetime) -> tuple[str, str, datetime | None]:
    """How a consent stands: a word, its tone, since when."""
    if consent.withdrawn:
        return "Withdrawn", "bad", consent.withdrawn_at
    if consent.expired(now):
        return "Expired", "off", consent.expires_at
    if consent.given_at > now:
        return "Begins later", "wait", consent.given_at
    return "In force", "good", consent.given_at


def _holding(consents: list[Consent], now: datetime) -> list[Mapping[str, str]]:
    """What may reach the person as things stand: by channel, for which purposes."""
    found: list[Mapping[str, str]] = []
    for channel in Channel:
        serving = sorted(
            {str(p) for each in consents if channel in each.channels and each.in_force(now) for p in each.purposes}
        )
        if serving:
            found.append({"channel": CHANNELS[channel], "for": purposes(serving)})
    return found


_NEW: Final[dict[str, Any]] = {"title": "Record a consent", "template": "settings/consent_new.html"}
_PERSON: Final[dict[str, Any]] = {"title": "Consents of one person", "template": "settings/consents_of.html"}
_SEARCH: Final[dict[str, Any]] = {"title": "Consents", "template": "settings/consents.html"}
PAGES = (
    Page(path=_HERE, act=show, needs=READ, **_SEARCH),
    Page(method="POST", path=_HERE, act=search, needs=READ, again=show, **_SEARCH),
    Page(path=f"{_HERE}/new", act=show_new, needs=_WRITE, **_NEW),
    Page(method="POST", path=f"{_HERE}/new", act=give, needs=_WRITE, again=show_new, **_NEW),
    Page(path=f"{_HERE}/of/{{id:uuid}}", act=of_person, needs=READ, **_PERSON),
    Page(path=f"{_HERE}/of/{{id:uuid}}/new", act=show_again, needs=_WRITE, **_NEW),
    Page(method="POST", path=f"{_HERE}/of/{{id:uuid}}/new", act=give_again, needs=_WRITE, again=show_again, **_NEW),
    Page(
        path=f"{_HERE}/{{id:uuid}}/withdraw", act=ask_withdraw, needs=_WRITE, title="Withdraw", template="confirm.html"
    ),
    Page(method="POST", path=f"{_HERE}/{{id:uuid}}/withdraw", act=withdraw, needs=_WRITE),
    Page(method="POST", path=f"{_HERE}/waiting/{{id:uuid}}/cancel", act=call_back, needs=_CALL_BACK),
)
