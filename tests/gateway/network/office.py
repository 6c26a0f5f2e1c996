"""The network's side: gives sessions, says who is on file, takes answers, and signs letters. Served on loopback. No fixtures."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import uuid4

import httpx2
import orjson
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.gateway.listener import Clock

CLIENT = ("bridge-1", "the bridge's secret")
LASTS_SECONDS = 1200
_TOKEN_SECONDS = 1200


@cache
def key_of(whose: str) -> RSAPrivateKey:
    """Drawn once for all tests of a program: it takes a third of a second."""
    return generate_private_key(65537, 2048)


@dataclass
class Office:
    """A network of records that does as it is told."""

    clock: Clock
    url: str | None = None
    active: bool = True
    services: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, RSAPrivateKey] = field(default_factory=lambda: {"k1": key_of("k1")})
    strangers: RSAPrivateKey = field(default_factory=lambda: key_of("strangers"))
    logins: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    answers: list[tuple[str, str]] = field(default_factory=list)
    tokens: dict[str, float] = field(default_factory=dict)
    failing: int | None = None
    deaf: bool = False
    certs_failing: bool = False

    @property
    def app(self) -> Starlette:
        """Its HTTP side."""
        return Starlette(
            routes=[
                Route("/sessions", self._session, methods=["POST"]),
                Route("/certs", self._certs),
                Route("/bridge", self._bridge, methods=["GET", "PATCH"]),
                Route("/answers", self._answer, methods=["POST"]),
            ]
        )

    def serves(self, *ids: str, **given: Any) -> None:
        """Put facilities on file."""
        for each in ids:
            self.services.append({"id": each, "name": f"Clinic {each}", "active": True, "records": True, **given})

    def end_sessions(self) -> None:
        """Take no token any more that was given until now."""
        self.tokens.clear()

    def headers(
        self, facility: str, *, request_id: str | None = None, age_seconds: float = 0, kid: str = "k1", key: Any = None
    ) -> dict[str, str]:
        """The outside of a letter, signed some time ago."""
        signs = key if key is not None else self.keys[kid]
        expires = self.clock().timestamp() + _TOKEN_SECONDS - age_seconds
        said = f"{_b64({'alg': 'RS256', 'kid': kid})}.{_b64({'exp': expires, 'azp': 'gateway'})}"
        signature = base64.urlsafe_b64encode(signs.sign(said.encode(), PKCS1v15(), SHA256())).rstrip(b"=").decode()
        return {
            "authorization": f"Bearer {said}.{signature}", "facility-id": facility,
            "request-id": request_id or str(uuid4()), "content-type": "application/json",
        }  # fmt: skip

    async def _session(self, request: Request) -> Response:
        given = await request.json()
        self.logins.append(given)
        if self.failing is not None:
            return JSONResponse({"message": "out of order"}, self.failing)
        if (given["id"], given["secret"]) != CLIENT:
            return JSONResponse({"message": "Invalid user credentials"}, 401)
        token = f"session-{uuid4().hex}"
        self.tokens[token] = self.clock().timestamp() + LASTS_SECONDS
        return JSONResponse({"token": token, "lasts": LASTS_SECONDS})

    async def _certs(self, request: Request) -> Response:
        self.asked.append("certs")
        if self.certs_failing:
            return JSONResponse({}, 503)
        if not self._is_in(request):
            return JSONResponse({}, 401)
        pem = {
            name: key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            for name, key in self.keys.items()
        }
        return JSONResponse({"keys": [{"kid": name, "pem": text} for name, text in pem.items()]})

    async def _bridge(self, request: Request) -> Response:
        self.asked.append("bridge")
        if not self._is_in(request):
            return JSONResponse({}, 401)
        if request.method == "PATCH":
            self.url = (await request.json())["url"]
            return Response(status_code=202)
        return JSONResponse({"id": "B1", "url": self.url, "active": self.active, "services": self.services})

    async def _answer(self, request: Request) -> Response:
        if not self._is_in(request):
            return JSONResponse({}, 401)
        self.answers.append((request.headers["facility-id"], (await request.json())["answers"]))
        return Response(status_code=202)

    def _is_in(self, request: Request) -> bool:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return not self.deaf and self.tokens.get(token, 0) > self.clock().timestamp()


def _b64(said: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(said)).rstrip(b"=").decode()


async def post(
    client: httpx2.AsyncClient, path: str, headers: dict[str, str], body: bytes = b'{"consent": "c-1"}'
) -> httpx2.Response:
    """Hand a letter over."""
    return await client.post(f"/postbox{path}", content=body, headers=headers)
