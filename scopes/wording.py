"""What one message says: a clinic's own template, filled. Keeps the words; template.py writes them, a connector carries them."""

from dataclasses import dataclass, field
from enum import StrEnum

from scopes.consent import Channel


class Encoding(StrEnum):
    """How a text travels over SMS (3GPP TS 23.038)."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value for a template that the vendor keeps itself. It prints its place, never its text."""

    component: str
    """``header``, ``body`` or ``button:0`` to ``button:9``."""
    kind: str
    """``text``, ``currency``, ``date_time``, or ``url`` (what follows a button's fixed address)."""
    text: str = field(repr=False)
    path: str
    """The declared field that the text came from."""


@dataclass(frozen=True, slots=True)
class Dlt:
    """What India's registers of commercial messages know a text by (TRAI TCCCPR 2018)."""

    entity_id: str
    header: str
    template_id: str


@dataclass(frozen=True, slots=True)
class Unworded:
    """Why a message has nothing to say: what is missing, without a value, and what to do about it."""

    what: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One message, ready to go. It prints which template it is, never what it says."""

    template: str
    version: int
    language: str
    """BCP 47, as the clinic registered the template."""
    channel: Channel
    text: str = field(repr=False)
    """The whole message, for vendors that are handed the words."""
    parameters: tuple[Parameter, ...] = ()
    """In the order of the vendor's placeholders, for vendors that keep the words."""
    vendor_name: str | None = None
    """The template's name at the vendor, where it has one there."""
    vendor_language: str | None = None
    """The language as the vendor spells it: ``en_US``."""
    segments: int
    """How many SMS the text is; counted on every channel, charged on one."""
    encoding: Encoding
    dlt: Dlt | None = None
