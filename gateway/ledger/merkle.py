"""RFC 6962 Merkle trees: hash, append, plan proofs, verify them. Holds no tree and does no I/O.

What is stored elsewhere: every leaf hash (level 0) and the nodes of levels 8, 16, 24, ... that `Edge.append` reports;
node (level, index) covers leaves [index << level, (index + 1) << level). A proof is made in three steps, so that the
caller may be asynchronous and speak SQL:

    plan = inclusion_plan(index, size)        # which subtrees the proof consists of
    wanted = plan.needed()                    # which stored rows those are made of
        wanted.leaves  ((first, count), ...)           rows of leaf hashes with first <= index < first + count
        wanted.nodes   ((level, first, count), ...)    rows of stored nodes of that level, likewise
    proof = plan.build(hashes)                # hashes: {(level, index): hash}, level 0 = leaves; a list of hashes

A plan touches few rows: under 256 of each stored level on the path, and under 256 more of each at the tree's right edge
(a range plan has two paths, along its either end). `needed(plans)` merges what several proofs ask for.

Size and root belong together by the checkpoint that signs both; a proof alone may fit another size with the same shape.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

HASH_BYTES = 32
MAX_SIZE = 2**62
EMPTY_ROOT = hashlib.sha256(b"").digest()
STORED_EVERY = 8  # Levels 8, 16, ...: the tile height of C2SP tlog-tiles, so that tiles are served from the same rows.

Node: TypeAlias = tuple[int, int, bytes]
"""A complete subtree: its level, its index among those of the level, its hash."""

_sha256 = hashlib.sha256


class ProofError(ValueError):
    """A proof that does not prove what it claims, or a question that no tree can answer."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry's stored bytes. RFC 6962 2.1: the 0x00 keeps a leaf from ever passing for a node."""
    return _sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees (RFC 6962 2.1)."""
    return _sha256(b"\x01" + left + right).digest()


class Edge:
    """The right edge of a growing tree, the roots of its complete subtrees: enough to append and to sign."""

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self._hashes = list(hashes)
        if not 0 <= size <= MAX_SIZE or len(self._hashes) != size.bit_count():
            raise ProofError(f"an edge of size {size} does not consist of {len(self._hashes)} hashes")
        if any(len(known) != HASH_BYTES for known in self._hashes):
            raise ProofError("a hash of an edge is not 32 bytes long")

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The roots of the complete subtrees, largest first: what to store, and hand to `Edge(size, hashes)` later."""
        return tuple(self._hashes)

    def copy(self) -> "Edge":
        """An edge that grows on its own; for a transaction that may yet be rolled back."""
        return Edge(self.size, self._hashes)

    def append(self, leaf: bytes) -> Sequence[Node]:
        """Add one leaf hash; returns the nodes of levels 8, 16, ... that it completed, lowest first."""
        if len(leaf) != HASH_BYTES:
            raise ProofError("a leaf hash is not 32 bytes long")
        hashes = self._hashes
        index = self.size
        self.size = index + 1
        if not index & 1:
            hashes.append(leaf)
            return ()
        level = 0
        completed: Sequence[Node] = ()
        while index & 1:
            leaf = _sha256(b"\x01" + hashes.pop() + leaf).digest()
            index >>= 1
            level += 1
            if not level % STORED_EVERY:
                completed = (*completed, (level, index, leaf))
        hashes.append(leaf)
        return completed

    def extend(self, leaves: Iterable[bytes]) -> list[Node]:
        """Add leaf hashes in order; returns the completed nodes of levels 8, 16, ... in the order of completion."""
        append = self.append
        return [node for leaf in leaves for node in append(leaf)]

    def root(self) -> bytes:
        """The root of the tree as it stands (RFC 6962 MTH)."""
        return _fold(self._hashes) if self._hashes else EMPTY_ROOT


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes, in one pass and constant memory."""
    edge = Edge()
    for leaf in leaves:
        edge.append(leaf)
    return edge.root()


# --- Proofs: plan, fetch, build ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Needed:
    """The stored rows that a proof is made of: ranges of leaves, and of nodes per level. Sorted, merged, disjoint."""

    leaves: tuple[tuple[int, int], ...]
    nodes: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The subtrees [start, end) whose hashes are a proof, in the proof's order."""

    subtrees: tuple[tuple[int, int], ...]

    def needed(self) -> Needed:
        """The stored rows to fetch before `build`."""
        return needed([self])

    def build(self, hashes: Mapping[tuple[int, int], bytes]) -> list[bytes]:
        """The proof, from the fetched rows as {(level, index): hash}; level 0 holds the leaf hashes."""
        try:
            return [_fold([_piece(hashes, *piece) for piece in _pieces(*subtree)]) for subtree in self.subtrees]
        except KeyError as missing:
            level, index = missing.args[0]
            raise ProofError(f"the stored node {index} of level {level} is missing") from None


def needed(plans: Iterable[Plan]) -> Needed:
    """The stored rows that several plans need together, each named once."""
    wanted: dict[int, set[tuple[int, int]]] = {}
    for plan in plans:
        for subtree in plan.subtrees:
            for level, index in _pieces(*subtree):
                above = level % STORED_EVERY
                wanted.setdefault(level - above, set()).add((index << above, (index + 1) << above))
    nodes = [(level, *span) for level in sorted(wanted) if level for span in _merged(wanted[level])]
    return Needed(leaves=tuple(_merged(wanted.get(0, set()))), nodes=tuple(nodes))


def inclusion_plan(index: int, size: int) -> Plan:
    """Prove that leaf `index` is in the tree of `size` leaves (RFC 6962 2.1.1); verified by `verify_inclusion`."""
    _check_span(index, 1, size)
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return Plan(tuple(reversed(path)))


def consistency_plan(old_size: int, new_size: int) -> Plan:
    """Prove that the new tree begins with the whole old one (RFC 6962 2.1.2); verified by `verify_consistency`."""
    _check_span(0, old_size, new_size)
    path = []
    start, end = 0, new_size
    while end != old_size:
        middle = _split(start, end)
        if old_size <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    if start:  # The verifier knows the old root already when the old tree is itself a subtree of the new one.
        path.append((start, end))
    return Plan(tuple(reversed(path)))


def range_plan(first: int, count: int, size: int) -> Plan:
    """Prove that a run of leaves lies in the tree: what is beside it, from left to right; see `verify_range`."""
    _check_span(first, count, size)
    return Plan(tuple(part for part, inside in _around(first, first + count, size) if not inside))


def edge_plan(size: int) -> Plan:
    """The edge of the tree of `size` leaves, also of a past one: `Edge(size, plan.build(hashes)).root()`."""
    if not 0 <= size <= MAX_SIZE:
        raise ProofError(f"there is no tree of size {size}")
    return Plan(tuple((index << level, (index + 1) << level) for level, index in _pieces(0, size)))


# --- Verifying --------------------------------------------------------------------------------------------------------


def verify_inclusion(*, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Return if the leaf hash stands at `index` in the tree of `size` with this root; else raise ProofError."""
    _check_span(index, 1, size)
    _check_hashes(leaf, root, *proof)
    # RFC 9162 2.1.3.2. `inner` steps have a sibling on either side; beyond them only the bits set in `index` have one.
    inner = (index ^ (size - 1)).bit_length()
    if len(proof) != inner + (index >> inner).bit_count():
        raise ProofError(f"an inclusion proof for leaf {index} of {size} does not have {len(proof)} hashes")
    found = leaf
    for step, sibling in enumerate(proof):
        on_the_left = step >= inner or index >> step & 1
        found = node_hash(sibling, found) if on_the_left else node_hash(found, sibling)
    if found != root:
        raise ProofError(f"the inclusion proof of leaf {index} does not lead to the root of size {size}")


def verify_consistency(
    *, old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Return if the new tree begins with the whole old one; else raise ProofError. An old size of 0 is refused."""
    _check_span(0, old_size, new_size)
    _check_hashes(old_root, new_root, *proof)
    if old_size == new_size:
        if proof or old_root != new_root:
            raise ProofError(f"two trees of size {old_size} are the same only by the same root and an empty proof")
        return
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    if not path:
        raise ProofError("the consistency proof is empty")
    old_last, new_last = old_size - 1, new_size - 1
    shift = (old_size & -old_size).bit_length() - 1  # The level of the last complete subtree that both trees share.
    old_last, new_last = old_last >> shift, new_last >> shift
    found_old = found_new = path[0]
    for sibling in path[1:]:  # RFC 9162 2.1.4.2
        if not new_last:
            raise ProofError("the consistency proof is too long")
        if old_last & 1 or old_last == new_last:
            found_old, found_new = node_hash(sibling, found_old), node_hash(sibling, found_new)
            while old_last and not old_last & 1:
                old_last, new_last = old_last >> 1, new_last >> 1
        else:
            found_new = node_hash(found_new, sibling)
        old_last, new_last = old_last >> 1, new_last >> 1
    if new_last:
        raise ProofError("the consistency proof is too short")
    if found_old != old_root or found_new != new_root:
        raise ProofError(f"the consistency proof does not lead from the root of size {old_size} to that of {new_size}")


def verify_range(*, first: int, leaves: Sequence[bytes], size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Return if the leaf hashes stand together from `first` on in the tree with this root; else raise ProofError."""
    _check_hashes(root)
    if range_root(leaves, first=first, count=len(leaves), size=size, proof=proof) != root:
        last = first + len(leaves) - 1
        raise ProofError(f"the proof of leaves {first} to {last} does not lead to the root of size {size}")


def range_root(leaves: Iterable[bytes], *, first: int, count: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that a run of leaf hashes and its proof lead to, in one pass over `leaves` and constant memory."""
    _check_span(first, count, size)
    _check_hashes(*proof)
    parts = list(_around(first, first + count, size))
    if len(proof) != sum(not inside for _, inside in parts):
        raise ProofError(f"a proof of {count} leaves from {first} on in {size} does not have {len(proof)} hashes")
    given, beside = iter(leaves), iter(proof)
    roots = {part: _run_root(given, part) if inside else next(beside) for part, inside in parts}
    if next(given, None) is not None:
        raise ProofError(f"there are more than {count} leaves in the run")
    return _join(0, size, roots)


# --- Inside -----------------------------------------------------------------------------------------------------------


def _check_span(first: int, count: int, size: int) -> None:
    if first < 0 or count < 1 or not first + count <= size <= MAX_SIZE:
        raise ProofError(f"a tree of size {size} has no {count} leaves from {first} on")


def _check_hashes(*hashes: bytes) -> None:
    for known in hashes:
        if len(known) != HASH_BYTES:
            raise ProofError(f"a hash is {len(known)} bytes long, not 32")


def _split(start: int, end: int) -> int:
    """RFC 6962 2.1: the left part holds the largest power of two smaller than the whole."""
    return start + (1 << ((end - start - 1).bit_length() - 1))


def _pieces(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees (level, index) that the subtree [start, end) consists of, largest first."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _fold(peaks: Sequence[bytes]) -> bytes:
    """The hash over complete subtrees of falling size."""
    found = peaks[-1]
    for peak in reversed(peaks[:-1]):
        found = _sha256(b"\x01" + peak + found).digest()
    return found


def _piece(hashes: Mapping[tuple[int, int], bytes], level: int, index: int) -> bytes:
    """The hash of a complete subtree, from the nearest stored level below it."""
    above = level % STORED_EVERY
    row = [hashes[level - above, below] for below in range(index << above, (index + 1) << above)]
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def _merged(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans [start, end) as (first, count), sorted, with those that touch or overlap made one."""
    first = stop = -1
    for start, end in sorted(spans):
        if start > stop:
            if stop > first:
                yield first, stop - first
            first, stop = start, end
        stop = max(stop, end)
    if stop > first:
        yield first, stop - first


def _around(first: int, stop: int, size: int) -> Iterator[tuple[tuple[int, int], bool]]:
    """The largest subtrees, from left to right, that lie wholly inside (True) or outside (False) of the run."""
    waiting = [(0, size)]
    while waiting:
        start, end = waiting.pop()
        if end <= first or start >= stop:
            yield (start, end), False
        elif first <= start and end <= stop:
            yield (start, end), True
        else:
            middle = _split(start, end)
            waiting += [(middle, end), (start, middle)]


def _run_root(leaves: Iterator[bytes], part: tuple[int, int]) -> bytes:
    edge = Edge()
    for leaf in islice(leaves, part[1] - part[0]):
        edge.append(leaf)
    if edge.size != part[1] - part[0]:
        raise ProofError(f"the run ends before leaf {part[0] + edge.size}")
    return edge.root()


def _join(start: int, end: int, roots: Mapping[tuple[int, int], bytes]) -> bytes:
    """The root of [start, end) from the roots of the parts it falls into; at most 62 deep."""
    known = roots.get((start, end))
    if known is not None:
        return known
    middle = _split(start, end)
    return node_hash(_join(start, middle, roots), _join(middle, end, roots))
