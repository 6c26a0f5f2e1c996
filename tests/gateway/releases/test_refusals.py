"""What no consent covers is refused: nothing is sent, the ledger says every reason, and the network hears why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from connectors.told import ArtefactStatus, Frequency, Setback
from scopes.vocabulary import ConnectionState, Reason
from tests.gateway.egress.vendor import answer
from tests.gateway.releases.clinic import DAY, NOW, Release

# What is asked for otherwise, what the consent says otherwise -> the reason, and what the network is told.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], Reason, Setback]] = {
    "the range begins before the consent's": (
        {"since": NOW - 40 * DAY}, {}, Reason.RANGE_NOT_COVERED, Setback.DATES_REFUSED,
    ),
    "the range ends after the consent's": ({"until": NOW + DAY}, {}, Reason.RANGE_NOT_COVERED, Setback.DATES_REFUSED),
    "the time of the consent is over": (
        {}, {"erase_at": NOW}, Reason.CONSENT_EXPIRED, Setback.CONSENT_EXPIRED,
    ),
    "the consent names nobody": ({}, {"hiu": None}, Reason.RECIPIENT_UNNAMED, Setback.CONSENT_NOT_GRANTED),
    "the purpose is none that is known": (
        {}, {"purpose": "WHATEVER"}, Reason.PURPOSE_NOT_ALLOWED, Setback.CONSENT_NOT_GRANTED,
    ),
    "it may never be asked for": (
        {}, {"frequency": Frequency(0, 24, 0)}, Reason.FREQUENCY_CAP, Setback.ASKED_TOO_OFTEN,
    ),
    "the key is none": ({"fault": "key_off_curve"}, {}, Reason.KEY_UNUSABLE, Setback.KEY_REFUSED),
    "the address is a private one": (
        {"push_url": "https://10.0.0.7/push"}, {}, Reason.ADDRESS_NOT_ALLOWED, Setback.ADDRESS_REFUSED,
    ),
    "the address is a cloud's own": (
        {"push_url": "https://169.254.169.254/latest"}, {}, Reason.ADDRESS_NOT_ALLOWED, Setback.ADDRESS_REFUSED,
    ),
    "the address is one in disguise": (
        {"push_url": "https://[::ffff:10.0.0.7]/push"}, {}, Reason.ADDRESS_NOT_ALLOWED, Setback.ADDRESS_REFUSED,
    ),
    "the address is without TLS": (
        {"push_url": "http://hiu.example/push"}, {}, Reason.ADDRESS_NOT_ALLOWED, Setback.ADDRESS_REFUSED,
    ),
    "the address holds a password": (
        {"push_url": "https://user:word@hiu.example/push"}, {}, Reason.ADDRESS_NOT_ALLOWED, Setback.ADDRESS_REFUSED,
    ),
    "the address is no address": ({"push_url": "nowhere"}, {}, Reason.ADDRESS_NOT_ALLOWED, Setback.ADDRESS_REFUSED),
    "the address is one of tracking": (
        {"push_url": "https://www.google-analytics.com/collect"}, {}, Reason.ADDRESS_NOT_ALLOWED, Setback.ADDRESS_REFUSED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
async def test_a_request_that_nothing_covers_is_refused_as_a_whole(release: Release, name: str) -> None:
    asked, consented, reason, setback = CASES[name]
    [visit] = await release.has_visits(1)
    artefact = await release.consents(**consented)
    transfer = await release.asks(artefact.id, **asked)
    await _is_refused(release, transfer, reason, setback)
    [told] = release.told("report_transfer")
    assert told["complete"] is False
    assert told["entries"] == [{"context_reference": visit.reference, "arrived": False, "code": str(reason)}]


async def _is_refused(release: Release, transfer: Any, reason: Reason, setback: Setback) -> None:
    row = await release.works(transfer)
    assert row.state == "reported"
    assert row.sealed is None
    assert release.hiu.requests == []
    assert await release.log("intent", action="push_record") == []
    [refusal] = await release.log("refusal", action="push_record")
    assert [code for code, _ in refusal["reasons"]] == [str(reason)]
    assert refusal["call"] == str(transfer)
    [answered] = release.told("answer_records")
    assert answered == {"answers": row.request, "transaction": row.transaction, "problem": str(setback)}


@pytest.mark.parametrize(
    ("status", "reason", "setback"),
    [
        (ArtefactStatus.REVOKED, Reason.CONSENT_WITHDRAWN, Setback.CONSENT_NOT_GRANTED),
        (ArtefactStatus.EXPIRED, Reason.CONSENT_EXPIRED, Setback.CONSENT_EXPIRED),
        (ArtefactStatus.DENIED, Reason.CONSENT_WITHDRAWN, Setback.CONSENT_NOT_GRANTED),
    ],
)
async def test_a_consent_that_ended_releases_nothing(
    release: Release, status: ArtefactStatus, reason: Reason, setback: Setback
) -> None:
    await release.has_visits(1)
    artefact = await release.consents()
    await release.tells(artefact.id, status)
    transfer = await release.asks(artefact.id)
    row = await release.works(transfer)
    assert reason in {each["code"] for each in row.reasons}
    [answered] = release.told("answer_records")
    assert answered["problem"] == str(setback)
    assert release.told("report_transfer") == [], "which visits it was about is destroyed with the consent"
    assert release.hiu.requests == []


async def test_a_consent_that_nobody_told_of_releases_nothing(release: Release) -> None:
    await release.has_visits(1)
    transfer = await release.asks("no-such-consent")
    await _is_refused(release, transfer, Reason.CONSENT_MISSING, Setback.CONSENT_UNKNOWN)


async def test_every_reason_of_a_request_is_recorded(release: Release) -> None:
    await release.has_visits(1)
    artefact = await release.consents(hiu=None)
    transfer = await release.asks(artefact.id, since=NOW - 90 * DAY, fault="key_short", push_url="https://10.0.0.1/")
    await release.works(transfer)
    [refusal] = await release.log("refusal", action="push_record")
    assert [code for code, _ in refusal["reasons"]] == [
        "recipient_unnamed", "range_not_covered", "key_unusable", "address_not_allowed",
    ]  # fmt: skip


async def test_a_consent_that_names_nobody_releases_where_the_clinic_says_so(release: Release) -> None:
    await release.has_visits(1)
    artefact = await release.consents(hiu=None)
    await release.house.rooms.connections.set_settings(
        release.actor, release.connection.id, {"unnamed_recipient": "release"}
    )
    transfer = await release.asks(artefact.id)
    assert (await release.works(transfer)).state == "reported"
    [intent] = await release.log("intent", action="push_record")
    assert intent["recipient"]["id"] == "unnamed"
    assert len(release.hiu.requests) == 1


Widen = Callable[[Release, list[Any]], dict[str, Any]]
RECORDS: dict[str, tuple[Widen, str]] = {
    "of another kind": (lambda release, visits: {"kinds": frozenset()}, "record_kind_not_covered"),
    "of a visit that is not named": (lambda release, visits: {"contexts": ()}, "record_not_named"),
}


@pytest.mark.parametrize("name", RECORDS)
async def test_a_record_outside_the_consent_is_refused_although_it_was_found(
    release: Release, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The rooms of records choose already; the decision does not lean on that."""
    changes, reason = RECORDS[name]
    visits = await release.has_visits(1)
    artefact = await release.consents(**changes(release, visits))
    records, whole = release.house.rooms.records, release.artefact()
    find = type(records).documents

    async def everything(self: Any, tenant: Any, *_: Any) -> Any:
        return await find(self, tenant, whole.contexts, whole.kinds, whole.since, whole.until)

    monkeypatch.setattr(type(records), "documents", everything)
    transfer = await release.asks(artefact.id)
    await release.works(transfer)
    assert release.hiu.requests == []
    [refusal] = await release.log("refusal", action="push_record")
    assert [code for code, _ in refusal["reasons"]] == [reason]
    [told] = release.told("report_transfer")
    assert [(each["arrived"], each["code"]) for each in told["entries"]] == [(False, reason)]


async def test_a_record_that_only_reaches_into_the_range_stays(release: Release) -> None:
    """It tells of a time that nobody asked for."""
    at, hour = NOW - 20 * DAY, DAY / 24
    await release.has_visits(1, at=at, until=at + 2 * hour)
    artefact = await release.consents()
    whole = await release.asks(artefact.id, since=at, until=at + 2 * hour)
    await release.works(whole)
    assert len(release.hiu.requests) == 1
    part = await release.asks(artefact.id, since=at + hour, until=at + 3 * hour)
    await release.works(part)
    assert [each.code for each in await release.entries(part)] == ["record_date_not_covered"]
    assert len(release.hiu.requests) == 1


async def test_a_request_for_which_nothing_lies_here_is_reported_as_that(release: Release) -> None:
    [visit] = await release.has_visits(1, at=NOW - 20 * DAY)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id, since=NOW - 10 * DAY)
    await release.works(transfer)
    [told] = release.told("report_transfer")
    assert told["complete"] is False
    assert told["entries"] == [{"context_reference": visit.reference, "arrived": False, "code": "nothing_here"}]


async def test_the_clinics_own_reasons_stand_beside_the_consents_in_one_refusal(release: Release) -> None:
    await release.has_visits(2)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id)
    release.hiu.answers = [answer(503)]
    await release.works(transfer)
    assert [each.state for each in await release.entries(transfer)] == ["waiting"] * 2
    await release.tells(artefact.id, ArtefactStatus.REVOKED)
    await release.house.rooms.connections.set_state(release.actor, release.connection.id, ConnectionState.SUSPENDED)
    await release.works(transfer)
    assert [each.code for each in await release.entries(transfer)] == ["connection_inactive"] * 2
    refusals = await release.log("refusal", action="push_record")
    assert [[code for code, _ in each["reasons"]] for each in refusals] == [
        ["connection_inactive", "consent_withdrawn"]
    ] * 2
    assert len(release.hiu.requests) == 2


@pytest.mark.parametrize("repeats", [0, 2])
async def test_records_are_asked_for_as_often_as_the_consent_says(release: Release, repeats: int) -> None:
    await release.has_visits(1)
    artefact = await release.consents(frequency=Frequency(1, 24, repeats), erase_at=NOW + 30 * DAY)
    for day in range(3):
        allowed = repeats == 0 or day < repeats
        before = len(release.hiu.requests)
        first = await release.asks(artefact.id)
        second = await release.asks(artefact.id)
        await release.works(first)
        assert (await release.works(second)).reasons[0]["code"] == "frequency_cap"
        assert len(release.hiu.requests) == before + allowed
        release.clock.move(hours=25)


async def test_two_gateways_let_no_more_requests_through_than_the_consent_allows(release: Release) -> None:
    await release.has_visits(1)
    artefact = await release.consents(frequency=Frequency(3, 24, 0))
    houses = [release.house, release.other] * 5
    found = await asyncio.gather(*(release.asks(artefact.id, house=each) for each in houses))
    through = [transfer for transfer in found if not (await release.row(transfer)).reasons]
    assert len(through) == 3
    for transfer in found:
        await release.works(transfer)
    assert len(release.hiu.requests) == 3
