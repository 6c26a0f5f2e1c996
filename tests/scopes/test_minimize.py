"""Nothing undeclared leaves, whatever the payload is; withholding only removes."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from scopes.field import Disclosed, Shape
from scopes.minimize import InvalidPayload, minimize
from tests.scopes.shapes import (
    CANARY,
    DECLARED_NAMES,
    ORDER,
    PATHS,
    Channel,
    Order,
    aliens,
    dumped,
    full_order,
    lookalikes,
    orders,
)

_keys = st.sampled_from(DECLARED_NAMES).flatmap(lambda name: st.sampled_from(lookalikes(name))) | st.text(max_size=20)
_canaries = st.sampled_from(
    [CANARY, [CANARY], {CANARY: CANARY}, {"name": CANARY, "items": [{"name": CANARY}]}, dict(full_order, note=CANARY)]
)


def _declared_here(shape: Shape) -> dict[str, Any]:
    return {field.name: field for field in shape.fields}


@st.composite
def _littered(draw: st.DrawFn, value: Any, shape: Shape) -> Any:
    """The payload with undeclared keys in each of its objects, each of which leads to a canary."""
    declared = _declared_here(shape)
    litter = draw(st.dictionaries(_keys.filter(lambda key: key not in declared), _canaries, max_size=3))
    # What is declared elsewhere is undeclared here: the same meaning in the wrong place.
    litter |= dict.fromkeys(draw(st.sets(st.sampled_from(DECLARED_NAMES))) - declared.keys(), draw(_canaries))
    cleaned = {}
    for name, item in value.items():
        inner = declared[name].shape
        if inner is None or item is None:
            cleaned[name] = item
        else:
            cleaned[name] = (
                [draw(_littered(one, inner)) for one in item]
                if isinstance(item, list)
                else draw(_littered(item, inner))
            )
    entries = list({**cleaned, **litter}.items())
    return dict(draw(st.permutations(entries)))


_littered_orders = orders.flatmap(lambda order: st.tuples(st.just(order), _littered(order, ORDER)))


@settings(max_examples=300)
@given(_littered_orders)
def test_an_undeclared_field_never_appears_at_any_depth_and_under_any_spelling(pair: tuple[Any, Any]) -> None:
    clean, littered = pair
    expected, found = minimize(ORDER, clean), minimize(ORDER, littered)
    assert found.values == expected.values
    assert found.model == expected.model
    assert found.sent == expected.sent
    assert CANARY not in dumped(found.model, found.values)
    assert (found.withheld != ()) == (littered != clean)


def _assert_declared(values: Any, source: Any, shape: Shape) -> None:
    """Every value is plain JSON, stands under a declared name, and comes from the same place of the payload."""
    assert type(values) is dict
    declared = _declared_here(shape)
    assert values.keys() <= declared.keys() & source.keys()
    for name, value in values.items():
        field = declared[name]
        pairs = zip(value, source[name], strict=True) if field.many else [(value, source[name])]
        for left, right in pairs:
            if field.shape is not None:
                _assert_declared(left, right, field.shape)
            else:
                assert type(left) in (str, int, bool)
                assert type(left) is type(right)
                if field.reduction is None and field.name != "starts_at":
                    assert left == right


_wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | aliens,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(DECLARED_NAMES) | _keys, inner, max_size=6)
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(orders, st.dictionaries(st.sampled_from(DECLARED_NAMES), _wild, max_size=3))
def test_whatever_is_put_in_a_declared_place_is_either_as_declared_or_refused(order: Any, wild: Any) -> None:
    payload = order | wild
    try:
        found = minimize(ORDER, payload)
    except InvalidPayload:
        return
    _assert_declared(found.values, payload, ORDER)
    assert json.loads(json.dumps(found.values)) == found.values


_SCALARS = [
    ("reference",), ("channel",), ("urgent",), ("attempt",), ("mode",), ("starts_at",), ("note",), ("tags", 0),
    ("person", "given_name"), ("person", "phone"), ("person", "papers", 0, "name"), ("items", 0, "name"),
    ("items", 1, "units"), ("items", 0, "day"),
]  # fmt: skip


def _replaced(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    payload: Any = copy.deepcopy(full_order)
    at = payload
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value
    return payload  # type: ignore[no-any-return]


def _written(place: tuple[Any, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)[1:]


@pytest.mark.parametrize("place", _SCALARS, ids=_written)
@given(aliens)
def test_an_object_a_list_bytes_or_a_huge_number_in_a_scalars_place_is_a_fault_and_never_copied(
    place: tuple[Any, ...], alien: Any
) -> None:
    with pytest.raises(InvalidPayload) as refused:
        minimize(ORDER, _replaced(place, alien))
    assert [fault.path for fault in refused.value.faults] == [_written(place)]
    assert CANARY not in dumped(refused.value, *refused.value.faults)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("attempt",), True),
        (("items", 0, "units"), False),
        (("attempt",), "2"),
        (("attempt",), 2.0),
        (("attempt",), 2**63),
        (("urgent",), 1),
        (("urgent",), "true"),
        (("note",), 7),
        (("note",), "\ud800"),
        (("starts_at",), 1794900000),
        (("starts_at",), "1794900000"),
        (("starts_at",), "9876543210"),
        (("starts_at",), "2026-11-17T10:30:00"),
        (("starts_at",), "2026-11-17"),
        (("channel",), "SMS"),
        (("channel",), Channel.SMS),
        (("mode",), "Live"),
        (("tags",), "abc"),
        (("tags",), ("a",)),
        (("tags",), {"a": 1}),
        (("items",), {"0": {"name": "a", "units": 1}}),
        (("items",), None),
        (("items", 0), None),
        (("items", 0), [{"name": "a", "units": 1}]),
        (("person",), [full_order["person"]]),
        (("person",), "Asha"),
        (("urgent",), None),
    ],
)
def test_a_value_of_a_neighbouring_kind_is_refused_rather_than_converted(place: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(InvalidPayload) as refused:
        minimize(ORDER, _replaced(place, value))
    assert [fault.path for fault in refused.value.faults] == [_written(place)]


@pytest.mark.parametrize("payload", [None, [], "x", 1, [("reference", "pat_7Hq2ZkW9")], object()])
def test_a_payload_that_is_no_object_is_refused(payload: Any) -> None:
    with pytest.raises(InvalidPayload):
        minimize(ORDER, payload)


def _part_of(less: Any, more: Any) -> bool:
    """Whether the first is the second with nothing but removals."""
    if isinstance(less, dict):
        return isinstance(more, dict) and all(key in more and _part_of(less[key], more[key]) for key in less)
    if isinstance(less, list):
        return isinstance(more, list) and len(less) == len(more) and all(map(_part_of, less, more))
    return type(less) is type(more) and bool(less == more)


_path_sets = st.frozensets(st.sampled_from([*PATHS, "elsewhere", "items[].ghost"]))


@settings(max_examples=300)
@given(_littered_orders, _path_sets, _path_sets)
def test_withholding_only_ever_removes(pair: tuple[Any, Any], some: frozenset[str], others: frozenset[str]) -> None:
    payload = pair[1]
    all_of_it, less, least = (minimize(ORDER, payload, withheld) for withheld in (frozenset(), some, some | others))
    assert _part_of(less.values, all_of_it.values)
    assert _part_of(least.values, less.values)
    assert set(least.sent) <= set(less.sent) <= set(all_of_it.sent)


def _without(path: str) -> Any:
    """The full order with the canary in every leaf at or under the path, where the leaf can hold a text."""
    payload: Any = copy.deepcopy(full_order)
    for leaf in ORDER.walk():
        if (
            leaf.kind is str
            and leaf.name not in ("reference", "mode")
            and f"{leaf.path}.".startswith((f"{path}.", f"{path}["))
        ):
            _plant(payload, leaf.path.replace("[]", "").split("."))
    return payload


def _plant(at: Any, steps: list[str]) -> None:
    if isinstance(at, list):
        for item in at:
            _plant(item, steps)
    elif len(steps) > 1:
        _plant(at[steps[0]], steps[1:])
    else:
        at[steps[0]] = [CANARY] if isinstance(at[steps[0]], list) else CANARY


@pytest.mark.parametrize("path", PATHS)
def test_a_withheld_fields_value_never_appears(path: str) -> None:
    found = minimize(ORDER, _without(path), frozenset({path}))
    assert CANARY not in dumped(found, found.model, found.values, json.dumps(found.values))
    assert not [sent for sent, _ in found.sent if f"{sent}.".startswith((f"{path}.", f"{path}["))]
    assert path in found.withheld or path in ORDER.required_paths


@pytest.mark.parametrize("path", sorted(ORDER.required_paths))
def test_where_a_required_field_is_withheld_nothing_at_all_is_copied(path: str) -> None:
    found = minimize(ORDER, full_order | {"Priya Nair": 1}, frozenset({path}))
    assert (found.values, found.sent) == ({}, ())
    assert found.withheld == tuple(sorted({"?", *full_order}))
    assert "Asha" not in dumped(found.model)


def test_the_fields_leave_reduced_and_the_model_agrees_with_the_values() -> None:
    found = minimize(ORDER, full_order)
    assert found.values == full_order | {
        "starts_at": "2026-11-17T10:30:00+05:30",
        "note": "call +[removed] first",
        "person": {
            "given_name": "Asha",
            "phone": "3210",
            "papers": [{"name": "form", "units": 1, "day": "2026-11-01T00:00:00+00:00"}],
        },
        "items": [{"name": "x-ray", "units": 1, "day": "2026-11-01T00:00:00+00:00"}, {"name": "visit", "units": 2}],
    }
    assert isinstance(found.model, Order)
    assert found.model.starts_at.second == 0
    assert found.model.person is not None
    assert found.model.person.phone == "3210"
    assert Order.model_validate_json(json.dumps(found.values)) == found.model


def test_what_is_sent_is_named_once_by_schema_path_in_the_order_of_the_declaration() -> None:
    found = minimize(ORDER, full_order)
    assert [path for path, _ in found.sent] == [leaf.path for leaf in ORDER.walk()]
    assert ("items[].name", "billing") in found.sent


def _paths_in(values: Any, shape: Shape) -> set[str]:
    """The schema paths of the leaves that these values hold."""
    found: set[str] = set()
    for name, value in values.items():
        field = _declared_here(shape)[name]
        if field.shape is None:
            found.add(field.path)
        else:
            found.update(*(_paths_in(one, field.shape) for one in (value if field.many else [value])))
    return found


@given(orders, _path_sets)
def test_what_is_sent_is_exactly_what_the_values_hold(order: Any, withheld: frozenset[str]) -> None:
    found = minimize(ORDER, order, withheld)
    assert {path for path, _ in found.sent} == _paths_in(found.values, ORDER)


def test_absent_and_null_fields_are_not_sent_and_neither_is_a_default() -> None:
    payload = {name: full_order[name] for name in ("reference", "channel", "starts_at")} | {"items": [], "note": None}
    found = minimize(ORDER, payload)
    assert found.values.keys() == {"reference", "channel", "starts_at", "items"}
    assert [path for path, _ in found.sent] == ["reference", "channel", "starts_at"]
    assert found.withheld == ()
    assert isinstance(found.model, Order)
    assert found.model.urgent is False


def test_what_stays_is_named_by_path_and_a_key_that_may_be_a_name_is_a_question_mark() -> None:
    payload = copy.deepcopy(full_order)
    payload |= {"diagnosis": "x", "Priya Nair": 1, "प्रिया": 2, 7: 3, "a" * 65: 4}
    payload["items"][0] |= {"diagnosis": "x", "a.b": 1}
    payload["items"][1] |= {"diagnosis": "y"}
    payload["person"]["papers"][0]["seen_by"] = "x"
    found = minimize(ORDER, payload, frozenset({"person.phone", "items[].day"}))
    assert found.withheld == (
        "?", "diagnosis", "items[].?", "items[].day", "items[].diagnosis", "person.papers[].seen_by", "person.phone",
    )  # fmt: skip


def test_at_most_a_hundred_paths_are_named() -> None:
    found = minimize(ORDER, full_order | {f"k{number:03}": 1 for number in range(300)})
    assert found.withheld == tuple(f"k{number:03}" for number in range(100))


def test_the_payload_is_left_as_it_was() -> None:
    payload = copy.deepcopy(full_order)
    minimize(ORDER, payload, frozenset({"note"}))
    assert payload == full_order


def test_neither_a_model_nor_a_result_prints_a_value() -> None:
    found = minimize(ORDER, _without("person"))
    assert CANARY in json.dumps(found.values)
    assert CANARY not in f"{found} {found!r} {found.model} {found.model!r} {[found.model]}"
    assert CANARY not in pretty_repr([found, found.model])


def test_a_model_made_by_hand_is_reduced_as_well() -> None:
    assert isinstance(minimize(ORDER, full_order).model, Disclosed)
    made = Order.model_validate_json(json.dumps(full_order))
    assert made.note == "call +[removed] first"
