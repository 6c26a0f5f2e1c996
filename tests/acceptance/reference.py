"""The reference verifiers of Standard Webhooks as judges of messages: the PyPI package, and the npm one where there is Node.

Without Node, npm or a registry the tests that ask the npm package are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from standardwebhooks import Webhook, WebhookVerificationError

from tests.npm import asked_of

NPM = Path(__file__).with_name("npm_standardwebhooks")


class Message(NamedTuple):
    """What a receiver has in hand: its secret, and one request."""

    secret: str
    headers: Mapping[str, str]
    body: bytes

    def but(self, body: bytes | None = None, secret: str | None = None, **headers: str | None) -> Message:
        """The same with something changed; a header that is None is missing. `id` stands for webhook-id."""
        changed = {**self.headers, **{f"webhook-{name}": value for name, value in headers.items()}}
        kept = {name: value for name, value in changed.items() if value is not None}
        return Message(self.secret if secret is None else secret, kept, self.body if body is None else body)


def in_python(message: Message) -> bool:
    """Whether the PyPI package accepts it."""
    try:
        Webhook(message.secret).verify(message.body, dict(message.headers))
    except (WebhookVerificationError, ValueError):
        return False
    return True


def in_node(messages: Iterable[Message], module: Path | None = None) -> list[bool]:
    """Which the npm package accepts, or which the `verify` of a module does; skips the test where that cannot be run."""
    asked = [{"secret": one.secret, "headers": dict(one.headers), "body": one.body.decode()} for one in messages]
    lines = asked_of(NPM, "verify.mjs", [json.dumps(one) for one in asked], *([str(module)] if module else []))
    return [bool(json.loads(line)) for line in lines]
