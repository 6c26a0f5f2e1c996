"""WhatsApp's numbers of people as E.164. They differ where a country changed its numbers and old accounts kept theirs."""

import re
from typing import Final

_DIGITS: Final = re.compile(r"[1-9][0-9]{6,14}")
# Mexico dropped the 1 before mobile numbers in 2019; Brazil put a 9 before them until 2016. Old accounts do without.
_MEXICO: Final = re.compile(r"52(?:1)([0-9]{10})")
_BRAZIL: Final = re.compile(r"(55[1-9][0-9])([6-9][0-9]{7})")


def e164(wa_id: object) -> str | None:
    """The number that a message to this account is sent to; None where it is no number."""
    if not isinstance(wa_id, str) or not _DIGITS.fullmatch(wa_id):
        return None
    if match := _MEXICO.fullmatch(wa_id):
        return f"+52{match[1]}"
    if match := _BRAZIL.fullmatch(wa_id):
        return f"+{match[1]}9{match[2]}"
    return f"+{wa_id}"
