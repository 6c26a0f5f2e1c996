"""Marked patients through every exchange with a network of records: nothing that the gateway writes holds a mark.

The gateway is a program of its own at its most talkative; the network, whoever asks for records and whoever sends texts are on
loopback, and echo what they were sent. What is stored of people is sealed, so no row of any table holds a mark either.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connectors.abdm.callbacks import READERS
from connectors.abdm.simulator.artefacts import Wanted
from connectors.abdm.simulator.clock import stamp
from connectors.abdm.simulator.courier import gateway_token
from connectors.abdm.simulator.keys import Keyring
from connectors.abdm.simulator.network import CLIENT
from connectors.abdm.simulator.people import new_id
from connectors.contract import Action
from connectors.example import example_of
from connectors.messaging.twilio import sandbox as twilio_sandbox
from connectors.registry import Registry
from gateway.flows.network.takers import TAKERS
from tests.acceptance import spoiled
from tests.acceptance.marks import found
from tests.acceptance.programs import ROOT
from tests.conformance.harness import CANARY
from tests.gateway.network import marked
from tests.gateway.network.marked import ADDRESS, MOBILE, SUBJECT, TOLD, WORD
from tests.gateway.network.stage import Stage, staged

Letters = list[tuple[str, Any]]  # path, body
HIU = "IN2910000999"
AT_ONCE, ROUNDS, FIRST = 40, 5, 40
# What the network calls consents and exchanges is kept as it comes, since it asks by that.
KEEP_IDS = {"artefacts", "transfers"}
# Where patients' accounts are, where records go, where it is told what became of them.
ACCOUNTS, HIUS = "/abha/api/", "/hiu/"
REPORT = "/api/hiecm/data-flow/v3/health-information/notify"
# What a host may call; the others are the gateway's own part of an exchange.
CALLED = [action for action in Registry.load().connector("abdm").actions.values() if not action.inner]
# Examples too, which faults may quote: they are looked for in what is written only.
MARKS = marked.MARKS | {text for action in CALLED for text in spoiled.telling(example_of(action.shape))}


@pytest.fixture
async def stage(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """Everybody in their place."""
    async with staged(fresh_dsn, tmp_path) as made:
        yield made


@pytest.mark.timeout(180)
async def test_nothing_that_is_written_about_patients_at_a_network_holds_a_mark(stage: Stage, tmp_path: Path) -> None:
    await _logged_in(stage)
    await stage.asked("PUT", "/v1/patients", marked.PATIENT)
    await _linked_by_the_clinic(stage)
    code = await _linked_by_the_patient(stage)
    await _not_found(stage)
    await _released(stage)
    await _shared(stage)
    letters = _letters(stage)
    await _spoiled(stage, letters)
    await _forged(stage, letters)
    await _echoed(stage, letters)
    await _called(stage)
    await _looked_at(stage)
    assert await stage.program.stop(signal.SIGTERM) == 0
    assert stage.program.started.stdout is not None
    printed, logged = await stage.program.started.stdout.read(), (tmp_path / "err").read_bytes()
    for event in (b'"artefact_kept"', b'"letter_unreadable"', b'"attempt_failed"', b'"letter_broken"'):
        assert event in logged, "it said too little to prove anything"
    assert b"Traceback" not in logged
    database = (Path(os.environ["GATEWAY_TEST_POSTGRES"]) / "postgres.log").read_bytes()
    urls = "\n".join((*stage.door.asked, *stage.texts_door.asked)).encode()
    assert found(marked.MARKS - {CANARY}, database) == []  # other tests write there too, and have that one in common
    for said in (printed, logged, urls):
        assert found(MARKS | {WORD} | secrets_of(stage), said) == []
        assert re.search(rb"(?<![0-9a-f.])%b(?![0-9a-f])" % code.encode(), said) is None


def secrets_of(stage: Stage) -> set[str]:
    """What opens doors: keys and tokens of everybody, by a part that nothing else has."""
    asked = [heard.headers.get("authorization", "") for heard in stage.network.requests]
    letters = [told.headers["Authorization"] for told in stage.network.told[:FIRST]]
    links = [str(told.body.get("linkToken", "")) for told in stage.network.told if isinstance(told.body, dict)]
    tokens = {each[-30:] for each in (*asked, *letters, *links) if len(each) > 100 or each.startswith("Bearer ")}
    return {CLIENT[1], stage.key, twilio_sandbox.CREDENTIAL.partition(":")[2], *tokens}


# --- The exchanges as they are meant ----------------------------------------------------------------------------------


async def _logged_in(stage: Stage) -> None:
    """The network gives no session at first, shows no keys, and repeats what it was told."""
    strange = Keyring().token({"azp": "gateway", "sub": CANARY})
    await _posted(stage, "/api/v3/hip/patient/share", b"{}", authorization=f"Bearer {strange}")
    for event in ("bridge_not_looked_at", "network_login_refused", "network_keys_not_read"):
        await stage.until(lambda event=event: _true(event in stage.program.err.read_text()))
    assert stage.door.echoed, "it was asked for no session"
    stage.door.below = ()
    await stage.owner.execute("UPDATE network_sessions SET retry_at = NULL, refused = 0, troubles = 0")

    async def takes_letters() -> bool:
        return (await _posted(stage, "/api/v3/hip/patient/share", b"{}")).status_code == 202

    await stage.until(takes_letters)


async def _linked_by_the_clinic(stage: Stage) -> None:
    await stage.linked(await stage.visited(1, link=True))
    await stage.told("notify_context")
    await stage.asked("POST", "/v1/patients/invite", {"connector": "abdm", "subject": SUBJECT})
    await stage.told("invite_patient")


async def _linked_by_the_patient(stage: Stage) -> str:
    """The patient finds visits and links one with the code that came, which is given back; the first one is not sent."""
    visit, _ = await stage.visited(2, link=False), await stage.visited(3, link=False)
    asked = await stage.network.discover(ADDRESS, stage.service)
    await stage.network.until(lambda: asked.state == "found", 20)
    stage.texts_door.below = ("/",)
    await stage.network.init_link(asked.transaction, [visit])
    await stage.network.until(lambda: asked.state == "refused", 20)
    asked.state, stage.texts_door.below = "found", ()
    await stage.network.init_link(asked.transaction, [visit])
    await stage.network.until(lambda: asked.state == "otp", 20)
    code = re.match(r"\d{6}", stage.texts.messages[-1].text)
    assert code is not None
    await stage.network.confirm_link(asked.transaction, code[0])
    await stage.linked(visit)
    assert [each.to for each in stage.texts.messages] == [MOBILE]
    return code[0]


async def _not_found(stage: Stage) -> None:
    """Somebody is looked for and shares their profile whom the clinic does not know."""
    asked = await stage.network.discover(marked.STRANGERS_ADDRESS, stage.service)
    await stage.network.until(lambda: asked.state == "none", 20)
    share = await stage.network.share_profile(marked.STRANGERS_ADDRESS, stage.service, "A1")
    await stage.network.until(lambda: share.state == "acknowledged", 20)


async def _consented(stage: Stage) -> str:
    now, month = stage.network.clock.outside(), 30 * 86_400
    wanted = Wanted("CAREMGT", since=stamp(now - month), until=stamp(now + 86_400), erase_at=stamp(now + month))
    [artefact] = await stage.network.grant(stage.network.ask_consent(ADDRESS, HIU, wanted).id)
    return artefact.id


async def _released(stage: Stage) -> None:
    """Records go out, and the consent ends."""
    consent = await _consented(stage)
    transfer = await stage.network.request_records(consent)
    await stage.network.until(lambda: bool(transfer.statuses), 20)
    assert len(transfer.entries) == 2
    assert all(found(["Canarylamine"], entry.plain or b"") for entry in transfer.entries), "nothing was marked"
    await stage.network.revoke(consent)


async def _shared(stage: Stage) -> None:
    share = await stage.network.share_profile(ADDRESS, stage.service, "A1")
    await stage.network.until(lambda: share.state == "acknowledged", 20)
    hurried = "/link/context/notify"  # which was told before its time
    assert [each for each in stage.network.faulty() if not each.path.endswith(hurried)] == []


# --- The exchanges as they are not meant ------------------------------------------------------------------------------


async def _spoiled(stage: Stage, letters: Letters) -> None:
    """Every kind of letter that came, genuine, with marks where they do not belong; and letters that are none."""
    stage.door.agreeing = True
    at_once = asyncio.Semaphore(AT_ONCE)

    async def tell(path: str, body: Any) -> None:
        async with at_once:
            await stage.network.tell(path, body, stage.service)

    async with asyncio.TaskGroup() as group:
        for path, body in letters:
            for each in marked.spoiled(body):
                group.create_task(tell(path, each))
    for path in (*READERS, f"/{CANARY}", f"/api/v3/{CANARY}?{CANARY}={CANARY}"):
        for raw_body in (*spoiled.BODIES, b"null", b"[]", b"{}"):
            assert (await _posted(stage, path, raw_body)).status_code == 202
    await stage.worked_off()
    stage.door.agreeing = False


def _letters(stage: Stage) -> Letters:
    """One good letter of each kind."""
    kinds: dict[tuple[str, str], Any] = {}
    for told in stage.network.told:
        kinds.setdefault((told.path, str(told.body.get("notification", {}).get("status"))), told.body)
    assert len({path for path, _ in kinds}) == len(TAKERS), "of some kind there was none"
    return [(path, body) for (path, _), body in kinds.items()]


async def _forged(stage: Stage, letters: Letters) -> None:
    """Letters that are not the network's, or for nobody here, or hardly HTTP."""
    path, body = next(letter for letter in letters if letter[0].endswith("/discover"))
    token, strange = gateway_token(stage.network), Keyring().token({"azp": "gateway", "sub": CANARY})
    wrong: list[dict[str, str]] = [{"authorization": each} for each in spoiled.AUTHORIZATIONS]
    wrong += [{"authorization": f"Bearer {each}"} for each in (strange, token[:-8] + "AAAAAAAA", f"{token}{CANARY}")]
    wrong += [{"x-hip-id": CANARY}, {"request-id": f"{CANARY} {CANARY}"}, {"timestamp": CANARY}]
    wrong += [{"content-encoding": CANARY}, {"content-type": CANARY}]
    for headers in wrong:
        said = await _posted(stage, path, repr(body).encode(), **{"request-id": new_id(), **headers})
        assert said.status_code in (202, 400, 415), said.text
    for method in ("GET", "PUT", CANARY):
        await stage.asked(method, f"/abdm{path}?{CANARY}={ADDRESS}", body, fits=False)


async def _posted(stage: Stage, path: str, raw_body: bytes, **given: str) -> httpx2.Response:
    headers = {
        **spoiled.HEADERS, "authorization": f"Bearer {gateway_token(stage.network)}", "request-id": new_id(),
        "x-hip-id": stage.service, "timestamp": stage.network.stamp(), "content-type": "application/json", **given,
    }  # fmt: skip
    said = await stage.client.post(f"/abdm{path}", content=raw_body, headers=headers)
    assert found(marked.MARKS | {WORD}, said.content + str(said.headers).encode()) == [], said.text
    return said


async def _echoed(stage: Stage, letters: Letters) -> None:
    """Each exchange anew while the network says no in every way, and then whoever asked for the records does."""
    stage.door.below = TOLD
    for number in range(ROUNDS):
        for path, body in letters:
            await stage.network.tell(path, body, stage.service)
        await stage.network.request_records(await _consented(stage))
        await stage.visited(100 + number, link=True)
    await stage.asked("POST", "/v1/patients/invite", {"connector": "abdm", "subject": SUBJECT})
    await stage.until(lambda: _true(stage.door.echoed >= 55), 30)
    stage.door.below, before = (HIUS, REPORT), stage.door.echoed
    for _ in range(ROUNDS):
        await stage.network.request_records(await _consented(stage))
    await stage.until(lambda: _true(stage.door.echoed >= before + 3 * ROUNDS), 30)


async def _true(seen: bool) -> bool:
    return seen


async def _called(stage: Stage) -> None:
    """Every call that a host may make, of a network that says no in every way and repeats what it was told."""
    stage.door.below = (ACCOUNTS,)

    async def call(action: Action, payload: Any) -> tuple[str, str | None]:
        purpose = sorted(action.purposes)[0]
        body = {"connector": "abdm", "action": action.name, "purpose": purpose, "subject": SUBJECT, "payload": payload}
        said = await stage.asked("POST", "/v1/calls", body, fits=payload == example_of(action.shape))
        return action.name, said.json().get("outcome")

    payloads = [
        (action, payload) for action in CALLED for payload in (*spoiled.payloads(action), example_of(action.shape))
    ]
    came = await asyncio.gather(*(call(*each) for each in payloads * 3))
    assert {name for name, outcome in came if outcome} == {action.name for action in CALLED}
    assert {"rejected", "unknown"} <= {outcome for _, outcome in came}


# --- What is looked at ------------------------------------------------------------------------------------------------


async def _looked_at(stage: Stage) -> None:
    """What the gateway tells of itself, its ledger, and every row that it keeps."""
    bundle = await stage.asked("POST", "/v1/bundles", {})
    pages = [await stage.asked("GET", f"/v1/{name}") for name in ("disclosures", "refusals", "notices")]
    for said in (bundle, *pages, await stage.asked("GET", "/metrics")):
        assert found(MARKS | {WORD}, said.content) == [], said.url
    tables = await stage.owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    held: dict[str, list[str]] = {}
    for (table,) in tables:
        rows = "\n".join([row[0] for row in await stage.owner.fetch(f'SELECT x::text FROM "{table}" x')])
        # The queue keeps where its jobs broke, and this folder may be called anything.
        if seen := found(MARKS | {WORD}, rows.replace(str(ROOT), "").encode()):
            held[table] = seen
    ids = {name: held.pop(name) for name in KEEP_IDS & held.keys()}
    assert (held, {mark for marks in ids.values() for mark in marks}) == ({}, {WORD})
