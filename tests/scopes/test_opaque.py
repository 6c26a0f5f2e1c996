"""An opaque reference names nobody: no name, no number and no address passes for one."""

import uuid
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from scopes.field import Disclosed, Unfit, discloses, shape_of
from scopes.identifier import is_aadhaar, is_card, is_phone
from scopes.minimize import InvalidPayload, minimize
from scopes.opaque import PREFIXES, OpaqueReference, check_opaque
from scopes.vocabulary import Category

EXAMPLE = "pat_7Hq2ZkW9"
_read = TypeAdapter(OpaqueReference).validate_python


class _Holds(Disclosed):
    reference: Annotated[OpaqueReference, discloses(Category.IDENTIFIER, "a test")]


@pytest.mark.parametrize(
    "reference",
    ["pat_7Hq2ZkW9", "inv_0001AB2", "ref_1a2b3c", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "123e4567-e89b-12d3-a456-426614174000",
     "visit_2026x114", "ord_12345678", *(f"{prefix}_a1b2c3" for prefix in PREFIXES)],
)  # fmt: skip
def test_an_opaque_reference_passes(reference: str) -> None:
    assert _read(reference) == check_opaque(reference) == reference


@given(st.uuids())
def test_any_uuid_passes(reference: uuid.UUID) -> None:
    assert check_opaque(str(reference)) == str(reference)


@pytest.mark.parametrize(
    "reference",
    [
        "Asha Rao", "asha", "asha.rao@example.com", "9876543210", "+919876543210", "pat_9876543210", "pat_919876543210",
        "pat_a9876543210", "pat_234123412346", "ref_4242424242424242", "pat_AshaRao1", "pat_rao1985Asha", "pat_asharao",
        "pat_abcdefgh", "pat_7", "pat_12345", "pat_" + "1a" * 25, "PAT_7Hq2ZkW9", "person_7Hq2ZkW9", "pat-7Hq2ZkW9",
        "pat_7Hq2_ZkW9", "pat_7Hq2 ZkW9", "pat_7Hq2ZkW9\n", " pat_7Hq2ZkW9", "pat_７Hq2ZkW9", "pat_७Hq2ZkW9", "", "pat_",
        "81ARZ3NDEKTSV4RRFFQ69G5FAV", "01arz3ndektsv4rrffq69g5fav", "{123e4567-e89b-12d3-a456-426614174000}",
        "123e4567e89b12d3a456426614174000", "MRN 12345", "234-56-7890", "pat_7Hq2ZkW9" * 6,
    ],
)  # fmt: skip
def test_what_may_name_somebody_is_refused_with_advice_and_without_the_value(reference: str) -> None:
    with pytest.raises(InvalidPayload) as refused:
        minimize(shape_of(_Holds), {"reference": reference})
    message = refused.value.faults[0].message
    assert message.startswith(("must be an opaque reference: a UUID, a ULID, or", "must have at most 64 characters"))
    assert reference.strip() in EXAMPLE or reference not in message


@given(st.sampled_from(PREFIXES), st.from_regex(r"[6-9][0-9]{9}", fullmatch=True), st.sampled_from(["", "a", "X9z"]))
def test_no_phone_number_hides_behind_a_prefix(prefix: str, phone: str, letters: str) -> None:
    with pytest.raises(Unfit):
        check_opaque(f"{prefix}_{letters}{phone}")


@given(st.from_regex(r"[0-9]{1,9}", fullmatch=True))
def test_a_number_of_fewer_than_ten_digits_identifies_nobody(digits: str) -> None:
    assert [is_phone(digits), is_aadhaar(digits), is_card(digits)] == [False] * 3  # so check_opaque leaves it out
    assert check_opaque(f"ref_{digits}aX9zQ7") == f"ref_{digits}aX9zQ7"
