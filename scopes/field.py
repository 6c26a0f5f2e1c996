"""Declare what one field discloses, and read a model's declarations as a Shape. Copying a payload is minimize.py's.

The declaration is made once, on the request model, and is the filter, the settings text, the ledger's categories, the
OpenAPI schema and the auditor's report. A model that could let an undeclared field through does not load.
"""

import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache, cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import AwareDatetime, BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from scopes.screen import screened
from scopes.vocabulary import Category

Transform = Callable[[Any], Any]
"""Reduces a valid value to less of the same type; applied twice it changes nothing more. Its docstring says how."""


class ShapeError(TypeError):
    """A model that does not declare every field closely enough; it must not load."""


class Unfit(ValueError):
    """A value that a field's rule refuses, said in a fixed sentence: the message never holds the value.

    Validators raise this; the text of any other ValueError is kept from the caller, since it may repeat the value.
    """


@dataclass(frozen=True, slots=True)
class Discloses:
    """What one field gives away, why, and in which reduced form; made by discloses()."""

    category: Category
    why: str
    transform: Transform | None = None

    def __get_pydantic_core_schema__(self, source: Any, build: GetCoreSchemaHandler) -> CoreSchema:
        """Reduce the value as soon as it is valid, so that the model never holds more than may leave."""
        schema = build(source)
        if self.transform is None:
            return schema
        return core_schema.no_info_after_validator_function(_reducing(self.transform), schema)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, build: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Carry the declaration into the OpenAPI document."""
        described = build(schema)
        described.update({"description": self.why, "x-category": self.category.value})
        if self.transform is not None:
            described["x-reduction"] = _says(self.transform)
        return described


def discloses(category: Category, why: str, transform: Transform | None = None) -> Discloses:
    """Declare a field: the kind of data, the reason in the clinic's words, the reduction. Free text is screened."""
    if not why.strip():
        raise ShapeError("discloses() needs a reason: why does this field leave?")
    if category is Category.FREE_TEXT and transform not in (None, screened):
        raise ShapeError("free text is always screened; it takes no other transform")
    return Discloses(category, why, screened if category is Category.FREE_TEXT else transform)


def _reducing(transform: Transform) -> Transform:
    """Apply a transform to a value, to each item of a list, and to nothing where there is nothing."""

    def reduced(value: Any) -> Any:
        if value is None:
            return None
        try:
            return type(value)(map(transform, value)) if isinstance(value, list | tuple) else transform(value)
        except Exception:
            # Fail closed, and without the exception's text: it may repeat the value.
            raise Unfit("cannot be reduced to what may leave") from None

    return reduced


class Disclosed(BaseModel):
    """The base of every request and answer model. Immutable, closed, and silent about its values."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a model that is not fully declared, at the moment its module is imported."""
        super().__pydantic_init_subclass__(**kwargs)
        shape_of(cls)

    def __repr_args__(self) -> list[tuple[None, str]]:
        """Print the names of the fields that are set, never their values: a model may end up in a log."""
        return [(None, name) for name in sorted(self.model_fields_set)]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One declared field. A group, whose ``shape`` is another Shape, discloses only through its leaves."""

    path: str
    """Where it is, such as ``line_items[].name``."""
    name: str
    category: Category
    why: str
    reduction: str | None
    required: bool
    many: bool
    shape: "Shape | None"
    kind: type
    """The type of one value: str, int, bool, date, datetime, a StrEnum, or the group's model."""
    nullable: bool
    rule: Any
    """The whole annotation with its constraints, as pydantic reads it."""


@dataclass(frozen=True, eq=False)
class Shape:
    """Everything that a model may disclose."""

    model: type[Disclosed]
    fields: tuple[Field, ...]

    def nodes(self) -> Iterator[Field]:
        """Every field, groups before their leaves, depth first."""
        for field in self.fields:
            yield field
            if field.shape is not None:
                yield from field.shape.nodes()

    def walk(self) -> Iterator[Field]:
        """Every leaf, depth first."""
        return (field for field in self.nodes() if field.shape is None)

    @cached_property
    def categories(self) -> frozenset[Category]:
        """The kinds of data that may leave."""
        return frozenset(leaf.category for leaf in self.walk())

    @cached_property
    def required_paths(self) -> frozenset[str]:
        """What cannot be withheld, groups included, because the call or the group makes no sense without it."""
        return frozenset(field.path for field in self.nodes() if field.required)

    @cached_property
    def free_text_paths(self) -> frozenset[str]:
        """What leaves only if the clinic switched free text on."""
        return frozenset(leaf.path for leaf in self.walk() if leaf.category is Category.FREE_TEXT)


@cache
def shape_of(model: type[Disclosed]) -> Shape:
    """Read a model's declarations, or raise ShapeError naming the field that is not closed, or not declared."""
    return _shape(model, prefix="", above=())


def _shape(model: type[Disclosed], *, prefix: str, above: tuple[type[Disclosed], ...]) -> Shape:
    if model in above:
        raise ShapeError(f"{model.__name__} contains itself: how deep data leaves must be known beforehand")
    if not model.__pydantic_complete__:
        raise ShapeError(f"{model.__name__} names a type that is not defined yet")
    if model.model_config.get("extra") != "forbid" or not model.model_config.get("frozen"):
        raise ShapeError(f"{model.__name__} must stay closed and frozen")
    if model.__pydantic_decorators__.field_validators or model.__pydantic_decorators__.validators:
        raise ShapeError(f"{model.__name__} must write a field's rule into its type, where answers obey it too")
    fields = (_field(model, name, prefix=prefix, above=(*above, model)) for name in model.model_fields)
    return Shape(model, tuple(fields))


def _field(model: type[Disclosed], name: str, *, prefix: str, above: tuple[type[Disclosed], ...]) -> Field:
    info, where = model.model_fields[name], f"{model.__name__}.{name}"
    declared = _declaration(info, where)
    read = _read(info.annotation, where)
    _check_optional(info, read, where)
    group, path = issubclass(read.kind, Disclosed), prefix + name
    _check_transform(declared, read.kind, where)
    inner = _shape(read.kind, prefix=f"{path}{'[]' if read.many else ''}.", above=above) if group else None
    return Field(
        path=path,
        name=name,
        category=declared.category,
        why=declared.why,
        reduction=_says(declared.transform) if declared.transform else None,
        required=info.is_required(),
        many=read.many,
        shape=inner,
        kind=read.kind,
        nullable=read.nullable,
        rule=Annotated[(info.annotation, *info.metadata)],
    )


def _declaration(info: FieldInfo, where: str) -> Discloses:
    declared = [item for item in info.metadata if isinstance(item, Discloses)]
    if len(declared) != 1:
        raise ShapeError(f"{where} must say once what it discloses: Annotated[..., discloses(category, why)]")
    if info.validation_alias or info.serialization_alias:
        raise ShapeError(f"{where} must have one name: an alias is a second spelling")
    return declared[0]


def _check_optional(info: FieldInfo, read: "_Read", where: str) -> None:
    if read.nullable and (info.is_required() or info.default is not None):
        raise ShapeError(f"{where} allows null, so it must default to None: absent and null mean the same")


def _check_transform(declared: Discloses, kind: type, where: str) -> None:
    """Raise ShapeError where a transform is put on a type that it does not take."""
    if declared.transform is None:
        return
    hints = get_type_hints(declared.transform)
    hints.pop("return", None)
    taken = next(iter(hints.values()), None)
    taken = getattr(taken, "__bound__", None) or taken
    if not isinstance(taken, type) or not issubclass(kind, taken):
        raise ShapeError(f"{where} has a transform that does not say it takes {kind.__name__}")


class _Read(NamedTuple):
    """What an annotation comes down to."""

    kind: type
    nullable: bool
    many: bool


def _read(annotation: Any, where: str) -> _Read:
    """Take an annotation apart: an optional, then a list, then one closed kind of value."""
    item, nullable = _bare(annotation), False
    if get_origin(item) in (Union, types.UnionType):
        arms = [arm for arm in get_args(item) if arm is not types.NoneType]
        nullable = len(arms) < len(get_args(item))
        if len(arms) != 1:
            raise ShapeError(f"{where} must have one type, not a choice of types")
        item = _bare(arms[0])
    many = get_origin(item) is list or (get_origin(item) is tuple and get_args(item)[1:] == (Ellipsis,))
    if many:
        item = _bare(get_args(item)[0])
    return _Read(_kind(item, where), nullable, many)


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _kind(item: Any, where: str) -> type:
    if item is AwareDatetime:
        return datetime
    if get_origin(item) is Literal and len(kinds := {type(value) for value in get_args(item)}) == 1:
        item = kinds.pop()
    if item in (str, int, bool, date) or (isinstance(item, type) and issubclass(item, StrEnum | Disclosed)):
        return item  # type: ignore[no-any-return]
    raise ShapeError(
        f"{where} is open: use str, int (minor units, not float), bool, date, AwareDatetime, a StrEnum, "
        "a Literal of one type, another Disclosed, or a list of one of these"
    )


def _says(transform: Transform) -> str:
    """The sentence in which clinics read what a transform does."""
    said = (transform.__doc__ or "").strip()
    if not said:
        raise ShapeError("a transform needs a docstring: clinics read it")
    return said.splitlines()[0]
