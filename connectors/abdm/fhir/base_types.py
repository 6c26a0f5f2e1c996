"""The data types of FHIR as compile.py needs them, read from the models of fhir.resources. Production never imports it.

NRCeS' snapshots say what a Patient is, but not what a HumanName is; the package that parses FHIR knows.
"""

import re
import typing
from collections.abc import Callable, Iterator
from typing import Any, Final

from fhir.resources.R4B import get_fhir_model_class

Keep = Callable[[dict[str, Any]], int]

ROOTS: Final = (
    "Address", "Age", "Annotation", "Attachment", "CodeableConcept", "Coding", "ContactPoint", "Dosage", "Duration",
    "Extension", "HumanName", "Identifier", "Meta", "Money", "Narrative", "Period", "Quantity", "Range", "Ratio", "Reference",
    "SampledData", "Signature", "Timing",
)  # fmt: skip
# R4B has two data types more than R4, and Extension.value[x] may be of any type; a document has no use for the rest.
_NOT_R4: Final = frozenset({"CodeableReference", "RatioRange"})
_PRIMITIVES: Final = {
    "Base64Binary": "base64Binary", "Boolean": "boolean", "Canonical": "canonical", "Code": "code", "Date": "date",
    "DateTime": "dateTime", "Decimal": "decimal", "Id": "id", "Instant": "instant", "Integer": "integer",
    "Markdown": "markdown", "Oid": "oid", "PositiveInt": "positiveInt", "String": "string", "Time": "time",
    "UnsignedInt": "unsignedInt", "Uri": "uri", "Url": "url", "UuidVersion": "uuid", "Xhtml": "xhtml",
}  # fmt: skip
# Invariants of R4's own data types (FHIR R4, data types): by the type, or by the part of one, that they hold for.
_HOLDS: Final = {
    "Attachment": ["att-1"], "ContactPoint": ["cpt-2"], "Period": ["per-1"], "Quantity": ["qty-3"], "Age": ["qty-3"],
    "Duration": ["qty-3"], "Ratio": ["rat-1"],
}  # fmt: skip


def data_types(keep: Keep) -> dict[str, int]:
    """Every data type, by name, as the number of its node."""
    return {name: keep({"name": name, **_held(name), "kids": list(_children(name, keep))}) for name in ROOTS}


def base_resource(name: str, keep: Keep) -> int:
    """A resource as FHIR itself has it, as the number of its node."""
    return keep({"name": name, "max": None, "kids": list(_children(name, keep))})


def _held(name: str) -> dict[str, list[str]]:
    return {"holds": _HOLDS[name]} if name in _HOLDS else {}


def _children(name: str, keep: Keep) -> Iterator[int]:
    """The nodes of what a type is made of; a choice of types is one node."""
    choices: dict[str, dict[str, Any]] = {}
    for key, field in get_fhir_model_class(name).model_fields.items():
        if key == "fhir_comments" or key.endswith("__ext"):
            continue
        more: dict[str, Any] = field.json_schema_extra  # type: ignore[assignment]
        kind, many = _kind(field.annotation)
        if "one_of_many" in more:
            choice = choices.setdefault(more["one_of_many"], {"name": f"{more['one_of_many']}[x]"})
            choice |= {"min": 1} if more["one_of_many_required"] else {}
            if kind not in _NOT_R4:
                choice.setdefault("types", []).append(kind)
            _point(choice, more)
            continue
        node: dict[str, Any] = {"name": field.alias or key}
        if field.is_required() or more.get("element_required"):
            node["min"] = 1
        if many:
            node |= {"max": None, "many": 1}
        yield keep(node | _made_of(kind, name, keep) | _codes(kind, more) | _point({}, more))
    yield from (keep(choice) for choice in choices.values())


def _made_of(kind: str, owner: str, keep: Keep) -> dict[str, Any]:
    """A part that has no name of its own is written out where it stands."""
    if kind.startswith(owner) and kind not in ROOTS:
        return {"types": ["BackboneElement"], "kids": list(_children(kind, keep))}
    return {"types": [kind]}


def _codes(kind: str, more: dict[str, Any]) -> dict[str, Any]:
    return {"only": more["enum_values"]} if kind == "code" and more.get("enum_values") else {}


def _point(node: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    if targets := more.get("enum_reference_types"):
        node["targets"] = sorted({*node.get("targets", ()), *(f"~{each}" for each in targets)})
    return node


def _kind(annotation: Any) -> tuple[str, bool]:
    """The name of a field's type, and whether there may be several."""
    if typing.get_origin(annotation) is list:
        return _kind(typing.get_args(annotation)[0])[0], True
    inner = [each for each in typing.get_args(annotation) if each is not type(None)] or [annotation]
    if typing.get_origin(annotation) is typing.Annotated:
        (*_, mark) = typing.get_args(annotation)
        if mark.__class__.__name__ in _PRIMITIVES:
            return _PRIMITIVES[mark.__class__.__name__], False
    if inner[0] is bool:
        return "boolean", False
    if inner[0] is not annotation:
        return _kind(inner[0])
    name = re.sub(r"Type$", "", annotation.__name__)
    return _PRIMITIVES.get(name, name), False
