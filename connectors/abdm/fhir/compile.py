"""Compile NRCeS' StructureDefinitions into the data file that the checker reads. A tool: production never imports it.

Run with the folder of the definitions: ``python -m connectors.abdm.fhir.compile FOLDER``. The same definitions give the same
bytes. Kept of each element: how often, of what type, pointing where, holding what, sliced how, bound by which invariants.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from connectors.abdm.fhir.base_types import base_resource, data_types
from connectors.abdm.fhir.by_hand import CANONICAL, OPEN_ENDED, RECORDS, VALUE_SETS, ByHand
from connectors.abdm.fhir.invariants import HOLDS

TARGET: Final = Path(__file__).parent / "nrces.json"
SOURCE: Final = "ndhm.in 2.0.1 (FHIR R4 4.0.1), National Resource Centre for EHR Standards"
LICENCE: Final = "CC0-1.0, as the package's package.json says; compiled by connectors/abdm/fhir/compile.py"
# Every element must hold something; the walk itself sees to that. A narrative is advice.
_EVERYWHERE: Final = frozenset({"ele-1", "ext-1", "dom-6"})
_STRING: Final = "http://hl7.org/fhirpath/System.String"
_CODES: Final = re.compile(r"[A-Za-z-]+(?: \| [A-Za-z-]+)+")

Node = dict[str, Any]


class Compiler:
    """Turns snapshots into nodes; equal nodes are kept once and named by their number."""

    def __init__(self) -> None:
        """Start without any."""
        self.nodes: list[str] = []
        self._numbers: dict[str, int] = {}
        self.codes: dict[str, list[str]] = {}

    def keep(self, node: Node) -> int:
        """The node's number."""
        text = json.dumps(node, separators=(",", ":"), ensure_ascii=False)
        if text not in self._numbers:
            self._numbers[text] = len(self.nodes)
            self.nodes.append(text)
        return self._numbers[text]

    def snapshot(self, elements: Iterable[Mapping[str, Any]]) -> int:
        """A whole definition; its root's number."""
        elements = list(elements)
        below: dict[str, list[Mapping[str, Any]]] = {}
        for element in elements[1:]:
            below.setdefault(_parent(element["id"]), []).append(element)
        return self._element(elements[0], below)

    def _element(self, element: Mapping[str, Any], below: Mapping[str, list[Mapping[str, Any]]]) -> int:
        children = below.get(element["id"], [])
        node = self._bare(element)
        if children:
            node["kids"] = [self._element(child, below) for child in children if ":" not in _last(child["id"])]
        slices = [each for each in below.get(_parent(element["id"]), []) if each["id"].startswith(f"{element['id']}:")]
        if slices:
            slicing = element["slicing"]
            (discriminator,) = slicing["discriminator"]
            node["by"] = [discriminator["type"], discriminator["path"]]
            node["rules"] = slicing["rules"]
            node["slices"] = [
                [each["sliceName"], _match(each, discriminator, below), self._element(each, below)] for each in slices
            ]
        return self.keep(node)

    def _bare(self, element: Mapping[str, Any]) -> Node:
        """An element without what is below it."""
        node: Node = {"name": _last(element["id"]).partition(":")[0]}
        if element["min"]:
            node["min"] = element["min"]
        if element["max"] != "1":
            node["max"] = None if element["max"] == "*" else int(element["max"])
        if element.get("base", {}).get("max", element["max"]) != "1":
            node["many"] = 1
        if "contentReference" in element:
            node["like"] = element["contentReference"].partition("#")[2]
        types = [_type(each, element["id"]) for each in element.get("type", ())]
        if types:
            node["types"] = list(dict.fromkeys(types))
        targets = [_target(each) for kind in element.get("type", ()) for each in kind.get("targetProfile", ())]
        if targets and "Reference" in node["types"]:
            node["targets"] = sorted(set(targets))
        for key, value in element.items():
            if key.startswith("fixed"):
                node["fixed"] = value
            if key.startswith("pattern"):
                node["pattern"] = value
        node.update(self._bound(element))
        keys = [each["key"] for each in element.get("constraint", ()) if each["severity"] == "error"]
        profiles = [each.rpartition("/")[2] for kind in element.get("type", ()) for each in kind.get("profile", ())]
        keys += ["sqty-1"] if "SimpleQuantity" in profiles else []
        if unknown := set(keys) - _EVERYWHERE - set(HOLDS):
            raise SystemExit(f"{element['id']} has invariants that nobody wrote down: {sorted(unknown)}")
        if kept := [key for key in keys if key not in _EVERYWHERE]:
            node["holds"] = kept
        return node

    def _bound(self, element: Mapping[str, Any]) -> Node:
        """A required binding whose codes can be listed."""
        binding = element.get("binding", {})
        if binding.get("strength") != "required":
            return {}
        name = binding["valueSet"].rpartition("/")[2].partition("|")[0]
        if name in OPEN_ENDED:
            return {}
        if name not in self.codes:
            self.codes[name] = list(VALUE_SETS.get(name) or _listed(element["short"], name))
        return {"codes": name}


def _parent(identity: str) -> str:
    return identity.rpartition(".")[0]


def _last(identity: str) -> str:
    return identity.rpartition(".")[2]


def _type(kind: Mapping[str, Any], identity: str) -> str:
    if kind["code"] != _STRING:
        return str(kind["code"])
    if identity.endswith(".url"):
        return "uri"
    return "id" if identity.count(".") == 1 else "string"


def _target(canonical: str) -> str:
    """A profile of NRCeS by its name, a resource of FHIR's own with ~ before it."""
    home, _, name = canonical.rpartition("/")
    return name if home == CANONICAL else f"~{name}"


def _listed(short: str, name: str) -> list[str]:
    """The codes that a definition's short text lists, all of them."""
    found = _CODES.match(short)
    if found is None or "+" in short:
        raise SystemExit(f"the codes of {name} are not listed; write them in by_hand.py")
    return found[0].split(" | ")


def _match(part: Mapping[str, Any], discriminator: Mapping[str, str], below: Mapping[str, Any]) -> str:
    """What an item holds where the discriminator looks, if it belongs to the slice."""
    if discriminator == {"type": "type", "path": "resolve()"}:
        return str(part["sliceName"])
    if discriminator["type"] != "value":
        raise SystemExit(f"{part['id']} is told by {discriminator['type']}, which nobody wrote down")
    identity, wanted = part["id"], f"{part['id']}.{discriminator['path']}"
    for step in discriminator["path"].split("."):
        identity = f"{identity}.{step}"
        element = next(each for each in below[_parent(identity)] if each["id"] == identity)
    fixed = [value for key, value in element.items() if key.startswith("fixed")]
    if len(fixed) != 1:
        raise SystemExit(f"{wanted} must be fixed, or no item can be told to be of the slice")
    return str(fixed[0])


def written(record: ByHand, like: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The snapshot of a profile that is written by hand."""
    elements: list[dict[str, Any]] = []
    for element in like:
        if any(element["id"] == out or element["id"].startswith((f"{out}.", f"{out}:")) for out in record.without):
            continue
        changed = {**element, **record.changes.get(element["id"], {})}
        elements.append({key: value for key, value in changed.items() if value is not None})
        if element["id"] == "Composition.section.entry":
            kind = changed["slicing"]["discriminator"][0]["type"]
            for name, (least, most, profiles) in record.slices.items():
                elements += _slice(changed, name, (least, most), profiles=profiles, typed=kind == "value")
    return elements


def _slice(
    entry: Mapping[str, Any], name: str, often: tuple[int, int | None], *, profiles: tuple[str, ...], typed: bool
) -> list[dict[str, Any]]:
    """A slice of a section's entries as its siblings have it: a reference, its type fixed where that tells it apart."""
    identity, (least, most) = f"{entry['id']}:{name}", often
    part = {key: value for key, value in entry.items() if key != "slicing"}
    part |= {"id": identity, "sliceName": name, "min": least, "max": "*" if most is None else str(most)}
    part["type"] = [{"code": "Reference", "targetProfile": [f"{CANONICAL}/{each}" for each in profiles]}]
    below = [
        _primitive(f"{identity}.id", "string"),
        {**_primitive(f"{identity}.extension", "Extension"), "max": "*", "base": {"max": "*"}},
        {**_primitive(f"{identity}.reference", "string"), "min": 1},
        _primitive(f"{identity}.type", "uri"),
        _primitive(f"{identity}.identifier", "Identifier"),
        _primitive(f"{identity}.display", "string"),
    ]
    if typed:
        below[3] |= {"min": 1, "fixedUri": name}
    return [part, *below]


def _primitive(identity: str, kind: str) -> dict[str, Any]:
    return {"id": identity, "min": 0, "max": "1", "base": {"max": "1"}, "type": [{"code": kind}]}


def compiled(folder: Path) -> bytes:
    """The data file's bytes."""
    found = [json.loads(file.read_bytes()) for file in sorted(folder.glob("StructureDefinition-*.json"))]
    if not found:
        raise SystemExit(f"no StructureDefinition-*.json in {folder}")
    compiler, profiles = Compiler(), {}
    snapshots = {each["id"]: each["snapshot"]["element"] for each in found}
    for each in found:
        profiles[each["id"]] = {"type": each["type"], "root": compiler.snapshot(snapshots[each["id"]])}
        if each["baseDefinition"].startswith(CANONICAL):
            profiles[each["id"]]["base"] = each["baseDefinition"].rpartition("/")[2]
    for record in RECORDS:
        root = compiler.snapshot(written(record, snapshots[record.like]))
        profiles[record.id] = {"type": "Composition", "root": root, "by_hand": True}
    profiles["Invoice"] = {"type": "Invoice", "root": base_resource("Invoice", compiler.keep), "by_hand": True}
    section = next(each for each in snapshots["WellnessRecord"] if each["id"] == "Composition.section")
    plain = [each for each in snapshots["WellnessRecord"] if each["id"].startswith("Composition.section.")]
    base = {"Composition.section": compiler.snapshot([{**section, "min": 0}, *plain])}
    types = data_types(compiler.keep)
    return _bytes(compiler, {"profiles": profiles, "types": types, "base": base})


def _bytes(compiler: Compiler, parts: Mapping[str, Mapping[str, Any]]) -> bytes:
    """JSON with one node a line, so that a change of a definition reads as one."""
    head = {"source": SOURCE, "licence": LICENCE}
    lines = [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in head.items()]
    for name, part in {**parts, "codes": compiler.codes}.items():
        inner = [f"{json.dumps(key)}:{json.dumps(part[key], separators=(',', ':'))}" for key in sorted(part)]
        lines.append(f"{json.dumps(name)}:{{\n" + ",\n".join(inner) + "\n}")
    lines.append('"nodes":[\n' + ",\n".join(compiler.nodes) + "\n]")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


if __name__ == "__main__":
    TARGET.write_bytes(compiled(Path(sys.argv[1])))
