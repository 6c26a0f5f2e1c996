"""A small honest hospital: it asks and answers as the specification says, in as few words as that takes.

It shares no code with the connector. Tests make it err by handing it other words, headers or keys.
"""

import asyncio
import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.abdm.simulator import peerkeys
from connectors.abdm.simulator.clock import stamp
from tests.connectors.abdm.simulator import curve

CODES = {"OPConsultation": "371530004", "Prescription": "440545006", "DiagnosticReport": "721981007"}
LEEWAY_SECONDS = 1800


def bundle(hi_type: str = "Prescription", date: str = "2026-11-20T10:00:00Z") -> dict[str, Any]:
    composition = {
        "resourceType": "Composition",
        "type": {"coding": [{"system": "http://snomed.info/sct", "code": CODES[hi_type]}]},
        "date": date,
    }
    return {"resourceType": "Bundle", "type": "document", "entry": [{"fullUrl": "urn:uuid:1", "resource": composition}]}


@dataclass
class Record:
    reference: str
    display: str = "OPD visit"
    hi_type: str = "Prescription"
    bundle: dict[str, Any] = field(default_factory=bundle)


@dataclass
class Callback:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    late_seconds: float


class Hip:
    """One facility of the bridge: what it has, what it was told, and how it answers."""

    def __init__(self, sim: str, now: Callable[[], float], service_id: str) -> None:
        self.http = httpx2.AsyncClient(base_url=sim, timeout=20, trust_env=False)
        self.now, self.service_id = now, service_id
        self.client = ("SBX_000001", "5a4db0c5-a4db-4c5a-8db0-c5a4db0c5a4d")
        self.token = ""
        self.reference = "PAT-1"
        self.records: list[Record] = []
        self.linked: set[str] = set()
        self.callbacks: list[Callback] = []
        self.consents: dict[str, dict[str, Any]] = {}
        self.otp = "012345"
        self.typed: list[Any] = []
        self.status = 202
        self.silent = False
        self.patient = False
        self.key_form = peerkeys.X509
        self.first_page = 0
        self.bearer_on_push = True
        self.queue: dict[tuple[str, str], int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.app = Starlette(routes=[Route("/abdm/{path:path}", self._hear, methods=["POST"])])
        self.app.state.hip = self

    # What it asks.

    def headers(self, **more: str | None) -> dict[str, str]:
        given = {
            "Authorization": f"Bearer {self.token}", "REQUEST-ID": str(uuid.uuid4()), "TIMESTAMP": stamp(self.now()),
            "X-CM-ID": "sbx", "X-HIP-ID": self.service_id,
            **{name if name == "TRANSACTION_ID" else name.replace("_", "-"): value for name, value in more.items()},
        }  # fmt: skip
        return {name: value for name, value in given.items() if value is not None}

    async def call(self, path: str, body: Any = None, method: str = "POST", **headers: str | None) -> httpx2.Response:
        """One call; once more where the gateway's backend is suspended, as an honest client does."""
        answer = await self.http.request(method, path, json=body, headers=self.headers(**headers))
        if self.patient and answer.status_code == 500:
            answer = await self.http.request(method, path, json=body, headers=self.headers(**headers))
        return answer

    async def sign_in(self) -> httpx2.Response:
        body = {"clientId": self.client[0], "clientSecret": self.client[1], "grantType": "client_credentials"}
        answer = await self.call("/api/hiecm/gateway/v3/sessions", body, Authorization=None)
        if answer.status_code == 200:
            self.token = answer.json()["accessToken"]
        return answer

    async def register(self, url: str) -> httpx2.Response:
        return await self.call("/api/hiecm/gateway/v3/bridge/url", {"url": f"{url}/abdm"}, "PATCH")

    async def ask_token(self, address: str, **more: Any) -> httpx2.Response:
        body = {"abhaAddress": address, "name": "Asha Rao", "gender": "F", "yearOfBirth": 1984, **more}
        return await self.call("/api/hiecm/v3/token/generate-token", body)

    def block(self, record: Record) -> dict[str, Any]:
        context = {"referenceNumber": record.reference, "display": record.display}
        return {
            "referenceNumber": self.reference, "display": "Patient", "careContexts": [context],
            "hiType": record.hi_type, "count": 1,
        }  # fmt: skip

    async def link(self, address: str, token: str, *records: Record, **more: Any) -> httpx2.Response:
        body = {"abhaAddress": address, "patient": [self.block(each) for each in records], **more}
        answer = await self.call("/api/hiecm/hip/v3/link/carecontext", body, X_LINK_TOKEN=token)
        if answer.status_code == 202:
            self.linked |= {each.reference for each in records}
        return answer

    async def notify(self, address: str, reference: str, **more: Any) -> httpx2.Response:
        notification = {
            "patient": {"id": address},
            "careContext": {"patientReference": self.reference, "careContextReference": reference},
            "hiTypes": ["Prescription"], "date": stamp(self.now()), "hip": {"id": self.service_id}, **more,
        }  # fmt: skip
        return await self.call("/api/hiecm/hip/v3/link/context/notify", {"notification": notification})

    def told(self, path: str) -> list[Callback]:
        return [each for each in self.callbacks if each.path.endswith(path)]

    # What it hears.

    async def _hear(self, request: Request) -> Response:
        path, body = f"/{request.path_params['path']}", await request.json()
        if not 200 <= self.status < 300:
            return Response(status_code=self.status)
        late = await self._verified(request.headers["authorization"])
        if request.headers["x-hip-id"] != self.service_id:
            return Response(status_code=403)
        self.callbacks.append(Callback(path, dict(request.headers), body, late))
        answer = self.answers.get(path)
        if answer is not None and not self.silent:
            self._begin(answer(self, body, {"requestId": request.headers["request-id"]}))
        return Response(status_code=self.status)

    async def _verified(self, header: str) -> float:
        """How many seconds the bearer is past its end; raises where it is not the gateway's."""
        answer = await self.call("/api/hiecm/gateway/v3/certs", None, "GET")
        claims = jwt.decode(
            header.removeprefix("Bearer "), KeySet.import_key_set(answer.json()), algorithms=["RS256"]
        ).claims
        assert claims["aud"] == "account"
        assert claims["azp"] == "gateway"
        assert self.now() < claims["exp"] + LEEWAY_SECONDS
        return max(0.0, self.now() - claims["exp"])

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)

    async def settled(self) -> None:
        """Until everything that it began is done; raises what went wrong in it."""
        while self._tasks:
            done = list(self._tasks)
            await asyncio.gather(*done)
            self._tasks -= set(done)

    async def _discover(self, body: dict[str, Any], response: dict[str, str]) -> None:
        told: dict[str, Any] = {"transactionId": body["transactionId"], "response": response}
        new = [self.block(each) for each in self.records if each.reference not in self.linked]
        if new:
            told |= {"patient": new, "matchedBy": ["ABHA_ADDRESS"]}
        else:
            told["error"] = {"code": "ABDM-1010", "message": "Patient not found"}
        await self.call("/api/hiecm/user-initiated-linking/v3/patient/care-context/on-discover", told)

    async def _init(self, body: dict[str, Any], response: dict[str, str]) -> None:
        chosen = {context["referenceNumber"] for block in body["patient"] for context in block["careContexts"]}
        self.chosen = [each for each in self.records if each.reference in chosen]
        self.link_reference = str(uuid.uuid4())
        meta = {
            "communicationMedium": "MOBILE", "communicationHint": "******4321",
            "communicationExpiry": stamp(self.now() + 300),
        }  # fmt: skip
        link = {"referenceNumber": self.link_reference, "authenticationType": "DIRECT", "meta": meta}
        told = {"transactionId": body["transactionId"], "link": link, "response": response}
        await self.call("/api/hiecm/user-initiated-linking/v3/link/care-context/on-init", told)

    async def _confirm(self, body: dict[str, Any], response: dict[str, str]) -> None:
        token = body["confirmation"]["token"]
        self.typed.append(token)
        right = body["confirmation"]["linkRefNumber"] == self.link_reference and str(token).zfill(6) == self.otp
        told: dict[str, Any] = {"response": response}
        if right:
            self.linked |= {each.reference for each in self.chosen}
            told["patient"] = [self.block(each) for each in self.chosen]
        else:
            told["error"] = {"code": "ABDM-1035", "message": "The OTP is wrong"}
        await self.call("/api/hiecm/user-initiated-linking/v3/link/care-context/on-confirm", told)

    async def _consent(self, body: dict[str, Any], response: dict[str, str]) -> None:
        notification = body["notification"]
        identity = notification["consentId"]
        if notification["status"] == "GRANTED":
            self.consents[identity] = notification["consentDetail"]
        else:
            self.consents.pop(identity, None)
        told = {"acknowledgement": {"status": "OK", "consentId": identity}, "response": response}
        await self.call("/api/hiecm/consent/v3/request/hip/on-notify", told)

    async def _request(self, body: dict[str, Any], response: dict[str, str]) -> None:
        asked, transaction = body["hiRequest"], body["transactionId"]
        consent = self.consents.get(asked["consent"]["id"])
        told: dict[str, Any] = {"response": response}
        if consent is None:
            told["error"] = {"code": "ABDM-1062", "message": "Consent is not granted"}
        else:
            told["hiRequest"] = {"transactionId": transaction, "sessionStatus": "ACKNOWLEDGED"}
        await self.call("/api/hiecm/data-flow/v3/health-information/hip/on-request", told)
        if consent is not None:
            sent = self.selected(consent, asked["dateRange"])
            statuses = {each.reference: "ERRORED" for each in sent}
            for number, record in enumerate(sent):
                answer = await self.push(asked, transaction, [record], (number + self.first_page, len(sent)))
                statuses[record.reference] = "OK" if answer.is_success else "ERRORED"
            await self.report(asked["consent"]["id"], transaction, statuses)

    def selected(self, consent: dict[str, Any], dates: dict[str, str]) -> list[Record]:
        named = {each["careContextReference"] for each in consent["careContexts"]}
        return [
            each for each in self.records
            if each.reference in named and each.hi_type in consent["hiTypes"]
            and dates["from"] <= each.bundle["entry"][0]["resource"]["date"].replace("Z", ".000Z") <= dates["to"]
        ]  # fmt: skip

    async def push(
        self, asked: dict[str, Any], transaction: str, records: list[Record], page: tuple[int, int], **other: Any
    ) -> httpx2.Response:
        """One page; `other` replaces the key pair (`own`), the plain bytes' digest (`checksum`) or any key of the body."""
        own = other.pop("own", None) or curve.generate()
        material = asked["keyMaterial"]
        peer = base64.b64decode(material["dhPublicKey"]["keyValue"])
        entries = []
        for record in records:
            plain = json.dumps(record.bundle).encode()
            sealed = curve.seal(
                plain, own=own, peer_public=peer, peer_nonce=base64.b64decode(material["nonce"])
            )  # fmt: skip
            entries.append(
                {
                    "content": base64.b64encode(sealed).decode(), "media": "application/fhir+json",
                    "checksum": other.pop("checksum", None) or hashlib.md5(plain).hexdigest(),
                    "careContextReference": record.reference,
                }
            )  # fmt: skip
        key = {
            "expiry": stamp(self.now() + 3600), "parameters": "Curve25519/32byte random key",
            "keyValue": peerkeys.shown(own.public, self.key_form),
        }  # fmt: skip
        body = {
            "pageNumber": page[0], "pageCount": page[1], "transactionId": transaction, "entries": entries,
            "keyMaterial": {
                "cryptoAlg": "ECDH", "curve": "Curve25519", "dhPublicKey": key,
                "nonce": base64.b64encode(own.nonce).decode(),
            },
            **other,
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {self.token}"} if self.bearer_on_push else {}
        return await self.http.post(asked["dataPushUrl"], json=body, headers=headers)

    async def report(self, consent_id: str, transaction: str, statuses: dict[str, str], **more: Any) -> httpx2.Response:
        responses = [
            {"careContextReference": reference, "hiStatus": status, "description": "-"}
            for reference, status in statuses.items()
        ] or [{"careContextReference": "none", "hiStatus": "ERRORED", "description": "nothing to send"}]
        right = all(status == "OK" for status in statuses.values()) and bool(statuses)
        notification = {
            "consentId": consent_id, "transactionId": transaction, "doneAt": stamp(self.now()),
            "notifier": {"type": "HIP", "id": self.service_id},
            "statusNotification": {
                "sessionStatus": "TRANSFERRED" if right else "FAILED", "hipId": self.service_id,
                "statusResponses": responses,
            },
            **more,
        }  # fmt: skip
        return await self.call("/api/hiecm/data-flow/v3/health-information/notify", {"notification": notification})

    async def _share(self, body: dict[str, Any], response: dict[str, str]) -> None:
        patient, counter = body["profile"]["patient"], body["metaData"]["context"]
        place = self.queue.setdefault((counter, patient["abhaAddress"]), len(self.queue) + 1)
        profile = {"context": counter, "tokenNumber": str(place), "expiry": "1799"}
        told = {
            "acknowledgement": {"status": "SUCCESS", "abhaAddress": patient["abhaAddress"], "profile": profile},
            "response": response,
        }
        await self.call("/api/hiecm/patient-share/v3/on-share", told)

    answers: ClassVar[dict[str, Callable[["Hip", dict[str, Any], dict[str, str]], Coroutine[Any, Any, None]]]] = {
        "/api/v3/hip/patient/care-context/discover": _discover,
        "/api/v3/hip/link/care-context/init": _init,
        "/api/v3/hip/link/care-context/confirm": _confirm,
        "/api/v3/consent/request/hip/notify": _consent,
        "/api/v3/hip/health-information/request": _request,
        "/api/v3/hip/patient/share": _share,
    }
