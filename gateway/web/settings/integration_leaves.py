"""What would leave through one action, field by field, tried on invented data with the very rules that calls obey."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connectors.contract import Action
from connectors.example import ExampleMissing, example_of
from gateway.web import words
from scopes.field import Field, Shape
from scopes.grant import Grant
from scopes.minimize import InvalidPayload, Minimized, minimize
from scopes.vocabulary import Category

# What a host may hand over without need: it shows that what is not declared stays here.
_UNDECLARED: Final = ("diagnosis", "E11.9 Type 2 diabetes")
_TO_THE_SECOND: Final = "2026-01-15T09:30:42+00:00"
_WITH_A_NUMBER: Final = " · my number is +14155550123"


@dataclass(frozen=True, slots=True)
class Leaving:
    """One field: what is declared of it, and what became of an invented value. `after` is None where it stays here."""

    path: str
    name: str
    category: str
    kind: str
    why: str
    reduction: str | None
    required: bool
    before: str
    after: str | None
    held_back: bool = False


def leaving(action: Action, grant: Grant) -> list[Leaving]:
    """Every field of the action under this grant, and last one that nothing declares."""
    shape = action.shape
    held = grant.holds_back(shape.free_text_paths)
    payload, minimized = _tried(shape, held)
    told = [_told(shape, field, payload, minimized.values, held) for field in shape.walk()]
    name, value = _UNDECLARED
    if name in {field.name for field in shape.fields}:
        return told
    stays = Leaving(
        name, words.spoken(name), "", "Anything else", "not declared, so it never leaves", None, False, value, None
    )
    return [*told, stays]


def _tried(shape: Shape, held: frozenset[str]) -> tuple[dict[str, Any], Minimized]:
    """An invented payload that shows the reductions at work, and what is left of it; a plainer one where it does not fit."""
    try:
        plain = example_of(shape)
    except ExampleMissing:
        return {}, Minimized(shape.model.model_construct(), {}, (), ())
    undeclared = dict([_UNDECLARED])
    for payload in ({**_telling(shape, plain), **undeclared}, {**plain, **undeclared}):
        try:
            return payload, minimize(shape, payload, held)
        except InvalidPayload:
            continue
    return plain, minimize(shape, plain, held)


def _telling(shape: Shape, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload with more in it than may leave: seconds in a moment, a number in free text."""
    return {
        field.name: _more(field, payload[field.name]) if field.name in payload else None
        for field in shape.fields
        if field.name in payload
    }


def _more(field: Field, value: Any) -> Any:
    if field.shape is not None:
        return [_telling(field.shape, each) for each in value] if field.many else _telling(field.shape, value)
    if field.many or field.reduction is None:
        return value
    if issubclass(field.kind, datetime):
        return _TO_THE_SECOND
    return f"{value}{_WITH_A_NUMBER}" if field.category is Category.FREE_TEXT else value


def _told(
    shape: Shape, field: Field, payload: Mapping[str, Any], values: Mapping[str, Any], held: frozenset[str]
) -> Leaving:
    before, after = next(_at(payload, field.path), None), next(_at(values, field.path), None)
    return Leaving(
        path=field.path,
        name=words.spoken(field.path),
        category=str(field.category),
        kind=words.kind(field.category),
        why=field.why,
        reduction=field.reduction,
        required=field.path in shape.required_paths,
        before=_written(before),
        after=None if after is None else _written(after),
        held_back=any(path in held for path in _paths(field.path)),
    )


def _paths(path: str) -> Iterator[str]:
    """A path and the groups that it is in."""
    pieces = path.split(".")
    for at in range(len(pieces), 0, -1):
        joined = ".".join(pieces[:at])
        yield joined
        yield joined.removesuffix("[]")


def _at(value: Any, path: str) -> Iterator[Any]:
    """What stands at a path, the first of each list."""
    for piece in path.split("."):
        value = value.get(piece.removesuffix("[]")) if isinstance(value, Mapping) else None
        if piece.endswith("[]") and isinstance(value, list):
            value = value[0] if value else None
    if value is not None:
        yield value[0] if isinstance(value, list) and value else value


def _written(value: Any) -> str:
    """A value of JSON as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).removesuffix("+00:00") + (" UTC" if str(value).endswith("+00:00") else "")
