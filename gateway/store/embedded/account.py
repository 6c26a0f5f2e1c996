"""As which unprivileged account the embedded server runs. Creates no account and changes no permission of any folder.

PostgreSQL refuses to run as root. A gateway that runs as root therefore starts it as an account that exists already;
any other gateway starts it as itself.
"""

from __future__ import annotations

import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from gateway.store.errors import EmbeddedRefused

_DEFAULTS = ("postgres", "nobody")


class _Switch(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """An account of this machine; `switched` when the gateway is root and the server is not."""

    uid: int
    gid: int
    name: str
    switched: bool

    def options(self) -> _Switch:
        """What `subprocess` needs to run something as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switched else {}

    def reaches(self, folder: Path) -> bool:
        """Whether the account can surely walk to a folder, going by the permissions that everybody has."""
        return not self.switched or all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents))


def choose(cluster: Path, wanted: str | None) -> Account:
    """Who owns the cluster's files; for new ones who is wanted, else the data folder's owner or a default; never root."""
    if sys.platform == "win32":
        raise EmbeddedRefused("The embedded database runs on Linux and macOS: set GATEWAY_DATABASE_URL to a PostgreSQL")
    own = os.geteuid()
    owner = cluster.stat().st_uid if cluster.exists() else None
    if own != 0:
        if owner is not None and owner != own:
            raise EmbeddedRefused(f"{cluster} belongs to {_named(owner).pw_name}: start the gateway as that account")
        return Account(own, os.getegid(), _named(own).pw_name, switched=False)
    if owner == 0:
        raise EmbeddedRefused(
            f"{cluster} belongs to root, as whom PostgreSQL does not run: give it to the account nobody"
        )
    entry = _named(owner) if owner is not None else _for_new(cluster.parent, wanted)
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name, switched=True)


def admitted(data_dir: Path) -> list[str]:
    """The accounts whose gateways may use the server: root, this one, and the owner of the gateway's own folder."""
    uids = {0, os.geteuid(), data_dir.stat().st_uid}
    return sorted({entry.pw_name for uid in uids if (entry := _entry(uid))})


def _for_new(data_dir: Path, wanted: str | None) -> pwd.struct_passwd:
    owner = _entry(data_dir.stat().st_uid)
    known = [_entry(name) for name in ((wanted,) if wanted else _DEFAULTS)]
    candidates = known if wanted else [owner, *known]
    for entry in candidates:
        if entry is not None and entry.pw_uid != 0:
            return entry
    raise EmbeddedRefused(
        f"PostgreSQL does not run as root, and there is no unprivileged account {wanted or ' or '.join(_DEFAULTS)}: "
        "name one that exists, or start the gateway as a user"
    )


def _named(uid: int) -> pwd.struct_passwd:
    entry = _entry(uid)
    if entry is None:
        raise EmbeddedRefused(
            f"The user id {uid} has no account on this machine, and PostgreSQL needs one: "
            "start the gateway as a user who has"
        )
    return entry


def _entry(account: int | str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(account) if isinstance(account, int) else pwd.getpwnam(account)
    except KeyError:
        return None
