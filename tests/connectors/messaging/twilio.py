"""What the tests of Twilio share: genuine messages, and the `twilio` package over our own door. No fixtures.

The package is an oracle: what it would send, what it signs. It never opens a connection here.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from connectors.contract import Egress
from connectors.registry import Registry

TWILIO = Registry.load().connector("messaging/twilio")
ACCOUNT = "AC0123456789abcdef0123456789abcdef"
TOKEN, OTHER = "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "00112233445566778899aabbccddeeff"
SID = "SM0123456789abcdef0123456789abcdef"
KEY = "cg_0190163d86947a3c8f0e6c7f3e8f7a01"
URL = "https://gateway.example/hooks/0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"
FORM = "application/x-www-form-urlencoded; charset=UTF-8"
ANSWER = {"sid": SID, "status": "queued", "num_segments": "1", "date_created": "Thu, 15 Jan 2026 09:30:00 +0000"}
STATUS = {
    "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "From": "+15005550006", "MessageSid": SID, "MessageStatus": "delivered",
    "SmsSid": SID, "SmsStatus": "delivered", "To": "+14155550123",
}  # fmt: skip
REPLY = {
    "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "Body": "STOP", "From": "+14155550123", "MessageSid": SID,
    "NumMedia": "0", "SmsSid": SID, "SmsStatus": "received", "To": "+15005550006",
}  # fmt: skip


def encoded(parameters: Mapping[str, str]) -> bytes:
    """A form's bytes."""
    return urlencode(dict(parameters)).encode()


def signature(parameters: Mapping[str, str], url: str = URL, token: str = TOKEN) -> str:
    """What the package signs."""
    made: str = RequestValidator(token).compute_signature(url, dict(parameters))
    return made


def signed(parameters: Mapping[str, str], url: str = URL, token: str = TOKEN) -> dict[str, str]:
    """The headers of a genuine message."""
    return {"Content-Type": FORM, "X-Twilio-Signature": signature(parameters, url, token)}


class OurDoor(AsyncHttpClient):
    """The package's HTTP client over the door that our own connector sends by: one attempt, nothing kept, nothing logged."""

    def __init__(self, egress: Egress) -> None:
        super().__init__(logger=None, is_async=True)
        self.egress = egress

    async def request(
        self, method: str, uri: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any
    ) -> Response:
        """Hand one request to the door."""
        assert params is None
        # The credential is the door's to add.
        request = httpx2.Request(method, self.egress.base_url + urlsplit(uri).path, data=data, headers=headers)
        answer = await self.egress.send(request)
        return Response(answer.status_code, answer.text, answer.headers)


def package(egress: Egress) -> Client:
    """The package's client of the clinic's subaccount."""
    return Client("SK0123456789abcdef0123456789abcdef", "secret", ACCOUNT, http_client=OurDoor(egress))
