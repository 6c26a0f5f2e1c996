"""The id of what an event tells of, and the check that it is nobody's number. Making ids is the host's.

Wider than an opaque reference: hosts number their appointments and invoices in many ways, and a receiver looks the id up.
"""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints
from pydantic import Field as Described

from scopes.field import Unfit
from scopes.identifier import is_aadhaar, is_card, is_phone

MAX_LENGTH: Final = 64

_FORM: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:-]*")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_PART: Final = re.compile(r"[0-9A-Za-z]+")
# A long run of hexadecimal digits or a ULID is drawn by lot: ten digits in a row in it are nobody's number.
_RANDOM: Final = re.compile(r"(?=[0-9a-f]*[a-f])[0-9a-f]{24,64}|[0-7](?=[0-9]*[A-Z])[0-9A-HJKMNP-TV-Z]{25}")
_LONG_NUMBER: Final = re.compile(r"[0-9]{10,}")
_BETWEEN: Final = re.compile(r"[._:-]")
_USE: Final = f"must be the id of a record: at most {MAX_LENGTH} letters, digits and . _ : - , with at least one digit"


def check_event_id(given: str) -> str:
    """Return the id, or raise Unfit where its form is another or it may be a phone, Aadhaar or card number."""
    if not _FORM.fullmatch(given) or not any(character.isdigit() for character in given):
        raise Unfit(_USE)
    if any(map(_identifies, _numbers(given))):
        raise Unfit(f"{_USE}; not a phone, Aadhaar or card number")
    return given


def _numbers(given: str) -> list[str]:
    """Every number in the id that is as long as one that identifies somebody; written in groups, as one."""
    if _UUID.fullmatch(given):
        return []
    whole = _BETWEEN.sub("", given)
    parts = [part for part in _PART.findall(given.replace("_", ".")) if not _RANDOM.fullmatch(part)]
    return [whole] * whole.isdigit() + [digits for part in parts for digits in _LONG_NUMBER.findall(part)]


def _identifies(digits: str) -> bool:
    return is_phone(digits) or is_aadhaar(digits) or is_card(digits)


EventId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_LENGTH),
    AfterValidator(check_event_id),
    Described(examples=["appt_7Hq2ZkW9"]),
]
"""A field's type for the id of a record."""
