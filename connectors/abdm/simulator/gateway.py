"""The gateway's own calls: sessions, keys, the bridge and its services, and the registry that links facilities to it."""

from typing import Any, Final

from starlette.responses import JSONResponse, Response

from connectors.abdm.simulator import rules
from connectors.abdm.simulator.courier import ISSUER, TOKEN_SECONDS
from connectors.abdm.simulator.desk import Ask
from connectors.abdm.simulator.people import new_id
from connectors.abdm.simulator.refusals import Refused, Shape, bad

_PREFIX: Final = "/api/hiecm/gateway/v3"
_REFRESH_SECONDS: Final = 1800
_BAD_LOGINS: Final = 8
_LOCK_SECONDS: Final = 480


async def _session(ask: Ask) -> Response:
    """A session; or the one text that a bad login and a locked client both get (1.2)."""
    network = ask.network
    refused = Refused(401, "invalid_grant", "Invalid user credentials", Shape.FLAT)
    locked = network.quirks.login_lock and network.locked_until > network.clock.now()
    given = (ask.body["clientId"], ask.body["clientSecret"])
    if given != (network.bridge.client_id, network.bridge.client_secret):
        network.bad_logins += 1
        if network.bad_logins % _BAD_LOGINS == 0:
            network.locked_until = network.clock.now() + _LOCK_SECONDS
        raise refused
    if locked:
        ask.fault("1.2", "a login while the client is locked: stop after a few refusals, and wait eight minutes")
        raise refused
    network.bad_logins = 0
    made = int(network.clock.outside())
    token = network.keys.token(
        {
            "iss": ISSUER, "aud": "account", "typ": "Bearer", "azp": given[0], "clientId": given[0],
            "iat": made, "exp": made + TOKEN_SECONDS, "jti": new_id(),
        }
    )  # fmt: skip
    network.sessions[token] = network.clock.now() + TOKEN_SECONDS
    return JSONResponse(
        {
            "accessToken": token, "expiresIn": TOKEN_SECONDS, "refreshToken": new_id(),
            "refreshExpiresIn": _REFRESH_SECONDS, "tokenType": "bearer",
        }
    )  # fmt: skip


async def _certs(ask: Ask) -> Response:
    return JSONResponse(ask.network.keys.jwks())


async def _discovery(ask: Ask) -> Response:
    return JSONResponse({"issuer": ISSUER, "jwks_uri": f"{ask.network.served_at}{_PREFIX}/certs"})


async def _set_url(ask: Ask) -> Response:
    ask.network.register(ask.body["url"])
    return Response(status_code=202)


def _service(ask: Ask, service_id: str) -> dict[str, Any]:
    facility = ask.network.facilities[service_id]
    return {"id": facility.service_id, "name": facility.name, "types": ["HIP", "HIU"], "active": True}


async def _services(ask: Ask) -> Response:
    bridge = ask.network.bridge
    told = {"id": bridge.id, "name": "Clinic software", "url": bridge.url, "active": True, "blocklisted": False}
    return JSONResponse({"bridge": told, "services": [_service(ask, each) for each in ask.network.facilities]})


async def _one_service(ask: Ask) -> Response:
    """One service; its endpoints are always empty, so nobody sees here who has the bridge's address."""
    facility = ask.network.facilities.get(ask.request.path_params["service_id"])
    if facility is None:
        raise Refused(404, "ABDM-1035", "Service not found")
    return JSONResponse(
        {
            "bridgeId": ask.network.bridge.id, "serviceId": facility.service_id, "name": facility.name, "isHip": True,
            "isHiu": True, "active": True, "endpoints": {},
        }
    )  # fmt: skip


def _provider(ask: Ask, service_id: str) -> dict[str, Any]:
    facility = ask.network.facilities[service_id]
    return {"identifier": {"name": facility.name, "id": service_id}, "facilityType": ["HIP"], "isGovtEntity": False}


async def _providers(ask: Ask) -> Response:
    return JSONResponse([_provider(ask, each) for each in ask.network.facilities])


async def _one_provider(ask: Ask) -> Response:
    service_id = ask.request.path_params["service_id"]
    if service_id not in ask.network.facilities:
        raise Refused(404, "ABDM-1035", "Provider not found")
    return JSONResponse(_provider(ask, service_id))


async def _nothing(_: Ask) -> Response:
    return JSONResponse([])


async def _link_facility(ask: Ask) -> Response:
    """The registry's linkage: a name that it does not know the facility by is an error with status 200 (1.4)."""
    network, body = ask.network, ask.body
    found = next((each for each in network.facilities.values() if each.hfr_id == body["facilityId"]), None)
    if found is None:
        raise Refused(400, "HIS-1070", "Facility not found", Shape.REGISTRY, "facilityId")
    if any(each["bridgeId"] != network.bridge.id for each in body["HRP"]):
        raise Refused(400, "HIS-1070", "Bridge ID is not known", Shape.REGISTRY, "bridgeId")
    if body["facilityName"] != found.name:
        ask.fault("1.4", "facilityName must be the name that the facility is registered by")
        wrong = bad("2500", "Provided facility name is not matched with registered name")
        return JSONResponse([{"error": {"code": wrong.code, "message": wrong.message}}])
    return JSONResponse([{"facilityId": found.hfr_id, "serviceId": found.service_id, "message": "Linked"}])


CALLS: Final = (
    ("POST", f"{_PREFIX}/sessions", rules.SESSION, _session),
    ("GET", f"{_PREFIX}/certs", rules.CERTS, _certs),
    ("GET", f"{_PREFIX}/.well-known/openid-configuration", rules.CERTS, _discovery),
    ("PATCH", f"{_PREFIX}/bridge/url", rules.BRIDGE_URL, _set_url),
    ("GET", f"{_PREFIX}/bridge-services", rules.READ, _services),
    ("GET", f"{_PREFIX}/bridge-service/serviceId/{{service_id}}", rules.READ, _one_service),
    ("GET", f"{_PREFIX}/providers", rules.READ, _providers),
    ("GET", f"{_PREFIX}/providers/{{service_id}}", rules.READ, _one_provider),
    ("GET", f"{_PREFIX}/govt-programs", rules.READ, _nothing),
    ("GET", f"{_PREFIX}/health-lockers", rules.READ, _nothing),
    ("POST", "/v4/int/v1/bridges/MutipleHRPAddUpdateServices", rules.LINKAGE, _link_facility),
)
