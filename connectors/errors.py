"""What can go wrong between us and a vendor, named by what to do next. Never carries a word of the vendor's answer.

ConnectorError
  Rejected             the vendor said no; nothing happened
    ReconnectNeeded      the credential is not accepted any more
    ProviderScopeMissing the credential may not do this
    TryLater             too many requests; ask again later
  OutOfBounds          the clinic's own settings forbid it; not a byte left
  Unreachable          no connection; not a byte left
  Ambiguous            the request left and no clear answer came; it may have worked
  AnswerRefused        the answer broke a rule of ours (redirect, size, time, address)

CallbackRefused        a vendor's message to us is not genuine, not fresh or not readable
CredentialRefused      a clinic's credential has a form that reaches too much, or none that we know
"""

import re
from typing import ClassVar, Final, Literal

from scopes.vocabulary import Outcome

_CODE: Final = re.compile(r"[a-z][a-z0-9_.]{0,63}")


class ConnectorError(Exception):
    """A call that did not end in an accepted answer; `outcome` is what the ledger records."""

    kind: ClassVar[str] = "connector_error"
    outcome: ClassVar[Outcome] = Outcome.UNKNOWN
    what: ClassVar[str] = "The vendor could not be called."
    fix: ClassVar[str] = "Look at the connector's README."

    def __init__(self, code: str | None = None) -> None:
        """`code` comes from a list in our own code, never straight from an answer; one of another form is dropped."""
        self.code = code if code and _CODE.fullmatch(code) else self.kind
        super().__init__(f"{self.what} {self.fix} ({self.code})")


class Rejected(ConnectorError):
    """The vendor refused the request; nothing happened there."""

    kind = "rejected"
    outcome = Outcome.REJECTED
    what = "The vendor refused the request and did nothing."
    fix = "Correct the request by its code; the same request will be refused again."


class ReconnectNeeded(Rejected):
    """The vendor does not accept the credential (401)."""

    kind = "reconnect_needed"
    what = "The vendor does not accept the clinic's credential."
    fix = "Connect again with a new credential."


class ProviderScopeMissing(Rejected):
    """The credential is genuine and may not do this (403)."""

    kind = "provider_scope_missing"
    what = "The clinic's credential may not do this at the vendor."
    fix = "Grant the provider scopes that the action names, then connect again."


class TryLater(Rejected):
    """The vendor asks for patience (429, or the same request is still running there)."""

    kind = "try_later"
    what = "The vendor takes no more requests just now and did nothing."
    fix = "Repeat the request later under the same idempotency key."

    def __init__(self, retry_after_seconds: float | None = None, code: str | None = None) -> None:
        """`retry_after_seconds` is the vendor's wish, None when it named none."""
        super().__init__(code)
        self.retry_after_seconds = retry_after_seconds


class OutOfBounds(ConnectorError):
    """What is asked lies beyond what the clinic set for this connection; found before anything was built."""

    kind = "out_of_bounds"
    outcome = Outcome.FAILED
    what = "The clinic's settings for this connection do not reach that far; nothing left."
    fix = "Ask for something within them, or have the settings of the connection changed."


class Unreachable(ConnectorError):
    """The connection failed before a byte of the request left."""

    kind = "unreachable"
    outcome = Outcome.FAILED
    what = "The vendor could not be reached; nothing left."
    fix = "Repeat the request."


class Ambiguous(ConnectorError):
    """The request left and no clear answer came back (timeout, broken connection, 5xx, unreadable answer)."""

    kind = "ambiguous"
    outcome = Outcome.UNKNOWN
    what = "The request left and its outcome is not known."
    fix = "Look it up at the vendor, or repeat it under the same idempotency key where the action allows it."


AnswerFault = Literal[
    "redirect", "too_large", "too_slow", "bad_encoding", "private_address", "host_not_allowed", "insecure_scheme"
]


class AnswerRefused(ConnectorError):
    """Our door cut the exchange off; `code` says which rule did."""

    kind = "answer_refused"
    outcome = Outcome.FAILED
    what = "The vendor's side broke a rule of the gateway's door and was cut off."
    fix = "Nothing to do for the caller; the operator sees the rule by its code."

    def __init__(self, code: AnswerFault) -> None:
        """`code` is the rule that was broken."""
        super().__init__(code)


class CallbackRefused(Exception):
    """A message that claims to be the vendor's is not taken; `code` says why, the message is not kept."""

    def __init__(self, code: str) -> None:
        """`code` is a word of our own, never of the message."""
        self.code = code if _CODE.fullmatch(code) else "refused"
        super().__init__(f"The callback was refused ({self.code}).")


class CredentialRefused(Exception):
    """A credential of a form that is not taken; `reason` is the manifest's, the secret is not kept."""

    def __init__(self, reason: str) -> None:
        """`reason` is the manifest's sentence."""
        self.reason = reason
        super().__init__(reason)
