"""The kinds of value that a clinic's record is made of: texts, codes, numbers, moments, files. Each has a form."""

import binascii
import unicodedata
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from connectors.abdm.fhir.identifiers import ABHA_ADDRESS, ABHA_NUMBER
from scopes.field import Unfit

_FIRST_YEAR, _LAST_YEAR = 1900, 2199
_FEW, _MANY = 500, 20_000
LARGEST_FILE: Final = 70_000_000
"""Characters of base64, so 50 MiB: a push is one page, and the other side has twenty minutes."""


class MediaType(StrEnum):
    """The files that patients' apps show."""

    PDF = "application/pdf"
    JPEG = "image/jpeg"
    PNG = "image/png"


def _readable(text: str) -> str:
    """The text with plain spaces. Raises Unfit for characters that neither XML nor a reader can have."""
    if any(unicodedata.category(each) in ("Cc", "Cs", "Cn") and each not in "\t\n\r" for each in text):
        raise Unfit("must not hold control characters or what is no character")
    return "".join(" " if each.isspace() and each not in "\t\n\r" else each for each in text)


def _in_our_time(value: datetime) -> datetime:
    if not _FIRST_YEAR < value.year < _LAST_YEAR:
        raise Unfit(f"must lie between {_FIRST_YEAR} and {_LAST_YEAR}")
    return value


def _base64(text: str) -> str:
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        raise Unfit("must be a file in base64, without line breaks") from None
    return text


def _dashed(number: str) -> str:
    digits = number.replace("-", "")
    return f"{digits[:2]}-{digits[2:6]}-{digits[6:10]}-{digits[10:]}"


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=_FEW),
    AfterValidator(_readable),
    Field(examples=["Fever since three days"]),
]
"""A few words."""
LongText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=_MANY),
    AfterValidator(_readable),
    Field(examples=["Rest, plenty of fluids."]),
]
"""What somebody wrote."""
Snomed = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{5,17}$"), Field(examples=["386661006"])]
Loinc = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,7}-[0-9]$"), Field(examples=["8867-4"])]
Number = Annotated[str, StringConstraints(pattern=r"^-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?$"), Field(examples=["98.6"])]
"""A decimal number as it is written; no float, which would round it."""
Moment = Annotated[AwareDatetime, AfterValidator(_in_our_time)]
Day = Annotated[date, Field(ge=date(_FIRST_YEAR, 1, 1), le=date(_LAST_YEAR, 12, 31))]
AbhaNumber = Annotated[
    str,
    StringConstraints(pattern=f"^(?:{ABHA_NUMBER.replace(chr(92) + 'd', '[0-9]')})$"),
    AfterValidator(_dashed),
    Field(examples=["22-7225-4829-5255"]),
]
AbhaAddress = Annotated[str, StringConstraints(pattern=f"^(?:{ABHA_ADDRESS})$"), Field(examples=["asha.k@abdm"])]
Identifier = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z ./_@-]{0,62}[0-9A-Za-z]$|^[0-9A-Za-z]$"),
    Field(examples=["OP-2026-0117"]),
]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 -]{5,18}[0-9]$"), Field(examples=["+91 98180 00000"])]
File = Annotated[
    str,
    StringConstraints(min_length=4, max_length=LARGEST_FILE),
    AfterValidator(_base64),
    Field(examples=["JVBERi0xLjQK"]),
]
Minor = Annotated[int, Field(strict=True, ge=0, le=10**12, examples=[45000])]
