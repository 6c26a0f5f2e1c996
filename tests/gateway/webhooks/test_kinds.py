"""Kinds of event: each can be told by its id alone, and nobody publishes under another's name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated

import pytest

from connectors.example import example_of
from connectors.registry import Registry
from gateway.errors import InvalidRequest
from gateway.webhooks.kinds import Kind, Kinds, fits, is_pattern, is_type
from gateway.webhooks.kinds_of_hosts import Id, Thin
from scopes.field import Disclosed, ShapeError, discloses, shape_of
from scopes.minimize import InvalidPayload, minimize
from scopes.vocabulary import Category

KINDS = Kinds(Registry.load())


@pytest.mark.parametrize("kind", KINDS.catalogue(), ids=lambda kind: kind.type)
def test_every_kind_can_be_told_by_its_id_alone_and_has_an_example(kind: Kind) -> None:
    thin, whole = example_of(kind.shape, optional=False), example_of(kind.shape)
    assert thin.keys() == {"id"}
    others = frozenset(field.path for field in kind.shape.fields if field.path != "id")
    assert minimize(kind.shape, whole, others).values == thin
    assert minimize(kind.shape, whole).values.keys() == whole.keys()
    assert kind.title


def test_the_three_sources_are_there() -> None:
    sources = {kind.type: kind.source for kind in KINDS.catalogue()}
    assert sources["appointment.booked"] == "host"
    assert sources["payments.stripe.payment_intent.succeeded"] == "payments/stripe"
    assert sources["endpoint.off"] == "gateway"


def test_a_type_that_nobody_declared_tells_its_id_and_nothing_else() -> None:
    kind = KINDS.kind("bed.freed")
    told = minimize(kind.shape, {"id": "bed_7", "patient": "Ada Lovelace", "ward": "3"})
    assert told.values == {"id": "bed_7"}
    assert told.sent == (("id", Category.IDENTIFIER),)
    assert told.withheld == ("patient", "ward")


@pytest.mark.parametrize("given", [{}, {"id": None}, {"id": 7}, {"id": "Ada"}, {"id": "9876543210"}, {"id": ["1"]}])
def test_an_event_without_the_id_of_a_record_is_not_taken(given: dict[str, object]) -> None:
    with pytest.raises(InvalidPayload):
        minimize(KINDS.kind("appointment.booked").shape, given)


@pytest.mark.parametrize("type_", ["appointment.booked", "bed.freed", "a1.b_2.c.d.e.f", "payment.received"])
def test_a_host_publishes_its_own_types(type_: str) -> None:
    KINDS.publishable(type_)


@pytest.mark.parametrize(
    "type_",
    [
        "", "booked", "Appointment.booked", "appointment.", ".booked", "appointment..booked", "appointment.*", "*",
        "a.b.c.d.e.f.g", "appointment.booked\n", "1.2", "appointment/booked", "a." + "b" * 127,
        "payments.stripe.payment_intent.succeeded", "payments.anything", "endpoint.off", "callback.refused",
        "gateway.anything",
    ],
)  # fmt: skip
def test_nobody_publishes_under_another_name_or_no_name(type_: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        KINDS.publishable(type_)
    assert [fault.path for fault in refused.value.faults] == ["type"]


def test_patterns_name_one_type_a_group_or_everything() -> None:
    assert [text for text in ("appointment.booked", "appointment.*", "payments.stripe.*", "*") if is_pattern(text)] == [
        "appointment.booked", "appointment.*", "payments.stripe.*", "*",
    ]  # fmt: skip
    assert not any(map(is_pattern, ("", "appointment", "appointment*", "*.booked", "appointment.*.x", "**", "a.*\n")))
    assert fits("appointment.*", "appointment.booked")
    assert fits("*", "bed.freed")
    assert not fits("appointment.*", "appointments.booked")
    assert not fits("appointment.*", "appointment")
    assert not fits("appointment.booked", "appointment.booked.twice")
    assert not is_type("*")


class Needy(Disclosed):
    """An event that cannot do without more than its id."""

    id: Id
    amount: Annotated[int, discloses(Category.BILLING, "the amount")]


class Nameless(Disclosed):
    """An event without an id."""

    status: Annotated[str | None, discloses(Category.OPERATIONAL, "how it stands")] = None


@pytest.mark.parametrize(
    ("event", "model"), [("thing.done", Needy), ("thing.done", Nameless), ("Thing", Thin), ("a.b.c.d.e", Thin)]
)
def test_a_connector_whose_events_could_not_be_thin_does_not_load(event: str, model: type[Disclosed]) -> None:
    connector = SimpleNamespace(family="payments", callback=SimpleNamespace(EVENTS={event: shape_of(model)}))
    with pytest.raises(ShapeError):
        Kinds(SimpleNamespace(connectors={"payments/other": connector}))


def test_a_connector_without_callbacks_has_no_kinds_and_its_family_is_still_its_own() -> None:
    kinds = Kinds(SimpleNamespace(connectors={"google/calendar": SimpleNamespace(family="google", callback=None)}))
    assert {kind.source for kind in kinds.catalogue()} == {"host", "gateway"}
    with pytest.raises(InvalidRequest):
        kinds.publishable("google.calendar.changed")
