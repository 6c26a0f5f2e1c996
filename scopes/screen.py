"""Find identifiers in free text by checksum and pattern, and take them out. It finds numbers and addresses, not names.

Spelling does not hide them: zero-width characters, full-width or Devanagari digits, spaces, dots and dashes inside a
number are read through. Where it is unsure it removes; a lost order number costs less than a disclosed one.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import NamedTuple

from scopes.identifier import is_aadhaar, is_card, is_gstin, is_phone, is_ssn

REMOVED = "[removed]"


class Finding(NamedTuple):
    """One identifier: what it looks like and where it stands in the text."""

    kind: str
    start: int
    end: int


def screened(text: str) -> str:
    """Screened: numbers and addresses that identify a person are replaced by [removed]."""
    # A removal may bring two halves of something together, so look until nothing is found. Each finding holds a digit
    # or an @ and its replacement holds none, so this ends.
    while found := findings(text):
        pieces, at = [], 0
        for start, end in _merged(found):
            pieces += [text[at:start], REMOVED]
            at = end
        text = "".join((*pieces, text[at:]))
    return text


def findings(text: str) -> tuple[Finding, ...]:
    """Every identifier in the text, in order; they may overlap."""
    plain, origin = _plain(text)
    found = (*_patterns(plain), *_numbers(plain))
    return tuple(sorted(Finding(kind, origin[start], origin[end - 1] + 1) for kind, start, end in found))


_LETTER, _DIGIT = "[A-Z]", "[0-9]"
_EDGE, _END = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"


def _form(*characters: str) -> str:
    """A pattern of single characters that may stand apart."""
    return r"[ .\-]{0,2}".join(characters)


# The fourth letter of a PAN says who holds it: a person, a company, a trust ...
_PAN = (*[_LETTER] * 3, "[ABCFGHJLPT]", _LETTER, *[_DIGIT] * 4, _LETTER)
_RECORD = (
    r"(?:MRN?|M\.R\.(?:N\.)?|UHID|CRN|[IO]PD?|ABHA|PHN|NHS|(?:medical )?records?|patient|hospital|chart|file|case)"
    r"[ .\-]{0,3}(?:ids?|no|nos|nr|num|numbers?)?[ .:=#\-]{0,3}"
    r"[A-Z]{0,6}[/\-]?[0-9][A-Z0-9/\-]{2,20}"
)
_PATTERNS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool] | None], ...] = (
    ("email", re.compile(r"[^\s@,;:<>()\[\]{}]{1,64} ?@ ?[^\s@,;:<>()\[\]{}]{1,255}"), None),
    ("gstin", re.compile(_EDGE + _form(*[_DIGIT] * 2, *_PAN, *["[A-Z0-9]"] * 3) + _END, re.IGNORECASE), is_gstin),
    ("pan", re.compile(r"(?<![A-Za-z])" + _form(*_PAN) + r"(?![A-Za-z])", re.IGNORECASE), None),
    ("mrn", re.compile(_EDGE + _RECORD, re.IGNORECASE), None),
)


def _patterns(plain: str) -> Iterator[Finding]:
    """What a pattern finds, checked where the form has a check character."""
    for kind, pattern, check in _PATTERNS:
        for match in pattern.finditer(plain):
            if check is None or check(re.sub(r"[^A-Za-z0-9]", "", match[0]).upper()):
                yield Finding(kind, match.start(), match.end())


_RUN = re.compile(r"[0-9](?:[\s._()/\-]{0,3}[0-9])*")
_GROUP = re.compile("[0-9]+")
_AS_SSN = re.compile(r"[0-9]{9}|[0-9]{3}[^0-9]+[0-9]{2}[^0-9]+[0-9]{4}")
_YEAR, _MONTH, _DAY = "(?:19|20)[0-9]{2}", "(?:0?[1-9]|1[0-2])", "[0-3]?[0-9]"
_DATE = re.compile(rf"(?<![0-9])(?:{_YEAR}[./-]{_MONTH}[./-]{_DAY}|{_DAY}[./-]{_MONTH}[./-]{_YEAR})(?![0-9])")
_FEWEST_DIGITS, _MOST_DIGITS, _MOST_GROUPS = 7, 19, 12


def _numbers(plain: str) -> Iterator[Finding]:
    """Numbers written in one or more groups: every stretch of whole groups is tried, so neighbours hide nothing."""
    for run in _RUN.finditer(plain):
        groups = [group.span() for group in _GROUP.finditer(plain, *run.span())]
        if len(groups) > _MOST_GROUPS:
            # Almost every stretch of so many would be found; to try them all is a way to keep us busy.
            yield Finding("numbers", *run.span())
            continue
        dates = [date.span() for date in _DATE.finditer(plain, *run.span())]
        for first, (start, _) in enumerate(groups):
            dated = any(left <= start < right for left, right in dates)
            fewest = _MOST_DIGITS if dated else _FEWEST_DIGITS if "+" in plain[max(0, start - 2) : start] else 10
            yield from _stretches(plain, groups[first:], fewest)


def _stretches(plain: str, groups: list[tuple[int, int]], fewest: int) -> Iterator[Finding]:
    """What identifies somebody among the stretches from the first group on; a phone number has at least the fewest digits."""
    start, digits = groups[0][0], ""
    for left, end in groups:
        digits += plain[left:end]
        if len(digits) > _MOST_DIGITS:
            return
        if len(digits) >= _FEWEST_DIGITS and (kind := _kind(digits, plain[start:end], fewest)):
            yield Finding(kind, start, end)


def _kind(digits: str, written: str, fewest: int) -> str | None:
    if is_aadhaar(digits):
        return "aadhaar"
    if is_card(digits):
        return "card"
    if len(digits) == 9 and is_ssn(digits) and _AS_SSN.fullmatch(written):
        return "ssn"
    return "phone" if is_phone(digits, fewest=fewest) else None


# Letters and symbols that print as nothing: Hangul fillers and the empty Braille pattern.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"


def _plain(text: str) -> tuple[str, list[int]]:
    """The text as a reader sees it, in ASCII digits and without invisible characters, and where each character was."""
    plain: list[str] = []
    origin: list[int] = []
    for at, character in enumerate(text):
        for seen in character if " " <= character <= "~" else _seen(character):
            plain.append(seen)
            origin.append(at)
    return "".join(plain), origin


def _seen(character: str) -> str:
    """What one character looks like; nothing for invisible characters and marks, which can hide inside a number."""
    category = unicodedata.category(character)
    if character.isspace():
        return " "
    if category in ("Cc", "Cf", "Co", "Mn", "Me") or character in _BLANK:
        return ""
    if category == "Nd":
        return str(unicodedata.digit(character))
    return "-" if category == "Pd" or character == "\N{MINUS SIGN}" else unicodedata.normalize("NFKC", character)


def _merged(found: tuple[Finding, ...]) -> Iterator[tuple[int, int]]:
    """The stretches that the findings cover together, in order."""
    spans = sorted((start, end) for _, start, end in found)
    start, end = spans[0]
    for left, right in spans[1:]:
        if left > end:
            yield start, end
            start, end = left, right
        end = max(end, right)
    yield start, end
