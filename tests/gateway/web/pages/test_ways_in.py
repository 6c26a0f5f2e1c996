"""The other ways in: invitations, a host's one-time links, a clinic's own sign-in against a provider on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID, uuid4

import httpx2
import oidc_provider_mock
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from gateway.app import House
from gateway.calls import Actor
from gateway.errors import Forbidden, Unauthenticated
from gateway.people import Role
from gateway.people.oidc import check_answer
from tests.gateway.house import Clinic, connected, entries_of
from tests.gateway.web.pages.conftest import PASSWORD, Browser, Clock, SignedIn, forms

HOST = "https://host.example"


# --- Invitations ------------------------------------------------------------------------------------------------------


async def test_an_invitation_makes_an_account_once(holder: SignedIn, browser: Browser, house: House) -> None:
    owner = await holder(Role.OWNER)
    email = f"{uuid4().hex[:10]}@clinic.example"
    made = await owner.send("/team", "/team/invite", {"email": f" {email.upper()} ", "role": "auditor"})
    link = made.text.split("data-copy>")[1].split("<")[0]
    path = link[link.index("/invitation") :]
    assert link.startswith("http://gateway/invitation?token=")
    shown = await browser.get(path)
    assert email in shown.text
    weak = await browser.send(path, "/invitation", {"name": "Ada", "password": "short"})
    assert (weak.status_code, "12 characters" in weak.text) == (400, True)
    done = await browser.send(path, "/invitation", {"name": "Ada Osei", "password": PASSWORD})
    assert done.headers["location"] == "/auditor"
    assert (await browser.get("/auditor")).status_code == 200
    assert (await browser.get("/team")).status_code == 403
    for other in (Browser(browser.client), browser):
        assert (await other.get(path)).status_code == 404
    browser.cookies.clear()
    assert (await browser.sign_in(email)).status_code == 303


async def test_an_invitation_is_taken_back_and_runs_out(
    holder: SignedIn, browser: Browser, house: House, clinic: Clinic, clock: Clock
) -> None:
    invitations = house.rooms.people.invitations
    first = await invitations.invite(clinic.actor, "b@clinic.example", Role.SUPPORT)
    second = await invitations.invite(clinic.actor, "b@clinic.example", Role.SUPPORT)
    assert (await browser.get(f"/invitation?token={first.token}")).status_code == 404  # the newer one counts
    owner = await holder(Role.OWNER)
    gone = await owner.send("/team", f"/team/invitations/{second.id}/withdraw")
    assert gone.status_code == 303
    third = await invitations.invite(clinic.actor, "b@clinic.example", Role.SUPPORT)
    clock.forward(days=7, seconds=1)
    for token in (second.token, third.token, "x", "A" * 43):
        assert (await browser.get("/invitation", params={"token": token})).status_code == 404


async def test_whoever_finds_an_invitation_of_somebody_with_an_account_cannot_use_it(
    member: SignedIn, house: House, browser: Browser
) -> None:
    known, other = await member(Role.SUPPORT), await connected(house)
    invited = await house.rooms.people.invitations.invite(other.actor, known.email, Role.OWNER)
    path = f"/invitation?token={invited.token}"
    refused = await browser.send(path, "/invitation", {"password": "a guess of a thief"})
    assert refused.status_code == 400
    done = await known.send(path, "/invitation", {"password": PASSWORD})
    assert done.headers["location"] == "/settings"
    clinics = (await known.get("/clinics")).text
    assert clinics.count("<section") == 2
    fields = forms(clinics)["/clinics"]
    turned = await known.ask("POST", "/clinics", data=fields)
    assert turned.headers["location"] == "/settings"
    assert (await known.get("/team")).status_code == 403  # support, in the clinic that is looked at now


async def test_an_address_that_somebody_else_made_an_account_with_lets_them_into_no_clinic_and_is_given_back(
    house: House, clinic: Clinic, client: httpx2.AsyncClient
) -> None:
    invitations, email, theirs = house.rooms.people.invitations, f"{uuid4().hex}@clinic.example", await connected(house)
    first = await invitations.invite(theirs.actor, email, Role.OWNER)  # they keep the link to themselves
    squatter, invited = Browser(client, email=email), Browser(client, email=email)
    wanted = {"name": "Somebody Else", "password": "a password of their own"}
    assert (await squatter.send(f"/invitation?token={first.token}", "/invitation", wanted)).status_code == 303
    path = f"/invitation?token={(await invitations.invite(clinic.actor, email, Role.AUDITOR)).token}"
    assert (await squatter.get("/clinics")).text.count("<section") == 1  # to be invited is not to belong
    assert (await squatter.get("/invitation", params={"token": "A" * 43})).status_code == 404
    refused = await invited.send(path, "/invitation", {"password": PASSWORD})
    assert (refused.status_code, "You never made one?" in refused.text) == (400, True)
    password = await house.rooms.people.reset(email)  # what an operator does, who knows whom they talk to
    assert (await squatter.get("/clinics")).status_code == 303
    assert (await squatter.sign_in(password=wanted["password"])).status_code == 400
    assert (await invited.send(path, "/invitation", {"password": password})).headers["location"] == "/auditor"
    assert [member.email for member in await house.rooms.people.accounts.members(clinic.tenant)] == [email]


# --- One-time links ---------------------------------------------------------------------------------------------------


@dataclass
class Host:
    """A clinic system that signs links."""

    clinic: Clinic
    clock: Clock
    key: OKPKey = field(default_factory=lambda: OKPKey.generate_key("Ed25519", {"kid": "k1"}))
    issuer: str = field(default_factory=lambda: f"https://{uuid4().hex}.example")

    async def trusted(self, house: House, **given: Any) -> None:
        """Register it."""
        await house.rooms.callers.add_issuer(
            Actor("system", "test", self.clinic.tenant, ()), self.issuer, "gateway",
            jwks={"keys": [self.key.as_dict(private=False)]}, roles={"desk": ["log:read"]}, **given,
        )  # fmt: skip

    def link(self, typ: str = "gateway-link+jwt", **given: Any) -> str:
        """The path of a link, but for what is given otherwise."""
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.issuer, "aud": "gateway", "sub": "user-17", "jti": uuid4().hex, "role": "auditor", "iat": now,
            "exp": now + 60, "name": "Dr. Imani Okafor", **given,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        token = jwt.encode({"alg": "EdDSA", "kid": "k1", "typ": typ}, claims, self.key, algorithms=["EdDSA"])
        return f"/sign-in/link?{urlencode({'token': token})}"


@pytest.fixture
async def host(house: House, clinic: Clinic, clock: Clock) -> Host:
    host = Host(clinic, clock)
    await host.trusted(house, link_roles=["auditor", "vendor"])
    return host


async def test_a_link_lets_in_once(host: Host, browser: Browser, house: House, clinic: Clinic) -> None:
    link = host.link()
    done = await browser.get(link)
    assert (done.status_code, done.headers["location"]) == (303, "/auditor")
    shown = await browser.get("/auditor")
    assert "Imani Okafor" in shown.text
    assert "frame-ancestors 'none'" in shown.headers["content-security-policy"]
    assert (await Browser(browser.client).get(link)).status_code == 400
    again = Browser(browser.client)
    await again.get(host.link(role="vendor"))  # the same person, with the role that the host gives them now
    members = await house.rooms.people.accounts.members(clinic.tenant)
    assert [(member.email, member.role) for member in members] == [(None, "vendor")]
    entries = str(await entries_of(house, clinic.tenant))
    assert "Imani" not in entries
    assert "user-17" not in entries


@pytest.mark.parametrize(
    "given",
    [
        {"typ": "JWT"}, {"role": "owner"}, {"role": None}, {"role": ["auditor"]}, {"jti": None}, {"jti": ""},
        {"aud": "another"}, {"exp": 4_102_444_800}, {"iat": 4_102_444_800, "exp": 4_102_444_860}, {"sub": None},
        {"iss": "https://unknown.example"}, {"tenant": "0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"},
    ],
    ids=str,
)  # fmt: skip
async def test_a_link_that_breaks_a_rule_opens_nothing(host: Host, browser: Browser, given: dict[str, Any]) -> None:
    refused = await browser.get(host.link(**given))
    assert refused.status_code == 400
    assert (await browser.get("/auditor")).status_code == 303


async def test_a_link_is_good_for_a_minute_and_is_no_callers_token(
    host: Host, browser: Browser, house: House, clock: Clock
) -> None:
    link = host.link()
    token = parse_qs(urlsplit(link).query)["token"][0]
    with pytest.raises(Unauthenticated):
        await house.rooms.callers.caller(f"Bearer {token}".encode())
    clock.forward(seconds=121)  # a minute, and as much again for clocks that differ
    assert (await browser.get(link)).status_code == 400
    now = int(clock().timestamp())
    assert (await browser.get(host.link(iat=now, exp=now + 61))).status_code == 400
    assert (await browser.get("/sign-in/link?token=a.b.c")).status_code == 400
    assert (await browser.get("/sign-in/link")).status_code == 400


@pytest.mark.parametrize(
    ("asked", "led"),
    [("/auditor?since=1", "/auditor?since=1"), ("https://evil.example/", "/auditor"), ("//evil.example", "/auditor"),
     ("/\\evil.example", "/auditor"), (7, "/auditor")],
)  # fmt: skip
async def test_a_link_leads_to_our_own_pages_only(host: Host, browser: Browser, asked: Any, led: str) -> None:
    assert (await browser.get(host.link(return_to=asked))).headers["location"] == led


async def test_a_host_that_was_not_given_links_gives_none(house: House, clinic: Clinic, clock: Clock) -> None:
    plain = Host(clinic, clock)
    await plain.trusted(house)
    browser = Browser(httpx2.AsyncClient(transport=httpx2.ASGITransport(app=house.web), base_url="http://gateway"))
    assert (await browser.get(plain.link())).status_code == 400


async def test_a_host_that_may_show_the_pages_in_a_frame_is_named_to_the_browser(
    house: House, clinic: Clinic, clock: Clock, browser: Browser
) -> None:
    embedding = Host(clinic, clock)
    await embedding.trusted(house, link_roles=["vendor"], frames=[HOST])
    await browser.get(embedding.link(role="vendor"))
    shown = await browser.get("/vendor")
    assert f"frame-ancestors {HOST}" in shown.headers["content-security-policy"]
    assert "x-frame-options" not in shown.headers


# --- OpenID Connect ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def provider_url() -> Iterator[str]:
    """A provider on loopback, with people in groups."""
    people = (
        oidc_provider_mock.User(sub="u1", claims={"name": "Ines Prado", "groups": ["gw-auditors", "staff"]}),
        oidc_provider_mock.User(sub="u2", claims={"name": "No Body", "groups": ["staff"]}),
    )
    with oidc_provider_mock.run_server_in_thread(user_claims=people) as server:
        yield f"http://localhost:{server.server_port}"


@dataclass
class SignIn:
    """A clinic's own sign-in."""

    house: House
    url: str
    path: str

    async def at_provider(self, browser: Browser, person: str = "u1") -> str:
        """Sign in there; gives the path that the provider sends the browser back to."""
        sent = await browser.get(f"{self.path}?next=/auditor%3Fdays=7")
        assert sent.status_code == 303, sent.text
        async with httpx2.AsyncClient(trust_env=False) as client:
            answer = await client.post(sent.headers["location"], data={"sub": person})
        back = urlsplit(answer.headers["location"])
        assert back.path == "/sign-in/oidc/callback"
        return f"{back.path}?{back.query}"


@pytest.fixture
async def oidc(house: House, clinic: Clinic, provider_url: str) -> SignIn:
    provider = await house.rooms.people.providers.put(
        clinic.actor, issuer=provider_url, client=uuid4().hex, secret="a secret / of + the client", title="Clinic",
        claim="groups", roles={"gw-auditors": "auditor", "gw-admins": "owner"},
    )  # fmt: skip
    return SignIn(house, provider_url, f"/sign-in/with/{provider}")


async def test_a_clinics_own_sign_in_lets_its_people_in(
    oidc: SignIn, browser: Browser, house: House, clinic: Clinic
) -> None:
    back = await oidc.at_provider(browser)
    done = await browser.get(back)
    assert done.status_code == 303, done.text
    assert done.headers["location"] == "/auditor?days=7"
    assert "Ines Prado" in (await browser.get("/auditor")).text
    assert (await browser.get(back)).status_code == 400  # a state is good once
    members = await house.rooms.people.accounts.members(clinic.tenant)
    assert [(member.email, member.role) for member in members] == [(None, "auditor")]
    assert "Ines" not in str(await entries_of(house, clinic.tenant))


async def test_an_answer_is_taken_only_by_the_browser_that_asked(oidc: SignIn, browser: Browser) -> None:
    back = await oidc.at_provider(browser)
    victim = Browser(browser.client)
    await victim.get("/sign-in")
    assert (await victim.get(back)).status_code == 400
    assert (await browser.get(back)).status_code == 400  # and it is used up with that


async def test_who_is_in_no_group_of_ours_is_not_let_in(oidc: SignIn, browser: Browser) -> None:
    assert (await browser.get(await oidc.at_provider(browser, "u2"))).status_code == 403
    assert (await browser.get("/auditor")).status_code == 303


async def test_a_made_up_state_or_code_opens_nothing(oidc: SignIn, browser: Browser) -> None:
    back = await oidc.at_provider(browser)
    state = parse_qs(urlsplit(back).query)["state"][0]
    assert (await browser.get("/sign-in/oidc/callback?state=x&code=y")).status_code == 400
    assert (await browser.get(f"/sign-in/oidc/callback?state={state}&code=made-up")).status_code == 503
    assert (await browser.get("/sign-in/oidc/callback?error=access_denied")).status_code == 400
    assert (await browser.get(f"/sign-in/with/{uuid4()}")).status_code == 404


async def test_what_goes_to_the_provider_is_proved_by_a_digest(oidc: SignIn, browser: Browser) -> None:
    sent = await browser.get(oidc.path)
    asked = parse_qs(urlsplit(sent.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert len(asked["nonce"][0]) == len(asked["state"][0]) == 43


async def test_an_id_token_answers_its_own_question_for_its_own_client(oidc: SignIn, house: House) -> None:
    provider = await house.rooms.people.providers.find(UUID(oidc.path.rpartition("/")[2]))
    good = {"nonce": "n", "sub": "u1", "aud": provider.client}
    check_answer(good, provider, "n")
    for bad in ({**good, "nonce": "m"}, {**good, "nonce": None}, {**good, "azp": "another"},
                {**good, "aud": [provider.client, "another"]}):  # fmt: skip
        with pytest.raises(Unauthenticated):
            check_answer(bad, provider, "n")
    with pytest.raises(Forbidden):
        provider.voucher({"sub": "u1", "groups": "staff"})
    assert provider.voucher({"sub": "u1", "groups": ["gw-auditors", "gw-admins"]}).role is Role.OWNER
