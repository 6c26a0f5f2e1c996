"""The disclosure log: narrowed, newest first, page by page; a person's search; views that somebody named."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Final

from gateway.errors import InvalidRequest
from gateway.flows import look
from gateway.flows.look import Search
from gateway.web.auditor import words
from gateway.web.auditor.narrowing import Narrowing, cursor_of
from gateway.web.page import Go, Page, Said, View, Visit
from scopes.fault import Fault
from scopes.scope import Area, Scope, Verb

READ: Final = Scope(Area.LOG, Verb.READ)
HERE: Final = "/auditor"
PER_PAGE: Final = 50
_MOST_PATH: Final = 480
_MOST_REFERENCE: Final = 200


async def show(visit: Visit) -> View:
    """A page of disclosures, or of refusals."""
    narrowing = Narrowing.of(visit.query)
    wanted = narrowing.search(before=cursor_of(visit.query.get("before", "")), limit=PER_PAGE + 1)
    found: list[Any]
    if narrowing.refused:
        found = list(await look.refusals(visit.tenant, wanted, visit.rooms))
    else:
        found = list(await look.disclosures(visit.tenant, wanted, visit.rooms))
    rows = found[:PER_PAGE]
    told = replace(wanted, outcome=narrowing.outcome or None)
    await look.record(visit.actor, "disclosures", told, len(rows), visit.rooms)
    older = narrowing.at(HERE, before=str(rows[-1].id)) if len(found) > PER_PAGE else ""
    return await _shown(visit, narrowing, rows=rows, older=older)


async def again(visit: Visit) -> View:
    """The form once more; nothing was searched."""
    if visit.form.text("to") == "account":
        return View(await person_words(visit), template="auditor/subject.html", title="One person")
    given = visit.query or {each.name: visit.form.text(each.name) for each in fields(Narrowing)}
    return await _shown(visit, Narrowing.typed(given), rows=None)


async def _shown(visit: Visit, narrowing: Narrowing, *, rows: list[Any] | None, older: str = "") -> View:
    parties = await visit.rooms.tallies.names(visit.tenant)
    connectors = sorted({connector for connector, _ in parties} | set(visit.rooms.registry.connectors))
    views = await visit.rooms.people.views.of(visit.tenant, visit.known.person)
    return View(
        {
            **words.EVERY_WORD,
            "narrowing": narrowing,
            "rows": rows,
            "older": older,
            "newest": narrowing.at(HERE) if visit.query.get("before") else "",
            "choices": choices(narrowing, connectors, [name for _, name in parties]),
            "views": [(view, f"{HERE}?{view.query}" if view.query else HERE) for view in views],
            "viewed": narrowing.at(""),
            "export": narrowing.at("/auditor/export"),
            "account": narrowing.at("/auditor/subject") if narrowing.subject else "",
            "without_subject": narrowing.at(HERE, subject=""),
        }
    )


def choices(narrowing: Narrowing, connectors: list[str], recipients: list[str]) -> dict[str, list[tuple[str, str]]]:
    """What each list of the form offers; a value that is in the address and in no list is offered too."""
    found = {
        "connector": [("", "Any"), *((each, each) for each in connectors)],
        "recipient": [("", "Any"), *((each, each) for each in dict.fromkeys(recipients))],
        "purpose": words.PURPOSE_CHOICES, "category": words.CATEGORY_CHOICES, "outcome": words.OUTCOME_CHOICES,
        "reason": words.REASON_CHOICES,
    }  # fmt: skip
    for name, value in narrowing.given.items():
        if name in found and value not in dict(found[name]):
            found[name] = [*found[name], (value, value)]
    return found


async def person_words(visit: Visit) -> dict[str, Any]:
    """What the page about one person says while nobody is chosen."""
    return {**words.EVERY_WORD, "narrowing": Narrowing(), "rows": None, "refusals": 0, "total": 0}


async def find(visit: Visit) -> Go:
    """Find a person by the reference of the clinic's own software; from here on the pseudonym stands for it."""
    reference = visit.form.text("reference")
    if not reference or len(reference) > _MOST_REFERENCE:
        raise InvalidRequest(faults=[Fault("reference", "Type the reference, such as pat_7Hq2ZkW9.")])
    clinic = await visit.rooms.connections.clinic(visit.tenant)
    subject = await visit.rooms.subjects.known(visit.tenant, reference, keyed=clinic)
    await look.record(visit.actor, "subject", Search(subject=subject), int(subject is not None), visit.rooms)
    if subject is None:
        raise InvalidRequest(faults=[Fault("reference", "The log knows nobody by this reference.")])
    if visit.form.text("to") == "account":
        return Go(Narrowing(subject=str(subject)).at("/auditor/subject"))
    kept = Narrowing.typed({each.name: visit.form.text(each.name) for each in fields(Narrowing)})
    path = kept.at(HERE, subject=str(subject))
    return Go(path if len(path) <= _MOST_PATH else Narrowing(subject=str(subject)).at(HERE))


async def save(visit: Visit) -> Go:
    """Name what is looked at."""
    narrowing = Narrowing.of({each.name: visit.form.text(each.name) for each in fields(Narrowing)})
    query = narrowing.at("").removeprefix("?")
    await visit.rooms.people.views.save(visit.tenant, visit.known.person, visit.form.text("title"), query)
    path = narrowing.at(HERE)
    return Go(path if len(path) <= _MOST_PATH else HERE, Said("The view is saved; it stands above the log."))


async def remove(visit: Visit) -> Go:
    """Remove a view."""
    await visit.rooms.people.views.remove(visit.tenant, visit.known.person, visit.id())
    return Go(HERE, Said("The view is removed."))


_PAGE: Final[dict[str, Any]] = {"title": "Disclosure log", "template": "auditor/log.html", "wide": True, "needs": READ}
PAGES = (
    Page(path=HERE, act=show, again=again, **_PAGE),
    Page(method="POST", path="/auditor/find", act=find, again=again, **_PAGE),
    Page(method="POST", path="/auditor/views", act=save, again=again, **_PAGE),
    Page(method="POST", path="/auditor/views/{id:uuid}/remove", act=remove, needs=READ),
)
