"""The lattice of a vendor's scopes: an order by declared edges, the least set, and drift."""

from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopes.provider import Content, Drift, Extent, Lattice, LatticeError, ProviderScope, Reach

_NAMES = "abcdef"


@st.composite
def _lattices(draw: st.DrawFn) -> tuple[Lattice, set[tuple[str, str]]]:
    """A lattice over a few names; edges lead down the alphabet, so that there is no cycle."""
    possible = list(combinations(draw(st.permutations(_NAMES)), 2))
    edges = draw(st.sets(st.sampled_from(possible), max_size=8))
    return Lattice(map(ProviderScope, _NAMES), edges), edges


def _reachable(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Every pair (wider, narrower), by Warshall's algorithm."""
    pairs = edges | {(name, name) for name in _NAMES}
    for middle, left, right in product(_NAMES, repeat=3):
        if (left, middle) in pairs and (middle, right) in pairs:
            pairs.add((left, right))
    return pairs


_name = st.sampled_from(_NAMES)
_held = st.frozensets(_name)


@given(_lattices())
def test_inclusion_is_what_the_declared_edges_reach(case: tuple[Lattice, set[tuple[str, str]]]) -> None:
    lattice, edges = case
    found = {pair for pair in product(_NAMES, repeat=2) if lattice.includes({pair[0]}, pair[1])}
    assert found == _reachable(edges)


@given(_lattices(), _name, _name, _name)
def test_inclusion_is_reflexive_transitive_and_antisymmetric(
    case: tuple[Lattice, object], a: str, b: str, c: str
) -> None:
    lattice = case[0]

    def over(wider: str, narrower: str) -> bool:
        return lattice.includes([wider], narrower)

    assert over(a, a)
    assert not (over(a, b) and over(b, c)) or over(a, c)
    assert not (over(a, b) and over(b, a)) or a == b


@given(_lattices(), _held, _held, _name)
def test_holding_less_never_includes_more(
    case: tuple[Lattice, object], some: frozenset[str], others: frozenset[str], needed: str
) -> None:
    lattice = case[0]
    assert not lattice.includes(some, needed) or lattice.includes(some | others, needed)
    assert not lattice.includes([], needed)


def test_a_name_alone_includes_nothing() -> None:
    lattice = Lattice(map(ProviderScope, ["Presence.Read", "Presence.ReadWrite", "Presence.ReadWrite.All"]))
    assert not lattice.includes(["Presence.ReadWrite", "Presence.ReadWrite.All"], "Presence.Read")
    assert not lattice.includes(["Presence.Read"], "Presence.ReadWrite")
    assert not lattice.includes(["Presence.ReadWrite"], "Presence.ReadWrite.All")


def test_a_scope_of_the_application_is_another_than_the_delegated_one() -> None:
    delegated, application = ProviderScope("Schedule.Read.All"), ProviderScope("Schedule.Read.All", "application")
    lattice = Lattice([delegated, application])
    assert not lattice.includes([delegated.key], application.key)
    assert not lattice.includes([application.key], delegated.key)
    for scope in (delegated, application, ProviderScope("https://www.googleapis.com/auth/calendar")):
        assert ProviderScope.parse(scope.key) == scope
    assert ProviderScope.parse("rak_payment_intents_write", scheme="key").scheme == "key"


@pytest.mark.parametrize("edges", [[("a", "a")], [("a", "b"), ("b", "a")], [("a", "b"), ("b", "c"), ("c", "a")]])
def test_a_cycle_is_no_order(edges: list[tuple[str, str]]) -> None:
    with pytest.raises(LatticeError, match="includes itself"):
        Lattice(map(ProviderScope, "abc"), edges)


def test_an_undeclared_or_twice_declared_scope_is_refused() -> None:
    with pytest.raises(LatticeError, match="not declared: b"):
        Lattice([ProviderScope("a")], [("a", "b")])
    with pytest.raises(LatticeError, match="twice"):
        Lattice([ProviderScope("a"), ProviderScope("a", "key")])


def _smallest_by_force(
    lattice: Lattice, needed: list[frozenset[str]], offered: frozenset[str]
) -> frozenset[str] | None:
    """The best of all subsets, tried one by one."""
    subsets = [frozenset(some) for size in range(len(offered) + 1) for some in combinations(sorted(offered), size)]
    enough = [some for some in subsets if all(any(lattice.includes(some, one) for one in need) for need in needed)]
    return min(enough, key=lambda some: (len(lattice.power(some)), len(some), sorted(some)), default=None)


@settings(max_examples=300)
@given(_lattices(), st.lists(st.frozensets(_name, min_size=1, max_size=3), max_size=5), _held)
def test_the_least_set_is_the_best_of_all_subsets(
    case: tuple[Lattice, object], needed: list[frozenset[str]], offered: frozenset[str]
) -> None:
    lattice = case[0]
    best = _smallest_by_force(lattice, needed, offered)
    if best is None:
        with pytest.raises(LatticeError, match="no available scope"):
            lattice.least(needed, offered)
    else:
        assert lattice.least(needed, offered) == lattice.least(reversed(needed), sorted(offered)) == best


def test_two_narrow_scopes_are_less_than_one_broad_one() -> None:
    lattice = Lattice(
        map(ProviderScope, ["calendar", "events", "freebusy"]), [("calendar", "events"), ("calendar", "freebusy")]
    )
    assert lattice.least([{"events", "calendar"}, {"freebusy"}]) == {"events", "freebusy"}
    assert lattice.least([{"events"}, {"calendar"}]) == {"calendar"}
    assert lattice.least([]) == frozenset()


def test_a_need_without_alternatives_is_never_met() -> None:
    with pytest.raises(LatticeError, match="nothing named"):
        Lattice([ProviderScope("a")]).least([frozenset()])


@given(_lattices(), st.frozensets(st.sampled_from(_NAMES + "x")), st.frozensets(st.sampled_from(_NAMES + "y")))
def test_drift_is_symmetrical(case: tuple[Lattice, object], asked: frozenset[str], granted: frozenset[str]) -> None:
    lattice = case[0]
    there, back = lattice.drift(asked, granted), lattice.drift(granted, asked)
    assert (there.missing, there.excess) == (back.excess, back.missing)
    assert not lattice.drift(asked, asked)
    assert there.missing <= asked
    assert there.excess <= granted
    assert bool(there) == (lattice.power(asked) != lattice.power(granted))


def test_a_wider_grant_than_asked_is_excess_and_a_narrower_one_is_missing() -> None:
    lattice = Lattice(map(ProviderScope, ["write", "read"]), [("write", "read")])
    assert lattice.drift(["read"], ["write"]) == Drift(frozenset(), frozenset({"write"}))
    assert lattice.drift(["write"], ["read"]) == Drift(frozenset({"write"}), frozenset())
    assert not lattice.drift(["write"], ["write", "read"])


def test_edges_that_the_vendors_documents_contradict_are_named() -> None:
    lattice = Lattice(map(ProviderScope, "abcd"), [("a", "b"), ("a", "c"), ("a", "d")])
    reach = {
        "a": Reach(frozenset({"get", "list"}), Extent.OWNED, Content.METADATA),
        "b": Reach(frozenset({"get"}), Extent.OWNED, Content.EXISTENCE),
        "c": Reach(frozenset({"get", "put"}), Extent.ALL, Content.FULL),
    }
    assert [(fault.wider, fault.narrower, fault.why) for fault in lattice.check_edges(reach)] == [
        ("a", "c", "does not reach put"),
        ("a", "c", "reaches fewer resources: owned, not all"),
        ("a", "c", "shows less of them: metadata, not full"),
    ]
