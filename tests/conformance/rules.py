"""Every rule that a connector must keep; a new folder is tried by all of them, and there is no list to edit.

A rule is a function `rule_...` of a file `rules_*.py` here. It takes a connector and raises AssertionError.
"""

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connectors.folder import Connector

Rule = Callable[[Connector], Any]


def rules() -> list[Rule]:
    """Every rule there is, in the order of files and names."""
    files = sorted(path.stem for path in Path(__file__).parent.glob("rules_*.py"))
    modules = [importlib.import_module(f"tests.conformance.{name}") for name in files]
    return [rule for module in modules for name, rule in sorted(vars(module).items()) if name.startswith("rule_")]


async def obey(rule: Rule, connector: Connector) -> None:
    """Hold one connector to one rule."""
    held = rule(connector)
    if inspect.isawaitable(held):
        await held
