"""Who is let in: API keys and hosts' tokens, and every way to forge, outlive or borrow one."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from gateway.callers import ApiKey, Callers
from gateway.calls import Actor
from gateway.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unauthenticated
from gateway.store import callers as rows
from gateway.store import entries, ledger, tenants
from gateway.store.pool import Store
from scopes.scope import Scope

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # RFC 9864; hosts still send the old name

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
AUDIENCE = "https://gateway.clinic.example"
ROLES = {"front-desk": ["calls:write:payments", "catalog:read"], "auditor": ["disclosures:read"], "guest": []}
RSA, OTHER_RSA = RSAKey.generate_key(2048, {"kid": "r1"}), RSAKey.generate_key(2048, {"kid": "r1"})
KEYS = {
    "RS256": RSA,
    "ES256": ECKey.generate_key("P-256", {"kid": "e1"}),
    "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "o1"}),
}
JWKS = {"keys": [key.as_dict(private=False) for key in KEYS.values()]}


class Clock:
    """A clock that goes on only when told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def goes_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Keyed:
    """A tenant's own key that is easy to see through."""

    def fingerprint(self, text: bytes) -> bytes:
        return b"\x11" * 32 if b"ada@clinic.example" in text else b"\x22" * 32


async def keyed(tenant: UUID) -> Keyed:
    return Keyed()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def callers(store: Store, clock: Clock) -> Callers:
    return Callers(store, keyed=keyed, clock=clock)


NewActor = Callable[[], Awaitable[Actor]]


@pytest.fixture
def new_actor(store: Store) -> NewActor:
    async def make() -> Actor:
        tenant = uuid4()
        async with store.tenant(tenant) as connection:
            await tenants.add(connection, tenant, "a clinic")
        return Actor("system", "test", tenant, ())

    return make


@pytest.fixture
async def operator(new_actor: NewActor) -> Actor:
    """The gateway itself, for a fresh clinic."""
    return await new_actor()


async def key_of(callers: Callers, operator: Actor, *scopes: str, seconds: float | None = None) -> str:
    held = [Scope.parse(scope) for scope in scopes or ("catalog:read",)]
    expires_at = None if seconds is None else START + timedelta(seconds=seconds)
    return (await callers.create_key(operator, "a test", held, expires_at)).text


async def actor_of(callers: Callers, authorization: str | None) -> Actor:
    return await callers.caller(None if authorization is None else authorization.encode("utf-8", "surrogatepass"))


async def refused(callers: Callers, authorization: str | None) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await actor_of(callers, authorization)
    return caught.value.detail


# API keys --------------------------------------------------------------------------------------------------------------


async def test_a_key_stands_for_its_tenant_and_its_scopes(callers: Callers, operator: Actor) -> None:
    text = await key_of(callers, operator, "calls:write:payments", "catalog:read")
    actor = await actor_of(callers, f"Bearer {text}")
    assert (actor.kind, actor.tenant, actor.id) == ("api_key", operator.tenant, text[4:16])
    assert sorted(map(str, actor.scopes)) == ["calls:write:payments", "catalog:read"]
    assert await actor_of(callers, f"bearer  {text} ") == actor


async def test_only_a_hash_of_the_secret_is_kept(callers: Callers, operator: Actor, store: Store) -> None:
    text = await key_of(callers, operator)
    async with store.tenant(operator.tenant) as connection:
        row = await rows.key(connection, operator.tenant, text[4:16])
        stored = await connection.fetch("SELECT k::text FROM api_keys k")
        written = [body for body, _ in await entries.stored(connection, operator.tenant, 0, 10)]
    assert row is not None
    assert len(row.digest) == 32
    secret = text[17:]
    kept = " ".join(each[0] for each in stored).encode() + b" ".join(written)
    assert secret.encode() not in kept
    assert base64.urlsafe_b64decode(secret + "=").hex().encode() not in kept


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "cgk_abcdefghijkl_" + "x" * 43,
        "Bearer cgk_",
        "Bearer cgk_abcdefghijkl_short",
        "Bearer cgk_abcdefghijkl_" + "x" * 44,
        "Bearer cgk_abcdefghijk%_" + "x" * 43,
        "Bearer cgk_abcdefghijkl_" + "x" * 43,
        "Bearer näh",
        "Bearer \udcff\udcfe",
        "Bearer " + "x" * 20_000,
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer a.b",
        "Bearer a.b.c.d.e",
        "Bearer \x00.\x00.\x00",
    ],
)
async def test_what_is_no_credential_is_refused(callers: Callers, authorization: str | None) -> None:
    assert await refused(callers, authorization)


async def test_a_wrong_secret_and_an_unknown_key_read_the_same(callers: Callers, operator: Actor) -> None:
    text = await key_of(callers, operator)
    wrong = text[:-2] + ("AA" if text[-2:] != "AA" else "BB")
    assert await refused(callers, f"Bearer {wrong}") == await refused(callers, f"Bearer {ApiKey.new().text}")


async def test_a_key_ends_with_its_day_even_when_it_is_remembered(
    callers: Callers, operator: Actor, clock: Clock
) -> None:
    text = await key_of(callers, operator, seconds=10)
    await actor_of(callers, f"Bearer {text}")
    clock.goes_on(9.9)
    await actor_of(callers, f"Bearer {text}")
    clock.goes_on(0.1)
    assert "expired" in await refused(callers, f"Bearer {text}")


async def test_a_revoked_key_stops_at_once_here_and_within_30_seconds_elsewhere(
    callers: Callers, store: Store, operator: Actor, clock: Clock
) -> None:
    text = await key_of(callers, operator)
    elsewhere = Callers(store, keyed=keyed, clock=clock)
    for gateway in (callers, elsewhere):
        await actor_of(gateway, f"Bearer {text}")
    await callers.revoke_key(operator, text[4:16])
    assert "revoked" in await refused(callers, f"Bearer {text}")
    await actor_of(elsewhere, f"Bearer {text}")
    clock.goes_on(30)
    assert "revoked" in await refused(elsewhere, f"Bearer {text}")


async def test_another_gateway_that_hears_of_it_forgets_at_once(
    callers: Callers, store: Store, operator: Actor
) -> None:
    text = await key_of(callers, operator)
    elsewhere = Callers(store, keyed=keyed, clock=Clock())
    await actor_of(elsewhere, f"Bearer {text}")
    await callers.revoke_key(operator, text[4:16])
    elsewhere.forget(operator.tenant)
    assert "revoked" in await refused(elsewhere, f"Bearer {text}")


async def test_a_lookup_that_a_revocation_overtakes_is_not_remembered(
    callers: Callers, store: Store, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = await key_of(callers, operator)
    callers.forget(operator.tenant)
    read = rows.key

    async def overtaken(*given: Any) -> Any:
        row = await read(*given)
        monkeypatch.setattr(rows, "key", read)
        await callers.revoke_key(operator, text[4:16])
        return row

    monkeypatch.setattr(rows, "key", overtaken)
    await actor_of(callers, f"Bearer {text}")
    assert "revoked" in await refused(callers, f"Bearer {text}")


async def test_keys_are_made_and_revoked_with_their_entry_and_a_new_standing(
    callers: Callers, store: Store, operator: Actor
) -> None:
    text = await key_of(callers, operator, "log:read", "catalog:read")
    await callers.revoke_key(operator, text[4:16])
    await callers.revoke_key(operator, text[4:16])
    async with store.tenant(operator.tenant) as connection:
        written = [orjson.loads(body) for body, _ in await entries.stored(connection, operator.tenant, 0, 10)]
        head = await ledger.head(connection, operator.tenant)
    assert [(entry["kind"], entry["key"], entry["state"]) for entry in written] == [
        ("key", text[4:16], "active"),
        ("key", text[4:16], "revoked"),
    ]
    assert written[0]["scopes"] == ["catalog:read", "log:read"]
    assert head is not None
    assert head.standing == 3


async def test_nobody_hands_on_a_scope_that_they_do_not_hold(callers: Callers, operator: Actor) -> None:
    holder = await actor_of(callers, f"Bearer {await key_of(callers, operator, 'keys:write', 'calls:write:payments')}")
    await callers.create_key(holder, "narrower", [Scope.parse("calls:write:payments/stripe")])
    for wider in ("calls:write", "disclosures:read"):
        with pytest.raises(Forbidden, match=wider):
            await callers.create_key(holder, "wider", [Scope.parse(wider)])
    with pytest.raises(Forbidden):
        await callers.add_issuer(holder, "https://host.example", AUDIENCE, jwks=JWKS, roles={"all": ["log:read"]})


@pytest.mark.parametrize(
    ("title", "scopes", "seconds", "path"),
    [("", ["log:read"], None, "title"), ("x" * 81, ["log:read"], None, "title"), ("a\nb", ["log:read"], None, "title"),
     ("a", [], None, "scopes"), ("a", ["log:read"], 0, "expires_at"), ("a", ["log:read"], -1, "expires_at")],
)  # fmt: skip
async def test_an_incomplete_key_is_refused(
    callers: Callers, operator: Actor, title: str, scopes: list[str], seconds: float | None, path: str
) -> None:
    expires_at = None if seconds is None else START + timedelta(seconds=seconds)
    with pytest.raises(InvalidRequest) as caught:
        await callers.create_key(operator, title, [Scope.parse(scope) for scope in scopes], expires_at)
    assert [fault.path for fault in caught.value.faults] == [path]


async def test_a_tenant_sees_and_revokes_its_own_keys_only(
    callers: Callers, operator: Actor, new_actor: NewActor
) -> None:
    text, stranger = await key_of(callers, operator), await new_actor()
    assert await callers.keys(stranger.tenant) == []
    with pytest.raises(NotFound):
        await callers.key(stranger.tenant, text[4:16])
    with pytest.raises(NotFound):
        await callers.revoke_key(stranger, text[4:16])
    await actor_of(callers, f"Bearer {text}")
    assert [row.id for row in await callers.keys(operator.tenant)] == [text[4:16]]


async def test_the_shelf_of_remembered_tokens_is_bounded(
    callers: Callers, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.callers.callers._TOKENS", 2)
    for _ in range(4):
        await actor_of(callers, f"Bearer {await key_of(callers, operator)}")
    assert len(callers._tokens) <= 2


async def test_a_key_does_not_print_its_secret() -> None:
    key = ApiKey.new()
    assert key.secret not in repr(key)
    assert ApiKey.parse(key.text) == key


# Hosts' tokens -----------------------------------------------------------------------------------------------------------


class Host:
    """A clinic's own software: an issuer that the clinic trusts."""

    def __init__(self, operator: Actor) -> None:
        self.operator = operator
        self.name = f"https://host.example/{operator.tenant}"

    def claims(self, **given: Any) -> dict[str, Any]:
        now = int(START.timestamp())
        claims = {
            "iss": self.name, "aud": AUDIENCE, "sub": "0190163d-8694-7a3c-8f0e-6c7f3e8f7a01", "iat": now, "exp": now + 600,
            "roles": ["front-desk"], **given,
        }  # fmt: skip
        return {name: value for name, value in claims.items() if value is not ...}

    def bearer(self, alg: str = "RS256", key: Any = None, header: dict[str, Any] | None = None, **given: Any) -> str:
        key = key or KEYS[alg]
        head = {"alg": alg, "kid": key.kid, "typ": "JWT", **(header or {})}
        head = {name: value for name, value in head.items() if value is not ...}
        registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
        return "Bearer " + jws.serialize_compact(head, orjson.dumps(self.claims(**given)), key, registry=registry)


@pytest.fixture
async def host(callers: Callers, operator: Actor) -> Host:
    host = Host(operator)
    await callers.add_issuer(operator, host.name, AUDIENCE, jwks=JWKS, roles=ROLES)
    return host


@pytest.mark.parametrize("alg", list(KEYS))
async def test_a_token_of_a_trusted_issuer_is_let_in(callers: Callers, host: Host, alg: str) -> None:
    actor = await actor_of(callers, host.bearer(alg))
    assert (actor.kind, actor.tenant) == ("jwt", host.operator.tenant)
    assert actor.id == "0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"
    assert sorted(map(str, actor.scopes)) == ["calls:write:payments", "catalog:read"]


async def test_several_audiences_may_hold_ours(callers: Callers, host: Host) -> None:
    await actor_of(callers, host.bearer(aud=["https://elsewhere.example", AUDIENCE]))


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt", ...])
async def test_the_types_of_access_tokens_are_taken(callers: Callers, host: Host, typ: Any) -> None:
    await actor_of(callers, host.bearer(header={"typ": typ}))


@pytest.mark.parametrize(
    ("roles", "scopes"),
    [
        (["front-desk", "auditor"], 3),
        (["auditor", "nobody-knows-it"], 1),
        (["guest"], 0),
        ([], 0),
        (..., 0),
        (None, 0),
        ("front-desk", 0),
        ([["front-desk"], 7, None], 0),
        ({"front-desk": True}, 0),
    ],
)
async def test_roles_open_what_the_clinic_mapped_and_empty_means_no(
    callers: Callers, host: Host, roles: Any, scopes: int
) -> None:
    assert len((await actor_of(callers, host.bearer(roles=roles))).scopes) == scopes


async def test_a_subject_that_may_name_somebody_is_recorded_as_a_keyed_hash(callers: Callers, host: Host) -> None:
    actor = await actor_of(callers, host.bearer(sub="ada@clinic.example"))
    assert actor.id == "u_" + "11" * 16


def _unsigned(host: Host, alg: Any, signature: str = "") -> str:
    parts = [{"alg": alg, "kid": "r1", "typ": "JWT"}, host.claims()]
    return "Bearer " + ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts), signature]
    )


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, 0, ["RS256"], {}])
async def test_a_token_without_a_signature_is_refused(callers: Callers, host: Host, alg: Any) -> None:
    assert await refused(callers, _unsigned(host, alg))
    assert await refused(callers, _unsigned(host, alg, "AAAA"))


@pytest.mark.parametrize("pem", [True, False])
async def test_a_public_key_is_no_shared_secret(callers: Callers, host: Host, pem: bool) -> None:
    public = RSA.as_pem(private=False) if pem else orjson.dumps(RSA.as_dict(private=False))
    secret = OctKey.import_key(base64.urlsafe_b64encode(public).decode(), {"kid": "r1"})
    assert "algorithm" in await refused(callers, host.bearer("HS256", secret))


@pytest.mark.parametrize("alg", ["PS256", "RS384", "RS512"])
async def test_another_algorithm_of_the_same_key_is_refused(callers: Callers, host: Host, alg: str) -> None:
    assert "algorithm" in await refused(callers, host.bearer(alg, RSA))


async def test_the_algorithm_follows_from_the_key_and_not_from_the_token(callers: Callers, host: Host) -> None:
    assert "algorithm" in await refused(callers, host.bearer("RS256", RSA, header={"kid": "e1"}))


@pytest.mark.parametrize("kid", [..., None, "", "r2", 7, ["r1"], "../../r1", "r1\x00"])
async def test_a_token_must_name_a_key_of_its_issuer(callers: Callers, host: Host, kid: Any) -> None:
    head = {"alg": "RS256", "typ": "JWT"} | ({} if kid is ... else {"kid": kid})
    token = host.bearer().split(".")
    token[0] = "Bearer " + base64.urlsafe_b64encode(json.dumps(head).encode()).rstrip(b"=").decode()
    assert "kid" in await refused(callers, ".".join(token))


async def test_a_foreign_key_under_a_known_name_is_refused(callers: Callers, host: Host) -> None:
    assert "signature" in await refused(callers, host.bearer(key=OTHER_RSA))


async def test_a_key_that_the_token_brings_along_is_not_looked_at(callers: Callers, host: Host) -> None:
    brought = {
        "jwk": OTHER_RSA.as_dict(private=False),
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example",
    }
    assert "signature" in await refused(callers, host.bearer(key=OTHER_RSA, header=brought))


@pytest.mark.parametrize(
    "header", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"typ": "dpop+jwt"}, {"typ": "secevent+jwt"}]
)
async def test_other_kinds_of_tokens_are_refused(callers: Callers, host: Host, header: dict[str, Any]) -> None:
    token = host.bearer().split(".")
    head = {"alg": "RS256", "kid": "r1", "typ": "JWT", **header}
    token[0] = "Bearer " + base64.urlsafe_b64encode(json.dumps(head).encode()).rstrip(b"=").decode()
    assert "kind" in await refused(callers, ".".join(token))


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_one_changed_character_anywhere_is_refused(callers: Callers, host: Host, part: int) -> None:
    parts = host.bearer().removeprefix("Bearer ").split(".")
    middle = len(parts[part]) // 2
    parts[part] = parts[part][:middle] + ("A" if parts[part][middle] != "A" else "B") + parts[part][middle + 1 :]
    assert await refused(callers, "Bearer " + ".".join(parts))


NOW = int(START.timestamp())


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"aud": "https://elsewhere.example"}, "audience"),
        ({"aud": ...}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": {AUDIENCE: 1}}, "audience"),
        ({"aud": AUDIENCE + "/"}, "audience"),
        ({"exp": NOW - 60, "iat": NOW - 600}, "expired"),
        ({"exp": ...}, "exp"),
        ({"exp": str(NOW + 600)}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": None}, "exp"),
        ({"iat": ...}, "iat"),
        ({"iat": NOW + 61}, "future"),
        ({"nbf": NOW + 61}, "not valid yet"),
        ({"nbf": "soon"}, "nbf"),
        ({"exp": NOW + 24 * 3600 + 1}, "24 hours"),
        ({"exp": NOW + 10**12}, "24 hours"),
        ({"iat": NOW + 30, "exp": NOW + 30}, "24 hours"),
        ({"sub": ...}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
        ({"sub": "x" * 256}, "sub"),
        ({"tenant": str(uuid4())}, "another tenant"),
        ({"tenant": None}, "another tenant"),
        ({"tenant": [1]}, "another tenant"),
    ],
)
async def test_a_wrong_claim_is_refused_by_its_rule(
    callers: Callers, host: Host, claims: dict[str, Any], said: str
) -> None:
    assert said in await refused(callers, host.bearer(**claims))


@pytest.mark.parametrize(
    "claims", [{"exp": NOW - 59, "iat": NOW - 600}, {"iat": NOW + 60}, {"nbf": NOW + 60}, {"exp": NOW + 24 * 3600}]
)
async def test_clocks_may_differ_by_a_minute(callers: Callers, host: Host, claims: dict[str, Any]) -> None:
    await actor_of(callers, host.bearer(**claims))


async def test_the_tenant_claim_may_repeat_the_issuers_tenant(callers: Callers, host: Host) -> None:
    assert (await actor_of(callers, host.bearer(tenant=str(host.operator.tenant)))).tenant == host.operator.tenant


@pytest.mark.parametrize(
    "issuer", [..., "", 7, "https://nobody.example", "x" * 256, "https://host.example/\x00", "' OR true --"]
)
async def test_an_issuer_that_nobody_trusts_is_refused(callers: Callers, host: Host, issuer: Any) -> None:
    assert "issuer" in await refused(callers, host.bearer(iss=issuer))


async def test_an_issuer_speaks_for_its_own_tenant_only(callers: Callers, host: Host, new_actor: NewActor) -> None:
    stranger = Host(await new_actor())
    await callers.add_issuer(
        stranger.operator, stranger.name, AUDIENCE, jwks={"keys": [OTHER_RSA.as_dict(private=False)]}, roles=ROLES
    )
    assert (await actor_of(callers, stranger.bearer(key=OTHER_RSA))).tenant == stranger.operator.tenant
    assert "signature" in await refused(callers, stranger.bearer(key=OTHER_RSA, iss=host.name))
    assert "another tenant" in await refused(callers, stranger.bearer(key=OTHER_RSA, tenant=str(host.operator.tenant)))
    with pytest.raises(Conflict):
        await callers.add_issuer(stranger.operator, host.name, AUDIENCE, jwks=JWKS, roles=ROLES)
    assert (await actor_of(callers, host.bearer())).tenant == host.operator.tenant


async def test_a_remembered_token_does_not_outlive_its_expiry(callers: Callers, host: Host, clock: Clock) -> None:
    bearer = host.bearer(exp=NOW + 10)
    await actor_of(callers, bearer)
    clock.goes_on(69)
    await actor_of(callers, bearer)
    clock.goes_on(1)
    assert "expired" in await refused(callers, bearer)


async def test_a_replaced_issuer_holds_at_once_here_and_within_a_minute_elsewhere(
    callers: Callers, store: Store, host: Host, clock: Clock
) -> None:
    elsewhere = Callers(store, keyed=keyed, clock=clock)
    bearer = host.bearer()
    for gateway in (callers, elsewhere):
        await actor_of(gateway, bearer)
    clock.goes_on(20)
    jwks = {"keys": [OTHER_RSA.as_dict(private=False)]}
    await callers.add_issuer(host.operator, host.name, AUDIENCE, jwks=jwks, roles={"front-desk": ["log:read"]})
    assert "signature" in await refused(callers, bearer)
    assert [str(scope) for scope in (await actor_of(callers, host.bearer(key=OTHER_RSA))).scopes] == ["log:read"]
    await actor_of(elsewhere, bearer)
    clock.goes_on(40)
    assert "signature" in await refused(elsewhere, bearer)


async def test_a_repeated_token_is_not_verified_again(
    callers: Callers, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    bearer = host.bearer()
    actor = await actor_of(callers, bearer)
    monkeypatch.setattr("gateway.callers.token.jws.deserialize_compact", lambda *_, **__: pytest.fail("verified again"))
    assert await actor_of(callers, bearer) is actor


def _with(**given: Any) -> dict[str, Any]:
    return {"keys": [{**RSA.as_dict(private=False), **given}]}


@pytest.mark.parametrize(
    ("jwks", "path"),
    [
        ({}, "jwks.keys"),
        ({"keys": []}, "jwks.keys"),
        ({"keys": "all"}, "jwks.keys"),
        ({"keys": JWKS["keys"] * 7}, "jwks.keys"),
        ({"keys": [JWKS["keys"][0]] * 2}, "jwks.keys[1].kid"),
        ({"keys": ["r1"]}, "jwks.keys[0]"),
        (_with(kid=None), "jwks.keys[0]"),
        (_with(kid=""), "jwks.keys[0]"),
        (_with(use="enc"), "jwks.keys[0]"),
        (_with(alg="HS256"), "jwks.keys[0]"),
        (_with(n="AQAB"), "jwks.keys[0]"),
        (_with(n="%%%"), "jwks.keys[0]"),
        (_with(kty="oct", k="c2VjcmV0"), "jwks.keys[0]"),
        (_with(kty=["RSA"]), "jwks.keys[0]"),
        ({"keys": [RSA.as_dict(private=True)]}, "jwks.keys[0]"),
        ({"keys": [OctKey.generate_key(256, {"kid": "s"}).as_dict()]}, "jwks.keys[0]"),
        ({"keys": [ECKey.generate_key("P-384", {"kid": "p"}).as_dict(private=False)]}, "jwks.keys[0]"),
        ({"keys": [{**KEYS["ES256"].as_dict(private=False), "y": "AAAA"}]}, "jwks.keys[0]"),
        ({"keys": [OKPKey.generate_key("X25519", {"kid": "x"}).as_dict(private=False)]}, "jwks.keys[0]"),
    ],
)  # fmt: skip
async def test_only_public_keys_of_the_taken_kinds_are_registered(
    callers: Callers, operator: Actor, jwks: dict[str, Any], path: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await callers.add_issuer(operator, "https://host.example", AUDIENCE, jwks=jwks, roles=ROLES)
    assert [fault.path for fault in caught.value.faults] == [path]


@pytest.mark.parametrize(
    ("issuer", "audience", "roles", "path"),
    [
        ("", AUDIENCE, ROLES, "issuer"),
        ("a\nb", AUDIENCE, ROLES, "issuer"),
        ("https://host.example", "", ROLES, "audience"),
        ("https://host.example", AUDIENCE, {"all": ["everything"]}, "roles"),
        ("https://host.example", AUDIENCE, {"all": "log:read"}, "roles"),
        ("https://host.example", AUDIENCE, {"all": [7]}, "roles"),
    ],
)
async def test_an_incomplete_issuer_is_refused(
    callers: Callers, operator: Actor, issuer: str, audience: str, roles: Any, path: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await callers.add_issuer(operator, issuer, audience, jwks=JWKS, roles=roles)
    assert [fault.path for fault in caught.value.faults] == [path]
