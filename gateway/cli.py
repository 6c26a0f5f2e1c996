"""The command `gateway`. Each command opens what it needs; nothing heavy is imported before it is known which."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from gateway.cli_abdm import abdm_app
from gateway.cli_clients import clients_app
from gateway.cli_people import oidc_app, person_app

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.demo import Demo

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The one door through which a clinic's software hands data to third parties.",
)
tenant_app = typer.Typer(no_args_is_help=True, help="Clinics.")
key_app = typer.Typer(no_args_is_help=True, help="API keys of clinics.")
issuer_app = typer.Typer(no_args_is_help=True, help="Issuers of hosts' tokens that clinics trust.")
keys_app = typer.Typer(
    no_args_is_help=True, help="The gateway's own keys: the vault's master keys and the ledger's signing key."
)
connectors_app = typer.Typer(no_args_is_help=True, help="Connectors: check what is there, write a new one.")
app.add_typer(tenant_app, name="tenant")
app.add_typer(key_app, name="key")
app.add_typer(issuer_app, name="issuer")
app.add_typer(person_app, name="person")
app.add_typer(oidc_app, name="oidc")
app.add_typer(keys_app, name="keys")
app.add_typer(clients_app, name="clients")
app.add_typer(abdm_app, name="abdm")
app.add_typer(connectors_app, name="connectors")

Port = Annotated[int | None, typer.Option(help="Port to listen on.")]
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder for the embedded database and keys.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON lines for programs.")]


def main() -> None:
    """Run the command; what goes wrong is one clear line, and exit code 1."""
    try:
        app()
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
    except Exception as failure:
        sys.stderr.write(f"gateway: {_sentence(failure)}\n")
        sys.exit(1)


@app.command()
def demo(port: Port = None, data: Data = None, as_json: Json = False) -> None:
    """Try it: embedded database, vendors' sandboxes, a demo clinic and one example call."""
    from gateway.demo import running

    # A first-time user reads what is printed, not logs.
    quiet = None if "GATEWAY_LOG_LEVEL" in os.environ else "WARNING"
    settings = settings_of(port=port, data_dir=data, log_level=quiet)

    async def work() -> None:
        async with running(settings, any_port=port is None) as clinic:
            await _until_stopped(_introduce(clinic, as_json=as_json))

    run(work(), settings)


@app.command()
def serve(port: Port = None, host: Host = None, data: Data = None) -> None:
    """Serve calls until stopped, on the embedded database or the one that GATEWAY_DATABASE_URL names."""
    from gateway.app import opened
    from gateway.serve import listening, serving
    from gateway.store import jobs

    settings = settings_of(port=port, host=host, data_dir=data)

    async def work() -> None:
        listener = listening(settings.host, settings.port)
        async with opened(settings) as house, serving(house.web, listener) as url:
            typer.echo(f"Clinic Gateway serves on {url}")
            await _until_stopped(asyncio.to_thread(jobs.load))  # before the first event comes

    run(work(), settings)


@app.command()
def worker(data: Data = None) -> None:
    """Deliver webhooks and see to everything else that waits, beside any number of `gateway serve`."""
    from gateway.app import opened
    from gateway.jobs import Jobs

    settings = settings_of(data_dir=data)

    async def work() -> None:
        async with opened(settings) as house, Jobs(house.rooms).running() as jobs:
            await jobs.ready.wait()
            typer.echo("Clinic Gateway works")
            await _until_stopped()

    run(work(), settings)


@app.command()
def migrate(data: Data = None) -> None:
    """Bring the database to this version."""
    from gateway.app import database
    from gateway.store.migrate import migrate as bring_up

    settings = settings_of(data_dir=data)

    async def work() -> None:
        async with database(settings) as dsn:
            applied = await bring_up(dsn)
        typer.echo("\n".join(f"applied {name}" for name in applied) or "the database is up to date")

    run(work(), settings)


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="An evidence bundle (.zip).")],
    key: Annotated[
        str | None, typer.Option(help="The log's public key, from the clinic; otherwise the bundle's own.")
    ] = None,
) -> None:
    """Check an evidence bundle offline: no database, no network, no trust in the server."""
    from gateway.ledger.verify import main as check

    sys.exit(check([str(bundle), *(["--key", key] if key else [])]))


@app.command()
def doctor(data: Data = None) -> None:
    """Look at everything the gateway needs and say what is wrong and how to mend it."""
    from gateway.doctor import examine

    settings = settings_of(data_dir=data)
    sys.exit(0 if asyncio.run(examine(settings)) else 1)


@tenant_app.command("create")
def tenant_create(name: str, data: Data = None) -> None:
    """Add a clinic; prints its id."""
    from gateway.app import opened

    settings = settings_of(data_dir=data)

    async def work() -> None:
        async with opened(settings) as house:
            typer.echo(str(await house.rooms.connections.create_tenant(name)))

    run(work(), settings)


@key_app.command("create")
def key_create(
    tenant: Annotated[UUID, typer.Argument(help="The clinic's id.")],
    scope: Annotated[list[str], typer.Option(help="What the key may do, as calls:write:payments; repeat for more.")],
    title: Annotated[str, typer.Option(help="What the key is for.")] = "made by the operator",
    data: Data = None,
) -> None:
    """Add an API key for a clinic; prints it once."""
    from gateway.app import opened
    from gateway.calls import Actor
    from scopes.scope import Scope

    settings = settings_of(data_dir=data)
    scopes = tuple(Scope.parse(text) for text in scope)

    async def work() -> None:
        async with opened(settings) as house:
            operator = Actor("system", "operator", tenant, ())
            typer.echo((await house.rooms.callers.create_key(operator, title, scopes, expires_at=None))[0])

    run(work(), settings)


@issuer_app.command("add")
def issuer_add(
    tenant: Annotated[UUID, typer.Option(help="The clinic's id.")],
    issuer: Annotated[str, typer.Option(help="The issuer as its tokens name it (iss).")],
    audience: Annotated[str, typer.Option(help="The audience that its tokens name (aud).")],
    jwks: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Its public keys: a JSON Web Key Set.")],
    role: Annotated[
        list[str], typer.Option(help="A role's scopes, as desk=calls:write,catalog:read; repeat for more.")
    ],
    link_role: Annotated[
        list[str] | None, typer.Option(help="A role that its one-time links may give to people; repeat for more.")
    ] = None,
    frame: Annotated[
        list[str] | None, typer.Option(help="An origin that may show the pages in a frame, as https://host.")
    ] = None,
    data: Data = None,
) -> None:
    """Trust an issuer's tokens for a clinic, or replace what it is trusted with."""
    from gateway.app import opened
    from gateway.calls import Actor

    settings, keys, roles = settings_of(data_dir=data), _key_set(jwks), _roles(role)
    links = [each for each in link_role or () if _is_role(each)]

    async def work() -> None:
        async with opened(settings) as house:
            operator = Actor("system", "operator", tenant, ())
            await house.rooms.callers.add_issuer(
                operator, issuer, audience, jwks=keys, roles=roles, link_roles=links, frames=frame or ()
            )
            typer.echo(f"{issuer} is trusted; its roles: {', '.join(roles)}")

    run(work(), settings)


@keys_app.command("new")
def keys_new(data: Data = None) -> None:
    """Make the key files that are missing; every gateway on one database needs the same ones."""
    from gateway.keyfiles import make

    made = make(settings_of(data_dir=data))
    typer.echo("\n".join(f"made {path}" for path in made) or "the key files are all there")


@keys_app.command("rotate")
def keys_rotate(data: Data = None) -> None:
    """Put a new master key in front and wrap every clinic's data key under it; calls go on meanwhile."""
    from gateway.app import rotate

    settings = settings_of(data_dir=data)
    run(rotate(settings, tell=typer.echo), settings)


@connectors_app.command("new")
def connectors_new(
    name: Annotated[str, typer.Argument(help="FAMILY/VENDOR, such as payments/adyen.")],
    root: Annotated[
        Path | None, typer.Option(help="Folder to write below; otherwise the installed connectors.")
    ] = None,
) -> None:
    """Write a new connector's folder that passes the conformance suite as it stands."""
    from connectors.registry import HERE
    from connectors.scaffold import write_connector

    for path in write_connector(root or HERE, name):
        typer.echo(f"wrote {path}")


@connectors_app.command("check")
def connectors_check() -> None:
    """Load every connector, look at it, and say what is amiss."""
    from connectors.registry import Registry
    from connectors.scaffold import check

    registry = Registry.load()
    findings = check(registry)
    for connector in registry.connectors.values():
        typer.echo(f"{connector.id}: {connector.manifest.title}, {len(connector.actions)} actions")
    for finding in findings:
        typer.echo(f"  {finding}", err=True)
    typer.echo("something is amiss" if findings else "all complete")
    sys.exit(1 if findings else 0)


def settings_of(**given: Any) -> Settings:
    from gateway.config import Settings

    return Settings.from_environment(**{name: value for name, value in given.items() if value is not None})


def _key_set(file: Path) -> dict[str, Any]:
    import orjson

    try:
        found = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise typer.BadParameter("the file holds no JSON object", param_hint="--jwks")
    return found


def _is_role(text: str) -> bool:
    from gateway.people import Role

    if text not in {str(role) for role in Role}:
        raise typer.BadParameter(f"is one of {', '.join(Role)}", param_hint="--link-role")
    return True


def _roles(given: list[str]) -> dict[str, list[str]]:
    """Roles as they are written on the command line: role=scope,scope. A role that is there twice has both lists."""
    roles: dict[str, list[str]] = {}
    for text in given:
        role, _, scopes = text.partition("=")
        if not role or not scopes:
            raise typer.BadParameter("a role is written role=scope,scope", param_hint="--role")
        roles.setdefault(role, []).extend(scopes.split(","))
    return roles


def run(work: Coroutine[Any, Any, None], settings: Settings) -> None:
    """Run on uvloop where there is one, with logs as the settings say."""
    from gateway.log import configure

    configure(settings.log_level)
    if sys.platform == "win32":
        asyncio.run(_stoppable(work))
    else:
        import uvloop

        uvloop.run(_stoppable(work))


async def _stoppable(work: Coroutine[Any, Any, None]) -> None:
    """Do the work. A signal breaks it off, at whatever moment, and what it opened is closed: no database stays behind."""
    task = asyncio.ensure_future(work)

    def stop() -> None:
        if not task.cancelling():  # the second signal does not break off the closing
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await task


async def _until_stopped(*first: Awaitable[None]) -> None:
    """Do what comes first and wait for the signal, which is the ordinary end of what serves."""
    with suppress(asyncio.CancelledError):
        for each in first:
            await each
        await asyncio.Event().wait()


async def _introduce(clinic: Demo, *, as_json: bool) -> None:
    """Say where the demo is, make the example call and show its disclosure."""
    from gateway.errors import Refused
    from gateway.example import introduced, made, shown

    if as_json:
        typer.echo(_line(clinic.line()))
    try:
        example = await made(clinic)
    except Refused as refused:  # by what the user has set since: the clinic is open all the same
        said = "; ".join(f"{reason.code}: {reason.what}" for reason in refused.reasons)
        if as_json:
            typer.echo(_line({"example": None, "refused": said}))
        else:
            typer.echo(f"\nThe example call is refused now, as the clinic's rules say ({said}).")
            introduced(clinic)
        return
    if as_json:
        typer.echo(_line(example.line()))
    else:
        shown(example)
        introduced(clinic)


def _line(fields: dict[str, Any]) -> str:
    import orjson

    return orjson.dumps(fields).decode()


def _sentence(failure: Exception) -> str:
    """What went wrong in one line. Errors of ours say what to do; of a third party's only the type is shown."""
    from connectors.registry import RegistryError, UnknownAction
    from gateway.errors import GatewayError, InvalidRequest
    from gateway.serve import CannotListen
    from gateway.vault import VaultError
    from scopes.scope import ScopeError

    if isinstance(failure, InvalidRequest) and failure.faults:
        return "; ".join(f"{fault.path} {fault.message}" for fault in failure.faults)
    if isinstance(failure, GatewayError):
        return " ".join(filter(None, (failure.detail, failure.fix)))
    if isinstance(failure, CannotListen | VaultError | RegistryError | ScopeError | UnknownAction):
        return str(failure)
    return f"unexpected {type(failure).__name__}; `gateway doctor` looks at everything that is needed"
