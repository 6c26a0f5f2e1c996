"""What a vendor encrypts to a connection's own key pair: handed over, opened after its signature is right, replaced in time.

Graph encrypts nothing of shifts, so no action of Teams' asks for it; here one does, against the sandbox.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from cryptography import x509

from connectors.teams import sandbox_watch
from connectors.teams.sandbox_directory import ACCOUNT, SHIFT, TEAM
from gateway.callback_keys import KEPT_AFTER, REPLACED_AFTER
from gateway.flows.housekeeping import keep_one
from gateway.flows.leave import revoke
from gateway.flows.watching import want
from gateway.store import callback_keys as rows
from tests.gateway.house import entries_of
from tests.gateway.oauth.test_watches import SHIFTS, Watched, watched

__all__ = ["watched"]


@pytest.fixture
async def encrypting(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """The same, where watching shifts hands a certificate over."""
    manifest = watched.house.rooms.registry.connector("teams").manifest
    entry = manifest.actions["watch_shifts"].model_copy(update={"certificate": True})
    monkeypatch.setitem(manifest.actions, "watch_shifts", entry)
    await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.seen_to()
    return watched


async def keys_of(watched: Watched) -> list[rows.KeyRow]:
    """The pairs of the clinic's connection to Teams."""
    connection = (await watched.house.rooms.connections.present(watched.oauth.tenant)).connection("teams")
    async with watched.house.rooms.store.tenant(watched.oauth.tenant) as session:
        return await rows.all_of(session, watched.oauth.tenant, connection.id)


async def posted(watched: Watched, changed: Any = lambda item: item) -> int:
    """What the gateway answers to a rich notification, changed somehow."""
    (watch,) = watched.watches.values()
    held = {"@odata.type": "#Microsoft.Graph.shift", "id": SHIFT}
    item = {
        "subscriptionId": watch["id"], "subscriptionExpirationDateTime": watch["expirationDateTime"],
        "clientState": watch["clientState"], "tenantId": ACCOUNT, "changeType": "updated", "resourceData": held,
        "resource": f"teams('{TEAM}')/schedule/shifts('{SHIFT}')",
        "encryptedContent": sandbox_watch.sealed(watch, {**held, "notes": "With Mrs Roe"}),
    }  # fmt: skip
    async with httpx2.AsyncClient(trust_env=False) as graph:
        return (await graph.post(watch["notificationUrl"], json={"value": [changed(item)]})).status_code


async def test_no_action_asks_for_it_unless_its_manifest_says_so(watched: Watched) -> None:
    await want(watched.oauth.actor, SHIFTS, watched.house.rooms)
    await watched.seen_to()
    assert await keys_of(watched) == []
    assert all("encryptionCertificate" not in watch for watch in watched.watches.values())


async def test_a_certificate_is_handed_over_and_what_comes_encrypted_is_opened(encrypting: Watched) -> None:
    (key,) = await keys_of(encrypting)
    (watch,) = encrypting.watches.values()
    assert (watch["encryptionCertificateId"], watch["encryptionCertificate"]) == (str(key.id), key.certificate)
    assert watch["includeResourceData"] is True
    assert b"PRIVATE" not in key.sealed
    await encrypting.staff_move("08")
    await encrypting.graph_says("nothing that is known")
    assert [(kind, data["id"]) for kind, data in await encrypting.told()] == [("teams.shift.changed", SHIFT)]
    entries = [entry for entry in await entries_of(encrypting.house, encrypting.oauth.tenant) if entry["kind"] == "key"]
    assert [(entry["key"], entry["state"]) for entry in entries] == [(str(key.id), "created")]


def _tampered(item: dict[str, Any]) -> dict[str, Any]:
    content = item["encryptedContent"]
    return {**item, "encryptedContent": {**content, "data": "A" + content["data"][1:]}}


def _elsewhere(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "encryptedContent": {**item["encryptedContent"], "encryptionCertificateId": str(uuid4())}}


def _another(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "resourceData": {**item["resourceData"], "id": "SHFT_another"}}


@pytest.mark.parametrize("changed", [_tampered, _elsewhere, _another, lambda item: {**item, "encryptedContent": "x"}])
async def test_what_is_changed_or_for_another_key_or_thing_is_refused(encrypting: Watched, changed: Any) -> None:
    assert await posted(encrypting) == 200
    assert await posted(encrypting, changed) == 400


async def test_the_pair_is_replaced_and_the_old_one_opens_what_is_under_way_until_it_is_destroyed(
    encrypting: Watched,
) -> None:
    (first,) = await keys_of(encrypting)
    (old,) = [dict(watch) for watch in encrypting.watches.values()]
    certificate = x509.load_der_x509_certificate(base64.b64decode(first.certificate))
    assert certificate.not_valid_after_utc >= first.created_at + REPLACED_AFTER + timedelta(days=1)
    encrypting.clock.forward(days=REPLACED_AFTER.days + 1)
    encrypting.watches.clear()
    await encrypting.seen_to()
    second = next(key for key in await keys_of(encrypting) if key.id != first.id)
    (watch,) = encrypting.watches.values()
    assert watch["encryptionCertificateId"] == str(second.id)
    sealed_before = {name: old[name] for name in ("encryptionCertificate", "encryptionCertificateId")}
    encrypting.watches[watch["id"]] = {**watch, **sealed_before}
    assert await posted(encrypting) == 200
    await keep_one(encrypting.oauth.tenant, encrypting.house.rooms)
    assert len(await keys_of(encrypting)) == 2
    encrypting.clock.forward(days=KEPT_AFTER.days)
    await keep_one(encrypting.oauth.tenant, encrypting.house.rooms)
    assert [key.id for key in await keys_of(encrypting)] == [second.id]


async def test_revoking_destroys_the_pair(encrypting: Watched) -> None:
    connection = (await encrypting.house.rooms.connections.present(encrypting.oauth.tenant)).connection("teams")
    await revoke(encrypting.oauth.actor, connection.id, encrypting.house.rooms)
    async with encrypting.house.rooms.store.tenant(encrypting.oauth.tenant) as session:
        assert await rows.all_of(session, encrypting.oauth.tenant, connection.id) == []
