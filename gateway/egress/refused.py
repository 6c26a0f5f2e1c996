"""What the door says of a request that it does not carry. Nothing of it left."""

from typing import ClassVar

from connectors.errors import ConnectorError
from scopes.vocabulary import Outcome


class RequestRefused(ConnectorError):
    """A connector's request breaks a rule of the door; nothing left."""

    kind: ClassVar[str] = "request_refused"
    outcome: ClassVar[Outcome] = Outcome.FAILED
    what: ClassVar[str] = "The connector's request breaks a rule of the gateway's door; nothing left."
    fix: ClassVar[str] = "Correct the connector by the code."
