"""What went to whom about one person: by recipient, to be read, printed and handed on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from gateway.errors import InvalidRequest
from gateway.flows import look
from gateway.flows.look import AccountRow, Search
from gateway.web.auditor import words
from gateway.web.auditor.log import READ, person_words
from gateway.web.auditor.narrowing import Narrowing
from gateway.web.page import Content, Page, View, Visit
from gateway.web.sheet import MEDIA, sheet
from scopes.fault import Fault

HERE: Final = "/auditor/subject"
_MOST_REFUSALS: Final = 10_000
_HEAD: Final = ("recipient", "connector", "first", "last", "disclosures", "of these failed", "purposes", "categories")


async def show(visit: Visit) -> View:
    """The account, or the form that asks for whom."""
    narrowing = _of(visit.query)
    if not narrowing.subject:
        return View(await person_words(visit))
    wanted = narrowing.search()
    rows = await _rows(visit, wanted)
    refusals = await look.count(visit.tenant, wanted, visit.rooms, refused=True, at_most=_MOST_REFUSALS)
    await look.record(visit.actor, "account", wanted, sum(row.number for row in rows), visit.rooms)
    listed = [(row, narrowing.at("/auditor", recipient=row.recipient, connector=row.connector)) for row in rows]
    return View(
        {
            **words.EVERY_WORD, "narrowing": narrowing, "rows": listed, "refusals": refusals,
            "total": sum(row.number for row in rows), "all": narrowing.at("/auditor"), "now": visit.rooms.clock(),
            "refused": narrowing.at("/auditor/refusals"), "export": narrowing.at("/auditor/export"),
            "first": min((row.first_at for row in rows), default=None),
        }
    )  # fmt: skip


async def again(visit: Visit) -> View:
    """The form once more."""
    return View(await person_words(visit))


async def download(visit: Visit) -> Content:
    """The same as a sheet."""
    narrowing = _of({name: visit.form.text(name) for name in ("subject", "since", "until")})
    if not narrowing.subject:
        raise InvalidRequest(faults=[Fault("reference", "Choose a person first.")])
    wanted = narrowing.search()
    rows = await _rows(visit, wanted)
    await look.record(visit.actor, "account_csv", wanted, sum(row.number for row in rows), visit.rooms)
    return Content(sheet(_HEAD, _cells(rows)), MEDIA, {"content-disposition": 'attachment; filename="accounting.csv"'})


async def _rows(visit: Visit, wanted: Search) -> list[AccountRow]:
    assert wanted.subject is not None
    return await look.account(visit.tenant, wanted.subject, visit.rooms, since=wanted.since, until=wanted.until)


async def _cells(rows: list[AccountRow]) -> AsyncIterator[Sequence[object]]:
    for row in rows:
        yield (
            row.recipient, row.connector, row.first_at, row.last_at, row.number, row.failed, row.purposes,
            row.categories,
        )  # fmt: skip


def _of(given: Mapping[str, str]) -> Narrowing:
    return Narrowing.of({name: given.get(name, "") for name in ("subject", "since", "until")})


PAGES = (
    Page(path=HERE, act=show, again=again, needs=READ, title="One person", template="auditor/subject.html"),
    Page(
        method="POST", path=f"{HERE}/csv", act=download, again=again, needs=READ, title="One person",
        template="auditor/subject.html",
    ),
)  # fmt: skip
