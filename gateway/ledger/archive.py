"""The file that a bundle is: a zip of one form only, so that no two programs see different things in it.

Members are stored without compression, in one order, with one date (PKWARE APPNOTE 4.3). Knows nothing of what they hold.
"""

import hashlib
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import IO, NamedTuple

README, CHECKPOINT, PREVIOUS = "README.txt", "checkpoint.txt", "previous.txt"
ENTRIES, LEAVES, MANIFEST, NOTE = "entries.ndjson", "leaves.bin", "manifest.json", "manifest.note"
MEMBERS = (README, CHECKPOINT, PREVIOUS, ENTRIES, LEAVES, MANIFEST, NOTE)
MAX_BUNDLE_BYTES = 2**31 - 1  # Beyond, zip needs a second form of its headers.
MAX_MANIFEST_BYTES = 16 * 1024 * 1024


class BundleError(ValueError):
    """A bundle that does not prove what it claims, or cannot be read or written; the sentence says where and why."""


_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_MADE_BY, _DATE, _MODE = 3 << 8 | 20, 0x21, 0o100644 << 16  # Unix, zip 2.0; 1980-01-01, zip's first day; rw-r--r--


class Member(NamedTuple):
    """Where a member's bytes lie."""

    name: str
    start: int
    size: int
    crc: int

    def local(self) -> bytes:
        """The header before the bytes."""
        return (
            _LOCAL.pack(b"PK\3\4", 20, 0, 0, 0, _DATE, self.crc, self.size, self.size, len(self.name), 0) + self._name
        )

    def central(self) -> bytes:
        """The header in the directory at the end."""
        sizes = (self.crc, self.size, self.size, len(self.name), 0, 0, 0, 0, _MODE, self.start - len(self.local()))
        return _CENTRAL.pack(b"PK\1\2", _MADE_BY, 20, 0, 0, 0, _DATE, *sizes) + self._name

    @property
    def _name(self) -> bytes:
        return self.name.encode()


def _directory(members: Sequence[Member]) -> bytes:
    """The end of the file, which repeats what the headers said."""
    headers = b"".join(member.central() for member in members)
    start = members[-1].start + members[-1].size
    return headers + _END.pack(b"PK\5\6", 0, 0, len(members), len(members), len(headers), start, 0)


def read_directory(file: IO[bytes]) -> dict[str, Member]:
    length = os.fstat(file.fileno()).st_size
    if length > MAX_BUNDLE_BYTES:
        raise BundleError(f"the file is larger than a bundle can be ({MAX_BUNDLE_BYTES} bytes)")
    members: dict[str, Member] = {}
    while (header := file.read(_LOCAL.size))[:4] == b"PK\3\4":
        member = _read_member(file, header, members)
        if member.start + member.size > length:
            raise BundleError(f"the file is cut off within {member.name}")
        members[member.name] = member
        file.seek(member.start + member.size)
    missing = set(MEMBERS) - {PREVIOUS} - members.keys()
    if missing:
        raise BundleError(f"the file is no bundle, or is cut off: it lacks {', '.join(sorted(missing))}")
    if header + file.read(64 * 1024) != _directory(list(members.values())):
        raise BundleError("the zip directory is not as the gateway writes it: the file was changed or packed again")
    return members


def _read_member(file: IO[bytes], header: bytes, before: Mapping[str, Member]) -> Member:
    if len(header) < _LOCAL.size:
        raise BundleError("the file is cut off")
    _, _, _, method, _, _, crc, _, size, name_length, _ = _LOCAL.unpack(header)
    raw_name = file.read(min(name_length, 256))
    name = raw_name.decode("ascii", "replace")
    if name in before:
        raise BundleError(f"the file holds the member {name} twice")
    if name not in MEMBERS:
        raise BundleError(f"the file holds a member that does not belong into a bundle: {ascii(name)[:80]}")
    if method:
        raise BundleError(f"the member {name} is compressed; a bundle's members are stored as they are")
    member = Member(name, file.tell(), size, crc)
    if header + raw_name != member.local():
        raise BundleError(
            f"the zip header of {name} is not as the gateway writes it: the file was changed or packed again"
        )
    if before and MEMBERS.index(name) < MEMBERS.index(list(before)[-1]):
        raise BundleError(f"the member {name} stands in the wrong place: the file was packed again")
    return member


class ArchiveWriter:
    """Writes members one after the other, without compression, with a fixed date."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._done: list[Member] = []
        self.digests: dict[str, str] = {}

    def whole(self, name: str, content: bytes) -> None:
        """Write a member that is all there."""
        self.begin(name)
        self.write(content)
        self.end()

    def begin(self, name: str) -> None:
        """Begin a member whose size is not known yet."""
        self._member = Member(name, self._file.tell() + _LOCAL.size + len(name), 0, 0)
        self._digest = hashlib.sha256()
        self._file.write(self._member.local())

    def write(self, content: bytes) -> None:
        """Write on within the member."""
        name, start, size, crc = self._member
        self._member = Member(name, start, size + len(content), zlib.crc32(content, crc))
        if start + size + len(content) > MAX_BUNDLE_BYTES - MAX_MANIFEST_BYTES:
            raise BundleError("the entries are too many for one bundle: ask for a shorter period")
        self._digest.update(content)
        self._file.write(content)

    def end(self) -> None:
        """End the member: its header is written again, now that size and checksum are known."""
        member = self._member
        self._file.seek(member.start - len(member.local()))
        self._file.write(member.local())
        self._file.seek(0, os.SEEK_END)
        self._done.append(member)
        self.digests[member.name] = self._digest.hexdigest()

    def close(self) -> None:
        """Write the directory."""
        self._file.write(_directory(self._done))
        self._file.flush()
