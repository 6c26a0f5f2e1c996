"""`gateway clients`: an operator registers the gateway at vendors whose own page clinics connect on. Shows no secret."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gateway.flows.rooms import Rooms

clients_app = typer.Typer(no_args_is_help=True, help="The gateway's registrations at vendors (OAuth).")

Data = Annotated[Path | None, typer.Option("--data", help="Folder for the embedded database and keys.")]
Connector = Annotated[str, typer.Argument(help="The connector, as `gateway connectors check` names it.")]

Environment = Annotated[
    str | None, typer.Option(help="Of a network of health records: in which of its environments, such as sbx.")
]


@clients_app.command("add")
def add(
    connector: Connector,
    client_id: Annotated[str, typer.Option(help="The id that the vendor gave.")],
    secret_file: Annotated[Path | None, typer.Option(exists=True, help="A file that holds the secret.")] = None,
    key_file: Annotated[
        Path | None, typer.Option(exists=True, help="A private key (PEM), instead of a secret.")
    ] = None,
    certificate_file: Annotated[Path | None, typer.Option(exists=True, help="The key's certificate (PEM).")] = None,
    environment: Environment = None,
    data: Data = None,
) -> None:
    """Register the gateway at a vendor, or replace the registration. It is kept sealed, for every gateway on the database."""
    from gateway.app import opened
    from gateway.cli import run, settings_of
    from gateway.oauth.clients import Client

    settings = settings_of(data_dir=data)
    texts = [None if file is None else file.read_text().strip() for file in (secret_file, key_file, certificate_file)]

    async def work() -> None:
        async with opened(settings) as house:
            name = _name_of(connector, environment, house.rooms)
            await house.rooms.oauth.clients.add(name, Client(client_id, *texts))
            if environment is not None:
                typer.echo(f"the gateway is registered at {name}")
                return
            back = house.rooms.oauth.redirect or "GATEWAY_PUBLIC_URL/oauth/callback, once that is set"
            typer.echo(f"the gateway is registered at {name}; the address to name there: {back}")

    run(work(), settings)


@clients_app.command("list")
def show(data: Data = None) -> None:
    """Where the gateway is registered, and under which ids."""
    from gateway.app import opened
    from gateway.cli import run, settings_of

    settings = settings_of(data_dir=data)

    async def work() -> None:
        async with opened(settings) as house:
            for connector, client_id in await house.rooms.oauth.clients.all():
                typer.echo(f"{connector} {client_id}")

    run(work(), settings)


@clients_app.command("remove")
def remove(connector: Connector, environment: Environment = None, data: Data = None) -> None:
    """Destroy a registration: what was connected with it is renewed no more."""
    from gateway.app import opened
    from gateway.cli import run, settings_of

    settings = settings_of(data_dir=data)

    async def work() -> None:
        async with opened(settings) as house:
            name = connector if environment is None else f"{connector}@{environment}"
            await house.rooms.oauth.clients.remove(name)
            typer.echo(f"the gateway is registered at {name} no more")

    run(work(), settings)


def _name_of(connector: str, environment: str | None, rooms: Rooms) -> str:
    """Under which name the gateway is registered there. Raises where it is not by such a registration that clinics connect."""
    from gateway.flows.authorize import rule_of

    found = rooms.registry.connector(connector)
    if rooms.networks.lines_of(found.id):
        return rooms.networks.line(found.id, environment or "").id
    rule_of(found.id, rooms)
    return found.id
