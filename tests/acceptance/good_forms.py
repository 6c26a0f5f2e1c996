"""A good form to each page that does something, with the kind of the entry that it leaves. No fixtures."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

import pyotp

from gateway.demo import EVERYTHING
from gateway.people import Role
from gateway.people.sessions import Opening, form_token
from scopes.vocabulary import ConnectionState
from tests.acceptance.authenticator import Passkey
from tests.acceptance.furnished import REFERENCE
from tests.acceptance.good_calls import WATCH, a_delivery, a_pending_endpoint, a_suspended_endpoint, an_endpoint
from tests.acceptance.scene import GOOGLE, SECRETS, STRIPE, TWILIO, Good, Make, Scene, Taken, taking
from tests.gateway.web.pages.conftest import PASSWORD, Browser, forms
from tests.gateway.web.pages.test_consents_page import GIVEN
from tests.gateway.web.pages.test_rules_pages import PLAIN
from tests.gateway.web.pages.test_templates_page import TEXT
from tests.gateway.web.pages.test_vendor_pages import fields

FORMS: Final[dict[str, Taken]] = {}
_OTHER: Final = "another correct horse battery"
_ONE: Final = "/settings/integrations/{connector:path}"
_VENDOR: Final = "/vendor/{id:uuid}"
_known: Final = taking(FORMS)


def _taken(path: str, kind: str | None) -> Any:
    return _known(f"POST {path}", kind)


def _given(**form: Any) -> Make:
    """Nothing is needed before."""

    async def make(scene: Scene) -> Good:
        return Good(body=form)

    return make


_taken("/sign-out", None)(_given())
_taken("/account/name", None)(_given(name="Noor Haddad-Vik"))
_taken("/account/totp/begin", None)(_given())
_taken("/account/passkeys/options", None)(_given())
_taken("/account/recovery", "access")(_given())
_taken("/account/sessions/others", "access")(_given())
_taken("/keys/new", "key")(_given(title="front desk", scopes=["log:read"], days="30"))
_taken("/settings/consents", None)(_given(subject=REFERENCE))
_taken("/settings/policy", "grant")(_given(**{**PLAIN, "jurisdiction": "GB"}))
_taken("/settings/policy/retention", "grant")(_given(deliveries_days="8"))
_taken("/settings/templates/preview", None)(_given(**TEXT))
_taken("/auditor/find", "access")(_given(reference=REFERENCE))
_taken("/auditor/views", None)(_given(title="What was refused", outcome="refused"))
_taken("/auditor/export/csv", "access")(_given())
_taken("/auditor/export/bundle", "access")(_given())


# --- Coming in --------------------------------------------------------------------------------------------------------


@_taken("/clinics", None)
async def _turn(scene: Scene) -> Good:
    rooms, owner = scene.rooms, await scene.owner()
    other = await rooms.connections.create_tenant("Hill Clinic")
    actor = type(scene.operator)("system", "test", other, ())
    assert owner.person is not None
    await rooms.people.accounts.join(actor, owner.person, Role.SUPPORT)
    return Good(body={"clinic": str(other)}, browser=owner)


@_taken("/sign-in", "access")
async def _sign_in(scene: Scene) -> Good:
    _, email = await scene.person(password=PASSWORD)
    return Good(body={"email": email, "password": PASSWORD}, browser=scene.nobody(), page="/sign-in")


@_taken("/sign-in/code", "access")
async def _code(scene: Scene) -> Good:
    person, email = await scene.person(password=PASSWORD)
    await _with_codes(scene, person)
    codes, browser = await scene.rooms.people.recovery.renew(person), scene.nobody()
    assert (await browser.sign_in(email)).headers["location"].startswith("/sign-in/code")
    return Good(body={"recovery": codes[0]}, browser=browser, page="/sign-in/code?recovery=1")


@_taken("/sign-in/passkey/options", None)
async def _ask_passkey(scene: Scene) -> Good:
    return Good(browser=scene.nobody(), page="/sign-in")


@_taken("/sign-in/passkey", "access")
async def _passkey(scene: Scene) -> Good:
    owner, passkey = await scene.owner(), _new_passkey(scene)
    made = passkey.made(await _options(owner, "/account/passkeys/options"))
    await owner.ask("POST", "/account/passkeys", data={**token_of(owner), "answer": made, "title": "A key"})
    browser = scene.nobody()
    return Good(
        body={"answer": passkey.shown(await _options(browser, "/sign-in/passkey/options"))},
        browser=browser,
        page="/sign-in",
    )


@_taken("/confirm", None)
async def _confirm(scene: Scene) -> Good:
    return Good(body={"password": PASSWORD}, browser=await scene.owner(password=PASSWORD))


@_taken("/invitation", "access")
async def _accept(scene: Scene) -> Good:
    email = f"{uuid4().hex[:12]}@clinic.example"
    invited = await scene.rooms.people.invitations.invite(scene.operator, email, Role.SUPPORT)
    form = {"token": invited.token, "name": "Ada Osei", "password": PASSWORD}
    return Good(body=form, browser=scene.nobody(), page=f"/invitation?token={invited.token}")


def token_of(browser: Browser) -> dict[str, str]:
    """What a form of somebody's who has signed in holds besides."""
    return {"csrf": form_token(browser.cookies["gateway"])}


def _new_passkey(scene: Scene) -> Passkey:
    origin = str(scene.client.base_url).rstrip("/")
    return Passkey(origin, str(scene.client.base_url.host))


async def _options(browser: Browser, path: str) -> Any:
    """What a script is told before it asks for a passkey."""
    given = token_of(browser) if browser.person is not None else await shown(browser, "/sign-in")
    return (await browser.ask("POST", path, data=given)).json()


async def shown(browser: Browser, page: str) -> dict[str, str]:
    """What the forms of a page hold besides what is typed."""
    found = forms((await browser.get(page)).text)
    assert found, page
    return {name: value for form in found.values() for name, value in form.items()}


# --- One's own account ------------------------------------------------------------------------------------------------


@_taken("/account/password", "access")
async def _password(scene: Scene) -> Good:
    browser = await scene.owner(password=PASSWORD)
    return Good(body={"password": PASSWORD, "new_password": _OTHER}, browser=browser)


@_taken("/account/totp", "access")
async def _codes_on(scene: Scene) -> Good:
    browser = await scene.owner()
    assert browser.person is not None
    secret = (await scene.rooms.people.totp.propose(browser.person, browser.email)).secret
    return Good(body={"code": pyotp.TOTP(secret).now()}, browser=browser)


@_taken("/account/totp/off", "access")
async def _codes_off(scene: Scene) -> Good:
    browser = await scene.owner()
    await _with_codes(scene, browser.person)
    return Good(browser=browser)


async def _with_codes(scene: Scene, person: Any) -> None:
    totp = scene.rooms.people.totp
    secret = (await totp.propose(person, "somebody")).secret
    assert await totp.confirm(person, pyotp.TOTP(secret).now())


@_taken("/account/passkeys", "access")
async def _add_passkey(scene: Scene) -> Good:
    owner = await scene.owner()
    made = _new_passkey(scene).made(await _options(owner, "/account/passkeys/options"))
    return Good(body={"answer": made, "title": "A key"}, browser=owner)


@_taken("/account/passkeys/{id:uuid}/remove", "access")
async def _remove_passkey(scene: Scene) -> Good:
    good = await _add_passkey(scene)
    owner = good.browser
    assert owner is not None
    assert owner.person is not None
    await owner.ask("POST", "/account/passkeys", data={**token_of(owner), **(good.body or {})})
    return Good({"id": (await scene.rooms.people.passkeys.of(owner.person))[0].id}, browser=owner)


@_taken("/account/sessions/{id:uuid}/revoke", "access")
async def _revoke_session(scene: Scene) -> Good:
    browser, sessions = await scene.owner(), scene.rooms.people.sessions
    assert browser.person is not None
    opening = Opening(person=browser.person, tenant=scene.tenant, role=Role.OWNER, via="password", device="Another")
    other = await sessions.find(await sessions.open(opening))
    assert other is not None
    return Good({"id": other.id}, browser=browser)


# --- The team and its keys --------------------------------------------------------------------------------------------


@_taken("/team/invite", "access")
async def _invite(scene: Scene) -> Good:
    return Good(body={"email": f"{uuid4().hex[:12]}@clinic.example", "role": "auditor"})


@_taken("/team/{id:uuid}/role", "access")
@_taken("/team/{id:uuid}/remove", "access")
async def _member(scene: Scene) -> Good:
    return Good({"id": (await scene.person(Role.SUPPORT))[0]}, {"role": "vendor"})


@_taken("/team/invitations/{id:uuid}/withdraw", "access")
async def _withdraw_invitation(scene: Scene) -> Good:
    email = f"{uuid4().hex[:12]}@clinic.example"
    return Good({"id": (await scene.rooms.people.invitations.invite(scene.operator, email, Role.SUPPORT)).id})


@_taken("/keys/{id}/revoke", "key")
async def _revoke_key(scene: Scene) -> Good:
    return Good({"id": (await scene.rooms.callers.create_key(scene.operator, "a key of a test", EVERYTHING)).row.id})


# --- Integrations -----------------------------------------------------------------------------------------------------


@_taken("/settings/order", "grant")
async def _order(scene: Scene) -> Good:
    await scene.rooms.connections.set_order(scene.operator, "messaging", ["messaging/whatsapp", TWILIO])
    return Good(body={"family": "messaging", "connector": TWILIO, "to": "up"})


@_taken(f"{_ONE}/features", "grant")
async def _feature(scene: Scene) -> Good:
    await scene.fresh()
    return Good({"connector": STRIPE}, {"feature": "refunds", "on": "no"})


@_taken(f"{_ONE}/fields", "grant")
async def _fields(scene: Scene) -> Good:
    await scene.fresh()
    return Good({"connector": STRIPE}, {"withheld": ["receipt_email"]})


@_taken(f"{_ONE}/free-text", "grant")
async def _free_text(scene: Scene) -> Good:
    return Good({"connector": TWILIO}, {"path": "note", "on": "yes"})


@_taken(f"{_ONE}/callback", "key")
async def _callback(scene: Scene) -> Good:
    await scene.fresh()
    return Good({"connector": STRIPE}, {"secret": SECRETS[1]})


@_taken(f"{_ONE}/callback/{{secret:uuid}}/remove", "key")
async def _no_callback(scene: Scene) -> Good:
    return Good({"connector": STRIPE, "secret": await scene.secret(await scene.fresh())})


@_taken(f"{_ONE}/connect", "connection")
async def _connect(scene: Scene) -> Good:
    await scene.revoked(STRIPE)
    return Good({"connector": STRIPE}, {"credential.secret": "rk_test_0123456789abcdef", "features": ["refunds"]})


@_taken(f"{_ONE}/again", None)
async def _again(scene: Scene) -> Good:
    return Good({"connector": GOOGLE})


@_taken(f"{_ONE}/reduce", "connection")
async def _reduce(scene: Scene) -> Good:
    await scene.narrower(GOOGLE)
    return Good({"connector": GOOGLE})


@_taken(f"{_ONE}/suspend", "connection")
@_taken(f"{_ONE}/revoke", "connection")
async def _connected(scene: Scene) -> Good:
    await scene.fresh()
    return Good({"connector": STRIPE})


@_taken(f"{_ONE}/resume", "connection")
async def _resume(scene: Scene) -> Good:
    await scene.fresh(ConnectionState.SUSPENDED)
    return Good({"connector": STRIPE})


@_taken(f"{_ONE}/settings", "connection")
async def _settings(scene: Scene) -> Good:
    return Good({"connector": TWILIO}, {"settings.sender": "+15005550006"})


@_taken(f"{_ONE}/watches", "access")
async def _watch(scene: Scene) -> Good:
    await scene.watched(WATCH, begun=False)
    form = {f"watches.{WATCH.name}.{name}": value for name, value in WATCH.payload.items()}
    return Good({"connector": WATCH.connector}, {"watch": WATCH.name, **form})


@_taken(f"{_ONE}/watches/{{watch:uuid}}/stop", "access")
async def _no_watch(scene: Scene) -> Good:
    begun = await scene.watched(WATCH, begun=True)
    assert begun is not None
    return Good({"connector": WATCH.connector, "watch": begun.id})


@_taken(f"{_ONE}/network/desk/{{id:uuid}}/taken", "access")
async def _take(scene: Scene) -> Good:
    return Good({"connector": "abdm", "id": await scene.place()})


@_taken(f"{_ONE}/network/visits", None)
async def _visits(scene: Scene) -> Good:
    return Good({"connector": "abdm"}, {"reference": REFERENCE})


# --- What a decision weighs -------------------------------------------------------------------------------------------


@_taken("/settings/consents/new", "consent")
async def _consent(scene: Scene) -> Good:
    return Good(body=GIVEN)


@_taken("/settings/consents/of/{id:uuid}/new", "consent")
async def _consent_again(scene: Scene) -> Good:
    row = await scene.rooms.consents.one(scene.tenant, await scene.consent())
    return Good({"id": row.subject}, {name: each for name, each in GIVEN.items() if name != "subject"})


@_taken("/settings/consents/{id:uuid}/withdraw", "consent")
async def _withdraw(scene: Scene) -> Good:
    return Good({"id": await scene.consent()})


@_taken("/settings/consents/waiting/{id:uuid}/cancel", "access")
async def _cancel(scene: Scene) -> Good:
    return Good({"id": await scene.waiting()})


@_taken("/settings/agreements/of/{recipient:path}", "agreement")
async def _agree(scene: Scene) -> Good:
    return Good({"recipient": STRIPE}, {"kind": "dpa", "from": "2026-02-01", "until": ""})


@_taken("/settings/templates/new", "grant")
async def _text(scene: Scene) -> Good:
    return Good(body={**TEXT, "name": f"reminder_{uuid4().hex[:8]}"})


@_taken("/settings/templates/{id:uuid}/remove", "grant")
async def _no_text(scene: Scene) -> Good:
    name = (await scene.text()).name
    found = await scene.rooms.templates.page(scene.tenant, after=None, limit=500)
    return Good({"id": next(row.id for row in found if row.name == name)})


# --- Webhooks ---------------------------------------------------------------------------------------------------------


@_taken("/vendor/new", "connection")
async def _register(scene: Scene) -> Good:
    return Good(body=fields(await scene.address()))


@_taken(f"{_VENDOR}/hearing", "grant")
async def _hearing(scene: Scene) -> Good:
    return Good({"id": await scene.endpoint()}, {"events": ["appointment.*"], "more": ""})


for _path, _kind, _make in (
    (f"{_VENDOR}/test", "connection", a_pending_endpoint), (f"{_VENDOR}/pause", "connection", an_endpoint),
    (f"{_VENDOR}/remove", "connection", an_endpoint), (f"{_VENDOR}/rotate", "key", an_endpoint),
    (f"{_VENDOR}/resume", "connection", a_suspended_endpoint), ("/vendor/deliveries/{id:uuid}/replay", "access", a_delivery),
):  # fmt: skip
    _taken(_path, _kind)(_make)


@_taken(f"{_VENDOR}/replay", "access")
async def _deliver_all(scene: Scene) -> Good:
    return Good({"id": await scene.endpoint()}, {"since": "2026-01-15", "states": ["delivered"], "do": "replay"})


# --- The auditor's ----------------------------------------------------------------------------------------------------


@_taken("/auditor/views/{id:uuid}/remove", None)
async def _no_view(scene: Scene) -> Good:
    browser, views = await scene.owner(), scene.rooms.people.views
    assert browser.person is not None
    await views.save(scene.tenant, browser.person, "What was refused", "outcome=refused")
    return Good({"id": (await views.of(scene.tenant, browser.person))[0].id}, browser=browser)


@_taken("/auditor/subject/csv", "access")
async def _account(scene: Scene) -> Good:
    clinic = await scene.rooms.connections.clinic(scene.tenant)
    subject = await scene.rooms.subjects.known(scene.tenant, REFERENCE, keyed=clinic)
    return Good(body={"subject": str(subject)})
