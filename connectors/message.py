"""What every message to a person has: a number and the clinic's own words, by name. An action that takes one is a message.

Whatever the channel, the words come from a template of the clinic's (scopes/wording.py); a request never brings its own.
"""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from scopes.field import Disclosed, Unfit, discloses
from scopes.vocabulary import Category

_E164: Final = re.compile(r"\+[1-9][0-9 ().\-]{5,30}")
_LANGUAGE: Final = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|[0-9]{3}))?")


def _check_phone(number: str) -> str:
    """The number as E.164. Raises Unfit unless it begins with + and a country, and can be somebody's."""
    import phonenumbers  # 0.1 s; a clinic that sends no message pays nothing

    if not number.isascii() or not _E164.fullmatch(number):
        raise Unfit("must be a phone number with its country, such as +14155550123")
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        raise Unfit("must be a phone number of a country that there is") from None
    if parsed.extension or not phonenumbers.is_possible_number(parsed) or not phonenumbers.is_valid_number(parsed):
        raise Unfit("must be a phone number that can be somebody's in its country")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def region_of(phone: str) -> str | None:
    """The country of a valid number, as ISO 3166-1: IN for +91. None for numbers that no one country has."""
    import phonenumbers

    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(phone))
    except phonenumbers.NumberParseException:
        return None
    return region if region is not None and region.isalpha() else None  # 001: satellites and the like


def check_language(tag: str) -> str:
    """A language in BCP 47's own spelling: en, en-IN, zh-Hant-TW. Raises Unfit for anything else."""
    match = _LANGUAGE.fullmatch(tag) if tag.isascii() else None
    if match is None:
        raise Unfit("must be a language as in BCP 47, such as en, hi or en-IN")
    language, script, region = match.groups()
    return "-".join(filter(None, (language.lower(), script and script.title(), region and region.upper())))


PhoneNumber = Annotated[str, AfterValidator(_check_phone), Field(examples=["+14155550123"])]
TemplateName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$"), Field(examples=["reminder"])]
Language = Annotated[str, AfterValidator(check_language), Field(examples=["en"])]


class Message(Disclosed):
    """The base of every message to a person; what it may be told besides is the family's to declare."""

    phone: Annotated[PhoneNumber, discloses(Category.CONTACT, "where the message goes")]
    template: Annotated[
        TemplateName | None, discloses(Category.OPERATIONAL, "which of the clinic's own texts is sent")
    ] = None
    language: Annotated[Language | None, discloses(Category.OPERATIONAL, "the language of the text")] = None
