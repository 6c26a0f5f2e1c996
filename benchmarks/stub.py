"""The upstream: answers each request with one Stripe-shaped payment intent, at once or after a delay."""

import asyncio
import socket
from typing import Any

import httptools
import orjson
import uvloop

from benchmarks.programs import listen_to_parent, say

PAYMENT_INTENT = {
    "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa",
    "object": "payment_intent",
    "amount": 4250,
    "amount_capturable": 0,
    "amount_details": {"tip": {}},
    "amount_received": 0,
    "application": None,
    "application_fee_amount": None,
    "automatic_payment_methods": {"enabled": True},
    "canceled_at": None,
    "cancellation_reason": None,
    "capture_method": "automatic",
    "client_secret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH",
    "confirmation_method": "automatic",
    "created": 1680800504,
    "currency": "eur",
    "customer": None,
    "description": None,
    "last_payment_error": None,
    "latest_charge": None,
    "livemode": False,
    "metadata": {"reference": "inv_2024000117"},
    "next_action": None,
    "on_behalf_of": None,
    "payment_method": None,
    "payment_method_options": {"card": {"installments": None, "network": None, "request_three_d_secure": "automatic"}},
    "payment_method_types": ["card"],
    "receipt_email": None,
    "review": None,
    "setup_future_usage": None,
    "shipping": None,
    "statement_descriptor": None,
    "statement_descriptor_suffix": None,
    "status": "requires_payment_method",
    "transfer_data": None,
    "transfer_group": None,
}
BODY = orjson.dumps(PAYMENT_INTENT)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRequest-Id: req_0000000000\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
) + BODY


class Upstream(asyncio.Protocol):
    """One connection; requests on it are answered in turn."""

    delay_seconds = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to read."""
        self.transport: Any = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Read on; an unreadable request ends the connection."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_message_complete(self) -> None:
        """Answer one request."""
        if self.delay_seconds:
            asyncio.get_running_loop().call_later(self.delay_seconds, self.transport.write, ANSWER)
        else:
            self.transport.write(ANSWER)


def set_delay(message: dict[str, float]) -> None:
    """Answer later from now on, and say so."""
    Upstream.delay_seconds = message["delay_seconds"]
    say({"delay_seconds": Upstream.delay_seconds})


async def main() -> None:
    """Serve on a free port of the loopback until the parent is gone."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    server = await asyncio.get_running_loop().create_server(Upstream, sock=listener, backlog=2048)
    say({"port": listener.getsockname()[1]})
    listen_to_parent(set_delay)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
