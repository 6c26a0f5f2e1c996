"""The error tree of the gateway: what went wrong and what to do next. Vendors' errors are in connectors.contract.

GatewayError
├── InvalidRequest      400  the body or a parameter is wrong; `faults` name the paths
├── Unauthenticated     401  no caller, or one that is no longer let in
├── Forbidden           403  the caller's key or token does not carry the scope
├── Refused             403  the decision said no (429 when only the rate limit did); `reasons` say why
├── NotFound            404  no such thing, or not this tenant's
├── Conflict            409  what is asked does not fit the state of things
├── IdempotencyReused   422  the same Idempotency-Key came with another body
└── Unavailable         503  something the gateway cannot do without does not answer; nothing was sent
    ├── LedgerUnavailable    the ledger cannot be written
    └── OutcomeUnrecorded    the call was made, its outcome waits to be recorded
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scopes.decision import Refusal
    from scopes.minimize import Fault


class GatewayError(Exception):
    """A failure that a caller is told about; messages hold ids and codes, never values of people."""

    status = 500
    code = "internal"
    title = "Something went wrong"

    def __init__(self, detail: str = "", *, fix: str = "") -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.fix = fix


class InvalidRequest(GatewayError):
    """The request cannot be understood; each fault names a path and what is expected there."""

    status = 400
    code = "invalid_request"
    title = "The request is not valid"

    def __init__(self, detail: str = "", *, faults: Sequence[Fault] = (), fix: str = "") -> None:
        super().__init__(detail, fix=fix)
        self.faults = tuple(faults)


class BodyTooLarge(InvalidRequest):
    """The body is larger than the gateway reads."""

    status = 413
    code = "body_too_large"
    title = "The body is too large"


class Unauthenticated(GatewayError):
    """No caller could be established."""

    status = 401
    code = "unauthenticated"
    title = "Say who you are with a bearer token or an API key"


class Forbidden(GatewayError):
    """The caller is known but does not carry the scope."""

    status = 403
    code = "forbidden"
    title = "This key or token does not carry the scope"


class Refused(GatewayError):
    """The decision was no; it stands in the ledger as a refusal."""

    status = 403
    code = "refused"
    title = "The gateway refused this call"

    def __init__(self, reasons: Sequence[Refusal], *, index: int | None = None) -> None:
        super().__init__("; ".join(reason.what for reason in reasons))
        self.reasons = tuple(reasons)
        self.index = index
        if self.reasons and all(reason.code == "rate_limited" for reason in self.reasons):
            self.status = 429


class NotFound(GatewayError):
    """There is no such thing for this tenant."""

    status = 404
    code = "not_found"
    title = "There is no such thing here"


class Conflict(GatewayError):
    """The request does not fit the present state."""

    status = 409
    code = "conflict"
    title = "The request does not fit the present state"


class InProgress(Conflict):
    """A first request with this Idempotency-Key is still under way."""

    code = "in_progress"
    title = "A request with this Idempotency-Key is still under way; repeat it in a moment"


class IdempotencyReused(GatewayError):
    """The same Idempotency-Key came with another request."""

    status = 422
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used with another request; use a new key"


class Unavailable(GatewayError):
    """A part that the gateway cannot do without does not answer."""

    status = 503
    code = "unavailable"
    title = "The gateway cannot do this right now; repeat the request in a moment"


class LedgerUnavailable(Unavailable):
    """The ledger cannot be written, so nothing was sent."""

    code = "ledger_unavailable"
    title = "The ledger cannot be written, so nothing was sent; repeat the request when it is back"


class OutcomeUnrecorded(Unavailable):
    """The call was made; its outcome waits for the ledger."""

    code = "outcome_unrecorded"
    title = "The call was made but its outcome is not recorded yet; do not repeat it, look the disclosure up"
