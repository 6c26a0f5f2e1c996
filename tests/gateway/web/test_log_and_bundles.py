"""/v1/log and /v1/bundles over HTTP: what an auditor takes home proves itself."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path

import pytest

from gateway.app import House
from gateway.ledger.checkpoint import Verifier, open_checkpoint
from gateway.ledger.merkle import verify_consistency
from gateway.ledger.verify import verify_bundle
from gateway.web.api.answers import ConsistencyAnswer
from tests.gateway.house import Clinic, entries_of
from tests.gateway.web.conftest import Api, problem


async def test_the_head_verifies_with_the_key_and_the_log_only_grew(api: Api) -> None:
    verifier = Verifier.from_vkey((await api.get("/v1/log/key")).text.strip())
    await api.call()
    response = await api.get("/v1/log/checkpoint")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    old = open_checkpoint(response.text, [verifier])
    for _ in range(3):
        await api.call()
    response = await api.get("/v1/log/consistency", params={"old_size": old.size})
    proof = ConsistencyAnswer.model_validate(response.json())
    new = open_checkpoint(proof.checkpoint, [verifier])
    assert (proof.old_size, proof.new_size) == (old.size, new.size)
    assert base64.b64decode(proof.old_root) == old.root
    verify_consistency(
        old_size=old.size,
        new_size=new.size,
        old_root=old.root,
        new_root=new.root,
        proof=list(map(base64.b64decode, proof.hashes)),
    )


@pytest.mark.parametrize("query", ["", "old_size=0", "old_size=-1", "old_size=x", "old_size=99999", "old_size=2&new_size=1",
                                   "old_size=1&new_size=99999", "old_size=9" + "9" * 40])  # fmt: skip
async def test_sizes_that_the_log_never_had_are_400(api: Api, query: str) -> None:
    problem(await api.get(f"/v1/log/consistency?{query}"), 400, "invalid_request")


async def test_a_bundle_verifies_offline_and_its_export_is_written_down(
    api: Api, house: House, clinic: Clinic, tmp_path: Path
) -> None:
    for subject in ("patient-4711", "patient-4712"):
        await api.call(subject=subject)
    vkey = (await api.get("/v1/log/key")).text.strip()
    for body, least in (({}, 6), ({"subject": "patient-4711"}, 2), ({"recipient": "Stripe, Inc."}, 4)):
        response = await api.post("/v1/bundles", body)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/zip"
        assert "attachment" in response.headers["content-disposition"]
        file = tmp_path / "evidence.zip"
        file.write_bytes(response.content)
        assert verify_bundle(file, trusted_vkey=vkey)
        with zipfile.ZipFile(io.BytesIO(response.content)) as bundle:
            assert len(bundle.read("entries.ndjson").splitlines()) >= least
            assert b"patient-4711" not in b"".join(map(bundle.read, bundle.namelist()))
    accesses = [entry for entry in await entries_of(house, clinic.tenant) if entry["kind"] == "access"]
    assert [entry["what"] for entry in accesses] == ["bundle"] * 3


@pytest.mark.parametrize("body", [{"subject": "nobody-1"}, {"recipient": "Nobody"}, {"since": "2100-01-01T00:00:00Z"}])
async def test_a_bundle_of_nothing_is_404(api: Api, body: dict[str, str]) -> None:
    problem(await api.post("/v1/bundles", body), 404, "not_found")


async def test_a_period_that_ends_before_it_begins_is_400(api: Api) -> None:
    body = {"since": "2026-02-01T00:00:00Z", "until": "2026-02-01T05:30:00+05:30"}
    told = problem(await api.post("/v1/bundles", body), 400, "invalid_request")
    assert [fault["path"] for fault in told["faults"]] == ["until"]
