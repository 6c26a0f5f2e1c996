"""The part of an endpoint's form that says what it hears: events, kinds of data, fields beyond the id."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from gateway.errors import InvalidRequest
from gateway.web.forms import Form
from gateway.web.words import KINDS
from gateway.webhooks.endpoints import Hearing
from gateway.webhooks.kinds import ID, TEST, Kinds, fits
from scopes.fault import Fault
from scopes.vocabulary import Category

_EVERYTHING: Final = "*"
_MOST: Final = 200
_LONGEST: Final = 256


def asked(hearing: Hearing | None, form: Form, kinds: Kinds) -> dict[str, Any]:
    """What the form shows: every declared kind with its fields, ticked as granted or as typed."""
    was_typed = "hearing" in form
    if was_typed:
        events, granted = {*form.all("events"), *_words(form.text("more"))}, set(form.all("fields"))
        categories = set(form.all("categories"))
    else:
        events, granted = set(hearing.events if hearing else ()), set(hearing.fields if hearing else ())
        categories = set(map(str, hearing.categories if hearing else ()))
    known = [kind for kind in kinds.catalogue() if kind.type != TEST]
    names = {kind.type for kind in known} | {_EVERYTHING, *_groups(kind.type for kind in known)}
    groups: dict[str, list[dict[str, Any]]] = {}
    for kind in known:
        leaves = [leaf for leaf in kind.shape.walk() if leaf.path != ID]
        every = f"{kind.type}:*" in granted
        groups.setdefault(kind.type.partition(".")[0], []).append(
            {
                "type": kind.type, "title": kind.title, "on": kind.type in events,
                "fields": [
                    {
                        "name": f"{kind.type}:{leaf.path}", "path": leaf.path, "kind": KINDS[leaf.category], "why": leaf.why,
                        "on": f"{kind.type}:{leaf.path}" in granted
                        or (every and leaf.category is not Category.FREE_TEXT and _may(leaf.category, categories)),
                    }
                    for leaf in leaves
                ],
            }
        )  # fmt: skip
    return {
        "everything": _EVERYTHING in events,
        "groups": [
            {"name": name, "pattern": f"{name}.*", "on": f"{name}.*" in events, "kinds": of}
            for name, of in groups.items()
        ],
        "more": " ".join(sorted(events - names)),
    }


def terms(form: Form, kinds: Kinds) -> Hearing:
    """What the form grants; kinds of data are those of the fields that are ticked. Raises InvalidRequest for none."""
    events = tuple(dict.fromkeys([*form.all("events"), *_words(form.text("more"))]))
    if not events or len(events) > _MOST or any(not 0 < len(each) <= _LONGEST for each in events):
        raise InvalidRequest(faults=[Fault("events", "Choose at least one event.")])
    fields = frozenset(form.all("fields"))
    declared = {f"{kind.type}:{leaf.path}": leaf.category for kind in kinds.catalogue() for leaf in kind.shape.walk()}
    if not fields <= declared.keys():
        raise InvalidRequest(faults=[Fault("fields", "Choose fields from the list.")])
    alone = sorted(
        type_ for type_ in {each.partition(":")[0] for each in fields} if not any(fits(on, type_) for on in events)
    )
    if alone:
        raise InvalidRequest(
            faults=[Fault("fields", f"Let it hear {', '.join(alone)} too, or untick what is below it.")]
        )
    categories = frozenset(declared[each] for each in fields)
    return Hearing(events=events, categories=categories, fields=fields)


def told(hearing: Hearing, kinds: Kinds) -> list[dict[str, Any]]:
    """What an endpoint hears, in words: each granted field with its kind of data."""
    declared = {(kind.type, leaf.path): leaf for kind in kinds.catalogue() for leaf in kind.shape.walk()}
    found = []
    for granted in sorted(hearing.fields):
        type_, _, path = granted.partition(":")
        leaf = declared.get((type_, path))
        found.append(
            {
                "type": type_, "path": "every field but free text" if path == _EVERYTHING else path,
                "kind": KINDS[leaf.category] if leaf else "", "why": leaf.why if leaf else "",
            }
        )  # fmt: skip
    return found


def _may(category: Category, categories: set[str]) -> bool:
    return category is Category.OPERATIONAL or str(category) in categories


def _groups(types: Iterable[str]) -> set[str]:
    return {f"{type_.partition('.')[0]}.*" for type_ in types}


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def beside(faults: Iterable[Fault]) -> list[Fault]:
    """The faults of a list, beside the whole list: its boxes have no place of their own."""
    return [Fault(fault.path.partition("[")[0], fault.message) for fault in faults]
