"""Dates, times and money as languages write them: on the clock of the place, with every digit of the currency."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from gateway.spelling import CldrSpelling
from scopes.money import MINOR_DIGITS
from scopes.segments import GSM7

SPELLING = CldrSpelling()
INDIA = datetime(2026, 11, 27, 10, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))


@pytest.mark.parametrize(
    ("language", "day", "time", "both"),
    [
        ("en", "Fri, Nov 27, 2026", "10:30 AM", "Fri, Nov 27, 2026, 10:30 AM"),
        ("en-IN", "Fri, 27 Nov, 2026", "10:30 am", "Fri, 27 Nov, 2026, 10:30 am"),
        ("de", "Fr., 27. Nov. 2026", "10:30", "Fr., 27. Nov. 2026, 10:30"),
        ("hi", "शुक्र, 27 नव॰ 2026", "10:30 am", "शुक्र, 27 नव॰ 2026, 10:30 am"),
        ("de-XX", "Fr., 27. Nov. 2026", "10:30", "Fr., 27. Nov. 2026, 10:30"),  # its base is known
    ],
)
def test_a_moment_is_written_as_the_language_writes_it(language: str, day: str, time: str, both: str) -> None:
    assert [SPELLING.moment(INDIA, form, language) for form in ("date", "time", "datetime")] == [day, time, both]


def test_the_clock_is_the_one_of_the_offset_that_the_moment_carries() -> None:
    assert SPELLING.moment(INDIA.astimezone(UTC), "time", "en") == "5:00 AM"
    late = datetime(2026, 11, 27, 0, 15, tzinfo=timezone(timedelta(hours=14)))
    assert SPELLING.moment(late, "date", "en").startswith("Fri, Nov 27")


def test_a_day_has_no_time() -> None:
    assert SPELLING.moment(date(2026, 11, 27), "date", "en") == "Fri, Nov 27, 2026"


@pytest.mark.parametrize(
    ("minor", "currency", "language", "text"),
    [
        (4250, "EUR", "de", "42,50 €"),
        (4250, "EUR", "en", "€42.50"),
        (4250, "USD", "en", "$42.50"),
        (4250, "JPY", "en", "¥4,250"),
        (4250, "KWD", "en", "KWD 4.250"),
        (12345678, "INR", "en-IN", "INR 1,23,456.78"),
        (4250, "INR", "de", "42,50 INR"),
        (4250, "AFN", "en", "AFN 42.50"),  # CLDR shows no small coins; the amount has them
        (5, "INR", "en", "INR 0.05"),
    ],
)
def test_an_amount_keeps_every_digit(minor: int, currency: str, language: str, text: str) -> None:
    assert SPELLING.amount(minor, currency, language) == text


@pytest.mark.parametrize("currency", sorted(MINOR_DIGITS))
def test_no_currency_makes_an_english_sms_twice_as_long(currency: str) -> None:
    written = SPELLING.amount(123450, currency, "en")
    assert GSM7.issuperset(written)
    assert "".join(filter(str.isdigit, written)) == "123450"


@pytest.mark.parametrize("language", ["en", "en-IN", "en-GB", "de", "fr", "es-419", "pt-BR", "it"])
def test_no_date_takes_a_text_of_western_letters_out_of_seven_bits_by_its_spaces(language: str) -> None:
    written = SPELLING.moment(INDIA, "datetime", language)
    assert not {"\u202f", "\u00a0", "\u200e", "\u200f"} & set(written)


def test_a_language_that_nobody_wrote_down_is_not_known() -> None:
    assert [SPELLING.knows(language) for language in ("en", "hi", "zh-Hant-TW", "tlh", "qqq")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    with pytest.raises(LookupError):
        SPELLING.moment(INDIA, "date", "qqq")
