"""The identifiers of people in ABDM: their forms, their check digits, and how each call wants them written."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from scopes.field import Unfit

# The form that is given out, and the wider one that messages may carry.
_ADDRESS: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9]|[._](?=[a-zA-Z0-9])){6,16}[a-zA-Z0-9]@(abdm|sbx)")
_WIDER_ADDRESS: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.!-]{1,98}@[a-zA-Z]{2,10}")
_NUMBER: Final = re.compile(r"([0-9]{2})-?([0-9]{4})-?([0-9]{4})-?([0-9]{4})")
_AADHAAR: Final = re.compile(r"[2-9][0-9]{3} ?[0-9]{4} ?[0-9]{4}")
_MOBILE: Final = re.compile(r"(?:\+?91|0)?([6-9][0-9]{9})")
_SEPARATORS: Final = re.compile(r"[\s().-]")

# Verhoeff's dihedral group of order ten, and his permutation.
_PRODUCT: Final = tuple(
    tuple(((a + b) % 5 if b < 5 else 5 + (a + b) % 5) if a < 5 else (5 + (a - b) % 5 if b < 5 else (a - b) % 5)
          for b in range(10))
    for a in range(10)
)  # fmt: skip
_PERMUTED: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def passes_verhoeff(digits: str) -> bool:
    """Whether the last digit is Verhoeff's check of the others, as in an Aadhaar number."""
    sum_ = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = _PERMUTED[value]
        sum_ = _PRODUCT[sum_][value]
    return sum_ == 0


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is Luhn's check of the others, as in an ABHA number."""
    sum_ = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        sum_ += value - 9 if value > 9 else value
    return sum_ % 10 == 0


def number_in(text: str) -> str | None:
    """The 14 digits of an ABHA number, with dashes or without; None where it is none. The check digit is not looked at."""
    match = _NUMBER.fullmatch(text) if text.isascii() else None
    return "".join(match.groups()) if match else None


def dashed(digits: str) -> str:
    """An ABHA number as it is shown, and as a login wants it: 22-7225-4829-4255."""
    return f"{digits[:2]}-{digits[2:6]}-{digits[6:10]}-{digits[10:]}"


def address_in(text: str) -> str | None:
    """An ABHA address in small letters, in the wider form that messages may have; None where it is none."""
    return text.lower() if text.isascii() and _WIDER_ADDRESS.fullmatch(text) else None


def mobile_in(text: str) -> str | None:
    """An Indian mobile as E.164, however it was written; None where it is none."""
    match = _MOBILE.fullmatch(_SEPARATORS.sub("", text)) if text.isascii() and len(text) <= 40 else None
    return f"+91{match[1]}" if match else None


def gender_in(value: object) -> str | None:
    """M, F or O; None for anything else, such as the D, T and U that messages may carry."""
    return value if isinstance(value, str) and value in ("M", "F", "O") else None


def check_aadhaar(text: str) -> str:
    """The twelve digits. Raises Unfit for a number that cannot be an Aadhaar number: it never leaves."""
    if not text.isascii() or not _AADHAAR.fullmatch(text):
        raise Unfit("must be the twelve digits of an Aadhaar number, which begins with 2 to 9")
    digits = text.replace(" ", "")
    if not passes_verhoeff(digits):
        raise Unfit("is no Aadhaar number: a digit is wrong")
    return digits


def check_number(text: str) -> str:
    """The 14 digits of an ABHA number. Raises Unfit for another form; a wrong check digit is only warned of."""
    digits = number_in(text)
    if digits is None:
        raise Unfit("must be the 14 digits of an ABHA number, such as 22-7225-4829-5255")
    return digits


def check_address(text: str) -> str:
    """An ABHA address in small letters. Raises Unfit."""
    if not text.isascii() or not _ADDRESS.fullmatch(text):
        raise Unfit("must be 8 to 18 letters and digits, dots and underscores within, then @abdm or @sbx")
    return text.lower()


def check_mobile(text: str) -> str:
    """The ten digits of an Indian mobile. Raises Unfit."""
    found = mobile_in(text)
    if found is None:
        raise Unfit("must be an Indian mobile number of ten digits, such as +919876543210")
    return found[3:]


Aadhaar = Annotated[str, AfterValidator(check_aadhaar), Field(examples=["234123412346"])]
AbhaNumber = Annotated[str, AfterValidator(check_number), Field(examples=["22-7225-4829-5255"])]
AbhaAddress = Annotated[str, AfterValidator(check_address), Field(examples=["asha.rao@sbx"])]
IndianMobile = Annotated[str, AfterValidator(check_mobile), Field(examples=["+919876543210"])]
