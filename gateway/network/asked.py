"""What somebody asked for who wants records: sealed while something is still to be sent for it. Sends nothing."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from connectors.told import RecordsWanted
from gateway.connections import Clinic
from gateway.store.transfers import TransferRow

UNREPORTED: Final = "records.unreported"
"""The notice to a clinic that the network does not know how a request fared."""
_SEALED_AS: Final = "transfer"


def sealed(clinic: Clinic, transfer: UUID, wanted: RecordsWanted) -> bytes:
    """What was asked for, sealed for its place."""
    said = {
        "transaction": wanted.transaction, "consent": wanted.consent, "since": wanted.since, "until": wanted.until,
        "push_url": wanted.push_url, "key": b64encode(wanted.key).decode(), "nonce": b64encode(wanted.nonce).decode(),
        "fault": wanted.fault,
    }  # fmt: skip
    return clinic.keyring.seal(orjson.dumps(said), purpose=_SEALED_AS, row=str(transfer))


def opened(clinic: Clinic, row: TransferRow) -> RecordsWanted | None:
    """What was asked for; None once nothing is sent for it any more."""
    if row.sealed is None:
        return None
    said: dict[str, Any] = orjson.loads(clinic.keyring.open(row.sealed, purpose=_SEALED_AS, row=str(row.id)))
    return RecordsWanted(
        transaction=said["transaction"],
        consent=said["consent"],
        since=datetime.fromisoformat(said["since"]),
        until=datetime.fromisoformat(said["until"]),
        push_url=said["push_url"],
        key=b64decode(said["key"]),
        nonce=b64decode(said["nonce"]),
        fault=said["fault"],
    )
