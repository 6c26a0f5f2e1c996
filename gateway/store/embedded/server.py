"""One running PostgreSQL on one cluster: launch it, look at it, stop it. Knows of no gateway that uses it.

The server inherits a lock file that it holds as long as any of its tasks lives. That is how it is known to be alive: a
pid file may be left over from a crash, name another program after a reboot, or have been copied with the folder.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from gateway.store.embedded.account import Account
from gateway.store.embedded.binaries import ENVIRONMENT
from gateway.store.embedded.cluster import Files, refusal, seen_as
from gateway.store.embedded.lock import FileLock, held
from gateway.store.embedded.run import Run, socket_in
from gateway.store.embedded.settings import SERVER, EmbeddedSettings
from gateway.store.errors import EmbeddedRefused

_POLL_SECONDS = 0.005
_IMMEDIATE_SECONDS = 10
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # the one question that is answered before saying who one is
_NEVER_A_PID = "2147483647"
_LOG_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pid:
    """What postmaster.pid says."""

    number: int
    folder: Path
    ready: bool


def alive(files: Files) -> bool:
    """Whether any task of the server lives."""
    return held(files.lock("server"))


def read_pid(files: Files) -> Pid | None:
    """The pid file, or None while there is none that is complete."""
    try:
        lines = (files.cluster / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        return Pid(int(lines[0]), Path(lines[4]), lines[7].strip() == "ready")
    except (FileNotFoundError, IndexError, ValueError):
        return None


def answers(pid: Pid) -> bool:
    """Whether a server answers at the socket; one that was just killed still accepts connections for a moment."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(socket_in(pid.folder)))
            probe.sendall(_SSL_REQUEST)
            return probe.recv(1) in (b"N", b"S")
        except OSError:
            return False


def launch(files: Files, account: Account, run: Run, settings: EmbeddedSettings) -> None:
    """Start the server in a session of its own, which no signal to the gateway reaches, and wait until it is ready."""
    _retire_foreign_pid(files)
    if files.log.exists() and files.log.stat().st_size > _LOG_BYTES:
        files.log.replace(files.log.with_suffix(".log.1"))
    lock, folder = FileLock(files.lock("server")), FileLock(run.folder)  # cleaners of /tmp pass by a locked folder
    log = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        before = os.fstat(log).st_size
        if not (lock.share() and folder.share()):
            raise EmbeddedRefused("Something else is looking at the embedded database's locks: start again")
        child = subprocess.Popen(  # noqa: S603
            _command(files, account, run, settings),
            cwd=files.cluster,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=0o077,
            pass_fds=(lock.descriptor, folder.descriptor),
            **account.options(),
        )
    finally:
        lock.close()
        folder.close()
        os.close(log)
    _wait_until_ready(files, child, log_from=before, seconds=settings.start_seconds)
    # Somebody has to hear of the server's end, or it would stay a zombie until the gateway ends.
    threading.Thread(target=child.wait, name="postgres-end", daemon=True).start()


def stop(files: Files, settings: EmbeddedSettings) -> None:
    """Stop the server: open transactions are rolled back, everything is written; at worst it recovers at next start."""
    for wish, seconds in ((signal.SIGINT, settings.stop_seconds), (signal.SIGQUIT, _IMMEDIATE_SECONDS)):
        pid = read_pid(files)
        if pid is not None and alive(files) and _is_postgres(pid):
            with suppress(ProcessLookupError):
                os.kill(pid.number, wish)
        deadline = time.monotonic() + seconds
        while alive(files) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    if alive(files):
        raise EmbeddedRefused(f"The embedded database does not stop: end its tasks by hand (log: {files.log})")


def _command(files: Files, account: Account, run: Run, settings: EmbeddedSettings) -> list[str]:
    placed = {
        "unix_socket_directories": '"' + str(run.folder).replace('"', '""') + '"',  # a list; quotes keep it one
        "hba_file": str(run.folder / "pg_hba.conf"),
        "ident_file": str(run.folder / "pg_ident.conf"),
    }
    command = [str(run.binaries.postgres), "-D", seen_as(files.cluster, account)]
    for name, value in {**SERVER, **placed, **settings.server}.items():
        command += ["-c", f"{name}={value}"]
    return command


def _wait_until_ready(files: Files, child: subprocess.Popen[bytes], *, log_from: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        pid = read_pid(files)
        if pid is not None and pid.number == child.pid and pid.ready:
            return
        if child.poll() is not None:
            with files.log.open("rb") as log:
                log.seek(log_from)
                raise refusal(log.read().decode(errors="replace"), files.log)
        if time.monotonic() > deadline:
            raise EmbeddedRefused(
                f"The embedded database is not ready after {seconds:.0f} seconds and goes on recovering: "
                f"start again in a while (log: {files.log})"
            )
        time.sleep(_POLL_SECONDS)


def _is_postgres(pid: Pid) -> bool:
    """Whether the pid is that of a PostgreSQL that was told to use the run folder that the pid file names."""
    try:
        program = psutil.Process(pid.number)
        return program.name().startswith("postgres") and any(str(pid.folder) in part for part in program.cmdline())
    except psutil.Error:
        return False


def _retire_foreign_pid(files: Files) -> None:
    """Make a pid file that names a living program which is not this server name one that cannot live.

    PostgreSQL would take that program for a server and not start. The rest of the file stays, and with it PostgreSQL's
    own second check, whether anybody still has the shared memory of the old server.
    """
    path = files.cluster / "postmaster.pid"
    pid = read_pid(files)
    if pid is None or not psutil.pid_exists(pid.number) or _is_postgres(pid):
        return
    _, _, rest = path.read_text(encoding="utf-8", errors="replace").partition("\n")
    owner = path.stat()
    fresh = path.with_name("postmaster.pid.new")
    fresh.unlink(missing_ok=True)
    # The folder belongs to the server's account: create anew, follow no link, replace by name.
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{_NEVER_A_PID}\n{rest}")
        if os.geteuid() == 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    fresh.replace(path)
