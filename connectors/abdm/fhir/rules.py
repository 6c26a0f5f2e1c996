"""The rules that compile.py wrote down, read once and linked when they are first asked for. Judges nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

CANONICAL: Final = "https://nrces.in/ndhm/fhir/r4/StructureDefinition"
SAYS: Final = "ndhm.in 2.0.1"
BASE: Final = "FHIR R4"


@dataclass(slots=True, eq=False)
class Slice:
    """A named part of a repeating element, told by what an item holds where the discriminator looks."""

    name: str
    match: str
    rule: "Rule"


@dataclass(slots=True, eq=False)
class Rule:
    """What one element of one definition asks for."""

    path: str
    """The element's id in its definition, such as ``Composition.section:VitalSigns.title``."""
    profile: str
    """The definition: a profile of NRCeS, or a data type of FHIR."""
    by_hand: bool
    name: str
    least: int
    most: int | None
    many: bool
    """Whether FHIR itself has several, so that JSON has a list even where the profile allows one."""
    types: tuple[str, ...]
    targets: tuple[str, ...]
    fixed: Any
    pattern: Any
    codes: frozenset[str] | None
    holds: tuple[str, ...]
    like: str
    told_by: tuple[str, ...] = ()
    closed: bool = False
    at_end: bool = False
    kids: tuple["Rule", ...] = ()
    slices: tuple[Slice, ...] = ()
    keys: dict[str, tuple["Rule", str]] = field(default_factory=dict)
    """The names under which children stand in JSON; a choice of types stands under a name for each type."""
    needed: tuple["Rule", ...] = ()

    def __str__(self) -> str:
        """The definition's own words, as faults quote them."""
        often = f"{self.path} {self.least}..{'*' if self.most is None else self.most}, {self.profile}"
        if self.profile.startswith(BASE):
            return often
        return f"{often}, {'written by hand' if self.by_hand else SAYS}"


@dataclass(frozen=True, slots=True)
class Profile:
    """One definition: the resource that it is about, and the one that it narrows."""

    name: str
    kind: str
    base: str | None
    by_hand: bool


@cache
def _written() -> dict[str, Any]:
    file = resources.files("connectors.abdm.fhir").joinpath("nrces.json")
    found: dict[str, Any] = json.loads(file.read_bytes())
    return found


@cache
def profiles() -> Mapping[str, Profile]:
    """Every profile by its name, the last part of its canonical."""
    return {
        name: Profile(name, each["type"], each.get("base"), each.get("by_hand", False))
        for name, each in _written()["profiles"].items()
    }


@cache
def of_profile(name: str) -> Rule:
    """The rules of one profile, from its root."""
    profile = profiles()[name]
    number = _written()["profiles"][name]["root"]
    return _linked(number, above="", profile=name, by_hand=profile.by_hand)


@cache
def of_type(name: str) -> Rule | None:
    """The rules of one data type; None of one that is not known here."""
    number = _written()["types"].get(name)
    return None if number is None else _linked(number, above="", profile=f"{BASE} {name}", by_hand=False)


@cache
def like(path: str, profile: str) -> Rule:
    """The element that another one says it is like: FHIR's own, or that of the same definition."""
    if path in _written()["base"]:
        return _linked(_written()["base"][path], above="Composition", profile=f"{BASE} Composition", by_hand=False)
    rule = of_profile(profile)
    for step in path.split(".")[1:]:
        rule = next(kid for kid in rule.kids if kid.name == step)
    return rule


def satisfies(name: str, wanted: str) -> bool:
    """Whether a profile is the wanted one, or narrows it."""
    found: str | None = name
    while found is not None and found != wanted:
        found = profiles()[found].base
    return found is not None


def known(canonical: object) -> str | None:
    """The name of NRCeS' profile that a canonical names, with or without its version."""
    home, _, name = str(canonical).partition("|")[0].rpartition("/")
    return name if home == CANONICAL and name in profiles() else None


def _linked(number: int, *, above: str, profile: str, by_hand: bool, part: str = "") -> Rule:
    node: dict[str, Any] = _written()["nodes"][number]
    path = f"{above}.{node['name']}" if above else node["name"]
    path += part and f":{part}"
    codes = _written()["codes"].get(node.get("codes"), node.get("only"))
    rule = Rule(
        path=path,
        profile=profile,
        by_hand=by_hand,
        name=node["name"],
        least=node.get("min", 0),
        most=node.get("max", 1),
        many="many" in node,
        types=tuple(node.get("types", ())),
        targets=tuple(node.get("targets", ())),
        fixed=node.get("fixed"),
        pattern=node.get("pattern"),
        codes=frozenset(codes) if codes else None,
        holds=tuple(node.get("holds", ())),
        like=node.get("like", ""),
        told_by=tuple(node.get("by", ())),
        closed=node.get("rules") == "closed",
        at_end=node.get("rules") == "openAtEnd",
    )
    rule.kids = tuple(_linked(kid, above=path, profile=profile, by_hand=by_hand) for kid in node.get("kids", ()))
    rule.slices = tuple(
        Slice(name, match, _linked(kid, above=above, profile=profile, by_hand=by_hand, part=name))
        for name, match, kid in node.get("slices", ())
    )
    rule.needed = tuple(kid for kid in rule.kids if kid.least)
    rule.keys = {key: (kid, kind) for kid in rule.kids for key, kind in _keys(kid)}
    return rule


def _keys(rule: Rule) -> list[tuple[str, str]]:
    """The names in JSON, each with its type."""
    if not rule.name.endswith("[x]"):
        return [(rule.name, rule.types[0] if rule.types else "")]
    stem = rule.name.removesuffix("[x]")
    return [(f"{stem}{kind[0].upper()}{kind[1:]}", kind) for kind in rule.types]
