"""References that mean nothing outside the clinic, and the check that they name nobody. Making them is the host's."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints
from pydantic import Field as Described

from scopes.field import Unfit
from scopes.identifier import is_aadhaar, is_card, is_phone

PREFIXES: Final = (
    "appt", "apt", "bill", "clm", "cus", "enc", "inv", "ord", "pat", "pay", "ref", "sub", "txn", "visit",
)  # fmt: skip

_UUID: Final = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
# ULID specification: 26 characters of Crockford's base 32, at most 7ZZ...; a timestamp starts with a digit.
_ULID: Final = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"
_FORM = re.compile(rf"(?:{'|'.join(PREFIXES)})_([0-9A-Za-z]{{6,48}})|{_UUID}|{_ULID}")
_WORD = re.compile(r"[A-Za-z]{4}")
_LONG_NUMBER = re.compile(r"[0-9]{10,}")  # a number that identifies somebody has ten digits or more
_USE: Final = (
    "must be an opaque reference: a UUID, a ULID, or one of "
    f"{', '.join(PREFIXES)} with _ and 6 to 48 random letters and digits, such as pat_7Hq2ZkW9"
)


def check_opaque(reference: str) -> str:
    """Return the reference, or raise Unfit where its form is not opaque or it may be a name or number of someone."""
    found = _FORM.fullmatch(reference)
    if found is None:
        raise Unfit(_USE)
    body = found[1]
    if body is None:
        return reference  # a UUID or a ULID
    if body.isalpha() or _WORD.search(body):
        raise Unfit(f"{_USE}; not a name: at least one digit, and no four letters in a row")
    for digits in _LONG_NUMBER.findall(body):
        if _identifies(digits):
            raise Unfit(f"{_USE}; not a phone, Aadhaar or card number")
    return reference


def _identifies(digits: str) -> bool:
    return is_phone(digits) or is_aadhaar(digits) or is_card(digits)


OpaqueReference = Annotated[
    str,
    StringConstraints(max_length=64),
    AfterValidator(check_opaque),
    Described(examples=["pat_7Hq2ZkW9"]),
]
"""A field's type for a reference that names nobody."""
