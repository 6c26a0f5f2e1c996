"""FHIR's invariants as far as NRCeS' definitions carry them: by key, a function that says whether an element keeps it.

Each is the definition's FHIRPath expression in Python (FHIR R4, `ElementDefinition.constraint`). An element that is not even of
the right type keeps every one of them: that fault is found elsewhere, and nothing here may raise.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

Element = dict[str, Any]
_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"


def parts(value: Any, name: str) -> Iterator[Any]:
    """The values of a child, whether one or several."""
    inner = value.get(name) if isinstance(value, dict) else None
    if isinstance(inner, list):
        yield from inner
    elif inner is not None:
        yield inner


def has(element: Element, *names: str) -> bool:
    """Whether any of these children is there; a primitive may be there by its extension alone."""
    return any(name in element or f"_{name}" in element for name in names)


def chosen(element: Element, name: str) -> bool:
    """Whether a choice of types is made: ``value`` is there as valueString, valueQuantity or another."""
    size = len(name)
    return any(key.lstrip("_").startswith(name) and key.lstrip("_")[size : size + 1].isupper() for key in element)


def coded(element: Element, name: str, system: str, codes: tuple[object, ...]) -> bool:
    """Whether a concept carries one of the codes."""
    return any(
        isinstance(coding, dict) and coding.get("system") == f"{_TERMINOLOGY}/{system}" and coding.get("code") in codes
        for concept in parts(element, name)
        for coding in parts(concept, "coding")
    )


def _strings(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict | list):
            pending.extend(item.values() if isinstance(item, dict) else item)


def _contained(resource: Element) -> list[Element]:
    return [each for each in parts(resource, "contained") if isinstance(each, dict)]


def _contained_is_used(resource: Element) -> bool:
    inner = _contained(resource)
    if not inner:
        return True
    named = set(_strings(resource))
    return all(f"#{each.get('id')}" in named or "#" in _strings(each) for each in inner)


def _contained_is_bare(resource: Element) -> bool:
    metas = [each["meta"] for each in _contained(resource) if isinstance(each.get("meta"), dict)]
    return not any(has(meta, "versionId", "lastUpdated") for meta in metas)


def _contained_is_unlabelled(resource: Element) -> bool:
    return not any("security" in each["meta"] for each in _contained(resource) if isinstance(each.get("meta"), dict))


def _entered_in_error(element: Element, system: str) -> bool:
    return coded(element, "verificationStatus", system, ("entered-in-error",))


def _ait_2(allergy: Element) -> bool:
    return not (_entered_in_error(allergy, "allergyintolerance-verification") and has(allergy, "clinicalStatus"))


def _con_4(condition: Element) -> bool:
    over = coded(condition, "clinicalStatus", "condition-clinical", ("resolved", "remission", "inactive"))
    return over or not chosen(condition, "abatement")


def _app_3(appointment: Element) -> bool:
    timed = has(appointment, "start") and has(appointment, "end")
    return timed or appointment.get("status") in ("proposed", "cancelled", "waitlist")


def _app_4(appointment: Element) -> bool:
    # The definition writes no-show, which is no code of the value set (it has noshow); kept as it is written.
    return not has(appointment, "cancelationReason") or appointment.get("status") in ("no-show", "cancelled")


def _is_document(bundle: Element) -> bool:
    return bundle.get("type") == "document"


def _entries(bundle: Element) -> list[Element]:
    return [each for each in parts(bundle, "entry") if isinstance(each, dict)]


def _bdl_3(bundle: Element) -> bool:
    asks = bundle.get("type") in ("batch", "transaction", "history")
    return all(has(each, "request") == asks for each in _entries(bundle))


def _bdl_4(bundle: Element) -> bool:
    answers = bundle.get("type") in ("batch-response", "transaction-response", "history")
    return all(has(each, "response") == answers for each in _entries(bundle))


def _version(entry: Element) -> str:
    resource = entry.get("resource")
    meta = resource.get("meta") if isinstance(resource, dict) else None
    return str(meta.get("versionId", "")) if isinstance(meta, dict) else ""


def _bdl_7(bundle: Element) -> bool:
    if bundle.get("type") == "history":
        return True
    named = [f"{each['fullUrl']}{_version(each)}" for each in _entries(bundle) if isinstance(each.get("fullUrl"), str)]
    return len(set(named)) == len(named)


def _bdl_9(bundle: Element) -> bool:
    identifier = bundle.get("identifier")
    return not _is_document(bundle) or (
        isinstance(identifier, dict) and has(identifier, "system") and has(identifier, "value")
    )


def _first_is(bundle: Element, kind: str) -> bool:
    entries = _entries(bundle)
    resource = entries[0].get("resource") if entries else None
    return isinstance(resource, dict) and resource.get("resourceType") == kind


def _obs_7(observation: Element) -> bool:
    if not chosen(observation, "value"):
        return True
    own = {_spelled(coding) for coding in parts(observation.get("code"), "coding")}
    return not any(
        _spelled(coding) in own
        for component in parts(observation, "component")
        if isinstance(component, dict)
        for coding in parts(component.get("code"), "coding")
    )


def _spelled(coding: Any) -> str:
    return json.dumps(coding, sort_keys=True)


def _per_1(period: Element) -> bool:
    """A period does not end before it starts; where the two differ in form, only their common part is compared."""
    start, end = period.get("start"), period.get("end")
    if not isinstance(start, str) or not isinstance(end, str):
        return True
    try:
        if "T" in start and "T" in end:
            return datetime.fromisoformat(start) <= datetime.fromisoformat(end)
    except (ValueError, TypeError):
        return True
    size = min(len(start.partition("T")[0]), len(end.partition("T")[0]))
    return start[:size] <= end[:size]


HOLDS: Final[Mapping[str, Callable[[Element], bool]]] = {
    "ait-1": lambda it: _entered_in_error(it, "allergyintolerance-verification") or has(it, "clinicalStatus"),
    "ait-2": _ait_2,
    "app-1": lambda it: has(it, "type", "actor"),
    "app-2": lambda it: has(it, "start") == has(it, "end"),
    "app-3": _app_3,
    "app-4": _app_4,
    "att-1": lambda it: not has(it, "data") or has(it, "contentType"),
    "bdl-1": lambda it: not has(it, "total") or it.get("type") in ("searchset", "history"),
    "bdl-2": lambda it: it.get("type") == "searchset" or not any(has(each, "search") for each in _entries(it)),
    "bdl-3": _bdl_3,
    "bdl-4": _bdl_4,
    "bdl-5": lambda it: has(it, "resource", "request", "response"),
    "bdl-7": _bdl_7,
    "bdl-8": lambda it: "/_history/" not in str(it.get("fullUrl", "")),
    "bdl-9": _bdl_9,
    "bdl-10": lambda it: not _is_document(it) or "timestamp" in it,
    "bdl-11": lambda it: not _is_document(it) or _first_is(it, "Composition"),
    "bdl-12": lambda it: it.get("type") != "message" or _first_is(it, "MessageHeader"),
    "cmp-1": lambda it: has(it, "text", "entry", "section"),
    "cmp-2": lambda it: not (has(it, "emptyReason") and has(it, "entry")),
    "con-1": lambda it: has(it, "summary", "assessment"),
    "con-2": lambda it: has(it, "code", "detail"),
    "con-4": _con_4,
    "con-5": lambda it: not (_entered_in_error(it, "condition-ver-status") and has(it, "clinicalStatus")),
    "cpl-3": lambda it: not (has(it, "detail") and has(it, "reference")),
    "cpt-2": lambda it: not has(it, "value") or has(it, "system"),
    "dom-2": lambda it: not any("contained" in each for each in _contained(it)),
    "dom-3": _contained_is_used,
    "dom-4": _contained_is_bare,
    "dom-5": _contained_is_unlabelled,
    "fhs-1": lambda it: not (chosen(it, "age") and chosen(it, "born")),
    "fhs-2": lambda it: chosen(it, "age") or not has(it, "estimatedAge"),
    "imm-1": lambda it: has(it, "documentType", "reference"),
    "imr-1": lambda it: has(it, "vaccineCode", "targetDisease"),
    "obs-3": lambda it: has(it, "low", "high", "text"),
    "obs-6": lambda it: not (has(it, "dataAbsentReason") and chosen(it, "value")),
    "obs-7": _obs_7,
    "org-1": lambda it: has(it, "identifier", "name"),
    "org-2": lambda it: it.get("use") != "home",
    "org-3": lambda it: it.get("use") != "home",
    "pat-1": lambda it: has(it, "name", "telecom", "address", "organization"),
    "per-1": _per_1,
    "prr-1": lambda it: not has(it, "orderDetail") or has(it, "code"),
    "qty-3": lambda it: not has(it, "code") or has(it, "system"),
    "sqty-1": lambda it: not has(it, "comparator"),
    "rat-1": lambda it: has(it, "numerator") == has(it, "denominator") and (has(it, "numerator") or "extension" in it),
}
