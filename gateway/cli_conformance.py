"""`gateway abdm conformance`: the network's certification cases, played against a hospital's software. No real data."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import typer

from gateway.errors import InvalidRequest, Unavailable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from connectors.registry import Connector

CONNECTOR: Final = "abdm"
_REACH_SECONDS: Final = 300
_LOOK_SECONDS: Final = 1.0
_WORDS: Final = {True: "[green]pass[/]", False: "[red]FAIL[/]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is to be played against, and how."""

    base_url: str | None
    listen: str
    gateway_url: str | None
    client: tuple[str, str]
    facility: tuple[str, str]
    without: tuple[str, ...]
    mark: str | None
    api_key: str | None
    api_url: str | None
    phone: str | None
    at_once: bool
    wait_out: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class _Hospital:
    """The software under test: where it takes callbacks, its API where it is ours, a page with the patient's texts."""

    base_url: str
    api_url: str | None = None
    api_key: str | None = None
    phone: str | None = None


async def play(options: Options, out: Console, err: Console) -> bool:
    """Play every case and print what came of it; whether all passed. Raises InvalidRequest and Unavailable."""
    from connectors.registry import Registry
    from gateway.serve import listening, serving, url_of

    connector = Registry.load().connector(CONNECTOR)
    cast = connector.module("simulator.cases_cast").Cast.of(options.mark or secrets.token_hex(3))
    host, _, port = options.listen.rpartition(":")
    if not port.isdecimal():
        raise InvalidRequest("--listen must read HOST:PORT, as 127.0.0.1:8095")
    listener = listening(host or "127.0.0.1", int(port), otherwise_any=options.base_url is None)
    async with AsyncExitStack() as stack:
        stack.callback(listener.close)
        try:
            app, network, service = connector.module("simulator.cases_run").network_for(
                options.base_url or "http://127.0.0.1:9/abdm", cast,
                facility=options.facility, client=options.client, off=options.without,
            )  # fmt: skip
        except ValueError as unknown:
            raise InvalidRequest(str(unknown)) from None
        network.served_at = options.gateway_url
        url = await stack.enter_async_context(serving(app, listener))
        hospital = await _found(options, url_of(listener), stack, err)
        network.register(hospital.base_url)
        if hospital.api_key is None:
            await _say_what_is_needed(connector, cast, options, url, err)
        await _reached(connector, hospital.base_url, err)
        stage = _stage(connector, network, hospital, service, cast, err, wait_out=options.wait_out)
        verdicts = await _certify(connector, stage, err)
    _show(connector, verdicts, hospital.base_url, out, as_json=options.as_json)
    return all(verdict.passed for verdict in verdicts)


async def _found(options: Options, network_url: str, stack: AsyncExitStack, err: Console) -> _Hospital:
    """What is under test: what was named, or this gateway's own demo with a clinic that is thrown away."""
    if options.base_url is None:
        return await stack.enter_async_context(_own(network_url, err))
    split = urlsplit(options.base_url)
    if split.scheme not in ("http", "https") or not split.netloc:
        raise InvalidRequest("--base-url must be where the hospital takes callbacks, as https://hip.example/abdm")
    origin = options.api_url or f"{split.scheme}://{split.netloc}"
    return _Hospital(options.base_url.rstrip("/"), origin, options.api_key, options.phone)


@asynccontextmanager
async def _own(network_url: str, err: Console) -> AsyncIterator[_Hospital]:
    """A demo of this gateway that has this network in place of its sandbox."""
    from pathlib import Path

    from connectors.registry import Registry
    from gateway.config import Settings
    from gateway.demo import running

    err.print("A gateway of this version is started, on a database that is thrown away.", highlight=False)
    with TemporaryDirectory(prefix="gateway-conformance-") as folder:
        settings = Settings.from_environment({}, data_dir=Path(folder), port=0, log_level="ERROR")
        async with running(settings, any_port=True, elsewhere={CONNECTOR: network_url}) as demo:
            texts = Registry.load().connector("messaging/twilio").manifest.title
            yield _Hospital(f"{demo.url}/{CONNECTOR}", demo.url, demo.api_key, f"{demo.phones[texts]}/{{mobile}}")


async def _say_what_is_needed(connector: Connector, cast: Any, options: Options, url: str, err: Console) -> None:
    """What the hospital's side has to do first, in words; then wait until somebody says that it is done."""
    said = [
        f"Its gateway is {options.gateway_url or url}, with the client id {options.client[0]} and its secret.",
        f"Its facility is {options.facility[0]} ({options.facility[1]}); it reads the service id from the gateway.",
        *connector.module("simulator.cases_cast").in_words(cast),
        "Where a consent names nobody who asks (the quirk consent_without_hiu), records go to whoever asks with it.",
    ]
    err.print("[bold]The hospital's software has to be set up like this:[/]")
    for number, each in enumerate(said, start=1):
        err.print(f"{number:3}. {each}", highlight=False, markup=False, soft_wrap=True)
    if not options.at_once:
        await asyncio.to_thread(typer.confirm, "Is all of this there?", default=True, abort=True, err=True)


async def _reached(connector: Connector, base_url: str, err: Console) -> None:
    """Wait until the hospital answers at all."""
    reachable = connector.module("simulator.cases_hospital").reachable
    for second in range(_REACH_SECONDS):
        if await reachable(base_url):
            return
        if second == 0:
            err.print(f"Nobody answers at {base_url} yet; it is looked for during five minutes.", highlight=False)
        await asyncio.sleep(_LOOK_SECONDS)
    raise Unavailable(f"nobody answers at {base_url}", fix="Start the hospital's software, or name another --base-url.")


def _stage(
    connector: Connector, network: Any, hospital: _Hospital, service: str, cast: Any, err: Console, *, wait_out: bool
) -> Any:
    sides = connector.module("simulator.cases_hospital")

    async def asked(question: str) -> str:
        return str(await asyncio.to_thread(typer.prompt, question, err=True))

    async def waited(seconds: float) -> None:
        err.print(f"Waiting {seconds / 60:.0f} minutes for the token to end.", highlight=False)
        await asyncio.sleep(seconds)

    by_api = hospital.api_key is not None
    return connector.module("simulator.cases_stage").Stage(
        network, hospital.base_url, service, cast,
        sides.ByApi(hospital.api_url, hospital.api_key, network.clock.outside) if by_api else sides.ByHand(),
        sides.PagePhone(hospital.phone) if hospital.phone else sides.AskedPhone(asked),
        skip=waited if wait_out else None,
    )  # fmt: skip


async def _certify(connector: Connector, stage: Any, err: Console) -> Sequence[Any]:
    """Play the cases behind a bar that says which one is on."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    cases = connector.module("simulator.cases").cases_for(stage)
    certify = connector.module("simulator.cases_stage").certify
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("", total=len(cases))
        verdicts: Sequence[Any] = await certify(stage, cases, _ticked(bar, task), _begun(bar, task))
    return verdicts


def _ticked(bar: Progress, task: Any) -> Any:
    return lambda verdict: bar.advance(task)


def _begun(bar: Progress, task: Any) -> Any:
    return lambda case: bar.update(task, description=f"{case.name}: {case.title}")


def _show(connector: Connector, verdicts: Sequence[Any], base_url: str, out: Console, *, as_json: bool) -> None:
    from rich import box
    from rich.table import Table

    if as_json:
        import orjson

        typer.echo(orjson.dumps(connector.module("simulator.cases_run").shown(verdicts, base_url)).decode())
        return
    table = Table(
        "Case", "What it tries", "", "Reasons, by section", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False
    )
    for verdict in verdicts:
        reasons = [f"{fault.section} {fault.what}" for fault in verdict.reasons]
        if verdict.passed and verdict.tries > 1:
            reasons.append(f"at attempt {verdict.tries}")
        name = verdict.case.name if verdict.case.official else f"({verdict.case.name})"
        table.add_row(name, verdict.case.title, _WORDS[verdict.passed], _plain("\n".join(reasons)))
    out.print(table)
    failed = sum(not verdict.passed for verdict in verdicts)
    word = f"[red]{failed} failed[/]" if failed else "[green]all pass[/]"
    out.print(f"{len(verdicts)} cases against {base_url}: {word}. In brackets: of our own.", highlight=False)
    for name, why in connector.module("simulator.cases").NOT_PLAYED:
        out.print(f"[dim]Not played: {name}; {why}.[/]", highlight=False, soft_wrap=True)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
