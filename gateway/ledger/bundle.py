"""The evidence bundle: the form of its file, written and read in one pass. Proves nothing itself; verify.py does.

A bundle is a zip file of exactly these members, in this order, stored without compression, so that the same content is
the same bytes everywhere and nothing can unfold:

    README.txt       what this is, and how to check it
    checkpoint.txt   the log's signed checkpoint that everything leads to
    previous.txt     (if there is one) an older checkpoint of the log, proved to be a beginning of the other
    entries.ndjson   the entries' stored bytes, one a line, in the order of the log
    leaves.bin       32 bytes per entry: the leaf hash that the log recorded
    manifest.json    origin, query, runs of entries with their proofs, digests of the members above
    manifest.note    the log's signature over the manifest

A run is a contiguous range of entries with one range proof; a single entry is a run of one.
"""

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import orjson

from gateway.ledger.archive import (
    CHECKPOINT,
    ENTRIES,
    LEAVES,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    NOTE,
    PREVIOUS,
    README,
    ArchiveWriter,
    BundleError,
    read_directory,
)
from gateway.ledger.checkpoint import NoteError, Signer, open_checkpoint
from gateway.ledger.entry import MAX_BYTES as MAX_ENTRY_BYTES
from gateway.ledger.merkle import HASH_BYTES

FORMAT = "clinic-gateway/bundle/v1"
MAX_TEXT_BYTES = 64 * 1024
_MANIFEST_FORM = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE

README_TEXT = """\
Evidence from a clinic's disclosure log
=======================================

entries.ndjson holds the entries, one JSON object a line, exactly as they were recorded. The other files prove that they
stand in the log which the signed checkpoint commits to, unchanged, in order, with none left out within a run.

Check it on your own machine, without asking the gateway (Python 3.11 or later; packages cryptography and orjson; the
folder gateway/ledger of Clinic Gateway):

    python -m gateway.ledger.verify BUNDLE --key VKEY

VKEY is the log's public key. Get it from the clinic, or from an earlier bundle or checkpoint, not from this file.

Formats: Merkle tree of RFC 6962; checkpoint of C2SP tlog-checkpoint; entries of RFC 8785. manifest.json names the runs
of entries and carries their range proofs: the hashes, in base64, of the largest subtrees beside the run, from left to
right.
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A contiguous range of entries and its range proof (`merkle.range_plan`)."""

    first: int
    count: int
    proof: tuple[bytes, ...]

    def __str__(self) -> str:
        last = self.first + self.count - 1
        return f"entry {self.first}" if self.count == 1 else f"entries {self.first} to {last}"


@dataclass(frozen=True, slots=True)
class Previous:
    """An older checkpoint of the log, and the consistency proof from it to the bundle's (`merkle.consistency_plan`)."""

    note: str
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the bundle claims to hold."""

    origin: str
    size: int
    vkey: str
    query: Mapping[str, Any]
    runs: tuple[Run, ...]
    previous: tuple[bytes, ...] | None
    digests: Mapping[str, str]

    @property
    def count(self) -> int:
        """How many entries the bundle holds."""
        return sum(run.count for run in self.runs)

    def encode(self) -> bytes:
        """The bytes of manifest.json."""
        runs = [{"first": run.first, "count": run.count, "proof": _texts(run.proof)} for run in self.runs]
        previous = None if self.previous is None else _texts(self.previous)
        fields = {"format": FORMAT, "origin": self.origin, "size": self.size, "vkey": self.vkey, "query": self.query}
        try:
            return orjson.dumps(
                {**fields, "runs": runs, "previous": previous, "digests": self.digests}, option=_MANIFEST_FORM
            )
        except orjson.JSONEncodeError:
            raise BundleError("the query is not plain JSON") from None

    @classmethod
    def decode(cls, encoded: bytes) -> "Manifest":
        """Read manifest.json; raises BundleError unless it is exactly what `encode` writes."""
        try:
            fields = orjson.loads(encoded)
            previous = fields["previous"]
            manifest = cls(
                origin=_of(str, fields["origin"]),
                size=_of(int, fields["size"]),
                vkey=_of(str, fields["vkey"]),
                query=_of(dict, fields["query"]),
                runs=tuple(_run(run) for run in _of(list, fields["runs"])),
                previous=None if previous is None else _hashes(previous),
                digests={_of(str, name): _of(str, digest) for name, digest in _of(dict, fields["digests"]).items()},
            )
        except (KeyError, TypeError, ValueError):
            raise BundleError("manifest.json is not a manifest: it was damaged or changed") from None
        if manifest.encode() != encoded:
            raise BundleError("manifest.json is not in the form that the gateway writes: it was changed")
        manifest.check()
        return manifest

    def check(self) -> None:
        """Refuse runs that overlap, stand in the wrong order, or lie outside of the log."""
        end = 0
        for run in self.runs:
            if run.first < end or run.count < 1:
                raise BundleError(f"the manifest's run of {run} is empty, or not after the one before it")
            end = run.first + run.count
            if end > self.size:
                raise BundleError(f"the manifest's run of {run} lies beyond the log's {self.size} entries")

    def note_text(self) -> str:
        """The text that the log signs: no checkpoint could ever read like it."""
        return f"{FORMAT}\n{self.origin}\nsha256:{hashlib.sha256(self.encode()).hexdigest()}\n"


def _run(fields: Any) -> Run:
    return Run(_of(int, fields["first"]), _of(int, fields["count"]), _hashes(fields["proof"]))


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError
    return value


def _hashes(texts: Any) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(text, validate=True) for text in _of(list, texts))


def _texts(hashes: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(known).decode() for known in hashes]


# --- Writing ----------------------------------------------------------------------------------------------------------


class BundleWriter:
    """Writes a bundle to an empty seekable file: in a `with`, `begin` each run, `add` its entries, and `finish`.

    Holds the runs' proofs in memory, nothing else that grows. The file is worthless until `finish` returns.
    Raises BundleError.
    """

    def __init__(
        self,
        file: IO[bytes],
        *,
        checkpoint: str,
        signer: Signer,
        query: Mapping[str, Any],
        previous: Previous | None = None,
    ) -> None:
        """`checkpoint` is the signed note that the proofs lead to; `query` says what was asked for, as plain JSON."""
        try:
            self._head = open_checkpoint(checkpoint, [signer.verifier])
            older = open_checkpoint(previous.note, [signer.verifier]) if previous else self._head
        except NoteError as error:
            raise BundleError(f"this is not a checkpoint of the signer's log: {error}") from error
        if previous and not 1 <= older.size <= self._head.size:
            raise BundleError("a previous checkpoint holds at least one entry, and no more than the later one")
        self._zip = ArchiveWriter(file)
        self._signer, self._query, self._previous = signer, query, previous
        self._runs: list[Run] = []
        self._missing = 0
        self._leaves = SpooledTemporaryFile(max_size=8 * 1024 * 1024)  # noqa: SIM115  closed by __exit__
        self._zip.whole(README, README_TEXT.encode())
        self._zip.whole(CHECKPOINT, checkpoint.encode())
        if previous:
            self._zip.whole(PREVIOUS, previous.note.encode())
        self._zip.begin(ENTRIES)

    def __enter__(self) -> "BundleWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._leaves.close()

    def begin(self, first: int, count: int, proof: Sequence[bytes]) -> None:
        """Begin a run; the one before has to be complete. Runs come in the order of the log."""
        self._complete()
        self._runs.append(Run(first, count, tuple(proof)))
        self._missing = count

    def add(self, entry: bytes, leaf: bytes) -> None:
        """Add the run's next entry: its stored bytes, and its leaf hash as recorded, not made afresh from the bytes."""
        if not self._missing:
            raise BundleError("the run is complete: begin the next one")
        if b"\n" in entry or len(leaf) != HASH_BYTES:
            raise BundleError("an entry holds no newline, and its leaf hash is 32 bytes long")
        self._zip.write(entry + b"\n")
        self._leaves.write(leaf)
        self._missing -= 1

    def finish(self) -> Manifest:
        """Write what is left and sign the manifest; returns it."""
        self._complete()
        self._zip.end()
        self._zip.begin(LEAVES)
        self._leaves.seek(0)
        while chunk := self._leaves.read(64 * 1024):
            self._zip.write(chunk)
        self._zip.end()
        proof = self._previous.proof if self._previous else None
        head, digests = self._head, dict(self._zip.digests)
        manifest = Manifest(head.origin, head.size, self._signer.vkey, self._query, tuple(self._runs), proof, digests)
        manifest.check()
        encoded = manifest.encode()
        if len(encoded) > MAX_MANIFEST_BYTES:
            raise BundleError("the entries lie too scattered for one bundle: ask for a shorter period, or all of it")
        self._zip.whole(MANIFEST, encoded)
        self._zip.whole(NOTE, self._signer.note(manifest.note_text()).encode())
        self._zip.close()
        return manifest

    def _complete(self) -> None:
        if self._missing:
            raise BundleError(f"the run of {self._runs[-1]} lacks {self._missing} entries")


# --- Reading ----------------------------------------------------------------------------------------------------------


class BundleReader:
    """Reads a bundle's members in one pass each, in bounded memory; raises BundleError if the file has another form."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            with self.path.open("rb") as file:
                self.members = read_directory(file)
        except OSError as error:
            raise BundleError(f"the file cannot be read: {error.strerror}") from error

    def text(self, name: str, limit: int = MAX_TEXT_BYTES) -> bytes:
        """A small member, whole."""
        member = self.members[name]
        if member.size > limit:
            raise BundleError(f"{name} is longer than {limit} bytes")
        with self._open(name) as file:
            return file.read(member.size)

    def lines(self) -> Iterator[bytes]:
        """The lines of entries.ndjson with their newlines; one too long for an entry comes in pieces, without."""
        left = self.members[ENTRIES].size
        with self._open(ENTRIES) as file:
            while line := file.readline(min(left, MAX_ENTRY_BYTES + 1)):
                left -= len(line)
                yield line

    def leaves(self) -> Iterator[bytes]:
        """The recorded leaf hashes, in order."""
        for chunk in self._chunks(LEAVES):
            for at in range(0, len(chunk), HASH_BYTES):
                yield chunk[at : at + HASH_BYTES]

    def digest(self, name: str) -> str:
        """SHA-256 of a member, in hex."""
        digest = hashlib.sha256()
        for chunk in self._chunks(name):
            digest.update(chunk)
        return digest.hexdigest()

    def _chunks(self, name: str) -> Iterator[bytes]:
        left = self.members[name].size
        with self._open(name) as file:
            while chunk := file.read(min(left, 64 * 1024)):
                left -= len(chunk)
                yield chunk

    def _open(self, name: str) -> IO[bytes]:
        file = self.path.open("rb")
        file.seek(self.members[name].start)
        return file
