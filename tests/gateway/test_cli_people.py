"""`gateway person` and `gateway oidc`: an operator lets people in."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from tests.gateway.test_cli_issuer import Terminal


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, dsn: str) -> Terminal:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", dsn)
    monkeypatch.setenv("GATEWAY_PUBLIC_URL", "https://gateway.example/under")
    terminal = Terminal(monkeypatch, capsys, tmp_path)
    assert terminal.run("keys", "new")[0] == 0
    return terminal


def test_an_invitation_is_a_link_at_the_public_address(terminal: Terminal) -> None:
    clinic = terminal.run("tenant", "create", "a clinic")[1]
    email = f"{uuid4().hex[:8]}@clinic.example"
    code, link = terminal.run("person", "invite", clinic, email, "--role", "auditor")
    assert code == 0
    assert link.startswith("https://gateway.example/under/invitation?token=")
    assert email not in link


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("person", "invite", str(uuid4()), "a@b.example"), "there is no such tenant"),
        (("person", "reset", "nobody.here@clinic.example"), "no account has this address"),
        (("person", "reset", "nobody"), "Write an e-mail address"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(terminal: Terminal, words: tuple[str, ...], said: str) -> None:
    code, printed = terminal.run(*words)
    assert code == 1
    assert said in printed
    assert "Traceback" not in printed


def test_a_clinics_own_sign_in_is_registered_under_one_address(terminal: Terminal, tmp_path: Path) -> None:
    clinic = terminal.run("tenant", "create", "a clinic")[1]
    secret = tmp_path / "secret"
    secret.write_text("the client's secret\n")
    words = ("oidc", "add", clinic, "--issuer", "https://login.example", "--client", "gateway", "--secret", str(secret))
    first, second = (terminal.run(*words, "--role", f"gw={role}")[1] for role in ("owner", "auditor"))
    assert first == second  # a second time replaces the first
    assert "https://gateway.example/under/sign-in/with/" in first
    assert "https://gateway.example/under/sign-in/oidc/callback" in first
    assert "the client's secret" not in first
    code, printed = terminal.run(*words, "--role", "gw=emperor")
    assert (code, "roles must map" in printed) == (1, True)
