"""What an operator sets, read once from the environment. Of secrets it holds the files' names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from gateway.errors import GatewayError

PREFIX: Final = "GATEWAY_"
_MIB: Final = 1024 * 1024
# C2SP signed-note key names and tlog-checkpoint origins: a URL without a scheme; no spaces, no plus sign.
_ORIGIN: Final = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._-]{1,64}){0,4}$"
_HOST: Final = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
_PUBLIC_URL: Final = re.compile(
    rf"(https://({_HOST}|\[[0-9a-f:]+\])|http://(localhost|127\.0\.0\.1|\[::1\]))(:[0-9]{{1,5}})?(/[A-Za-z0-9._~-]+)*/?"
)
_DATABASE: Final = re.compile(r"postgres(ql)?://.+", re.DOTALL)


class ConfigError(GatewayError):
    """The environment holds something that the gateway cannot use; the message is one line and says what to set."""

    code = "config"
    title = "The settings cannot be used"


def _is_public(text: str | None) -> str | None:
    """An address without anything after its path; plain HTTP only on this machine."""
    if text is None:
        return None
    if not _PUBLIC_URL.fullmatch(text):
        raise ValueError("must read https://host/path, without a user, a query or a fragment")
    return text.rstrip("/")


class Settings(BaseModel):
    """Every setting, with its default. The variable of a field is its name in capitals after GATEWAY_."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    database_url: Annotated[str | None, Field(repr=False)] = None
    """postgresql://... ; without it the gateway runs its own PostgreSQL below `data_dir`."""
    data_dir: Path = Path(".data")
    host: Annotated[str, StringConstraints(min_length=1, max_length=253)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    origin: Annotated[str, StringConstraints(pattern=_ORIGIN)] = "clinic-gateway.local"
    """The host in the names of the tenants' logs; it stands in every checkpoint, so it never changes."""
    master_key_file: Path = Path()
    """The vault's master keys; by default `master.key` in `data_dir`."""
    ledger_key_file: Path = Path()
    """The key that signs checkpoints; by default `ledger.key` in `data_dir`."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * _MIB)] = _MIB
    body_seconds: Annotated[float, Field(gt=0, le=600)] = 20.0
    """How long a caller may take to send a body."""
    public_url: Annotated[str | None, StringConstraints(max_length=300), AfterValidator(_is_public)] = None
    """How vendors reach this gateway, https://... ; some sign the address that they call."""
    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    """How many proxies of one's own stand before the gateway: people's addresses are read behind them."""

    @model_validator(mode="before")
    @classmethod
    def _keys_lie_beside_the_data(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        folder = Path(given.get("data_dir", ".data"))
        return {"master_key_file": folder / "master.key", "ledger_key_file": folder / "ledger.key", **given}

    @model_validator(mode="after")
    def _database_is_postgresql(self) -> Self:
        if self.database_url is not None and not _DATABASE.fullmatch(self.database_url):
            raise ValueError("DATABASE_URL must be the address of a PostgreSQL: postgresql://user@host/name")
        return self

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **given: Any) -> Self:
        """Read GATEWAY_*; `given` (the command line) wins, an empty variable is none. Raises ConfigError."""
        environment = os.environ if environment is None else environment
        found: dict[str, Any] = {}
        for name in cls.model_fields:
            if text := environment.get(PREFIX + name.upper(), "").strip():
                found[name] = text.upper() if name == "log_level" else text
        found.update({name: value for name, value in given.items() if value is not None})
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            raise ConfigError(_one_line(error)) from None


def _one_line(error: ValidationError) -> str:
    """The first fault as a sentence; what the variable held is not repeated, it may be a password."""
    first = error.errors(include_url=False, include_input=False)[0]
    said = str(first["msg"]).removeprefix("Value error, ")
    if not first["loc"]:
        return PREFIX + said
    name = PREFIX + str(first["loc"][0]).upper()
    if first["type"] == "int_parsing" and name == "GATEWAY_PORT":
        # Kubernetes sets GATEWAY_PORT=tcp://... in every pod of a namespace that has a service named gateway.
        return "GATEWAY_PORT must be a whole number from 0 to 65535; if Kubernetes set it, turn enableServiceLinks off"
    return f"{name}: {said[:1].lower()}{said[1:]}"
