"""Meta's own examples of messages and webhooks, and what shape they have. Its schemas refuse them, and so judge nothing."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

FILE = "whatsapp/business-messaging-api_v23.0.yaml"
MESSAGES = "/{Version}/{Phone-Number-ID}/messages"
WEBHOOKS = "/whatsapp/webhooks"


@lru_cache(maxsize=1)
def _document(file: Path) -> Any:
    return yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def examples(specs: Path, path: str) -> dict[str, Any]:
    """The examples of what is posted to a path, by their names."""
    posted = _document(specs / FILE)["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"]
    return {name: each["value"] for name, each in posted.items()}


#: What Meta's reference calls optional, and its examples have or have not: the parts of a date, which the Cloud API ignores.
_OPTIONAL = "recipient_type biz_opaque_callback_data policy calendar day_of_month day_of_week hour minute month year"
OPTIONAL = frozenset(_OPTIONAL.split())

#: Where Meta's examples contradict each other and its reference: an index is "0" and 0, a text is "100" and true.
EITHER = frozenset({"index", "text"})


def fits(ours: Any, theirs: Any) -> bool:
    """Whether a value has the shape of an example: the same keys, optional ones aside, values and items of the same kind."""
    if isinstance(ours, dict):
        return (
            isinstance(theirs, dict)
            and ours.keys() ^ theirs.keys() <= OPTIONAL
            and all(_fits(name, ours[name], theirs[name]) for name in ours.keys() & theirs.keys())
        )
    if isinstance(ours, list):
        return isinstance(theirs, list) and all(any(fits(item, their) for their in theirs) for item in ours)
    return type(ours) is type(theirs)


def _fits(name: str, ours: Any, theirs: Any) -> bool:
    loose = name in EITHER and not isinstance(ours, dict | list) and not isinstance(theirs, dict | list)
    return loose or fits(ours, theirs)
