"""The short private folder of a running server: its socket, who may connect, and programs it could not reach elsewhere.

It lies outside the data folder because a socket's path may have only about a hundred bytes. Its name is kept in the
data folder, so that a server that is started again after a crash is found at the same address.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.store.embedded.account import Account, admitted
from gateway.store.embedded.binaries import Binaries, copy
from gateway.store.embedded.settings import PORT
from gateway.store.errors import EmbeddedRefused

_PREFIX = "gateway-pg-"
_LONGEST_SOCKET = 103  # bytes: macOS allows 104 with the closing zero, Linux 108
_HOSTS = "local all all peer map=gateway\n"


@dataclass(frozen=True, slots=True)
class Run:
    """A furnished run folder and the programs to use with it."""

    folder: Path
    binaries: Binaries


def socket_in(folder: Path) -> Path:
    """The socket's path."""
    return folder / f".s.PGSQL.{PORT}"


def noted(note: Path) -> Path | None:
    """The run folder that the note in the data folder names, when it still exists."""
    try:
        folder = Path(note.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return folder if folder.name.startswith(_PREFIX) and folder.is_dir() and not folder.is_symlink() else None


def furnish(note: Path, account: Account, binaries: Binaries) -> Run:
    """Make a run folder ready for a new server, the noted one if possible; raises EmbeddedRefused when none will do."""
    direct = binaries.run_as(account)
    for folder in _candidates(note, account):
        try:
            _fill(folder, admitted(note.parent))
            usable = binaries if direct else copy(binaries, folder / "programs")
            _give(folder, account)
            if direct or usable.run_as(account):
                _replace(note, str(folder))
                return Run(folder, usable)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
    raise EmbeddedRefused(
        f"No folder for temporary files is one that the account {account.name} can reach and run programs in: "
        "set TMPDIR to one, or start the gateway as a user other than root"
    )


def remove(note: Path) -> None:
    """Remove the run folder of a server that has stopped."""
    folder = noted(note)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    note.unlink(missing_ok=True)


def _candidates(note: Path, account: Account) -> Iterator[Path]:
    """Empty folders of our own, mode 0700: the noted one first, then new ones in the places for temporary files."""
    known = noted(note)
    if known is not None and _reclaim(known, account):
        yield known
    for place in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp", "/run", "/dev/shm")):  # noqa: S108
        parent = Path(place).resolve()
        longest = len(os.fsencode(socket_in(parent / (_PREFIX + "12345678"))))
        if longest <= _LONGEST_SOCKET and parent.is_dir() and account.reaches(parent):
            try:
                yield Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            except OSError:
                continue


def _reclaim(folder: Path, account: Account) -> bool:
    """Take a folder back from the account and empty it; False when it is not what the gateway made."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        state = os.fstat(descriptor)
        if state.st_uid not in (account.uid, os.geteuid()) or stat.S_IMODE(state.st_mode) != 0o700:
            return False
        if account.switched:
            os.fchown(descriptor, os.geteuid(), os.getegid())  # from here on the account cannot change what is inside
        for entry in os.scandir(descriptor):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.name, dir_fd=descriptor)
            else:
                os.unlink(entry.name, dir_fd=descriptor)
        return os.path.samestat(state, os.lstat(folder))
    finally:
        os.close(descriptor)


def _replace(note: Path, text: str) -> None:
    fresh = note.with_name(f"{note.name}.new")
    fresh.unlink(missing_ok=True)
    with fresh.open("x", encoding="utf-8") as file:  # follows no link that somebody laid
        file.write(text)
    fresh.replace(note)


def _give(folder: Path, account: Account) -> None:
    if account.switched:
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)


def _fill(folder: Path, names: list[str]) -> None:
    """Say who may connect. The files are readable to the server's account, the folder around them is closed to others."""
    lines = {"pg_hba.conf": _HOSTS, "pg_ident.conf": "".join(f'gateway "{name}" all\n' for name in names)}
    for name, text in lines.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
