"""A Shape made ready to copy by, for one set of withheld paths. Built once per shape and grant; holds no payload."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import SchemaValidator

from scopes.fault import DAY, MOMENT
from scopes.field import Field, Shape
from scopes.vocabulary import Category


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """How one field is copied in and written out."""

    name: str
    path: str
    withheld: bool
    nullable: bool
    many: bool
    group: "Plan | None"
    fits: Callable[[Any], bool]
    """What a value must be before pydantic may read it: exactly this kind of JSON; bool is not int."""
    expected: str
    kind: type
    write: Callable[[Any], Any] | None
    """Turns a valid value into JSON, where it is not JSON already."""
    field: Field


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How one object is copied in and written out."""

    steps: dict[str, Step]
    """By name, in the order of the declaration."""
    prefix: str
    validator: SchemaValidator
    leaves: tuple[tuple[str, Category], ...]


@lru_cache(maxsize=4096)
def plan_of(shape: Shape, withheld: frozenset[str]) -> Plan:
    """Make a shape ready for one set of withheld paths; paths of other shapes mean nothing here."""
    return _plan(shape, withheld, prefix="")


@cache
def check_of(field: Field) -> Callable[[Any], Any]:
    """The check of one field on its own, for answers, where a wrong field is dropped and the others stay."""
    return TypeAdapter(field.rule).validator.validate_python


def _plan(shape: Shape, withheld: frozenset[str], *, prefix: str) -> Plan:
    return Plan(
        steps={field.name: _step(field, withheld) for field in shape.fields},
        prefix=prefix,
        validator=shape.model.__pydantic_validator__,  # type: ignore[arg-type]  # a PluggableSchemaValidator is one too
        leaves=tuple((leaf.path, leaf.category) for leaf in shape.walk()),
    )


def _step(field: Field, withheld: frozenset[str]) -> Step:
    fits, expected = _expected(field.kind)
    inside = f"{field.path}{'[]' if field.many else ''}."
    return Step(
        name=field.name,
        path=field.path,
        withheld=field.path in withheld,
        nullable=field.nullable,
        many=field.many,
        group=_plan(field.shape, withheld, prefix=inside) if field.shape else None,
        fits=fits,
        expected=expected,
        kind=field.kind,
        write=_writer(field.kind),
        field=field,
    )


def _expected(kind: type) -> tuple[Callable[[Any], bool], str]:
    if kind is bool:
        return _is_bool, "must be true or false"
    if kind is int:
        return _is_int_of_64_bits, "must be a whole number of at most 64 bits"
    if issubclass(kind, date):
        return _starts_with_a_year, MOMENT if kind is datetime else DAY
    if issubclass(kind, str):
        return _is_unicode, "must be text"
    return _is_object, "must be an object"


def _is_bool(value: Any) -> bool:
    return type(value) is bool


def _is_int_of_64_bits(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def _is_unicode(value: Any) -> bool:
    # JSON can spell half a character (a lone surrogate), which no encoding can write.
    try:
        return type(value) is str and (value.isascii() or bool(value.encode()))
    except UnicodeEncodeError:
        return False


def _starts_with_a_year(value: Any) -> bool:
    # Otherwise pydantic reads a string of digits, a phone number say, as seconds since 1970.
    return type(value) is str and value[4:5] == "-" and value[:4].isdecimal()


def _is_object(value: Any) -> bool:
    return type(value) is dict


def _writer(kind: type) -> Callable[[Any], Any] | None:
    if issubclass(kind, date):
        return kind.isoformat
    return attrgetter("value") if issubclass(kind, StrEnum) else None
