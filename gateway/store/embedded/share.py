"""A gateway's share in the PostgreSQL server of a data folder: one server per folder, for all gateways that use it.

The server outlives a gateway that is killed; the next one adopts it. The last gateway that stops stops the server. It
speaks through a Unix socket only, in a folder of mode 0700, and asks the kernel who is at the other end (`peer`): only
root and the owner of the data folder get in, so that neither a password nor trust in the folder's mode is needed.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from gateway.store.embedded import cluster, run, server
from gateway.store.embedded.account import choose
from gateway.store.embedded.binaries import full_disk, installed
from gateway.store.embedded.cluster import Files
from gateway.store.embedded.lock import FileLock, alone
from gateway.store.embedded.settings import DATABASE, PORT, USER, EmbeddedSettings
from gateway.store.errors import EmbeddedRefused

_POLL_SECONDS = 0.02
_SILENT_SECONDS = 5.0  # how long a server that is ready may leave its socket unanswered


class Embedded:
    """A share in the server of one data folder; `adopted` when it ran already."""

    def __init__(self, files: Files, settings: EmbeddedSettings) -> None:
        self.adopted = False
        self._files = files
        self._settings = settings
        self._share = FileLock(files.lock("users"))
        self._folder = Path()

    @classmethod
    def start(cls, data_dir: Path, *, settings: EmbeddedSettings | None = None) -> Embedded:
        """Start or adopt the server of a folder and wait until it is ready; blocks, and raises EmbeddedRefused."""
        data_dir = data_dir.absolute()
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            embedded = cls(Files(data_dir), settings or EmbeddedSettings())
            try:
                embedded.revive()
            except BaseException:
                embedded._share.close()
                raise
        except OSError as error:
            raise _refusal(error, data_dir) from error
        return embedded

    def dsn(self, database: str = DATABASE, user: str = USER) -> str:
        """The address of a database on this server."""
        return f"postgresql://{quote(user)}@/{quote(database)}?host={quote(str(self._folder))}&port={PORT}"

    @property
    def alive(self) -> bool:
        """Whether any task of the server lives."""
        return server.alive(self._files)

    def revive(self) -> None:
        """Make sure that the server runs, at the address that it had."""
        with alone(self._files.lock("start"), self._settings.start_seconds + self._settings.stop_seconds):
            try:
                self.adopted = self._adopt()
                if not self.adopted:
                    self._launch()
            finally:
                self._share.share()  # to ask whether one is alone gives one's share up
            pid = server.read_pid(self._files)
            if pid is None:
                raise EmbeddedRefused(
                    f"The embedded database ended as it started: start again (log: {self._files.log})"
                )
            self._folder = pid.folder
            self._files.leave_to_owner()

    def stop(self) -> None:
        """Give up this share; the last one stops the server. Stopping twice is harmless."""
        if self._share.descriptor < 0:
            return
        with alone(self._files.lock("start"), self._settings.start_seconds + self._settings.stop_seconds):
            try:
                if self._share.take():
                    server.stop(self._files, self._settings)
                    run.remove(self._files.note)
            finally:
                self._share.close()

    def __enter__(self) -> Embedded:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _adopt(self) -> bool:
        """Wait for a server that lives to be ready; False when none does, or when it had to be stopped."""
        began = time.monotonic()
        while server.alive(self._files):
            pid = server.read_pid(self._files)
            if pid is not None and pid.ready and server.answers(pid):
                return True
            waited = time.monotonic() - began
            if pid is not None and pid.ready and waited > _SILENT_SECONDS and self._share.take():
                server.stop(self._files, self._settings)  # its socket was removed, and nobody else uses it
            elif waited > self._settings.start_seconds:
                raise EmbeddedRefused(
                    f"The embedded database lives but does not answer after {waited:.0f} seconds: "
                    f"start again in a while, or stop it by hand (log: {self._files.log})"
                )
            time.sleep(_POLL_SECONDS)
        return False

    def _launch(self) -> None:
        account = choose(self._files.cluster, self._settings.account)
        made = cluster.exists(self._files)
        try:
            furnished = run.furnish(self._files.note, account, installed())
            if not made:
                cluster.create(self._files, account, furnished.binaries)
            server.launch(self._files, account, furnished, self._settings)
        except BaseException:
            # Gateways that had the server before it died know the folder's name, and wait for it to come back.
            had_it = self._folder != Path()
            if not had_it and not server.alive(self._files) and self._share.take():
                run.remove(self._files.note)
            raise


def _refusal(error: OSError, data_dir: Path) -> EmbeddedRefused:
    if full_disk(error):
        return EmbeddedRefused(f"The disk with {data_dir} is full: make room and start again")
    if error.errno == errno.EPERM and os.geteuid() == 0:
        return EmbeddedRefused(
            "This root may not act for another account (it lacks the capabilities CHOWN, SETUID or SETGID): "
            "start the gateway as a user"
        )
    if isinstance(error, PermissionError):
        return EmbeddedRefused(
            f"This account may not use {error.filename or data_dir}: "
            "start the gateway as the account that owns the data folder, or name another folder"
        )
    return EmbeddedRefused(f"The data folder {data_dir} cannot be used: {error.strerror or error} ({error.filename})")
