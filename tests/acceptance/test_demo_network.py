"""The demo at a network of health records: a patient links a visit with a code, consents, and the records arrive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from connectors.abdm.sandbox import FACILITY, IN_THE_FILE, PATIENT
from connectors.abdm.simulator.cases_cast import Person
from connectors.abdm.simulator.cases_hospital import PagePhone
from gateway.config import Settings
from gateway.demo import Demo, running

HIU, MOBILE = "IN2910000999", str(IN_THE_FILE["mobile"])


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 60) -> Any:
    """What a look finds, as soon as it finds anything."""
    ends = time.monotonic() + seconds
    while not (found := await look()):
        assert time.monotonic() < ends, "nothing came of it"
        await asyncio.sleep(0.1)
    return found


def page(demo: Demo, named: str) -> str:
    """One of the phones, as the demo prints it."""
    return next(url for title, url in demo.phones.items() if named in title)


async def goes_round(demo: Demo) -> None:
    """What a first-time user does, in the app and on the phone."""
    app = page(demo, "ABDM")
    assert app.endswith("/app")
    async with httpx2.AsyncClient(base_url=app.removesuffix("/app"), trust_env=False, timeout=30) as client:

        async def did(path: str, **given: Any) -> Any:
            answer = await (client.post(path, json=given) if given else client.get(path))
            assert answer.status_code == 200, answer.text
            return answer.json()

        async def linked() -> list[Any]:
            state = await did("/sim/state")
            patient = next(each for each in state["patients"] if each["address"] == PATIENT)
            return list(patient["linked"].get(FACILITY, ()))

        assert PATIENT in (await client.get("/app", follow_redirects=True)).text
        await until(linked)
        found = await did("/sim/discoveries", address=PATIENT, service_id=FACILITY)
        where = f"/sim/discoveries/{found['transaction']}"

        async def is_in(state: str) -> Any:
            now = await did(where)
            assert now["error"] is None, now
            return now if now["state"] == state else None

        shown = await until(lambda: is_in("found"))
        assert len(shown["blocks"][0]["careContexts"]) == 1
        phone = PagePhone(f"{page(demo, 'Twilio')}/{{mobile}}")
        asha = Person("patient-4711", "Asha Rao", "F", 1984, PATIENT, MOBILE)
        await phone.before(asha)
        await did(f"{where}/init", references=None)
        await until(lambda: is_in("otp"))
        await did(f"{where}/confirm", otp=await until(lambda: phone.code(asha)))
        await until(lambda: is_in("linked"))
        await _records_come(did)
        assert (await did("/sim/state"))["faults"] == 0, [each for each in await did("/sim/heard") if each["faults"]]


async def _records_come(did: Callable[..., Awaitable[Any]]) -> None:
    now = datetime.now(UTC)
    dates = {
        "since": now - timedelta(days=30), "until": now, "erase_at": now + timedelta(days=30),
    }  # fmt: skip
    texts = {name: at.isoformat(timespec="milliseconds").replace("+00:00", "Z") for name, at in dates.items()}
    asked = await did("/sim/consents", address=PATIENT, hiu=HIU, purpose="CAREMGT", **texts)
    (artefact,) = await did(f"/sim/consents/{asked['id']}/grant", narrowed=None)

    async def acknowledged() -> Any:
        return (await did(f"/sim/consents/{artefact['id']}"))["acknowledged"]

    await until(acknowledged)
    transfer = await did("/sim/requests", consent=artefact["id"])

    async def ended() -> Any:
        got = await did(f"/sim/received/{transfer['transaction']}")
        return got if got["state"] in ("TRANSFERRED", "FAILED", "refused") else None

    got = await until(ended)
    assert (got["state"], got["faults"]) == ("TRANSFERRED", [])
    assert [each["hiType"] for each in got["entries"]] == ["Prescription", "Prescription"]
    assert "Paracetamol" in "".join(each["plain"] for each in got["entries"])


async def test_a_first_time_user_links_a_visit_and_sees_the_records_arrive_also_after_a_second_start(
    tmp_path: Path,
) -> None:
    settings = Settings.from_environment({}, data_dir=tmp_path / "data", port=0)
    for _ in range(2):
        async with running(settings, any_port=True) as demo:
            await goes_round(demo)
