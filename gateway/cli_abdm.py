"""`gateway abdm`: an operator looks at the bridge to ABDM, moves it here, and links clinics' facilities. Shows no secret."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from gateway.app import House
    from gateway.network.lines import Line

abdm_app = typer.Typer(no_args_is_help=True, help="The bridge to India's network of health records (ABDM).")

CONNECTOR: Final = "abdm"
Data = Annotated[Path | None, typer.Option("--data", help="Folder for the embedded database and keys.")]
Environment = Annotated[
    str | None, typer.Option(help="abdm or sbx; needed only where the gateway is registered in both.")
]


@abdm_app.command("status")
def status(environment: Environment = None, data: Data = None) -> None:
    """How the session, the bridge and every facility stand, and what to do where something is wrong."""
    _run(environment, data, show_status)


@abdm_app.command("url")
def url(environment: Environment = None, data: Data = None) -> None:
    """Tell the network to send everything to this gateway. Whoever had the address before gets nothing any more."""
    _run(environment, data, move_here)


@abdm_app.command("facility")
def facility(
    tenant: Annotated[UUID, typer.Argument(help="The clinic's id.")],
    facility_id: Annotated[str, typer.Argument(help="The facility's id in the Health Facility Registry.")],
    environment: Environment = None,
    data: Data = None,
) -> None:
    """Let a clinic act for its facility: finds the service id at the network, makes or completes the connection."""
    _run(environment, data, lambda house, line, console: link(house, line, console, tenant, facility_id))


@abdm_app.command("facilities")
def facilities(environment: Environment = None, data: Data = None) -> None:
    """Every facility that is linked, and whose it is. Asks the network nothing."""
    _run(environment, data, show_facilities)


@abdm_app.command("conformance")
def conformance(  # noqa: PLR0913 (each is an option of the command)
    base_url: Annotated[
        str | None,
        typer.Option(
            help="Where the hospital takes callbacks, before /api/v3/...; without it, a demo of this gateway."
        ),
    ] = None,
    listen: Annotated[str, typer.Option(help="Where the network is served.")] = "127.0.0.1:8095",
    gateway_url: Annotated[
        str | None, typer.Option(help="How the hospital reaches the network, where that is not --listen.")
    ] = None,
    client_id: Annotated[str, typer.Option(help="The client id that the hospital signs in with.")] = "SBX_000001",
    client_secret: Annotated[
        str, typer.Option(help="Its secret at this invented network; opens nothing else.")
    ] = "5a4db0c5-a4db-4c5a-8db0-c5a4db0c5a4d",  # noqa: S107 (of the simulator)
    facility: Annotated[str, typer.Option(help="The facility's id in the registry.")] = "IN2910000123",
    facility_name: Annotated[str, typer.Option(help="Its name there.")] = "Lake Clinic",
    without: Annotated[list[str] | None, typer.Option(help="A quirk to leave off; repeat for more.")] = None,
    mark: Annotated[
        str | None, typer.Option(help="A word that the patients are drawn from: the same ones as in another run.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="GATEWAY_API_KEY", help="Of a clinic on this gateway: patients go in by API.")
    ] = None,
    api_url: Annotated[str | None, typer.Option(help="Where that API is, if not where --base-url is.")] = None,
    phone: Annotated[
        str | None, typer.Option(help="A page with a patient's texts, {mobile} in it; otherwise the code is asked for.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether everything is set up.")] = False,
    wait_out: Annotated[bool, typer.Option("--wait-out", help="Also wait the 30 minutes that a token holds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Play the network and its certification cases (M2) against a hospital's software; exit code 1 where one fails."""
    from rich.console import Console

    from gateway.cli import run, settings_of
    from gateway.cli_conformance import Options, play

    options = Options(
        base_url=base_url, listen=listen, gateway_url=gateway_url, client=(client_id, client_secret),
        facility=(facility, facility_name), without=tuple(without or ()), mark=mark, api_key=api_key, api_url=api_url,
        phone=phone, at_once=yes, wait_out=wait_out, as_json=as_json,
    )  # fmt: skip
    passed = []

    async def work() -> None:
        passed.append(await play(options, Console(), Console(stderr=True)))

    run(work(), settings_of(log_level="ERROR"))
    if passed != [True]:
        raise typer.Exit(1)


async def show_status(house: House, line: Line, console: Console) -> None:
    """Ask the network, compare, and print what there is. Raises Conflict, and Unavailable where it does not answer."""
    from gateway.errors import Unavailable
    from gateway.flows.network.bridge import look

    rooms = house.rooms
    try:
        found = await look(line, rooms)
    except Unavailable:
        await _print_session(house, line, console)
        raise
    await _print_session(house, line, console)
    _print_line(console, "We are at", found.ours or "nobody said where; set GATEWAY_PUBLIC_URL")
    if found.bridge is not None:
        _print_line(console, "It sends to", found.bridge.url or "nowhere")
        _print_line(console, "Bridge", f"{found.bridge.id}, {'active' if found.bridge.active else 'switched off'}")
    owners = {each.service: each.tenant for each in found.facilities}
    services = found.bridge.services if found.bridge is not None else ()
    known = {service.id: service for service in services}
    rows = []
    for name in sorted({*known, *owners}):
        service, owner = known.get(name), owners.get(name)
        clinic = await _clinic(house, owner) if owner is not None else "[dim]nobody's here[/]"
        title = _plain(service.name) if service is not None else "[dim]not on the bridge[/]"
        rows.append((name, title, clinic, _word(found.drift.services.get(name, ()), linked=owner is not None)))
    _print_table(console, ("Service id", "Name at the network", "Clinic", "State"), rows)
    _print_troubles(console, [*found.drift.bridge, *(each for all_ in found.drift.services.values() for each in all_)])


async def move_here(house: House, line: Line, console: Console) -> None:
    """Tell the network our address."""
    from gateway.flows.network.bridge import look
    from gateway.flows.network.facility import move

    ours = await move(line, house.rooms)
    found = await look(line, house.rooms)
    if found.bridge is not None and (found.bridge.url or "").rstrip("/") == ours.rstrip("/"):
        console.print(f"the network sends everything to {ours} now", highlight=False, soft_wrap=True)
    else:
        console.print(f"the network took {ours}, and does not show it yet; look again with `gateway abdm status`")


async def link(house: House, line: Line, console: Console, tenant: UUID, facility_id: str) -> None:
    """Link a clinic's facility."""
    from gateway.flows.network.facility import link_facility

    rooms = house.rooms
    linked = await link_facility(tenant, line.connector, facility_id, rooms, environment=line.environment)
    clinic = await _clinic(house, tenant)
    console.print(f"{clinic} acts for {linked.service.id} ({_plain(linked.service.name)})", highlight=False)
    console.print(f"its connection is {linked.connection.state}; features that are on: ", end="", highlight=False)
    console.print(", ".join(sorted(linked.connection.grant.features)) or "none", highlight=False)


async def show_facilities(house: House, line: Line, console: Console) -> None:
    """List the facilities that are linked."""
    from gateway.network.drift import Fault

    found = await house.rooms.networks.facilities.all(line)
    rows = []
    for each in found:
        faults = tuple(Fault(code) for code in each.faults if code in set(Fault))
        rows.append((each.facility, each.service, await _clinic(house, each.tenant), _word(faults, linked=True)))
    _print_table(console, ("Facility", "Service id", "Clinic", "State when last looked at"), rows)


def _run(environment: str | None, data: Path | None, work: Callable[[House, Line, Console], Awaitable[None]]) -> None:
    """Open the house, find the environment that is meant, and do the work."""
    from rich.console import Console

    from gateway.app import opened
    from gateway.cli import run, settings_of
    from gateway.flows.network.facility import line_of

    settings = settings_of(data_dir=data)

    async def all_of_it() -> None:
        async with opened(settings) as house:
            await work(house, await line_of(CONNECTOR, environment, house.rooms), Console())

    run(all_of_it(), settings)


async def _print_session(house: House, line: Line, console: Console) -> None:
    from gateway.connections import OPERATOR
    from gateway.network.sessions import locked_until
    from gateway.store import network

    now = house.rooms.clock()
    async with house.rooms.store.tenant(OPERATOR) as session:
        row = await network.session(session, OPERATOR, line.id)
    if row is None:
        said = "never asked for"
    elif (until := locked_until(row, now)) is not None:
        said = f"[red]refused {row.refused} times in a row ({row.code}); nobody asks until {until:%H:%M} UTC[/]"
    elif row.expires_at is not None and row.expires_at > now:
        said = f"good until {row.expires_at:%H:%M} UTC"
    else:
        said = "none just now" + (f" ({row.code})" if row.code is not None else "")
    _print_line(console, "Environment", line.environment)
    _print_line(console, "Session", said)


async def _clinic(house: House, tenant: UUID) -> str:
    return f"{_plain((await house.rooms.connections.clinic(tenant)).name)} [dim]{tenant}[/]"


def _word(faults: tuple[str, ...], *, linked: bool) -> str:
    if faults:
        return f"[red]{', '.join(str(fault).replace('_', ' ') for fault in faults)}[/]"
    return "[green]well[/]" if linked else "[dim]free[/]"


def _print_line(console: Console, title: str, said: str) -> None:
    console.print(f"[bold]{title:<12}[/] {said}", highlight=False, soft_wrap=True)


def _print_table(console: Console, titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich import box
    from rich.table import Table

    if not rows:
        console.print("no facilities yet; link one with `gateway abdm facility TENANT FACILITY-ID`")
        return
    table = Table(*titles, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _print_troubles(console: Console, faults: list[str]) -> None:
    from gateway.flows.network.bridge import troubles

    for trouble in troubles(sorted({str(fault) for fault in faults})):
        console.print(f"[red]✗[/] {trouble.what} {trouble.mend}", highlight=False)
    if not faults:
        console.print("[green]✓[/] The network's file on this gateway is as it should be.", highlight=False)


def _plain(text: str) -> str:
    """A name as it stands; square brackets in it are no marks."""
    from rich.markup import escape

    return escape(text)
