"""The network's errors, each of their shapes and the codes that mean several things. Nothing that they say is repeated."""

import json
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.abdm.errors import normalised, problem, refusal_in, said_in
from connectors.contract import (
    Ambiguous,
    ConnectorError,
    ProviderScopeMissing,
    ReconnectNeeded,
    Rejected,
    TryLater,
)
from connectors.told import Setback

WORDS = "CANARY words of the network's"


def answer(status: int, body: Any = None, **given: Any) -> httpx2.Response:
    return httpx2.Response(status, json=body, **given) if body is not None else httpx2.Response(status, **given)


def nested(code: object, message: str = WORDS) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


@pytest.mark.parametrize(
    "body",
    [
        nested("ABDM-1059"),
        {"code": "ABDM-1059", "message": WORDS, "timestamp": "2026-01-15"},
        [nested("ABDM-1059")],
        [{"code": "ABDM-1059", "message": WORDS}],
        nested("ABDM-1059: "),
        nested("ABDM-1059 : "),
        nested(" ABDM-1059"),
        nested("1059"),
        nested(1059),
        nested(None, "ABDM-1059: count does not match"),
        {"code": "HIS-400", "message": WORDS, "details": [{"code": "ABDM-1059", "message": WORDS}]},
    ],
)
def test_each_shape_of_an_error_comes_to_the_same(body: Any) -> None:
    refusal = refusal_in(answer(400, body))
    assert isinstance(refusal, Rejected)
    assert refusal.code == "count_wrong"


@pytest.mark.parametrize(
    ("response", "kind", "code"),
    [
        (answer(400), Rejected, "body_not_understood"),
        (answer(401), ReconnectNeeded, "reconnect_needed"),
        (answer(403, text="Access Denied"), ProviderScopeMissing, "access_denied"),
        (answer(400, {"loginId": WORDS, "timestamp": "x"}), Rejected, "field_refused.login_id"),
        (answer(400, {"otpValue": WORDS}), Rejected, "field_refused.code"),
        (answer(401, {"code": "900901", "message": WORDS, "description": WORDS}), ReconnectNeeded, "session_refused"),
        (answer(401, {"code": "900902", "message": WORDS, "description": WORDS}), ReconnectNeeded, "session_missing"),
        (answer(403, {"code": "900908", "message": WORDS}), ProviderScopeMissing, "subscription_inactive"),
        (answer(500, {"code": "303001", "message": WORDS}), TryLater, "network_suspended"),
        (answer(503, {"code": 303001, "message": WORDS}), TryLater, "network_suspended"),
        (answer(400, {"code": "HIS-400", "details": [{"code": "HIS-1070", "message": WORDS}]}), Rejected, "rejected"),
        (answer(200, [nested("2500")]), Rejected, "refused_with_200"),
        (answer(202, nested("weird")), Rejected, "refused_with_200"),
        (answer(400, nested("ABDM-1092")), TryLater, "link_token_pending"),
        (answer(429, nested("ABDM-1022"), headers={"Retry-After": "9"}), TryLater, "rate_limited"),
        (answer(400, nested("ABDM-1024")), TryLater, "service_behind_it_down"),
        (answer(500, nested("ABDM-9999")), Ambiguous, "service_behind_it_down"),
        (answer(500, nested("ABDM-1006")), Ambiguous, "ambiguous"),
        (answer(400, nested("ABDM-1064")), Ambiguous, "request_id_seen"),
        (answer(401, nested("ABDM-1094", "Invalid X-token")), Rejected, "user_token_refused"),
        (answer(401, {"message": "Invalid X-token"}), Rejected, "user_token_refused"),
        (answer(404, nested("ABDM-4711")), Rejected, "rejected"),
        (answer(502, text="<html>"), Ambiguous, "ambiguous"),
    ],
)
def test_an_error_says_what_to_do(response: httpx2.Response, kind: type[ConnectorError], code: str) -> None:
    refusal = refusal_in(response)
    assert type(refusal) is kind
    assert refusal.code == code
    assert WORDS not in f"{refusal} {refusal!r} {vars(refusal)}"


@pytest.mark.parametrize(("code", "linking", "records"), [
    ("ABDM-1061", "display_refused", "consent_expired"),
    ("ABDM-1062", "link_token_refused", "consent_not_granted"),
    ("ABDM-1063", "link_token_refused", "dates_refused"),
])  # fmt: skip
def test_a_number_that_means_two_things_is_read_by_what_was_asked(code: str, linking: str, records: str) -> None:
    for of_records, expected in ((False, linking), (True, records)):
        refusal = refusal_in(answer(400, nested(code)), of_records=of_records)
        assert refusal is not None
        assert refusal.code == expected


def test_a_patient_who_is_blocked_is_not_asked_about_for_a_day() -> None:
    refusal = refusal_in(answer(400, nested("ABDM-1027")))
    assert isinstance(refusal, TryLater)
    assert refusal.retry_after_seconds == 86_400


@pytest.mark.parametrize("body", [None, {}, {"status": "Notification is Accepted"}, {"error": None}, {"error": {}},
                                  {"mobile": "9876543210"}, {"txnId": "x", "message": "OTP sent"}])  # fmt: skip
def test_a_success_is_none_of_them(body: Any) -> None:
    assert refusal_in(answer(202, body)) is None
    assert refusal_in(answer(200, body)) is None


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["error", "code", "message", "details", "loginId", "timestamp"]), inner, max_size=4),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_whatever_an_error_says_it_is_read_or_not_and_breaks_nothing(body: bytes) -> None:
    said_in(body)
    for status in (200, 202, 400, 401, 403, 404, 429, 500):
        refusal_in(httpx2.Response(status, content=body))


@pytest.mark.parametrize("code", [None, True, 1.5, "", "x", "ABDM-", "ABDM-12", "ABDM-123456", [], {}, "9" * 5000])
def test_what_is_no_code_is_none(code: object) -> None:
    assert normalised(code) is None


def test_each_setback_has_a_code_of_the_network_s() -> None:
    for setback in Setback:
        told = problem(setback)
        assert set(told) == {"code", "message"}
        assert normalised(told["code"]) == told["code"]
    assert problem("something_else")["code"] == "ABDM-1010"
    assert problem("ABDM-1027")["code"] == "ABDM-1027"
