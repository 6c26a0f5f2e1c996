"""`gateway clients`: an operator registers the gateway at vendors; no secret is shown again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors import registry
from tests.gateway.oauth.house import OAUTH_ROOT
from tests.gateway.test_cli_issuer import Terminal


@pytest.fixture
def terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, fresh_dsn: str
) -> Terminal:
    """A terminal at a gateway that has the tests' connectors too."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", fresh_dsn)
    terminal = Terminal(monkeypatch, capsys, tmp_path)
    load = registry.Registry.load

    def with_ours(roots: Any = (registry.HERE,)) -> Any:
        return load([*roots, OAUTH_ROOT])

    monkeypatch.setattr(registry.Registry, "load", with_ours)
    assert terminal.run("keys", "new")[0] == 0
    return terminal


def test_a_registration_is_made_replaced_listed_and_destroyed(terminal: Terminal, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the-secret-of-the-vendor\n")
    code, said = terminal.run("clients", "add", "plan/calendar", "--client-id", "one", "--secret-file", str(secret))
    assert (code, "GATEWAY_PUBLIC_URL/oauth/callback" in said) == (0, True), said
    assert terminal.run("clients", "list") == (0, "plan/calendar one")
    assert terminal.run("clients", "add", "plan/calendar", "--client-id", "two", "--secret-file", str(secret))[0] == 0
    listed = terminal.run("clients", "list")
    assert listed == (0, "plan/calendar two")
    assert terminal.run("clients", "remove", "plan/calendar")[0] == 0
    assert terminal.run("clients", "list") == (0, "")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["plan/calendar", "--client-id", "one"], "give a secret"),
        (["payments/stripe", "--client-id", "one"], "with a key"),
        (["plan/calender", "--client-id", "one"], "plan/calendar"),
        (["plan/calendar", "--client-id", " "], "must be the id"),
    ],
)
def test_what_cannot_be_registered_is_refused_in_one_line(terminal: Terminal, words: list[str], why: str) -> None:
    code, said = terminal.run("clients", "add", *words)
    assert code == 1
    assert why in said
    assert len(said.splitlines()) == 1
