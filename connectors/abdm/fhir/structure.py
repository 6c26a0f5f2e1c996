"""FHIR's own structure, checked by fhir.resources (R4B): what no profile of NRCeS describes is seen here too.

The package takes half a second to import, so it is imported when the first document is checked.
"""

from typing import Any, Final

from pydantic import ValidationError

from scopes.fault import MOST_NAMED, Fault, safe_name

_SAYS: Final = "is not what FHIR R4 has here"


def faults(bundle: dict[str, Any]) -> list[Fault]:
    """Where the bundle is not FHIR, by path; nothing of what was found there."""
    from fhir.resources.R4B.bundle import Bundle

    try:
        Bundle.model_validate(bundle)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return [Fault(_path(each["loc"]), _SAYS) for each in found[: 2 * MOST_NAMED]]
    except Exception:  # its validators raise whatever comes to pass inside of them, and their text may repeat a value
        return [Fault("Bundle", _SAYS)]
    return []


def _path(steps: tuple[int | str, ...]) -> str:
    return "Bundle" + "".join(f"[{step}]" if isinstance(step, int) else f".{safe_name(step)}" for step in steps)
