"""The rooms that a flow passes through, put together once at start. Holds no logic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.registry import Registry
from gateway.agreements import Agreements
from gateway.callback_keys import CallbackKeys
from gateway.callbacks import Callbacks
from gateway.callers import Callers
from gateway.connections import Connections
from gateway.consents import Consents
from gateway.contacts import Contacts
from gateway.egress import Door, Route
from gateway.flows.register import Registers
from gateway.ledger.log import Ledger
from gateway.ledger.proofs import Proofs
from gateway.network.artefacts import Artefacts
from gateway.network.room import Networks
from gateway.oauth.room import OAuth
from gateway.people import People
from gateway.records import Records
from gateway.store.pool import Store
from gateway.subjects import Subjects
from gateway.tallies import Tallies
from gateway.templates import Templates
from gateway.webhooks.endpoints import Endpoints
from gateway.webhooks.kinds import Kinds


@dataclass(frozen=True, slots=True)
class Rooms:
    """What every flow may use."""

    registry: Registry
    kinds: Kinds
    connections: Connections
    consents: Consents
    artefacts: Artefacts
    contacts: Contacts
    agreements: Agreements
    records: Records
    templates: Templates
    registers: Registers
    callers: Callers
    people: People
    callbacks: Callbacks
    callback_keys: CallbackKeys
    endpoints: Endpoints
    subjects: Subjects
    ledger: Ledger
    proofs: Proofs
    tallies: Tallies
    egress: Door
    store: Store
    clock: Callable[[], datetime]
    routes: Mapping[str, Route]  # connector -> where it may go
    oauth: OAuth
    networks: Networks
    token_routes: Mapping[str, Route]  # connector -> where the gateway itself goes for its tokens
