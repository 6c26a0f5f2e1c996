"""File locks that the kernel frees when their holder dies, however it dies. Lock files are made once and stay."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.store.errors import EmbeddedRefused

_POLL_SECONDS = 0.02


class FileLock:
    """An flock on a file or folder: shared by many, or one's alone; children that inherit `descriptor` hold it too."""

    def __init__(self, path: Path) -> None:
        how = os.O_RDONLY | os.O_DIRECTORY if path.is_dir() else os.O_RDWR | os.O_CREAT
        self.descriptor = os.open(path, how | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def share(self) -> bool:
        """Hold the lock together with others; False while somebody holds it alone."""
        return self._try(fcntl.LOCK_SH)

    def take(self) -> bool:
        """Hold the lock alone; False while somebody else holds it. A share of one's own is given up either way."""
        return self._try(fcntl.LOCK_EX)

    def close(self) -> None:
        """Let go, unless a child has inherited the lock: then it lasts as long as the child."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _try(self, how: int) -> bool:
        try:
            fcntl.flock(self.descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def alone(path: Path, seconds: float) -> Iterator[None]:
    """Hold a lock alone for a block; raises EmbeddedRefused when it is not to be had in time."""
    lock = FileLock(path)
    try:
        deadline = time.monotonic() + seconds
        while not lock.take():
            if time.monotonic() > deadline:
                raise EmbeddedRefused(
                    f"Another gateway has been starting or stopping the database for {seconds:.0f} seconds: "
                    f"end that one, then start again (lock file: {path})"
                )
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        lock.close()


def held(path: Path) -> bool:
    """Whether anybody holds the lock."""
    lock = FileLock(path)
    try:
        return not lock.take()
    finally:
        lock.close()
