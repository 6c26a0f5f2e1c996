"""A patient of whom everything is a mark, letters spoiled with marks, vendors that echo what they are sent. No fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.abdm.simulator.network import Network
from connectors.abdm.simulator.people import luhn
from tests.acceptance.spoiled import NAMED
from tests.conformance.harness import CANARY

NAME, MOBILE, ADDRESS = "Canarina Markwell", "+919812398123", "canarina.m@sbx"
NUMBER = "9112345612345" + luhn("9112345612345")
DASHED = f"{NUMBER[:2]}-{NUMBER[2:6]}-{NUMBER[6:10]}-{NUMBER[10:]}"
SUBJECT, VISIT, RECORD_NUMBER = "canarina-file-77441", "canarina-visit", "MRN-9981277"
DOCTOR, REGISTRATION, MEDICINE, DOSAGE = "Nightjar Wingfield", "KMC-881277", "Canarylamine 5 mg", "Canarywise at night"
STREET, DISTRICT, EMAIL = "12 Featherstone Row", "Birdlington", "canarina@birdcage.example"
# Somebody whom the network knows and the clinic does not.
STRANGER, STRANGERS_ADDRESS, STRANGERS_MOBILE = "Wagtaila Strangefield", "wagtaila.s@sbx", "9812777123"
MARKS = frozenset(
    {
        CANARY, "Canarina", "Markwell", MOBILE[3:], "canarina.m", NUMBER, DASHED, SUBJECT, VISIT, RECORD_NUMBER,
        "Nightjar", "Wingfield", REGISTRATION, "Canarylamine", "Canarywise", "Featherstone", DISTRICT, "birdcage",
        "Wagtaila", "Strangefield", STRANGERS_MOBILE,
    }
)  # fmt: skip
PATIENT = {
    "subject": SUBJECT, "name": NAME, "gender": "F", "year_of_birth": 1984, "address": ADDRESS, "number": NUMBER,
    "mobile": MOBILE, "record_number": RECORD_NUMBER, "email": EMAIL,
}  # fmt: skip
# Where sessions and keys come from, and where the network is told things.
GATEWAY = "/api/hiecm/gateway/"
_PARTS = ("v3", "hip", "user-initiated-linking", "patient-share", "consent", "data-flow")
TOLD = tuple(f"/api/hiecm/{part}/" for part in _PARTS)
WORD = "WREN-71-OF-THE-NETWORK"
"""What could be an id of the network's: such ids are kept as they come, and told to nobody else."""
# What does not belong into a letter where it is put, whatever belongs there.
_WRONG: tuple[Any, ...] = ([NAMED], {NAMED: NAMED}, WORD, f"{CANARY}\u0000\U0001f600", None)
# Whom records go to is no secret: the ledger names them.
_OPENLY_NAMED = frozenset({"hiu", "requester"})
_STATUSES = (400, 403, 404, 409, 422, 429, 500, 503, 200, 302, 401)
_BREAKS = 7


def known(network: Network) -> None:
    """Let the network know the patient, too, and a stranger."""
    network.add_patient(
        STRANGER, mobile=STRANGERS_MOBILE, year_of_birth=1984, address=STRANGERS_ADDRESS, line=STREET, district=DISTRICT
    )
    network.add_patient(
        NAME, mobile=MOBILE[3:], year_of_birth=1984, address=ADDRESS, abha_number=NUMBER, line=STREET, district=DISTRICT
    )


def visit(number: int, *, link: bool) -> dict[str, Any]:
    """A visit with a prescription."""
    record = {
        "patient": {"name": NAME, "gender": "female", "abha_address": ADDRESS},
        "author": {"name": f"Dr {DOCTOR}", "registration": REGISTRATION},
        "written_at": (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds"),
        "medicines": [{"drug": {"text": MEDICINE}, "dosage": DOSAGE}],
    }
    return {
        "connector": "abdm", "subject": SUBJECT, "reference": f"{VISIT}-{number}", "display": f"Visit of {DOCTOR}",
        "documents": [{"kind": "Prescription", "record": record}], "link": link,
    }  # fmt: skip


def spoiled(body: Any) -> Iterator[Any]:
    """A letter's body once for each part of it and once more for each text, with marks in its place."""
    for index, (path, value) in enumerate(_parts(body)):
        for wrong in (_WRONG[index % len(_WRONG)], *((NAMED,) if isinstance(value, str) else ())):
            copy = deepcopy(body)
            place = copy
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = wrong
            yield copy


def _parts(body: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Where the parts of a body are, and what they are; of a list the first."""
    inner = (
        list(body.items()) if isinstance(body, dict) else list(enumerate(body[:1])) if isinstance(body, list) else []
    )
    for name, value in inner:
        if name not in _OPENLY_NAMED:
            yield (*at, name), value
            yield from _parts(value, (*at, name))


@dataclass
class Echoing:
    """A vendor behind whom another one stands: it keeps what it is asked, and where it is told to, answers with an echo."""

    app: ASGIApp
    asked: list[str] = field(default_factory=list)
    """The addresses, with their queries."""
    below: tuple[str, ...] = ()
    """Where whatever is asked gets an answer of an unfriendly kind."""
    agreeing: bool = False
    """Take whatever is told, and look at none of it."""
    echoed: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the other one answer."""
        path = scope["raw_path"].decode() + "?" + scope["query_string"].decode()
        self.asked.append(path)
        if self.agreeing and path.startswith(TOLD):
            await send(
                {"type": "http.response.start", "status": 202, "headers": [(b"content-type", b"application/json")]}
            )
            await send({"type": "http.response.body", "body": b"{}"})
            return
        if not path.startswith(self.below) or "/certificate" in path:  # without which nothing else would be asked
            await self.app(scope, receive, send)
            return
        said = b""
        while (part := await receive())["type"] == "http.request":
            said += part.get("body", b"")
            if not part.get("more_body", False):
                break
        await self._echo(said, send)

    async def _echo(self, said: bytes, send: Send) -> None:
        status, self.echoed = _STATUSES[self.echoed % len(_STATUSES)], self.echoed + 1
        words = f"{NAMED} {said.decode('utf-8', 'replace')}"
        error = {"code": NAMED, "message": words, "attribute": {"key": NAMED, "value": words}}
        bodies = ({"error": error}, error, [{"error": error}], {NAMED: words}, {"code": "HIS-400", "details": [error]})
        body = orjson.dumps(bodies[self.echoed // len(_STATUSES) % len(bodies)])
        headers = [
            (b"content-type", b"application/json"), (b"x-echo", NAMED.encode()), (b"x-request-id", NAMED.encode()),
            (b"www-authenticate", f'Bearer realm="{NAMED}"'.encode()), (b"retry-after", b"1"),
            (b"location", f"https://{CANARY}.example/{CANARY}".encode()),
        ]  # fmt: skip
        await send({"type": "http.response.start", "status": status, "headers": headers})
        broken = self.echoed % _BREAKS == 0  # then the connection ends in the middle of the answer
        await send({"type": "http.response.body", "body": body, "more_body": broken})
