"""Statuses, answers and errors: what each means, and that none of them quotes the vendor."""

from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import errors
from connectors.contract import (
    Ambiguous,
    AnswerRefused,
    CallbackRefused,
    ConnectorError,
    CredentialRefused,
    ProviderScopeMissing,
    ReconnectNeeded,
    Rejected,
    TryLater,
    Unreachable,
)
from connectors.registry import Registry
from connectors.wire import build_request, error_for, object_in, parse_object, retry_after_seconds
from scopes.vocabulary import Outcome


@given(st.integers(100, 599))
def test_every_status_has_one_meaning(status: int) -> None:
    error = error_for(status, {})
    assert (error is None) == (200 <= status < 300)
    if error is not None:
        said_no = 400 <= status < 500 and status != 408
        expected = Outcome.REJECTED if said_no else Outcome.FAILED if 300 <= status < 400 else Outcome.UNKNOWN
        assert error.outcome is expected


def test_outcomes_follow_from_what_may_have_happened() -> None:
    for rejected in (Rejected(), ReconnectNeeded(), ProviderScopeMissing(), TryLater()):
        assert rejected.outcome is Outcome.REJECTED
    assert Unreachable().outcome is Outcome.FAILED
    assert AnswerRefused("too_large").outcome is Outcome.FAILED
    assert Ambiguous().outcome is Outcome.UNKNOWN


def test_each_error_has_a_kind_of_its_own_and_says_what_to_do() -> None:
    found = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, ConnectorError)]
    assert len({each.kind for each in found}) == len(found) == 9
    for each in found:
        assert each.what.endswith(".")
        assert each.fix.endswith(".")


@pytest.mark.parametrize("code", ["Jane Roe", "jane@clinic.example", "", "x" * 65, "Card", "é", "a\nb", "1"])
def test_a_code_that_is_no_code_is_not_repeated(code: str) -> None:
    assert Rejected(code).code == "rejected"
    assert CallbackRefused(code).code == "refused"
    assert code.strip() == "" or code not in str(Rejected(code))


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [("7", 7), ("0.5", 0.5), ("999999", 3600), ("", None), ("-1", None), ("nan", None), ("inf", None), ("1e9", None)],
)
def test_the_wish_to_wait_is_read_with_care(wish: str, seconds: float | None) -> None:
    assert retry_after_seconds({"retry-after": wish}) == seconds
    late = error_for(429, httpx2.Headers({"Retry-After": wish}))
    assert isinstance(late, TryLater)
    assert late.retry_after_seconds == seconds


@given(st.binary(max_size=60))
def test_bytes_are_an_object_or_nothing(raw_body: bytes) -> None:
    found = parse_object(raw_body)
    assert found is None or isinstance(found, dict)
    if found is None:
        with pytest.raises(Ambiguous, match="unreadable_answer"):
            object_in(httpx2.Response(200, content=raw_body))


@pytest.mark.parametrize("content", [None, b"a=1"])
def test_a_request_says_what_it_was_told_and_holds_no_credential(content: bytes | None) -> None:
    made = build_request("POST", "https://api.example.org/v1/x", headers={"X-Y": "z"}, content=content)
    assert (made.method, str(made.url), made.headers["x-y"]) == ("POST", "https://api.example.org/v1/x", "z")
    assert made.content == (content or b"")
    assert made.headers == {"x-y": "z"}  # the credential, Host and Content-Length are the door's to write


CREDENTIAL = Registry.load().connector("payments").manifest.credential


@pytest.mark.parametrize("secret", ["rk_live_51Abcdefgh", "rk_test_51Abcdefgh", "sk_test_51Abcdefgh"])
def test_stripe_takes_restricted_keys_and_test_keys(secret: str) -> None:
    CREDENTIAL.check(secret)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("sk_live_51Abcdefgh", "reaches everything"),
        ("sk_live_", "reaches everything"),
        ("pk_live_51Abcdefgh", "publishable"),
        ("whsec_51Abcdefgh", "none of the accepted forms"),
        (" rk_live_51Abcdefgh", "none of the accepted forms"),
        ("rk_live_51Abcdefgh\n", "none of the accepted forms"),
        ("rk_live_" + "x" * 300, "none of the accepted forms"),
        ("rk_live_é1Abcdefgh", "none of the accepted forms"),
    ],
)
def test_stripe_refuses_other_keys_with_a_reason_that_does_not_hold_them(secret: str, reason: str) -> None:
    with pytest.raises(CredentialRefused, match=reason) as refused:
        CREDENTIAL.check(secret)
    assert secret not in refused.value.reason
    assert secret not in repr(vars(refused.value))


def test_an_error_can_be_raised_again_and_keeps_its_code() -> None:
    held: Any = Rejected("card_declined")
    assert (held.code, held.kind) == ("card_declined", "rejected")
    assert "card_declined" in str(held)
