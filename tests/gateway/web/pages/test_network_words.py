"""Every closed code of a network has words; how a session stands and what is wrong are told with who can mend it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.abdm import errors
from connectors.told import RecordKind
from gateway.flows.network import asking, state
from gateway.flows.network.state import Session, SessionState, session_of
from gateway.network.drift import MEND, WHAT, WHO, Fault, Who
from gateway.store.network import SessionRow
from gateway.store.transfers import EntryState
from gateway.store.transfers import State as TransferState
from gateway.web import words as house
from gateway.web.settings.network import words
from scopes.artefact import State as ConsentState
from scopes.vocabulary import ConnectionState

NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)


def test_every_closed_code_has_words() -> None:
    for codes, known in (
        (RecordKind, house.RECORD_KINDS), (SessionState, words.SESSIONS), (ConnectionState, words.CONNECTIONS),
        (TransferState, words.TRANSFERS), (EntryState, words.ENTRIES), (ConsentState, words.CONSENTS), (Who, words.WHO),
        (Fault, WHAT), (Fault, MEND), (Fault, WHO),
    ):  # fmt: skip
        assert {str(each) for each in codes} == {str(each) for each in known}


def test_every_reason_why_a_visit_is_not_linked_has_words_and_what_happens_next() -> None:
    of_network = {word for word, _ in errors._LATER.values()} | set(errors._REFUSED.values())
    ours = {asking.UNHEARD, asking.REFUSED_HERE, "no_address", "refused", "failed", "unknown", "rejected"}
    assert of_network | ours <= words.LINK_CODES.keys()
    assert all(why and then for why, then in words.LINK_CODES.values())


def test_a_visit_says_why_it_is_not_linked_and_what_happens_next() -> None:
    soon = NOW + timedelta(minutes=7)
    assert words.link_words(None, None, None, now=NOW)["word"].text == "Not offered"
    waits = words.link_words("wanted", "rate_limited", soon, now=NOW)
    assert (waits["word"].text, waits["why"]) == ("Tried again", "The network was asked too often.")
    assert waits["then"] == "The next step for this patient is due at 4 Jan 2027, 09:07 UTC."
    failed = words.link_words("failed", "demographics_differ", None, now=NOW)
    assert failed["word"].text == "Not linked"
    assert "other than what the network knows" in failed["why"]
    assert "hand the visit over again" in failed["then"]
    unheard_of = words.link_words("failed", "something_new", None, now=NOW)
    assert unheard_of["why"] == "The network's answer: Something new."


@pytest.mark.parametrize(
    ("code", "says"),
    [("record_date_not_covered", "Time of the document not"), ("http_503", "answered 503"), ("late_news", "Late news")],
)  # fmt: skip
def test_a_document_that_did_not_go_says_why(code: str, says: str) -> None:
    assert says in words.entry_says("failed", code)


def row(**given: Any) -> SessionRow:
    known: dict[str, Any] = {
        "sealed": None, "generation": 0, "received_at": None, "expires_at": None, "refused": 0, "asked_at": None,
        "troubles": 0, "retry_at": None, "code": None, **given,
    }  # fmt: skip
    return SessionRow(**known)


@pytest.mark.parametrize(
    ("held", "stands"),
    [
        (None, SessionState.RESTS),
        (row(expires_at=NOW + timedelta(minutes=1)), SessionState.GOOD),
        (row(expires_at=NOW), SessionState.RESTS),
        (row(refused=1, asked_at=NOW), SessionState.REFUSED),
        (row(refused=3, asked_at=NOW), SessionState.LOCKED),
        (row(refused=3, asked_at=NOW - timedelta(minutes=11)), SessionState.REFUSED),
        (row(troubles=2, retry_at=NOW), SessionState.AWAY),
    ],
)
def test_how_a_session_stands_is_told_by_its_row(held: SessionRow | None, stands: SessionState) -> None:
    assert session_of(held, NOW).state is stands


class _Connection:
    state = ConnectionState.ACTIVE


def found(**given: Any) -> list[tuple[str, Who]]:
    facility = state.Standing("sbx", "F", "F_1", "a clinic", NOW, NOW, ())
    well: Any = state.Taking(
        _Connection(), "sbx", facility, Session(SessionState.GOOD), "https://gateway.example/net", 1, None, ()  # type: ignore[arg-type]
    )  # fmt: skip
    return [(each.code, each.who) for each in state._troubles(replace(well, **given), now=NOW)]


def test_what_is_wrong_names_who_can_mend_it() -> None:
    assert found() == []
    assert found(facility=None) == [("not_linked", Who.BOTH)]
    assert found(url=None) == [("url_unknown", Who.OPERATOR)]
    assert found(session=Session(SessionState.LOCKED)) == [("locked_out", Who.OPERATOR)]
    assert found(session=Session(SessionState.AWAY)) == [("away", Who.NOBODY)]
    suspended: Any = _Connection()
    suspended.state = ConnectionState.SUSPENDED
    assert found(connection=suspended) == [("suspended", Who.CLINIC)]
    old = state.Standing("sbx", "F", "F_1", "a clinic", NOW, NOW - timedelta(days=2), ())
    assert found(facility=old) == [("not_looked_at", Who.OPERATOR)]
