"""Errors as problem documents (RFC 9457). Tells codes, paths and what to do; never a value, never an exception's own text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from gateway.errors import (
    Forbidden,
    GatewayError,
    InProgress,
    InvalidRequest,
    OutcomeUnrecorded,
    Refused,
    Unauthenticated,
    Unavailable,
)
from gateway.log import Log
from gateway.store.errors import outage

log = Log("gateway.web")

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:clinic-gateway:problem:"
_WAIT_SECONDS: Final = {503: 2, 429: 1, 409: 1}


class UnsupportedMedia(InvalidRequest):
    """The body is not what the gateway reads."""

    status = 415
    code = "unsupported_media_type"
    title = "Send the body as application/json"


class BodyTooSlow(InvalidRequest):
    """The body did not arrive in time."""

    status = 408
    code = "body_too_slow"
    title = "The body did not arrive in time"


class NoSuchRoute(GatewayError):
    """Nothing is at this path."""

    status = 404
    code = "no_such_route"
    title = "Nothing is at this path; GET /openapi.json lists what there is"


class MethodNotAllowed(GatewayError):
    """The path is there, for other methods."""

    status = 405
    code = "method_not_allowed"
    title = "This path takes other methods; the Allow header names them"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem document with the headers that belong to it."""

    status: int
    headers: dict[str, str]
    body: bytes


def told(failure: Exception, request_id: str) -> Problem:
    """What the caller is told of a failure; one that we did not foresee is logged by its type and told as 500."""
    return problem_of(known(failure, request_id), request_id)


def problem_of(error: GatewayError, request_id: str) -> Problem:
    """An error as a document, just as it is."""
    document: dict[str, Any] = {
        "type": f"{TYPE_PREFIX}{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
    }
    if error.fix:
        document["fix"] = error.fix
    if isinstance(error, InvalidRequest):
        document["faults"] = [{"path": fault.path, "message": fault.message} for fault in error.faults]
    if isinstance(error, Refused):
        document["reasons"] = [
            {"code": str(reason.code), "what": reason.what, "fix": reason.fix} for reason in error.reasons
        ]
        document["index"] = error.index
    return Problem(error.status, _headers(error), orjson.dumps(document))


def known(failure: Exception, request_id: str) -> GatewayError:
    """A failure as an error of ours; one that we did not foresee is logged by its type and told as nothing but that."""
    if isinstance(failure, GatewayError) and failure.status < 500:
        return failure
    ours = failure if isinstance(failure, GatewayError) else outage(failure)
    log.error("request_failed", failure=failure, request=request_id)
    if isinstance(ours, Unavailable):
        return ours
    return GatewayError()  # its details, if it has any, are the operator's


def _headers(error: GatewayError) -> dict[str, str]:
    headers = {"content-type": MEDIA_TYPE}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = 'Bearer realm="clinic-gateway"'
    elif isinstance(error, Forbidden):
        headers["www-authenticate"] = 'Bearer realm="clinic-gateway", error="insufficient_scope"'  # RFC 6750 3.1
    elif isinstance(error, InProgress) or error.status in (429, 503):
        headers["retry-after"] = str(_WAIT_SECONDS[error.status])
    if isinstance(error, OutcomeUnrecorded):
        headers.pop("retry-after")  # the call was made: it must not be repeated
    return headers
