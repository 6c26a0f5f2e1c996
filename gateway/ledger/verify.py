"""Verify an evidence bundle offline, in numbered steps: no database, no network, no trust in whoever made it.

Runs alone, with nothing of Clinic Gateway but this folder: `python -m gateway.ledger.verify BUNDLE [--key VKEY]`.
Each step says in a sentence what it proved, or raises BundleError with a sentence that says where and why it failed.
"""

import argparse
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

from gateway.ledger import archive
from gateway.ledger.archive import BundleError
from gateway.ledger.bundle import BundleReader, Manifest, Run
from gateway.ledger.checkpoint import Checkpoint, NoteError, Verifier, open_checkpoint, open_note
from gateway.ledger.entry import EntryError, Kind, moment_of, parse, unknown_keys
from gateway.ledger.merkle import HASH_BYTES, ProofError, leaf_hash, range_root, verify_consistency

CLOCK_TOLERANCE = timedelta(seconds=10)  # Several machines write one log; their clocks agree no better than this.


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is proved, and what there is to know besides."""

    number: int
    name: str
    proved: str
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Case:
    """What the steps so far have established."""

    path: Path
    trusted_vkey: str | None
    notes: list[str] = field(default_factory=list)
    reader: BundleReader = field(init=False)
    manifest: Manifest = field(init=False)
    key: Verifier = field(init=False)
    head: Checkpoint = field(init=False)

    def indexed(self, items: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
        """Lines or leaves with the index in the log that the manifest gives them."""
        for run in self.manifest.runs:
            yield from zip(range(run.first, run.first + run.count), items, strict=False)


def verify_bundle(
    path: str | Path, *, trusted_vkey: str | None = None, progress: Callable[[Step], None] = lambda step: None
) -> list[Step]:
    """Run every step, telling `progress` of each; returns what was proved, or raises BundleError."""
    case = _Case(Path(path), trusted_vkey)
    steps = []
    for number, (name, prove) in enumerate(_STEPS, 1):
        case.notes.clear()
        proved = prove(case)
        steps.append(Step(number, name, proved, tuple(case.notes)))
        progress(steps[-1])
    return steps


# --- The steps --------------------------------------------------------------------------------------------------------


def _form(case: _Case) -> str:
    case.reader = BundleReader(case.path)
    case.manifest = Manifest.decode(case.reader.text(archive.MANIFEST, archive.MAX_MANIFEST_BYTES))
    return f"The file is a bundle: {len(case.reader.members)} members, nothing beside, between or twice."


def _key(case: _Case) -> str:
    try:
        own = Verifier.from_vkey(case.manifest.vkey)
        trusted = own if case.trusted_vkey is None else Verifier.from_vkey(case.trusted_vkey.strip())
    except NoteError as error:
        raise BundleError(f"the log's key cannot be read: {error}") from error
    if own != trusted:
        raise BundleError(f"the bundle was made with the key {own.vkey}, not with the one you trust, {trusted.vkey}")
    case.key = trusted
    if case.trusted_vkey is not None:
        return f"The key is the one that you trust: {trusted.vkey}"
    case.notes.append("Compare the key with the one that the clinic publishes, or name it with --key.")
    return f"The key comes from the bundle itself, so all below holds only if this is the log's: {trusted.vkey}"


def _checkpoint(case: _Case) -> str:
    case.head = head = _opened(case, archive.CHECKPOINT)
    if (head.origin, head.size) != (case.manifest.origin, case.manifest.size):
        raise BundleError(
            f"the checkpoint is of log {head.origin} at size {head.size}, but the manifest speaks of log "
            f"{case.manifest.origin} at size {case.manifest.size}: one of them was swapped"
        )
    return f"The log {head.origin} has signed that it held {head.size} entries, with root {head.root.hex()}."


def _manifest(case: _Case) -> str:
    try:
        text, _ = open_note(_decoded(case, archive.NOTE), [case.key])
    except NoteError as error:
        raise BundleError(f"the manifest's signature does not hold: {error}") from error
    if text != case.manifest.note_text():
        raise BundleError("manifest.json is not the one that the log signed: somebody changed it, or swapped it")
    for name in case.manifest.digests.keys() - {archive.ENTRIES, archive.LEAVES}:  # Those have steps that say more.
        _check_digest(case, name)
    runs, count = len(case.manifest.runs), case.manifest.count
    case.notes.append("What was asked for is the log's signed statement; that nothing else matched is not provable.")
    return f"The log has signed the manifest: {count} entries in {runs} runs, and what was asked for."


def _previous(case: _Case) -> str:
    proof = case.manifest.previous
    if (archive.PREVIOUS in case.reader.members) != (proof is not None):
        raise BundleError("of the previous checkpoint and its proof, the bundle has only one")
    if proof is None:
        return "There is no previous checkpoint to compare with."
    older = _opened(case, archive.PREVIOUS)
    sizes = {"old_size": older.size, "new_size": case.head.size}
    try:
        verify_consistency(**sizes, old_root=older.root, new_root=case.head.root, proof=proof)
    except ProofError as error:
        raise BundleError(f"the log does not continue its previous checkpoint, it was rewritten: {error}") from error
    return f"The log continues its checkpoint of size {older.size}: those entries are the same ones, unchanged."


def _runs(case: _Case) -> str:
    held, odd = divmod(case.reader.members[archive.LEAVES].size, HASH_BYTES)
    if odd or held != case.manifest.count:
        raise BundleError(f"leaves.bin holds {held} leaf hashes, but the manifest names {case.manifest.count} entries")
    leaves = case.reader.leaves()
    for number, run in enumerate(case.manifest.runs, 1):
        try:
            root = range_root(
                islice(leaves, run.count), first=run.first, count=run.count, size=case.head.size, proof=run.proof
            )
        except ProofError as error:
            raise BundleError(f"run {number}, {run}: its proof is malformed: {error}") from error
        if root != case.head.root:
            raise BundleError(
                f"run {number}, {run}: its leaf hashes and its proof do not lead to the signed root; "
                "a leaf hash or the proof was changed, or these are not the entries of this log"
            )
    return f"Each of {len(case.manifest.runs)} runs of leaf hashes leads to the signed root, at its place in the log."


def _entries(case: _Case) -> str:
    lines, leaves, held = case.reader.lines(), case.reader.leaves(), 0
    for (index, line), leaf in zip(case.indexed(lines), leaves, strict=False):
        if line[-1:] != b"\n":
            raise BundleError(f"entry {index}: its line is cut off, or longer than an entry can be")
        if leaf_hash(line[:-1]) != leaf:
            raise BundleError(_why_different(index, line[:-1]))
        held += 1
    if held < case.manifest.count:
        index = next(islice(_indexes(case.manifest.runs), held, None))
        missing = case.manifest.count - held
        raise BundleError(f"entry {index}: it is missing; entries.ndjson ends {missing} entries short of the manifest")
    if next(lines, None) is not None:
        raise BundleError(f"entries.ndjson holds more than the {held} entries that the manifest names")
    return f"The bytes of all {held} entries match the leaf hashes that the log recorded: none is changed or missing."


def _why_different(index: int, entry: bytes) -> str:
    try:
        own: int = parse(entry)["index"]
    except EntryError:
        own = index
    if own != index:
        return f"entry {index}: in its place stands entry {own}; entries were removed, added, or put in another order"
    return f"entry {index}: its bytes do not match its leaf hash; somebody changed the entry after it was recorded"


def _meaning(case: _Case) -> str:
    reading = _Reading(case.head.origin, case.manifest.runs)
    for index, line in case.indexed(case.reader.lines()):
        try:
            reading.add(index, parse(line[:-1]))
        except EntryError as error:
            raise BundleError(f"entry {index}: {error}") from error
    case.notes += reading.notes()
    return "Each entry is well formed, names its own place and this log, and each outcome follows its intent."


def _digests(case: _Case) -> str:
    for name in case.manifest.digests:
        _check_digest(case, name)
    uncovered = case.reader.members.keys() - case.manifest.digests.keys() - {archive.MANIFEST, archive.NOTE}
    if uncovered:
        raise BundleError(f"{min(uncovered)} is not among the members that the log signed")
    return "Every member of the bundle is, byte for byte, the one that the log signed."


_STEPS: tuple[tuple[str, Callable[[_Case], str]], ...] = (
    ("form", _form),
    ("key", _key),
    ("checkpoint", _checkpoint),
    ("manifest", _manifest),
    ("previous checkpoint", _previous),
    ("runs", _runs),
    ("entries", _entries),
    ("meaning", _meaning),
    ("digests", _digests),
)


# --- What the entries say ---------------------------------------------------------------------------------------------


class _Reading:
    """Reads entries in order and keeps what does not fit together: told, not hidden."""

    def __init__(self, origin: str, runs: tuple[Run, ...]) -> None:
        self._tenant = origin.rpartition("/")[2]
        self._runs = runs
        self._firsts = [run.first for run in runs]
        self._before = list(accumulate((run.count for run in runs), initial=0))
        self._open: dict[int, str] = {}  # intents without an outcome so far: index -> disclosure
        self._closed = bytearray(self._before[-1])  # by position in the bundle: an intent that has its outcome
        self._outside = 0
        self._latest = ""
        self._back: list[int] = []
        self._twice: list[int] = []
        self._unknown: set[str] = set()

    def add(self, index: int, fields: dict[str, Any]) -> None:
        """Take in the next entry; raises BundleError where it contradicts its place or another entry."""
        if fields["index"] != index:
            raise BundleError(f"entry {index}: it says of itself that it is entry {fields['index']}")
        if fields["tenant"] != self._tenant:
            raise BundleError(f"entry {index}: it belongs to another tenant's log")
        self._unknown |= unknown_keys(fields)
        self._watch_clock(index, fields["at"])
        if fields["kind"] == Kind.INTENT:
            self._open[index] = fields["disclosure"]
        elif fields["kind"] == Kind.OUTCOME:
            self._close(index, fields["intent"], fields["disclosure"])

    def notes(self) -> Iterator[str]:
        """What a reader ought to know of the entries."""
        if orphans := sorted(self._open):
            yield (
                f"{len(orphans)} intents have no outcome within this bundle: entries {_listed(orphans)}. "
                "What came of them lies outside of the runs, or nobody has recorded it."
            )
        if self._outside:
            yield f"{self._outside} outcomes belong to intents outside of the runs."
        if self._twice:
            yield f"Intents that already had an outcome got another at entries {_listed(self._twice)}."
        if self._back:
            seconds = int(CLOCK_TOLERANCE.total_seconds())
            yield f"The recording clock went back by more than {seconds} s at entries {_listed(self._back)}."
        if self._unknown:
            yield f"Fields that this verifier does not know yet: {', '.join(map(ascii, sorted(self._unknown)))}."

    def _watch_clock(self, index: int, at: str) -> None:
        if at >= self._latest:
            self._latest = at
        elif moment_of(self._latest) - moment_of(at) > CLOCK_TOLERANCE:
            self._back.append(index)

    def _close(self, index: int, intent: Any, disclosure: Any) -> None:
        if type(intent) is not int or not 0 <= intent < index:
            raise BundleError(f"entry {index}: it is the outcome of no earlier entry")
        position = self._position(intent)
        if position is None:
            self._outside += 1
        elif self._closed[position]:
            self._twice.append(index)
        elif intent not in self._open:
            raise BundleError(f"entry {index}: it is the outcome of entry {intent}, which is no intent")
        elif self._open.pop(intent) != disclosure:
            raise BundleError(f"entry {index}: it is the outcome of entry {intent}, but names another disclosure")
        else:
            self._closed[position] = True

    def _position(self, index: int) -> int | None:
        """Where in the bundle the entry stands, if it is held."""
        at = bisect_right(self._firsts, index) - 1
        if at < 0 or index - self._firsts[at] >= self._runs[at].count:
            return None
        return self._before[at] + index - self._firsts[at]


def _listed(indexes: list[int]) -> str:
    """Indexes in rising order as text, with neighbours as ranges: every one is named."""
    parts: list[list[int]] = []
    for index in indexes:
        if parts and index == parts[-1][-1] + 1:
            parts[-1][1:] = [index]
        else:
            parts.append([index])
    return ", ".join("-".join(map(str, part)) for part in parts)


# --- Inside -----------------------------------------------------------------------------------------------------------


def _indexes(runs: Iterable[Run]) -> Iterator[int]:
    for run in runs:
        yield from range(run.first, run.first + run.count)


def _decoded(case: _Case, name: str) -> str:
    try:
        return case.reader.text(name).decode()
    except UnicodeDecodeError:
        raise BundleError(f"{name} is not text: it was damaged or changed") from None


def _opened(case: _Case, name: str) -> Checkpoint:
    try:
        return open_checkpoint(_decoded(case, name), [case.key])
    except NoteError as error:
        raise BundleError(f"{name} does not hold: {error}") from error


def _check_digest(case: _Case, name: str) -> None:
    if name not in case.reader.members or case.reader.digest(name) != case.manifest.digests[name]:
        raise BundleError(f"{name} is missing, or not the one that the log signed: somebody changed it, or swapped it")


def main(arguments: list[str] | None = None) -> int:
    """The command line: prints each step; 0 if all is proved, 1 with the reason if not."""
    parser = argparse.ArgumentParser(prog="gateway.ledger.verify", description="Verify an evidence bundle offline.")
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, help="the bundle's file")
    parser.add_argument("--key", metavar="VKEY", help="the log's public key, from the clinic and not from the bundle")
    options = parser.parse_args(arguments)
    try:
        verify_bundle(options.bundle, trusted_vkey=options.key, progress=_tell)
    except BundleError as error:
        sys.stderr.write(f"NOT PROVED: {error}\n")
        return 1
    sys.stdout.write("All steps hold.\n")
    return 0


def _tell(step: Step) -> None:
    sys.stdout.write(f"{step.number}. {step.name}: {step.proved}\n")
    sys.stdout.writelines(f"     note: {note}\n" for note in step.notes)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
