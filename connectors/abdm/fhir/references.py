"""Where a reference points, and whether what is there may stand there. Reaches nothing outside of the bundle."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.abdm.fhir import rules
from connectors.abdm.fhir.found import Found, Pointer
from connectors.abdm.fhir.invariants import parts

_RESTFUL: Final = re.compile(r"(?P<root>.*/|)(?P<kind>[A-Z][A-Za-z]{1,63})/(?P<id>[A-Za-z0-9\-.]{1,64})")
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.")
_ANY: Final = "~Resource"


@dataclass(frozen=True, slots=True)
class Target:
    """One resource that can be pointed at: an entry's, or one that another resource contains."""

    kind: str
    profiles: tuple[str, ...]
    """Those of NRCeS that it says it keeps."""
    entry: int
    """Its place among the entries; -1 for a contained one."""


@dataclass(slots=True)
class Index:
    """What a bundle's references can point at."""

    by_url: dict[str, Target] = field(default_factory=dict)
    roots: dict[int, str] = field(default_factory=dict)
    """By entry, what a relative reference in it is relative to; none where the entry's address is a URN."""
    contained: dict[tuple[int, str], Target] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    """By address, the resource type that is there."""

    def target(self, pointer: Pointer) -> Target | None:
        """What a reference points at: FHIR R4, 'Resolving references in Bundles'. None: nothing in this bundle."""
        reference = pointer.reference.partition("/_history/")[0]
        if reference.startswith("#"):
            return self.contained.get((pointer.entry, reference[1:]))
        if reference in self.by_url:
            return self.by_url[reference]
        return self.by_url.get(f"{self.roots.get(pointer.entry, '')}{reference}")


def indexed(entries: list[Any], found: Found, *, absolute: bool) -> Index:
    """The index of a bundle's entries, with the faults of their addresses; that they are absolute only where it is asked."""
    index = Index()
    for at, entry in enumerate(entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        url = entry.get("fullUrl") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            continue
        target = _target(resource, at)
        for inner in parts(resource, "contained"):
            if isinstance(inner, dict) and isinstance(inner.get("id"), str):
                index.contained[at, inner["id"]] = _target(inner, -1)
        if not isinstance(url, str):
            continue
        path = f"Bundle.entry[{at}].fullUrl"
        if url in index.by_url:
            found.fault(path, "is the address of another entry too (Bundle.entry.fullUrl, bdl-7)")
        index.by_url.setdefault(url, target)
        index.kinds.setdefault(url, target.kind)
        if absolute and not _ABSOLUTE.match(url):
            what = "Absolute URL server address or URI for UUID/OID"
            found.fault(path, f"must be absolute, best urn:uuid: (Bundle.entry.fullUrl, DocumentBundle: {what})")
        restful = None if url.startswith("urn:") else _RESTFUL.fullmatch(url)
        if restful:
            index.roots[at] = restful["root"]
            if (restful["kind"], restful["id"]) != (resource.get("resourceType"), resource.get("id")):
                found.fault(path, "must end in the resource's own type and id (Bundle.entry.fullUrl, FHIR R4)")
    return index


def declared(resource: Mapping[str, Any]) -> tuple[str, ...]:
    """The profiles of NRCeS that a resource's meta names, those that others narrow left out."""
    named = (rules.known(each) for each in parts(resource.get("meta"), "profile"))
    names = [name for name in dict.fromkeys(named) if name is not None]
    return tuple(name for name in names if not any(name != each and rules.satisfies(each, name) for each in names))


def _target(resource: Mapping[str, Any], entry: int) -> Target:
    kind = resource.get("resourceType")
    return Target(kind if isinstance(kind, str) else "", declared(resource), entry)


def wanted(pointer: Pointer, target: Target, found: Found) -> tuple[str, ...]:
    """The profiles of which a target must keep one, where it does not say so itself; the fault where it may not stand there."""
    rule = pointer.rule
    if rule is None or not rule.targets or _ANY in rule.targets or f"~{target.kind}" in rule.targets:
        return ()
    own = [name for name in rule.targets if not name.startswith("~") and rules.profiles()[name].kind == target.kind]
    if not own:
        found.fault(pointer.path, f"must point to {_names(rule.targets)} ({rule})")
        return ()
    if not target.profiles:
        return tuple(own)
    if not any(rules.satisfies(mine, name) for mine in target.profiles for name in own):
        found.fault(
            pointer.path,
            f"must point to a resource whose meta.profile is {_names(own)}; that one names another profile ({rule})",
        )
    return ()


def _names(targets: Iterable[str]) -> str:
    return " or ".join(sorted({each.removeprefix("~") for each in targets}))
