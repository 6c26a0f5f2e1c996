"""Say which part of a body or a query string is wrong: its path and what is expected there, never what was there."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.errors import InvalidRequest
from scopes.fault import Fault, faults_of, safe_name

_OWN: Final = {
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "frozen_set_type": "must be a list",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
}
_Model = TypeVar("_Model", bound=BaseModel)


def validated(model: type[_Model], given: Any, *, what: str) -> _Model:
    """Read what was given as a model, or raise InvalidRequest naming every wrong part."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidRequest(f"{what} is not valid", faults=_faults(error, model)) from None


def _faults(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    said = faults_of(error)
    faults: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        path = _path(detail["loc"])
        if detail["type"] == "extra_forbidden":
            # The caller made this name up: it may be anything, a person's name too.
            path = _path((*detail["loc"][:-1], safe_name(detail["loc"][-1])))
            faults[path] = _not_known(model, depth=len(detail["loc"]))
        else:
            faults.setdefault(path, _OWN.get(detail["type"]) or said.get(path, "is not valid"))
    return [Fault(path, message) for path, message in faults.items()]


def _not_known(model: type[BaseModel], *, depth: int) -> str:
    names = [field.alias or name for name, field in model.model_fields.items()]
    return f"is not known here; known are: {', '.join(names)}" if depth == 1 else "is not known here"


def _path(steps: tuple[int | str, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
