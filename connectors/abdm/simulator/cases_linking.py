"""The cases of linking: at the hospital's wish (501 to 506), by a text, and at the patient's (602 to 607)."""

import json
from typing import Any, Final

from connectors.abdm.simulator.cases_stage import Case, Stage, Wrong
from connectors.abdm.simulator.linked import RACE_SECONDS, pull_now
from connectors.abdm.simulator.people import Discovery
from connectors.abdm.simulator.record import Heard, Told
from connectors.abdm.simulator.transfers import Transfer

_TOKEN: Final = "/v3/token/generate-token"  # noqa: S105 (a path)
_LINK: Final = "/v3/link/carecontext"
_NOTIFY: Final = "/v3/link/context/notify"
_SMS: Final = "/v3/link/patient/links/sms/notify2"
_TAKEN: Final = 202
_ANSWER_SECONDS: Final = 45
_ENDED: Final = ("TRANSFERRED", "FAILED", "refused")


def _heard(stage: Stage, path: str, needle: str) -> list[Heard]:
    """What the hospital asked of one patient and the network took."""
    needle = needle.casefold()
    return [
        each for each in stage.network.heard(path)
        if each.status == _TAKEN and needle in json.dumps(each.body).casefold()
    ]  # fmt: skip


# At the hospital's wish.


async def _asks_for_a_token(stage: Stage) -> None:
    asha = stage.cast.asha
    await stage.hospital.register(asha)
    await stage.hospital.visit(stage.cast.first)
    what = "no link token was asked for in the patient's name"
    await stage.until(lambda: _heard(stage, _TOKEN, asha.address), 120, "3.2", what)


async def _shares_demographics(stage: Stage) -> None:
    asha = stage.cast.asha
    for each in _heard(stage, _TOKEN, asha.address)[-1:]:
        given = (each.body.get("gender"), each.body.get("yearOfBirth"))
        if given != (asha.gender, asha.year_of_birth) or each.body.get("name", "").casefold() != asha.name.casefold():
            raise Wrong("3.2", "name, gender and year of birth are not those that the hospital was to enter")
        return
    raise Wrong("3.2", "no link token was asked for")


def _answers(stage: Stage) -> list[Told]:
    address = stage.cast.asha.address
    told = stage.network.tellings("/hip/token/on-generate-token")
    return [each for each in told if each.body["abhaAddress"].casefold() == address]


async def _is_authenticated(stage: Stage) -> None:
    told = await stage.until(lambda: _answers(stage), 60, "3.2", "no link token was asked for")
    if all("linkToken" not in each.body for each in told):
        said = told[-1].body["error"]
        raise Wrong(
            "3.2", f"the values are not those of the ABHA account: {said['code'].strip(': ')} {said['message']}"
        )


async def _takes_the_token(stage: Stage) -> None:
    what = "the hospital did not take its link token"
    await stage.until(lambda: [t for t in _answers(stage) if t.taken and "linkToken" in t.body], 60, "3.2", what)


async def _links(stage: Stage) -> None:
    cast = stage.cast
    await stage.until(
        lambda: cast.first.hi_type in stage.types_linked(cast.asha), 180, "3.2", "the visit is not linked"
    )
    await stage.until(
        lambda: [each for each in stage.network.tellings("/link/on_carecontext") if each.taken],
        60, "3.2", "the hospital did not take the answer to its link",
    )  # fmt: skip


async def _is_pulled(stage: Stage) -> None:
    transfer = await _pulled(stage, stage.cast.asha.address)
    if not transfer.plain:
        raise Wrong("4.6", "the patient's app got nothing of what is linked")


async def _records_conform(stage: Stage) -> None:
    """Whatever came so far is a document that the national profiles admit."""
    from connectors.abdm.fhir import check

    found = [plain for transfer in stage.network.transfers.values() for plain in transfer.plain.values()]
    if not found:
        raise Wrong("5.1", "no document has come yet")
    for plain in found:
        for fault in check(json.loads(plain))[:3]:
            raise Wrong("5.2", f"{fault.path}: {fault.message}")


async def _notifies(stage: Stage) -> None:
    """News of a linked visit; too soon after the link the network does not know it, and the hospital tries again."""
    address = stage.cast.asha.address
    await stage.until(lambda: _heard(stage, _NOTIFY, address), 180, "3.2", "no news of the linked visit came")

    def taken() -> bool:
        asked = {each.headers.get("request-id") for each in _heard(stage, _NOTIFY, address)}
        answers = [each.body for each in stage.network.tellings("/links/context/on-notify") if each.taken]
        return any(
            each["acknowledgement"]["status"] == "SUCCESS" and each["response"]["requestId"] in asked
            for each in answers
        )

    await stage.until(taken, 300, "3.2", f"no notification was taken, also later than {RACE_SECONDS} seconds")


async def _writes(stage: Stage) -> None:
    deepa = stage.cast.deepa
    await stage.hospital.register(deepa)
    await stage.hospital.invite(deepa)
    await stage.until(
        lambda: stage.network.phones.get(deepa.mobile[-10:]), 120, "3.2", "no text came to the patient's mobile"
    )
    await stage.until(
        lambda: [each for each in stage.network.tellings("/patients/sms/on-notify") if each.taken],
        60, "3.2", "the hospital did not take the answer to its text",
    )  # fmt: skip


# At the patient's wish.


async def _is_found_by_name(stage: Stage) -> None:
    """The hospital is listed, and its bridge takes what a patient asks of it."""
    if stage.service_id not in stage.network.facilities:
        raise Wrong("1.4", "the facility is not on the bridge")
    await stage.hospital.register(stage.cast.binod)
    await stage.hospital.visit(stage.cast.own)

    async def asks() -> None:
        found = await stage.network.discover(stage.cast.chitra.address, stage.service_id)
        await _state(stage, found, ("found", "none"))

    await stage.again(asks)


async def _is_matched(stage: Stage) -> None:
    found = await stage.again(lambda: _discovered(stage))
    if "MOBILE" not in found.matched_by:
        raise Wrong("3.3", f"matched by {', '.join(found.matched_by) or 'nothing'}; the hospital knows the mobile only")


async def _shows_visits(stage: Stage) -> None:
    found = await stage.again(lambda: _discovered(stage))
    kinds = {block["hiType"] for block in found.blocks}
    if kinds != {stage.cast.own.hi_type}:
        raise Wrong("3.3", f"{', '.join(sorted(kinds)) or 'nothing'} was found, and {stage.cast.own.hi_type} is there")


async def _sends_a_code(stage: Stage) -> None:
    await stage.again(lambda: _chosen(stage))


async def _validates(stage: Stage) -> None:
    """A wrong code links nothing; the right one links what was chosen, and nothing else."""

    async def both() -> None:
        found, code = await _chosen(stage)
        wrong = f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"
        await stage.network.confirm_link(found.transaction, wrong)
        await stage.until(
            lambda: found.error is not None or found.state == "linked", _ANSWER_SECONDS, "3.3", "no answer to a code"
        )
        if found.state == "linked":
            raise Wrong("3.3", "a wrong code linked the visit")
        await stage.network.confirm_link(found.transaction, code)
        await stage.until(
            lambda: found.error is not None or found.state == "linked", _ANSWER_SECONDS, "3.3", "no answer to a code"
        )
        if found.state != "linked":
            raise Wrong("3.3", f"the right code was refused: {_said(found.error)}")

    if stage.cast.own.hi_type not in stage.types_linked(stage.cast.binod):
        await stage.again(both)


async def _is_pulled_by_the_patient(stage: Stage) -> None:
    if not stage.types_linked(stage.cast.binod):
        raise Wrong("3.3", "nothing is linked that could be fetched")
    transfer = await _pulled(stage, stage.cast.binod.address)
    if not transfer.plain:
        raise Wrong("4.6", "the patient's app got nothing of what is linked")

    async def asks_again() -> None:
        found = await stage.network.discover(stage.cast.binod.address, stage.service_id)
        await _state(stage, found, ("found", "none"))
        if found.state == "found" and found.blocks:
            raise Wrong("3.3", "what is linked is found again")

    await stage.again(asks_again)


async def _knows_no_stranger(stage: Stage) -> None:
    async def asks() -> None:
        found = await stage.network.discover(stage.cast.chitra.address, stage.service_id)
        await _state(stage, found, ("found", "none"))
        if found.state == "found":
            raise Wrong("3.3", "something was found of a patient whom the hospital does not know")
        if not found.error:
            raise Wrong("3.3", "no match is an error, not an empty answer")

    await stage.again(asks)


async def _discovered(stage: Stage) -> Discovery:
    found = await stage.network.discover(stage.cast.binod.address, stage.service_id)
    await _state(stage, found, ("found", "none"))
    if found.state == "none":
        raise Wrong("3.3", f"the patient was not found: {_said(found.error)}")
    return found


async def _chosen(stage: Stage) -> tuple[Discovery, str]:
    """Found, chosen, and the code that came for it."""
    found = await _discovered(stage)
    binod = stage.cast.binod
    await stage.phone.before(binod)
    await stage.network.init_link(found.transaction)
    await _state(stage, found, ("otp", "refused"))
    if found.state == "refused":
        raise Wrong("3.3", f"no code: {_said(found.error)}")
    came = "no code came to the mobile of the hospital's own record"
    code: str = await stage.until(lambda: stage.phone.code(binod), 300, "3.3", came)
    return found, code


async def _state(stage: Stage, found: Discovery, states: tuple[str, ...]) -> None:
    await stage.until(lambda: found.state in states, _ANSWER_SECONDS, "3.3", f"no answer: the search is {found.state}")


async def _pulled(stage: Stage, address: str) -> Transfer:
    """The patient's app fetches everything that is linked at the hospital."""

    async def pull() -> Transfer:
        transaction = await pull_now(stage.network, stage.network.patient(address), stage.service_id)
        transfer = stage.network.transfers[transaction]
        await stage.until(lambda: transfer.state in _ENDED, 180, "4.6", "the hospital did not say how it ended")
        if transfer.state != "TRANSFERRED":
            raise Wrong("4.6", f"the records were {transfer.state}: {_said(transfer.error)}")
        return transfer

    return await stage.again(pull)


def _said(error: Any) -> str:
    return f"{error.get('code')} {error.get('message')}" if isinstance(error, dict) else "without a reason"


CASES: Final = (
    Case("HIP_INTI_LINK_501", "Link record via demographic authentication", _asks_for_a_token),
    Case("HIP_INTI_LINK_502", "Sharing demographic details", _shares_demographics),
    Case("HIP_INTI_LINK_503", "Validate the demographic details", _is_authenticated),
    Case("HIP_INTI_LINK_504", "Creation of linking token", _takes_the_token),
    Case("HIP_INTI_LINK_505", "Linking of health records", _links),
    Case("HIP_INTI_LINK_506", "Pull records", _is_pulled),
    Case("Health_RECORD_CREATION_101", "Records are FHIR documents of the national profiles", _records_conform),
    Case("CONTEXT_NOTIFY", "News of a linked care context", _notifies, official=False),
    Case("HIP_INIT_NOTIFY_HIECM", "Text with a deep link to a patient's mobile", _writes),
    Case("USER_INIT_LINK_602", "Search for facility", _is_found_by_name),
    Case("USER_INIT_LINK_603", "Share user profile details with facility", _is_matched),
    Case("USER_INIT_LINK_604", "Fetch health records", _shows_visits),
    Case("USER_INIT_LINK_605", "Provide consent for health record linking", _sends_a_code),
    Case("USER_INIT_LINK_606", "Validate request", _validates),
    Case("USER_INIT_LINK_607", "Pull records", _is_pulled_by_the_patient),
    Case("UNKNOWN_PATIENT", "A patient who is not in the file is told nothing", _knows_no_stranger, official=False),
)
