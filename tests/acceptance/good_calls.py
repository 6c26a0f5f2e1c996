"""A good request to each operation of the API that is not a look, with the kind of the entry that it leaves. No fixtures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from connectors.teams.sandbox_directory import OTHER_TEAM
from gateway.demo import EVERYTHING
from gateway.flows.watching import Wanted
from scopes.vocabulary import ConnectionState, Purpose
from tests.acceptance.furnished import REFERENCE
from tests.acceptance.scene import GOOGLE, Good, Make, Scene, Taken, taking
from tests.acceptance.test_isolation import BODIES, CALL

CALLS: Final[dict[str, Taken]] = {}
_taken: Final = taking(CALLS)
WATCH: Final = Wanted("teams", "shifts", Purpose.HOPERAT, {"team": OTHER_TEAM})
_ONE = "/v1/connections/{id:uuid}"
_ENDPOINT = "/v1/endpoints/{id:uuid}"


def _given(path: str, body: Any = None) -> Make:
    """Nothing is needed before."""

    async def make(scene: Scene) -> Good:
        return Good(body=BODIES[path] if body is None else body)

    return make


for _path, _kind, _body in (
    ("/v1/consents", "consent", None), ("/v1/consents/search", "access", None), ("/v1/keys", "key", None),
    ("/v1/care-contexts/search", "access", None), ("/v1/templates/preview", None, None), ("/v1/events", None, None),
    ("/v1/disclosures/search", "access", {"subject": REFERENCE}), ("/v1/bundles", "access", {}),
    ("/v1/decisions", None, CALL),
):  # fmt: skip
    _taken(f"POST {_path}", _kind)(_given(_path, _body))
_taken("PUT /v1/patients", "access")(_given("/v1/patients"))
_taken("PUT /v1/policy", "grant")(_given("", {"jurisdiction": "NO", "allowed_regions": None}))
_taken("PUT /v1/retention", "grant")(_given("", {"deliveries_days": 9}))


# --- Connections ------------------------------------------------------------------------------------------------------


@_taken("POST /v1/connections", "connection")
async def _connect(scene: Scene) -> Good:
    await scene.revoked("payments/stripe")
    return Good(body=BODIES["/v1/connections"])


@_taken(f"DELETE {_ONE}", "connection")
@_taken(f"POST {_ONE}/suspend", "connection")
async def _connected(scene: Scene) -> Good:
    return Good({"id": await scene.fresh()})


@_taken(f"PUT {_ONE}/grant", "grant")
async def _grant(scene: Scene) -> Good:
    return Good({"id": await scene.fresh()}, BODIES[f"{_ONE}/grant"])


@_taken(f"PUT {_ONE}/settings", "connection")
async def _settings(scene: Scene) -> Good:
    return Good({"id": await scene.fresh()}, BODIES[f"{_ONE}/settings"])


@_taken(f"POST {_ONE}/resume", "connection")
async def _resume(scene: Scene) -> Good:
    return Good({"id": await scene.fresh(ConnectionState.SUSPENDED)})


@_taken(f"POST {_ONE}/callback", "key")
async def _callback(scene: Scene) -> Good:
    return Good({"id": await scene.fresh()}, BODIES[f"{_ONE}/callback"])


@_taken(f"DELETE {_ONE}/callback/{{secret:uuid}}", "key")
async def _no_callback(scene: Scene) -> Good:
    connection = await scene.fresh()
    return Good({"id": connection, "secret": await scene.secret(connection)})


@_taken(f"POST {_ONE}/reconnect", None)
async def _reconnect(scene: Scene) -> Good:
    return Good({"id": await scene.live(GOOGLE)})


@_taken(f"POST {_ONE}/reduce", "connection")
async def _reduce(scene: Scene) -> Good:
    return Good({"id": await scene.narrower(GOOGLE)})


@_taken("PUT /v1/families/{family}", "grant")
async def _order(scene: Scene) -> Good:
    return Good({"family": "payments"}, BODIES["/v1/families/{family}"])


@_taken("POST /v1/watches", "access")
async def _watch(scene: Scene) -> Good:
    await scene.watched(WATCH, begun=False)
    asked = {"connector": WATCH.connector, "watch": WATCH.name, "purpose": WATCH.purpose}
    return Good(body={**asked, "payload": WATCH.payload})


@_taken("DELETE /v1/watches/{id:uuid}", "access")
async def _no_watch(scene: Scene) -> Good:
    begun = await scene.watched(WATCH, begun=True)
    assert begun is not None
    return Good({"id": begun.id})


# --- What a decision weighs -------------------------------------------------------------------------------------------


@_taken("DELETE /v1/consents/{id:uuid}", "consent")
async def _withdraw(scene: Scene) -> Good:
    return Good({"id": await scene.consent()})


@_taken("PUT /v1/agreements/{recipient:path}", "agreement")
async def _agree(scene: Scene) -> Good:
    return Good({"recipient": "payments/stripe"}, BODIES["/v1/agreements/{recipient:path}"])


@_taken("PUT /v1/templates/{name}", "grant")
async def _text(scene: Scene) -> Good:
    return Good({"name": f"closed_{uuid4().hex[:8]}"}, BODIES["/v1/templates/{name}"])


@_taken("DELETE /v1/templates/{name}", "grant")
async def _no_text(scene: Scene) -> Good:
    return Good({"name": (await scene.text()).name})


@_taken("DELETE /v1/waiting/{id:uuid}", "access")
async def _cancel(scene: Scene) -> Good:
    return Good({"id": await scene.waiting()})


@_taken("DELETE /v1/keys/{id}", "key")
async def _no_key(scene: Scene) -> Good:
    return Good({"id": (await scene.rooms.callers.create_key(scene.operator, "a key of a test", EVERYTHING)).row.id})


# --- Records ----------------------------------------------------------------------------------------------------------


@_taken("POST /v1/patients/search", "access")
async def _search(scene: Scene) -> Good:
    await scene.patient("patient-4712")
    return Good(body=BODIES["/v1/patients/search"])


@_taken("POST /v1/patients/invite", "access")
async def _write_to(scene: Scene) -> Good:
    await scene.patient("patient-4712")
    return Good(body=BODIES["/v1/patients/invite"])


@_taken("DELETE /v1/patients/{subject:uuid}", "access")
async def _forget(scene: Scene) -> Good:
    return Good({"subject": await scene.patient("patient-4712")})


@_taken("POST /v1/care-contexts", "access")
async def _keep(scene: Scene) -> Good:
    await scene.patient("patient-4712")
    record = {
        "patient": {"name": "Asha Rao", "gender": "female", "record_number": "MRN-1"},
        "author": {"name": "Dr Meera Nair", "registration": "KMC-1234"},
        "written_at": (datetime.now(UTC) - timedelta(days=1)).isoformat(),
        "medicines": [{"drug": {"text": "Amlodipine 5 mg"}, "dosage": "One in the morning"}],
    }  # fmt: skip
    given = {"subject": "patient-4712", "documents": [{"kind": "Prescription", "record": record}], "link": False}
    return Good(body={**BODIES["/v1/care-contexts"], **given, "reference": f"visit-{uuid4().hex[:8]}"})


# --- Webhooks ---------------------------------------------------------------------------------------------------------


@_taken("POST /v1/endpoints", "connection")
async def _register(scene: Scene) -> Good:
    return Good(body={**BODIES["/v1/endpoints"], "url": await scene.address()})


@_taken(f"DELETE {_ENDPOINT}", "connection")
@_taken(f"POST {_ENDPOINT}/suspend", "connection")
@_taken(f"POST {_ENDPOINT}/rotate", "key")
async def an_endpoint(scene: Scene) -> Good:
    return Good({"id": await scene.endpoint()})


@_taken(f"PUT {_ENDPOINT}/grant", "grant")
async def _hearing(scene: Scene) -> Good:
    return Good({"id": await scene.endpoint()}, BODIES[f"{_ENDPOINT}/grant"])


@_taken(f"POST {_ENDPOINT}/test", "connection")
async def a_pending_endpoint(scene: Scene) -> Good:
    return Good({"id": await scene.pending()})


@_taken(f"POST {_ENDPOINT}/resume", "connection")
async def a_suspended_endpoint(scene: Scene) -> Good:
    endpoint = await scene.endpoint()
    await scene.clinic.ask("POST", f"/v1/endpoints/{endpoint}/suspend", None, status=200)
    return Good({"id": endpoint})


@_taken("POST /v1/deliveries/{id:uuid}/replay", "access")
async def a_delivery(scene: Scene) -> Good:
    return Good({"id": await scene.delivery()})


@_taken(f"POST {_ENDPOINT}/replay", "access")
async def _all_again(scene: Scene) -> Good:
    return Good({"id": await scene.endpoint()}, BODIES[f"{_ENDPOINT}/replay"])
