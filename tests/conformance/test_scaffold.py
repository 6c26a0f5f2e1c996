"""A folder as it is written for a new connector keeps every rule, in a new family and in one that exists."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.folder import HERE
from connectors.registry import Registry
from connectors.scaffold import ScaffoldError, check, write_connector
from tests.conformance.rules import obey, rules


@pytest.mark.parametrize("name", ["messaging_new/acme", "payments/acme_pay", "messaging/acme"])
async def test_a_new_folder_keeps_every_rule_as_it_stands(tmp_path: Path, name: str) -> None:
    written = write_connector(tmp_path, name)
    assert all(path.is_file() for path in written)
    registry = Registry.load([tmp_path])
    assert check(registry) == ()
    for rule in rules():
        await obey(rule, registry.connector(name))


def test_a_new_vendor_of_a_family_takes_the_family_s_models(tmp_path: Path) -> None:
    written = write_connector(tmp_path, "payments/acme_pay")
    assert not (tmp_path / "payments" / "actions.py").exists()
    registry = Registry.load([HERE, tmp_path])
    stripe, acme = registry.family("payments")[1], registry.family("payments")[0]
    assert {name: action.shape.model for name, action in acme.actions.items()} == {
        name: action.shape.model for name, action in stripe.actions.items()
    }
    assert all(path.is_relative_to(tmp_path / "payments" / "acme_pay") for path in written)


def test_a_second_vendor_of_a_new_family_fits_too(tmp_path: Path) -> None:
    write_connector(tmp_path, "labs/one")
    write_connector(tmp_path, "labs/two")
    assert {connector.id for connector in Registry.load([tmp_path]).family("labs")} == {"labs/one", "labs/two"}


@pytest.mark.parametrize("name", ["payments", "Payments/x", "a/b/c", "../x/y", "payments/", "a b/c", "x/y.z", "a/é"])
def test_a_name_of_another_form_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ScaffoldError, match="FAMILY/VENDOR"):
        write_connector(tmp_path, name)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    first = write_connector(tmp_path, "labs/one")
    before = {path: path.read_bytes() for path in first}
    with pytest.raises(ScaffoldError, match="exists already"):
        write_connector(tmp_path, "labs/one")
    assert {path: path.read_bytes() for path in first} == before


@pytest.mark.parametrize("name", ["labs/one", "payments/acme_pay", "messaging/acme"])
def test_what_is_written_is_formatted_and_clean(tmp_path: Path, name: str) -> None:
    written = [path for path in write_connector(tmp_path, name) if path.suffix == ".py"]
    for path in written:
        assert ast.get_docstring(ast.parse(path.read_text()))
    config = HERE.parent / "pyproject.toml"
    for check_only in (["check"], ["format", "--check"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *check_only, "--no-cache", "--config", str(config), *map(str, written)],
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stdout


def test_what_is_missing_is_found_and_named(tmp_path: Path) -> None:
    write_connector(tmp_path, "labs/one")
    folder = tmp_path / "labs" / "one"
    (folder / "README.md").write_text("# One\n")
    (folder / "sandbox.py").unlink()
    shutil.rmtree(folder / "tests")
    found = "\n".join(str(finding) for finding in check(Registry.load([tmp_path])))
    for missing in (
        "## Recipient",
        "## How to revoke",
        "`send`",
        "sandbox.py",
        "tests/send.json",
        "tests/callback.json",
    ):
        assert missing in found
