"""Walk one resource along one definition. Follows no reference: what is pointed at is references.py's."""

from collections.abc import Mapping
from typing import Any, Final

from connectors.abdm.fhir import rules
from connectors.abdm.fhir.found import Enough, Found
from connectors.abdm.fhir.invariants import HOLDS, parts
from connectors.abdm.fhir.primitives import PRIMITIVES, expected
from connectors.abdm.fhir.rules import Rule, Slice
from scopes.fault import safe_name

_INLINE: Final = frozenset({"BackboneElement", "Element", ""})
Kinds = Mapping[str, str]
"""What resource each reference of the bundle points to, as far as slices are told by it."""


class Walk:
    """One resource along one definition."""

    def __init__(self, found: Found, *, entry: int, kinds: Kinds) -> None:
        """Take where faults go, the entry's place, and what references point to."""
        self.found, self.entry, self.kinds = found, entry, kinds

    def resource(self, value: dict[str, Any], rule: Rule, path: str) -> None:
        """A whole resource."""
        self._object(value, rule, path=path, skip="resourceType")

    def _object(self, value: dict[str, Any], rule: Rule, *, path: str, skip: str = "") -> None:
        """The children of an object, each by its own rule, and what is missing among them."""
        for key, item in value.items():
            found = rule.keys.get(key)
            if found is not None:
                child, kind = found
                self._child(item, child, kind, path=f"{path}.{key}")
            elif key != skip:
                self._other(value, key, rule, path=path)
        for child in rule.needed:
            if not self._there(value, child):
                self.found.fault(f"{path}.{child.name}", f"is required ({child})")
        for kid in rule.kids:
            if kid.name.endswith("[x]") and sum(key in value for key, _ in rules._keys(kid)) > 1:
                self.found.fault(f"{path}.{kid.name}", f"may be of one type only ({kid})")
        for key in rule.holds:
            if not HOLDS[key](value):
                self.found.fault(path, f"breaks the invariant {key} ({rule})")

    def _there(self, value: dict[str, Any], rule: Rule) -> bool:
        if not rule.name.endswith("[x]"):
            return rule.name in value or f"_{rule.name}" in value
        return any(key in value or f"_{key}" in value for key, _ in rules._keys(rule))

    def _other(self, value: dict[str, Any], key: str, rule: Rule, *, path: str) -> None:
        """What stands beside the rules' names: extensions of a primitive, a choice that is not open, or nothing known."""
        stem = key.removeprefix("_")
        if key.startswith("_") and stem in rule.keys and rule.keys[stem][1] in PRIMITIVES:
            self._beside(value, key, path=path)
            return
        name = safe_name(key)
        choice = next((kid for kid in rule.kids if kid.name[-3:] == "[x]" and key.startswith(kid.name[:-3])), None)
        if choice is not None and key[len(choice.name) - 3 :][:1].isupper():
            self.found.fault(f"{path}.{name}", f"may only be {' or '.join(choice.types)} ({choice})")
        else:
            self.found.fault(f"{path}.{name}", f"is no element of {rule.path} ({rule.profile})")

    def _beside(self, value: dict[str, Any], key: str, *, path: str) -> None:
        """The id and extensions of a primitive value."""
        extension = rules.of_type("Extension")
        for at, item in enumerate(value[key] if isinstance(value[key], list) else [value[key]]):
            here = f"{path}.{key}[{at}]" if isinstance(value[key], list) else f"{path}.{key}"
            if item is None and isinstance(value[key], list):
                continue
            if not isinstance(item, dict) or not item or not set(item) <= {"id", "extension"}:
                self.found.fault(here, "may hold an id and extensions of the value, nothing else (FHIR R4 JSON)")
                continue
            for place, inner in enumerate(parts(item, "extension")):
                if isinstance(inner, dict) and extension is not None:
                    self._value(inner, extension, "Extension", path=f"{here}.extension[{place}]")
                else:
                    self.found.fault(f"{here}.extension[{place}]", "must be an extension (FHIR R4 JSON)")

    def _child(self, item: Any, rule: Rule, kind: str, *, path: str) -> None:
        """One child, or each of a list; how many there may be."""
        if rule.most == 0:
            self.found.fault(path, f"may not stand here ({rule})")
        elif not rule.many:
            if isinstance(item, list):
                self.found.fault(path, f"must not be a list ({rule})")
            else:
                self._value(item, rule, kind, path=path)
        elif not isinstance(item, list):
            self.found.fault(path, f"must be a list ({rule})")
        else:
            self._list(item, rule, kind, path=path)

    def _list(self, items: list[Any], rule: Rule, kind: str, *, path: str) -> None:
        if not items:
            self.found.fault(path, f"must not be an empty list; leave it out instead ({rule})")
        if len(items) < rule.least:
            self.found.fault(path, f"must be there at least {rule.least} times ({rule})")
        if rule.most is not None and len(items) > rule.most:
            self.found.fault(path, f"may be there at most {rule.most} times ({rule})")
        if rule.slices:
            self._sliced(items, rule, kind, path=path)
            return
        for at, item in enumerate(items):
            # A null keeps the place of a primitive that has extensions only; _beside looks at those.
            if item is not None or kind not in PRIMITIVES:
                self._value(item, rule, kind, path=f"{path}[{at}]")

    def _sliced(self, items: list[Any], rule: Rule, kind: str, *, path: str) -> None:
        """Each item by the rule of its slice; how often each slice may be there."""
        counts = dict.fromkeys((each.name for each in rule.slices), 0)
        untold: list[int] = []
        last = -1
        for at, item in enumerate(items):
            here = f"{path}[{at}]"
            own = self._slices_of(item, rule)
            if len(own) > 1:
                names = ", ".join(each.name for each in own)
                self.found.fault(here, f"belongs to several slices at once: {names} ({rule})")
            if not own and rule.closed:
                place = f"{here}.{rule.told_by[1]}" if rule.told_by[0] == "value" else here
                names = ", ".join(each.match for each in rule.slices)
                self.found.fault(place, f"must be one of {names}, or the item belongs to no slice ({rule}, closed)")
            if not own and not rule.closed:
                self._untold(item, rule, path=here)
            untold, last = (untold, at) if own else ([*untold, at], last)
            for each in own:
                counts[each.name] += 1
            self._value(item, own[0].rule if own else rule, kind, path=here)
        for at in untold if rule.at_end else ():
            if at < last:
                self.found.fault(f"{path}[{at}]", f"belongs to no slice, so must stand at the end ({rule}, openAtEnd)")
        for each in rule.slices:
            if counts[each.name] < each.rule.least:
                self.found.fault(path, f"must hold {each.match} at least {each.rule.least} times ({each.rule})")
            if each.rule.most is not None and counts[each.name] > each.rule.most:
                self.found.fault(path, f"may hold {each.match} at most {each.rule.most} times ({each.rule})")

    def _untold(self, item: Any, rule: Rule, *, path: str) -> None:
        """What every slice would need there: without it an item that is meant for one passes for none, and unseen."""
        own = [each.rule for each in rule.slices]
        held = [(path, item)]
        for step in rule.told_by[1].split("."):
            own = [kid for each in own for kid in each.kids if kid.name == step]
            needed = bool(own) and all(each.least for each in own)
            for where, inner in held:
                if needed and isinstance(inner, dict) and step not in inner:
                    self.found.fault(f"{where}.{step}", f"is required, as it tells the slice ({own[0]})")
            held = [
                (f"{where}.{step}[{at}]" if isinstance(inner[step], list) else f"{where}.{step}", one)
                for where, inner in held
                if isinstance(inner, dict) and step in inner
                for at, one in enumerate(parts(inner, step))
            ]

    def _slices_of(self, item: Any, rule: Rule) -> list[Slice]:
        how, where = rule.told_by
        if how == "type":
            reference = item.get("reference") if isinstance(item, dict) else None
            held = {self.kinds.get(reference, "") if isinstance(reference, str) else ""}
        else:
            values = [item]
            for step in where.split("."):
                values = [inner for value in values for inner in parts(value, step)]
            held = {value for value in values if isinstance(value, str)}
        return [each for each in rule.slices if each.match in held]

    def _value(self, item: Any, rule: Rule, kind: str, *, path: str) -> None:
        """One value: its type, what it must equal, and what is in it."""
        if kind in PRIMITIVES:
            self._primitive(item, rule, kind, path=path)
            return
        if not isinstance(item, dict):
            self.found.fault(path, f"must be an object ({rule})")
            return
        if not item:
            self.found.fault(path, f"must not be empty; leave it out instead ({rule})")
        if rule.fixed is not None and item != rule.fixed:
            self.found.fault(path, f"must be exactly what the definition fixes ({rule})")
        if rule.pattern is not None and not _covers(item, rule.pattern):
            self.found.fault(path, f"must hold what the definition's pattern holds ({rule})")
        if kind == "Resource":
            self._inner(item, path=path)
            return
        self._complex(item, rule, kind, path=path)

    def _complex(self, item: dict[str, Any], rule: Rule, kind: str, *, path: str) -> None:
        """An object of a data type, or of a part that its definition writes out."""
        own = rules.like(rule.like, rule.profile) if rule.like else rule
        base = None if kind in _INLINE else rules.of_type(kind)
        if own.kids:
            self._object(item, own, path=path)
        elif base is not None:
            self._object(item, base, path=path)
            for key in own.holds if own is not base else ():
                if not HOLDS[key](item):
                    self.found.fault(path, f"breaks the invariant {key} ({own})")
        else:
            self.scan(item, path=path)
        if own.kids and base is not None:
            for key in base.holds:
                if not HOLDS[key](item):
                    self.found.fault(path, f"breaks the invariant {key} ({base})")
        if kind == "Reference":
            self.found.point(f"{path}.reference", item.get("reference"), entry=self.entry, rule=own)
        if kind == "Extension" and ("extension" in item) == any(key.lstrip("_").startswith("value") for key in item):
            self.found.fault(path, "must hold either a value or extensions (FHIR R4 Extension, ext-1)")
        if rule.codes is not None and kind in ("CodeableConcept", "Coding"):
            codings = list(parts(item, "coding")) if kind == "CodeableConcept" else [item]
            if not any(isinstance(each, dict) and _in(each.get("code"), rule.codes) for each in codings):
                self.found.fault(path, f"must hold one of {', '.join(sorted(rule.codes))} ({rule}, required binding)")

    def _inner(self, item: dict[str, Any], *, path: str) -> None:
        """A resource inside of this one. Those of a bundle's entries are walked by themselves."""
        if self.entry >= 0:
            self.scan(item, path=path)

    def _primitive(self, item: Any, rule: Rule, kind: str, *, path: str) -> None:
        words = expected(kind, item)
        if words is not None:
            self.found.fault(path, f"must be {words} ({rule}, {kind})")
            return
        for wanted in (rule.fixed, rule.pattern):
            if wanted is not None and (item != wanted or type(item) is not type(wanted)):
                self.found.fault(path, f'must be "{wanted}" ({rule}, fixed)')
        if rule.codes is not None and not _in(item, rule.codes):
            self.found.fault(path, f"must be one of {', '.join(sorted(rule.codes))} ({rule}, required binding)")

    def scan(self, value: Any, *, path: str) -> None:
        """Find the references in what no definition here describes."""
        pending: list[tuple[str, Any]] = [(path, value)]
        while pending:
            here, item = pending.pop()
            if isinstance(item, dict):
                if "resourceType" not in item:
                    self.found.point(f"{here}.reference", item.get("reference"), entry=self.entry, rule=None)
                pending.extend((f"{here}.{safe_name(key)}", inner) for key, inner in item.items())
            elif isinstance(item, list):
                pending.extend((f"{here}[{at}]", inner) for at, inner in enumerate(item))


def keeps(resource: dict[str, Any], name: str, *, entry: int, kinds: Kinds) -> bool:
    """Whether a resource keeps a profile by itself; where its references lead is not looked at."""
    trial = Found()
    try:
        Walk(trial, entry=entry, kinds=kinds).resource(resource, rules.of_profile(name), "")
    except Enough:
        return False
    return not trial.faults


def _in(value: Any, codes: frozenset[str]) -> bool:
    return isinstance(value, str) and value in codes


def _covers(value: Any, pattern: Any) -> bool:
    """Whether a value holds all that a pattern holds (FHIR R4, ElementDefinition.pattern[x])."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(key in value and _covers(value[key], pattern[key]) for key in pattern)
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(_covers(item, wanted) for item in value) for wanted in pattern)
    return bool(value == pattern)
