"""Stripe's form encoding, both ways: nested names in brackets. Keeps no knowledge of any parameter."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote_plus

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~\[\]-]*")
_NAME: Final = re.compile(r"[a-z0-9_]+(\[[A-Za-z0-9_]*\])*")


def encode(parameters: Mapping[str, Any]) -> bytes:
    """Form bytes of nested parameters; None is left out, lists are numbered, booleans are small words."""
    pairs: list[str] = []
    for name, value in parameters.items():
        _write(name, value, pairs)
    return "&".join(pairs).encode()


def _write(name: str, value: Any, pairs: list[str]) -> None:
    if isinstance(value, dict):
        for inner, item in value.items():
            _write(f"{name}[{inner}]", item, pairs)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _write(f"{name}[{index}]", item, pairs)
    elif value is not None:
        pairs.append(f"{_name(name)}={_quoted(_word(value))}")


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(maxsize=1024)
def _name(name: str) -> str:
    return _quoted(name)


def _quoted(text: str) -> str:
    # Most names and values need no quoting, and finding that out costs a tenth of it.
    return text if _PLAIN.fullmatch(text) else quote_plus(text, safe="[]")


def split_name(name: str) -> tuple[str, ...]:
    """The steps of one form name: `a[b][0]` is a, b, 0. Raises ValueError for a name of another form."""
    if not _NAME.fullmatch(name):
        raise ValueError("not a parameter name")
    return tuple(re.findall(r"[A-Za-z0-9_]+", name))
