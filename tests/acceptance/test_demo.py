"""`gateway demo` as a stranger starts it: ready in one line, the same clinic again, several at once, nothing left behind."""

from __future__ import annotations

import asyncio
import base64
import itertools
import re
import shlex
import signal
import socket
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest

from connectors.registry import Registry
from gateway.ledger.checkpoint import Checkpoint, Verifier, open_checkpoint
from gateway.ledger.merkle import verify_consistency
from tests.acceptance.programs import Program, run, running, servers_in

STOP_SECONDS = 10.0
CALL = {
    "connector": "payments",
    "action": "create_payment_link",
    "purpose": "HPAYMT",
    "payload": {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "eur", "product": "appointment"},
}
Ready = dict[str, Any]


def free_port() -> str:
    """A port that nobody uses at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def demo(folder: Path, port: str = "0", *more: str) -> Any:
    """A demo on a data folder; its log lies beside it."""
    return running("demo", "--port", port, "--data", folder, *more, err=folder.with_name(f"{folder.name}.err"))


async def stopped(program: Program, how: int = signal.SIGTERM) -> int:
    """Stop it in time; gives the exit code."""
    began = time.monotonic()
    code = await program.stop(how)
    assert time.monotonic() - began < STOP_SECONDS
    return code


async def ask(ready: Ready, method: str, path: str, **given: Any) -> httpx2.Response:
    """One request with the demo's key."""
    headers = {"authorization": f"Bearer {ready['api_key']}"}
    async with httpx2.AsyncClient(base_url=ready["url"], headers=headers, trust_env=False) as client:
        answer = await client.request(method, path, **given)
    assert answer.status_code == 200, answer.text
    return answer


async def called(ready: Ready) -> str:
    """A call of one's own; gives its id."""
    told = (await ask(ready, "POST", "/v1/calls", json=CALL)).json()
    assert told["outcome"] == "accepted", told
    return str(told["id"])


async def head_of(ready: Ready) -> Checkpoint:
    """The signed head of the demo clinic's log."""
    key = Verifier.from_vkey((await ask(ready, "GET", "/v1/log/key")).text.strip())
    return open_checkpoint((await ask(ready, "GET", "/v1/log/checkpoint")).text, [key])


async def signed_in(ready: Ready) -> None:
    """Sign in at the demo as its owner, as the form leads."""
    told = ready["sign_in"]
    async with httpx2.AsyncClient(trust_env=False) as client:
        form = (await client.get(told["url"])).text
        token = form.split('name="csrf" value="')[1].split('"')[0]
        fields = {"csrf": token, "email": told["email"], "password": told["password"]}
        done = await client.post(told["url"], data=fields)
        assert (done.status_code, done.headers["location"]) == (303, "/settings"), done.text
        assert "Demo clinic" in (await client.get(told["url"].replace("sign-in", "settings"))).text


async def test_the_first_line_says_all_that_one_needs_and_the_second_shows_the_example(tmp_path: Path) -> None:
    port = free_port()
    async with demo(tmp_path / "data", port, "--json") as program:
        ready = await program.json_line()
        assert set(ready) == {"url", "api_key", "tenant", "sign_in"}
        assert ready["url"] == f"http://127.0.0.1:{port}"
        assert UUID(ready["tenant"])
        assert ready["sign_in"]["url"] == f"http://localhost:{port}/sign-in"
        await signed_in(ready)
        assert (await ask(ready, "GET", "/readyz")).json() == {"status": "ok"}
        await called(ready)
        example = (await program.json_line())["example"]
        assert example["outcome"] == "accepted"
        assert {"patient_name", "diagnosis"} <= set(example["withheld"])
        assert [entry["kind"] for entry in example["entries"]] == ["intent", "outcome"]
        assert await stopped(program) == 0
        assert await program.line() == "", "nothing else is printed"
    said = program.err.read_text().splitlines()
    assert all(isinstance(orjson.loads(line), dict) for line in said), "its log is lines of JSON"


async def test_a_second_start_finds_the_same_clinic_and_its_log_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "a folder with spaces" / "and 'quotes' [too]"
    folder.parent.mkdir()
    async with demo(folder, "0", "--json") as program:
        first = await program.json_line()
        await program.json_line()
        made, old = await called(first), await head_of(first)
        assert await stopped(program) == 0
    assert servers_in(folder) == []
    async with demo(folder, "0", "--json") as program:
        second = await program.json_line()
        assert (second["tenant"], second["api_key"]) == (first["tenant"], first["api_key"])
        assert (await ask(second, "GET", f"/v1/disclosures/{made}")).json()["outcome"] == "accepted"
        connected = [each["connector"] for each in (await ask(second, "GET", "/v1/connections")).json()["items"]]
        assert sorted(connected) == sorted(Registry.load().connectors), "each sandbox once"
        await program.json_line()
        await _check_continues(second, old)
        assert await stopped(program, signal.SIGINT) == 0
    assert servers_in(folder) == []
    async with demo(folder) as program:
        await _check_shown(program, first)
        assert await stopped(program) == 0
    assert servers_in(folder) == []


async def _check_continues(ready: Ready, old: Checkpoint) -> None:
    proof = (await ask(ready, "GET", "/v1/log/consistency", params={"old_size": old.size})).json()
    assert proof["new_size"] > old.size
    verify_consistency(
        old_size=old.size,
        new_size=proof["new_size"],
        old_root=old.root,
        new_root=base64.b64decode(proof["new_root"]),
        proof=[base64.b64decode(each) for each in proof["hashes"]],
    )


async def _check_shown(program: Program, known: Ready) -> None:
    """What a person sees: the address, the key, the clinic, and a command that works as it stands."""
    text = ""
    while "Stop with Ctrl-C" not in text:
        line = await program.line()
        assert line or "\n\n\n" not in text, f"it ended: {text} {program.said()}"
        text += f"{line}\n"
    assert known["api_key"] in text
    assert known["tenant"] in text
    command = re.search(r"^ *(curl .*?[^\\])$", text, re.MULTILINE | re.DOTALL)
    assert command, text
    words = shlex.split(command[1].replace("\\\n", " "))
    headers = dict(word.split(": ", 1) for flag, word in itertools.pairwise(words) if flag == "-H")
    url = next(word for word in words if word.startswith("http://"))
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(url, headers=headers, content=words[words.index("-d") + 1])
    assert answer.json()["outcome"] == "accepted", answer.text


async def test_two_demos_on_two_folders_know_nothing_of_each_other(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    async with AsyncExitStack() as stack:
        programs = [await stack.enter_async_context(demo(folder, free_port(), "--json")) for folder in folders]
        one, two = await asyncio.gather(*(program.json_line() for program in programs))
        assert one["tenant"] != two["tenant"]
        assert one["url"] != two["url"]
        async with httpx2.AsyncClient(trust_env=False) as client:
            strange = {"authorization": f"Bearer {one['api_key']}"}
            assert (await client.get(f"{two['url']}/v1/catalog", headers=strange)).status_code == 401
        assert await stopped(programs[0]) == 0
        assert servers_in(folders[0]) == []
        await called(two)
        assert await stopped(programs[1]) == 0
    assert servers_in(folders[1]) == []


async def test_demos_on_one_new_folder_show_one_clinic_and_the_last_turns_off_the_light(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with AsyncExitStack() as stack:
        programs = [await stack.enter_async_context(demo(folder, free_port(), "--json")) for _ in range(3)]
        readies = await asyncio.gather(*(program.json_line() for program in programs))
        assert len({(ready["tenant"], ready["api_key"]) for ready in readies}) == 1
        assert len({ready["url"] for ready in readies}) == 3
        made = await asyncio.gather(*(called(ready) for ready in readies))
        for program in programs[:2]:
            assert await stopped(program) == 0
        last = readies[2]
        for each in made:
            assert (await ask(last, "GET", f"/v1/disclosures/{each}")).json()["outcome"] == "accepted"
        await called(last)
        assert await stopped(programs[2]) == 0
    assert servers_in(folder) == []


MOMENTS = {
    "postgres.start.lock": signal.SIGTERM,
    "postgres": signal.SIGINT,
    "postgres.log": signal.SIGTERM,
    "demo.json": signal.SIGINT,
    "its first line": signal.SIGTERM,
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_demo_that_is_stopped_while_it_starts_leaves_no_database_behind(tmp_path: Path, moment: str) -> None:
    folder = tmp_path / "data"
    async with demo(folder, "0", "--json") as program:
        if moment == "its first line":
            assert await program.json_line()
        else:
            await asyncio.to_thread(_appears, folder / moment)
        assert await stopped(program, MOMENTS[moment]) in (0, 130)
        assert "Traceback" not in program.err.read_text()
    assert servers_in(folder) == []
    async with demo(folder, "0", "--json") as program:
        await called(await program.json_line())
        assert await stopped(program) == 0


def _appears(path: Path) -> None:
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until, f"{path.name} does not appear"
        time.sleep(0.005)


async def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = await run("demo", "--port", str(port), "--data", tmp_path / "data")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"gateway: port {port} on 127.0.0.1 is taken; choose another one with --port\n"
    assert servers_in(tmp_path / "data") == []
