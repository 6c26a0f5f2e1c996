"""A model that could let an undeclared field through does not load; one that loads says what it discloses."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator
from typing_extensions import TypedDict

from scopes.field import Disclosed, ShapeError, discloses, shape_of
from scopes.screen import screened
from scopes.transform import last_four, to_minute, to_month
from scopes.vocabulary import Category
from tests.scopes.shapes import ORDER, PATHS, Item, Order, Person

_why = discloses(Category.OPERATIONAL, "a test")


class _Bare(BaseModel):
    x: int


class _Typed(TypedDict):
    x: int


_OPEN: list[Any] = [
    Any, object, dict, dict[str, str], list, list[Any], list[list[str]], list[dict[str, int]], list[str | None], set[str],
    frozenset[str], tuple[str, int], tuple[str], float, bytes, Decimal, datetime, complex, _Bare, list[_Bare], _Typed,
    str | int, str | int | None, Literal["a", 1], Callable[[], None], type, None,
]  # fmt: skip


@pytest.mark.parametrize("open_type", _OPEN, ids=str)
def test_an_open_type_does_not_load(open_type: Any) -> None:
    with pytest.raises(ShapeError, match=r"Loose\.x"):
        create_model("Loose", __base__=Disclosed, x=(Annotated[open_type, _why], ...))


def test_an_undeclared_field_does_not_load() -> None:
    with pytest.raises(ShapeError, match=r"Loose\.name must say once what it discloses"):

        class Loose(Disclosed):
            name: str


def test_an_undeclared_group_or_a_twice_declared_field_does_not_load() -> None:
    with pytest.raises(ShapeError, match="must say once"):
        create_model("Loose", __base__=Disclosed, items=(list[Item], ...))
    with pytest.raises(ShapeError, match="must say once"):
        create_model("Loose", __base__=Disclosed, x=(Annotated[str, _why, _why], ...))


@pytest.mark.parametrize("alias", ["alias", "validation_alias", "serialization_alias"])
def test_a_second_spelling_of_a_field_does_not_load(alias: str) -> None:
    with pytest.raises(ShapeError, match="alias"):
        create_model("Loose", __base__=Disclosed, x=(Annotated[str, _why], Field(**{alias: "y"})))


def test_a_model_that_spells_all_its_fields_another_way_does_not_load() -> None:
    with pytest.raises(ShapeError, match="alias"):

        class Loose(Disclosed):
            model_config = ConfigDict(alias_generator=str.upper)
            x: Annotated[str, _why]


@pytest.mark.parametrize("loosened", [{"extra": "allow"}, {"extra": "ignore"}, {"frozen": False}])
def test_a_model_that_is_opened_or_thawed_does_not_load(loosened: Any) -> None:
    with pytest.raises(ShapeError, match="closed and frozen"):

        class Loose(Disclosed):
            model_config = ConfigDict(**loosened)
            x: Annotated[str, _why]


def test_a_model_that_contains_itself_does_not_load() -> None:
    with pytest.raises(ShapeError, match="contains itself"):

        class Node(Disclosed):
            below: Annotated["Node | None", _why] = None


def test_a_model_whose_types_are_not_known_yet_does_not_load() -> None:
    with pytest.raises(ShapeError, match="not defined yet"):

        class Early(Disclosed):
            later: Annotated["Later", _why]  # type: ignore[name-defined]  # noqa: F821


def test_a_rule_outside_the_fields_type_does_not_load() -> None:
    with pytest.raises(ShapeError, match="into its type"):

        class Loose(Disclosed):
            x: Annotated[str, _why]

            @field_validator("x")
            @classmethod
            def _check(cls, value: str) -> str:
                return value


@pytest.mark.parametrize(("kind", "default"), [(str | None, ...), (str | None, "a"), (int | None, 0)])
def test_null_has_one_meaning_which_is_absent(kind: Any, default: Any) -> None:
    with pytest.raises(ShapeError, match="must default to None"):
        create_model("Loose", __base__=Disclosed, x=(Annotated[kind, _why], default))


def test_a_declaration_needs_a_reason() -> None:
    with pytest.raises(ShapeError, match="why"):
        discloses(Category.CONTACT, " ")


def _undocumented(value: str) -> str:
    return value


@pytest.mark.parametrize(
    ("kind", "transform"),
    [
        (str, to_minute),
        (date, to_minute),
        (int, last_four),
        (Item, last_four),
        (str, lambda x: x),
        (str, _undocumented),
    ],
)
def test_a_transform_that_does_not_say_that_it_fits_the_field_does_not_load(kind: Any, transform: Any) -> None:
    with pytest.raises(ShapeError, match="transform"):
        create_model(
            "Loose", __base__=Disclosed, x=(Annotated[kind, discloses(Category.CONTACT, "why", transform)], ...)
        )


def test_a_transform_is_taken_on_a_list_on_an_optional_and_on_a_wider_type() -> None:
    class Fits(Disclosed):
        a: Annotated[list[str] | None, discloses(Category.CONTACT, "why", last_four)] = None
        b: Annotated[date | None, discloses(Category.CLINICAL, "why", to_month)] = None
        c: Annotated[AwareDatetime, discloses(Category.CLINICAL, "why", to_month)]

    fits = Fits.model_validate({"a": ["123456", "98765"], "b": "2026-11-17", "c": "2026-11-17T10:30:00Z"})
    assert (fits.a, fits.b) == (["3456", "8765"], date(2026, 11, 1))


def test_free_text_is_always_screened() -> None:
    assert discloses(Category.FREE_TEXT, "why").transform is screened
    with pytest.raises(ShapeError, match="screened"):
        discloses(Category.FREE_TEXT, "why", last_four)
    with pytest.raises(ShapeError, match="transform"):
        create_model("Loose", __base__=Disclosed, x=(Annotated[int, discloses(Category.FREE_TEXT, "why")], ...))


def test_a_shape_names_every_field_by_its_path() -> None:
    assert PATHS == [
        "attempt", "channel", "items", "items[].day", "items[].name", "items[].units", "mode", "note", "person",
        "person.given_name", "person.papers", "person.papers[].day", "person.papers[].name", "person.papers[].units",
        "person.phone", "reference", "starts_at", "tags", "urgent",
    ]  # fmt: skip
    assert [leaf.path for leaf in ORDER.walk()] == [field.path for field in ORDER.nodes() if field.shape is None]


def test_a_shape_tells_what_is_needed_what_is_disclosed_and_what_is_free_text() -> None:
    assert ORDER.required_paths == {
        "reference", "channel", "starts_at", "items", "items[].name", "items[].units", "person.given_name",
        "person.papers[].name", "person.papers[].units",
    }  # fmt: skip
    assert ORDER.free_text_paths == {"note"}
    assert Category.BILLING in ORDER.categories
    assert Category.CLINICAL not in ORDER.categories
    phone = next(leaf for leaf in ORDER.walk() if leaf.path == "person.phone")
    assert (phone.reduction, phone.required, phone.many) == ("Only the last four letters and digits.", False, False)


def test_a_shape_is_read_once() -> None:
    assert shape_of(Order) is ORDER
    assert shape_of(Person) is not next(field.shape for field in ORDER.fields if field.name == "person")


def test_the_declaration_is_the_openapi_schema_too() -> None:
    schema = Order.model_json_schema()
    assert schema["additionalProperties"] is False
    starts_at = schema["properties"]["starts_at"]
    assert starts_at["description"] == "the reminder"
    assert starts_at["x-category"] == "appointment"
    assert starts_at["x-reduction"] == "Only to the minute."
    assert schema["properties"]["items"]["items"] == {"$ref": "#/$defs/Item"}


def test_a_model_is_immutable_and_closed() -> None:
    item = Item(name="a", units=1)
    with pytest.raises(ValidationError):
        item.units = 2
    with pytest.raises(ValidationError) as refused:
        Item.model_validate({"name": "a", "units": 1, "secret": "c4n4ry"})
    assert "c4n4ry" not in str(refused.value)
