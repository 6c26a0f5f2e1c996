"""Refresh tokens as Google's SDK asks for it, through our door. Its own repeats are off: ours are one policy for everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from connectors.wire import build_request, parse_object
from gateway.log import Log
from gateway.oauth.answer import TokenTrouble
from gateway.oauth.aside import aside

if TYPE_CHECKING:
    import httpx2

    from gateway.oauth.asking import Question, Told, Vendor


log = Log("gateway.oauth")


class _Answered(Exception):
    """The vendor answered with something else than tokens; the SDK would repeat some of these."""


async def ask(vendor: Vendor, question: Question) -> Told:
    """What the vendor answers to a refresh. Raises TokenTrouble."""
    secret = vendor.client.secret
    if secret is None:
        raise TokenTrouble("client_needs_secret", unsent=True)
    heard: list[Told] = []
    await aside(lambda door: _refresh(vendor, question, secret, door, heard), vendor.through_door)
    if not heard:
        raise TokenTrouble("library_failed", unsent=True)
    return heard[-1]


def _refresh(
    vendor: Vendor,
    question: Question,
    secret: str,
    door: Callable[[httpx2.Request], httpx2.Response],
    heard: list[Told],
) -> None:
    from google.auth import transport
    from google.oauth2.credentials import Credentials

    from gateway.oauth.asking import Told

    class _Response(transport.Response):
        """An answer of the door's as the SDK reads it."""

        def __init__(self, answer: httpx2.Response) -> None:
            self._answer = answer

        @property
        def status(self) -> int:
            return self._answer.status_code

        @property
        def headers(self) -> Mapping[str, str]:
            return self._answer.headers

        @property
        def data(self) -> bytes:
            return self._answer.content

    class _Request(transport.Request):
        """The door as the SDK calls it. Its timeout is the door's own."""

        def __call__(
            self, url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None,
            timeout: float | None = None, **given: Any,
        ) -> _Response:  # fmt: skip
            answer = door(build_request(method, url, headers=headers or {}, content=body))
            heard.append(Told(answer.status_code, parse_object(answer.content)))
            if answer.status_code != 200:
                raise _Answered
            return _Response(answer)

    credentials: Any = Credentials(  # type: ignore[no-untyped-call]
        None, refresh_token=question.form["refresh_token"], token_uri=vendor.url(vendor.rule.token_url),
        client_id=vendor.client.id, client_secret=secret,
        scopes=question.form["scope"].split() if "scope" in question.form else None,
    )  # fmt: skip
    try:
        credentials.refresh(_Request())
    except TokenTrouble:
        raise
    except Exception as failure:  # it breaks on many answers; what was heard says it better
        if not heard:
            log.error("library_failed", failure=failure)
