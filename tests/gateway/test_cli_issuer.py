"""`gateway issuer add`: an operator lets a host's tokens in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, KeySet

from gateway.cli import main

ISSUER = "https://host.example"


class Terminal:
    """One operator's terminal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: Path) -> None:
        self._monkeypatch, self._capsys, self._data = monkeypatch, capsys, data

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command: its exit code and what it printed, or why it could not."""
        self._monkeypatch.setattr("sys.argv", ["gateway", *words, "--data", str(self._data)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capsys.readouterr()
        return int(ended.value.code or 0), (printed.out or printed.err).strip()

    def add(self, tenant: str, jwks: Path, **given: str) -> tuple[int, str]:
        """Trust the issuer, but for what is given otherwise."""
        options = {"issuer": ISSUER, "audience": "gateway", "role": "desk=calls:write,catalog:read", **given}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return self.run("issuer", "add", "--tenant", tenant, "--jwks", str(jwks), *words)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, dsn: str) -> Terminal:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", dsn)
    terminal = Terminal(monkeypatch, capsys, tmp_path)
    assert terminal.run("keys", "new")[0] == 0
    return terminal


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    key = ECKey.generate_key("P-256", {"kid": "k1"}, private=False)
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(KeySet([key]).as_dict(private=False)))
    return file


def test_an_issuer_is_trusted_by_one_clinic_only(terminal: Terminal, jwks: Path) -> None:
    clinic, other = (terminal.run("tenant", "create", name)[1] for name in ("a clinic", "another"))
    for _ in range(2):  # a second time replaces the first
        assert terminal.add(clinic, jwks) == (0, f"{ISSUER} is trusted; its roles: desk")
    code, said = terminal.add(other, jwks)
    assert code == 1
    assert "trusted by another tenant" in said


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"role": "desk"}, 2, "role=scope,scope"),
        ({"role": "desk=calls:everything"}, 1, "gateway: roles a scope is area:verb"),
        ({"audience": ""}, 1, "gateway: audience must be 1 to 255"),
    ],
)
def test_what_is_wrong_is_one_clear_line(
    terminal: Terminal, jwks: Path, given: dict[str, str], code: int, said: str
) -> None:
    clinic = terminal.run("tenant", "create", "a clinic")[1]
    ended, printed = terminal.add(clinic, jwks, **given)
    assert ended == code
    assert said in printed


@pytest.mark.parametrize(("content", "code"), [("not JSON", 2), ("[]", 2), ('{"keys": []}', 1), ('{"keys": [{}]}', 1)])
def test_a_file_that_is_no_key_set_is_refused(terminal: Terminal, tmp_path: Path, content: str, code: int) -> None:
    clinic = terminal.run("tenant", "create", "a clinic")[1]
    wrong = tmp_path / "wrong.json"
    wrong.write_text(content)
    ended, printed = terminal.add(clinic, wrong)
    assert ended == code
    assert "jwks" in printed
    assert "Traceback" not in printed
