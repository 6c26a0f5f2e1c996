"""Write dates, times and money as a language does (CLDR, by Babel). Knows no text that they stand in."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from scopes.money import MINOR_DIGITS
from scopes.segments import GSM7

if TYPE_CHECKING:
    from babel import Locale

_DAY: Final = "yMMMEd"  # CLDR's skeleton: Fri, Nov 27, 2026


class CldrSpelling:
    """How languages write things (scopes.template.Spelling). Babel is imported when the first is written."""

    def knows(self, language: str) -> bool:
        """Whether the language's way of writing is known; where only its base is, that is used."""
        return _locale(language) is not None

    def moment(self, value: date, form: str, language: str) -> str:
        """A moment as date, time or datetime, in the offset that it carries."""
        from babel import dates

        locale = _known(language)
        # Without its zone, so that nothing moves it to another; the clock on the wall there is what is meant.
        local = value.replace(tzinfo=None) if isinstance(value, datetime) else value
        if form == "date" or not isinstance(local, datetime):
            return _plain(dates.format_skeleton(_DAY, local, locale=locale))
        time = dates.format_time(local, "short", locale=locale)
        if form == "time":
            return _plain(time)
        # A CLDR pattern may hold words in apostrophes: {1} 'at' {0}.
        joined = str(dates.get_datetime_format("medium", locale=locale)).replace("'", "")
        return _plain(joined.replace("{1}", dates.format_skeleton(_DAY, local, locale=locale)).replace("{0}", time))

    def amount(self, minor: int, currency: str, language: str) -> str:
        """An amount with the currency's sign, or its code where the sign would make every SMS of it twice as long."""
        from babel import numbers

        locale, digits = _known(language), MINOR_DIGITS[currency]
        sign = numbers.get_currency_symbol(currency, locale=locale)
        if not GSM7.issuperset(sign):
            sign = currency
        # The digits are ISO 4217's: CLDR leaves out those of currencies whose small coins are gone, and an amount with them.
        grouped = str(locale.decimal_formats[None].pattern).split(";")[0].partition(".")[0]
        written = numbers.format_decimal(
            Decimal(minor).scaleb(-digits), f"{grouped}.{'0' * digits}".rstrip("."), locale=locale
        )
        pattern = str(locale.currency_formats["standard"].pattern).split(";")[0]
        first = pattern.index("¤") < pattern.index("0")
        beside = sign[-1] if first else sign[0]
        apart = " " if beside.isalpha() or any(map(str.isspace, pattern)) else ""  # letters stand apart from digits
        return _plain(f"{sign}{apart}{written}" if first else f"{written}{apart}{sign}")


def _plain(text: str) -> str:
    """With plain spaces: the narrow ones that CLDR writes take an SMS out of its seven bits."""
    return " ".join(text.split())


def _known(language: str) -> Locale:
    found = _locale(language)
    if found is None:
        raise LookupError("a language whose way of writing is not known")
    return found


@lru_cache(maxsize=256)
def _locale(language: str) -> Locale | None:
    """The language's conventions, or those of its base."""
    from babel import Locale, UnknownLocaleError

    parts = language.split("-")
    for end in range(len(parts), 0, -1):
        try:
            return Locale.parse("-".join(parts[:end]), sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return None
