"""Settings from the environment: defaults, and one clear line for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.config import ConfigError, Settings


def test_an_empty_environment_gives_a_gateway_for_this_machine() -> None:
    settings = Settings.from_environment({})
    assert (settings.database_url, settings.host, settings.port) == (None, "127.0.0.1", 8080)
    assert settings.max_body_bytes == 1024 * 1024
    assert settings.master_key_file == Path(".data/master.key")
    assert settings.ledger_key_file == Path(".data/ledger.key")


def test_variables_are_read_and_the_command_line_wins() -> None:
    environment = {
        "GATEWAY_PORT": "9000",
        "GATEWAY_DATA_DIR": "/srv/a b",
        "GATEWAY_LOG_LEVEL": "debug",
        "GATEWAY_HOST": " ",
    }
    settings = Settings.from_environment(environment, port=9001, host=None)
    assert (settings.port, settings.host, settings.log_level) == (9001, "127.0.0.1", "DEBUG")
    assert settings.ledger_key_file == Path("/srv/a b/ledger.key")
    assert Settings.from_environment({**environment, "GATEWAY_MASTER_KEY_FILE": "/k"}).master_key_file == Path("/k")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("PORT", "eighty"),
        ("DATABASE_URL", "mysql://root:hunter2@host/db"),
        ("LOG_LEVEL", "LOUD"),
        ("ORIGIN", "https://clinic.example"),
        ("ORIGIN", "clinic example"),
        ("ORIGIN", "clinic+example"),
        ("MAX_BODY_BYTES", "12"),
        ("BODY_SECONDS", "0"),
        ("PUBLIC_URL", "http://gateway.example"),
        ("PUBLIC_URL", "https://root:hunter2@gateway.example"),
        ("PUBLIC_URL", "https://gateway.example/?key=hunter2"),
        ("PUBLIC_URL", "https://gateway.example/#hunter2"),
        ("PUBLIC_URL", "https://gateway.example/a b"),
        ("PUBLIC_URL", "gateway.example"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it_and_keeps_its_value_back(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.from_environment({f"GATEWAY_{name}": value})
    said = caught.value.detail
    assert said.startswith(f"GATEWAY_{name}")
    assert "\n" not in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://gateway.example", "https://gateway.example"),
        ("https://gateway.example:8443/in/", "https://gateway.example:8443/in"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
    ],
)
def test_the_public_address_is_kept_without_a_slash_at_its_end(given: str, kept: str) -> None:
    assert Settings.from_environment({"GATEWAY_PUBLIC_URL": given}).public_url == kept


def test_a_port_that_kubernetes_set_is_explained() -> None:
    with pytest.raises(ConfigError, match="enableServiceLinks"):
        Settings.from_environment({"GATEWAY_PORT": "tcp://10.0.0.1:80"})


def test_settings_are_frozen_and_do_not_print_the_databases_password() -> None:
    settings = Settings.from_environment({"GATEWAY_DATABASE_URL": "postgresql://gateway:hunter2@db/gateway"})
    assert "hunter2" not in repr(settings)
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]
