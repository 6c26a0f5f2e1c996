"""The Merkle tree agrees with RFC 6962, with the published corpora, and with two other implementations."""

import base64
import hashlib
import json
import os
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gateway.ledger.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    Edge,
    Needed,
    Plan,
    ProofError,
    consistency_plan,
    edge_plan,
    inclusion_plan,
    leaf_hash,
    needed,
    node_hash,
    range_plan,
    range_root,
    root_of,
    verify_consistency,
    verify_inclusion,
    verify_range,
)

PROJECT = Path(__file__).parents[3]
SPECS = Path(os.environ.get("GATEWAY_SPECS") or PROJECT.parent / "shared" / "specs") / "merkle"
VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text())
VECTOR_LEAVES = [leaf_hash(entry.encode()) for entry in VECTORS["entries"]]
VECTOR_ROOTS = [bytes.fromhex(root) for root in VECTORS["roots"]]

# The classic tree of transparency-dev/merkle (testonly/constants.go): eight entries, and the root at each size.
CLASSIC = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
CLASSIC_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


# --- An independent, slow tree, straight from the RFC's recursive definitions ---------------------


def naive_root(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    half = naive_split(len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:half]) + naive_root(leaves[half:])).digest()


def naive_split(count: int) -> int:
    half = 1
    while half * 2 < count:
        half *= 2
    return half


def naive_inclusion(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    half = naive_split(len(leaves))
    if index < half:
        return [*naive_inclusion(index, leaves[:half]), naive_root(leaves[half:])]
    return [*naive_inclusion(index - half, leaves[half:]), naive_root(leaves[:half])]


def naive_consistency(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [naive_root(leaves)]
    half = naive_split(len(leaves))
    if old <= half:
        return [*naive_consistency(old, leaves[:half], whole), naive_root(leaves[half:])]
    return [*naive_consistency(old - half, leaves[half:], False), naive_root(leaves[:half])]


# --- A store as the database is one: leaf hashes, and the nodes of every eighth level -------------


class Stored:
    """Answers `Needed` and nothing else."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves
        self.hashes = {(0, index): leaf for index, leaf in enumerate(leaves)}
        self.hashes |= {(level, index): node for level, index, node in Edge().extend(leaves)}

    def fetch(self, wanted: Needed) -> dict[tuple[int, int], bytes]:
        rows = [(0, first, count) for first, count in wanted.leaves] + list(wanted.nodes)
        keys = [(level, at) for level, first, count in rows for at in range(first, first + count)]
        return {key: self.hashes[key] for key in keys}

    def build(self, plan: Plan) -> list[bytes]:
        return plan.build(self.fetch(plan.needed()))

    def root(self, size: int) -> bytes:
        return Edge(size, self.build(edge_plan(size))).root()


@pytest.fixture(scope="module")
def stored() -> Stored:
    rng = random.Random(6962)
    return Stored([rng.randbytes(32) for _ in range(70_000)])


def prove_everything(stored: Stored, *, size: int, index: int, old: int, count: int) -> None:
    """Make each kind of proof from stored rows alone and have it verified."""
    leaves, root = stored.leaves, stored.root(size)
    proof = stored.build(inclusion_plan(index, size))
    verify_inclusion(index=index, size=size, leaf=leaves[index], proof=proof, root=root)
    proof = stored.build(consistency_plan(old, size))
    verify_consistency(old_size=old, new_size=size, old_root=stored.root(old), new_root=root, proof=proof)
    proof = stored.build(range_plan(index, count, size))
    verify_range(first=index, leaves=leaves[index : index + count], size=size, proof=proof, root=root)


# --- Published vectors ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(9))
def test_the_classic_tree_has_its_published_roots(size: int) -> None:
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry in CLASSIC[:size]]
    assert root_of(leaves).hex() == CLASSIC_ROOTS[size]


def corpus(kind: str) -> list[Any]:
    """The cases as parameters, or one that is skipped and says why."""
    reason = f"the corpus of transparency-dev/merkle is not at {SPECS}"
    missing = [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="missing")]
    paths = sorted((SPECS / kind).rglob("*.json"))
    return [pytest.param(path, id=str(path.relative_to(SPECS))) for path in paths] or missing


def agrees(case: dict[str, Any], verify: Callable[[], None]) -> None:
    if not case["wantErr"]:
        return verify()
    with pytest.raises(ProofError):
        verify()


def raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


@pytest.mark.parametrize("path", corpus("inclusion"))
def test_inclusion_agrees_with_the_corpus(path: Path) -> None:
    case = json.loads(path.read_text())
    proof = [raw(known) for known in case["proof"] or []]
    place = {"index": case["leafIdx"], "size": case["treeSize"]}
    agrees(case, lambda: verify_inclusion(**place, leaf=raw(case["leafHash"]), proof=proof, root=raw(case["root"])))


@pytest.mark.parametrize("path", corpus("consistency"))
def test_consistency_agrees_with_the_corpus(path: Path) -> None:
    case = json.loads(path.read_text())
    proof = [raw(known) for known in case["proof"] or []]
    sizes: dict[str, Any] = {"old_size": case["size1"], "new_size": case["size2"]}
    roots: dict[str, Any] = {"old_root": raw(case["root1"]), "new_root": raw(case["root2"])}
    agrees(case, lambda: verify_consistency(**sizes, **roots, proof=proof))


# --- Our own vectors: what is on disk today has to verify in ten years ----------------------------


def test_our_own_vectors_hold_for_roots() -> None:
    assert [root_of(VECTOR_LEAVES[:size]) for size in range(12)] == VECTOR_ROOTS


@pytest.mark.parametrize("case", VECTORS["inclusion"], ids=lambda case: f"{case['index']} of {case['size']}")
def test_our_own_vectors_hold_for_inclusion(case: dict[str, Any]) -> None:
    index, size, proof = case["index"], case["size"], [bytes.fromhex(known) for known in case["proof"]]
    assert Stored(VECTOR_LEAVES).build(inclusion_plan(index, size)) == proof
    verify_inclusion(index=index, size=size, leaf=VECTOR_LEAVES[index], proof=proof, root=VECTOR_ROOTS[size])


@pytest.mark.parametrize("case", VECTORS["consistency"], ids=lambda case: f"{case['old']} to {case['new']}")
def test_our_own_vectors_hold_for_consistency(case: dict[str, Any]) -> None:
    old, new, proof = case["old"], case["new"], [bytes.fromhex(known) for known in case["proof"]]
    assert Stored(VECTOR_LEAVES).build(consistency_plan(old, new)) == proof
    roots = {"old_root": VECTOR_ROOTS[old], "new_root": VECTOR_ROOTS[new]}
    verify_consistency(old_size=old, new_size=new, **roots, proof=proof)


@pytest.mark.parametrize(
    "case", VECTORS["ranges"], ids=lambda case: f"{case['first']}+{case['count']} of {case['size']}"
)
def test_our_own_vectors_hold_for_ranges(case: dict[str, Any]) -> None:
    first, count, size = case["first"], case["count"], case["size"]
    proof = [bytes.fromhex(known) for known in case["proof"]]
    assert Stored(VECTOR_LEAVES).build(range_plan(first, count, size)) == proof
    leaves = VECTOR_LEAVES[first : first + count]
    verify_range(first=first, leaves=leaves, size=size, proof=proof, root=VECTOR_ROOTS[size])


# --- Against other implementations, and at size ---------------------------------------------------


def test_every_size_to_600_agrees_with_the_naive_recursion(stored: Stored) -> None:
    rng = random.Random(1)
    edge = Edge()
    for size in range(1, 601):
        edge.append(stored.leaves[size - 1])
        leaves = stored.leaves[:size]
        root = naive_root(leaves)
        assert edge.root() == stored.root(size) == root
        index, old = rng.randrange(size), rng.randint(1, size)
        assert stored.build(inclusion_plan(index, size)) == naive_inclusion(index, leaves)
        assert stored.build(consistency_plan(old, size)) == naive_consistency(old, leaves)
        for place in {0, size - 1, index}:
            prove_everything(stored, size=size, index=place, old=old, count=rng.randint(1, size - place))


def test_every_proof_of_every_tree_to_40_verifies(stored: Stored) -> None:
    roots = [stored.root(size) for size in range(41)]
    for size in range(1, 41):
        for index in range(size):
            proof = stored.build(inclusion_plan(index, size))
            verify_inclusion(index=index, size=size, leaf=stored.leaves[index], proof=proof, root=roots[size])
            proof = stored.build(consistency_plan(index + 1, size))
            old: dict[str, Any] = {"old_size": index + 1, "old_root": roots[index + 1]}
            verify_consistency(**old, new_size=size, new_root=roots[size], proof=proof)
            for stop in range(index + 1, size + 1):
                proof = stored.build(range_plan(index, stop - index, size))
                run = stored.leaves[index:stop]
                verify_range(first=index, leaves=run, size=size, proof=proof, root=roots[size])


def test_random_sizes_to_70000_prove_from_a_few_hundred_rows(stored: Stored) -> None:
    rng = random.Random(2)
    for _ in range(300):
        size = rng.randint(600, 70_000)
        index = rng.randrange(size)
        old, count = rng.randint(1, size), rng.randint(1, min(2000, size - index))
        prove_everything(stored, size=size, index=index, old=old, count=count)
        for plan, paths in [
            (inclusion_plan(index, size), 2),
            (consistency_plan(old, size), 2),
            (range_plan(index, count, size), 3),
            (edge_plan(size), 1),
        ]:
            wanted = plan.needed()
            assert sum(rows for _, rows in wanted.leaves) < paths * 256
            for level in {level for level, _, _ in wanted.nodes}:
                assert level % 8 == 0
                assert sum(rows for at, _, rows in wanted.nodes if at == level) < paths * 256


def test_pymerkle_gives_the_same_roots_and_paths() -> None:
    pymerkle = pytest.importorskip("pymerkle")
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    entries = [b"entry %d" % index for index in range(600)]
    for entry in entries:
        oracle.append_entry(entry)
    ours = Stored([leaf_hash(entry) for entry in entries])
    rng = random.Random(3)
    for size in range(1, 601):
        assert ours.root(size) == oracle.get_root(size)
        index, old = rng.randrange(size), rng.randint(1, size)
        path = oracle.prove_inclusion(index + 1, size).path  # counts from 1, and begins with the leaf itself
        assert list(path[1:]) == ours.build(inclusion_plan(index, size))
        proof = ours.build(consistency_plan(old, size))  # pymerkle writes these in a form of its own
        roots = {"old_root": oracle.get_root(old), "new_root": oracle.get_root(size)}
        verify_consistency(old_size=old, new_size=size, proof=proof, **roots)


# --- The edge -------------------------------------------------------------------------------------


def test_the_edge_reports_each_complete_node_of_every_eighth_level_once() -> None:
    leaves = [leaf_hash(b"%d" % index) for index in range(65_536 + 300)]
    nodes = Edge().extend(leaves)
    assert [(level, index) for level, index, _ in nodes] == [
        *((8, index) for index in range(256)),
        (16, 0),
        (8, 256),
    ]
    assert nodes[0][2] == naive_root(leaves[:256])
    assert dict.fromkeys([node for level, _, node in nodes if level == 16]) == {naive_root(leaves[:65_536]): None}


def test_an_edge_goes_on_where_a_stored_one_ended() -> None:
    whole, leaves = Edge(), VECTOR_LEAVES
    for size, leaf in enumerate(leaves):
        again = Edge(size, whole.hashes)
        whole.append(leaf)
        again.append(leaf)
        assert again.hashes == whole.hashes
        assert again.root() == VECTOR_ROOTS[size + 1]


def test_a_copied_edge_grows_alone() -> None:
    edge = Edge()
    edge.extend(VECTOR_LEAVES[:5])
    before = edge.hashes
    edge.copy().append(VECTOR_LEAVES[5])
    assert (edge.size, edge.hashes) == (5, before)


@pytest.mark.parametrize(("size", "hashes"), [(1, []), (0, [bytes(32)]), (3, [bytes(32)]), (1, [bytes(31)]), (-1, [])])
def test_an_edge_that_cannot_be_is_refused(size: int, hashes: list[bytes]) -> None:
    with pytest.raises(ProofError):
        Edge(size, hashes)


def test_a_leaf_hash_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ProofError):
        Edge().append(bytes(31))


# --- What must not verify -------------------------------------------------------------------------


def test_no_flipped_bit_and_no_moved_leaf_verifies(stored: Stored) -> None:
    size, index = 37, 11
    proof, root = stored.build(inclusion_plan(index, size)), stored.root(size)
    good: dict[str, Any] = {"index": index, "size": size, "leaf": stored.leaves[index], "proof": proof, "root": root}
    for place in range(len(proof)):
        for changed in (flipped(proof[place]), proof[place][:31], b""):
            with pytest.raises(ProofError):
                verify_inclusion(**{**good, "proof": [*proof[:place], changed, *proof[place + 1 :]]})
    changes: list[dict[str, Any]] = [
        *({"index": other} for other in (-1, 0, 10, 12, 36, 37, 2**70)),
        *({"size": other} for other in (0, -1, 11, 65, 2**70)),
        {"leaf": flipped(stored.leaves[index])},
        {"leaf": b""},
        {"root": flipped(root)},
        {"proof": proof[:-1]},
        {"proof": [*proof, bytes(32)]},
        {"proof": proof[::-1]},
        {"proof": []},
    ]
    for change in changes:
        with pytest.raises(ProofError):
            verify_inclusion(**{**good, **change})


def test_a_node_never_passes_for_a_leaf() -> None:
    left, right = VECTOR_LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)
    with pytest.raises(ProofError):  # the root of two leaves is not the only leaf of a tree of one
        verify_inclusion(index=0, size=1, leaf=leaf_hash(left + right), proof=[], root=VECTOR_ROOTS[2])


def test_no_false_consistency_verifies(stored: Stored) -> None:
    for old, new in [(6, 11), (8, 11), (1, 2), (64, 100)]:
        roots = {"old_root": stored.root(old), "new_root": stored.root(new)}
        proof = stored.build(consistency_plan(old, new))
        good: dict[str, Any] = {"old_size": old, "new_size": new, **roots, "proof": proof}
        verify_consistency(**good)
        changes: list[dict[str, Any]] = [
            {"old_root": flipped(roots["old_root"])},
            {"new_root": flipped(roots["new_root"])},
            {"old_root": roots["new_root"], "new_root": roots["old_root"]},
            {"old_size": old + 1},
            {"old_size": 0},
            {"new_size": old - 1},
            {"new_size": new * 2},
            {"proof": proof[:-1]},
            {"proof": [*proof, bytes(32)]},
            {"proof": [flipped(proof[0]), *proof[1:]]},
            {"proof": []},
            {"proof": [b"", *proof]},
        ]
        for change in changes:
            with pytest.raises(ProofError):
                verify_consistency(**{**good, **change})


def test_a_proof_longer_than_its_sizes_allow_is_refused_even_if_the_roots_are_made_to_fit(stored: Stored) -> None:
    proof, more = stored.build(consistency_plan(3, 4)), bytes(32)
    roots = {"old_root": node_hash(more, stored.root(3)), "new_root": node_hash(more, stored.root(4))}
    with pytest.raises(ProofError, match="too long"):
        verify_consistency(old_size=3, new_size=4, **roots, proof=[*proof, more])


def test_the_strict_entry_refuses_an_old_size_of_zero_even_with_equal_roots() -> None:
    with pytest.raises(ProofError):
        verify_consistency(old_size=0, new_size=0, old_root=EMPTY_ROOT, new_root=EMPTY_ROOT, proof=[])
    with pytest.raises(ProofError):
        verify_consistency(old_size=0, new_size=3, old_root=EMPTY_ROOT, new_root=VECTOR_ROOTS[3], proof=[])


def test_one_size_has_one_root() -> None:
    root = VECTOR_ROOTS[5]
    same: dict[str, Any] = {"old_size": 5, "new_size": 5, "old_root": root, "new_root": root, "proof": []}
    verify_consistency(**same)
    for changed in ({"proof": [root]}, {"new_root": flipped(root)}):
        with pytest.raises(ProofError):
            verify_consistency(**{**same, **changed})


def test_no_false_range_verifies(stored: Stored) -> None:
    first, count, size = 5, 9, 37
    run, root = stored.leaves[first : first + count], stored.root(size)
    proof = stored.build(range_plan(first, count, size))
    good: dict[str, Any] = {"first": first, "leaves": run, "size": size, "proof": proof, "root": root}
    verify_range(**good)
    changes: list[dict[str, Any]] = [
        {"first": 4},
        {"first": -1},
        {"first": 36},
        {"size": 32},
        {"size": 70},
        {"size": 0},
        {"leaves": run[:-1]},
        {"leaves": []},
        {"leaves": [*run, stored.leaves[first + count]]},
        {"leaves": [run[1], run[0], *run[2:]]},
        {"proof": proof[:-1]},
        {"proof": [*proof, bytes(32)]},
        {"proof": [b"", *proof[1:]]},
        {"proof": [flipped(proof[0]), *proof[1:]]},
        {"root": flipped(root)},
    ]
    for change in changes:
        with pytest.raises(ProofError):
            verify_range(**{**good, **change})


def test_a_run_shorter_or_longer_than_announced_is_refused(stored: Stored) -> None:
    proof = stored.build(range_plan(5, 9, 37))
    for count in (8, 10):
        with pytest.raises(ProofError):
            range_root(iter(stored.leaves[5 : 5 + count]), first=5, count=9, size=37, proof=proof)


@pytest.mark.parametrize(
    "plan",
    [
        lambda: inclusion_plan(3, 3),
        lambda: inclusion_plan(-1, 3),
        lambda: inclusion_plan(0, 0),
        lambda: consistency_plan(0, 3),
        lambda: consistency_plan(4, 3),
        lambda: range_plan(0, 0, 3),
        lambda: range_plan(2, 2, 3),
        lambda: range_plan(0, 1, MAX_SIZE + 1),
        lambda: edge_plan(-1),
    ],
)
def test_a_plan_for_what_no_tree_holds_is_refused(plan: Callable[[], Plan]) -> None:
    with pytest.raises(ProofError):
        plan()


def test_building_without_a_needed_row_names_the_row(stored: Stored) -> None:
    plan = inclusion_plan(3, 600)
    fetched = stored.fetch(plan.needed())
    del fetched[8, 1]
    with pytest.raises(ProofError, match="node 1 of level 8"):
        plan.build(fetched)


def test_several_plans_name_each_row_once() -> None:
    plans = [inclusion_plan(index, 1000) for index in (3, 4, 5, 700)]
    wanted = needed(plans)
    assert wanted == needed([*plans, *reversed(plans)])
    spans = [range(first, first + count) for first, count in wanted.leaves]
    assert len(set().union(*spans)) == sum(map(len, spans))
    assert all(before.stop < after.start for before, after in pairwise(spans))


def flipped(known: bytes) -> bytes:
    return bytes([known[0] ^ 1, *known[1:]])
