"""India's registered texts: what a registration must look like, and whether a message is the registered text. Pure.

TRAI, TCCCPR 2018: carriers drop an SMS to +91 whose sender, header and text are not registered, so it is not sent at all.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from scopes.fault import Fault
from scopes.wording import Dlt

VARIABLE: Final = "{#var#}"
LONGEST_VARIABLE: Final = 40
LONGEST_TEXT: Final = 2_000
_NUMBER: Final = re.compile(r"[0-9]{19}")
# Six letters for services, six digits for promotions; the carrier's prefix (VM-) is not part of it.
_HEADER: Final = re.compile(r"[A-Za-z]{6}|[0-9]{6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One text as an operator registered it, each of its variables written as ``{#var#}``."""

    entity_id: str
    header: str
    template_id: str
    text: str

    @property
    def known_as(self) -> Dlt:
        """What a message carries of it."""
        return Dlt(self.entity_id, self.header, self.template_id)


def faults_of(registration: Registration) -> Iterator[Fault]:
    """What is wrong with a registration's form."""
    for name, pattern, expected in (
        ("entity_id", _NUMBER, "must be the principal entity's id of 19 digits"),
        ("header", _HEADER, "must be a header of six letters, or of six digits"),
        ("template_id", _NUMBER, "must be the template's id of 19 digits"),
    ):
        if not pattern.fullmatch(getattr(registration, name)):
            yield Fault(name, expected)
    if not 0 < len(registration.text) <= LONGEST_TEXT:
        yield Fault("text", f"must be the registered text, of 1 to {LONGEST_TEXT} characters")
    elif re.search(r"[{}]", registration.text.replace(VARIABLE, "")):
        yield Fault("text", f"must write each variable as {VARIABLE}, and have no other braces")


def is_registered(registration: Registration, text: str) -> bool:
    """Whether a message is the registered text to the letter, each variable filled with 1 to 40 characters of one line."""
    first, *rest = registration.text.split(VARIABLE)
    ends = {len(first)} if text.startswith(first) else set[int]()
    for literal in rest:  # every place where the text so far can end: no pattern that a text could keep busy for long
        ends = {
            at + size + len(literal)
            for at in ends
            for size in range(1, LONGEST_VARIABLE + 1)
            if text.startswith(literal, at + size) and "\n" not in text[at : at + size]
        }
    return len(text) in ends


def is_indian(phone: str) -> bool:
    """Whether a number in E.164 is one of India's plan; no other country's begins so."""
    return phone.startswith("+91")
