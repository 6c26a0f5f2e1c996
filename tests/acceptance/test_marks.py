"""What looks for marks finds them in every spelling, so that finding none means something."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.acceptance.marks import found

MARK = "ada.lovelace+x@clinic.example?"


@pytest.mark.parametrize(
    "spelled",
    [
        str.encode,
        lambda mark: mark.upper().encode(),
        lambda mark: mark.encode().hex().encode(),
        lambda mark: mark.encode().hex().upper().encode(),
        lambda mark: quote(mark, safe="").encode(),
        lambda mark: mark[::-1].encode(),
        lambda mark: b64encode(f"from {mark} to".encode()),
        lambda mark: b64encode(f"from: {mark} to".encode()),
        lambda mark: b64encode(f"from:: {mark} to".encode()),
        lambda mark: urlsafe_b64encode(f"from {mark} to".encode()),
    ],
)
def test_a_mark_is_found_however_it_is_spelled(spelled: Callable[[str], bytes]) -> None:
    assert found([MARK, "nobody@clinic.example"], b"\x00 before " + spelled(MARK) + b" behind \xff") == [MARK]


def test_nothing_is_found_where_nothing_is() -> None:
    assert found([MARK], b"ada.lovelace@clinic.example " * 100) == []
