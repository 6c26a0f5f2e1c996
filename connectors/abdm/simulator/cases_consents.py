"""The cases of consents and of records under them: granted, shared as far as the consent goes, refused, taken back, over."""

import json
from collections.abc import Mapping
from typing import Any, Final

from connectors.abdm.simulator import rules
from connectors.abdm.simulator.artefacts import Artefact, Wanted
from connectors.abdm.simulator.cases_cast import CONSULTATION, PRESCRIPTION
from connectors.abdm.simulator.cases_stage import Case, Stage, Wrong
from connectors.abdm.simulator.clock import instant, stamp
from connectors.abdm.simulator.people import new_id
from connectors.abdm.simulator.transfers import PUSH_SECONDS, Asked, Transfer

HIU: Final = "IN2910000999"
HIU_NAME: Final = "Hill Hospital"
_DAY: Final = 86_400
_TAKEN_SECONDS: Final = 60
_LONG_AGO_DAYS: Final = 30
_NARROWED_DAYS: Final = 8
#: The form of a key, and no point of the curve: x is 0 and y is 1.
_NO_KEY: Final = "BA" + "A" * 84 + "Q="
#: Where somebody inside a hospital's own network might listen.
_PRIVATE: Final = "http://10.0.0.7/data/push"
_REFUSED: Final = ("refused", "FAILED")
_ENDED: Final = (*_REFUSED, "TRANSFERRED")


async def _consented(stage: Stage, *, kinds: tuple[str, ...] = rules.HI_TYPES, days: int = _LONG_AGO_DAYS) -> Artefact:
    """A consent that the patient gave and the hospital acknowledged."""
    network = stage.network
    network.add_hiu(HIU, HIU_NAME)
    now = network.clock.outside()
    since, until = stamp(now - days * _DAY), stamp(now)
    wanted = Wanted(
        "CAREMGT", since=since, until=until, erase_at=stamp(now + _LONG_AGO_DAYS * _DAY), hi_types=kinds,
        service_id=stage.service_id,
    )  # fmt: skip
    request = network.ask_consent(stage.cast.asha.address, HIU, wanted)
    (artefact,) = await network.grant(request.id, narrowed=None if days == _LONG_AGO_DAYS else (since, until))
    await _acknowledged(stage, artefact, "GRANTED")
    return artefact


async def _acknowledged(stage: Stage, artefact: Artefact, status: str) -> None:
    what = f"the hospital did not acknowledge a consent that is {status}"
    await stage.until(lambda: status in artefact.acknowledged, _TAKEN_SECONDS, "4.1", what)


async def _asked(stage: Stage, artefact: Artefact, asked: Asked | None = None) -> Transfer:
    """A request for records, to its end."""
    transfer = await stage.network.request_records(artefact.id, asked)
    what = "the hospital did not say how a request for records ended"
    await stage.until(lambda: transfer.state in _ENDED, PUSH_SECONDS + 300, "4.6", what)
    return transfer


async def _fetched(stage: Stage, artefact: Artefact) -> list[tuple[str, float]]:
    """What came under a consent, by kind and date; everything that it allows, and nothing else."""
    transfer = await _asked(stage, artefact)
    if transfer.state != "TRANSFERRED":
        said = transfer.error or {}
        raise Wrong("4.6", f"the records were {transfer.state}: {said.get('code', '')} {said.get('message', '')}")
    if any(each.plain is None for each in transfer.entries):
        raise Wrong("4.4", "a record cannot be opened")
    return [_kind_and_date(json.loads(plain)) for plain in transfer.plain.values()]


def _kind_and_date(bundle: Mapping[str, Any]) -> tuple[str, float]:
    from connectors.abdm.simulator.hiu import kind_of

    composition = next(
        each["resource"] for each in bundle["entry"] if each["resource"]["resourceType"] == "Composition"
    )
    return kind_of(composition) or "unknown", instant(composition["date"])


def _expected(stage: Stage, artefact: Artefact) -> list[str]:
    """The kinds of documents that a consent allows of what is linked: what the hospital was to enter."""
    since, until = map(instant, artefact.dates)
    now = stage.network.clock.outside()
    return sorted(
        visit.hi_type for visit in (stage.cast.first, *stage.cast.further)
        if visit.hi_type in artefact.detail["hiTypes"] and since <= now - visit.days_ago * _DAY <= until
    )  # fmt: skip


def _compare(stage: Stage, artefact: Artefact, came: list[tuple[str, float]]) -> None:
    expected = _expected(stage, artefact)
    got = sorted(kind for kind, _ in came)
    if got != expected:
        raise Wrong(
            "4.3", f"{', '.join(got) or 'nothing'} came, and {', '.join(expected) or 'nothing'} is consented to"
        )


# The cases.


async def _stores_a_grant(stage: Stage) -> None:
    for each in stage.cast.further:
        await stage.hospital.visit(each)
    cast = stage.cast
    wanted = {PRESCRIPTION, CONSULTATION}

    def linked() -> bool:
        contexts = stage.patient(cast.asha).linked.get(stage.service_id, ())
        return wanted <= stage.types_linked(cast.asha) and len(contexts) >= 1 + len(cast.further)

    await stage.until(linked, 300, "3.2", "the further visits are not linked")
    await stage.again(lambda: _consented(stage))


async def _shares(stage: Stage) -> None:
    async def shares() -> None:
        artefact = await _consented(stage)
        _compare(stage, artefact, await _fetched(stage, artefact))

    await stage.again(shares)


async def _shares_a_kind(stage: Stage) -> None:
    async def shares() -> None:
        artefact = await _consented(stage, kinds=(CONSULTATION,))
        _compare(stage, artefact, await _fetched(stage, artefact))

    await stage.again(shares)


async def _shares_dates(stage: Stage) -> None:
    async def shares() -> None:
        artefact = await _consented(stage, days=_NARROWED_DAYS)
        _compare(stage, artefact, await _fetched(stage, artefact))

    await stage.again(shares)


async def _refuses(stage: Stage, asked: Asked, codes: tuple[str, ...], why: str) -> None:
    async def refused() -> None:
        await _check_refused(stage, await _asked(stage, await _consented(stage), asked), codes, why)

    await stage.again(refused)


async def _check_refused(stage: Stage, transfer: Transfer, codes: tuple[str, ...], why: str) -> None:
    if transfer.entries:
        raise Wrong("4.2", f"records came {why}")
    what = f"a request {why} is to be answered with an error"
    error = await stage.until(lambda: transfer.error, _TAKEN_SECONDS, "4.2", what)
    code = str(error.get("code", "")).strip(": ")
    if codes and code not in codes:
        raise Wrong("1.6", f"a request {why} was refused with {code or 'no code'}, not with {' or '.join(codes)}")


async def _refuses_dates(stage: Stage) -> None:
    early = stamp(stage.network.clock.outside() - 2 * _LONG_AGO_DAYS * _DAY)
    await _refuses(stage, Asked(since=early), ("ABDM-1063",), "for dates outside the consent")


async def _refuses_a_key(stage: Stage) -> None:
    await _refuses(stage, Asked(key_value=_NO_KEY), (), "with a key that is no point of the curve")


async def _refuses_an_address(stage: Stage) -> None:
    await _refuses(stage, Asked(push_url=_PRIVATE), (), "that leads to a private network")


async def _refuses_no_consent(stage: Stage) -> None:
    asked = Asked(consent_id=new_id())
    await _refuses(stage, asked, ("ABDM-1061", "ABDM-1062"), "under a consent that nobody gave")


async def _ends(stage: Stage, status: str) -> None:
    """A consent ends: the hospital says that it knows, and gives nothing under it any more."""
    network = stage.network

    async def ends() -> None:
        artefact = await _consented(stage)
        await (network.revoke if status == "REVOKED" else network.expire)(artefact.id)
        await _acknowledged(stage, artefact, status)
        artefact.end_is_known = True
        transfer = await _asked(stage, artefact, Asked(forced=True))
        await _check_refused(stage, transfer, ("ABDM-1061", "ABDM-1062"), f"under a consent that is {status}")

    await stage.again(ends)


async def _forgets_revoked(stage: Stage) -> None:
    await _ends(stage, "REVOKED")


async def _forgets_expired(stage: Stage) -> None:
    await _ends(stage, "EXPIRED")


CASES: Final = (
    Case("HIP_INIT_GRANT_CONSENT", "A granted consent is stored", _stores_a_grant),
    Case("HIP_INIT_SHARE_CARECONTEXT", "Health records are shared on request", _shares),
    Case("SHARE_BY_KIND", "Only the kinds of records that the consent names", _shares_a_kind, official=False),
    Case("SHARE_BY_DATE", "Only records of the dates that the patient allowed", _shares_dates, official=False),
    Case("REFUSE_DATES", "Dates outside the consent are refused", _refuses_dates, official=False),
    Case("REFUSE_KEY", "A key that is none is refused", _refuses_a_key, official=False),
    Case("REFUSE_ADDRESS", "An address in a private network is refused", _refuses_an_address, official=False),
    Case("REFUSE_CONSENT", "A consent that nobody gave is refused", _refuses_no_consent, official=False),
    Case("HIP_INIT_REVOKE_CONSENT", "Nothing under a consent that was taken back", _forgets_revoked),
    Case("HIP_INIT_EXPIRE_CONSENT", "Nothing under a consent that is over", _forgets_expired),
)
