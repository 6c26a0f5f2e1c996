"""The demo's clinic at a network of health records: its facility, a patient in its file and her visits, told anew at each start.

A network's sandbox forgets everything when it ends, and the gateway nothing: what was linked there is forgotten here too.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from connectors.registry import Connector
from connectors.told import Identifier, Proof, RecordKind
from gateway.app import House
from gateway.calls import Actor
from gateway.errors import Conflict
from gateway.flows.connect import Wish, begin
from gateway.flows.network.facility import link_facility, move
from gateway.flows.network.keeping import Handed, Visit, keep
from gateway.flows.network.linking import want
from gateway.network.lines import Line
from gateway.oauth.clients import Client
from gateway.records import NewPatient
from gateway.store import links
from scopes.vocabulary import ConnectionState

_MOST = 500


async def registered(house: House, actor: Actor, connector: Connector) -> None:
    """A network's sandbox knows the gateway itself; the clinic acts for the facility that is in it, and has a patient."""
    line, sandbox = _line(house, connector), connector.module("sandbox")
    client_id, _, secret = sandbox.CREDENTIAL.partition(":")
    await house.rooms.oauth.clients.add(line.id, Client(client_id, secret))
    await house.rooms.networks.sessions.anew(line.id)  # a sandbox keeps no session beyond its end
    if await house.rooms.networks.facilities.of(actor.tenant, connector.id) is None:
        known = await house.rooms.connections.page(actor.tenant, after=None, limit=_MOST)
        if all(each.connector != connector.id for each in known):
            features = frozenset(connector.manifest.features)
            await begin(actor, Wish(connector=connector.id, features=features, settings=sandbox.SETTINGS), house.rooms)
        with suppress(Conflict):  # the database may hold another demo's clinic, which acts for it already
            await link_facility(actor.tenant, connector.id, sandbox.FACILITY, house.rooms, environment=line.environment)
    if await _takes_part(house, actor, connector) and not await _visits(house, actor, connector):
        await _filed(house, actor, connector, sandbox)


async def told_anew(house: House, actor: Actor, connector: Connector) -> None:
    """Say where the gateway is, and let what the clinic links by itself be linked in a network that has forgotten it."""
    await move(_line(house, connector), house.rooms)
    if not await _takes_part(house, actor, connector):
        return
    now = house.rooms.clock()
    wanted = {each["reference"] for each in connector.module("sandbox").visits(now) if each["linked"]}
    visits = await _visits(house, actor, connector)
    async with house.rooms.store.tenant(actor.tenant) as session:
        await links.forget_all(session, actor.tenant, connector.id)
        for context in visits:
            if context.reference in wanted:
                await want(session, actor.tenant, context, house.rooms)


def _line(house: House, connector: Connector) -> Line:
    """The environment that the manifest gives as an example: the sandbox stands for all of them."""
    rule = connector.manifest.credential.session
    assert rule is not None
    return house.rooms.networks.line(connector.id, connector.manifest.settings[rule.setting].example)


async def _takes_part(house: House, actor: Actor, connector: Connector) -> bool:
    """Whether the clinic acts for a facility there: the user may have cut that off."""
    found = await house.rooms.connections.active(actor.tenant, connector.id)
    owns = await house.rooms.networks.facilities.of(actor.tenant, connector.id)
    return found.state is ConnectionState.ACTIVE and owns is not None


async def _visits(house: House, actor: Actor, connector: Connector) -> list[Any]:
    found = await house.rooms.records.page(actor.tenant, after=None, limit=_MOST)
    return [each for each in found if each.connector == connector.id]


async def _filed(house: House, actor: Actor, connector: Connector, sandbox: Any) -> None:
    """Enter the patient and her visits, as the clinic's own software would."""
    known = dict(sandbox.IN_THE_FILE)
    subject = known.pop("subject")
    proofs = {Proof.ADDRESS: known.pop("address"), Proof.MOBILE: known.pop("mobile")}
    identifiers = tuple(Identifier(proof, value) for proof, value in proofs.items())
    await house.rooms.records.register(actor, NewPatient(subject=subject, identifiers=identifiers, **known))
    for each in sandbox.visits(house.rooms.clock()):
        visit = Visit(
            connector=connector.id, subject=subject, reference=each["reference"], display=each["display"],
            documents=(Handed(kind=RecordKind(each["kind"]), record=each["record"]),),
        )  # fmt: skip
        await keep(actor, visit, house.rooms, link=False)
