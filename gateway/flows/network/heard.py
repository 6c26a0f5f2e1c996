"""A letter of the network's that was proved, stored and brought to its clinic. Holds no word of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Heard:
    """Whose letter it is and what our answer refers to. Its job may run again: what it causes happens once all the same."""

    tenant: UUID
    connector: str
    connection: UUID
    account: str
    """The clinic's facility at the network."""
    request_id: str
    """The network's own id of the letter."""
    at: datetime
    """When it came."""
    late: bool = False
    """Whether it had been refused here, and came again long after it was written."""
