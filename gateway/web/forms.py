"""Read what a form sent: application/x-www-form-urlencoded, within limits. Judges no value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl

from gateway.errors import InvalidRequest
from gateway.web.problems import UnsupportedMedia

MEDIA: Final = b"application/x-www-form-urlencoded"
MOST_BYTES: Final = 128 * 1024
_MOST_FIELDS: Final = 500


class Form:
    """The fields of a form; what is not there is empty."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Sequence[str]] | None = None) -> None:
        """Take the values by name."""
        self._fields = {name: tuple(values) for name, values in (fields or {}).items()}

    def text(self, name: str) -> str:
        """One value without spaces around it; empty where it is not there once."""
        return self.exact(name).strip()

    def exact(self, name: str) -> str:
        """One value just as it was typed: a password."""
        values = self._fields.get(name, ())
        return values[0] if len(values) == 1 else ""

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a group of check boxes."""
        return self._fields.get(name, ())

    def ticked(self, name: str) -> bool:
        """Whether a check box is on."""
        return bool(self._fields.get(name))

    def __contains__(self, name: str) -> bool:
        return name in self._fields


def form_of(content_type: bytes, body: bytes) -> Form:
    """A body as a form. Raises UnsupportedMedia or InvalidRequest."""
    if content_type.partition(b";")[0].strip().lower() != MEDIA:
        raise UnsupportedMedia("send the form as application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise InvalidRequest("the form cannot be read") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        if "\0" in value:
            raise InvalidRequest("the form cannot be read")
        fields.setdefault(name, []).append(value)
    return Form(fields)
