"""The embedded server's files: where a data folder keeps what, and how a new cluster comes to be. Starts no server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway.store.embedded.account import Account
from gateway.store.embedded.binaries import ENVIRONMENT, MAJOR, Binaries
from gateway.store.embedded.lock import FileLock
from gateway.store.embedded.settings import DATABASE, USER
from gateway.store.errors import EmbeddedRefused

# One gateway at a time starts or stops; all that use the server share `users`; the server's tasks share `server`.
LOCKS = ("start", "users", "server")

_CAUSE = re.compile(r"(FATAL|PANIC|ERROR|error):.*")
_ADVICE = {
    "No space left on device": "the disk is full, make room",
    "Check free disk space": "the disk is full, make room",
    "Disk quota exceeded": "the disk quota is used up, make room",
    "Read-only file system": "the data folder's file system is read-only, mount it writable",
    "Permission denied": "files in the data folder belong to somebody else, give them back to the server's account",
    "invalid permissions": "the folder `postgres` in the data folder is open to others, set its mode to 0700",
    "still in use": "tasks of a crashed server still run, end them",
    "already exists": "a server that the gateway did not start uses this data folder, stop it",
    "incompatible with server": "another version of PostgreSQL wrote these files, use that one or another data folder",
    "could not locate a valid checkpoint record": "the data folder is damaged, restore it from a backup",
    "Cannot allocate memory": "there is not enough memory, free some",
}


@dataclass(frozen=True, slots=True)
class Files:
    """Where a data folder keeps what."""

    data_dir: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own files, owned by the server's account."""
        return self.data_dir / "postgres"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.data_dir / "postgres.log"

    @property
    def note(self) -> Path:
        """The name of the run folder."""
        return self.data_dir / "postgres.run"

    def lock(self, name: str) -> Path:
        """One of the three lock files."""
        return self.data_dir / f"postgres.{name}.lock"

    def leave_to_owner(self) -> None:
        """Let the owner of the data folder use what root has made in it: a start as root locks nobody out."""
        if os.geteuid() == 0:
            owner = self.data_dir.stat()
            for path in filter(os.path.lexists, (self.log, self.note, *map(self.lock, LOCKS))):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def exists(files: Files) -> bool:
    """Whether there is a cluster; raises EmbeddedRefused when this PostgreSQL cannot use it."""
    if not files.cluster.exists():
        return False
    try:
        version = (files.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise EmbeddedRefused(
            f"{files.cluster} holds no PostgreSQL database: restore it from a backup, or name another data folder"
        ) from None
    if version != MAJOR:
        raise EmbeddedRefused(
            f"{files.cluster} was written by PostgreSQL {version}, this gateway brings {MAJOR}: dump it with the "
            "version that wrote it and restore the dump here, or name another data folder"
        )
    return True


def create(files: Files, account: Account, binaries: Binaries) -> None:
    """Make the cluster with its database; a cluster half made never carries the real name."""
    making = files.cluster.with_name("postgres.new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    if account.switched:
        os.chown(making, account.uid, account.gid, follow_symlinks=False)
    where = seen_as(making, account)
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    access = (f"--username={USER}", "--auth-local=peer", "--auth-host=reject", "--no-instructions")
    with closing(FileLock(files.lock("server"))) as lock:  # whoever comes after a kill waits for these, too
        lock.share()
        _run([str(binaries.initdb), "-D", where, *locale, *access], making, account=account, lock=lock)
        single = [str(binaries.postgres), "--single", "-D", where, "template1"]
        _run(single, making, account=account, lock=lock, statement=f"CREATE DATABASE {DATABASE};\n")
    making.rename(files.cluster)


def seen_as(cluster: Path, account: Account) -> str:
    """The path by which the server is told its cluster.

    An account that a root gateway has switched to may not be able to walk there: the project may lie in a folder that
    is closed to others. The gateway therefore puts each program into the folder before it gives up being root, and
    tells it to work on its current folder; that needs no permission on the way.
    """
    return "/proc/self/cwd" if account.switched and Path("/proc/self/cwd").exists() else str(cluster)


def refusal(said: str, log: Path | None = None) -> EmbeddedRefused:
    """The error for what a program said when it failed: what to do, and the first line that names a cause."""
    causes = [line[match.start() :] for line in said.splitlines() if (match := _CAUSE.search(line))]
    cause = causes[0] if causes else "nothing"
    advice = next((text for needle, text in _ADVICE.items() if needle in said), "see what PostgreSQL said")
    where = f" (log: {log})" if log else ""
    return EmbeddedRefused(f"The embedded database does not start: {advice}; PostgreSQL said: {cause}{where}")


def _run(command: list[str], folder: Path, *, account: Account, lock: FileLock, statement: str = "") -> None:
    result = subprocess.run(  # noqa: S603
        command,
        cwd=folder,
        env=ENVIRONMENT,
        input=statement,
        capture_output=True,
        text=True,
        errors="replace",
        umask=0o077,
        start_new_session=True,
        pass_fds=(lock.descriptor,),
        check=False,
        **account.options(),
    )
    if result.returncode != 0 or "ERROR:" in result.stderr:
        raise refusal(result.stderr)
