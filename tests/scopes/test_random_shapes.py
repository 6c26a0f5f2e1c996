"""The promise of minimize() holds for every shape, not only for one that a test's author thought of."""

import json
from typing import Annotated, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import create_model

from scopes.field import Disclosed, Shape, discloses, shape_of
from scopes.minimize import minimize, minimize_answer
from scopes.vocabulary import Category
from tests.scopes.shapes import CANARY, dumped

_names = st.sampled_from(["id", "name", "Name", "NAME", "items", "patient", "patient_name", "value", "x"])
_why = discloses(Category.OPERATIONAL, "a test")


@st.composite
def _models(draw: st.DrawFn, depth: int) -> type[Disclosed]:
    """A model of up to four fields, some of them groups, some optional, some lists."""
    fields: dict[str, Any] = {}
    for name in draw(st.lists(_names, min_size=1, max_size=4, unique=True)):
        kinds = [str, int, bool] + ([draw(_models(depth - 1))] if depth and draw(st.booleans()) else [])
        kind: Any = kinds[-1] if len(kinds) == 4 else draw(st.sampled_from(kinds))
        kind = list[kind] if draw(st.booleans()) else kind
        optional = draw(st.booleans())
        fields[name] = (Annotated[kind | None, _why], None) if optional else (Annotated[kind, _why], ...)
    return create_model("Made", __base__=Disclosed, **fields)


@st.composite
def _payloads(draw: st.DrawFn, shape: Shape) -> tuple[Any, Any]:
    """A right payload, and the same with undeclared keys that carry the canary and copies of what is declared."""
    clean: dict[str, Any] = {}
    dirty: dict[str, Any] = {}
    for field in shape.fields:
        if not field.required and draw(st.booleans()):
            continue
        pairs = [_value(draw, field) for _ in range(draw(st.integers(0, 2)) if field.many else 1)]
        clean[field.name], dirty[field.name] = (
            ([list(side) for side in zip(*pairs, strict=True)] or [[], []]) if field.many else pairs[0]
        )
    known = {field.name for field in shape.fields}
    for name in draw(st.sets(_names)) - known:
        dirty[name] = draw(
            st.sampled_from([CANARY, [CANARY], {"name": CANARY, "id": {"name": CANARY}}, {"value": clean}])
        )
    return clean, dirty


def _value(draw: st.DrawFn, field: Any) -> tuple[Any, Any]:
    if field.shape is not None:
        return draw(_payloads(field.shape))
    value = draw({str: st.text(max_size=3), int: st.integers(-9, 9), bool: st.booleans()}[field.kind])
    return value, value


@st.composite
def _cases(draw: st.DrawFn) -> tuple[Shape, Any, Any]:
    shape = shape_of(draw(_models(2)))
    return shape, *draw(_payloads(shape))


@settings(max_examples=150)
@given(_cases())
def test_in_any_shape_the_undeclared_leaves_no_trace(case: tuple[Shape, Any, Any]) -> None:
    shape, clean, dirty = case
    found = minimize(shape, dirty)
    assert found.values == clean
    assert CANARY not in dumped(found, found.model, json.dumps(found.values))
    assert minimize_answer(shape, dirty) == clean
