"""Google's partial answers for the sandbox: what `fields` names is there, and nothing else is."""

import re
from collections.abc import Iterator
from typing import Any, Final

_TOKEN: Final = re.compile(r"[A-Za-z0-9]+|[,()/*]")
Mask = dict[str, Any]


def masked(found: Any, fields: str | None) -> Any:
    """An object with only what `fields` names, such as `id,start/dateTime,items(id,etag)`. Raises ValueError."""
    if fields is None:
        return found
    tokens = _TOKEN.findall(fields)
    if "".join(tokens) != fields:
        raise ValueError("fields cannot be read")
    reading = iter([*tokens, ")"])
    mask = _mask(reading)
    if next(reading, None) is not None:
        raise ValueError("fields closes what it did not open")
    return _kept(found, mask)


def _mask(tokens: Iterator[str]) -> Mask:
    """The names up to the bracket that closes; below each, what is wanted of it."""
    mask: Mask = {}
    path: list[str] = []
    for part in tokens:
        if part == "(":
            _place(mask, path).update(_mask(tokens))
        elif part in (",", ")"):
            _place(mask, path)
            path = []
            if part == ")":
                return mask
        elif part != "/":
            path.append(part)
    raise ValueError("fields opens what it does not close")


def _place(mask: Mask, path: list[str]) -> Mask:
    for name in path:
        mask = mask.setdefault(name, {})
    return mask


def _kept(found: Any, mask: Mask) -> Any:
    if not mask:
        return found
    if isinstance(found, list):
        return [_kept(each, mask) for each in found]
    if not isinstance(found, dict):
        return found
    return {name: _kept(value, mask[name]) for name, value in found.items() if name in mask}
