"""The identifiers of people: their check digits, their forms, and how each call wants them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.abdm.identifiers import (
    address_in,
    check_aadhaar,
    check_address,
    check_mobile,
    check_number,
    dashed,
    gender_in,
    mobile_in,
    number_in,
    passes_luhn,
    passes_verhoeff,
)
from scopes.field import Unfit

DIGITS = st.text("0123456789", min_size=11, max_size=11)


def test_numbers_that_are_known_to_be_right_pass() -> None:
    assert passes_verhoeff("2363")  # Verhoeff's own example: 236 and its check digit 3
    assert passes_luhn("22722548295255")  # NRCeS's own example of an ABHA number
    assert not passes_luhn("11111111111111")
    assert passes_luhn("79927398713")


@given(DIGITS, st.integers(0, 11), st.integers(1, 9))
def test_one_wrong_digit_is_always_found_by_verhoeff(digits: str, place: int, off: int) -> None:
    right = next(digits + check for check in "0123456789" if passes_verhoeff(digits + check))
    wrong = right[:place] + str((int(right[place]) + off) % 10) + right[place + 1 :]
    assert not passes_verhoeff(wrong)


@given(DIGITS, st.integers(0, 10))
def test_two_neighbours_in_the_wrong_order_are_always_found_by_verhoeff(digits: str, place: int) -> None:
    right = next(digits + check for check in "0123456789" if passes_verhoeff(digits + check))
    swapped = right[:place] + right[place + 1] + right[place] + right[place + 2 :]
    assert passes_verhoeff(swapped) == (right[place] == right[place + 1])


@pytest.mark.parametrize(
    "text", ["234123412347", "034123412346", "134123412346", "23412341234", "2341 23412 346", "", "٢٣٤١٢٣٤١٢٣٤٦"]
)
def test_what_is_no_aadhaar_number_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(Unfit) as refused:
        check_aadhaar(text)
    assert not text or text not in str(refused.value)


def test_an_aadhaar_number_loses_its_blanks() -> None:
    assert check_aadhaar("2341 2341 2346") == "234123412346"


@pytest.mark.parametrize("text", ["22-7225-4829-5255", "22722548295255", "22-722548295255"])
def test_an_abha_number_is_read_with_dashes_and_without(text: str) -> None:
    assert check_number(text) == "22722548295255"
    assert dashed(check_number(text)) == "22-7225-4829-5255"


@pytest.mark.parametrize("text", ["2272254829525", "227225482952551", "22 7225 4829 5255", "", "٢٢٧٢٢٥٤٨٢٩٥٢٥٥"])
def test_what_is_no_abha_number_is_none(text: str) -> None:
    assert number_in(text) is None


@pytest.mark.parametrize("text", ["asha.rao@sbx", "Asha_Rao84@abdm", "22722548295255@abdm"])
def test_an_address_is_compared_in_small_letters(text: str) -> None:
    assert check_address(text) == text.lower()


@pytest.mark.parametrize(
    "text", ["short@sbx", ".asha.rao@sbx", "asha..rao@sbx", "asharao_@sbx", "a" * 19 + "@sbx", "asha.rao@x", "asha.rao"]
)
def test_an_address_that_nobody_gives_out_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        check_address(text)


def test_an_address_in_a_message_may_have_the_wider_form() -> None:
    assert address_in("Old-Style!1@sbx") == "old-style!1@sbx"
    assert address_in("a b@sbx") is None
    assert address_in("asha.rao@sbx\n") is None


@pytest.mark.parametrize("text", ["9876543210", "+91 98765 43210", "+91-9876543210", "919876543210", "09876543210"])
def test_a_mobile_is_one_number_however_it_is_written(text: str) -> None:
    assert mobile_in(text) == "+919876543210"
    assert check_mobile(text) == "9876543210"


@pytest.mark.parametrize("text", ["1234567890", "+14155550123", "98765", "", "9" * 100])
def test_a_mobile_of_another_country_is_none(text: str) -> None:
    assert mobile_in(text) is None


def test_a_gender_that_callbacks_may_carry_besides_reads_as_none() -> None:
    assert [gender_in(each) for each in ("M", "F", "O", "D", "T", "U", "m", None, 1)] == ["M", "F", "O", *[None] * 6]


@given(st.text())
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    for check in (check_aadhaar, check_number, check_address, check_mobile):
        with suppress(Unfit):
            check(text)
    for read in (number_in, address_in, mobile_in):
        read(text)
