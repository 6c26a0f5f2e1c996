"""The pages as a browser without scripts meets them: cookies, forms as they stand in the page, redirects one by one."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from gateway import keyfiles
from gateway.app import House, opened
from gateway.calls import Actor
from gateway.config import Settings
from gateway.people import Role
from gateway.people.sessions import Opening
from tests.gateway.egress.vendor import Vendor
from tests.gateway.house import Clinic

PASSWORD = "correct horse battery staple"


_FORM = re.compile(r'<form method="post" action="([^"]*)".*?</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


def forms(page: str) -> dict[str, dict[str, str]]:
    """The forms of a page by the path they are sent to: what a browser would send where nothing is changed."""
    return {
        html.unescape(found[1]): {name: html.unescape(value) for name, value in _HIDDEN.findall(found[0])}
        for found in _FORM.finditer(page)
    }


@dataclass
class Browser:
    """One browser, without scripts."""

    client: httpx2.AsyncClient
    cookies: dict[str, str] = field(default_factory=dict)
    person: UUID | None = None
    email: str = ""

    async def ask(self, method: str, path: str, **given: Any) -> httpx2.Response:
        """One request with the cookies, keeping those that are set."""
        headers = {"accept": "text/html", **given.pop("headers", {})}
        if self.cookies:
            headers.setdefault("cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        response = await self.client.request(method, path, headers=headers, **given)
        for line in response.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        self.client.cookies.clear()
        return response

    async def get(self, path: str, **given: Any) -> httpx2.Response:
        """Look at a page."""
        return await self.ask("GET", path, **given)

    async def send(self, page: str, path: str, fields: dict[str, Any] | None = None, **given: Any) -> httpx2.Response:
        """Open a page, fill in the form that goes to `path`, and send it."""
        shown = await self.get(page)
        found = forms(shown.text)
        assert path in found, (shown.status_code, shown.headers.get("location"), sorted(found))
        return await self.ask("POST", path, data={**found[path], **(fields or {})}, **given)

    async def sign_in(self, email: str = "", password: str = PASSWORD, path: str = "/sign-in") -> httpx2.Response:
        """Send the sign-in form."""
        return await self.send(path, "/sign-in", {"email": email or self.email, "password": password})


SignedIn = Callable[..., Awaitable[Browser]]


class Clock:
    """The house's clock: the true time, moved on as a test wants."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._stands_at: datetime | None = None

    def __call__(self) -> datetime:
        return (self._stands_at or datetime.now(UTC)) + self._ahead

    def stop(self) -> None:
        """Let no time pass by itself, for tests that count seconds."""
        self._stands_at = datetime.now(UTC)

    def forward(self, **given: float) -> None:
        """Let time pass."""
        self._ahead += timedelta(**given)


@pytest.fixture
def clock() -> Clock:
    """The clock of this test's house."""
    return Clock()


@pytest.fixture
async def house(dsn: str, tmp_path: Path, vendor: Vendor, clock: Clock) -> AsyncIterator[House]:
    """A gateway whose time the test moves; what is on loopback may be reached without TLS."""
    settings = Settings.from_environment({}, data_dir=tmp_path, database_url=dsn)
    keyfiles.make(settings)
    sandboxes = {"payments/stripe": f"http://127.0.0.1:{vendor.port}"}
    async with opened(settings, sandboxes=sandboxes, clock=clock) as house:
        yield house


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP without a socket."""
    address = ".".join(["10", *(str(part) for part in uuid4().bytes[:3])])  # attempts are counted by it
    transport = httpx2.ASGITransport(app=house.web, client=(address, 50_000))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


@pytest.fixture
def browser(client: httpx2.AsyncClient) -> Browser:
    """A browser that nobody has signed in with."""
    return Browser(client)


@pytest.fixture
def member(house: House, clinic: Clinic, client: httpx2.AsyncClient) -> SignedIn:
    """Make a person of a clinic; their browser is not signed in."""

    async def make(role: Role = Role.OWNER, *, tenant: UUID | None = None, name: str = "Noor Haddad") -> Browser:
        email = f"{uuid4().hex[:12]}@clinic.example"
        accounts = house.rooms.people.accounts
        person = await accounts.create(name, email=email, password=PASSWORD)
        await accounts.join(Actor("system", "test", tenant or clinic.tenant, ()), person, role)
        return Browser(client, person=person, email=email)

    return make


@pytest.fixture
def signed_in(member: SignedIn) -> SignedIn:
    """The same, signed in."""

    async def make(role: Role = Role.OWNER, **given: Any) -> Browser:
        browser = await member(role, **given)
        assert (await browser.sign_in()).status_code == 303
        return browser

    return make


@pytest.fixture
def holder(house: House, clinic: Clinic, client: httpx2.AsyncClient) -> SignedIn:
    """A browser with a session, without the sign-in before it."""

    async def make(role: Role = Role.OWNER, *, tenant: UUID | None = None, name: str = "Noor Haddad") -> Browser:
        people, where = house.rooms.people, tenant or clinic.tenant
        email = f"{uuid4().hex[:12]}@clinic.example"
        person = await people.accounts.create(name, email=email)
        await people.accounts.join(Actor("system", "test", where, ()), person, role)
        opening = Opening(person=person, tenant=where, role=role, via="password", device="A test")
        return Browser(client, {"gateway": await people.sessions.open(opening)}, person, email)

    return make
