"""Ready resources as a host hands them over: sound, each with its address in the document, references rewritten to those.

The host's own ids stay behind: an id is no part of what a document says, and may be a number that tells of somebody.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.abdm.fhir import fence
from connectors.abdm.fhir.draft import Body, Draft
from scopes.fault import Fault, InvalidPayload, safe_name

_TYPE: Final = re.compile(r"[A-Z][A-Za-z]{1,63}")
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_NAMED: Final = re.compile(rf"(?P<kind>{_TYPE.pattern})/(?P<id>{_ID.pattern})(?:/_history/{_ID.pattern})?")
_URN: Final = "urn:uuid:"
_MADE_HERE: Final = frozenset({"Bundle", "Composition"})


@dataclass(frozen=True, slots=True)
class Link:
    """One resource points to another, somewhere below one of its elements."""

    source: int
    element: str
    target: int


@dataclass(slots=True)
class Gathered:
    """The resources in the order in which they were handed over, as they stand in the document."""

    bodies: list[Body] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    def of(self, *kinds: str) -> list[int]:
        """The places of all resources of these types."""
        return [at for at, body in enumerate(self.bodies) if body["resourceType"] in kinds]

    def reference(self, at: int) -> Body:
        """A reference to one of them, each time one of its own."""
        return {"reference": f"{_URN}{self.bodies[at]['id']}", "type": self.bodies[at]["resourceType"]}

    def entries(self) -> list[Body]:
        """All of them as entries of a bundle."""
        return [{"fullUrl": f"{_URN}{body['id']}", "resource": body} for body in self.bodies]


def gathered(resources: object, draft: Draft) -> Gathered:
    """Take resources in; `draft` gives the addresses. Raises InvalidPayload with paths below `resources`."""
    if not isinstance(resources, list) or not resources:
        raise InvalidPayload([Fault("resources", "must be a list of at least one FHIR R4 resource")])
    bad = fence.outside({"resources": resources}, "")
    if bad is not None:
        raise InvalidPayload([Fault(bad.path.removeprefix(".") or "resources", bad.message)])
    if faults := _unsound(resources):
        raise InvalidPayload(faults)
    taking = _Taking(resources, [draft.next_id(each["resourceType"]) for each in resources])
    for at, resource in enumerate(resources):
        taking.take(at, resource)
    if taking.faults:
        raise InvalidPayload(taking.faults)
    return taking.found


def _unsound(resources: list[Any]) -> list[Fault]:
    """What keeps resources from being taken in, before anybody looks where they point."""
    faults: list[Fault] = []
    first: dict[tuple[str, str], int] = {}
    for at, resource in enumerate(resources):
        path = f"resources[{at}]"
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
            faults.append(Fault(f"{path}.resourceType", "is required: the type of a FHIR R4 resource"))
            continue
        if kind in _MADE_HERE:
            words = "is made here of the other resources; hand a ready one over as a document"
            faults.append(Fault(f"{path}.resourceType", words))
        if "contained" in resource:
            faults.append(Fault(f"{path}.contained", "must be handed over as resources of their own"))
        own = resource.get("id")
        if own is None and "id" not in resource:
            continue
        if not isinstance(own, str) or not _ID.fullmatch(own):
            faults.append(Fault(f"{path}.id", "must be 1 to 64 letters, digits, hyphens and dots"))
        elif (other := first.setdefault((kind, own), at)) != at:
            faults.append(Fault(f"{path}.id", f"is that of resources[{other}] too, which is of the same type"))
    return faults


class _Taking:
    """Resources on their way in: what each is called where it comes from, and what it is called here."""

    def __init__(self, resources: list[dict[str, Any]], ids: list[str]) -> None:
        self.ids, self.kinds = ids, [str(each["resourceType"]) for each in resources]
        self.found, self.faults = Gathered(), list[Fault]()
        self._by_name = {(each["resourceType"], each["id"]): at for at, each in enumerate(resources) if "id" in each}
        self._by_uuid: dict[str, list[int]] = {}
        for (_, own), at in self._by_name.items():
            self._by_uuid.setdefault(own.lower(), []).append(at)

    def take(self, at: int, resource: dict[str, Any]) -> None:
        """Take one in, as a copy."""
        body: Body = {"resourceType": self.kinds[at], "id": self.ids[at]}
        for key, value in resource.items():
            if key not in body:
                body[key] = self._copy(value, Link(at, key, at), f"resources[{at}].{safe_name(key)}")
        self.found.bodies.append(body)

    def _copy(self, value: Any, link: Link, path: str) -> Any:
        if isinstance(value, list):
            return [self._copy(each, link, f"{path}[{at}]") for at, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        copied = {key: self._copy(each, link, f"{path}.{safe_name(key)}") for key, each in value.items()}
        if isinstance(said := value.get("reference"), str):
            copied["reference"] = self._reference(said, value.get("type"), link, path)
        elif isinstance(said := value.get("url"), str) and _NAMED.fullmatch(said):
            # An attachment may name a Binary beside it (FHIR R4, 'Resolving references in Bundles').
            copied["url"] = self._address(said, link, f"{path}.url")
        return copied

    def _reference(self, said: str, kind: object, link: Link, path: str) -> str:
        before = len(self.found.links)
        address = self._address(said, link, f"{path}.reference")
        for made in self.found.links[before:]:
            if isinstance(kind, str) and kind.rpartition("/")[2] != self.kinds[made.target]:
                self.faults.append(Fault(f"{path}.type", "must be the type of the resource that is pointed to"))
        return address

    def _address(self, said: str, link: Link, path: str) -> str:
        """The address here of what a reference names; a fault where it names nothing that was handed over."""
        named = _NAMED.fullmatch(said)
        if named is not None:
            at = self._by_name.get((named["kind"], named["id"]))
            targets = [] if at is None else [at]
        else:
            targets = self._by_uuid.get(said.removeprefix(_URN).lower(), []) if said.startswith(_URN) else []
        if len(targets) != 1:
            words = "must point to one of the resources, as Type/id or as urn:uuid: with its id"
            several = "names several resources by the id that they share; write Type/id"
            self.faults.append(Fault(path, several if targets else words))
            return said
        self.found.links.append(Link(link.source, link.element, targets[0]))
        return f"{_URN}{self.ids[targets[0]]}"
