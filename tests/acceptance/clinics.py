"""What an operator does before a clinic can call: a tenant and its key, by the command line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from scopes.scope import Area, Verb
from tests.acceptance.programs import run


class Prepared(NamedTuple):
    """A data folder with a clinic in it."""

    folder: Path
    tenant: str
    api_key: str

    @property
    def headers(self) -> dict[str, str]:
        """Who calls."""
        return {"authorization": f"Bearer {self.api_key}"}


async def prepared(folder: Path) -> Prepared:
    """Make a clinic and a key that may do everything."""
    tenant = await run("tenant", "create", "a clinic", "--data", folder)
    assert tenant.code == 0, tenant.err
    scopes = [word for area in Area for verb in Verb for word in ("--scope", f"{area}:{verb}")]
    key = await run("key", "create", tenant.out.strip(), *scopes, "--data", folder)
    assert key.code == 0, key.err
    return Prepared(folder, tenant.out.strip(), key.out.strip())
