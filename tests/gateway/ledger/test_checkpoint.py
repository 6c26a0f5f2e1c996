"""Signed notes and checkpoints: the published vector holds, and every lenient spelling is refused."""

import base64
import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.ledger.checkpoint import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Checkpoint,
    NoteError,
    Signer,
    Verifier,
    open_checkpoint,
    open_note,
)
from gateway.ledger.merkle import EMPTY_ROOT, MAX_SIZE

# C2SP signed-note, the specification's example.
C2SP_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_TEXT = "This is an example message.\n"
C2SP_LINE = (
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)

ORIGIN = "gateway.example/t/t0a1"
ROOT = hashlib.sha256(b"root").digest()
ROOT_TEXT = base64.b64encode(ROOT).decode()


def signer(name: str = ORIGIN, seed: int = 1) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


LOG = signer()
OTHERS = [signer(f"witness{number}.example", number + 2) for number in range(MAX_SIGNATURES)]


def line_of(who: Signer, text: str) -> str:
    return who.note(text).rpartition("\n\n")[2]


def note_of(text: str, *lines: str) -> str:
    return f"{text}\n{''.join(lines)}"


# --- Vectors ------------------------------------------------------------------------------------------------------------


def test_the_specifications_example_opens() -> None:
    text, signed_by = open_note(note_of(C2SP_TEXT, C2SP_LINE), [Verifier.from_vkey(C2SP_VKEY)])
    assert (text, signed_by) == (C2SP_TEXT, frozenset({"example.com/foo"}))


def test_our_own_vector_is_signed_the_same_today() -> None:
    assert LOG.vkey == "gateway.example/t/t0a1+c0865798+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
    note = (
        "gateway.example/t/t0a1\n5\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n\n— gateway.example/t/t0a1 "
        "wIZXmKfEAFfjB3w6ZDUTLgCP8wTv6eiNGFLh3GTh/HGpWwfJJRIlRlcQCR4cr373I/voaMboQS+rUr0s9zbSKkgsMwU=\n"
    )
    assert LOG.sign(Checkpoint(ORIGIN, 5, ROOT)) == note
    assert open_checkpoint(note, [LOG.verifier]) == Checkpoint(ORIGIN, 5, ROOT)


# --- Keys ---------------------------------------------------------------------------------------------------------------


def test_a_key_reads_back_from_its_text() -> None:
    assert Verifier.from_vkey(C2SP_VKEY).vkey == C2SP_VKEY
    assert Signer.decode(LOG.encode()).vkey == LOG.vkey
    assert Signer.decode(LOG.encode()).note("x\n") == LOG.note("x\n")


def test_a_signer_does_not_show_its_key() -> None:
    seed = LOG.encode().rpartition("+")[2]
    assert seed not in f"{LOG!r} {LOG} {LOG.vkey} {LOG.note('x' + chr(10))}"


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "example.com/foo",
        "example.com/foo+530d903a",
        C2SP_VKEY.replace("530d903a", "530D903A"),
        C2SP_VKEY.replace("530d903a", "530d903b"),
        C2SP_VKEY.replace("530d903a", "0530d903a"),
        C2SP_VKEY.replace("foo", "bar"),
        C2SP_VKEY.replace("example.com/foo", ""),
        C2SP_VKEY.replace("example.com/foo", "example.com foo"),
        C2SP_VKEY + "=",
        C2SP_VKEY + "\n",
        C2SP_VKEY[:-4],
        C2SP_VKEY.replace("+Ae", "+Be"),
        C2SP_VKEY.replace("U2k", "U2l"),
        C2SP_VKEY.replace("Aeky", "Ae ky"),
    ],
)
def test_a_key_in_another_form_is_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        Verifier.from_vkey(vkey)
    with pytest.raises(NoteError):
        Signer.decode("PRIVATE+KEY+" + vkey)
    with pytest.raises(NoteError):
        Signer.decode(vkey)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u2003b", "a\nb", "a\x00b", " a", "a\t"])
def test_a_name_that_could_be_misread_is_refused(name: str) -> None:
    with pytest.raises(NoteError):
        signer(name)


# --- Notes --------------------------------------------------------------------------------------------------------------


def test_unknown_signatures_are_ignored_and_one_known_is_enough() -> None:
    text = "hello\n"
    note = note_of(text, line_of(OTHERS[0], text), line_of(LOG, text), line_of(OTHERS[1], text))
    assert open_note(note, [LOG.verifier]) == (text, frozenset({ORIGIN}))
    assert open_note(note, [LOG.verifier, OTHERS[1].verifier])[1] == {ORIGIN, OTHERS[1].name}
    garbage = f"— {OTHERS[2].name} {base64.b64encode(b'keyid and no signature').decode()}\n"
    assert open_note(note + garbage, [LOG.verifier])[0] == text


def test_a_key_of_the_same_name_with_another_id_is_unknown() -> None:
    text = "hello\n"
    with pytest.raises(NoteError):
        open_note(note_of(text, line_of(signer(ORIGIN, 99), text)), [LOG.verifier])


def test_one_bad_signature_of_a_known_key_refuses_the_note_whoever_else_signed() -> None:
    text = "hello\n"
    for bad in (line_of(OTHERS[0], "other\n"), line_of(LOG, "other\n")):
        for note in (note_of(text, line_of(LOG, text), bad), note_of(text, bad, line_of(LOG, text))):
            with pytest.raises(NoteError):
                open_note(note, [LOG.verifier, OTHERS[0].verifier])


@pytest.mark.parametrize("length", [0, 1, 63, 65])
def test_a_signature_of_the_wrong_length_is_a_bad_one(length: int) -> None:
    encoded = base64.b64encode(LOG.verifier.key_id + bytes(length)).decode()
    with pytest.raises(NoteError):
        open_note(note_of("hello\n", f"— {ORIGIN} {encoded}\n"), [LOG.verifier])


def test_a_note_that_nobody_we_know_signed_is_refused() -> None:
    for known in ([], [OTHERS[0].verifier]):
        with pytest.raises(NoteError):
            open_note(LOG.note("hello\n"), known)


def test_two_known_keys_that_cannot_be_told_apart_are_refused() -> None:
    class Twin(Verifier):
        @property
        def key_id(self) -> bytes:
            return LOG.verifier.key_id

    with pytest.raises(NoteError):
        open_note(LOG.note("hello\n"), [LOG.verifier, Twin(ORIGIN, OTHERS[0].verifier.public)])
    open_note(LOG.note("hello\n"), [LOG.verifier, LOG.verifier])


@pytest.mark.parametrize("count", [1, 16, MAX_SIGNATURES])
def test_sixteen_signatures_and_more_are_read(count: int) -> None:
    text = "hello\n"
    signers = [LOG, *OTHERS][:count]
    note = note_of(text, *(line_of(who, text) for who in signers))
    assert len(open_note(note, [who.verifier for who in signers])[1]) == count


def test_more_signatures_than_the_cap_are_refused_before_any_is_checked() -> None:
    text = "hello\n"
    note = note_of(text, *(line_of(LOG, text) for _ in range(MAX_SIGNATURES + 1)))
    with pytest.raises(NoteError, match="more than"):
        open_note(note, [LOG.verifier])


def test_the_last_blank_line_parts_text_from_signatures() -> None:
    text = "first\n\n— not.a.signature AAAAAAAA\n\nlast\n"
    assert open_note(LOG.note(text), [LOG.verifier])[0] == text


GOOD = LOG.note("hello\n")


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "hello\n",
        "hello\n\n",
        GOOD[:-1],
        GOOD + "\n",
        GOOD.replace("\n\n", "\n"),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("hello", "hello\r"),
        GOOD.replace("hello", "hel\tlo"),
        GOOD.replace("hello", "hel\0lo"),
        GOOD.replace("hello", "hel\x1flo"),
        GOOD.replace("hello", "hel\ud800lo"),
        GOOD.replace("hello", "Hello"),
        GOOD.replace("hello", " hello"),
        GOOD.replace("— ", "- "),
        GOOD.replace("— ", ""),
        GOOD.replace("— ", "—  "),
        GOOD.replace("— ", "—"),
        GOOD.replace("— ", "—\u00a0"),
        GOOD.replace(f"{ORIGIN} ", f"{ORIGIN}  "),
        GOOD.replace(f"{ORIGIN} ", f"{ORIGIN}\u00a0"),
        GOOD.replace(f"{ORIGIN} ", f"{ORIGIN}+ "),
        GOOD.replace(f"{ORIGIN} ", " "),
        GOOD[:-1] + " \n",
        GOOD[:-1] + "=\n",
        GOOD[:-2] + "\n",
        GOOD[:-10] + "_" + GOOD[-9:],
        GOOD[:-10] + "\n" + GOOD[-10:],
        GOOD + "trailing\n",
        GOOD + "— other.example AAAA\n",
        GOOD + "— other.example AAAAAA==\n",
        "x" * MAX_NOTE_BYTES + GOOD,
    ],
    ids=range(33),
)
def test_a_note_in_another_form_is_refused(note: str) -> None:
    open_note(GOOD, [LOG.verifier])
    with pytest.raises(NoteError):
        open_note(note, [LOG.verifier])


def test_base64_with_stray_bits_is_refused() -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    head, last = GOOD[: -len("x=\n")], GOOD[-3]  # 68 bytes end in one '=': the last letter has two bits to spare
    assert GOOD.endswith("=\n")
    for spare in (1, 2, 3):
        twin = f"{head}{letters[letters.index(last) | spare]}=\n"
        assert base64.b64decode(twin.split()[-1]) == base64.b64decode(GOOD.split()[-1])
        with pytest.raises(NoteError):
            open_note(twin, [LOG.verifier])


@pytest.mark.parametrize("text", ["", "hello", "hello\r\n", "a\tb\n", "a\0\n", "x" * MAX_NOTE_BYTES + "\n"])
def test_what_could_not_be_opened_is_not_signed(text: str) -> None:
    with pytest.raises(NoteError):
        LOG.note(text)


# --- Checkpoints --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"size": 0, "root": EMPTY_ROOT},
        {"size": 1},
        {"size": 10},
        {"size": MAX_SIZE},
        {"size": 7, "extensions": ("one", "another line")},
    ],
)
def test_a_checkpoint_reads_back(fields: dict[str, Any]) -> None:
    checkpoint = Checkpoint(**{"origin": ORIGIN, "root": ROOT, **fields})
    assert Checkpoint.parse(checkpoint.text()) == checkpoint
    assert open_checkpoint(LOG.sign(checkpoint), [LOG.verifier]) == checkpoint


BAD_SIZES = [
    "",
    "-1",
    "+1",
    "01",
    "00",
    " 1",
    "1 ",
    "1_0",
    "1.0",
    "1e3",
    "0x1",
    "١",
    "１",
    str(MAX_SIZE + 1),
    "9" * 5000,
]
BAD_ROOTS = [
    "",
    "AA==",
    ROOT_TEXT + "=",
    ROOT_TEXT[:-1],
    ROOT_TEXT + "AAAA",
    " " + ROOT_TEXT,
    ROOT_TEXT[:8] + " " + ROOT_TEXT[8:],
    base64.urlsafe_b64encode(b"\xff" * 32).decode(),
    base64.b64encode(bytes(33)).decode(),
    base64.b64encode(bytes(31)).decode(),
    "A" * 42 + "B=",
]


@pytest.mark.parametrize(
    "text",
    [
        *(f"{ORIGIN}\n{size}\n{ROOT_TEXT}\n" for size in BAD_SIZES),
        *(f"{ORIGIN}\n1\n{root}\n" for root in BAD_ROOTS),
        f"{ORIGIN}\n0\n{ROOT_TEXT}\n",
        f"\n1\n{ROOT_TEXT}\n",
        f"a\tb\n1\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n1\n{ROOT_TEXT}\nmore\r\n",
        f"{ORIGIN}\n1\n{ROOT_TEXT}",
        f"{ORIGIN}\n1\n{ROOT_TEXT}\n\n",
        f"{ORIGIN}\n1\n\n{ROOT_TEXT}\n",
        f"{ORIGIN}\r\n1\r\n{ROOT_TEXT}\r\n",
        f"{ORIGIN}\n1\n",
        f"{ORIGIN}\n",
        "\n",
        "",
    ],
)
def test_a_checkpoint_in_another_form_is_refused_even_if_signed(text: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.parse(text)
    if text.endswith("\n") and "\r" not in text:
        with pytest.raises(NoteError):
            open_checkpoint(LOG.note(text), [LOG.verifier])


def test_a_checkpoint_that_only_others_signed_is_refused() -> None:
    text = Checkpoint(ORIGIN, 3, ROOT).text()
    with pytest.raises(NoteError, match="log"):
        open_checkpoint(OTHERS[0].note(text), [LOG.verifier, OTHERS[0].verifier])
    both = note_of(text, line_of(OTHERS[0], text), line_of(LOG, text))
    assert open_checkpoint(both, [LOG.verifier, OTHERS[0].verifier]).size == 3


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("another.example/log", 3, ROOT),
        Checkpoint(ORIGIN, -1, ROOT),
        Checkpoint(ORIGIN, 3, ROOT[:31]),
        Checkpoint(ORIGIN, 0, ROOT),
        Checkpoint(ORIGIN, MAX_SIZE + 1, ROOT),
        Checkpoint(ORIGIN, 3, ROOT, ("",)),
        Checkpoint(ORIGIN, 3, ROOT, ("a\nb",)),
    ],
)
def test_a_log_does_not_sign_what_is_not_its_checkpoint(checkpoint: Checkpoint) -> None:
    with pytest.raises(NoteError):
        LOG.sign(checkpoint)
