"""A scope opens what it says and nothing beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopes.scope import Area, Scope, ScopeError, Verb, includes, touches

_scopes = st.builds(
    Scope,
    st.sampled_from([Area.CALLS, Area.KEYS]),
    st.sampled_from(Verb),
    st.lists(st.sampled_from(["payments", "stripe", "refund", "refund_all"]), max_size=3).map(tuple),
)


@given(_scopes)
def test_a_scope_is_read_as_it_is_written(scope: Scope) -> None:
    assert Scope.parse(str(scope)) == scope


@given(_scopes)
def test_a_scope_covers_itself(scope: Scope) -> None:
    assert scope.covers(scope)


@given(_scopes, _scopes, _scopes)
def test_covering_passes_on(one: Scope, other: Scope, third: Scope) -> None:
    assert not (one.covers(other) and other.covers(third)) or one.covers(third)


@given(_scopes, _scopes)
def test_two_scopes_that_cover_each_other_are_one(one: Scope, other: Scope) -> None:
    assert not (one.covers(other) and other.covers(one)) or one == other


@given(st.sets(_scopes), st.sets(_scopes), _scopes)
def test_holding_less_never_opens_more(some: set[Scope], others: set[Scope], needed: Scope) -> None:
    assert not includes(some, needed) or includes(some | others, needed)


@pytest.mark.parametrize(
    ("held", "needed", "opens"),
    [
        ("calls:write", "calls:write:payments/stripe/refund", True),
        ("calls:write:payments", "calls:write:payments/stripe/refund", True),
        ("calls:write:payments/stripe", "calls:write:payments/stripe/refund", True),
        ("calls:write:payments/stripe/refund", "calls:write:payments/stripe/refund", True),
        ("calls:write:payments/stripe/refund", "calls:write:payments/stripe", False),
        ("calls:write:payments/stri", "calls:write:payments/stripe", False),
        ("calls:write:stripe", "calls:write:payments/stripe", False),
        ("calls:write", "calls:read", False),
        ("calls:read", "calls:write", False),
        ("keys:write", "calls:write", False),
    ],
)
def test_what_opens_what(held: str, needed: str, opens: bool) -> None:
    assert includes([Scope.parse(held)], Scope.parse(needed)) is opens


def test_holding_nothing_opens_nothing() -> None:
    assert not includes([], Scope(Area.CALLS, Verb.READ))
    assert not touches([], Scope(Area.CALLS, Verb.READ))


@given(st.lists(_scopes, max_size=3), _scopes)
def test_who_is_let_in_anywhere_behind_a_door_touches_it(held: list[Scope], needed: Scope) -> None:
    door = Scope(needed.area, needed.verb)
    assert touches(held, door) or not includes(held, needed)
    assert touches(held, door) == any(door.covers(scope) for scope in held)


@pytest.mark.parametrize(
    "text",
    [
        "", "calls", "calls:", ":write", "calls:write:", "calls:write:/", "calls:write:payments/", "calls:write:/payments",
        "calls:write:payments//refund", "calls:write:a:b", "Calls:write", "calls:WRITE", "calls:admin", "patients:read",
        " calls:write", "calls:write ", "calls:write\n", "calls:write:payments/*", "*:*", "*", "calls:*", "calls:write:..",
        "calls:write:payments\n", "calls:write:Payments", "calls:write:p\u0430y", "calls:write:" + "/".join("abcdefghi"),
        "calls:write:" + "a" * 65,
    ],
)  # fmt: skip
def test_a_text_that_is_no_scope_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ScopeError) as refused:
        Scope.parse(text)
    assert len(text) < 9 or text not in str(refused.value)


@given(st.text())
def test_whatever_is_read_is_written_the_same(text: str) -> None:
    try:
        scope = Scope.parse(text)
    except ScopeError:
        return
    assert str(scope) == text
