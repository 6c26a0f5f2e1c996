"""What is counted for the operator. Labels come from closed lists: never an id, never a word that somebody sent.

One process counts for itself; whoever reads GET /metrics of several adds them up.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    disable_created_metrics,
    generate_latest,
)

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
NO_CONNECTOR: Final = "none"  # nothing was found that the message could be for
OTHER: Final = "other"

#: Why callbacks are refused, as connectors and the gateway name it; another word is counted as "other".
REFUSALS: Final = frozenset(
    {
        "bad_signature",
        "broken_reader",
        "header_too_long",
        "malformed_event",
        "malformed_request",
        "not_an_event",
        "not_fresh",
        "signature_missing",
        "timestamp_missing",
        "too_many_signatures",
        "unknown_event",
        "unknown_facility",
        "unknown_key",
    }
)


class Result(StrEnum):
    """What became of one message of a vendor's."""

    ACCEPTED = "accepted"  # stored, and on its way to the clinic's endpoints
    HANDSHAKE = "handshake"  # the vendor asked whether the address is ours
    DUPLICATE = "duplicate"  # it was here before
    UNUSED = "unused"  # the vendor's, of a type that is not used
    OTHER_ACCOUNT = "other_account"  # the vendor's, about an account that is not the connection's
    SUSPENDED = "suspended"  # genuine, and the clinic lets nothing through for now
    REFUSED = "refused"  # not genuine, not fresh or not readable
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    NOWHERE = "nowhere"  # no such connection, or one that takes no callbacks
    UNAVAILABLE = "unavailable"  # the database is away or too slow: the vendor repeats it
    FAILED = "failed"  # a defect of ours


disable_created_metrics()  # type: ignore[no-untyped-call]
_registry: Final = CollectorRegistry()
_callbacks: Final = Counter(
    "gateway_callbacks", "Messages of vendors, by what became of them.", ["connector", "result"], registry=_registry
)
_refusals: Final = Counter(
    "gateway_callback_refusals", "Refused messages of vendors, by why.", ["connector", "code"], registry=_registry
)

_late: Final = Counter(
    "gateway_letters_late", "Letters of networks that came with a proof of before.", ["connector"], registry=_registry
)
_letters: Final = Counter(
    "gateway_letters", "Letters of networks that were worked off, by what became of them.", ["connector", "kind", "ended"],
    registry=_registry,
)  # fmt: skip
_drift: Final = Gauge(
    "gateway_network_drift", "What differs between a network's file on the gateway and the gateway.", ["line"],
    registry=_registry,
)  # fmt: skip


def callback(connector: str, result: Result, code: str | None = None) -> None:
    """Count one message. `connector` is an id of the registry or NO_CONNECTOR, `code` says why it was refused."""
    _callbacks.labels(connector, str(result)).inc()
    if result is Result.REFUSED:
        _refusals.labels(connector, code if code in REFUSALS else OTHER).inc()


def late(connector: str) -> None:
    """Count a letter of a network's whose proof was older than it may be: one that was refused, or not answered, before."""
    _late.labels(connector).inc()


def letter(connector: str, kind: str, ended: str) -> None:
    """Count a letter that was worked off. `kind` is one of the kinds of connectors/told.py or `none`."""
    _letters.labels(connector, kind, ended).inc()


def drift(line: str, faults: int) -> None:
    """Show how many things differ between a network's file on us and what we are."""
    _drift.labels(line).set(faults)


def written() -> bytes:
    """Everything that was counted, in Prometheus' text format."""
    return generate_latest(_registry)
