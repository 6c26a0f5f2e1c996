"""The code keeps to its rooms; and the reader of rooms finds each kind of trespass in a small invented house."""

import re
from pathlib import Path

import pytest

from tests.rooms import faults

ROOT = Path(__file__).resolve().parent.parent
HOUSE = {
    "scopes/decision.py": "",
    "scopes/field.py": "",
    "connectors/contract.py": "",
    "connectors/registry.py": "",
    "connectors/payments/actions.py": "",
    "connectors/payments/stripe/manifest.toml": "",
    "connectors/payments/stripe/client.py": "",
    "connectors/payments/stripe/sandbox.py": "",
    "connectors/payments/stripe/simulator/network.py": "",
    "connectors/payments/razorpay/manifest.toml": "",
    "connectors/payments/razorpay/client.py": "",
    "connectors/teams/manifest.toml": "",
    "connectors/teams/client.py": "",
    "gateway/__init__.py": "",
    "gateway/errors.py": "",
    "gateway/vault.py": "",
    "gateway/connections.py": "",
    "gateway/egress.py": "",
    "gateway/store/pool.py": "",
    "gateway/ledger/merkle.py": "",
    "gateway/ledger/writer.py": "",
    "gateway/flows/broker.py": "",
    "gateway/web/auditor/pages.py": "",
    "gateway/web/settings/pages.py": "",
    "gateway/demo.py": "",
    "gateway/cli.py": "",
}
ALLOWED = [
    ("gateway/flows/broker.py", "from gateway.store import pool"),
    ("gateway/store/pool.py", "from gateway.errors import GatewayError"),
    ("gateway/store/pool.py", "ROWS = 'select id from connections where tenant = $1'"),
    ("gateway/egress.py", "import httpx2, pycurl\nclient = httpx2.AsyncClient()"),
    ("gateway/connections.py", "from gateway import vault"),
    ("gateway/cli.py", "from gateway import vault, demo"),
    ("gateway/demo.py", "from connectors.payments.stripe.sandbox import app"),
    ("connectors/payments/stripe/sandbox.py", "from connectors.payments.stripe.simulator import network"),
    (
        "connectors/payments/stripe/simulator/network.py",
        "import httpx2\nfrom connectors.payments.stripe import client\nhttpx2.AsyncClient()",
    ),
    ("connectors/payments/stripe/client.py", "import httpx2, stripe\nrequest = httpx2.Request('GET', '/')"),
    ("connectors/payments/stripe/client.py", "from connectors.payments.actions import Refund\nfrom .. import actions"),
    (
        "connectors/payments/stripe/tests/test_client.py",
        "from connectors.payments.stripe import sandbox\nimport requests",
    ),
    ("scopes/field.py", "from datetime import datetime\nimport pydantic\nfrom scopes.decision import decide"),
    ("gateway/web/settings/pages.py", "TITLE = 'Select a feature from the list'\nHELP = 'Update this set of fields'"),
]
TRESPASSES = [
    ("gateway/errors.py", "from gateway.flows.broker import broker", "layer 1 imports gateway.flows.broker of layer 4"),
    ("gateway/errors.py", "from gateway.store.pool import Store", "same layer in another room"),
    ("gateway/errors.py", "from .flows import broker", "layer 1 imports gateway.flows.broker of layer 4"),
    ("gateway/errors.py", "def f():\n    import gateway.cli", "layer 1 imports gateway.cli of layer 6"),
    (
        "gateway/errors.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from gateway.cli import main",
        "layer 1 imports gateway.cli of layer 6",
    ),
    ("gateway/errors.py", "import importlib\nimportlib.import_module('gateway.cli')", "layer 1 imports gateway.cli"),
    (
        "gateway/errors.py",
        "from importlib import import_module as load\nload('gateway.cli')",
        "gateway.cli",
    ),
    ("gateway/errors.py", "__import__('gateway.cli')", "layer 1 imports gateway.cli of layer 6"),
    ("gateway/errors.py", "import gateway\ngateway.cli.main()", "layer 1 imports gateway.cli of layer 6"),
    ("gateway/new_room.py", "", "has no layer"),
    ("connectors/new_file.py", "", "has no layer"),
    ("connectors/payments/stripe/client.py", "from connectors import registry", "layer 2 imports connectors.registry"),
    ("connectors/payments/stripe/client.py", "from connectors.payments.razorpay import client", "in another room"),
    ("connectors/payments/stripe/client.py", "from ..razorpay.client import x", "in another room"),
    ("connectors/payments/stripe/client.py", "import connectors.teams.client", "in another room"),
    ("connectors/payments/actions.py", "from connectors.payments.stripe import client", "in another room"),
    ("connectors/payments/stripe/client.py", "from gateway import errors", "a connector knows nothing of the gateway"),
    (
        "connectors/payments/stripe/client.py",
        "from connectors.payments.stripe import sandbox",
        "only the demo and tests",
    ),
    ("gateway/cli.py", "from connectors.payments.stripe.sandbox import app", "only the demo and tests"),
    (
        "connectors/payments/stripe/client.py",
        "from connectors.payments.stripe.simulator import network",
        "only the demo and tests",
    ),
    (
        "connectors/payments/razorpay/client.py",
        "from connectors.payments.stripe.simulator import network",
        "only the demo and tests",
    ),
    ("gateway/flows/broker.py", "from connectors.teams import client", "no connector by name"),
    ("gateway/flows/broker.py", "NAME = 'payments/stripe'", "a flow names the connector connectors/payments/stripe"),
    ("gateway/flows/broker.py", "from gateway.vault import open_sealed", "only connections and egress open the vault"),
    ("gateway/web/auditor/pages.py", "from gateway.flows import broker", "an auditor's page cannot send"),
    ("gateway/web/auditor/pages.py", "import gateway.egress", "an auditor's page cannot send"),
    ("gateway/web/auditor/pages.py", "from gateway import vault", "an auditor's page cannot send"),
    ("gateway/web/settings/pages.py", "from gateway.store.pool import Store", "a page does not read rows"),
    ("gateway/connections.py", "import httpx2\nclient = httpx2.AsyncClient()", "egress is the only door out"),
    ("gateway/connections.py", "from httpx2 import Client as Door", "egress is the only door out"),
    ("gateway/connections.py", "import httpx2 as h\nh.get('/')", "egress is the only door out"),
    *(
        ("connectors/teams/client.py", f"import {name}", "egress is the only door out")
        for name in ("aiohttp", "requests", "urllib.request", "http.client", "pycurl")
    ),
    ("connectors/teams/client.py", "from urllib import request", "egress is the only door out"),
    ("connectors/teams/client.py", "from google.auth.transport import requests", "egress is the only door out"),
    ("gateway/connections.py", "ROWS = 'select id from connections'", "SQL outside the store"),
    ("gateway/connections.py", "ROWS = f'''\n    INSERT INTO {table} (id) VALUES ($1)'''", "SQL outside the store"),
    ("gateway/connections.py", "run('update heads set size = $1')", "SQL outside the store"),
    ("gateway/connections.py", "run('with old as (select 1) delete from heads')", "SQL outside the store"),
    ("scopes/field.py", "import attrs", "imports attrs; here only"),
    ("scopes/field.py", "from gateway import errors", "layer 0 imports gateway.errors"),
    ("scopes/decision.py", "import os", "rules are pure"),
    ("scopes/decision.py", "from datetime import datetime\nnow = datetime.now()", "rules are pure"),
    ("scopes/decision.py", "text = open('/etc/hosts')", "rules are pure"),
    ("gateway/ledger/merkle.py", "import asyncpg", "imports asyncpg; here only"),
    ("gateway/ledger/merkle.py", "from scopes import field", "same layer in another room"),
    ("gateway/ledger/merkle.py", "from gateway import errors", "layer 0 imports gateway.errors"),
    ("gateway/ledger/merkle.py", "from gateway.ledger import writer", "layer 0 imports gateway.ledger.writer"),
    ("gateway/errors.py", "from tests.rooms import faults", "code does not import its tests"),
]


def build(root: Path, files: dict[str, str]) -> Path:
    """Write an invented house."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


def test_every_import_keeps_to_its_room() -> None:
    assert [str(fault) for fault in faults(ROOT)] == []


def test_an_empty_house_has_no_faults(tmp_path: Path) -> None:
    assert faults(build(tmp_path, HOUSE)) == []


@pytest.mark.parametrize(("path", "code"), ALLOWED)
def test_what_the_rules_allow_passes(tmp_path: Path, path: str, code: str) -> None:
    assert [str(fault) for fault in faults(build(tmp_path, {**HOUSE, path: code}))] == []


@pytest.mark.parametrize(("path", "code", "what"), TRESPASSES)
def test_a_trespass_is_reported_where_it_stands(tmp_path: Path, path: str, code: str, what: str) -> None:
    found = faults(build(tmp_path, {**HOUSE, path: code}))

    assert found
    assert {fault.path for fault in found} == {path}
    assert any(what in fault.what for fault in found), [str(fault) for fault in found]


def test_the_map_of_the_house_names_only_paths_that_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md|toml|txt))`", text)

    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
