"""What the network tells us, read from bytes of every kind: a letter says something, or nothing, or is refused."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.abdm import callbacks
from connectors.contract import CallbackRefused
from connectors.review import recordings
from connectors.told import ArtefactStatus, ConsentTold, Frequency, Linked, LinkTokenCame, RecordsWanted, Sought, Told
from tests.connectors.abdm.played import ABDM

LETTERS = recordings(ABDM, "letters")
CONSENT = "/api/v3/consent/request/hip/notify"
RECORDS = "/api/v3/hip/health-information/request"
NAMES = sorted(
    {
        "response", "resp", "requestId", "error", "code", "notification", "consentDetail", "permission", "dateRange", "from",
        "to",
        "hiRequest", "keyMaterial", "patient", "id", "careContexts", "referenceNumber", "confirmation", "token", "transactionId",
        "profile", "metaData", "context", "abhaAddress", "frequency", "unit", "value", "status", "consentId", "hiTypes",
    }
)  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["GRANTED", "DAY"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=5),
    max_leaves=25,
)


def read(path: str, body: Any) -> Told | None:
    return callbacks.read(path, json.dumps(body).encode())


def recorded(path: str, at: int = 0) -> Any:
    return copy.deepcopy([each["body"] for each in LETTERS if each["path"] == path][at])


@settings(max_examples=300)
@given(st.sampled_from(sorted(callbacks.READERS)), st.binary(max_size=400) | JSON.map(lambda v: json.dumps(v).encode()))
def test_bytes_of_every_kind_are_read_or_refused(path: str, body: bytes) -> None:
    try:
        callbacks.read(path, body)
    except CallbackRefused:
        return


@settings(max_examples=300)
@given(st.sampled_from(LETTERS), st.randoms(use_true_random=False), JSON)
def test_a_letter_with_one_part_that_is_anything_is_read_or_refused(letter: Any, chance: Any, value: Any) -> None:
    body = copy.deepcopy(letter["body"])
    here: Any = body
    while isinstance(here, dict) and here:
        name = chance.choice(sorted(here))
        if not isinstance(here[name], dict) or chance.random() < 0.3:
            here[name] = value
            break
        here = here[name]
    try:
        read(letter["path"], body)
    except CallbackRefused:
        return


@pytest.mark.parametrize(
    "spelling", ["/api/v3/link/on_carecontext", "/api/v3/link/on-carecontext", "/api/v3/link/on_careContext/"]
)
def test_a_path_is_read_in_each_of_its_spellings(spelling: str) -> None:
    assert isinstance(read(spelling, {"response": {"requestId": "x"}}), Linked)


@pytest.mark.parametrize("path", ["/api/v3/hiu/consent/on-init", "/v0.5/links/link/on-init", "", "/"])
def test_a_path_that_is_not_used_says_nothing(path: str) -> None:
    assert callbacks.read(path, b"\xff") is None


def test_what_a_link_s_status_says_counts_for_nothing() -> None:
    for status in ("Successfully Linked care context", "FAILURE", "", None):
        assert read("/api/v3/link/on_carecontext", {"status": status, "response": {"requestId": "r"}}) == Linked(
            "r", None
        )


@pytest.mark.parametrize("error", [{"code": "ABDM-1062"}, {"message": "no"}, "no", ["no"], True])
def test_an_error_of_any_form_is_a_problem(error: Any) -> None:
    told = read("/api/v3/link/on_carecontext", {"status": "SUCCESS", "error": error, "response": {"requestId": "r"}})
    assert isinstance(told, Linked)
    assert told.problem is not None


def test_an_answer_to_nothing_is_refused() -> None:
    with pytest.raises(CallbackRefused):
        read("/api/v3/link/on_carecontext", {"status": "SUCCESS"})


def test_a_token_beside_an_error_is_no_token() -> None:
    told = read(
        "/api/v3/hip/token/on-generate-token",
        {"linkToken": "aaa.bbb.ccc", "error": {"code": "ABDM-1043"}, "response": {"requestId": "r"}},
    )
    assert isinstance(told, LinkTokenCame)
    assert told.token is None


@pytest.mark.parametrize("gone", [
    ("patient",), ("purpose",), ("permission",), ("permission", "dateRange"), ("permission", "dateRange", "to"),
    ("permission", "dateRange", "from"), ("permission", "dataEraseAt"), ("patient", "id"),
])  # fmt: skip
def test_a_consent_without_one_of_its_bounds_is_refused(gone: tuple[str, ...]) -> None:
    body = recorded(CONSENT)
    here = body["notification"]["consentDetail"]
    for name in gone[:-1]:
        here = here[name]
    del here[gone[-1]]
    with pytest.raises(CallbackRefused):
        read(CONSENT, body)


@pytest.mark.parametrize("frequency", [
    {"unit": "FORTNIGHT", "value": 1, "repeats": 0}, {"unit": "DAY", "value": -1}, {"unit": "DAY"},
    {"unit": "DAY", "value": 0, "repeats": -1}, {"unit": "DAY", "value": 1, "repeats": "many"},
    {"value": 0, "repeats": 3}, "DAILY", ["DAY", 1], 1, True,
])  # fmt: skip
def test_a_consent_whose_frequency_cannot_be_read_is_refused_and_not_taken_for_boundless(frequency: Any) -> None:
    with pytest.raises(CallbackRefused):
        _frequency_of(frequency)


# The units are the five of the network's own list (accessMode and frequency of a permission).
@pytest.mark.parametrize(
    ("unit", "hours"), [("HOUR", 1), ("DAY", 24), ("WEEK", 168), ("MONTH", 730), ("YEAR", 8760), ("day", 24)]
)
@pytest.mark.parametrize("beside", [False, True], ids=["in the permission", "beside it"])
def test_a_frequency_bounds_a_consent_wherever_it_stands(unit: str, hours: int, beside: bool) -> None:
    assert _frequency_of({"unit": unit, "value": 2, "repeats": 5}, beside=beside) == Frequency(2, hours, 5)
    assert _frequency_of({"unit": unit, "value": 1, "repeats": None}, beside=beside) == Frequency(1, hours, 0)


@pytest.mark.parametrize("unsaid", [
    None, {}, 0, {"unit": "HOUR", "value": 0, "repeats": 0}, {"unit": "DAY", "value": 0}, {"unit": None, "value": 0},
])  # fmt: skip
@pytest.mark.parametrize("beside", [False, True], ids=["in the permission", "beside it"])
def test_a_frequency_that_is_not_said_or_nought_is_none_and_never_means_never(unsaid: Any, beside: bool) -> None:
    assert _frequency_of(unsaid, beside=beside) is None
    assert _frequency_of(..., beside=beside) is None


def test_so_many_in_all_without_a_rate_is_so_many_at_once() -> None:
    assert _frequency_of({"unit": "DAY", "value": 0, "repeats": 3}) == Frequency(3, 24, 3)


def _frequency_of(said: Any, *, beside: bool = False) -> Frequency | None:
    """What becomes of a frequency, in the permission or beside it; of none, where `...` is said."""
    body = recorded(CONSENT)
    detail = body["notification"]["consentDetail"]
    detail["permission"].pop("frequency", None)
    if said is not ...:
        (detail if beside else detail["permission"])["frequency"] = said
    told = read(CONSENT, body)
    assert isinstance(told, ConsentTold)
    assert told.artefact is not None
    return told.artefact.frequency


def test_of_two_ends_of_a_consent_the_earlier_one_holds() -> None:
    body = recorded(CONSENT)
    body["notification"]["consentDetail"]["dataEraseAt"] = "2026-02-01T00:00:00Z"
    told = read(CONSENT, body)
    assert isinstance(told, ConsentTold)
    assert told.artefact is not None
    assert told.artefact.erase_at.isoformat() == "2026-02-01T00:00:00+00:00"


def test_a_kind_that_nobody_knows_allows_nothing_and_no_kinds_allow_nothing() -> None:
    for kinds in (["Horoscope"], [], None, "Prescription"):
        body = recorded(CONSENT)
        body["notification"]["consentDetail"]["hiTypes"] = kinds
        told = read(CONSENT, body)
        assert isinstance(told, ConsentTold)
        assert told.artefact is not None
        assert told.artefact.kinds == frozenset()


def test_two_ids_of_one_consent_that_differ_are_refused() -> None:
    body = recorded(CONSENT)
    body["notification"]["consentDetail"]["consentId"] = "another"
    with pytest.raises(CallbackRefused):
        read(CONSENT, body)


@pytest.mark.parametrize("status", ["REVOKED", "EXPIRED", "DENIED", "revoked"])
def test_the_end_of_a_consent_is_heard_whatever_is_wrong_with_its_detail(status: str) -> None:
    body = {"notification": {"status": status, "consentId": "c-1", "consentDetail": {"permission": "x"}}}
    told = read(CONSENT, body)
    assert told == ConsentTold("c-1", ArtefactStatus(status.lower()), None)


def test_a_request_s_ids_are_those_of_its_outside_and_never_the_empty_ones_in_its_body() -> None:
    told = read(RECORDS, recorded(RECORDS))
    assert isinstance(told, RecordsWanted)
    assert told.fault is None


@pytest.mark.parametrize("change", [str.strip, lambda text: text.rstrip("="), lambda text: f"{text[:20]}\n{text[20:]}",
                                    lambda text: text.replace("+", "-").replace("/", "_")])  # fmt: skip
def test_a_key_is_read_however_its_base_64_is_written(change: Any) -> None:
    body = recorded(RECORDS)
    keys = body["hiRequest"]["keyMaterial"]
    expected = read(RECORDS, body)
    keys["nonce"] = change(keys["nonce"])
    keys["dhPublicKey"]["keyValue"] = change(keys["dhPublicKey"]["keyValue"])
    assert read(RECORDS, body) == expected


def test_an_address_or_a_request_without_its_dates_is_refused() -> None:
    for name in ("dataPushUrl", "dateRange", "consent"):
        body = recorded(RECORDS)
        del body["hiRequest"][name]
        with pytest.raises(CallbackRefused):
            read(RECORDS, body)


def test_thousands_of_visits_in_one_letter_are_refused() -> None:
    body = recorded("/api/v3/hip/link/care-context/init")
    body["patient"] = body["patient"] * 5001
    with pytest.raises(CallbackRefused) as refused:
        read("/api/v3/hip/link/care-context/init", body)
    assert refused.value.code == "too_large"


def test_an_identifier_that_has_not_its_form_matches_nobody() -> None:
    body = recorded("/api/v3/hip/patient/care-context/discover")
    body["patient"]["verifiedIdentifiers"] = [
        {"type": "MOBILE", "value": "0000000000"},
        {"type": "ABHA_NUMBER", "value": "1"},
        {"type": "MOBILE", "value": 9876543210},
        "MOBILE",
    ]
    told = read("/api/v3/hip/patient/care-context/discover", body)
    assert isinstance(told, Sought)
    assert told.verified == ()


def test_what_is_said_of_a_person_is_in_no_repr() -> None:
    for letter in LETTERS:
        told = read(letter["path"], letter["body"])
        for value in ("asha.rao", "Asha Rao", "9876543210", "P-7", "V-1042", "hiu.example", "Main Road"):
            assert value not in repr(told)
