"""Invented data that fits a declared shape: for settings pages, sandboxes and conformance. Never a real person's.

A field says its own example by `Field(examples=[...])`; a closed word, a number, a day need none.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from connectors.message import Message
from scopes.consent import Channel
from scopes.field import Disclosed, Field, Shape, shape_of
from scopes.wording import Encoding, Parameter, Wording

_DAY: Final = date(2026, 1, 15)
_MOMENT: Final = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)


class ExampleMissing(Exception):
    """A field whose form can't be guessed; give it `Field(examples=[...])`."""

    def __init__(self, model: type, path: str) -> None:
        """`path` is the field's place in the shape."""
        super().__init__(f"{model.__name__}.{path} needs an example: add Field(examples=[...]) to its type")


def example_of(shape: Shape, *, optional: bool = True) -> dict[str, Any]:
    """A payload as JSON that fits the shape; with `optional=False` only what is required. Raises ExampleMissing."""
    made = {}
    for field in shape.fields:
        if not (field.required or optional):
            continue
        one = example_of(field.shape, optional=optional) if field.shape else _value(shape, field)
        made[field.name] = [one] if field.many else one
    return made


def example_wording(action: str, model: Disclosed) -> Wording:
    """Invented words for a message: each field that is there with its name, in the order of the declaration."""
    leaves = [leaf for leaf in shape_of(type(model)).walk() if leaf.name not in Message.model_fields]
    held = [(leaf.path, str(value)) for leaf in leaves if (value := getattr(model, leaf.name)) is not None]
    return Wording(
        template=action.removeprefix("send_"),
        version=1,
        language="en",
        channel=Channel.SMS,
        text="; ".join(f"{path}: {text}" for path, text in held) or "Hello",
        parameters=tuple(Parameter("body", "text", text, path) for path, text in held),
        vendor_name="example_template",
        vendor_language="en",
        segments=1,
        encoding=Encoding.GSM7,
    )


def _value(shape: Shape, field: Field) -> Any:
    """One value of a leaf, checked against the leaf's own rule."""
    info = shape.model.model_fields[field.name]
    given = next(iter(info.examples or ()), None) or next(_examples(field.rule), None)
    value = _guess(field) if given is None else given
    try:
        TypeAdapter(field.rule).validate_python([value] if field.many else value)
    except ValidationError:
        raise ExampleMissing(shape.model, field.path) from None
    return value


def _examples(annotation: Any) -> Iterator[Any]:
    """The examples anywhere inside an annotation, outermost first; of a Literal its words."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
        return
    if get_origin(annotation) is Annotated:
        for item in get_args(annotation)[1:]:
            if isinstance(item, FieldInfo) and item.examples:
                yield from item.examples
    for inner in get_args(annotation):
        yield from _examples(inner)


def _guess(field: Field) -> Any:
    if issubclass(field.kind, StrEnum):
        return next(iter(field.kind)).value
    return {bool: True, int: 1, str: "Example", date: _DAY.isoformat(), datetime: _MOMENT.isoformat()}[field.kind]
