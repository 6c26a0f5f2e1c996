"""The ABHA service: OTPs on a phone, fields under the right key, tokens that are for one thing each."""

import base64
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from connectors.abdm.simulator.abha import Citizen, aadhaar_holds
from connectors.abdm.simulator.people import luhn
from tests.connectors.abdm.simulator.conftest import World
from tests.connectors.abdm.simulator.hip import Record

ABHA = "/abha/api/v3"
ENROL, PROFILE, WEB, APP = (
    f"{ABHA}/enrollment",
    f"{ABHA}/profile",
    f"{ABHA}/phr/web/login/abha",
    f"{ABHA}/phr/app/login",
)
CERTIFICATE, PHR_CERTIFICATE = f"{PROFILE}/public/certificate", f"{APP}/public/certificate"
OAEP_SHA1 = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), label=None)
OAEP_SHA256 = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)
NITA = Citizen("345123412340", "Nita Shah", "F", 1990, "9811111111")


async def sealed(world: World, value: str, certificate: str = CERTIFICATE, how: Any = OAEP_SHA1) -> str:
    answer = (await world.hip.call(certificate, None, "GET", X_CM_ID=None)).json()
    assert answer["encryptionAlgorithm"] == "RSA/ECB/OAEPWithSHA-1AndMGF1Padding"
    key = serialization.load_der_public_key(base64.b64decode(answer["publicKey"]))
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == (2048 if "phr" in certificate else 4096)
    return base64.b64encode(key.encrypt(value.encode(), how)).decode()


def otp_on(world: World, mobile: str) -> str:
    return world.network.phones[mobile][-1].text.split()[0]


async def ask_otp(
    world: World, path: str, value: str, hint: str, scope: list[str], certificate: str = CERTIFICATE
) -> httpx2.Response:
    body = {
        "scope": scope, "loginHint": hint, "loginId": await sealed(world, value, certificate),
        "otpSystem": "aadhaar" if "aadhaar-verify" in scope or scope == ["abha-enrol"] else "abdm",
    }  # fmt: skip
    return await world.hip.call(path, body)


async def verify(
    world: World, path: str, transaction: str, otp: str, scope: list[str], certificate: str = CERTIFICATE
) -> httpx2.Response:
    given = {"txnId": transaction, "otpValue": await sealed(world, otp, certificate)}
    return await world.hip.call(path, {"scope": scope, "authData": {"authMethods": ["otp"], "otp": given}})


async def enrolled(world: World, otp: str | None = None) -> httpx2.Response:
    world.network.abha.citizens[NITA.aadhaar] = NITA
    asked = await ask_otp(world, f"{ENROL}/request/otp", NITA.aadhaar, "aadhaar", ["abha-enrol"])
    given = {
        "txnId": asked.json()["txnId"], "otpValue": await sealed(world, otp or otp_on(world, NITA.mobile)),
        "mobile": NITA.mobile,
    }  # fmt: skip
    consent = {"code": "abha-enrollment", "version": "1.4"}
    body = {"authData": {"authMethods": ["otp"], "otp": given}, "consent": consent}
    return await world.hip.call(f"{ENROL}/enrol/byAadhaar", body)


async def test_a_citizen_gets_an_abha_number_that_passes_luhn_and_an_address_of_their_choice(world: World) -> None:
    made = (await enrolled(world)).json()
    number = made["ABHAProfile"]["ABHANumber"].replace("-", "")
    suggested = await world.hip.call(f"{ENROL}/enrol/suggestion", None, "GET", TRANSACTION_ID=made["txnId"])
    wanted = suggested.json()["abhaAddressList"][0]
    chosen = await world.hip.call(
        f"{ENROL}/enrol/abha-address", {"txnId": made["txnId"], "abhaAddress": wanted, "preferred": 1}
    )

    assert made["isNew"] is True
    assert luhn(number[:-1]) == number[-1]
    assert chosen.json()["preferredAbhaAddress"] == "nitashah1990@sbx"
    assert world.network.patient("nitashah1990@sbx").abha_number == number
    assert [each.faults for each in world.network.faulty()] == []


async def test_a_citizen_who_has_a_number_already_gets_that_one(world: World) -> None:
    first = (await enrolled(world)).json()
    await world.clock.advance(61)
    second = (await enrolled(world)).json()

    assert (second["isNew"], second["ABHAProfile"]["ABHANumber"]) == (False, first["ABHAProfile"]["ABHANumber"])


async def test_an_address_that_was_given_up_links_nothing(world: World) -> None:
    made = (await enrolled(world)).json()
    address = made["ABHAProfile"]["preferredAbhaAddress"]
    await world.hip.ask_token(address, name=NITA.name, yearOfBirth=NITA.year_of_birth)
    await world.go()
    token = world.hip.told("on-generate-token")[-1].body["linkToken"]
    body = {"txnId": made["txnId"], "abhaAddress": "nita.shah@sbx", "preferred": 1}
    await world.hip.call(f"{ENROL}/enrol/abha-address", body)

    assert (await world.hip.link(address, token, Record("V-1"))).json()["error"]["code"] == "ABDM-1012"


async def test_a_wrong_otp_enrols_nobody(world: World) -> None:
    answer = await enrolled(world, otp="000000")

    assert answer.status_code == 422
    assert len(world.network.patients) == 1


async def test_another_mobile_is_verified_by_an_otp_of_its_own(world: World) -> None:
    made = (await enrolled(world)).json()
    scope = ["abha-enrol", "mobile-verify"]
    body = {
        "txnId": made["txnId"], "scope": scope, "loginHint": "mobile",
        "loginId": await sealed(world, "9822222222"), "otpSystem": "abdm",
    }  # fmt: skip
    asked = await world.hip.call(f"{ENROL}/request/otp", body)
    verified = await verify(
        world, f"{ENROL}/auth/byAbdm", asked.json()["txnId"], otp_on(world, "9822222222"), scope
    )  # fmt: skip

    assert verified.json()["authResult"] == "success"
    assert world.network.patients[made["ABHAProfile"]["preferredAbhaAddress"]].mobile == "9822222222"


@pytest.mark.parametrize("how", [padding.PKCS1v15(), OAEP_SHA256])
async def test_another_padding_is_refused_and_the_value_is_blamed(world: World, how: Any) -> None:
    body = {
        "scope": ["abha-login", "mobile-verify"], "loginHint": "mobile", "otpSystem": "abdm",
        "loginId": await sealed(world, world.asha.mobile, how=how),
    }  # fmt: skip
    answer = await world.hip.call(f"{PROFILE}/login/request/otp", body)

    assert answer.status_code == 400
    assert answer.json()["loginId"] == "Invalid LoginId"
    assert world.faults("request/otp") == [
        ("2.2", "loginId is not RSA-OAEP with SHA-1 under the 4096-bit key of this call")
    ]


async def test_the_other_calls_key_is_refused(world: World) -> None:
    answer = await ask_otp(
        world,
        f"{PROFILE}/login/request/otp",
        world.asha.mobile,
        "mobile",
        ["abha-login", "mobile-verify"],
        PHR_CERTIFICATE,
    )

    assert answer.status_code == 400


async def test_a_login_by_mobile_lists_accounts_and_gives_a_token_to_choose_one_with(world: World) -> None:
    ravi = world.network.add_patient("Ravi Rao", mobile=world.asha.mobile, year_of_birth=1980, gender="M")
    scope = ["abha-login", "mobile-verify"]
    asked = await ask_otp(world, f"{PROFILE}/login/request/otp", world.asha.mobile, "mobile", scope)
    transaction = asked.json()["txnId"]
    verified = (
        await verify(world, f"{PROFILE}/login/verify", transaction, otp_on(world, world.asha.mobile), scope)
    ).json()
    body = {"ABHANumber": ravi.dashed, "txnId": transaction}
    chosen = await world.hip.call(f"{PROFILE}/login/verify/user", body, T_token=f"Bearer {verified['token']}")
    account = await world.hip.call(
        f"{PROFILE}/account", None, "GET", X_token=f"Bearer {chosen.json()['token']}", X_CM_ID=None
    )

    assert [each["ABHANumber"] for each in verified["accounts"]] == [world.asha.dashed, ravi.dashed]
    assert "refreshToken" not in verified
    assert chosen.json()["expiresIn"] == 1800
    assert (account.json()["name"], account.json()["yearOfBirth"]) == ("Ravi Rao", "1980")
    assert world.network.faulty() == []


async def test_a_transfer_token_lives_five_minutes_and_reads_no_account(world: World) -> None:
    scope = ["abha-login", "mobile-verify"]
    asked = await ask_otp(world, f"{PROFILE}/login/request/otp", world.asha.mobile, "mobile", scope)
    transaction = asked.json()["txnId"]
    token = (
        await verify(world, f"{PROFILE}/login/verify", transaction, otp_on(world, world.asha.mobile), scope)
    ).json()["token"]
    misused = await world.hip.call(f"{PROFILE}/account", None, "GET", X_token=f"Bearer {token}")
    await world.clock.advance(301)
    body = {"ABHANumber": world.asha.dashed, "txnId": transaction}
    late = await world.hip.call(f"{PROFILE}/login/verify/user", body, T_token=f"Bearer {token}")

    assert (misused.status_code, late.status_code) == (401, 401)
    assert ("2.4", "X-token holds a token of the type Transfer, and needs Transaction") in world.faults("/account")


async def test_a_login_by_aadhaar_is_final_at_once(world: World) -> None:
    scope = ["abha-login", "aadhaar-verify"]
    asked = await ask_otp(world, f"{PROFILE}/login/request/otp", str(world.asha.aadhaar), "aadhaar", scope)
    verified = await verify(
        world, f"{PROFILE}/login/verify", asked.json()["txnId"], otp_on(world, world.asha.mobile), scope
    )
    token = verified.json()["token"]
    body = {"ABHANumber": world.asha.dashed, "txnId": asked.json()["txnId"]}
    again = await world.hip.call(f"{PROFILE}/login/verify/user", body, T_token=f"Bearer {token}")

    assert verified.json()["refreshToken"]
    assert (again.status_code, again.json()["error"]["message"]) == (401, "Invalid T-token")


async def test_a_login_by_abha_number_needs_its_dashes(world: World) -> None:
    scope = ["abha-login", "mobile-verify"]
    path = f"{PROFILE}/login/request/otp"
    bare = await ask_otp(world, path, world.asha.abha_number, "abha-number", scope)
    dashed = await ask_otp(world, path, world.asha.dashed, "abha-number", scope)

    assert (bare.status_code, bare.json()["loginId"]) == (400, "LoginId is invalid")
    assert dashed.status_code == 200


async def test_nobody_found_is_a_404_with_1114(world: World) -> None:
    answer = await ask_otp(
        world, f"{PROFILE}/login/request/otp", "9800000000", "mobile", ["abha-login", "mobile-verify"]
    )
    searched = await world.hip.call(f"{WEB}/search", {"abhaAddress": "nobody.here@sbx"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ABDM-1114")
    assert searched.json()["error"]["code"] == "ABDM-1114"


async def test_a_wrong_otp_at_login_is_told_with_status_200(world: World) -> None:
    scope = ["abha-login", "mobile-verify"]
    asked = await ask_otp(world, f"{PROFILE}/login/request/otp", world.asha.mobile, "mobile", scope)
    wrong = await verify(world, f"{PROFILE}/login/verify", asked.json()["txnId"], "abcdef", scope)

    assert (wrong.status_code, wrong.json()["authResult"]) == (200, "failed")
    assert "token" not in wrong.json()


async def test_a_login_by_abha_address_goes_by_the_smaller_key(world: World) -> None:
    scope = ["abha-address-login", "mobile-verify"]
    methods = (await world.hip.call(f"{WEB}/search", {"abhaAddress": world.asha.address})).json()["authMethods"]
    asked = await ask_otp(world, f"{WEB}/request/otp", world.asha.address, "abha-address", scope, PHR_CERTIFICATE)
    verified = await verify(
        world, f"{WEB}/verify", asked.json()["txnId"], otp_on(world, world.asha.mobile), scope, PHR_CERTIFICATE
    )

    assert "MOBILE_OTP" in methods
    assert verified.json()["tokens"]["refreshToken"]
    assert world.network.faulty() == []


async def test_a_mobile_lists_its_addresses_in_the_patients_app_service(world: World) -> None:
    scope = ["abha-address-login", "mobile-verify"]
    asked = await ask_otp(world, f"{APP}/request/otp", world.asha.mobile, "mobile-number", scope, PHR_CERTIFICATE)
    verified = await verify(
        world, f"{APP}/verify", asked.json()["txnId"], otp_on(world, world.asha.mobile), scope, PHR_CERTIFICATE
    )

    assert [each["abhaAddress"] for each in verified.json()["users"]] == [world.asha.address]


async def _user_token(world: World) -> str:
    scope = ["abha-login", "aadhaar-verify"]
    asked = await ask_otp(world, f"{PROFILE}/login/request/otp", str(world.asha.aadhaar), "aadhaar", scope)
    verified = await verify(
        world, f"{PROFILE}/login/verify", asked.json()["txnId"], otp_on(world, world.asha.mobile), scope
    )
    return str(verified.json()["token"])


@pytest.mark.parametrize(("on", "prefixes"), [(True, {"": 200, "Bearer ": 401}), (False, {"": 401, "Bearer ": 200})])
async def test_the_x_token_is_taken_with_a_prefix_or_bare(world: World, on: bool, prefixes: dict[str, int]) -> None:
    token = await _user_token(world)
    world.network.switch({"bare_x_token": on})

    for prefix, status in prefixes.items():
        answer = await world.hip.call(f"{PROFILE}/account", None, "GET", X_token=prefix + token)
        assert answer.status_code == status
        assert status == 200 or answer.json()["error"]["code"] == "ABDM-1094"


async def test_card_and_code_are_pictures_until_the_token_ends(world: World) -> None:
    token = f"Bearer {await _user_token(world)}"
    card = await world.hip.call(f"{PROFILE}/account/abha-card", None, "GET", X_token=token)
    code = await world.hip.call(f"{PROFILE}/account/qrCode", None, "GET", X_token=token)
    await world.clock.advance(1801)
    late = await world.hip.call(f"{PROFILE}/account/qrCode", None, "GET", X_token=token)

    assert {card.headers["content-type"], code.headers["content-type"]} == {"image/png"}
    assert card.content.startswith(b"\x89PNG")
    assert late.status_code == 401


async def test_otps_are_a_minute_apart_and_too_many_lock_for_half_an_hour(world: World) -> None:
    scope = ["abha-login", "mobile-verify"]
    path, mobile = f"{PROFILE}/login/request/otp", world.asha.mobile
    statuses = [(await ask_otp(world, path, mobile, "mobile", scope)).status_code for _ in range(2)]
    for _ in range(4):
        await world.clock.advance(61)
        last = await ask_otp(world, path, mobile, "mobile", scope)
    await world.clock.advance(1700)
    locked = await ask_otp(world, path, mobile, "mobile", scope)
    await world.clock.advance(101)
    free = await ask_otp(world, path, mobile, "mobile", scope)

    assert statuses == [200, 422]
    assert (last.json()["error"]["code"], locked.status_code, free.status_code) == ("ABDM-1100", 422, 200)


async def test_an_aadhaar_number_that_cannot_be_one_is_noted_and_refused(world: World) -> None:
    answer = await ask_otp(world, f"{ENROL}/request/otp", "234123412345", "aadhaar", ["abha-enrol"])

    assert answer.status_code == 400
    assert world.faults("request/otp")[0][0] == "2.1"


@pytest.mark.parametrize(
    ("number", "holds"),
    [
        ("234123412346", True),
        ("234123412364", False),
        ("134123412346", False),
        ("2341234123", False),
        ("345123412340", True),
    ],
)
def test_aadhaar_numbers_are_checked_by_verhoeff(number: str, holds: bool) -> None:
    assert aadhaar_holds(number) is holds
