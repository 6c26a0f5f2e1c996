"""Ids of records: what hosts call their appointments and invoices, and no number that is somebody's."""

from __future__ import annotations

import pytest

from scopes.event_id import check_event_id
from scopes.field import Unfit


@pytest.mark.parametrize(
    "given",
    [
        "7",
        "appt_7Hq2ZkW9",
        "patient-4711",
        "INV.2026:0042",
        "0190163d-8694-7a3c-8f0e-6c7f3e8f7a01",
        "12345678-1234-4123-8123-123456789012",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "4f1234567890ab12cd34ef56ab78cd90",
        "evt_4f1234567890ab12cd34ef56ab78cd90",
        "2026-1122",
        "a" * 63 + "1",
    ],
)
def test_an_id_of_a_record_is_taken(given: str) -> None:
    assert check_event_id(given) == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Ada",
        "Ada.Lovelace",
        "ada lovelace 1",
        "ada@clinic.example1",
        "_1",
        "1\n",
        "१२३",
        "9876543210",
        "+919876543210",
        "98765-43210",
        "987.654.3210",
        "tel9876543210",
        "tel_9876543210",
        "2345-6789-0124",
        "4111111111111111",
        "4111-1111-1111-1111",
    ],
)
def test_a_name_or_a_number_of_somebody_is_not(given: str) -> None:
    with pytest.raises(Unfit) as refused:
        check_event_id(given)
    assert not given.strip() or given not in str(refused.value)
