"""Every rule for every connector folder that is found, and for the echo. A new folder needs nothing here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.folder import HERE, Connector
from connectors.registry import Registry
from tests.conformance.rules import obey, rules

ECHO_ROOT = Path(__file__).parent / "echo_root"
OAUTH_ROOT = Path(__file__).parent / "oauth_root"
FOUND = Registry.load([HERE, ECHO_ROOT, OAUTH_ROOT])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.__name__.removeprefix("rule_"))
@pytest.mark.parametrize("connector", FOUND.connectors.values(), ids=lambda connector: connector.id)
async def test_a_connector_keeps(connector: Connector, rule: Callable[..., Any]) -> None:
    await obey(rule, connector)


def test_the_echo_is_found_only_where_its_root_is_named() -> None:
    assert "echo/echo" in FOUND.connectors
    assert "echo/echo" not in Registry.load().connectors
