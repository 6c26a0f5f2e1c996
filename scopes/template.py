"""A clinic's own text with gaps: read, checked against an action's fields, filled. Pure; how a date is written comes in.

A gap is ``{given_name|there}``, ``{starts_at:date}``, ``{amount}``: a declared field, a format where the type needs one, and
words for when an optional field is not there. What fills a gap is text and is never read again, whatever it holds.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Final, Protocol

from scopes.consent import Channel
from scopes.dlt import Registration, is_registered
from scopes.fault import Fault
from scopes.field import Disclosed, Field, Shape, shape_of
from scopes.segments import count
from scopes.vocabulary import Category
from scopes.wording import Parameter, Wording

LONGEST_BODY: Final = 1_000
LONGEST_TEXT: Final = 1_600
"""What vendors take as one SMS of several."""
LONGEST_AT_VENDOR: Final = 1_024
"""What WhatsApp takes as the body of a template."""
AMOUNT: Final = "amount"
"""The gap that ``amount_minor`` and ``currency`` fill together."""
_AMOUNT_FIELDS: Final = ("amount_minor", "currency")
# What is not said: where the message goes, and what steers it.
_UNSPOKEN: Final = frozenset({Category.CONTACT, Category.OPERATIONAL})
_FORMATS: Final[Mapping[type, tuple[str, ...]]] = {datetime: ("date", "time", "datetime"), date: ("date",), str: ("",)}
_GAP: Final = re.compile(r"\{([a-z][a-z0-9_]{0,63})(?::([a-z]{1,16}))?(\|[^{}|]{0,60})?\}")
_BREAKS: Final = frozenset({"Zs", "Zl", "Zp", "Cc"})
_HIDDEN: Final = frozenset({"Cf", "Cs", "Co", "Cn"})
_PLAIN: Final = re.compile("[ -~]*")
_JOINERS: Final = frozenset("\u200c\u200d")  # without them words of Indian scripts and Persian are written wrong


class Spelling(Protocol):
    """How one language writes dates, times and money."""

    def moment(self, value: date, form: str, language: str) -> str:
        """A moment as date, time or datetime, in the offset that it carries."""

    def amount(self, minor: int, currency: str, language: str) -> str:
        """An amount in a currency's minor unit."""


class Unfilled(Exception):
    """A text that this message can't be made of; the message says why, without a value."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One place where a field stands; `otherwise` is said where the field is not there, None where it always is."""

    name: str
    form: str = ""
    otherwise: str | None = None

    def __str__(self) -> str:
        """As it is written in a text."""
        form = f":{self.form}" if self.form else ""
        return f"{{{self.name}{form}{'' if self.otherwise is None else f'|{self.otherwise}'}}}"


Piece = str | Gap


@dataclass(frozen=True, slots=True)
class Slot:
    """One placeholder of a template that the vendor keeps; after `base`, a button's fixed address, only the rest is sent."""

    component: str
    kind: str
    gap: Gap
    base: str = ""


@dataclass(frozen=True, slots=True)
class AtVendor:
    """A template as the vendor keeps it."""

    name: str
    language: str
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One text of a clinic's, in one language, for one action on one channel."""

    name: str
    version: int
    action: str
    """The family's action: ``messaging/send_reminder``."""
    channel: Channel
    language: str
    pieces: tuple[Piece, ...] = field(repr=False)
    at_vendor: AtVendor | None = None
    dlt: Registration | None = None

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Every gap, those of the vendor's placeholders too."""
        slots = self.at_vendor.slots if self.at_vendor is not None else ()
        return (*(piece for piece in self.pieces if isinstance(piece, Gap)), *(slot.gap for slot in slots))


def read(body: str) -> tuple[Piece, ...]:
    """Take a text apart at its gaps; whatever is not written like a gap stays text, braces too (faults_of_body says so)."""
    pieces: list[Piece] = []
    at = 0
    for match in _GAP.finditer(body):
        name, form, otherwise = match.groups()
        pieces += [body[at : match.start()], Gap(name, form or "", None if otherwise is None else otherwise[1:])]
        at = match.end()
    return tuple(piece for piece in (*pieces, body[at:]) if piece)


def faults_of_body(body: str, pieces: Sequence[Piece]) -> Iterator[Fault]:
    """What is wrong with a text whatever it is for."""
    if not body.strip() or len(body) > LONGEST_BODY:
        yield Fault("body", f"must be a text of 1 to {LONGEST_BODY} characters")
    if any(_is_hidden(character) or (character != "\n" and _is_control(character)) for character in body):
        yield Fault("body", "must have no control characters, and none that hide or turn around what is written")
    for piece in pieces:
        if isinstance(piece, str) and re.search(r"[{}]", piece):
            yield Fault("body", "must have braces only around a gap, such as {given_name|there} or {starts_at:date}")
            break


@lru_cache(maxsize=4096)
def faults_of_gaps(gaps: tuple[Gap, ...], shape: Shape) -> tuple[str, ...]:
    """Which gaps the fields of an action can't fill, each named with what is known."""
    known = fillable(shape)
    said = ", ".join(_shown(name, leaf) for name, leaf in known.items()) or "none"
    return tuple(dict.fromkeys(why for gap in gaps if (why := _fault_of(gap, known.get(gap.name), said))))


def fillable(shape: Shape) -> dict[str, Field]:
    """The fields that a text may name, by the name of their gap; an amount and its currency are one."""
    leaves = {leaf.name: leaf for leaf in shape.fields if leaf.shape is None and not leaf.many}
    money = all(name in leaves for name in _AMOUNT_FIELDS)
    said = {
        name: leaf
        for name, leaf in leaves.items()
        if leaf.category not in _UNSPOKEN and leaf.kind in _FORMATS and not (money and name in _AMOUNT_FIELDS)
    }
    if not money or AMOUNT in leaves:
        return said
    return {**said, AMOUNT: min((leaves[name] for name in _AMOUNT_FIELDS), key=lambda leaf: leaf.required)}


def sayable(shape: Shape) -> dict[str, Field]:
    """Every way in which a text may name a field, as it is written there."""
    return {written: leaf for name, leaf in fillable(shape).items() for written in _shown(name, leaf).split(", ")}


def fill(template: Template, model: Disclosed, spelling: Spelling, *, registered: bool = False) -> Wording:
    """The message that a template and the fields of one call make. Raises Unfilled.

    With `registered`, only a text that is registered in India to the letter is a message.
    """
    if faults_of_gaps(template.gaps, shape_of(type(model))):
        raise Unfilled("the text does not fit the action's fields any more")
    spoken = {gap: _spoken(gap, model, spelling, template.language) for gap in template.gaps}
    text = "".join(piece if isinstance(piece, str) else spoken[piece] for piece in template.pieces)
    longest = LONGEST_AT_VENDOR if template.at_vendor is not None else LONGEST_TEXT
    if not text.strip() or len(text) > longest:
        raise Unfilled(f"the text is empty, or longer than {longest} characters")
    if registered and template.dlt is None:
        raise Unfilled("no DLT registration")
    if registered and template.dlt is not None and not is_registered(template.dlt, text):
        raise Unfilled("not as registered with DLT: another text, or a variable of more than 40 characters")
    counted, vendor = count(text), template.at_vendor
    return Wording(
        template=template.name,
        version=template.version,
        language=template.language,
        channel=template.channel,
        text=text,
        parameters=tuple(_parameter(slot, spoken[slot.gap]) for slot in vendor.slots) if vendor is not None else (),
        vendor_name=vendor.name if vendor is not None else None,
        vendor_language=vendor.language if vendor is not None else None,
        segments=counted.segments,
        encoding=counted.encoding,
        dlt=template.dlt.known_as if registered and template.dlt is not None else None,
    )


def cleaned(text: str) -> str:
    """A value on one line, as it is read: no breaks, no controls, nothing that hides or turns around what follows."""
    seen = "".join(_seen(text, at) for at in range(len(text))) if not _PLAIN.fullmatch(text) else text
    return unicodedata.normalize("NFC", " ".join(seen.split()))


def _seen(text: str, at: int) -> str:
    """What one character of a value becomes."""
    character = text[at]
    kind = unicodedata.category(character)
    if character in _JOINERS:
        return character if _joins(text[at - 1 : at]) and _joins(text[at + 1 : at + 2]) else ""
    return " " if kind in _BREAKS else "" if kind in _HIDDEN else character


def _joins(beside: str) -> bool:
    return beside != "" and unicodedata.category(beside)[0] in "LMS"


def _spoken(gap: Gap, model: Disclosed, spelling: Spelling, language: str) -> str:
    """What stands in a gap. Raises Unfilled where a field that is always there says nothing."""
    said = cleaned(_written(gap, model, spelling, language)) or gap.otherwise
    if said is None:
        raise Unfilled(f"nothing to say for {{{gap.name}}}")
    return said


def _written(gap: Gap, model: Disclosed, spelling: Spelling, language: str) -> str:
    """A field as the language writes it; nothing where it is not there."""
    if gap.name == AMOUNT and AMOUNT not in type(model).model_fields:
        minor, currency = (getattr(model, name, None) for name in _AMOUNT_FIELDS)
        return "" if minor is None or currency is None else spelling.amount(minor, currency, language)
    value = getattr(model, gap.name, None)
    if isinstance(value, date):
        return spelling.moment(value, gap.form, language)
    return value if isinstance(value, str) else ""


def _parameter(slot: Slot, said: str) -> Parameter:
    """One value for the vendor's own template."""
    if not said.startswith(slot.base) or said == slot.base:
        raise Unfilled("a value is empty, or does not begin with the fixed part of the vendor's button")
    path = _AMOUNT_FIELDS[0] if slot.gap.name == AMOUNT else slot.gap.name
    return Parameter(slot.component, slot.kind, said.removeprefix(slot.base), path)


def _fault_of(gap: Gap, leaf: Field | None, known: str) -> str | None:
    if leaf is None:
        return f"{{{gap.name}}} is nothing that can be said here; known are {known}"
    forms = _forms(leaf)
    if gap.form not in forms:
        written = " or ".join(f"{{{gap.name}{form and ':' + form}}}" for form in forms)
        return f"{{{gap.name}}} must be written as {written}"
    if not leaf.required and gap.otherwise is None:
        return f"{{{gap.name}}} may be missing; say what stands there then, as in {{{gap.name}|there}}"
    if leaf.required and gap.otherwise is not None:
        return f"{{{gap.name}}} is always there; take out what follows the |"
    return None


def _forms(leaf: Field) -> tuple[str, ...]:
    return _FORMATS.get(leaf.kind, ("",))


def _shown(name: str, leaf: Field) -> str:
    """A field as a text may name it."""
    rest = "" if leaf.required else "|..."
    return ", ".join(f"{{{name}{form and ':' + form}{rest}}}" for form in _forms(leaf))


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Zl", "Zp")


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN and character not in _JOINERS
