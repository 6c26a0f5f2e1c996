"""C2SP signed notes and log checkpoints (tlog-checkpoint), written and read strictly. Stores no keys, does no I/O.

Only Ed25519 (signature type 0x01) is spoken. A signature of another key is ignored, as the specification asks; a bad
signature of a key that we know refuses the whole note.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.ledger.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE

ED25519 = b"\x01"
MAX_NOTE_BYTES = 64 * 1024
MAX_SIGNATURES = 64  # The specification asks for at least 16, and for a cap.
_DASH = "\u2014 "
_SKEY = "PRIVATE+KEY+"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class NoteError(ValueError):
    """A note, checkpoint or key that is not well formed, or that nobody we know has signed."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: its name, how many entries it holds, and the root over them."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The text that is signed."""
        root = base64.b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, self.size, root, *self.extensions))

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """The checkpoint that a note's text is, strictly; raises NoteError."""
        if not text.endswith("\n") or _CONTROL.search(text):
            raise NoteError("a checkpoint consists of whole lines without control characters")
        origin, *rest = text[:-1].split("\n")
        if not origin or len(rest) < 2 or not all(rest):
            raise NoteError("a checkpoint has an origin, a size and a root, each on a line, and no empty line")
        size, root, *extensions = rest
        if not _SIZE.fullmatch(size) or int(size) > MAX_SIZE:
            raise NoteError("a checkpoint's size is a decimal number without sign or leading zeros")
        decoded = _exact_base64(root)
        if len(decoded) != HASH_BYTES:
            raise NoteError("a checkpoint's root is not 32 bytes long")
        if size == "0" and decoded != EMPTY_ROOT:
            raise NoteError("a checkpoint of size 0 has the root of the empty tree")
        return cls(origin, int(size), decoded, tuple(extensions))


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with its name, as its log or witness publishes it."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.public) != 32:
            raise NoteError("an Ed25519 public key is 32 bytes long")

    @classmethod
    def from_vkey(cls, vkey: str) -> "Verifier":
        """Read `name+hex(key id)+base64(type || key)`; raises NoteError."""
        name, key_id, key = _key_parts(vkey, secret=False)
        verifier = cls(name, key)
        if verifier.key_id.hex() != key_id:
            raise NoteError("the key id does not belong to this name and key")
        return verifier

    @property
    def key_id(self) -> bytes:
        """The four bytes by which signatures name this key."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key as text, for people and policies."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    def verify(self, text: str, signature: bytes) -> None:
        """Return if the signature is this key's over the text; else raise NoteError."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            raise NoteError(f"the signature of {self.name} is not one over this text") from None


class Signer:
    """A private key with its name. Its repr and its errors never show the key."""

    __slots__ = ("_key", "verifier")

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.verifier = Verifier(name, key.public_key().public_bytes_raw())

    @property
    def name(self) -> str:
        """The name that stands in its signatures; for a log, its origin."""
        return self.verifier.name

    @property
    def vkey(self) -> str:
        """The public key as text."""
        return self.verifier.vkey

    @classmethod
    def decode(cls, skey: str) -> "Signer":
        """Read the text that `encode` writes; raises NoteError."""
        if not skey.startswith(_SKEY):
            raise NoteError("a signer's key begins with PRIVATE+KEY+")
        name, key_id, seed = _key_parts(skey.removeprefix(_SKEY), secret=True)
        signer = cls(name, Ed25519PrivateKey.from_private_bytes(seed))
        if signer.verifier.key_id.hex() != key_id:
            raise NoteError("the key id does not belong to this name and key")
        return signer

    def encode(self) -> str:
        """The key as text, `PRIVATE+KEY+name+hex(key id)+base64(type || seed)`. Secret: seal it."""
        seed = base64.b64encode(ED25519 + self._key.private_bytes_raw()).decode()
        return f"{_SKEY}{self.name}+{self.verifier.key_id.hex()}+{seed}"

    def note(self, text: str) -> str:
        """The text as a note with this key's signature; the same text gives the same note."""
        _check_text(text)
        signature = self.verifier.key_id + self._key.sign(text.encode())
        return f"{text}\n{_DASH}{self.name} {base64.b64encode(signature).decode()}\n"

    def sign(self, checkpoint: Checkpoint) -> str:
        """The checkpoint as a note, signed by its own log; raises NoteError for the checkpoint of another one."""
        if checkpoint.origin != self.name:
            raise NoteError("a log signs its own checkpoints only: the origin is not the key's name")
        if Checkpoint.parse(text := checkpoint.text()) != checkpoint:
            raise NoteError("the checkpoint does not read back as what it is")
        return self.note(text)


def open_note(note: str, verifiers: Iterable[Verifier]) -> tuple[str, frozenset[str]]:
    """The text of a note, and the names of those known who signed it: at least one, or NoteError.

    Unknown keys are ignored; one bad signature of a known key refuses the note.
    """
    text, signatures = _split(note)
    known: dict[tuple[str, bytes], Verifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) != verifier:
            raise NoteError("two known keys have the same name and the same key id")
    signed_by = set()
    for name, key_id, signature in signatures:
        if signer := known.get((name, key_id)):
            signer.verify(text, signature)
            signed_by.add(name)
    if not signed_by:
        raise NoteError("no key that we know has signed it")
    return text, frozenset(signed_by)


def open_checkpoint(note: str, verifiers: Iterable[Verifier]) -> Checkpoint:
    """The checkpoint of a note; raises NoteError unless the log that it speaks of is among its known signers."""
    text, signed_by = open_note(note, verifiers)
    checkpoint = Checkpoint.parse(text)
    if checkpoint.origin not in signed_by:
        raise NoteError("the log that the checkpoint speaks of has not signed it")
    return checkpoint


def _split(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """A note's text, and its signatures as (name, key id, signature); parted by the last blank line."""
    _check_text(note)
    head, parted, tail = note.rpartition("\n\n")
    lines = tail[:-1].split("\n")
    if not parted or not tail:
        raise NoteError("a note has a text, a blank line and signatures")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"a note with more than {MAX_SIGNATURES} signatures is refused")
    return head + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise NoteError("a signature line is a dash, a name and base64, parted by single spaces")
    _check_name(name)
    decoded = _exact_base64(encoded)
    if len(decoded) < 5:
        raise NoteError("a signature is too short to hold a key id")
    return name, decoded[:4], decoded[4:]


def _check_text(text: str) -> None:
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise NoteError("a note is valid Unicode") from None
    if length > MAX_NOTE_BYTES:
        raise NoteError(f"a note longer than {MAX_NOTE_BYTES} bytes is refused")
    if not text.endswith("\n") or _CONTROL.search(text):
        raise NoteError("a note consists of whole lines, ended by a newline alone, without control characters")


def _check_name(name: str) -> None:
    if not name or "+" in name or name.split() != [name] or _CONTROL.search(name):
        raise NoteError("a key's name is not empty and holds no space, no plus and no control character")


def _key_parts(text: str, *, secret: bool) -> tuple[str, str, bytes]:
    parts = text.split("+", 2)  # The name holds no plus; the base64 may.
    if len(parts) != 3:
        raise NoteError("a key is its name, its id in hex and its base64, joined by plus signs")
    key = _exact_base64(parts[2])
    if key[:1] != ED25519 or len(key) != 33:
        raise NoteError(f"this is not an Ed25519 {'private' if secret else 'public'} key")
    return parts[0], parts[1], key[1:]


def _exact_base64(text: str) -> bytes:
    """Decode standard base64 of the one right spelling: no other alphabet, no missing padding, no stray bits."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("this is not base64") from None
    if base64.b64encode(decoded).decode() != text:
        raise NoteError("this base64 is not of the one canonical spelling")
    return decoded
