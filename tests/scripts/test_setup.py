"""Laying the environment: what is missing is said in one line, and no checkout path breaks it. Installs no package."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
CLI = '"""Say the arguments."""\nimport sys\n\n\ndef main():\n    print(sys.argv)\n    return 3\n'


@pytest.fixture
def setup(tmp_path: Path) -> ModuleType:
    """The script as it lies in a checkout whose path is hard to quote."""
    checkout = tmp_path / "Anna's practice & co"
    for folder in ("scripts", "requirements", "gateway"):
        (checkout / folder).mkdir(parents=True)
    (checkout / "scripts" / "setup.py").write_bytes((ROOT / "scripts" / "setup.py").read_bytes())
    for name in ("runtime.txt", "dev.txt", "uv.txt"):
        (checkout / "requirements" / name).write_text(f"# {name}\n")
    (checkout / "gateway" / "cli.py").write_text(CLI)
    spec = importlib.util.spec_from_file_location("setup_under_test", checkout / "scripts" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_shell(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the finder of Pythons with only these programs in reach."""
    command = ["/bin/sh", "scripts/setup.sh"]
    return subprocess.run(command, cwd=ROOT, env={"PATH": str(path)}, capture_output=True, text=True, check=False)


def test_without_a_new_python_one_line_says_so(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    ended = run_shell(tmp_path)

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "Python 3.11 or newer is missing" in ended.stderr


def test_without_a_way_to_install_one_line_says_so(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(setup.ROOT)
    monkeypatch.setattr(setup, "succeeds", lambda command: False)
    monkeypatch.setattr(setup.importlib.util, "find_spec", lambda name: None)

    assert setup.main() == 1
    assert "python3-venv" in capsys.readouterr().err.splitlines()[-1]


def test_the_command_runs_from_a_path_with_blanks_and_quotes(setup: ModuleType, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", setup.VENV], check=True)

    setup.own_packages()
    ended = subprocess.run(
        [setup.VENV / "bin" / "gateway", "demo", "--port", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.stdout == "['gateway', 'demo', '--port', '1']\n"
    assert ended.returncode == 3


def test_what_is_laid_is_not_laid_again_until_a_lock_changes(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(setup.ROOT)
    laid: list[object] = []
    monkeypatch.setattr(setup, "pip_command", lambda: venv_without_pip(setup))
    monkeypatch.setattr(setup, "install", laid.append)

    assert [setup.main(), setup.main()] == [0, 0]
    assert len(laid) == 1
    (setup.ROOT / "requirements" / "dev.txt").write_text("changed\n")
    assert setup.main() == 0
    assert len(laid) == 2


def test_a_checkout_that_moved_gets_a_new_environment(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(setup.ROOT)
    monkeypatch.setattr(setup, "pip_command", lambda: venv_without_pip(setup))
    monkeypatch.setattr(setup, "install", lambda pip: None)
    assert setup.main() == 0
    left_over = setup.VENV / "left over"
    left_over.touch()
    setup.STAMP.write_text('{"checkout": "elsewhere"}')

    assert setup.main() == 0
    assert not left_over.exists()


def test_a_persons_own_settings_do_not_send_packages_elsewhere(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_TARGET", "PIP_PREFIX", "PYTHONPATH"):
        monkeypatch.setenv(name, os.devnull)

    environment = setup.environment()

    assert not {"PIP_TARGET", "PIP_PREFIX", "PYTHONPATH"} & environment.keys()
    assert environment["UV_CACHE_DIR"].startswith(str(setup.VENV))


def venv_without_pip(setup: ModuleType) -> list[str]:
    """Make the environment as the script would, without anything to install with."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", setup.VENV], check=True)
    return []
