"""Copy only what is declared, reduced as declared; name what stays behind. Whether it may go is decision.py's.

What is not declared is never looked into. What is declared is copied only if it is exactly the declared kind of JSON
value, so that a whole object in the place of a word is a fault and not a passenger.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from scopes.fault import MOST_NAMED, Fault, InvalidPayload, faults_of, safe_name
from scopes.field import Disclosed, Shape, ShapeError
from scopes.plan import Plan, Step, check_of, plan_of
from scopes.vocabulary import Category

__all__ = ["Fault", "InvalidPayload", "Minimized", "minimize", "minimize_answer"]

_ABSENT: Final[Any] = object()
_NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Minimized:
    """What may leave of one payload. It prints paths, never values."""

    model: Disclosed = field(repr=False)
    """What the connector gets, reduced."""
    values: dict[str, Any] = field(repr=False)
    """The same as JSON: str, int, bool, dict and list, without the fields that the caller left out."""
    sent: tuple[tuple[str, Category], ...]
    """The schema paths that leave, each once, in the order of the declaration."""
    withheld: tuple[str, ...]
    """The paths that the caller handed over and that stay: not declared, or withheld by the clinic."""


def minimize(shape: Shape, payload: Mapping[str, Any], withheld: frozenset[str] = _NOTHING) -> Minimized:
    """Copy the declared fields of a payload except the withheld ones, or raise InvalidPayload naming every wrong field.

    Where a required field is withheld nothing is copied at all: such a call may not go out, and decide() says so.
    """
    if not isinstance(payload, dict):
        if not isinstance(payload, Mapping):
            raise InvalidPayload([Fault("", "must be an object")])
        payload = dict(payload)
    if withheld and not shape.required_paths.isdisjoint(withheld):
        return Minimized(shape.model.model_construct(), {}, (), _listed({safe_name(key) for key in payload}))
    plan = plan_of(shape, withheld)
    stays: set[str] = set()
    faults: dict[str, str] = {}
    copied = _copied(plan, payload, stays, faults)
    model = _validated(plan, copied, faults)
    if model is None or faults:
        raise InvalidPayload([Fault(path, message) for path, message in faults.items()])
    used: set[str] = set()
    values = _written(plan, model, used)
    return Minimized(model, values, tuple([leaf for leaf in plan.leaves if leaf[0] in used]), _listed(stays))


def minimize_answer(shape: Shape, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the declared fields of a vendor's answer, reduced; what is not declared, or not as declared, is dropped."""
    if type(answer) is not dict and not isinstance(answer, Mapping):  # looking for a Mapping's kin costs a microsecond
        return {}
    return _kept(plan_of(shape, _NOTHING), answer)


def _listed(paths: set[str]) -> tuple[str, ...]:
    return tuple(sorted(paths)[:MOST_NAMED]) if paths else ()


def _copied(plan: Plan, payload: Mapping[Any, Any], stays: set[str], faults: dict[str, str]) -> dict[str, Any]:
    """Copy one object's declared fields; whatever else it holds is only named."""
    copied: dict[str, Any] = {}
    for name, value in payload.items():
        step = plan.steps.get(name)
        if step is None:
            stays.add(plan.prefix + safe_name(name))
        elif value is None and step.nullable:
            continue
        elif step.withheld:
            stays.add(step.path)
        elif step.many:
            copied[step.name] = _copied_list(step, value, stays, faults)
        elif step.group is None and step.fits(value):  # most are: saves them a call
            copied[step.name] = value
        else:
            copied[step.name] = _copied_value(step, value, stays, faults)
    return copied


def _copied_list(step: Step, value: Any, stays: set[str], faults: dict[str, str]) -> list[Any] | None:
    if type(value) is not list:
        faults[step.name] = "must be a list"
        return None
    copied = []
    for at, item in enumerate(value):
        wrong: dict[str, str] = {}
        copied.append(_copied_value(step, item, stays, wrong))
        for path, message in wrong.items():
            faults[f"{step.name}[{at}]{path.removeprefix(step.name)}"] = message
    return copied


def _copied_value(step: Step, value: Any, stays: set[str], faults: dict[str, str]) -> Any:
    """Copy one value of exactly the declared kind; anything else leaves a fault, and nothing in its place."""
    if not step.fits(value):
        faults[step.name] = step.expected
        return None
    if step.group is None:
        return value
    wrong: dict[str, str] = {}
    copied = _copied(step.group, value, stays, wrong)
    for path, message in wrong.items():
        faults[f"{step.name}.{path}"] = message
    return copied


def _validated(plan: Plan, copied: dict[str, Any], faults: dict[str, str]) -> Disclosed | None:
    """The copy as a model, or its further faults; a fault found while copying keeps its message."""
    try:
        model: Disclosed = plan.validator.validate_python(copied)
    except ValidationError as error:
        faults.update({path: message for path, message in faults_of(error).items() if path not in faults})
    except Exception as error:
        # A rule of the declaration is broken. What it raised may repeat the value, so only its name is passed on.
        faults[""] = f"cannot be checked: a rule of its declaration fails with {type(error).__name__}"
    else:
        return model
    return None


def _written(plan: Plan, model: Any, used: set[str]) -> dict[str, Any]:
    """Write the fields of a model that its payload set as JSON, and note their paths."""
    values: dict[str, Any] = {}
    held, given = model.__dict__, model.__pydantic_fields_set__
    for step in plan.steps.values():
        if step.name not in given or (value := held[step.name]) is None:
            continue
        if step.group is None:
            used.add(step.path)
        if step.many:
            values[step.name] = [_written_value(step, item, used) for item in value]
        else:
            values[step.name] = _written_value(step, value, used)
    return values


def _written_value(step: Step, value: Any, used: set[str]) -> Any:
    if step.group is None:
        return _written_leaf(step, value)
    if type(value) is not step.kind:
        raise _changed(step)
    return _written(step.group, value, used)


def _written_leaf(step: Step, value: Any) -> Any:
    if type(value) is not step.kind:
        raise _changed(step)
    return value if step.write is None else step.write(value)


def _changed(step: Step) -> ShapeError:
    return ShapeError(f"{step.path}: its validator or transform returns another type than the field declares")


def _kept(plan: Plan, answer: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for step in plan.steps.values():
        value = answer.get(step.name)
        if value is None:
            continue
        if step.group is not None:
            found = _kept_group(step.group, value, many=step.many)
        else:
            found = _kept_list(step, value) if step.many else _kept_value(step, value)
        if found is not _ABSENT:
            kept[step.name] = found
    return kept


def _kept_group(group: Plan, value: Any, *, many: bool) -> Any:
    if many and isinstance(value, list | tuple):
        return [_kept(group, item) for item in value if isinstance(item, Mapping)]
    return _kept(group, value) if isinstance(value, Mapping) and not many else _ABSENT


def _kept_value(step: Step, value: Any) -> Any:
    """One leaf; where it is not as declared, nothing."""
    valid = _valid(step, value) if _is_declared(step, value) else None
    return _ABSENT if valid is None else _written_leaf(step, valid)


def _kept_list(step: Step, value: Any) -> Any:
    """All of a leaf's list; where anything in it is not as declared, nothing."""
    if not isinstance(value, list | tuple) or not all(_is_declared(step, item) for item in value):
        return _ABSENT
    valid = _valid(step, list(value))
    return _ABSENT if valid is None else [_written_leaf(step, item) for item in valid]


def _valid(step: Step, value: Any) -> Any:
    try:
        return check_of(step.field)(value)
    except Exception:
        # Refused by its rule, or by a rule that is itself broken: either way it is not as declared.
        return None


def _is_declared(step: Step, value: Any) -> bool:
    """Whether this is the declared kind of JSON, or the date or word that a connector has read from it already."""
    return step.fits(value) or (step.write is not None and type(value) is step.kind)
