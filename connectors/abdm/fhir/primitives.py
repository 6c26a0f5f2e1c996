"""The form of FHIR's primitive values (FHIR R4, data types). Says what is expected, never what was found."""

import binascii
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from math import isfinite
from typing import Any, Final

# FHIR writes \s and \S as XML Schema knows them: of white space, only that of ASCII.
_STRING: Final = re.compile(r"[ \r\n\t\S]+", re.ASCII)
_CODE: Final = re.compile(r"\S+(?: \S+)*", re.ASCII)
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_URI: Final = re.compile(r"\S+", re.ASCII)
_DATE: Final = re.compile(r"\d{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?", re.ASCII)
_TIME_OF_DAY: Final = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,9})?"
_ZONE: Final = r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))"
_INSTANT: Final = re.compile(rf"(\d{{4}}-\d\d-\d\d)T{_TIME_OF_DAY}{_ZONE}", re.ASCII)
_TIME: Final = re.compile(_TIME_OF_DAY, re.ASCII)
_OID: Final = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9]\d*))+", re.ASCII)
_UUID: Final = re.compile(r"urn:uuid:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_BIGGEST: Final = 2_147_483_647
_MEGABYTE: Final = 1_048_576


def _text(value: Any) -> bool:
    fits = isinstance(value, str) and len(value) <= _MEGABYTE and _STRING.fullmatch(value) is not None
    return fits and not value.isspace()


def _day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _date(value: Any) -> bool:
    return isinstance(value, str) and bool(_DATE.fullmatch(value)) and (len(value) < 10 or _day(value))


def _instant(value: Any) -> bool:
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    return found is not None and _day(found[1])


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= _BIGGEST


def _base64(value: Any) -> bool:
    if not isinstance(value, str) or not value.isascii():
        return False
    # R4 lets white space stand between the characters.
    return _decodes(value) or _decodes("".join(value.split()))


def _decodes(text: str) -> bool:
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return False
    return bool(text)


def _form(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


_FORMS: Final[Mapping[str, tuple[Callable[[Any], Any], str]]] = {
    "base64Binary": (_base64, "base64"),
    "boolean": (lambda value: isinstance(value, bool), "true or false"),
    "canonical": (_form(_URI), "an address without spaces"),
    "code": (_form(_CODE), "a code without spaces around it"),
    "date": (_date, "a date such as 2026-11-17, 2026-11 or 2026"),
    "dateTime": (lambda value: _date(value) or _instant(value), "a date, or a date and time with its offset"),
    "decimal": (_number, "a number"),
    "id": (_form(_ID), "1 to 64 letters, digits, dashes and dots"),
    "instant": (_instant, "a date and time with its offset, such as 2026-11-17T10:30:00+05:30"),
    "integer": (_whole(-_BIGGEST - 1), "a whole number of 32 bits"),
    "markdown": (_text, "a text that is not empty"),
    "oid": (_form(_OID), "urn:oid: and an OID"),
    "positiveInt": (_whole(1), "a whole number from 1 on"),
    "string": (_text, "a text that is not empty"),
    "time": (_form(_TIME), "a time of day such as 10:30:00"),
    "unsignedInt": (_whole(0), "a whole number from 0 on"),
    "uri": (_form(_URI), "an address without spaces"),
    "url": (_form(_URI), "an address without spaces"),
    "uuid": (_form(_UUID), "urn:uuid: and a UUID"),
    "xhtml": (lambda value: _text(value) and value.lstrip().startswith("<div"), "a div of XHTML"),
}
PRIMITIVES: Final = frozenset(_FORMS)


def expected(kind: str, value: Any) -> str | None:
    """What a value of this type looks like, where this one does not; None where it does."""
    fits, words = _FORMS[kind]
    return None if fits(value) else words


def moment(value: Any) -> datetime | None:
    """A dateTime as a moment, if it is one to the second; None of anything else."""
    return datetime.fromisoformat(value) if _instant(value) and ":60" not in value else None
