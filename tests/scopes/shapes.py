"""A request that has one field of every allowed kind, payloads for it, and what hostile payloads are made of."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from hypothesis import strategies as st
from pydantic import AwareDatetime, StringConstraints

from scopes.field import Disclosed, discloses, shape_of
from scopes.opaque import OpaqueReference
from scopes.transform import last_four, to_minute, to_month
from scopes.vocabulary import Category

CANARY = "c4n4ry"


class Channel(StrEnum):
    """How the message travels."""

    SMS = "sms"
    MAIL = "mail"


class Item(Disclosed):
    """One line."""

    name: Annotated[str, StringConstraints(max_length=40), discloses(Category.BILLING, "the line's text")]
    units: Annotated[int, discloses(Category.BILLING, "how many")]
    day: Annotated[AwareDatetime | None, discloses(Category.APPOINTMENT, "the month served", to_month)] = None


class Person(Disclosed):
    """Who it is for."""

    given_name: Annotated[str, discloses(Category.IDENTITY, "the greeting")]
    phone: Annotated[str | None, discloses(Category.CONTACT, "telling numbers apart", last_four)] = None
    papers: Annotated[list[Item] | None, discloses(Category.BILLING, "what was signed")] = None


class Order(Disclosed):
    """The request."""

    reference: Annotated[OpaqueReference, discloses(Category.IDENTIFIER, "finding it again")]
    channel: Annotated[Channel, discloses(Category.OPERATIONAL, "how it travels")]
    urgent: Annotated[bool, discloses(Category.OPERATIONAL, "whether to wait")] = False
    attempt: Annotated[int | None, discloses(Category.OPERATIONAL, "which attempt")] = None
    mode: Annotated[Literal["test", "live"] | None, discloses(Category.OPERATIONAL, "which system")] = None
    starts_at: Annotated[AwareDatetime, discloses(Category.APPOINTMENT, "the reminder", to_minute)]
    note: Annotated[str | None, discloses(Category.FREE_TEXT, "what the desk wrote")] = None
    tags: Annotated[tuple[str, ...] | None, discloses(Category.OPERATIONAL, "sorting")] = None
    person: Annotated[Person | None, discloses(Category.IDENTITY, "who it is for")] = None
    items: Annotated[list[Item], discloses(Category.BILLING, "what is ordered")]


ORDER = shape_of(Order)
PATHS = sorted(field.path for field in ORDER.nodes())

_words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_moments = st.sampled_from(["2026-11-17T10:30:45Z", "2024-02-29T23:59:59.999999+05:30", "1970-01-01T00:00:00-08:00"])
_items = st.fixed_dictionaries(
    {"name": _words, "units": st.integers(-(2**63), 2**63 - 1)}, optional={"day": st.none() | _moments}
)
_people = st.fixed_dictionaries(
    {"given_name": _words}, optional={"phone": st.none() | _words, "papers": st.none() | st.lists(_items, max_size=2)}
)
orders: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "reference": st.sampled_from(["pat_7Hq2ZkW9", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]),
        "channel": st.sampled_from(["sms", "mail"]),
        "starts_at": _moments,
        "items": st.lists(_items, max_size=3),
    },
    optional={
        "urgent": st.booleans(),
        "attempt": st.none() | st.integers(0, 9),
        "mode": st.none() | st.sampled_from(["test", "live"]),
        "note": st.none() | _words,
        "tags": st.none() | st.lists(_words, max_size=3),
        "person": st.none() | _people,
    },
)
"""Payloads that are right."""

full_order: dict[str, Any] = {
    "reference": "pat_7Hq2ZkW9",
    "channel": "sms",
    "urgent": True,
    "attempt": 2,
    "mode": "live",
    "starts_at": "2026-11-17T10:30:45+05:30",
    "note": "call +91 98765 43210 first",
    "tags": ["a", "b"],
    "person": {
        "given_name": "Asha",
        "phone": "+919876543210",
        "papers": [{"name": "form", "units": 1, "day": "2026-11-17T10:30:45Z"}],
    },
    "items": [{"name": "x-ray", "units": 1, "day": "2026-11-17T10:30:45Z"}, {"name": "visit", "units": 2}],
}

DECLARED_NAMES = sorted({field.name for field in ORDER.nodes()})


def lookalikes(name: str) -> list[str]:
    """Other spellings that somebody could take for the name."""
    accented = name[0] + "\N{COMBINING ACUTE ACCENT}" + name[1:]
    fullwidth = "".join(chr(ord(letter) + 0xFEE0) if letter.isalpha() else letter for letter in name)
    return [
        name.upper(), name.title(), name.replace("_", "-"), name.replace("_", ""), f" {name}", f"{name} ", f"{name}\0",
        f"person.{name}", f"items[].{name}", f"items[0].{name}", f"['{name}']", f"{name}[]", f"$.{name}", f"/{name}",
        name.replace("a", "\N{CYRILLIC SMALL LETTER A}") + "\N{ZERO WIDTH SPACE}", accented, fullwidth, f"_{name}", f"{name}_",
        f"{name}\N{ZERO WIDTH JOINER}", f"x_{name}", f"{name}2", "__dict__", "__class__", "model_config", "*", "",
    ]  # fmt: skip


class Letters(str):
    """A str that is not exactly one."""

    __slots__ = ()


class Opaque:
    """An object that would tell its value to whoever prints it."""

    def __repr__(self) -> str:
        return CANARY


aliens: st.SearchStrategy[Any] = st.sampled_from([
    CANARY.encode(), bytearray(CANARY.encode()), 10**30, -(10**30), 1.5, float("nan"), {CANARY: CANARY}, [CANARY],
    [{"name": CANARY}], {CANARY}, (CANARY,), Opaque(), Letters(CANARY), object, complex(1, 2), {"given_name": {CANARY: 1}},
    dict(full_order, reference=CANARY), [full_order], [[CANARY]],
])  # fmt: skip
"""What is no JSON scalar, or JSON of a kind that no scalar field takes."""


def dumped(*values: Any) -> str:
    """Everything that can be read of these values, however they print."""
    return " ".join(f"{value} {value!r} {getattr(value, '__dict__', '')}" for value in values)
