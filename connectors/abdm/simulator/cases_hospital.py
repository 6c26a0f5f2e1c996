"""The hospital's staff and the patient's phone in certification cases: by hand, or by this gateway's own API. Judges nothing."""

import asyncio
import html
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import httpx2

from connectors.abdm.simulator.cases_cast import CONSULTATION, Person, Visit
from connectors.abdm.simulator.cases_stage import Wrong

_DAY: Final = 86_400
_WAITS_SECONDS: Final = 20
_TRIES: Final = 60
_AGAIN_SECONDS: Final = 0.5
_LATER: Final = frozenset({409, 425, 429, 500, 502, 503, 504})
_CODE: Final = re.compile(r"(?<![\d+])\d{6}(?!\d)")
_GENDERS: Final = {"F": "female", "M": "male", "O": "other"}


class ByHand:
    """Somebody has entered everything beforehand, as they were told in words."""

    async def register(self, person: Person) -> None:
        """They have."""

    async def visit(self, visit: Visit) -> None:
        """They have."""

    async def invite(self, person: Person) -> None:
        """They have."""


class ByApi:
    """A clinic of this gateway's: patients and visits go in by its API. What was cut off is asked for again.

    What the API does not take is Wrong, in the case that needs it.
    """

    def __init__(
        self, base_url: str, api_key: str, now: Callable[[], float], transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self.base_url, self._key, self._now, self._transport = base_url, api_key, now, transport
        self._done: set[str] = set()

    async def register(self, person: Person) -> None:
        """Register a patient, once."""
        body = {
            "subject": person.reference, "name": person.name, "gender": person.gender,
            "year_of_birth": person.year_of_birth, "mobile": person.mobile,
        }  # fmt: skip
        if person.tells_address:
            body["address"] = person.address
        await self._once("PUT", "/v1/patients", person.reference, body)

    async def visit(self, visit: Visit) -> None:
        """Hand a visit over with its document, once."""
        body = {
            "connector": "abdm", "subject": visit.person.reference, "reference": visit.reference,
            "display": "OP visit", "link": visit.linked,
            "documents": [{"kind": visit.hi_type, "record": record_of(visit, self._now())}],
        }  # fmt: skip
        await self._once("POST", "/v1/care-contexts", visit.reference, body)

    async def invite(self, person: Person) -> None:
        """Have the network write to a patient, once."""
        body = {"connector": "abdm", "subject": person.reference}
        await self._once("POST", "/v1/patients/invite", f"invite {person.reference}", body)

    async def _once(self, method: str, path: str, about: str, body: dict[str, Any]) -> None:
        if about in self._done:
            return
        headers = {"Authorization": f"Bearer {self._key}", "Idempotency-Key": str(uuid4())}
        for _ in range(_TRIES):
            status, said = await self._ask(method, path, headers, body)
            if status is not None and status < 300:
                self._done.add(about)
                return
            if status is not None and status not in _LATER:
                raise Wrong("3", f"{method} {path} was answered {status}: {said}")
            await asyncio.sleep(_AGAIN_SECONDS)
        raise Wrong("3", f"{method} {path} was not taken in {_TRIES} attempts; is the gateway at {self.base_url}?")

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], body: dict[str, Any]
    ) -> tuple[int | None, str]:
        client = httpx2.AsyncClient(
            base_url=self.base_url, timeout=_WAITS_SECONDS, trust_env=False, transport=self._transport
        )
        async with client:
            try:
                answer = await client.request(method, path, headers=headers, json=body)
            except httpx2.HTTPError:
                return None, ""
        return answer.status_code, answer.text[:300]


class PagePhone:
    """A page that shows the texts of a phone: the code is the six digits that were not there before."""

    def __init__(self, url: str) -> None:
        self._url, self._seen = url, Counter[str]()

    async def before(self, person: Person) -> None:
        """Note what stands there."""
        self._seen = await self._codes(person)

    async def code(self, person: Person) -> str | None:
        """The code that was not there before."""
        new = await self._codes(person) - self._seen
        return next(iter(new), None)

    async def _codes(self, person: Person) -> Counter[str]:
        url = self._url.replace("{mobile}", person.mobile.replace("+", "%2B"))
        async with httpx2.AsyncClient(timeout=_WAITS_SECONDS, trust_env=False) as client:
            try:
                text = (await client.get(url)).text
            except httpx2.HTTPError:
                return Counter(self._seen)
        shown = html.unescape(re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", text, flags=re.DOTALL))
        return Counter(_CODE.findall(shown))


class AskedPhone:
    """Whoever runs the cases reads the code from the phone and types it."""

    def __init__(self, ask: Callable[[str], Awaitable[str]]) -> None:
        self._ask = ask

    async def before(self, person: Person) -> None:
        """They look when they are asked."""

    async def code(self, person: Person) -> str | None:
        """What they type."""
        return (await self._ask(f"The code that came to {person.mobile} ({person.name})")).strip() or None


async def reachable(url: str) -> bool:
    """Whether anybody answers at an address, whatever they say."""
    async with httpx2.AsyncClient(timeout=_WAITS_SECONDS, trust_env=False) as client:
        try:
            await client.post(url, json={})
        except httpx2.HTTPError:
            return False
    return True


def record_of(visit: Visit, now: float) -> dict[str, Any]:
    """The plain record of a visit: a prescription, or a consultation."""
    at = datetime.fromtimestamp(now - visit.days_ago * _DAY, UTC).isoformat(timespec="seconds")
    person = visit.person
    record: dict[str, Any] = {
        "patient": {"name": person.name, "gender": _GENDERS[person.gender], "abha_address": person.address},
        "author": {"name": "Dr Meera Nair", "registration": "KMC-1234"}, "written_at": at,
    }  # fmt: skip
    medicine = {"drug": {"text": "Amlodipine 5 mg"}, "dosage": "One in the morning"}
    if visit.hi_type == CONSULTATION:
        return {**record, "visit": {"started_at": at}, "complaints": [{"text": "Headache"}], "medicines": [medicine]}
    return {**record, "medicines": [medicine]}
