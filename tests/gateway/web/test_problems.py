"""Errors as problem documents: every kind, its status and headers, and nothing of what went wrong inside."""

from __future__ import annotations

import logging
from typing import Any

import asyncpg
import orjson
import pytest

from gateway import errors
from gateway.errors import GatewayError
from gateway.store.errors import StoreRefused, StoreUnavailable
from gateway.web.problems import Problem, told
from scopes.decision import Refusal
from scopes.fault import Fault
from scopes.vocabulary import Reason

SECRET = "Ada Lovelace"


def read(problem: Problem) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(problem.body)
    assert document["status"] == problem.status
    assert document["request_id"] == "r-1"
    assert problem.headers["content-type"] == "application/problem+json"
    return document


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (errors.InvalidRequest(), 400, "invalid_request"),
        (errors.BodyTooLarge(), 413, "body_too_large"),
        (errors.Unauthenticated(), 401, "unauthenticated"),
        (errors.Forbidden(), 403, "forbidden"),
        (errors.NotFound(), 404, "not_found"),
        (errors.Conflict(), 409, "conflict"),
        (errors.InProgress(), 409, "in_progress"),
        (errors.IdempotencyReused(), 422, "idempotency_key_reused"),
        (errors.Unavailable(), 503, "unavailable"),
        (errors.LedgerUnavailable(), 503, "ledger_unavailable"),
        (errors.OutcomeUnrecorded("disclosure 1"), 503, "outcome_unrecorded"),
        (StoreUnavailable(), 503, "store_unavailable"),
        (asyncpg.CannotConnectNowError(SECRET), 503, "store_unavailable"),
        (asyncpg.AdminShutdownError(SECRET), 503, "store_unavailable"),
        (asyncpg.UniqueViolationError(SECRET), 500, "internal"),
        (StoreRefused(SECRET), 500, "internal"),
        (GatewayError(SECRET), 500, "internal"),
        (ValueError(SECRET), 500, "internal"),
        (KeyError(SECRET), 500, "internal"),
    ],
)
def test_each_failure_has_its_status_and_code(failure: Exception, status: int, code: str) -> None:
    problem = told(failure, "r-1")
    document = read(problem)
    assert (problem.status, document["code"]) == (status, code)
    assert SECRET.encode() not in problem.body


def test_what_we_did_not_foresee_is_logged_by_its_type_only(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        told(ValueError(SECRET), "r-1")
    assert [vars(record)["ids"] for record in caplog.records] == [{"error": "ValueError", "request": "r-1"}]
    assert SECRET not in caplog.text


def test_faults_and_reasons_are_listed() -> None:
    invalid = told(errors.InvalidRequest(faults=[Fault("payload.amount_minor", "is required")], fix="look"), "r-1")
    assert read(invalid)["faults"] == [{"path": "payload.amount_minor", "message": "is required"}]
    assert read(invalid)["fix"] == "look"
    reasons = [Refusal(Reason.FEATURE_OFF, "refunds", "Switch it on.")]
    refused = read(told(errors.Refused(reasons, index=7), "r-1"))
    assert refused["reasons"] == [{"code": "feature_off", "what": "refunds", "fix": "Switch it on."}]
    assert refused["index"] == 7


def test_a_refusal_for_the_rate_alone_is_429() -> None:
    limited = Refusal(Reason.RATE_LIMITED, "25 per second", "Wait.")
    problem = told(errors.Refused([limited]), "r-1")
    assert (problem.status, problem.headers["retry-after"]) == (429, "1")


@pytest.mark.parametrize(
    ("failure", "repeats"),
    [
        (errors.LedgerUnavailable(), True),
        (StoreUnavailable(), True),
        (errors.InProgress(), True),
        (errors.Conflict(), False),
        (errors.OutcomeUnrecorded(), False),
        (errors.InvalidRequest(), False),
    ],
)
def test_only_what_may_be_repeated_says_when(failure: Exception, repeats: bool) -> None:
    assert ("retry-after" in told(failure, "r-1").headers) is repeats


def test_who_is_not_let_in_is_told_how() -> None:
    assert told(errors.Unauthenticated(), "r-1").headers["www-authenticate"].startswith("Bearer ")
    assert "insufficient_scope" in told(errors.Forbidden(), "r-1").headers["www-authenticate"]
