"""Check one document bundle against NRCeS' definitions. A list of named steps; each finds faults, none raises.

1 its bare form, 2 the envelope, 3 each resource along the profiles that it names, 4 each reference, and what is pointed at
along the profiles that the reference asks for, 5 what ABDM asks beyond the definitions, 6 FHIR's own structure.
"""

from typing import Any, Final

from connectors.abdm.fhir import fence, identifiers, rules, structure
from connectors.abdm.fhir.found import Enough, Found
from connectors.abdm.fhir.kinds import RECORDS, hi_type
from connectors.abdm.fhir.references import Index, declared, indexed, wanted
from connectors.abdm.fhir.walk import Walk, keeps
from scopes.fault import MOST_NAMED, Fault, safe_name

_DOCUMENTS: Final = "FHIR R4 documents"
_BY_ABDM: Final = "ABDM, document bundle"


def check(bundle: object, *, absolute: bool = False) -> list[Fault]:
    """Everything that keeps a document from conforming, at most 100 places; empty when it conforms. Holds no value of it.

    With `absolute` an entry's fullUrl must be an absolute address too, as FHIR's text says. NRCeS' own examples and the
    network's portal write `Type/id`, which resolves as well, so it is let through unless that is asked for.
    """
    bad = fence.outside(bundle, "Bundle")
    if bad is not None or not isinstance(bundle, dict):
        return [bad or Fault("Bundle", "must be a JSON object")]
    found = Found()
    try:
        _Check(bundle, found, absolute=absolute).run()
    except Enough:
        return list(found.faults)
    named = [fault.path for fault in found.faults]
    more = [each for each in structure.faults(bundle) if not any(_same_place(each.path, path) for path in named)]
    return [*found.faults, *more][:MOST_NAMED]


def _same_place(one: str, other: str) -> bool:
    """Whether two paths name one place, or one lies in the other: then it is said already."""
    short, long = sorted((one, other), key=len)
    return long == short or (long.startswith(short) and long[len(short)] in ".[")


class _Check:
    """One bundle on its way through the steps."""

    def __init__(self, bundle: dict[str, Any], found: Found, *, absolute: bool) -> None:
        self.bundle, self.found, self.absolute = bundle, found, absolute
        entries = bundle.get("entry")
        self.entries: list[Any] = entries if isinstance(entries, list) else []
        self.walked: set[tuple[int, str]] = set()
        self.index = Index()

    def run(self) -> None:
        """The steps, in order."""
        self._envelope()
        self.index = indexed(self.entries, self.found, absolute=self.absolute)
        for at, entry in enumerate(self.entries):
            self._entry(at, entry)
        self._references()
        for at, resource in self._resources("Patient"):
            identifiers.look(resource, self.found, _path(at))

    def _resources(self, kind: str) -> list[tuple[int, dict[str, Any]]]:
        found = [(at, entry.get("resource")) for at, entry in enumerate(self.entries) if isinstance(entry, dict)]
        return [(at, each) for at, each in found if isinstance(each, dict) and each.get("resourceType") == kind]

    def _envelope(self) -> None:
        """The bundle itself: facts that make it a document."""
        if self.bundle.get("resourceType") != "Bundle":
            self.found.fault("Bundle.resourceType", f"must be Bundle ({_DOCUMENTS})")
        self._walk(self.bundle, "DocumentBundle", at=-1, path="Bundle")
        if self.bundle.get("type") != "document" and not any(each.path == "Bundle.type" for each in self.found.faults):
            self.found.fault("Bundle.type", f"must be document ({_DOCUMENTS}; Bundle.type, DocumentBundle)")
        if not self.entries:
            self.found.fault("Bundle.entry", f"must hold the Composition first (Bundle.entry, bdl-11; {_DOCUMENTS})")
        for at, entry in enumerate(self.entries):
            if not isinstance(entry, dict):
                continue  # said already
            if "fullUrl" not in entry:
                self.found.fault(f"Bundle.entry[{at}].fullUrl", f"is required ({_BY_ABDM}; Bundle.entry.fullUrl)")
            if "resource" not in entry:
                self.found.fault(f"Bundle.entry[{at}].resource", f"is required ({_BY_ABDM}; Bundle.entry.resource)")

    def _entry(self, at: int, entry: Any) -> None:
        """One resource along the profiles that it names; the first must name one of a record."""
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            if isinstance(entry, dict) and "resource" in entry:
                self.found.fault(_path(at), "must be a resource (Bundle.entry.resource)")
            return
        kind = resource.get("resourceType")
        if not isinstance(kind, str):
            self.found.fault(f"{_path(at)}.resourceType", "is required (FHIR R4 JSON)")
            return
        names = declared(resource)
        for name in names:
            if rules.profiles()[name].kind == kind:
                self._walk(resource, name, at=at, path=_path(at))
            else:
                self.found.fault(f"{_path(at)}.meta.profile", f"names {name}, which is for another resource")
        if at == 0:
            self._record(resource, kind, names)

    def _record(self, resource: dict[str, Any], kind: str, names: tuple[str, ...]) -> None:
        """The Composition: of which record it is."""
        if kind != "Composition":
            self.found.fault("Bundle.entry[0].resource", f"must be a Composition (bdl-11; {_DOCUMENTS})")
        elif not set(names) & set(RECORDS.values()):
            what = "must name the profile of a record, such as OPConsultRecord"
            self.found.fault("Bundle.entry[0].resource.meta.profile", f"{what} ({_BY_ABDM}; Composition.meta.profile)")
            guessed = hi_type(self.bundle)
            if guessed is not None:
                self._walk(resource, RECORDS[guessed], at=0, path=_path(0))

    def _references(self) -> None:
        """Each reference, also those of resources that are walked only because something points to them, or not at all."""
        self._follow()
        walked = {at for at, _ in self.walked}
        for at, entry in enumerate(self.entries):
            resource = entry.get("resource") if isinstance(entry, dict) else None
            if isinstance(resource, dict) and at not in walked:
                for key, inner in resource.items():
                    Walk(self.found, entry=at, kinds={}).scan(inner, path=f"{_path(at)}.{safe_name(key)}")
        self._follow()

    def _follow(self) -> None:
        while self.found.pointers:
            pointer = self.found.pointers.popleft()
            target = self.index.target(pointer)
            if target is None:
                said = pointer.rule or "FHIR R4 Reference.reference"
                self.found.fault(pointer.path, f"must point to an entry of this bundle by its fullUrl ({said})")
                continue
            names = wanted(pointer, target, self.found)
            if target.entry >= 0:
                self._ask(names, target.entry, pointer.path)

    def _ask(self, names: tuple[str, ...], at: int, path: str) -> None:
        """Have a resource that names no profile keep one of those that a reference asks for."""
        resource = self.entries[at]["resource"]
        if len(names) == 1:
            self._walk(resource, names[0], at=at, path=_path(at))
        elif names and not any((at, name) in self.walked for name in names):
            for name in names:
                if keeps(resource, name, entry=at, kinds=self.index.kinds):
                    self._walk(resource, name, at=at, path=_path(at))
                    return
            self.found.fault(
                path, f"must point to what keeps {' or '.join(names)}; name one in the target's meta.profile"
            )

    def _walk(self, resource: dict[str, Any], name: str, *, at: int, path: str) -> None:
        if (at, name) in self.walked:
            return
        self.walked.add((at, name))
        Walk(self.found, entry=at, kinds=self.index.kinds).resource(resource, rules.of_profile(name), path)


def _path(at: int) -> str:
    return f"Bundle.entry[{at}].resource"
