"""A bundle proves what it holds on a bare machine, and every change to it fails with a sentence that says where and why."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import thread_time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.ledger import verify
from gateway.ledger.bundle import BundleError, BundleReader, BundleWriter, Manifest, Previous
from gateway.ledger.checkpoint import Checkpoint, Signer
from gateway.ledger.entry import REQUIRED, canonical, timestamp
from gateway.ledger.merkle import Edge, Plan, consistency_plan, edge_plan, leaf_hash, range_plan
from gateway.ledger.verify import Step, verify_bundle

PROJECT = Path(__file__).parents[3]
TENANT = "t0a1"
START = datetime(2026, 1, 1, tzinfo=UTC)
SIGNER = Signer(f"gateway.example/t/{TENANT}", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
STRANGER = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32))


# --- A log, and bundles of it ---------------------------------------------------------------------


def fields_of(index: int, /, **change: Any) -> dict[str, Any]:
    """Even entries are intents, odd ones the outcome of the one before."""
    kind = "outcome" if index % 2 else "intent"
    common = {"v": 1, "index": index, "kind": kind, "at": timestamp(START + timedelta(seconds=index)), "tenant": TENANT}
    rest = dict.fromkeys(REQUIRED[kind], "x") | {"disclosure": f"d{index // 2}"}
    return rest | ({"intent": index - 1} if index % 2 else {}) | common | change


class Ledger:
    """All entries of one log in memory, and what is needed to prove them."""

    def __init__(self, count: int, changes: dict[int, dict[str, Any]] | None = None) -> None:
        changes = changes or {}
        self.entries = [canonical(fields_of(index, **changes.get(index, {}))) for index in range(count)]
        self.seal()

    def seal(self) -> None:
        self.leaves = [leaf_hash(entry) for entry in self.entries]
        self.hashes = {(0, index): leaf for index, leaf in enumerate(self.leaves)}
        self.hashes |= {(level, index): node for level, index, node in Edge().extend(self.leaves)}

    def prove(self, plan: Plan) -> list[bytes]:
        return plan.build(self.hashes)

    def checkpoint(self, size: int | None = None, signer: Signer = SIGNER) -> str:
        size = len(self.entries) if size is None else size
        return signer.sign(Checkpoint(signer.name, size, Edge(size, self.prove(edge_plan(size))).root()))

    def previous(self, size: int) -> Previous:
        return Previous(self.checkpoint(size), tuple(self.prove(consistency_plan(size, len(self.entries)))))

    def bundle(self, *runs: tuple[int, int], previous: Previous | None = None) -> bytes:
        file = io.BytesIO()
        query = {"from": "2026-01-01", "until": "2026-02-01"}
        size = len(self.entries)
        with BundleWriter(file, checkpoint=self.checkpoint(), signer=SIGNER, query=query, previous=previous) as writer:
            for first, count in runs:
                writer.begin(first, count, self.prove(range_plan(first, count, size)))
                for index in range(first, first + count):
                    writer.add(self.entries[index], self.leaves[index])
            writer.finish()
        return file.getvalue()


RUNS = ((3, 1), (10, 40), (57, 1), (60, 40))


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger(100)


@pytest.fixture(scope="module")
def whole(ledger: Ledger) -> bytes:
    """The bundle of the whole log."""
    return ledger.bundle((0, 100))


@pytest.fixture(scope="module")
def parts(ledger: Ledger) -> bytes:
    """A bundle of some runs, with an older checkpoint."""
    return ledger.bundle(*RUNS, previous=ledger.previous(41))


class Check:
    """Verifies bytes as a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def proves(self, content: bytes) -> list[Step]:
        self.path.write_bytes(content)
        return verify_bundle(self.path, trusted_vkey=SIGNER.vkey)

    def fails(self, content: bytes) -> str:
        with pytest.raises(BundleError) as failure:
            self.proves(content)
        return str(failure.value)


@pytest.fixture
def check(tmp_path: Path) -> Check:
    return Check(tmp_path / "bundle.zip")


# --- Somebody who takes a bundle apart and puts it together again ---------------------------------


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: Iterable[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Pack with the standard library, in just the form that the gateway writes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, content, compression)
    return file.getvalue()


def changed(content: bytes, **changes: Callable[[bytes], bytes]) -> bytes:
    """The bundle with members changed, named by what stands before their dot."""
    members = unpacked(content)
    by_stem = {name.partition(".")[0]: name for name in reversed(members)}  # `manifest` means manifest.json, not .note
    for stem, change in changes.items():
        members[by_stem[stem]] = change(members[by_stem[stem]])
    return packed(members.items())


def signed_anew(content: bytes, change: Callable[[Manifest], Manifest], signer: Signer = SIGNER) -> bytes:
    """The bundle with another manifest, well signed: what only somebody with the log's key could do."""
    members = unpacked(content)
    manifest = change(Manifest.decode(members["manifest.json"]))
    members |= {"manifest.json": manifest.encode(), "manifest.note": signer.note(manifest.note_text()).encode()}
    return packed(members.items())


def on_lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    return lambda content: b"".join(change(content.splitlines(keepends=True)))


def on_line(position: int, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return on_lines(lambda lines: [*lines[:position], change(lines[position]), *lines[position + 1 :]])


def without(position: int) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: [*lines[:position], *lines[position + 1 :]]


def on_json(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    def apply(content: bytes) -> bytes:
        fields = json.loads(content)
        change(fields)
        return json.dumps(fields, sort_keys=True, indent=2, ensure_ascii=False).encode() + b"\n"

    return apply


# --- What holds -----------------------------------------------------------------------------------


def test_a_bundle_proves_itself_in_numbered_named_steps(check: Check, parts: bytes) -> None:
    steps = check.proves(parts)
    assert [step.number for step in steps] == list(range(1, 10))
    assert [step.name for step in steps] == [
        "form",
        "key",
        "checkpoint",
        "manifest",
        "previous checkpoint",
        "runs",
        "entries",
        "meaning",
        "digests",
    ]
    assert "the one that you trust" in steps[1].proved
    assert "held 100 entries" in steps[2].proved
    assert "82 entries in 4 runs" in steps[3].proved
    assert "checkpoint of size 41" in steps[4].proved
    assert "all 82 entries" in steps[6].proved


def test_progress_is_told_step_by_step(check: Check, parts: bytes) -> None:
    told: list[Step] = []
    check.path.write_bytes(parts)
    assert verify_bundle(check.path, progress=told.append) == told


@pytest.mark.parametrize("count", [0, 1, 2, 3, 255, 256, 257, 600])
def test_logs_of_any_size_can_be_proved_whole_and_in_parts(check: Check, count: int) -> None:
    ledger = Ledger(count)
    check.proves(ledger.bundle((0, count)) if count else ledger.bundle())
    check.proves(ledger.bundle(*((index, 1) for index in range(0, count, 7))))


def test_a_bundle_of_nothing_is_the_logs_signed_word_that_nothing_matched(check: Check, ledger: Ledger) -> None:
    assert "0 entries in 0 runs" in check.proves(ledger.bundle())[3].proved


def test_a_bundles_bytes_are_reproducible_and_the_standard_zip_form(ledger: Ledger, parts: bytes) -> None:
    assert ledger.bundle(*RUNS, previous=ledger.previous(41)) == parts
    assert packed(unpacked(parts).items()) == parts
    assert zipfile.ZipFile(io.BytesIO(parts)).testzip() is None


def test_entries_come_back_byte_for_byte(check: Check, ledger: Ledger, parts: bytes) -> None:
    check.path.write_bytes(parts)
    held = [index for first, count in RUNS for index in range(first, first + count)]
    reader = BundleReader(check.path)
    assert list(reader.lines()) == [ledger.entries[index] + b"\n" for index in held]
    assert list(reader.leaves()) == [ledger.leaves[index] for index in held]


def test_without_a_key_at_hand_the_step_says_what_that_is_worth(check: Check, parts: bytes) -> None:
    check.path.write_bytes(parts)
    step = verify_bundle(check.path)[1]
    assert "comes from the bundle itself" in step.proved
    assert SIGNER.vkey in step.proved
    assert any("publishes" in note for note in step.notes)


# --- Entries changed, removed, added, reordered ---------------------------------------------------


def flip(line: bytes) -> bytes:
    return line.replace(b'"x"', b'"y"', 1)


def test_one_changed_byte_names_the_entry(check: Check, whole: bytes, parts: bytes) -> None:
    said = check.fails(changed(whole, entries=on_line(17, flip)))
    assert said == ("entry 17: its bytes do not match its leaf hash; somebody changed the entry after it was recorded")
    assert check.fails(changed(parts, entries=on_line(1 + 7, flip))).startswith("entry 17: its bytes do not match")


@pytest.mark.parametrize("position", [0, 17, 98])
def test_an_entry_removed_says_what_stands_in_its_place(check: Check, whole: bytes, position: int) -> None:
    said = check.fails(changed(whole, entries=on_lines(without(position))))
    assert said.startswith(f"entry {position}: in its place stands entry {position + 1}; entries were removed")


def test_two_entries_exchanged_name_the_first(check: Check, whole: bytes) -> None:
    swap = on_lines(lambda lines: [*lines[:5], lines[8], *lines[6:8], lines[5], *lines[9:]])
    assert check.fails(changed(whole, entries=swap)).startswith("entry 5: in its place stands entry 8; ")


def test_an_entry_put_in_names_its_place(check: Check, whole: bytes) -> None:
    twice = on_lines(lambda lines: [*lines[:5], lines[4], *lines[5:]])
    assert check.fails(changed(whole, entries=twice)).startswith("entry 5: in its place stands entry 4; ")


def test_a_tail_cut_off_names_the_first_entry_missing(check: Check, whole: bytes, parts: bytes) -> None:
    said = check.fails(changed(whole, entries=on_lines(lambda lines: lines[:-3])))
    assert said == "entry 97: it is missing; entries.ndjson ends 3 entries short of the manifest"
    said = check.fails(changed(parts, entries=on_lines(lambda lines: lines[:41])))
    assert said.startswith("entry 57: it is missing; entries.ndjson ends 41 entries")


@pytest.mark.parametrize("tail", [b"\n", b"{}\n", b"x"])
def test_anything_after_the_last_entry_is_refused(check: Check, whole: bytes, tail: bytes) -> None:
    said = check.fails(changed(whole, entries=lambda content: content + tail))
    assert said == "entries.ndjson holds more than the 100 entries that the manifest names"


def test_a_line_without_an_end_names_the_entry(check: Check, whole: bytes) -> None:
    said = check.fails(changed(whole, entries=lambda content: content[:-1]))
    assert said == "entry 99: its line is cut off, or longer than an entry can be"
    said = check.fails(changed(whole, entries=on_line(17, lambda line: b"x" * 1_000_000 + line)))
    assert said == "entry 17: its line is cut off, or longer than an entry can be"


def with_leaf(position: int, leaf: bytes) -> Callable[[bytes], bytes]:
    return lambda leaves: leaves[: position * 32] + leaf + leaves[position * 32 + 32 :]


def test_an_entry_changed_with_its_leaf_hash_names_the_run_that_no_longer_leads_to_the_root(
    check: Check, ledger: Ledger, parts: bytes
) -> None:
    leaf = leaf_hash(flip(ledger.entries[17]))
    said = check.fails(changed(parts, entries=on_line(8, flip), leaves=with_leaf(8, leaf)))
    assert said.startswith("run 2, entries 10 to 49: its leaf hashes and its proof do not lead to the signed root")
    leaf = leaf_hash(flip(ledger.entries[57]))
    said = check.fails(changed(parts, entries=on_line(41, flip), leaves=with_leaf(41, leaf)))
    assert said.startswith("run 3, entry 57: its leaf hashes and its proof do not lead to the signed root")


def test_a_leaf_hash_changed_alone_names_the_run(check: Check, parts: bytes) -> None:
    assert check.fails(changed(parts, leaves=with_leaf(0, bytes(32)))).startswith("run 1, entry 3: ")


@pytest.mark.parametrize("change", [lambda leaves: leaves[:-32], lambda leaves: leaves + bytes(32)])
def test_leaf_hashes_cut_or_added_are_counted(check: Check, whole: bytes, change: Callable[[bytes], bytes]) -> None:
    assert "the manifest names 100 entries" in check.fails(changed(whole, leaves=change))
    assert "the manifest names 100 entries" in check.fails(changed(whole, leaves=lambda leaves: leaves + b"x"))


def test_even_the_logs_own_key_cannot_leave_out_an_entry_of_a_run(check: Check, ledger: Ledger, parts: bytes) -> None:
    """Entry 20 vanishes from everything, and the manifest is signed anew: the root still tells."""
    members = unpacked(parts)
    members["entries.ndjson"] = on_lines(without(11))(members["entries.ndjson"])
    members["leaves.bin"] = with_leaf(11, b"")(members["leaves.bin"])

    def shorter(manifest: Manifest) -> Manifest:
        runs = list(manifest.runs)
        runs[1] = replace(runs[1], count=39, proof=tuple(ledger.prove(range_plan(10, 39, 100))))
        return replace(manifest, runs=tuple(runs))

    said = check.fails(signed_anew(packed(members.items()), shorter))
    assert said.startswith("run 2, entries 10 to 48: its leaf hashes and its proof do not lead to the signed root")


# --- Manifest, checkpoint, key --------------------------------------------------------------------

_B64 = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.update(query={}),
        lambda fields: fields["query"].update({"from": "2025-01-01"}),
        lambda fields: fields["runs"].pop(),
        lambda fields: fields["runs"][0].update(first=4),
        lambda fields: fields["runs"][0].update(proof=[]),
        lambda fields: fields["runs"][0]["proof"].append(_B64),
        lambda fields: fields.update(previous=[]),
        lambda fields: fields["digests"].pop("leaves.bin"),
        lambda fields: fields["digests"].update({"leaves.bin": "0" * 64}),
        lambda fields: fields["digests"].update({"other": "0" * 64}),
    ],
)
def test_a_changed_manifest_is_not_the_one_that_the_log_signed(
    check: Check, parts: bytes, change: Callable[[dict[str, Any]], Any]
) -> None:
    said = check.fails(changed(parts, manifest=on_json(change)))
    assert said == "manifest.json is not the one that the log signed: somebody changed it, or swapped it"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda fields: fields.update(extra=1), "not in the form"),
        (lambda fields: fields.update(format="other"), "not in the form"),
        (lambda fields: fields.pop("size"), "not a manifest"),
        (lambda fields: fields.update(size="100"), "not a manifest"),
        (lambda fields: fields.update(size=1e2), "not a manifest"),
        (lambda fields: fields.update(size=True), "not a manifest"),
        (lambda fields: fields.update(runs={}), "not a manifest"),
        (lambda fields: fields.update(runs=[1]), "not a manifest"),
        (lambda fields: fields.update(previous=["é"]), "not a manifest"),
        (lambda fields: fields.update(previous=[_B64 + "="]), "not a manifest"),
        (lambda fields: fields.update(previous=[_B64[:-2] + "B="]), "not in the form"),
        (lambda fields: fields["runs"][0].update(count=0), "empty, or not after"),
        (lambda fields: fields["runs"][0].update(first=-1), "empty, or not after"),
        (lambda fields: fields["runs"][1].update(first=3), "empty, or not after"),
        (lambda fields: fields["runs"].reverse(), "empty, or not after"),
        (lambda fields: fields["runs"][3].update(count=41), "beyond the log's 100 entries"),
        (lambda fields: fields["runs"][3].update(count=2**63), "beyond the log's 100 entries"),
        (lambda fields: fields.update(size=101), "swapped"),
        (lambda fields: fields.update(origin="gateway.example/t/other"), "swapped"),
        (lambda fields: fields.update(vkey=STRANGER.vkey), "not with the one you trust"),
        (lambda fields: fields.update(vkey="x"), "key cannot be read"),
    ],
)
def test_a_manifest_that_is_none_says_so(
    check: Check, parts: bytes, change: Callable[[dict[str, Any]], Any], why: str
) -> None:
    assert why in check.fails(changed(parts, manifest=on_json(change)))


@pytest.mark.parametrize("manifest", [b"", b"{", b"[]", b'"x"', b"null", b"\xff", b"[" * 5000])
def test_a_manifest_that_is_no_json_says_so(check: Check, parts: bytes, manifest: bytes) -> None:
    assert "not a manifest" in check.fails(packed((unpacked(parts) | {"manifest.json": manifest}).items()))


def test_a_checkpoint_swapped_for_an_older_one_is_seen(check: Check, ledger: Ledger, whole: bytes) -> None:
    older = ledger.checkpoint(90).encode()
    assert "at size 90, but the manifest speaks of" in check.fails(changed(whole, checkpoint=lambda _: older))


def test_a_checkpoint_of_another_history_of_the_same_size_is_seen(check: Check, whole: bytes) -> None:
    """Signed by the log itself: a fork. The manifest's digest sees it, and without that the runs do."""
    fork = Ledger(100, {17: {"rules": "y"}}).checkpoint().encode()
    swapped = changed(whole, checkpoint=lambda _: fork)
    assert check.fails(swapped).startswith("checkpoint.txt is missing, or not the one that the log signed")
    forged = signed_anew(swapped, lambda manifest: replace(manifest, digests={}))
    assert check.fails(forged).startswith("run 1, entries 0 to 99: its leaf hashes and its proof do not lead")


def test_a_checkpoint_that_a_stranger_signed_is_refused(check: Check, ledger: Ledger, whole: bytes) -> None:
    strange = ledger.checkpoint(signer=STRANGER).encode()
    assert check.fails(changed(whole, checkpoint=lambda _: strange)).startswith("checkpoint.txt does not hold: no key")
    assert check.fails(changed(whole, checkpoint=lambda _: b"\xff")).startswith("checkpoint.txt is not text")


def test_a_manifest_that_a_stranger_signed_is_refused(check: Check, whole: bytes) -> None:
    said = check.fails(signed_anew(whole, lambda manifest: manifest, STRANGER))
    assert said.startswith("the manifest's signature does not hold")


def test_the_signature_over_another_manifest_does_not_do(check: Check, whole: bytes, parts: bytes) -> None:
    other = unpacked(parts)["manifest.note"]
    said = check.fails(packed((unpacked(whole) | {"manifest.note": other}).items()))
    assert said.startswith("manifest.json is not the one that the log signed")


def test_a_checkpoint_does_not_pass_for_the_manifests_signature(check: Check, ledger: Ledger, whole: bytes) -> None:
    members = unpacked(whole) | {"manifest.note": ledger.checkpoint().encode()}
    assert check.fails(packed(members.items())).startswith("manifest.json is not the one that the log signed")


def test_a_bundle_made_with_another_key_than_the_trusted_one_names_both(check: Check, whole: bytes) -> None:
    check.path.write_bytes(whole)
    with pytest.raises(BundleError) as failure:
        verify_bundle(check.path, trusted_vkey=STRANGER.vkey)
    assert SIGNER.vkey in str(failure.value)
    assert STRANGER.vkey in str(failure.value)
    with pytest.raises(BundleError, match="key cannot be read"):
        verify_bundle(check.path, trusted_vkey="")


def test_the_readme_cannot_be_changed_either(check: Check, whole: bytes) -> None:
    said = check.fails(changed(whole, README=lambda text: text.replace(b"--key VKEY", b"")))
    assert said.startswith("README.txt is missing, or not the one that the log signed")


@pytest.mark.parametrize("name", ["README.txt", "entries.ndjson", "leaves.bin"])
def test_a_member_that_the_manifest_does_not_cover_is_refused(check: Check, whole: bytes, name: str) -> None:
    def uncover(manifest: Manifest) -> Manifest:
        return replace(manifest, digests={key: value for key, value in manifest.digests.items() if key != name})

    assert check.fails(signed_anew(whole, uncover)) == f"{name} is not among the members that the log signed"


# --- The previous checkpoint ----------------------------------------------------------------------


def test_a_log_that_was_rewritten_does_not_continue_its_previous_checkpoint(check: Check, ledger: Ledger) -> None:
    kept = ledger.checkpoint(41)  # what the auditor got last year
    rewritten = Ledger(100, {17: {"rules": "y"}})
    proof = rewritten.previous(41).proof
    said = check.fails(rewritten.bundle((50, 10), previous=Previous(kept, proof)))
    assert said.startswith("the log does not continue its previous checkpoint, it was rewritten")


def test_a_previous_checkpoint_of_another_log_is_refused_though_the_same_key_signed_it(
    check: Check, parts: bytes
) -> None:
    """All tenants' logs share one key; the key's name, and so its id, is each log's own."""
    other = Signer("gateway.example/t/t0a2", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
    note = other.sign(Checkpoint(other.name, 41, bytes(32)))
    renamed = SIGNER.note(Checkpoint(other.name, 41, bytes(32)).text())
    for swapped in (note, renamed):
        content = packed((unpacked(parts) | {"previous.txt": swapped.encode()}).items())
        forged = signed_anew(content, lambda manifest: replace(manifest, digests={}))
        assert check.fails(forged).startswith("previous.txt does not hold: ")


def test_a_previous_checkpoint_may_be_the_same_one(check: Check, ledger: Ledger) -> None:
    check.proves(ledger.bundle((50, 10), previous=ledger.previous(100)))


def test_a_previous_checkpoint_without_its_proof_or_the_other_way_round_is_refused(
    check: Check, ledger: Ledger, parts: bytes
) -> None:
    bare = signed_anew(parts, lambda manifest: replace(manifest, previous=None))
    assert "has only one" in check.fails(bare)
    taken = {name: content for name, content in unpacked(parts).items() if name != "previous.txt"}

    def uncover(manifest: Manifest) -> Manifest:
        return replace(manifest, digests={name: manifest.digests[name] for name in manifest.digests if name in taken})

    assert "has only one" in check.fails(signed_anew(packed(taken.items()), uncover))
    assert check.fails(packed(taken.items())).startswith("previous.txt is missing")


# --- The file itself ------------------------------------------------------------------------------


def test_a_member_that_does_not_belong_is_refused_wherever_it_stands(check: Check, whole: bytes) -> None:
    members = list(unpacked(whole).items())
    for place in range(len(members) + 1):
        said = check.fails(packed([*members[:place], ("../evil.sh", b"rm"), *members[place:]]))
        assert said == "the file holds a member that does not belong into a bundle: '../evil.sh'"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(check: Check, whole: bytes) -> None:
    members = list(unpacked(whole).items())
    for name, content in members:
        for twin in (content, b"other"):
            assert check.fails(packed([*members, (name, twin)])) == f"the file holds the member {name} twice"


def test_a_missing_member_is_named(check: Check, whole: bytes) -> None:
    members = unpacked(whole)
    for name in members:
        rest = [(other, content) for other, content in members.items() if other != name]
        assert f"it lacks {name}" in check.fails(packed(rest))


def test_members_in_another_order_are_refused(check: Check, whole: bytes) -> None:
    members = list(unpacked(whole).items())
    assert "wrong place" in check.fails(packed([members[1], members[0], *members[2:]]))


def test_a_zip_bomb_is_refused_before_anything_unfolds(check: Check, whole: bytes) -> None:
    members = unpacked(whole) | {"entries.ndjson": bytes(50_000_000)}
    bomb = packed(members.items(), zipfile.ZIP_DEFLATED)
    assert len(bomb) < 200_000
    began = thread_time()
    assert check.fails(bomb) == "the member README.txt is compressed; a bundle's members are stored as they are"
    assert thread_time() - began < 1


def test_a_member_larger_than_its_file_is_refused(check: Check, whole: bytes) -> None:
    at = whole.index(b"PK\3\4", 4)  # the second header: its sizes stand at 18 and 22
    huge = (2**32 - 1).to_bytes(4, "little") * 2
    assert "cut off within checkpoint.txt" in check.fails(whole[: at + 18] + huge + whole[at + 26 :])


def test_overlong_small_members_are_not_read_into_memory(check: Check, whole: bytes) -> None:
    members = unpacked(whole) | {"checkpoint.txt": bytes(65_537)}
    assert check.fails(packed(members.items())) == "checkpoint.txt is longer than 65536 bytes"
    members = unpacked(whole) | {"manifest.json": bytes(16 * 1024 * 1024 + 1)}
    assert check.fails(packed(members.items())) == "manifest.json is longer than 16777216 bytes"


@pytest.mark.parametrize("extra", [b"x", b"PK\5\6" + bytes(18), b"\0" * 70_000])
def test_bytes_before_or_after_are_refused(check: Check, whole: bytes, extra: bytes) -> None:
    check.fails(extra + whole)
    check.fails(whole + extra)


def test_what_is_no_file_says_so(check: Check) -> None:
    for content in (b"", b"PK", b"PK\3\4", b"PK\5\6" + bytes(18), b"hello", bytes(100)):
        check.fails(content)
    with pytest.raises(BundleError, match="cannot be read"):
        verify_bundle(check.path.with_name("nothing.zip"))
    with pytest.raises(BundleError, match="cannot be read"):
        verify_bundle(check.path.parent)


def test_every_byte_counts_and_so_does_every_end(check: Check) -> None:
    ledger = Ledger(3)
    small = ledger.bundle((1, 2), previous=ledger.previous(1))
    check.proves(small)
    for at in range(len(small)):
        check.fails(small[:at] + bytes([small[at] ^ 0x20]) + small[at + 1 :])
        if not at % 10:
            check.fails(small[:at])


# --- What the entries say -------------------------------------------------------------------------


def meaning(check: Check, changes: dict[int, dict[str, Any]], *runs: tuple[int, int]) -> tuple[str, ...]:
    """The notes of the step `meaning` on a log of 20 entries of which some are other than they should be."""
    return check.proves(Ledger(20, changes).bundle(*(runs or [(0, 20)])))[7].notes


def test_a_log_in_order_needs_no_notes(check: Check) -> None:
    assert meaning(check, {}) == ()


def test_intents_without_an_outcome_are_all_listed(check: Check) -> None:
    access = {"kind": "access", "what": "export", "actor": "x"}
    notes = meaning(check, {5: access, 9: access, 11: access})
    assert notes == (
        "3 intents have no outcome within this bundle: entries 4, 8, 10. "
        "What came of them lies outside of the runs, or nobody has recorded it.",
    )
    assert "10 intents" in meaning(check, {}, *((index, 1) for index in range(0, 20, 2)))[0]
    intents = {index: fields_of(0) | {"index": index} for index in (1, 2, 3)}
    assert "entries 0-3." in meaning(check, {**intents}, (0, 4))[0]


def test_outcomes_of_intents_outside_of_the_runs_are_counted(check: Check) -> None:
    assert meaning(check, {}, (5, 1), (9, 2)) == (
        "1 intents have no outcome within this bundle: entries 10. "
        "What came of them lies outside of the runs, or nobody has recorded it.",
        "2 outcomes belong to intents outside of the runs.",
    )


@pytest.mark.parametrize(
    ("intent", "why"),
    [
        (3, "it is the outcome of entry 3, which is no intent"),
        (7, "it is the outcome of no earlier entry"),
        (8, "it is the outcome of no earlier entry"),
        (-1, "it is the outcome of no earlier entry"),
        ("6", "it is the outcome of no earlier entry"),
        (None, "it is the outcome of no earlier entry"),
        (True, "it is the outcome of no earlier entry"),
    ],
)
def test_an_outcome_of_no_intent_fails_and_names_the_entry(check: Check, intent: Any, why: str) -> None:
    assert check.fails(Ledger(20, {7: {"intent": intent}}).bundle((0, 20))) == f"entry 7: {why}"


def test_an_outcome_of_another_disclosure_fails(check: Check) -> None:
    said = check.fails(Ledger(20, {7: {"disclosure": "other"}}).bundle((0, 20)))
    assert said == "entry 7: it is the outcome of entry 6, but names another disclosure"


def test_a_second_outcome_is_told(check: Check) -> None:
    again = fields_of(7) | {"index": 9}
    assert "already had an outcome got another at entries 9." in meaning(check, {9: again})[1]


def test_an_entry_that_names_another_place_fails(check: Check) -> None:
    said = check.fails(Ledger(20, {7: {"index": 8}}).bundle((0, 20)))
    assert said == "entry 7: it says of itself that it is entry 8"


def test_an_entry_of_another_tenant_fails(check: Check) -> None:
    said = check.fails(Ledger(20, {7: {"tenant": "t0a2"}}).bundle((0, 20)))
    assert said == "entry 7: it belongs to another tenant's log"


def test_a_clock_that_went_back_is_told_beyond_its_tolerance(check: Check) -> None:
    at = START + timedelta(seconds=6)
    assert meaning(check, {7: {"at": timestamp(at - timedelta(seconds=10))}}) == ()
    notes = meaning(check, {7: {"at": timestamp(at - timedelta(seconds=10, microseconds=1))}})
    assert notes == ("The recording clock went back by more than 10 s at entries 7.",)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (b"{}", "its kind is missing"),
        (b"not json", "it is not JSON"),
        (canonical(fields_of(7)).replace(b",", b", ", 1), "it is not in canonical form"),
        (canonical(fields_of(7)).replace(b'"kind":"outcome"', b'"kind":"novel"'), "its kind is missing or not one of"),
    ],
)
def test_an_entry_that_the_log_holds_but_that_is_none_fails_by_name(check: Check, entry: bytes, why: str) -> None:
    ledger = Ledger(20)
    ledger.entries[7] = entry
    ledger.seal()
    assert check.fails(ledger.bundle((0, 20))).startswith(f"entry 7: {why}")


def test_fields_of_a_newer_gateway_are_named_not_refused(check: Check) -> None:
    ledger = Ledger(20)
    ledger.entries[7] = ledger.entries[7].replace(b'"v":1', b'"v":1,"zeta":3')
    ledger.seal()
    assert check.proves(ledger.bundle((0, 20)))[7].notes == ("Fields that this verifier does not know yet: 'zeta'.",)


# --- Writing --------------------------------------------------------------------------------------


def writer(ledger: Ledger, previous: Previous | None = None, checkpoint: str | None = None) -> BundleWriter:
    note = checkpoint or ledger.checkpoint()
    return BundleWriter(io.BytesIO(), checkpoint=note, signer=SIGNER, query={}, previous=previous)


def test_a_writer_refuses_what_would_not_verify(ledger: Ledger) -> None:
    entry, leaf = ledger.entries[3], ledger.leaves[3]
    with writer(ledger) as bundle:
        with pytest.raises(BundleError, match="begin the next"):
            bundle.add(entry, leaf)
        bundle.begin(3, 2, [])
        for bad in ((entry + b"\n", leaf), (entry, leaf[:31])):
            with pytest.raises(BundleError):
                bundle.add(*bad)
        bundle.add(entry, leaf)
        for too_early in (bundle.finish, lambda: bundle.begin(9, 1, [])):
            with pytest.raises(BundleError, match="lacks 1"):
                too_early()
    for runs in ([(5, 1), (4, 1)], [(5, 1), (5, 1)], [(100, 1)]):
        with writer(ledger) as bundle:
            for first, count in runs:
                bundle.begin(first, count, [])
                bundle.add(entry, leaf)
            with pytest.raises(BundleError):
                bundle.finish()


def test_a_writer_refuses_checkpoints_of_another_log_and_previous_ones_that_prove_nothing(ledger: Ledger) -> None:
    with pytest.raises(BundleError):
        writer(ledger, checkpoint=ledger.checkpoint(signer=STRANGER))
    with pytest.raises(BundleError):
        writer(ledger, previous=Previous(ledger.checkpoint(0), ()))
    with pytest.raises(BundleError):
        writer(ledger, previous=Previous(ledger.checkpoint(), ()), checkpoint=ledger.checkpoint(90))


def test_a_query_that_is_not_plain_json_is_refused(ledger: Ledger) -> None:
    with (
        BundleWriter(io.BytesIO(), checkpoint=ledger.checkpoint(), signer=SIGNER, query={"a": {1}}) as bundle,
        pytest.raises(BundleError, match="query"),
    ):
        bundle.finish()


# --- On an auditor's machine ----------------------------------------------------------------------

CORE = ["__init__", "merkle", "checkpoint", "entry", "archive", "bundle", "verify"]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with the verifier's seven files, and nothing else of ours."""
    room = tmp_path / "bare room" / "gateway" / "ledger"
    room.mkdir(parents=True)
    shutil.copy(PROJECT / "gateway" / "__init__.py", room.parent)
    for name in CORE:
        shutil.copy(PROJECT / "gateway" / "ledger" / f"{name}.py", room)
    return room.parents[1]


def run(bare: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "gateway.ledger.verify", *arguments]
    return subprocess.run(command, cwd=bare, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_verifier_runs_with_nothing_but_its_own_seven_files(bare: Path, check: Check, parts: bytes) -> None:
    check.path.write_bytes(parts)
    done = run(bare, str(check.path), "--key", SIGNER.vkey)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("1. form: ")
    assert lines[-1] == "All steps hold."


def test_the_command_fails_loudly_and_says_why(bare: Path, check: Check, parts: bytes) -> None:
    check.path.write_bytes(changed(parts, entries=on_line(8, flip)))
    done = run(bare, str(check.path), "--key", SIGNER.vkey)
    assert done.returncode == 1
    assert done.stderr.startswith("NOT PROVED: entry 17: its bytes do not match its leaf hash")
    assert "All steps hold" not in done.stdout


def test_the_command_line_is_a_function_too(capsys: pytest.CaptureFixture[str], check: Check, parts: bytes) -> None:
    check.path.write_bytes(parts)
    assert verify.main([str(check.path)]) == 0
    assert "note: Compare the key" in capsys.readouterr().out


MEASURE = """
import sys, time
from gateway.ledger.verify import verify_bundle
began = time.process_time()
verify_bundle(sys.argv[1], trusted_vkey=sys.argv[2])
seconds = time.process_time() - began
try:  # the peak of this program alone; the other count includes what it was forked from
    peak = next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
except OSError:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / (1024 if sys.platform == "darwin" else 1)
print(seconds, peak)
"""


def test_a_hundred_thousand_entries_verify_in_ten_seconds_and_200_megabytes(bare: Path, check: Check) -> None:
    count, edge, filling = 100_000, Edge(), "f" * 500
    rows = [canonical(fields_of(index, code=filling)) for index in range(count)]
    leaves = [leaf_hash(row) for row in rows]
    edge.extend(leaves)
    assert sum(map(len, rows)) / count > 700
    note = SIGNER.sign(Checkpoint(SIGNER.name, count, edge.root()))
    with (
        check.path.open("w+b") as file,
        BundleWriter(file, checkpoint=note, signer=SIGNER, query={}) as bundle,
    ):
        bundle.begin(0, count, [])
        for row, leaf in zip(rows, leaves, strict=True):
            bundle.add(row, leaf)
        bundle.finish()
    command = [sys.executable, "-c", MEASURE, str(check.path), SIGNER.vkey]
    done = subprocess.run(command, cwd=bare, capture_output=True, text=True, timeout=120, check=True)
    seconds, peak_mb = map(float, done.stdout.split())
    assert seconds < 10
    assert peak_mb < 200
