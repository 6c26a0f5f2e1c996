"""A transform only ever takes away, and taking away twice is taking away once."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopes import transform
from scopes.screen import screened
from scopes.transform import (
    country_of,
    email_domain,
    initials,
    last_four,
    postal_area,
    to_date,
    to_hour,
    to_minute,
    to_month,
    to_year,
)

_NOW = datetime(2026, 11, 17, 10, 30, 45, 123456, tzinfo=UTC)
_OF_MOMENTS: Any = [to_minute, to_hour, to_date, to_month, to_year]
_OF_TEXTS: Any = [last_four, initials, country_of, postal_area, email_domain, screened]


def test_the_lists_above_hold_every_transform() -> None:
    public = {
        name
        for name, what in vars(transform).items()
        if getattr(what, "__module__", "") == transform.__name__ and name[0] != "_"
    }
    assert public | {"screened"} == {one.__name__ for one in _OF_MOMENTS + _OF_TEXTS}


@pytest.mark.parametrize("reduce", _OF_MOMENTS)
@given(value=st.datetimes(timezones=st.just(UTC)))
def test_a_moment_reduced_twice_is_reduced_once_and_never_later(reduce: Any, value: datetime) -> None:
    once = reduce(value)
    assert reduce(once) == once <= value
    assert type(once) is datetime
    assert once.tzinfo is value.tzinfo


@pytest.mark.parametrize("reduce", [to_date, to_month, to_year])
@given(value=st.dates())
def test_a_day_stays_a_day(reduce: Any, value: date) -> None:
    once = reduce(value)
    assert reduce(once) == once <= value
    assert type(once) is date


@pytest.mark.parametrize("reduce", _OF_TEXTS)
@given(value=st.text() | st.from_regex(r"[A-Za-z0-9 @._-]{0,30}", fullmatch=True))
def test_a_text_reduced_twice_is_reduced_once(reduce: Any, value: str) -> None:
    once = reduce(value)
    assert type(once) is str
    assert reduce(once) == once


@pytest.mark.parametrize("reduce", _OF_MOMENTS + _OF_TEXTS)
def test_a_transform_says_in_one_line_what_clinics_read(reduce: Any) -> None:
    first = reduce.__doc__.splitlines()[0]
    assert first.endswith(".")
    assert len(first) < 100


@pytest.mark.parametrize(
    ("reduce", "value", "expected"),
    [
        (to_minute, _NOW, _NOW.replace(second=0, microsecond=0)),
        (to_hour, _NOW, datetime(2026, 11, 17, 10, tzinfo=UTC)),
        (to_date, _NOW, datetime(2026, 11, 17, tzinfo=UTC)),
        (to_month, _NOW, datetime(2026, 11, 1, tzinfo=UTC)),
        (to_year, _NOW, datetime(2026, 1, 1, tzinfo=UTC)),
        (to_month, date(2026, 11, 17), date(2026, 11, 1)),
        (last_four, "4242 4242-4242 4243", "4243"),
        (last_four, "12", "12"),
        (initials, "  asha  rao-nair ", "A. R."),
        (initials, "ആശ രാജ്", "ആ. ര."),
        (initials, "-- 7", ""),
        (country_of, "IN-KA", "IN"),
        (country_of, "en-IN", "IN"),
        (country_of, "DE", "DE"),
        (country_of, "Bengaluru", ""),
        (postal_area, "560 001", "560"),
        (email_domain, "asha@example.com", "@example.com"),
        (email_domain, "asha", ""),
    ],
)
def test_what_each_transform_leaves(reduce: Any, value: Any, expected: Any) -> None:
    assert reduce(value) == expected
