"""What the definitions require of a document, found in the document itself. Walks along the compiled rules, judges nothing."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from connectors.abdm.fhir import rules
from connectors.abdm.fhir.references import declared
from connectors.abdm.fhir.rules import Rule

Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class Required:
    """One required element that stands in a document."""

    rule: Rule
    steps: Steps
    """The way to it in the JSON, its own name last."""

    @property
    def path(self) -> str:
        """Where its absence is told; a choice of types is told by its stem."""
        *above, _ = self.steps
        return f"{written(tuple(above))}.{self.rule.name}"


def written(steps: Steps) -> str:
    """The way as faults write it."""
    return "Bundle" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def without(bundle: dict[str, Any], steps: Steps) -> dict[str, Any]:
    """A copy in which one element is missing."""
    changed = copy.deepcopy(bundle)
    value: Any = changed
    for step in steps[:-1]:
        value = value[step]
    del value[steps[-1]]
    return changed


def changed(bundle: dict[str, Any], steps: Steps, new: Any) -> dict[str, Any]:
    """A copy in which one element is another."""
    made = copy.deepcopy(bundle)
    value: Any = made
    for step in steps[:-1]:
        value = value[step]
    value[steps[-1]] = new
    return made


def elements(bundle: dict[str, Any]) -> Iterator[tuple[Rule, Steps]]:
    """Every element of a document that a rule of a profile is about, with the way to it."""
    yield from _below(bundle, rules.of_profile("DocumentBundle"), ())
    for at, entry in enumerate(bundle["entry"]):
        for name in declared(entry["resource"]):
            yield from _below(entry["resource"], rules.of_profile(name), ("entry", at, "resource"))


def required(bundle: dict[str, Any]) -> list[Required]:
    """Each required element of each definition, at the first place where it stands."""
    found: dict[tuple[str, str], Required] = {}
    for rule, steps in elements(bundle):
        if rule.least and isinstance(steps[-1], str):
            found.setdefault((rule.profile, rule.path), Required(rule, steps))
    return list(found.values())


def _below(value: Any, rule: Rule, steps: Steps) -> Iterator[tuple[Rule, Steps]]:
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key not in rule.keys:
            continue
        child, kind = rule.keys[key]
        yield child, (*steps, key)
        if kind == "Resource":
            continue
        for at, item in enumerate(inner if isinstance(inner, list) else [inner]):
            own = _slice(item, child)
            inside = own if own.kids else rules.of_type(kind)
            here: Steps = (*steps, key, at) if isinstance(inner, list) else (*steps, key)
            if own is not child:
                yield own, here
            if inside is not None:
                yield from _below(item, inside, here)


def _slice(item: Any, rule: Rule) -> Rule:
    """The rule of an item's slice, told by a plain reading of the discriminator."""
    for each in rule.slices:
        if rule.told_by[0] == "type":
            continue
        values = [item]
        for step in rule.told_by[1].split("."):
            inner = [value.get(step) for value in values if isinstance(value, dict)]
            values = [one for each_ in inner for one in (each_ if isinstance(each_, list) else [each_])]
        if each.match in values:
            return each.rule
    return rule
