"""The demo's clinic, lived in: every page has something to show. One gateway, one clinic, and what stands at its ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from connectors.abdm import sandbox as abdm
from gateway.calls import Actor
from gateway.config import Settings
from gateway.demo import EVERYTHING, Demo, running
from gateway.keyfiles import make
from gateway.people import Role
from tests.acceptance.test_callbacks import until
from tests.gateway.receiver import Receiver

REFERENCE = "patient-4711"
_PAID = {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "eur", "product": "appointment"}
_CALL = {
    "connector": "payments", "action": "create_payment_link", "purpose": "HPAYMT", "subject": REFERENCE, "payload": _PAID,
}  # fmt: skip
_REMINDER = {
    "connector": "messaging", "action": "send_reminder", "purpose": "TREAT", "subject": REFERENCE,
    "payload": {"phone": "+14155550123", "given_name": "Meenakshi", "starts_at": "2027-12-01T10:30:00+05:30"},
}  # fmt: skip
_CONSENT = {
    "subject": REFERENCE, "purposes": ["TREAT"], "channels": ["sms"],
    "evidence": {"how": "on paper", "when": "2026-01-15T09:30:00Z", "wording": "sms-1"},
}  # fmt: skip


@dataclass(frozen=True)
class Furnished:
    """A clinic in which something has happened everywhere."""

    demo: Demo
    software: httpx2.AsyncClient
    receiver: Receiver

    @property
    def url(self) -> str:
        """Where a browser reaches it: by a name, since passkeys belong to one."""
        return self.demo.url.replace("127.0.0.1", "localhost")

    @property
    def operator(self) -> Actor:
        """Who may do everything, without a browser."""
        return Actor("system", "test", self.demo.tenant, EVERYTHING)

    async def ask(self, method: str, path: str, body: Any, *, status: int) -> Any:
        """One request of the clinic's software."""
        told = await self.software.request(method, path, json=body)
        assert told.status_code == status, told.text
        return told.json()


@asynccontextmanager
async def furnished(dsn: str, folder: Path) -> AsyncIterator[Furnished]:
    """Open it, and leave something to see on every page."""
    settings = Settings.from_environment({}, data_dir=folder, database_url=dsn, port=0)
    make(settings)
    receiver = Receiver()
    await receiver.open()
    try:
        async with running(settings) as demo:
            headers = {"authorization": f"Bearer {demo.api_key}"}
            async with httpx2.AsyncClient(base_url=demo.url, headers=headers, trust_env=False, timeout=30) as software:
                clinic = Furnished(demo, software, receiver)
                await _called(clinic)
                await _heard(clinic)
                await _peopled(clinic)
                await _at_a_network(clinic)
                yield clinic
    finally:
        receiver.close()


async def _called(clinic: Furnished) -> None:
    """Calls that were taken and refused, one that waits; somebody who agreed."""
    await clinic.ask("POST", "/v1/calls", _REMINDER, status=403)
    await clinic.ask("POST", "/v1/calls", {**_CALL, "purpose": "TREAT"}, status=403)
    await clinic.ask("POST", "/v1/calls", _CALL, status=200)
    await clinic.ask("POST", "/v1/consents", _CONSENT, status=201)
    await clinic.ask("POST", "/v1/calls", _REMINDER, status=200)
    around = {name: f"{datetime.now(UTC) + timedelta(hours=by):%H:%M}" for name, by in (("from", -2), ("until", 2))}
    policy = {"jurisdiction": None, "allowed_regions": None, "quiet_hours": around}
    await clinic.ask("PUT", "/v1/policy", policy, status=200)
    await clinic.ask("POST", "/v1/calls", _REMINDER, status=202)


async def _heard(clinic: Furnished) -> None:
    """An endpoint that took one event and refuses the next."""
    wish = {
        "url": clinic.receiver.url, "events": ["*"], "purpose": "HOPERAT", "recipient": {"name": "Vendor Ltd", "country": "IN"},
    }  # fmt: skip
    await clinic.ask("POST", "/v1/endpoints", wish, status=201)

    async def published(state: str, attempts: int) -> None:
        event = {"type": "appointment.booked", "data": {"id": "appt_7Hq2ZkW9"}}
        made = (await clinic.software.post("/v1/events", json=event)).json()["id"]

        async def fared() -> bool:
            items = (await clinic.software.get("/v1/deliveries", params={"event": made})).json()["items"]
            return bool(items) and (items[0]["state"], items[0]["attempts"]) == (state, attempts)

        await until(fared)

    await published("delivered", 1)
    clinic.receiver.answers = [b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"]
    await published("waiting", 1)


async def _at_a_network(clinic: Furnished) -> None:
    """The demo's patient scans at the desk, and consents; records are sent under it."""
    network = clinic.demo.phones[clinic.demo.house.rooms.registry.connector("abdm").manifest.title]
    async with httpx2.AsyncClient(base_url=network.removesuffix(abdm.PHONE), trust_env=False, timeout=30) as simulator:

        async def play(verb: str, body: dict[str, Any]) -> Any:
            told = await simulator.post(f"/sim{verb}", json=body)
            assert told.status_code == 200, told.text
            return told.json()

        async def linked() -> bool:
            patients = (await simulator.get("/sim/state")).json()["patients"]
            return any(each["address"] == abdm.PATIENT and any(each["linked"].values()) for each in patients)

        await until(linked)
        facility = await clinic.demo.house.rooms.networks.facilities.of(clinic.demo.tenant, "abdm")
        assert facility is not None
        await play("/shares", {"address": abdm.PATIENT, "service_id": facility.service, "counter": "desk1"})
        around = {
            name: f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT%H:%M:%S.000Z}"
            for name, days in (("since", -30), ("until", 1), ("erase_at", 30))
        }
        wanted = await play(
            "/consents", {"address": abdm.PATIENT, "hiu": "IN2910000999", "purpose": "CAREMGT", **around}
        )
        [artefact] = await play(f"/consents/{wanted['id']}/grant", {})

        async def known() -> bool:
            return bool((await simulator.get(f"/sim/consents/{artefact['id']}")).json()["acknowledged"])

        await until(known)
        transfer = await play("/requests", {"consent": artefact["id"]})

        async def arrived() -> bool:
            return bool((await simulator.get(f"/sim/received/{transfer['transaction']}")).json()["statuses"])

        await until(arrived)


async def _peopled(clinic: Furnished) -> None:
    """Somebody who is invited, an API key, a named view of the log."""
    people, tenant = clinic.demo.house.rooms.people, clinic.demo.tenant
    await people.invitations.invite(clinic.operator, "colleague@clinic.example", Role.SUPPORT)
    owner = await people.accounts.person_of(clinic.demo.people[Role.OWNER]["email"])
    assert owner is not None
    await people.views.save(tenant, owner, "What was refused", "outcome=refused")
