"""A letter of a network's as it is kept until it is worked off: sealed for its clinic, headers and body as they came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import orjson

from gateway.connections import Clinic
from gateway.store.letters import LetterJob

_SEALED_AS: Final = "network_letter"


@dataclass(frozen=True, slots=True)
class Post:
    """What came, as it came."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    raw_body: bytes = field(repr=False)


def named(clinic: Clinic, connection: UUID, request_id: str) -> LetterJob:
    """What a letter is known by when it comes again: a hash of its id, under the clinic's own key."""
    text = request_id.encode("utf-8", "surrogatepass")
    return LetterJob(clinic.tenant, connection, clinic.fingerprint(b"|".join((b"letter", connection.bytes, text))))


def seal(clinic: Clinic, letter: LetterJob, post: Post) -> bytes:
    """Seal what came. The body stands after one line with the rest, since its bytes are nobody's text."""
    outside = orjson.dumps({"path": post.path, "headers": dict(post.headers)})
    return clinic.keyring.seal(outside + b"\n" + post.raw_body, purpose=_SEALED_AS, row=_row(letter))


def opened(clinic: Clinic, letter: LetterJob, sealed: bytes) -> Post:
    """Open it again."""
    text = clinic.keyring.open(sealed, purpose=_SEALED_AS, row=_row(letter))
    outside, _, raw_body = text.partition(b"\n")
    read = orjson.loads(outside)
    return Post(read["path"], read["headers"], raw_body)


def _row(letter: LetterJob) -> str:
    return f"{letter.connection}:{letter.identity.hex()}"
