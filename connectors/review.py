"""Read a connector's folder as its next reader will: is the manual whole, is every action shown by example and recording?

What the registry refuses never gets here; these are the things that a folder can load without and must not ship without.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from connectors.example import ExampleMissing, example_of
from connectors.folder import Connector
from connectors.registry import Registry

MANUAL: Final = ("## Recipient", "## What leaves", "## How to revoke", "## Known limits")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend: where, and what to do."""

    connector: str
    where: str
    fix: str

    def __str__(self) -> str:
        """As the command line prints it."""
        return f"{self.connector}: {self.where}: {self.fix}"


def check(registry: Registry) -> tuple[Finding, ...]:
    """Everything that is missing in any folder; nothing where all are whole."""
    return tuple(finding for connector in registry.connectors.values() for finding in review(connector))


def review(connector: Connector) -> Iterator[Finding]:
    """Everything that is missing in one folder."""
    for where, fix in (*_manual(connector), *_sandbox(connector), *_examples(connector), *_recordings(connector)):
        yield Finding(connector.id, where, fix)


def recordings(connector: Connector, name: str) -> Any:
    """What the folder recorded under tests/NAME.json; None where there is no such file."""
    file = connector.folder / "tests" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _manual(connector: Connector) -> Iterator[tuple[str, str]]:
    file = connector.folder / "README.md"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    for heading, body in ((heading, _below(text, heading)) for heading in MANUAL):
        if len(body.split()) < 5:
            yield "README.md", f"say more under the heading '{heading}'"
    if connector.manifest.recipient.legal_name not in _below(text, MANUAL[0]):
        yield "README.md", "name the recipient as the manifest does"
    for name in sorted(connector.actions):
        if f"`{name}`" not in _below(text, MANUAL[1]):
            yield "README.md", f"say what `{name}` sends under the heading '{MANUAL[1]}'"


def _below(text: str, heading: str) -> str:
    return text.partition(f"{heading}\n")[2].partition("\n## ")[0]


def _sandbox(connector: Connector) -> Iterator[tuple[str, str]]:
    if not (connector.folder / "sandbox.py").is_file():
        yield "sandbox.py", "write an emulator: the demo and the tests need one"


def _examples(connector: Connector) -> Iterator[tuple[str, str]]:
    for action in connector.actions.values():
        for shape in (action.shape, action.answer):
            try:
                shape.model.model_validate(example_of(shape))
                shape.model.model_validate(example_of(shape, optional=False))
            except ExampleMissing as missing:
                yield action.name, str(missing)
            except ValueError:
                yield action.name, f"the examples of {shape.model.__name__} do not fit together"


def _recordings(connector: Connector) -> Iterator[tuple[str, str]]:
    for name in sorted(name for name, action in connector.actions.items() if not action.elsewhere):
        held = recordings(connector, name) or {}
        for kind in ("good", "bad"):
            if not held.get(kind):
                yield f"tests/{name}.json", f"record at least one {kind} exchange"
    if connector.callback:
        seen = {given["type"] for each in recordings(connector, "callback") or () for given in each["gives"]}
        for missing in sorted(connector.callback.KNOWN - seen):
            yield "tests/callback.json", f"record an event of type {missing}"
