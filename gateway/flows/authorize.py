"""Connect on a vendor's page: ask for the least that the features need, check whose answer it is, compare, keep or refuse.

begin    the clinic asks to connect: a pending connection and a link for the person who may allow it
offer    the link's page: for whom, to whom, what will be allowed
go       that person goes on: to the vendor, bound to this browser
finish   the vendor sends them back: state, browser, issuer, code, identity, scopes, in this order (RFC 9700)

Nothing that a browser or a vendor hands in is ever an address to go to: people are sent to the manifest's addresses, and
come back to one of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from connectors.oauth import OAuthRule
from connectors.registry import Connector
from gateway.calls import Actor
from gateway.connections import Connection
from gateway.errors import Conflict, GatewayError, NotFound
from gateway.flows.rooms import Rooms
from gateway.flows.scopes import needs_of
from gateway.flows.tokens import compared, tell, vendor_of
from gateway.log import Log
from gateway.oauth import identity, page
from gateway.oauth.answer import Answer, GrantEnded, TokenTrouble
from gateway.oauth.asking import Vendor
from gateway.oauth.attempts import Attempt
from gateway.oauth.comparison import Comparison
from gateway.oauth.page import Secrets

log = Log("gateway.authorize")

SCOPE_EXCESS: Final = "connection.scope_excess"
_DENIED: Final = "access_denied"
_NO_REDIRECT: Final = "the gateway does not know its own address, so no vendor can send anybody back"
_VERIFIED: Final = "set GATEWAY_PUBLIC_URL to the address that is registered at the vendor"


@dataclass(frozen=True, slots=True)
class Back:
    """Whose pages a person came from and goes back to, and which integration's."""

    tenant: UUID
    connector: Connector


class AnswerRefusedHere(GatewayError):
    """The vendor's answer is not taken; nothing is connected. `code` says why, in a word of ours.

    `back` is there where the person came from our own pages.
    """

    status = 400
    title = "Nothing was connected"

    def __init__(self, code: str) -> None:
        super().__init__(f"the vendor's answer is not taken ({code})")
        self.code = code
        self.back: Back | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a person is about to allow: for which clinic, to whom, and what."""

    clinic: str
    connector: Connector
    connection: Connection
    asked: frozenset[str]
    page: str
    """The vendor's page, without anything that is asked there: for showing where it goes."""
    for_admins: bool
    """Whether an administrator may allow it for everybody first."""
    back: bool = False
    """Whether the person came here from our own pages, by no link that somebody sent."""


@dataclass(frozen=True, slots=True)
class Going:
    """Where to send the person, and what their browser's cookie holds."""

    url: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of it: connected, perhaps with features that stay off; or refused for its surplus."""

    connector: Connector
    compared: Comparison
    features_off: Mapping[str, frozenset[str]]
    """Features that are on and cannot work, with the scopes that were not granted."""
    connected: bool
    again: str | None = field(default=None, repr=False)
    """Where to go on, when an administrator's page came first."""
    back: Back | None = None
    """There where the person came from our own pages."""


def link_for(link: str, rooms: Rooms) -> str:
    """The address to begin at. Raises Conflict where the gateway does not know its own."""
    found = rooms.oauth.link_of(link)
    if found is None:
        raise Conflict(_NO_REDIRECT, fix=_VERIFIED)
    return found


def check_address(rooms: Rooms) -> None:
    """Raise Conflict where nobody could be sent back to the gateway."""
    if rooms.oauth.redirect is None:
        raise Conflict(_NO_REDIRECT, fix=_VERIFIED)


async def again(actor: Actor, connection: Connection, rooms: Rooms, *, back: bool = False) -> str:
    """Connect once more, for the least that the features need now; what there is works on meanwhile. The address to begin."""
    rule_of(connection.connector, rooms)
    check_address(rooms)
    await rooms.oauth.clients.of(connection.connector)
    asked = least_of(connection, rooms)
    return link_for(await rooms.oauth.changes.ask_again(actor, connection.id, asked, back=back), rooms)


async def offer(link: str, rooms: Rooms) -> Offer:
    """What the link is for. Raises NoAttempt; changes nothing, so that whoever only looks uses nothing up."""
    attempt = await rooms.oauth.attempts.linked(link)
    connection, connector = await _of(attempt, rooms)
    rule = rule_of(connector.id, rooms)
    vendor = await vendor_of(connector.id, connection.account, rooms)
    place, both = vendor.url(_first_page(rule)), rule.authorize_url is not None and rule.admin_consent_url is not None
    return Offer(attempt.clinic.name, connector, connection, attempt.asked, place, both, attempt.row.back)


async def go(link: str, rooms: Rooms, *, as_admin: bool = False) -> Going:
    """Bind the attempt to this browser and send the person to the vendor. Raises NoAttempt: a link is good once.

    An administrator may be sent to allow it for everybody first; then they come back here and go on.
    """
    redirect = rooms.oauth.redirect
    if redirect is None:
        raise Conflict(_NO_REDIRECT, fix=_VERIFIED)
    before = await rooms.oauth.attempts.linked(link)
    connection, connector = await _of(before, rooms)
    vendor = await vendor_of(connector.id, connection.account, rooms)  # what is not registered uses no link up
    attempt, own, browser = await rooms.oauth.attempts.begin(link, redirect)
    return Going(_page(vendor, attempt, own, redirect, as_admin=as_admin), browser)


async def finish(told: Mapping[str, str], browser: str, rooms: Rooms) -> Finished:
    """Take a vendor's answer, which comes by way of a browser. Raises NoAttempt or AnswerRefusedHere."""
    attempt = await rooms.oauth.attempts.found(told.get("state", ""), browser)
    connection, connector = await _of(attempt, rooms)
    back = Back(attempt.tenant, connector) if attempt.row.back else None
    try:
        return replace(await _finished(attempt, connection, connector, (told, browser), rooms), back=back)
    except AnswerRefusedHere as refused:
        refused.back = back
        raise


async def _finished(
    attempt: Attempt, connection: Connection, connector: Connector, came: tuple[Mapping[str, str], str], rooms: Rooms
) -> Finished:
    told, browser = came
    vendor = await vendor_of(connector.id, connection.account, rooms)
    if _is_from_admin(told) and vendor.rule.authorize_url is not None:
        return await _go_on(attempt, connector, vendor, told, browser, rooms)
    own = attempt.secrets()
    attempt = await rooms.oauth.attempts.take(told.get("state", ""), browser)
    try:
        _check_issuer(told, vendor)
        _check_yes(told, vendor)
        answer = await _exchanged(told, vendor, attempt, own, rooms)
        await _check_identity(answer, vendor, own, rooms)
        finished = await _settled(attempt, connection, connector, vendor, answer, rooms)
    except AnswerRefusedHere as refused:
        await rooms.oauth.attempts.end(attempt, refused.code)
        log.warning("oauth_answer_refused", code=refused.code, connection=attempt.connection)
        raise
    await rooms.oauth.attempts.end(attempt, "connected" if finished.connected else "scope_excess")
    return finished


def rule_of(connector: str, rooms: Rooms) -> OAuthRule:
    """How a connector connects by OAuth. Raises Conflict where it does not."""
    rule = rooms.registry.connector(connector).manifest.credential.oauth
    if rule is None:
        raise Conflict(f"{connector} is connected with a key, not on a page of the vendor's")
    return rule


def least_of(connection: Connection, rooms: Rooms) -> frozenset[str]:
    """The provider scopes of least power that the features need which are on."""
    connector = rooms.registry.connector(connection.connector)
    return connector.lattice.least(needs_of(connector, connection.grant.features))


def off(connector: Connector, features: frozenset[str], granted: frozenset[str]) -> dict[str, frozenset[str]]:
    """The features that are on and lack a scope, each with what it lacks: of alternatives, the first."""
    found: dict[str, set[str]] = {}
    for action in connector.actions.values():
        if action.feature not in features:
            continue
        for need in action.provider_scopes:
            if not any(connector.lattice.includes(granted, scope) for scope in need):
                found.setdefault(action.feature, set()).add(min(connector.lattice.least([need])))
    return {feature: frozenset(lacking) for feature, lacking in sorted(found.items())}


async def _of(attempt: Attempt, rooms: Rooms) -> tuple[Connection, Connector]:
    """What an attempt connects. Raises NotFound where it was revoked since."""
    clinic = await rooms.connections.present(attempt.tenant)
    for connection in clinic.connections.values():
        if connection.id == attempt.connection:
            return connection, rooms.registry.connector(connection.connector)
    raise NotFound("this connection was revoked; begin anew")


def _first_page(rule: OAuthRule) -> str:
    return str(rule.authorize_url or rule.admin_consent_url)


def _page(vendor: Vendor, attempt: Attempt, own: Secrets, redirect: str, *, as_admin: bool = False) -> str:
    rule = vendor.rule
    as_admin = rule.admin_consent_url is not None and (as_admin or rule.authorize_url is None)
    write, place = (page.admin_page, rule.admin_consent_url) if as_admin else (page.consent_page, rule.authorize_url)
    url = vendor.url(str(place))
    return write(rule, url, client_id=vendor.client.id, redirect=redirect, scopes=attempt.asked, own=own)


def _is_from_admin(told: Mapping[str, str]) -> bool:
    return "admin_consent" in told and "code" not in told


async def _go_on(
    attempt: Attempt, connector: Connector, vendor: Vendor, told: Mapping[str, str], browser: str, rooms: Rooms
) -> Finished:
    """An administrator allowed it for everybody; now the person whose account it is."""
    if told.get("iss", vendor.issuer) != vendor.issuer:
        raise AnswerRefusedHere("wrong_issuer")
    _check_yes(told, vendor)
    own = await rooms.oauth.attempts.restate(attempt, browser)
    url = _page(vendor, attempt, own, str(attempt.row.redirect))
    return Finished(connector, Comparison(frozenset(), frozenset(), frozenset()), {}, connected=False, again=url)


def _check_issuer(told: Mapping[str, str], vendor: Vendor) -> None:
    """RFC 9207 2.4: a vendor that names itself always does; and whoever names another is not the one that was asked."""
    if vendor.rule.answers_issuer and "iss" not in told:
        raise AnswerRefusedHere("issuer_missing")
    if told.get("iss", vendor.issuer) != vendor.issuer:
        raise AnswerRefusedHere("wrong_issuer")


def _check_yes(told: Mapping[str, str], vendor: Vendor) -> None:
    if "error" in told:
        raise AnswerRefusedHere("denied" if told["error"] == _DENIED else "vendor_refused")
    if "tenant" in told and vendor.account is not None and told["tenant"] != vendor.account:
        raise AnswerRefusedHere("wrong_directory")
    allowed_by_admin = told.get("admin_consent", "").lower() == "true"
    if vendor.rule.authorize_url is None and not allowed_by_admin:
        raise AnswerRefusedHere("denied")
    if vendor.rule.authorize_url is not None and not told.get("code") and not allowed_by_admin:
        raise AnswerRefusedHere("code_missing")


async def _exchanged(told: Mapping[str, str], vendor: Vendor, attempt: Attempt, own: Secrets, rooms: Rooms) -> Answer:
    """The tokens for the code. The verifier goes with it: a code of somebody else's attempt fits no verifier of ours."""
    now = rooms.clock()
    try:
        if vendor.rule.authorize_url is None:
            return await vendor.by_client(now=now)
        redirect = str(attempt.row.redirect)
        return await vendor.by_code(
            told["code"], verifier=own.verifier, redirect=redirect, scopes=attempt.asked, now=now
        )
    except GrantEnded as ended:
        raise AnswerRefusedHere(f"code_refused.{ended.code}") from None
    except TokenTrouble as trouble:
        raise AnswerRefusedHere(trouble.code) from None


async def _check_identity(answer: Answer, vendor: Vendor, own: Secrets, rooms: Rooms) -> None:
    """Whose tokens these are, where the vendor says so; what is not taken is revoked."""
    if not vendor.rule.wants_id_token:
        return
    directory = vendor.account if vendor.rule.per_directory else None
    expected = identity.Expected(vendor.issuer, vendor.client.id, own.nonce, directory)
    try:
        identity.check(answer.id_token, await vendor.keys(), expected, now=rooms.clock().timestamp())
    except (identity.NotGenuine, TokenTrouble) as wrong:
        await vendor.revoke(answer.refresh or answer.access)  # whosever they are, they are not for here
        raise AnswerRefusedHere(wrong.code) from None


async def _settled(
    attempt: Attempt, connection: Connection, connector: Connector, vendor: Vendor, answer: Answer, rooms: Rooms
) -> Finished:
    """Compare what was granted with what was asked, and keep it or destroy it."""
    answer, found = await _narrowed(attempt.asked, connector, vendor, answer, rooms)
    actor = Actor("person", f"attempt:{attempt.id}", attempt.tenant, ())
    lacking = off(connector, connection.grant.features, found.granted)
    if found.excess:
        # Where revoking one token ends everything, what was connected before ends with it; otherwise it works on.
        keeps = await rooms.oauth.tokens.held(connection) is not None and not vendor.rule.ends_whole_grant
        await vendor.revoke(answer.refresh or answer.access)

        async def too_much(session: asyncpg.Connection) -> None:
            await tell(session, connection, SCOPE_EXCESS, {"excess": " ".join(sorted(found.excess))}, rooms)

        await rooms.oauth.changes.refused(actor, attempt.clinic, connection.id, found, too_much, keeps=keeps)
        return Finished(connector, found, lacking, connected=False)
    if attempt.asked and not found.granted:
        await _given_back(vendor, connection, answer)
        raise AnswerRefusedHere("nothing_granted")
    if vendor.rule.refresh != "none" and answer.refresh is None:
        await _given_back(vendor, connection, answer)
        raise AnswerRefusedHere("no_refresh_token")
    before = await rooms.oauth.tokens.held(connection)
    await rooms.oauth.changes.connected(actor, attempt.clinic, connection.id, answer, found, _nothing_more)
    if before is not None and not vendor.rule.ends_whole_grant:
        await vendor.revoke(before.refresh or before.access)  # where one ends all, the new ones would end with it
    return Finished(connector, found, lacking, connected=True)


async def _given_back(vendor: Vendor, connection: Connection, answer: Answer) -> None:
    """Revoke tokens that are not taken, unless those that are in use would end with them."""
    if not (vendor.rule.ends_whole_grant and connection.provider_scopes):
        await vendor.revoke(answer.refresh or answer.access)


async def _narrowed(
    asked: frozenset[str], connector: Connector, vendor: Vendor, answer: Answer, rooms: Rooms
) -> tuple[Answer, Comparison]:
    """What was granted; where it is too much and the vendor can take it off, after it has."""
    found = compared(connector.id, asked, answer, rooms)
    if not found.excess or not vendor.rule.narrows_at_refresh or answer.refresh is None:
        return answer, found
    try:
        answer = await vendor.by_refresh(answer.refresh, scopes=asked, now=rooms.clock())
    except (GrantEnded, TokenTrouble):
        return answer, found
    return answer, compared(connector.id, asked, answer, rooms)


async def _nothing_more(session: asyncpg.Connection) -> None:
    """Nothing else belongs to the transaction."""


def host_of(url: str) -> str:
    """The host that a page is on, for showing it to a person."""
    return urlsplit(url).hostname or ""
