"""The layers and rules of the house, and where the code leaves its room. Runs nothing that it reads.

A layer is derived from a file's path, so a new file needs a place in the table or a folder that has one. There is no
list of exceptions: a rule that does not fit is changed here, for everybody.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from tests.source import Module, Reach, texts

TOPS = ("scopes", "connectors", "gateway")
COMPOSITION = 6
# First match wins; `*` spans folders.
LAYERS = (
    (0, "scopes/*.py"),
    # A package that only has a docstring: everything below it passes through it.
    (0, "gateway/__init__.py connectors/__init__.py gateway/ledger/__init__.py"),
    (0, "gateway/ledger/merkle.py gateway/ledger/checkpoint.py gateway/ledger/entry.py"),
    (0, "gateway/ledger/archive.py gateway/ledger/bundle.py gateway/ledger/verify.py"),
    (1, "connectors/contract.py connectors/errors.py connectors/manifest.py connectors/message.py connectors/wire.py"),
    (1, "connectors/parts.py connectors/oauth.py connectors/sandbox_oauth.py"),
    (1, "connectors/network.py connectors/told.py connectors/records.py"),
    (1, "connectors/example.py connectors/checks.py"),
    (1, "gateway/errors.py gateway/config.py gateway/log.py gateway/calls.py gateway/ids.py gateway/store/*.py"),
    (1, "gateway/webhooks/signing.py"),
    (1, "gateway/metrics.py gateway/bursts.py gateway/spelling.py"),
    (3, "connectors/registry.py connectors/folder.py connectors/review.py connectors/scaffold*.py"),
    (2, "connectors/*/*.py gateway/vault.py gateway/vault/*.py gateway/ledger/*.py"),
    (3, "gateway/connections.py gateway/connections/*.py gateway/egress.py gateway/egress/*.py"),
    (
        3,
        "gateway/subjects.py gateway/callers.py gateway/callers/*.py gateway/consents.py gateway/contacts.py "
        "gateway/watches.py",
    ),
    (3, "gateway/agreements.py gateway/tallies.py gateway/templates.py"),
    (3, "gateway/webhooks/*.py gateway/people/*.py"),
    (3, "gateway/callbacks.py gateway/callback_keys.py"),
    (3, "gateway/oauth/*.py gateway/network/*.py gateway/records/*.py"),
    (4, "gateway/flows/*.py"),
    (5, "gateway/jobs.py"),
    (
        6,
        "gateway/cli.py gateway/cli_people.py gateway/cli_clients.py gateway/cli_abdm.py gateway/app.py gateway/serve.py "
        "gateway/keyfiles.py gateway/demo.py "
        "gateway/demo_texts.py gateway/demo_network.py gateway/cli_conformance.py "
        "gateway/demo/*.py gateway/doctor.py gateway/example.py",
    ),
    (5, "gateway/web/*.py"),
)
# What else a room may import, where that is fixed; everything else may import any package.
THIRD_PARTIES = (
    ("scopes/*.py", {"pydantic", "pydantic_core"}),
    ("gateway/ledger/__init__.py", set[str]()),
    ("gateway/ledger/merkle.py", {"cryptography", "orjson"}),
    ("gateway/ledger/checkpoint.py", {"cryptography", "orjson"}),
    ("gateway/ledger/entry.py", {"cryptography", "orjson"}),
    ("gateway/ledger/archive.py", set[str]()),
    ("gateway/ledger/bundle.py", {"cryptography", "orjson"}),
    ("gateway/ledger/verify.py", {"cryptography", "orjson"}),
)
# (why, importing files, imported modules)
NEVER = (
    ("a connector knows nothing of the gateway", "connectors/*", "gateway"),
    ("an auditor's page cannot send", "gateway/web/auditor*", "gateway.flows.broker gateway.egress gateway.vault"),
    ("a page does not read rows", "gateway/web/settings* gateway/web/vendors* gateway/web/auditor*", "gateway.store"),
    (
        "rules are pure: no I/O, no clock, no chance",
        "scopes/*",
        "os io pathlib socket ssl time random secrets asyncio subprocess threading logging sqlite3 urllib http "
        "tempfile shutil builtins.open builtins.print builtins.input datetime.datetime.now datetime.datetime.utcnow "
        "datetime.datetime.today datetime.date.today uuid.uuid1 uuid.uuid4",
    ),
)
VAULT_USERS = "gateway/vault* gateway/connections* gateway/egress*"
HTTP_CLIENTS = (
    "aiohttp requests urllib.request http.client pycurl curl urllib3 httpx httpcore httpcore2 "
    "google.auth.transport.requests google.auth.transport.urllib3 google.auth.transport.aiohttp_requests "
    "httpx2.Client httpx2.AsyncClient httpx2.HTTPTransport httpx2.AsyncHTTPTransport httpx2.request httpx2.stream "
    "httpx2.get httpx2.post httpx2.put httpx2.patch httpx2.delete httpx2.head httpx2.options"
)
# A sentence for a person begins with one capital; a statement has none there, or only capitals.
SQL = re.compile(
    r"""^\s*(?:--[^\n]*\n\s*)*(?:
    select\s.*\sfrom\s | select\s+(?:\d|\w+\() | insert\s+into\s | update\s+[\w.]+\s+(?:as\s+\w+\s+)?set\s
    | delete\s+from\s | with\s+(?:recursive\s+)?\w+\s+as\s*\( | truncate\s+(?:table\s|\w+$)
    | (?:create|alter|drop)\s+(?:table|index|role|policy|schema|function|trigger|database|view|type|sequence)\s
    | (?:grant|revoke)\s.*\s(?:to|from)\s | set\s+(?:local|session|role)\s | copy\s+\w+\s+(?:from|to)\s
    | lock\s+table\s | (?:begin|commit|rollback)\s*;?\s*$ | (?:listen|notify)\s+\w+
    )""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Fault:
    """One place where the code leaves its room."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        """As an editor reads it."""
        return f"{self.path}:{self.line}: {self.what}"


class House:
    """The files below a root, tests left out."""

    def __init__(self, root: Path) -> None:
        """Read them all."""
        files = [file for top in TOPS for file in sorted((root / top).rglob("*.py"))]
        paths = {file.relative_to(root).as_posix(): file for file in files}
        found = [
            Module(path, file.read_text(encoding="utf-8"))
            for path, file in paths.items()
            if "tests" not in path.split("/")
        ]
        self.modules = {module.name: module for module in found}
        manifests = (root / "connectors").rglob("manifest.toml")
        self.connectors = {file.parent.relative_to(root).as_posix() for file in manifests}

    def module_of(self, reach: Reach) -> Module | None:
        """The module of ours that a name lies in."""
        name = reach.name
        while name and name not in self.modules:
            name = name.rpartition(".")[0]
        return self.modules.get(name)

    def room(self, module: Module) -> str:
        """The folder within which a layer may use itself: a connector's whole folder, or the file's own."""
        owners = [folder for folder in self.connectors if inside(module.folder, folder)]
        return max(owners, key=len, default=module.folder)


def faults(root: Path) -> list[Fault]:
    """Every place below the root where the code leaves its room, each once."""
    house = House(root)
    found = {fault: None for module in house.modules.values() for fault in faults_of(house, module)}
    return sorted(found, key=lambda fault: (fault.path, fault.line, fault.what))


def faults_of(house: House, module: Module) -> Iterator[Fault]:
    """The faults of one module."""
    if layer_of(module) is None:
        yield Fault(module.path, 1, "has no layer: give it one in tests/rooms.py or move it")
    for reach in module.reaches():
        target = house.module_of(reach)
        own = reach.name.partition(".")[0] in TOPS
        for what in against_layers(house, module, target) if target else ():
            yield Fault(module.path, reach.line, what)
        for what in () if own else against_third_parties(module, reach):
            yield Fault(module.path, reach.line, what)
        for what in against_rules(module, reach):
            yield Fault(module.path, reach.line, what)
    for line, what in against_texts(house, module):
        yield Fault(module.path, line, what)


def against_layers(house: House, module: Module, target: Module) -> Iterator[str]:
    """An import points down; on one layer it stays in the room or goes to the room around it."""
    here, there = layer_of(module), layer_of(target)
    if here is None or there is None or module is target:
        return
    if there > here:
        yield f"layer {here} imports {target.name} of layer {there}"
    elif there == here and not inside(house.room(module), house.room(target)):
        yield f"layer {here} imports {target.name} of the same layer in another room"
    beside = inside(module.folder, target.folder) or house.room(module) == house.room(target)
    plays_along = is_sandbox(module) and beside
    if is_sandbox(target) and not plays_along and not matches(module.path, "gateway/demo.py gateway/demo/*"):
        yield f"only the demo and tests import {target.name}"
    if matches(target.path, "connectors/*/*") and module.path.startswith("gateway/") and here < COMPOSITION:
        yield f"the gateway knows no connector by name, and imports {target.name}"


def against_third_parties(module: Module, reach: Reach) -> Iterator[str]:
    """Where the list of packages is fixed, nothing else is imported."""
    top = reach.name.partition(".")[0]
    for pattern, allowed in THIRD_PARTIES:
        if matches(module.path, pattern) and top not in sys.stdlib_module_names and top not in allowed:
            yield f"imports {top}; here only {', '.join(['the standard library', *sorted(allowed)])}"


def against_rules(module: Module, reach: Reach) -> Iterator[str]:
    """The rules that are no matter of layers."""
    for why, paths, names in NEVER:
        if matches(module.path, paths) and reach.within(names):
            yield f"{why}: {reach.name}"
    if "tests" in reach.name.split(".") and reach.name.partition(".")[0] in ("tests", *TOPS):
        yield f"code does not import its tests: {reach.name}"
    may_open = layer_of(module) == COMPOSITION or matches(module.path, VAULT_USERS)
    if reach.within("gateway.vault") and not may_open:
        yield "only connections and egress open the vault"
    if reach.within(HTTP_CLIENTS) and not is_sandbox(module) and not matches(module.path, "gateway/egress*"):
        yield f"egress is the only door out: {reach.name}"


def against_texts(house: House, module: Module) -> Iterator[tuple[int, str]]:
    """SQL stays in the store, and no flow says which connector it means."""
    for line, text in texts(module.tree):
        if reads_as_sql(text) and not module.path.startswith("gateway/store/"):
            yield line, f"SQL outside the store: {text.strip()[:40]!r}"
        named = [folder for folder in house.connectors if folder.removeprefix("connectors/") in text.split()]
        if named and module.path.startswith("gateway/flows/"):
            yield line, f"a flow names the connector {named[0]}"


def reads_as_sql(text: str) -> bool:
    """Whether a string is a statement, in small letters or with its first word in capitals."""
    words = text.split(maxsplit=1)
    return bool(words) and SQL.match(text.lower() if words[0].isupper() else text) is not None


def matches(path: str, patterns: str) -> bool:
    """Whether a path fits one of the patterns."""
    return any(fnmatch(path, pattern) for pattern in patterns.split())


def inside(folder: str, outer: str) -> bool:
    """Whether a folder is another or lies in it."""
    return folder == outer or folder.startswith(f"{outer}/")


def layer_of(module: Module) -> int | None:
    """How far down a file is; nothing when the table has no place for it."""
    return next((layer for layer, patterns in LAYERS if matches(module.path, patterns)), None)


def is_sandbox(module: Module) -> bool:
    """Whether a file plays a vendor, or lies in a folder that does: never part of what runs for a clinic."""
    path = PurePosixPath(module.path)
    return module.path.startswith("connectors/") and (path.name.startswith("sandbox") or "simulator" in path.parts)
