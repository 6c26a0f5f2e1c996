"""The whole network in one object: who is in it, what was said, and what anybody can make happen. Keeps state and verbs.

Each verb is what a person does in an app, or a machine of ABDM's by itself. What a hospital asks comes in by app.py, is looked
at by desk.py and done in the file of its subject. Python and `/sim/...` (drive.py) drive the same verbs.
"""

import asyncio
import importlib
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

import httpx2

from connectors.abdm.simulator import artefacts, courier, linking, sharing, transfers
from connectors.abdm.simulator.abha import Abha
from connectors.abdm.simulator.artefacts import Artefact, ConsentRequest, Wanted
from connectors.abdm.simulator.clock import Clock, WallClock, stamp
from connectors.abdm.simulator.keys import Keyring, shared
from connectors.abdm.simulator.people import (
    Bridge,
    Discovery,
    Facility,
    Hiu,
    Message,
    Patient,
    Share,
    Unknown,
    luhn,
    new_id,
)  # fmt: skip
from connectors.abdm.simulator.quirks import Quirks
from connectors.abdm.simulator.record import Heard, Told
from connectors.abdm.simulator.refusals import Shape
from connectors.abdm.simulator.transfers import Asked, Transfer

CM_ID: Final = "sbx"
CLIENT: Final = ("SBX_000001", "5a4db0c5-a4db-4c5a-8db0-c5a4db0c5a4d")
PATIENTS_APP: Final = Hiu("ABHA-APP", "ABHA app")
THIEF: Final = "https://another-system.example/abdm"
_THIEF_RETURNS_SECONDS: Final = 1800
_LATENCY_SECONDS: Final = 1.0

Found = TypeVar("Found")


class Crypto(Protocol):
    """What an HIU needs to make keys and to open what it gets: `connectors.abdm.crypto`, or another of its form."""

    def generate(self) -> Any:
        """A key pair with `public` and `nonce`."""

    def unseal(self, sealed: bytes, *, own: Any, peer_public: bytes, peer_nonce: bytes) -> bytes:
        """The plain bytes; raises where they were tampered with."""


class Network:
    """ABDM, played: gateway, ABHA service, consent manager, the patients' app, and HIUs."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        quirks: Quirks | None = None,
        crypto: Crypto | None = None,
        keys: Keyring | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        chance: random.Random | None = None,
    ) -> None:
        """An empty network; `transport` carries what it sends to hospitals, `chance` draws OTPs and latencies."""
        self.clock = clock or WallClock()
        self.quirks = quirks or Quirks()
        self.transport = transport
        self.chance = chance or random.Random()  # noqa: S311 (OTPs of nobody)
        self.latency_seconds = _LATENCY_SECONDS
        self.keys = keys or shared()
        self.bridge = Bridge("SBX_000001", *CLIENT)
        self.served_at: str | None = None
        self.patients: dict[str, Patient] = {}
        self.facilities: dict[str, Facility] = {}
        self.hius: dict[str, Hiu] = {PATIENTS_APP.id: PATIENTS_APP}
        self.phones: dict[str, list[Message]] = {}
        self.requests: list[Heard] = []
        self.told: list[Told] = []
        self.seen_ids: set[str] = set()
        self.sessions: dict[str, float] = {}
        self.discoveries: dict[str, Discovery] = {}
        self.shares: dict[str, Share] = {}
        self.asked: dict[str, ConsentRequest] = {}
        self.artefacts: dict[str, Artefact] = {}
        self.transfers: dict[str, Transfer] = {}
        self.tokens = linking.TokenBook()
        self.abha = Abha()
        self.failing: list[tuple[str, Shape]] = []
        self.gateway_calls = 0
        self.bad_logins = 0
        self.locked_until = 0.0
        self.peer_keys_seen: set[str] = set()
        self.notices: dict[str, tuple[str, bool]] = {}
        self._crypto = crypto
        self._moved = asyncio.Event()
        self._thief_waits = False

    @property
    def crypto(self) -> Crypto:
        """The cryptography of the HIUs."""
        if self._crypto is None:
            self._crypto = importlib.import_module("connectors.abdm.crypto")
        return self._crypto

    @property
    def callback_url(self) -> str | None:
        """Where callbacks go, under the name that every sandbox gives it."""
        return self.bridge.url

    @callback_url.setter
    def callback_url(self, url: str) -> None:
        self.register(url)

    # Who takes part.

    def add_patient(
        self, name: str, *, mobile: str, year_of_birth: int, gender: str = "F", address: str | None = None, **more: Any
    ) -> Patient:
        """A person with an ABHA number; `more` are fields of Patient."""
        number = more.pop("abha_number", None) or self._new_number()
        address = (address or f"{number}@{CM_ID}").lower()
        patient = Patient(number, address, name, gender, year_of_birth, mobile, **more)
        self.patients[address] = patient
        return patient

    def add_facility(self, name: str, *, hfr_id: str) -> Facility:
        """A facility that the bridge serves; its service id is what the gateway routes on."""
        service_id = f"{hfr_id}_1" if self.quirks.suffixed_service_ids else hfr_id
        facility = Facility(hfr_id, service_id, name)
        self.facilities[service_id] = facility
        return facility

    def add_hiu(self, hiu_id: str, name: str) -> Hiu:
        """Somebody who asks for records."""
        return self.hius.setdefault(hiu_id, Hiu(hiu_id, name))

    def patient(self, address: str) -> Patient:
        """Whose address this is, in capitals or not; raises Unknown."""
        try:
            return self.patients[address.lower()]
        except KeyError:
            raise Unknown(f"no patient has the address {address}") from None

    # The bridge and the weather.

    def register(self, url: str) -> None:
        """Put the bridge's address; the last writer wins, and with the thief about, that is not for long."""
        self.bridge.url, self.bridge.stolen = url.rstrip("/"), False
        if self.quirks.bridge_thief and not self._thief_waits:
            self._thief_waits = True
            self.clock.after(_THIEF_RETURNS_SECONDS, self._thief)

    def steal_bridge(self) -> None:
        """Another system with the same client id puts its own address there: every callback goes to it from now on."""
        self.bridge.url, self.bridge.stolen = THIEF, True

    async def _thief(self) -> None:
        if self.quirks.bridge_thief:
            self.steal_bridge()

    def switch(self, wanted: Mapping[str, bool]) -> None:
        """Switch quirks by name; raises ValueError for an unknown one."""
        self.quirks.switch(wanted)
        if wanted.get("bridge_thief") and self.bridge.url:
            self.steal_bridge()

    def fail_next(self, shape: Shape, *, times: int = 1, path: str = "/") -> None:
        """Answer the next calls whose path begins so with an error of this shape."""
        self.failing += [(path, Shape(shape))] * times

    # What patients, HIUs and the consent manager do.

    async def discover(self, address: str, service_id: str, unverified: Sequence[Mapping[str, str]] = ()) -> Discovery:
        """A patient looks for their records at a hospital."""
        return await linking.discover(self, self.patient(address), service_id, unverified)

    async def init_link(self, transaction: str, references: Sequence[str] | None = None) -> Discovery:
        """They choose some of what was found (all, where nothing is said); the hospital is to send an OTP."""
        return await linking.init_link(self, self._discovery(transaction), references)

    async def confirm_link(self, transaction: str, otp: str) -> Discovery:
        """They type the OTP."""
        return await linking.confirm_link(self, self._discovery(transaction), otp)

    def ask_consent(self, address: str, hiu_id: str, wanted: Wanted) -> ConsentRequest:
        """An HIU asks for a consent; no hospital hears of it before the patient says yes."""
        return artefacts.ask(self, self.patient(address), self.hius[hiu_id], wanted)

    async def grant(self, request_id: str, *, narrowed: tuple[str, str] | None = None) -> list[Artefact]:
        """The patient says yes, for the dates asked or others: an artefact for each hospital, which is told of its own."""
        return await artefacts.grant(self, self.asked[request_id], narrowed)

    def deny(self, request_id: str) -> ConsentRequest:
        """The patient says no; hospitals hear nothing."""
        return artefacts.deny(self.asked[request_id])

    async def revoke(self, consent_id: str) -> Told:
        """The patient takes a consent back."""
        return await artefacts.end(self, self.artefacts[consent_id], "REVOKED")

    async def expire(self, consent_id: str) -> Told:
        """A consent's time is over."""
        return await artefacts.end(self, self.artefacts[consent_id], "EXPIRED")

    async def request_records(self, consent_id: str, asked: Asked | None = None) -> Transfer:
        """The consent's HIU asks for records; `asked` says what differs from an honest request."""
        return await transfers.request(self, self.artefacts[consent_id], asked or Asked())

    async def share_profile(self, address: str, service_id: str, counter: str, intent: str = "PROFILE_SHARE") -> Share:
        """The patient scans the code at a counter."""
        return await sharing.share(self, self.patient(address), service_id, counter, intent)

    # What can be seen.

    def received(self, transaction: str) -> Transfer:
        """What an HIU got in one transfer."""
        return self.transfers[transaction]

    def heard(self, path: str | None = None) -> list[Heard]:
        """Every request that hospitals made, in the order of time, with what was wrong with it."""
        return [each for each in self.requests if path is None or each.path.endswith(path)]

    def faulty(self) -> list[Heard]:
        """The requests that had something wrong with them."""
        return [each for each in self.requests if each.faults]

    def tellings(self, path: str) -> list[Told]:
        """What hospitals were told under a path."""
        return [each for each in self.told if each.path.endswith(path)]

    # What the other files of the simulator need.

    async def tell(self, path: str, body: Any, service_id: str, request_id: str | None = None) -> Told:
        """Call the hospital now."""
        return await courier.tell(self, courier.Letter(path, body, service_id, request_id or new_id()))

    def tell_later(self, path: str, body: Any, service_id: str) -> None:
        """Call the hospital after the gateway's latency."""
        seconds = self.chance.uniform(1, 9) if self.quirks.slow_callbacks else self.latency_seconds

        async def act() -> None:
            await self.tell(path, body, service_id)

        self.clock.after(seconds, act)

    def text(self, mobile: str, sender: str, text: str) -> None:
        """A text message comes to a phone."""
        self.phones.setdefault(mobile[-10:], []).append(Message(self.clock.now(), sender, text))

    def otp(self) -> str:
        """Six digits; one in ten begins with a zero."""
        return f"{self.chance.randrange(10**6):06}"

    def stamp(self) -> str:
        """Now, as it stands on the wire."""
        return stamp(self.clock.outside())

    def today(self) -> datetime:
        """Now, on the wire."""
        return datetime.fromtimestamp(self.clock.outside(), UTC)

    def note(self) -> None:
        """Something happened: whoever waits looks again."""
        self._moved.set()

    async def until(self, condition: Callable[[], Found], seconds: float = 10.0) -> Found:
        """Wait until something is true of what happened here; raises TimeoutError. It counts real seconds."""
        async with asyncio.timeout(seconds):
            while not (found := condition()):
                self._moved.clear()
                await self._moved.wait()
            return found

    def _discovery(self, transaction: str) -> Discovery:
        return self.discoveries[transaction]

    def _new_number(self) -> str:
        digits = f"{self.chance.randrange(10, 99)}{self.chance.randrange(10**11):011}"
        return digits + luhn(digits)
