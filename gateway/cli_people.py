"""`gateway person` and `gateway oidc`: an operator lets people in. Prints links and passwords once, to whoever asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from gateway.config import Settings

person_app = typer.Typer(no_args_is_help=True, help="People who sign in to the pages.")
oidc_app = typer.Typer(no_args_is_help=True, help="Clinics' own sign-ins (OpenID Connect).")

Tenant = Annotated[UUID, typer.Argument(help="The clinic's id.")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder for the embedded database and keys.")]


@person_app.command("invite")
def invite(
    tenant: Tenant,
    email: Annotated[str, typer.Argument(help="Their e-mail address.")],
    role: Annotated[str, typer.Option(help="owner, integrations, vendor, auditor or support.")] = "owner",
    data: Data = None,
) -> None:
    """Invite somebody to a clinic; prints the link, which is good once and for a week."""
    from gateway.app import opened
    from gateway.calls import Actor
    from gateway.cli import run, settings_of
    from gateway.people import Role

    if role not in {str(each) for each in Role}:
        raise typer.BadParameter(f"is one of {', '.join(Role)}", param_hint="--role")
    settings = settings_of(data_dir=data)

    async def work() -> None:
        async with opened(settings) as house:
            operator = Actor("system", "operator", tenant, ())
            await house.rooms.connections.clinic(tenant)
            invited = await house.rooms.people.invitations.invite(operator, email, Role(role))
            typer.echo(f"{base(settings)}/invitation?token={invited.token}")

    run(work(), settings)


@person_app.command("reset")
def reset(email: Annotated[str, typer.Argument(help="Their e-mail address.")], data: Data = None) -> None:
    """Give somebody who cannot sign in any more a new password; codes and passkeys are taken away, sessions end."""
    from gateway.app import opened
    from gateway.cli import run, settings_of

    settings = settings_of(data_dir=data)

    async def work() -> None:
        async with opened(settings) as house:
            typer.echo(await house.rooms.people.reset(email))

    run(work(), settings)


@oidc_app.command("add")
def oidc_add(
    tenant: Tenant,
    issuer: Annotated[str, typer.Option(help="The provider's address, as its tokens name it (iss).")],
    client: Annotated[str, typer.Option(help="The id under which the gateway is registered there.")],
    secret: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="A file with the client's secret.")],
    role: Annotated[
        list[str], typer.Option(help="A value of the claim and the role it gives, as gw-admins=owner; repeat for more.")
    ],
    claim: Annotated[str, typer.Option(help="The claim that says who may do what.")] = "groups",
    title: Annotated[str, typer.Option(help="What people call this sign-in.")] = "The clinic's sign-in",
    data: Data = None,
) -> None:
    """Let a clinic's people sign in by its own provider, or replace what was set; prints their sign-in address."""
    from gateway.app import opened
    from gateway.calls import Actor
    from gateway.cli import run, settings_of

    settings, roles = settings_of(data_dir=data), _roles(role)
    text = secret.read_text(encoding="utf-8").strip()

    async def work() -> None:
        async with opened(settings) as house:
            operator = Actor("system", "operator", tenant, ())
            provider = await house.rooms.people.providers.put(
                operator, issuer=issuer, client=client, secret=text, title=title, claim=claim, roles=roles
            )
            typer.echo(f"People sign in at   {base(settings)}/sign-in/with/{provider}")
            typer.echo(f"Register there      {base(settings)}/sign-in/oidc/callback")

    run(work(), settings)


def base(settings: Settings) -> str:
    """How a browser reaches the pages, as far as the settings tell."""
    return settings.public_url or f"http://{settings.host}:{settings.port}"


def _roles(given: list[str]) -> dict[str, str]:
    roles = dict(text.rpartition("=")[::2] for text in given)
    if not all(roles) or not all(roles.values()):
        raise typer.BadParameter("is written value=role", param_hint="--role")
    return roles
